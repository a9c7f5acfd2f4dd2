"""What ``aep usage`` counts in the storages of exports: files and their bytes, by the day of each."""

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

    :param why: why they could not be counted; empty where they were.
    """

    account: Account
    files: Sequence[StoredFile] = ()
    why: str = ""

    def entries(self, subject: Subject) -> Iterator[Entry]:
        """An entry for each file."""
        flow, datasets = self.account.flow, self.account.datasets
        one = datasets[0] if len(datasets) == 1 else NO_DATASET
        for each in self.files:
            names = {"export": flow.id, "destination": flow.destination, "dataset": each.dataset_id or one}
            day = each.written_at.astimezone(self.account.zone).date()
            yield Entry(subject=names.get(subject) or subject, day=day, records=None, bytes=each.bytes)

    def to_json(self) -> dict[str, Any]:
        return {
            "dataflow_id": self.account.flow.id,
            "dataflow_name": self.account.flow.name,
            "since": self.account.since.isoformat(),
            "files": None if self.why else len(self.files),
            "bytes": None if self.why else sum(each.bytes for each in self.files),
            "unread": self.why or None,
        }


def storages_of(given: Iterable[str]) -> dict[str, str]:
    """The storage path of each export, by its name or id.

    :raises AepValidationError: one cannot be read.
    """
    from airflow_provider_aep.hooks.storage import check_storage_path

    found: dict[str, str] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not equals or not name.strip() or name.strip() in found:
            problem = Problem("--storage", "must be EXPORT=URL, once for each export")
            raise AepValidationError("the arguments", [problem])
        found[name.strip()] = check_storage_path(path.strip())
    return found


def count_stored(found: Usage, storages: Mapping[str, str], conn_id: str | None) -> list[Stored]:
    """What lies in the storages, of the year of the ledger.

    :raises AepValidationError: one is given for what is no export of the ledger.
    """
    accounts = [_named(name, found) for name in storages]
    return [
        _count(account, path, conn_id, found)
        for account, path in zip(accounts, storages.values(), strict=True)
    ]


def _named(name: str, found: Usage) -> Account:
    named = [one for one in found.accounts if name in (one.flow.id, one.flow.name)]
    if len(named) == 1:
        return named[0]
    why = "no export" if not named else f"{len(named)} exports"
    problem = Problem("--storage", f"names {name!r}, which {why} of the selection has: give its id")
    raise AepValidationError("the arguments", [problem])


def _count(account: Account, path: str, conn_id: str | None, found: Usage) -> Stored:
    from airflow_provider_aep.hooks.storage import stored_files, why_unread

    since, until = account.since, min(found.at, year_of(found.year, found.zone)[1])
    try:
        files = stored_files(
            path, conn_id, since=since, until=until, dataset_ids=account.datasets, margin=timedelta()
        )
    except Exception as error:
        return Stored(account=account, why=why_unread(error))
    # A run of New Year's Eve may write in the new year: a file belongs to one day alone.
    return Stored(account=account, files=[each for each in files if _lies_in(each.written_at, since, until)])


def _lies_in(moment: datetime, since: datetime, until: datetime) -> bool:
    return since <= moment < until


def stored_table(counted: Sequence[Stored], subject: Subject, period: Period) -> list[dict[str, Any]]:
    """Files and bytes by subject and period, as plain JSON."""
    names = {one.account.flow.id: one.account.flow.name for one in counted}
    entries = (entry for one in counted for entry in one.entries(subject))
    return [
        {
            "subject": key,
            "name": names.get(key, key),
            "period": when,
            "files": found.runs,
            "bytes": found.bytes,
        }
        for (key, when), found in sums(entries, period).items()
    ]


def stored_rows(counted: Sequence[Stored], subject: Subject, period: Period) -> list[tuple[str, ...]]:
    """The same as rows of a table, with what could not be counted."""
    rows = [
        (each["name"], each["period"], f"{each['files']:,}", amount(each["bytes"], "bytes"))
        for each in stored_table(counted, subject, period)
    ]
    return [*rows, *((one.account.flow.name, "?", "?", one.why) for one in counted if one.why)]
