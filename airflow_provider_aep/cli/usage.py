"""``aep usage``: what was exported in a calendar year, and whether allowances suffice."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.cli.output import Output
from airflow_provider_aep.cli.stored import COLUMNS as STORED_COLUMNS
from airflow_provider_aep.cli.stored import Stored, count_stored, storages_of, stored_rows, stored_table
from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.monitoring.allowance import amount, parse_allowances, worst_of
from airflow_provider_aep.monitoring.ledger import Measure, Period, Subject
from airflow_provider_aep.monitoring.selection import Selection
from airflow_provider_aep.monitoring.usage import Usage, check_year, read_usage

if TYPE_CHECKING:
    from airflow_provider_aep.hooks import AepHook

WILL_NOT_DO = 2  # the exit code if an allowance is used up, or will be by the forecast
SUBJECTS: Sequence[Subject] = ("export", "dataset", "destination")
COLUMNS = ("name", "period", "runs", "failed", "records", "bytes")
# These pages hold 100,000 runs, all in memory at once.
MOST_REQUESTS = 1_000


def usage(arguments: Namespace, hook: AepHook, output: Output) -> int:
    """Read the ledger and print it.

    :raises AepValidationError: an argument is not valid; nothing was requested.
    """
    from airflow_provider_aep.hooks.days import zone_of_days

    now, zone = datetime.now(tz=UTC), zone_of_days()
    allowances = parse_allowances(arguments.allowance)
    this_year = now.astimezone(zone).year
    year = this_year if arguments.year is None else check_year(arguments.year, this_year)
    storages = storages_of(arguments.storage or ())
    if not 1 <= arguments.requests <= MOST_REQUESTS:
        problem = Problem("--requests", f"must be a whole number from 1 to {MOST_REQUESTS:,}")
        raise AepValidationError("the arguments", [problem])
    selection = Selection.of(arguments.name, arguments.destination, arguments.owner)
    ledger = hook.run(
        read_usage(
            now=now,
            zone=zone,
            year=year,
            selection=selection,
            allowances=allowances,
            most_pages=arguments.requests,
        )
    )
    stored = count_stored(ledger, storages, arguments.storage_conn_id)
    period: Period = arguments.by
    in_storage = {f"{subject}s": stored_table(stored, subject, period) for subject in SUBJECTS}
    in_storage["counted"] = [counted.to_json() for counted in stored]
    output.document({"sandbox": hook.sandbox, **ledger.to_json(period), "storage": in_storage})
    _tell(ledger, stored, hook.sandbox, arguments.of, period, output)
    return WILL_NOT_DO if worst_of(ledger.standings) in ("used_up", "forecast") else 0


def _tell(
    ledger: Usage,
    stored: Sequence[Stored],
    sandbox: str,
    subject: Subject,
    period: Period,
    output: Output,
) -> None:
    exports = f"{len(ledger.accounts)} export{'' if len(ledger.accounts) == 1 else 's'}"
    output.line(f"{exports} in sandbox {sandbox}, {ledger.year}, in {ledger.zone}")
    rows = ledger.table(subject, period)
    if rows:
        output.table(COLUMNS, [_row(row) for row in rows])
    else:
        output.line("no run is listed")
    for total in ledger.table("sandbox", "year"):
        records, size = _amount(total, "records"), _amount(total, "bytes")
        output.line(f"in all: {records}, {size}, in {total['runs']:,} runs")
    if stored:
        output.line()
        output.table(STORED_COLUMNS, stored_rows(stored, subject, period))
    for standing in ledger.standings:
        word = {"ok": "ok", "near": "warn", "forecast": "warn", "used_up": "fail"}[standing.status]
        output.line(f"{word:<5}  {standing.allowance.key}: {standing.told}", word=word)
    for note in ledger.notes():
        output.line(f"note   {note}")


def _row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        row["period"],
        f"{row['runs']:,}",
        f"{row['failed']:,}",
        _amount(row, "records"),
        _amount(row, "bytes"),
    )


def _amount(row: Mapping[str, Any], measure: Measure) -> str:
    unknown, known = row[f"{measure}_unknown"], row[measure]
    if unknown >= max(row["runs"], 1) and not known:
        return f"{measure} unknown"
    text = f"at least {amount(known, measure)}" if row["incomplete"] else amount(known, measure)
    return f"{text} + {unknown:,} run{'' if unknown == 1 else 's'} unknown" if unknown else text
