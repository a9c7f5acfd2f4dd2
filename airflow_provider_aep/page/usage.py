"""What the browser side is told of the ledger: a year by month, export, dataset and destination."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.monitoring.allowance import Allowance, parse_allowances
from airflow_provider_aep.monitoring.usage import Usage, read_usage
from airflow_provider_aep.page.answers import iso

_COUNTS = ("runs", "failed", "records", "records_unknown", "bytes", "bytes_unknown", "incomplete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ledger of one sandbox.

    :param dataset_names: by the id of the dataset, as far as they may be seen.
    :param problem: what is wrong with the setting of the allowance, if anything.
    """

    sandbox: str
    usage: Usage
    dataset_names: Mapping[str, str]
    problem: str = ""


def read_ledger(sandbox: str, *, allowance: str, now: datetime, zone: tzinfo = UTC) -> Exchange[Ledger]:
    """The ledger of the sandbox that the exchange talks to.

    :param zone: where days begin at midnight.
    :param allowance: as the setting ``[aep] page_allowance`` gives it: several are separated by commas.
    :raises AepError: the dataflows cannot be listed.
    """
    allowances, problem = _given(allowance)
    usage = yield from read_usage(now=now, zone=zone, allowances=allowances)
    (datasets,) = yield from together([list_datasets()], at_most=1)
    names = {one.id: one.name for one in datasets.value} if isinstance(datasets, Done) else {}
    return Ledger(sandbox=sandbox, usage=usage, dataset_names=names, problem=problem)


def _given(setting: str) -> tuple[tuple[Allowance, ...], str]:
    words = [word for each in setting.split(",") if (word := each.strip())]
    try:
        return parse_allowances(words), ""
    except AepValidationError as error:
        return (), f"The setting [aep] page_allowance: {'; '.join(map(str, error.problems))}"


def ledger_row(conn_id: str, ledger: Ledger) -> bytes:
    """The ledger of one sandbox as JSON."""
    usage = ledger.usage
    destinations = {one.flow.id: one.flow.destination for one in usage.accounts}
    total = usage.table("sandbox", "year")
    told = {
        "conn_id": conn_id,
        "sandbox": ledger.sandbox,
        "year": usage.year,
        "timezone": str(usage.zone),
        "at": iso(usage.at),
        "known_from": iso(usage.known_from),
        "problem": ledger.problem,
        "notes": usage.notes(),
        "allowances": [one.to_json() for one in usage.standings],
        "total": _counts(total[0]) if total else None,
        "months": [{"month": each["period"], **_counts(each)} for each in usage.table("sandbox", "month")],
        "destinations": [
            {"name": _title(each["name"]), **_counts(each)} for each in usage.table("destination", "year")
        ],
        "datasets": [
            {
                "id": each["subject"],
                "name": ledger.dataset_names.get(each["subject"], each["name"]),
                **_counts(each),
            }
            for each in usage.table("dataset", "year")
        ],
        "exports": [
            {
                "id": each["subject"],
                "name": each["name"],
                "destination": _title(destinations.get(each["subject"])),
                **_counts(each),
            }
            for each in usage.table("export", "year")
        ],
    }
    return json.dumps(told, separators=(",", ":")).encode()


def _counts(found: Mapping[str, Any]) -> dict[str, int]:
    return {name: found[name] for name in _COUNTS}


def _title(destination: str | None) -> str | None:
    known = DESTINATIONS.get(destination or "")
    return known.title if known else destination
