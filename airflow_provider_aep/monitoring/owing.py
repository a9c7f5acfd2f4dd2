"""Which batches an export owes: those that were surely ingested between two snapshots.

When an export takes its snapshot of a dataset is not documented. It is assumed to be at the tick or the start
of the run, whichever is earlier, at the earliest, and a margin after the start or at the end, whichever is
later, at the latest. Batches that were ingested in between are too close to tell.

Sources: "Export datasets" (incremental exports, the limit of 365 days for events); Catalog Service API
reference; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from airflow_provider_aep.flowservice.ingestion import Batch, BatchStatus, CatalogDataset
from airflow_provider_aep.monitoring.batches import Standing, replaced_by, standing_of

# Source: "Export datasets": only the last 365 days of event datasets are exported.
EXPORTED_FOR = timedelta(days=365)


class Snapshot(NamedTuple):
    """The earliest and the latest moment at which a run may have read its datasets."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about the ingestion for one run, or for a tick without one.

    :param what: ``zero_records``, ``low_records`` or ``missing``.
    :param before: for each dataset, the snapshot of the previous export; ``None`` if none is known.
    :param delivered: for each dataset, whether the previous export delivered records; if not, it was empty.
    :param starts: the earliest moment of its snapshot; for a missing run, its tick.
    :param ends: when it ended; for a missing run, when it was certain to be missing.
    :param under_way: an earlier run has not ended yet, and may still export the batches that seem to be owed.
    :param is_full: it exports all data of the dataset, and not only new data.
    """

    what: str
    dataset_ids: tuple[str, ...]
    before: Mapping[str, Snapshot | None]
    delivered: Mapping[str, bool]
    starts: datetime
    ends: datetime
    under_way: bool = False
    is_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What was read of one dataset.

    :param dataset: its record in the Catalog; ``None`` if the Catalog does not show it.
    :param batches: those of the window, all of them if ``is_complete``.
    :param why: why its batches are not known.
    :param why_no_dataset: why ``dataset`` is not known, if the Catalog gave no answer about it.
    """

    dataset_id: str
    batches: Sequence[Batch] = ()
    is_complete: bool = False
    dataset: CatalogDataset | None = None
    why: str = ""
    why_no_dataset: str = ""

    @property
    def name(self) -> str:
        return self.dataset.name if self.dataset else self.dataset_id


def owed(question: Question, ingested: Ingested, *, margin: timedelta, now: datetime) -> list[Batch]:
    """The batches that were read and that a run surely should have exported."""
    before = question.before.get(ingested.dataset_id)
    if before is None and not question.is_full:
        return []
    return sort_out(question, ingested, before, margin, now).owed


class SortedOut(NamedTuple):
    """The batches that matter to a run.

    :param owed: ingested with records, and surely between the two snapshots.
    :param failed: the last ones to end, if they failed; empty if it is not known which ones were the last.
    :param close: around a snapshot, or still under way.
    :param odd: those for which it is unknown whether the export owes them.
    :param old: with events that are not exported any more.
    """

    owed: list[Batch]
    failed: list[Batch]
    close: list[Batch]
    odd: list[Batch]
    old: list[Batch]


def sort_out(
    question: Question, ingested: Ingested, before: Snapshot | None, margin: timedelta, now: datetime
) -> SortedOut:
    replaced = replaced_by(ingested.batches)
    first = None
    if before is not None and not question.is_full:
        # An empty export proves nothing about batches that came shortly before it.
        first = before.earliest if question.delivered.get(ingested.dataset_id) else before.earliest - margin
    last_owed = question.starts - margin
    owed_after = before.latest if before is not None and not question.is_full else None
    sorted_out = SortedOut([], [], [], [], [])
    ended: list[Batch] = []
    last_is_known = True
    for batch in ingested.batches:
        at, standing = batch.ended_at, standing_of(batch, replaced=replaced, margin=margin, now=now)
        if _is_under_way(batch, question.ends, now):
            sorted_out.close.append(batch)
            continue
        if at is None or standing is Standing.UNDATED:
            # Without a credible time it may have been completed at any time up to its last change.
            moments = (batch.changed_at, batch.created_at)
            later = any(moment and first and moment > first for moment in moments)
            if first is None or batch.changed_at is None or later:
                sorted_out.odd.append(batch)
                last_is_known = False
            continue
        if (first is not None and at <= first) or at > question.ends:
            continue
        ended.append(batch)
        if standing is Standing.FAILED:
            continue
        if standing is not Standing.NEWS:
            sorted_out.odd.append(batch)
        elif batch.data_until is not None and batch.data_until < question.starts - EXPORTED_FOR:
            sorted_out.old.append(batch)
        elif at < last_owed and (owed_after is None or at > owed_after):
            sorted_out.owed.append(batch)
        else:
            sorted_out.close.append(batch)
    ended.sort(key=lambda batch: (batch.ended_at or now, batch.id), reverse=True)
    for batch in ended:
        if batch.status is not BatchStatus.FAILED or not last_is_known:
            break
        sorted_out.failed.append(batch)
    return sorted_out


def _is_under_way(batch: Batch, ends: datetime, now: datetime) -> bool:
    """Whether a batch was open, and had not ended, when the run ended."""
    if batch.created_at is not None and batch.created_at > ends:
        return False
    if batch.status is BatchStatus.UNDER_WAY:
        return True
    return batch.ended_at is not None and ends < batch.ended_at <= now and batch.created_at is not None
