"""``aep usage``: what was exported in a calendar year, and whether allowances will do."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.cli.output import Output
from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.monitoring.allowance import amount, parse_allowances, worst_of
from airflow_provider_aep.monitoring.ledger import Measure, Period, Subject
from airflow_provider_aep.monitoring.selection import Selection
from airflow_provider_aep.monitoring.usage import Usage, check_year, read_usage

if TYPE_CHECKING:
    from airflow_provider_aep.hooks import AepHook

WILL_NOT_DO = 2  # the exit code where an allowance is used up, or will be by the forecast
COLUMNS = ("name", "period", "runs", "failed", "records", "bytes")
STORED = ("export", "files", "bytes", "what the storage holds")
MOST_REQUESTS = 10_000


def usage(arguments: Namespace, hook: AepHook, output: Output) -> int:
    """Read the ledger and tell it.

    :raises AepValidationError: an argument makes no sense; nothing was asked.
    """
    now = datetime.now(tz=UTC)
    allowances = parse_allowances(arguments.allowance)
    year = now.year if arguments.year is None else check_year(arguments.year, now)
    storages = _storages(arguments.storage or ())
    if not 1 <= arguments.requests <= MOST_REQUESTS:
        problem = Problem("--requests", f"must be a whole number from 1 to {MOST_REQUESTS:,}")
        raise AepValidationError("the arguments", [problem])
    selection = Selection(
        name_contains=arguments.name, destinations=arguments.destination or (), owner=arguments.owner
    )
    found = hook.run(
        read_usage(
            now=now, year=year, selection=selection, allowances=allowances, most_pages=arguments.requests
        )
    )
    stored = list(_count_stored(found, storages, arguments.storage_conn_id))
    period: Period = arguments.by
    output.document({"sandbox": hook.sandbox, **found.to_json(period), "storage": stored})
    _tell(found, stored, hook.sandbox, arguments.of, period, output)
    return WILL_NOT_DO if worst_of(found.standings) in ("used_up", "forecast") else 0


def _tell(
    found: Usage,
    stored: Sequence[Mapping[str, Any]],
    sandbox: str,
    subject: Subject,
    period: Period,
    output: Output,
) -> None:
    exports = f"{len(found.accounts)} export{'' if len(found.accounts) == 1 else 's'}"
    output.line(f"{exports} in sandbox {sandbox}, {found.year}, in UTC")
    rows = found.table(subject, period)
    if rows:
        output.table(COLUMNS, [_row(each) for each in rows])
    else:
        output.line("no run is listed")
    for total in found.table("sandbox", "year"):
        output.line(f"in all: {_told(total, 'records')}, {_told(total, 'bytes')}, in {total['runs']:,} runs")
    if stored:
        output.line()
        output.table(STORED, [_stored_row(each) for each in stored])
    for standing in found.standings:
        word = {"ok": "ok", "near": "warn", "forecast": "warn", "used_up": "fail"}[standing.status]
        output.line(f"{word:<5}  {standing.allowance.key}: {standing.told}", word=word)
    for note in found.notes():
        output.line(f"note   {note}")


def _row(found: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        found["name"],
        found["period"],
        f"{found['runs']:,}",
        f"{found['failed']:,}",
        _told(found, "records"),
        _told(found, "bytes"),
    )


def _told(found: Mapping[str, Any], measure: Measure) -> str:
    unknown = found[f"{measure}_unknown"]
    if unknown and unknown >= found["runs"]:
        return f"{measure} unknown"
    told = amount(found[measure], measure)
    return f"{told} + {unknown:,} runs unknown" if unknown else told


def _storages(given: Iterable[str]) -> dict[str, str]:
    """The storage path of each export, by its name or id.

    :raises AepValidationError: one cannot be read.
    """
    from airflow_provider_aep.storage import check_storage_path

    found: dict[str, str] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not equals or not name.strip() or name.strip() in found:
            problem = Problem("--storage", "must be EXPORT=URL, once for each export")
            raise AepValidationError("the arguments", [problem])
        found[name.strip()] = check_storage_path(path.strip())
    return found


def _count_stored(found: Usage, storages: Mapping[str, str], conn_id: str | None) -> Iterable[dict[str, Any]]:
    """What lies in the storage of exports, of the time that is known; or why that could not be counted."""
    from airflow_provider_aep.storage import check_delivery

    for name, path in storages.items():
        accounts = [one for one in found.accounts if name in (one.flow.id, one.flow.name)]
        if len(accounts) != 1:
            why = "no export" if not accounts else f"{len(accounts)} exports"
            problem = Problem("--storage", f"names {name!r}, which {why} of the selection has: give its id")
            raise AepValidationError("the arguments", [problem])
        one = accounts[0]
        window = {"started_at": one.known_from.isoformat(), "completed_at": found.at.isoformat()}
        counted = check_delivery(
            {**window, "dataset_ids": list(one.datasets)}, storage_path=path, storage_conn_id=conn_id
        )
        told = "since " + one.known_from.strftime("%Y-%m-%d") if counted.files is not None else counted.told
        yield {
            "dataflow_id": one.flow.id,
            "dataflow_name": one.flow.name,
            "since": one.known_from.isoformat(),
            "files": counted.files,
            "bytes": counted.bytes,
            "told": told,
        }


def _stored_row(each: Mapping[str, Any]) -> tuple[str, ...]:
    files, size = each["files"], each["bytes"]
    return (
        each["dataflow_name"],
        "?" if files is None else f"{files:,}",
        "?" if size is None else amount(size, "bytes"),
        each["told"],
    )
