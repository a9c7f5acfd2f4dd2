"""One poll for data that were ingested into datasets since a moment.

A batch counts by its completion time. Batches can only be requested by the time they were opened, so the
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
from airflow_provider_aep.flowservice.moments import parse_moment
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

# For one dataset in one poll; a page has at most 100 batches.
MOST_PAGES = 10
# Of the clocks within the service. See ``standing_of``.
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
    """A wait for new data in all of some datasets, or in any of them.

    :param after: only batches that were completed later than this count.
    :param dataset_names: instead of ``dataset_ids``.
    :param min_records: how many records must have come into a dataset since then.
    :param accept_uncounted: a batch without a count of records counts as well.
    :param settled_for: a batch counts once it has been completed for so long.
    """

    after: datetime
    dataset_ids: tuple[str, ...] = ()
    dataset_names: tuple[str, ...] = ()
    require: Literal["all", "any"] = "all"
    min_records: int = 1
    accept_uncounted: bool = False
    settled_for: timedelta = timedelta()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as a worker hands it to the triggerer."""
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
    def from_json(cls, document: Mapping[str, Any]) -> IngestionWait:
        """What ``to_json`` made."""
        return cls(
            after=parse_moment("after", document["after"]),
            dataset_ids=tuple(document["dataset_ids"]),
            dataset_names=tuple(document["dataset_names"]),
            require=document["require"],
            min_records=int(document["min_records"]),
            accept_uncounted=bool(document["accept_uncounted"]),
            settled_for=timedelta(seconds=document["settled_for"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """The batches that came into one dataset since the moment of a wait.

    :param counted: the batches that count.
    :param others: those that do not, by what they mean.
    :param fresh: those that will count once they have settled.
    :param is_complete: whether all batches were read.
    """

    dataset: CatalogDataset
    counted: Sequence[Batch]
    others: Mapping[Standing, Sequence[Batch]]
    fresh: Sequence[Batch]
    is_complete: bool

    @property
    def least(self) -> int:
        """How many records came at least."""
        return sum(batch.records or 0 for batch in self.counted)

    @property
    def records(self) -> int | None:
        """How many records came; ``None`` if a batch has no count."""
        return None if any(batch.records is None for batch in self.counted) else self.least

    def suffice(self, wait: IngestionWait) -> bool:
        return bool(self.counted) and (self.least >= wait.min_records or wait.min_records == 1)

    def sentence(self, wait: IngestionWait) -> str:
        """A sentence about them."""
        since = f"{self.dataset.name} since {wait.after:%Y-%m-%d %H:%M:%S} UTC"
        sentence = f"nothing was ingested into {since}"
        if self.counted:
            at_least = "" if self.is_complete and self.records is not None else "at least "
            sentence = f"{told_number(self.counted)} with {at_least}{self.least:,} records came into {since}"
            if not self.suffice(wait):
                sentence += f", of {wait.min_records:,} that are waited for"
        also = [
            f"{told_number(batches)} {kind}{told_codes(code for batch in batches for code in batch.codes)}"
            for kind, batches in self.others.items()
        ]
        if self.fresh:
            settled_for = span_words(wait.settled_for, exact=True)
            also.append(f"{told_number(self.fresh)} completed less than {settled_for} ago")
        if not self.is_complete:
            also.append("more batches than were read")
        return f"{sentence}; seen: {', '.join(also)}" if also else sentence

    def to_json(self) -> dict[str, Any]:
        ends = sorted(batch.ended_at for batch in self.counted if batch.ended_at)
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
    :param told: a sentence about it, for logs and for the message of a timeout.
    :param wait: the wait with the ids of its datasets.
    :param wait_seconds: how long the service asked to wait before the next poll.
    """

    told: str
    wait: IngestionWait
    finished: bool = False
    result: Mapping[str, Any] | None = None
    wait_seconds: float = 0.0
    answered: bool = True


def look_for_ingestion(wait: IngestionWait, *, now: datetime) -> Exchange[IngestionSighting]:
    """Poll once for the data of a wait. If the service does not answer, the poll has seen nothing.

    :raises AepNotFoundError: the Catalog shows no such dataset.
    :raises AepAuthError: the credential is refused, or may not see the dataset.
    :raises AepValidationError: no dataset has a name, or a dataset holds Profile Snapshots.
    :raises AepAmbiguousNameError: several datasets have the same name.
    :raises AepApiError: the response has an unexpected shape.
    """
    try:
        wait = yield from _with_ids(wait)
        datasets = yield from _read_datasets(wait.dataset_ids)
        listed: dict[str, Batches] = {}
        for dataset_id in wait.dataset_ids:
            # One request each: in a list of several, a missing dataset would prove nothing.
            listed[dataset_id] = yield from list_batches(
                [dataset_id],
                created_after=wait.after - OPENED_BEFORE,
                created_before=max(now, wait.after) + timedelta(seconds=1),
                most_pages=MOST_PAGES,
            )
        read = [Ingested(dataset_id=dataset_id, batches=own.found) for dataset_id, own in listed.items()]
        believed = yield from believes_windows(read, until=now, may_ask=True)
    except OUTAGES as error:
        outage = no_answer(error)
        return IngestionSighting(
            told=outage.told, wait=wait, wait_seconds=outage.wait_seconds, answered=False
        )
    except AepAuthError as error:
        raise error.with_hint(MAY_NOT) if _is_about_datasets(error) else error from None
    arrivals = {
        dataset_id: arrivals_of(datasets[dataset_id], listed[dataset_id], wait, now)
        for dataset_id in wait.dataset_ids
    }
    seen = seen_of(arrivals, wait)
    return seen if believed else replace(seen, told=f"{seen.told}; {UNPROVEN}")


def seen_of(arrivals: Mapping[str, Arrivals], wait: IngestionWait) -> IngestionSighting:
    """What came into the datasets of a wait, and whether that ends it."""
    done = [dataset_id for dataset_id, arrived in arrivals.items() if arrived.suffice(wait)]
    return IngestionSighting(
        told="; ".join(arrived.sentence(wait) for arrived in arrivals.values()),
        wait=wait,
        finished=len(done) == len(arrivals) if wait.require == "all" else bool(done),
        result={
            "ingested_after": wait.after.isoformat(),
            "dataset_ids": done,
            "datasets": {dataset_id: arrived.to_json() for dataset_id, arrived in arrivals.items()},
        },
    )


def arrivals_of(dataset: CatalogDataset, listed: Batches, wait: IngestionWait, now: datetime) -> Arrivals:
    """Sort the batches of a dataset by whether they count."""
    replaced = replaced_by(listed.found)
    counted: list[Batch] = []
    fresh: list[Batch] = []
    others: dict[Standing, list[Batch]] = {}
    newest_first = sorted(listed.found, key=lambda batch: (batch.ended_at or now, batch.id), reverse=True)
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
    """The records of datasets in the Catalog.

    :raises AepNotFoundError: it does not show one of them.
    :raises AepValidationError: one holds Profile Snapshots.
    """
    shown, status = yield from _shown(ids)
    if len(ids) > 1:
        # A dataset that does not exist may hide the others.
        for dataset_id in [dataset_id for dataset_id in ids if dataset_id not in shown]:
            alone, status = yield from _shown([dataset_id])
            shown |= alone
    if gone := [dataset_id for dataset_id in ids if dataset_id not in shown]:
        raise AepNotFoundError(
            doing=f"GET {CATALOG_PATH}/dataSets/{gone[0]}",
            status=status,
            message=f"the Catalog shows no dataset {', '.join(gone)}",
            hint=NOT_SHOWN,
        )
    if snapshots := [shown[dataset_id].name for dataset_id in ids if shown[dataset_id].is_snapshot]:
        rule = "holds Profile Snapshots, which replace each other and are not ingested"
        raise AepValidationError(
            "the datasets", [Problem(name, rule) for name in snapshots], "Wait for something else."
        )
    return shown


def _shown(ids: Sequence[str]) -> Exchange[tuple[dict[str, CatalogDataset], int]]:
    """The datasets that the Catalog shows, and the status of its response."""
    try:
        return (yield from read_catalog_datasets(ids)), 200
    except AepNotFoundError as error:
        return {}, error.status
    except AepApiError as error:
        if error.status != 400 or len(ids) == 1:
            raise
        return {}, error.status


def _is_about_datasets(error: AepAuthError) -> bool:
    # Any other hint is more specific: it is about the organization, or the login.
    return error.status == 403 and CATALOG_PATH in error.doing and error.hint == PERMISSIONS
