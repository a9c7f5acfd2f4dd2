"""``aep explain``: the story of one export, for the person who was woken by it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_aep.cli.acting import read_dataflow
from airflow_provider_aep.cli.output import Output
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.monitoring.telling import check_days, read_story

COLUMNS = ("time (UTC)", "lane", "status", "what")
LABELS: Mapping[str, str] = {
    "shell": "in a shell",
    "ask": "as a message",
}


def explain(arguments: Namespace, hook: AepHook, output: Output) -> int:
    """Print the story; 1 if something in it fails a check."""
    story = hook.run(
        read_export_story(
            arguments.name_or_id,
            days=arguments.days,
            conn_id=arguments.conn_id,
            sandbox=hook.sandbox,
            now=datetime.now(tz=UTC),
        )
    )
    output.document(story)
    _tell(story, output)
    return 1 if story["outcome"] == "fail" else 0


def read_export_story(
    name_or_id: str, *, days: int, conn_id: str, sandbox: str, now: datetime
) -> Exchange[dict[str, Any]]:
    """The story of the export with this id, or with exactly this name.

    :raises AepValidationError: there is no such dataflow, or the number of days is not valid.
    :raises AepAmbiguousNameError: several have this name.
    """
    days = check_days(days)
    flow = yield from read_dataflow(name_or_id)
    return (yield from read_story(flow, days=days, now=now, conn_id=conn_id, sandbox=sandbox))


def _tell(story: Mapping[str, Any], output: Output) -> None:
    output.line(f"{story['outcome']}  {story['summary']}", word=story["outcome"])
    flow, totals = story["dataflow"], story["totals"]
    failed = f", {totals['batches_failed']:,} failed" if totals["batches_failed"] else ""
    output.line(
        f"      {flow['id']} in sandbox {story['sandbox']}, {flow['state']}; "
        f"in: {_count(totals['batches'], 'batch', 'batches')} with {_records(totals['records_in'])}{failed}; "
        f"out: {_count(totals['runs'], 'run', 'runs')} with {_records(totals['records_out'])}, "
        f"{totals['bad']:,} bad"
    )
    output.line()
    if story["lanes"]:
        output.table(COLUMNS, _rows(story["lanes"]), word=COLUMNS.index("status"))
    else:
        output.line("Nothing came in, and nothing went out.")
    for note in story["notes"]:
        output.line(f"not known: {note}")
    output.line()
    if not story["actions"]:
        output.line("Nothing to do now.")
        return
    output.line("What to do now")
    for number, action in enumerate(story["actions"], 1):
        output.line(f"{number}. {action['why']} ({LABELS[action['kind']]})")
        for line in action["command"].split("\n"):
            output.line(f"   {line}")


def _rows(lanes: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Newest last, next to what to do now."""
    for row in lanes:
        since, at = (datetime.fromisoformat(row[key]) for key in ("since", "at"))
        when = f"{since:%Y-%m-%d %H:%M}"
        if since != at:
            when += f" - {at:%m-%d %H:%M}"
        yield when, row["lane"], row["status"], row["told"]
        for note in row["notes"]:
            yield "", "", "", f"-> {note}"


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"


def _records(number: int | None) -> str:
    return "an unknown number of records" if number is None else _count(number, "record", "records")
