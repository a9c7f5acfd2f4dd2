"""One poll for data that were ingested into datasets since a moment.

Batches are judged by when they were completed. They can only be asked for by when they were opened, so the
listing begins some days before the moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from airflow_provider_aep.errors import (
    OUTAGES,
    AepApiError,
    AepAuthError,
    AepNotFoundError,
    AepValidationError,
    Problem,
)
from airflow_provider_aep.exports.spec import DatasetRef
from airflow_provider_aep.exports.state import State
from airflow_provider_aep.flowservice.codes import PERMISSIONS
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.ingestion import (
    CATALOG_PATH,
    Batch,
    Batches,
    CatalogDataset,
    list_batches,
    read_catalog_datasets,
)
from airflow_provider_aep.flowservice.schedule import parse_moment
from airflow_provider_aep.monitoring.batches import (
    Standing,
    replaced_by,
    standing_of,
    told_codes,
    told_number,
)
from airflow_provider_aep.monitoring.emptiness import UNPROVEN, believes_windows
from airflow_provider_aep.monitoring.ingested import OPENED_BEFORE
from airflow_provider_aep.monitoring.owing import Ingested
from airflow_provider_aep.monitoring.poll import no_answer
from airflow_provider_aep.times import span_words

# Of one dataset in one poll, each of at most 100 batches.
MOST_PAGES = 10
# Between the clocks of the service. See ``standing_of``.
SKEW = timedelta(hours=1)
MAY_NOT = (
    "The credential needs the permission View Datasets in this sandbox. If it has it, an access label on the "
    "dataset may keep it out."
)
NOT_SHOWN = (
    "It was deleted, has expired, is in another sandbox, or carries a label that the credential lacks."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestionWait:
    """What somebody waits for: new data in all of some datasets, or in any of them.

    :param after: only batches that were completed later than this count.
    :param dataset_names: in place of ``dataset_ids``.
    :param min_records: so many records must have come into a dataset since then.
    :param accept_uncounted: a batch that does not tell how many records it brought counts as well.
    :param settled_for: a batch counts when it has been completed for so long.
    """

    after: datetime
    dataset_ids: tuple[str, ...] = ()
    dataset_names: tuple[str, ...] = ()
    require: Literal["all", "any"] = "all"
    min_records: int = 1
    accept_uncounted: bool = False
    settled_for: timedelta = timedelta()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as it crosses from a worker to the triggerer."""
        return {
            "after": self.after.isoformat(),
            "dataset_ids": list(self.dataset_ids),
            "dataset_names": list(self.dataset_names),
            "require": self.require,
            "min_records": self.min_records,
            "accept_uncounted": self.accept_uncounted,
            "settled_for": self.settled_for.total_seconds(),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> IngestionWait:
        """What ``to_json`` made."""
        return cls(
            after=parse_moment("after", told["after"]),
            dataset_ids=tuple(told["dataset_ids"]),
            dataset_names=tuple(told["dataset_names"]),
            require=told["require"],
            min_records=int(told["min_records"]),
            accept_uncounted=bool(told["accept_uncounted"]),
            settled_for=timedelta(seconds=told["settled_for"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What came into one dataset since the moment of a wait.

    :param counted: the batches that count.
    :param others: those that do not, by what they are.
    :param fresh: those that will count when they have settled.
    :param is_complete: no batch was left unread.
    """

    dataset: CatalogDataset
    counted: Sequence[Batch]
    others: Mapping[Standing, Sequence[Batch]]
    fresh: Sequence[Batch]
    is_complete: bool

    @property
    def least(self) -> int:
        """How many records came at least."""
        return sum(each.records or 0 for each in self.counted)

    @property
    def records(self) -> int | None:
        """How many records came; ``None`` where not all batches tell."""
        return None if any(each.records is None for each in self.counted) else self.least

    def suffice(self, wait: IngestionWait) -> bool:
        return bool(self.counted) and (self.least >= wait.min_records or wait.min_records == 1)

    def told(self, wait: IngestionWait) -> str:
        """The same in one sentence."""
        since = f"{self.dataset.name} since {wait.after:%Y-%m-%d %H:%M:%S} UTC"
        told = f"nothing was ingested into {since}"
        if self.counted:
            at_least = "" if self.is_complete and self.records is not None else "at least "
            told = f"{told_number(self.counted)} with {at_least}{self.least:,} records came into {since}"
            if not self.suffice(wait):
                told += f", of {wait.min_records:,} that are waited for"
        also = [
            f"{told_number(some)} {kind}{told_codes(code for batch in some for code in batch.codes)}"
            for kind, some in self.others.items()
        ]
        if self.fresh:
            settled_for = span_words(wait.settled_for, exact=True)
            also.append(f"{told_number(self.fresh)} completed less than {settled_for} ago")
        if not self.is_complete:
            also.append("more batches than were read")
        return f"{told}; seen: {', '.join(also)}" if also else told

    def to_json(self) -> dict[str, Any]:
        ends = sorted(each.ended_at for each in self.counted if each.ended_at)
        return {
            "name": self.dataset.name,
            "batches": len(self.counted),
            "records": self.records,
            "first_completed": ends[0].isoformat() if ends else None,
            "last_completed": ends[-1].isoformat() if ends else None,
            "complete": self.is_complete,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestionSighting:
    """What one poll saw.

    :param result: what came in, as plain JSON.
    :param told: the same in one sentence, for logs and for the message of a timeout.
    :param wait: the wait with the ids of its datasets.
    :param wait_seconds: at least so long the service asked to be left alone.
    """

    told: str
    wait: IngestionWait
    finished: bool = False
    result: Mapping[str, Any] | None = None
    wait_seconds: float = 0.0
    answered: bool = True


def look_for_ingestion(wait: IngestionWait, *, now: datetime) -> Exchange[IngestionSighting]:
    """Poll once for what somebody waits for. A service that does not answer is a poll that saw nothing.

    :raises AepNotFoundError: the Catalog shows no such dataset.
    :raises AepAuthError: the credential is refused, or may not see the dataset.
    :raises AepValidationError: a name is that of no dataset, or a dataset holds Profile Snapshots.
    :raises AepAmbiguousNameError: several datasets have a name.
    :raises AepApiError: an answer of unexpected shape.
    """
    try:
        wait = yield from _with_ids(wait)
        datasets = yield from _read_datasets(wait.dataset_ids)
        listed: dict[str, Batches] = {}
        for each in wait.dataset_ids:
            # Each alone: of several in one request an absence would prove nothing.
            listed[each] = yield from list_batches(
                [each],
                created_after=wait.after - OPENED_BEFORE,
                created_before=max(now, wait.after) + timedelta(seconds=1),
                most_pages=MOST_PAGES,
            )
        read = [Ingested(dataset_id=each, batches=one.found) for each, one in listed.items()]
        believed = yield from believes_windows(read, until=now, may_ask=True)
    except OUTAGES as error:
        unheard = no_answer(error)
        return IngestionSighting(
            told=unheard.told, wait=wait, wait_seconds=unheard.wait_seconds, answered=False
        )
    except AepAuthError as error:
        raise error.with_hint(MAY_NOT) if _is_about_datasets(error) else error from None
    arrivals = {each: arrivals_of(datasets[each], listed[each], wait, now) for each in wait.dataset_ids}
    seen = seen_of(arrivals, wait)
    return seen if believed else replace(seen, told=f"{seen.told}; {UNPROVEN}")


def seen_of(arrivals: Mapping[str, Arrivals], wait: IngestionWait) -> IngestionSighting:
    """What came into the datasets of a wait, and whether that ends it."""
    done = [each for each, one in arrivals.items() if one.suffice(wait)]
    return IngestionSighting(
        told="; ".join(one.told(wait) for one in arrivals.values()),
        wait=wait,
        finished=len(done) == len(arrivals) if wait.require == "all" else bool(done),
        result={
            "ingested_after": wait.after.isoformat(),
            "dataset_ids": done,
            "datasets": {each: one.to_json() for each, one in arrivals.items()},
        },
    )


def arrivals_of(dataset: CatalogDataset, listed: Batches, wait: IngestionWait, now: datetime) -> Arrivals:
    """Sort out the batches of a dataset."""
    replaced = replaced_by(listed.found)
    counted: list[Batch] = []
    fresh: list[Batch] = []
    others: dict[Standing, list[Batch]] = {}
    newest_first = sorted(listed.found, key=lambda each: (each.ended_at or now, each.id), reverse=True)
    for batch in newest_first:
        standing = standing_of(batch, replaced=replaced, margin=SKEW, now=now)
        at = batch.ended_at
        if standing is Standing.UNDATED:
            at = batch.created_at  # there is nothing better
        if standing is not Standing.UNDER_WAY and at is not None and at <= wait.after:
            continue
        if standing is Standing.NEWS or (standing is Standing.UNCOUNTED and wait.accept_uncounted):
            (counted if at is not None and at <= now - wait.settled_for else fresh).append(batch)
        else:
            others.setdefault(standing, []).append(batch)
    return Arrivals(
        dataset=dataset,
        counted=counted,
        others={kind: others[kind] for kind in Standing if kind in others},
        fresh=fresh,
        is_complete=listed.is_complete,
    )


def _with_ids(wait: IngestionWait) -> Exchange[IngestionWait]:
    if not wait.dataset_names:
        return wait
    known = State(entities={}, datasets=(yield from list_datasets()))
    ids = known.dataset_ids(DatasetRef(name=name) for name in wait.dataset_names)
    return replace(wait, dataset_ids=tuple(ids), dataset_names=())


def _read_datasets(ids: Sequence[str]) -> Exchange[dict[str, CatalogDataset]]:
    """What the Catalog says of datasets, all of them.

    :raises AepNotFoundError: it does not show one.
    :raises AepValidationError: one holds Profile Snapshots.
    """
    shown, status = yield from _shown(ids)
    if len(ids) > 1:
        # One that is not there may hide the others.
        for each in [each for each in ids if each not in shown]:
            found, status = yield from _shown([each])
            shown |= found
    if gone := [each for each in ids if each not in shown]:
        raise AepNotFoundError(
            doing=f"GET {CATALOG_PATH}/dataSets/{gone[0]}",
            status=status,
            message=f"the Catalog shows no dataset {', '.join(gone)}",
            hint=NOT_SHOWN,
        )
    if snapshots := [shown[each].name for each in ids if shown[each].is_snapshot]:
        rule = "holds Profile Snapshots, which replace each other and are not ingested"
        raise AepValidationError(
            "the datasets", [Problem(name, rule) for name in snapshots], "Wait for something else."
        )
    return shown


def _shown(ids: Sequence[str]) -> Exchange[tuple[dict[str, CatalogDataset], int]]:
    """The datasets that the Catalog shows, and the status of its answer."""
    try:
        return (yield from read_catalog_datasets(ids)), 200
    except AepNotFoundError as error:
        return {}, error.status
    except AepApiError as error:
        if error.status != 400 or len(ids) == 1:
            raise
        return {}, error.status


def _is_about_datasets(error: AepAuthError) -> bool:
    # A hint of another kind knows more: it is about the organization, or the login.
    return error.status == 403 and CATALOG_PATH in error.doing and error.hint == PERMISSIONS
