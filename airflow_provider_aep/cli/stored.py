"""What ``aep usage`` counts in the storages of exports: files and bytes, by day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.monitoring.allowance import amount
from airflow_provider_aep.monitoring.ledger import Account, Entry, Period, Subject, sums, year_of
from airflow_provider_aep.monitoring.usage import Usage

if TYPE_CHECKING:
    from airflow_provider_aep.hooks.storage import StoredFile

COLUMNS = ("in the storage of", "period", "files", "bytes")
NO_DATASET = "(no dataset in the folder)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The files of an export in the year.

    :param why: why they could not be counted; empty if they were.
    """

    account: Account
    files: Sequence[StoredFile] = ()
    why: str = ""

    def entries(self, subject: Subject) -> Iterator[Entry]:
        """An entry for each file."""
        flow, datasets = self.account.flow, self.account.datasets
        only = datasets[0] if len(datasets) == 1 else NO_DATASET
        for file in self.files:
            names = {
                "export": flow.id,
                "destination": flow.destination,
                "dataset": file.dataset_id or only,
            }
            day = file.written_at.astimezone(self.account.zone).date()
            yield Entry(subject=names.get(subject) or subject, day=day, records=None, bytes=file.bytes)

    def to_json(self) -> dict[str, Any]:
        return {
            "dataflow_id": self.account.flow.id,
            "dataflow_name": self.account.flow.name,
            "since": self.account.since.isoformat(),
            "files": None if self.why else len(self.files),
            "bytes": None if self.why else sum(file.bytes for file in self.files),
            "unread": self.why or None,
        }


def storages_of(given: Iterable[str]) -> dict[str, str]:
    """The storage path of each export, by its name or id.

    :raises AepValidationError: an entry is not valid.
    """
    from airflow_provider_aep.hooks.storage import check_storage_path

    storages: dict[str, str] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not equals or not name.strip() or name.strip() in storages:
            problem = Problem("--storage", "must be EXPORT=URL, once for each export")
            raise AepValidationError("the arguments", [problem])
        storages[name.strip()] = check_storage_path(path.strip())
    return storages


def count_stored(usage: Usage, storages: Mapping[str, str], conn_id: str | None) -> list[Stored]:
    """The files of the ledger's year in the storages.

    :raises AepValidationError: a storage is given for an export that the ledger does not have.
    """
    accounts = [_named(name, usage) for name in storages]
    return [
        _count(account, path, conn_id, usage)
        for account, path in zip(accounts, storages.values(), strict=True)
    ]


def _named(name: str, usage: Usage) -> Account:
    accounts = [account for account in usage.accounts if name in (account.flow.id, account.flow.name)]
    if len(accounts) == 1:
        return accounts[0]
    why = "no export" if not accounts else f"{len(accounts)} exports"
    problem = Problem("--storage", f"names {name!r}, which {why} of the selection has: give its id")
    raise AepValidationError("the arguments", [problem])


def _count(account: Account, path: str, conn_id: str | None, usage: Usage) -> Stored:
    from airflow_provider_aep.hooks.storage import stored_files, why_unread

    since, until = account.since, min(usage.at, year_of(usage.year, usage.zone)[1])
    try:
        files = stored_files(
            path, conn_id, since=since, until=until, dataset_ids=account.datasets, margin=timedelta()
        )
    except Exception as error:
        return Stored(account=account, why=why_unread(error))
    # A run of New Year's Eve may write in the new year: a file belongs to only one day.
    return Stored(account=account, files=[file for file in files if _lies_in(file.written_at, since, until)])


def _lies_in(moment: datetime, since: datetime, until: datetime) -> bool:
    return since <= moment < until


def stored_table(counted: Sequence[Stored], subject: Subject, period: Period) -> list[dict[str, Any]]:
    """Files and bytes by subject and period, as plain JSON."""
    names = {stored.account.flow.id: stored.account.flow.name for stored in counted}
    entries = (entry for stored in counted for entry in stored.entries(subject))
    return [
        {
            "subject": key,
            "name": names.get(key, key),
            "period": when,
            "files": total.runs,
            "bytes": total.bytes,
        }
        for (key, when), total in sums(entries, period).items()
    ]


def stored_rows(counted: Sequence[Stored], subject: Subject, period: Period) -> list[tuple[str, ...]]:
    """The same as rows of a table, with the exports that could not be counted."""
    rows = [
        (entry["name"], entry["period"], f"{entry['files']:,}", amount(entry["bytes"], "bytes"))
        for entry in stored_table(counted, subject, period)
    ]
    return [*rows, *((stored.account.flow.name, "?", "?", stored.why) for stored in counted if stored.why)]
