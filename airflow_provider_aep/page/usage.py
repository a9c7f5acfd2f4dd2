"""The ledger for the browser: a year by month, export, dataset and destination."""

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

    :param dataset_names: by the id of the dataset, if the credential may list datasets.
    :param problem: what is wrong with the setting ``page_allowance``, if anything.
    """

    sandbox: str
    usage: Usage
    dataset_names: Mapping[str, str]
    problem: str = ""


def read_ledger(sandbox: str, *, allowance: str, now: datetime, zone: tzinfo = UTC) -> Exchange[Ledger]:
    """The ledger of the sandbox that the exchange talks to.

    :param zone: where days begin at midnight.
    :param allowance: the setting ``[aep] page_allowance``: several are separated by commas.
    :raises AepError: the dataflows cannot be listed.
    """
    allowances, problem = _given(allowance)
    usage = yield from read_usage(now=now, zone=zone, allowances=allowances)
    (datasets,) = yield from together([list_datasets()], at_most=1)
    names = {dataset.id: dataset.name for dataset in datasets.value} if isinstance(datasets, Done) else {}
    return Ledger(sandbox=sandbox, usage=usage, dataset_names=names, problem=problem)


def _given(setting: str) -> tuple[tuple[Allowance, ...], str]:
    words = [word for part in setting.split(",") if (word := part.strip())]
    try:
        return parse_allowances(words), ""
    except AepValidationError as error:
        return (), f"The setting [aep] page_allowance: {'; '.join(map(str, error.problems))}"


def ledger_row(conn_id: str, ledger: Ledger) -> bytes:
    """The ledger of one sandbox as JSON."""
    usage = ledger.usage
    destinations = {account.flow.id: account.flow.destination for account in usage.accounts}
    total = usage.table("sandbox", "year")
    document = {
        "conn_id": conn_id,
        "sandbox": ledger.sandbox,
        "year": usage.year,
        "timezone": str(usage.zone),
        "at": iso(usage.at),
        "known_from": iso(usage.known_from),
        "problem": ledger.problem,
        "notes": usage.notes(),
        "allowances": [standing.to_json() for standing in usage.standings],
        "total": _counts(total[0]) if total else None,
        "months": [{"month": row["period"], **_counts(row)} for row in usage.table("sandbox", "month")],
        "destinations": [
            {"name": _title(row["name"]), **_counts(row)} for row in usage.table("destination", "year")
        ],
        "datasets": [
            {
                "id": row["subject"],
                "name": ledger.dataset_names.get(row["subject"], row["name"]),
                **_counts(row),
            }
            for row in usage.table("dataset", "year")
        ],
        "exports": [
            {
                "id": row["subject"],
                "name": row["name"],
                "destination": _title(destinations.get(row["subject"])),
                **_counts(row),
            }
            for row in usage.table("export", "year")
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _counts(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in _COUNTS}


def _title(destination: str | None) -> str | None:
    known = DESTINATIONS.get(destination or "")
    return known.title if known else destination
