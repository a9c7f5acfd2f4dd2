"""The latest runs of an export, as a table for people and as plain JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_provider_aep.exports.importing import find_dataflow
from airflow_provider_aep.exports.state import read_kind
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.runs import list_runs, list_runs_of
from airflow_provider_aep.monitoring.findings import judgement_of
from airflow_provider_aep.monitoring.policy import AuditPolicy
from airflow_provider_aep.monitoring.timeline import Timeline, timeline_of
from airflow_provider_aep.times import span_words

COLUMNS = ("started (UTC)", "status", "records", "files", "bytes", "took", "errors")
_DEFAULT_POLICY = AuditPolicy()


def latest_runs(
    name_or_id: str, *, limit: int, since: datetime | None, now: datetime
) -> Exchange[tuple[Timeline, list[DataflowRun]]]:
    """The timeline of a dataflow, and its runs, newest first.

    :raises AepValidationError: there is no such dataflow.
    :raises AepAmbiguousNameError: several have this name.
    """
    flow = Dataflow.from_api(find_dataflow(name_or_id, (yield from read_kind("dataflow"))))
    page_size = min(limit, LARGEST_PAGE)
    if since:
        runs = yield from list_runs(flow.id, started_after=since, page_size=page_size)
    else:
        runs = yield from list_runs_of([flow.id], page_size=page_size, enough=lambda runs: len(runs) >= limit)
    runs = runs[:limit]
    known_from = min((run.started_at for run in runs if run.started_at), default=now)
    return timeline_of(flow, runs, now=now, known_from=known_from), runs


def run_to_json(run: DataflowRun, timeline: Timeline) -> dict[str, Any]:
    """A run with the verdict of the default run policy; an unfinished one is ``running`` or ``stuck``."""
    if run.finished:
        judged = judgement_of(run, timeline, _DEFAULT_POLICY)
        status, outcome = judged.status, judged.choice
    elif timeline.stuck_at(run, _DEFAULT_POLICY.runs):
        status, outcome = "stuck", _DEFAULT_POLICY.runs.on_stuck
    else:
        status, outcome = "running", None
    tick = timeline.tick_of.get(run.id)
    return {
        **run.to_json(),
        "tick": tick.at.isoformat() if tick else None,
        "verdict": status,
        "outcome": outcome,
    }


def row_of(run: DataflowRun, timeline: Timeline) -> tuple[object, ...]:
    judged = run_to_json(run, timeline)
    took = run.completed_at - run.started_at if run.started_at and run.completed_at else None
    status = f"{judged['verdict']} -> {judged['outcome']}" if judged["outcome"] else judged["verdict"]
    return (
        f"{run.started_at:%Y-%m-%d %H:%M:%S}" if run.started_at else "?",
        status,
        *(
            "?" if count is None else f"{count:,}"
            for count in (run.records_out, run.files_out, run.bytes_out)
        ),
        "?" if took is None else span_words(took),
        "; ".join(map(str, run.errors)),
    )
