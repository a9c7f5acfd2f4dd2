"""What one batch means to its dataset: the same for the cause of an empty run and for a wait for new data.

Only a batch that surely brought new records is news. A replacement, a deletion, a compaction or a batch
without counts may or may not have brought some.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from airflow_provider_aep.flowservice.ingestion import Batch, BatchStatus

# How many error codes of several batches are named; the others are counted.
NAMED_CODES = 3


class Standing(StrEnum):
    """What a batch means; the value names it after "1 batch"."""

    NEWS = "with new records"
    UNCOUNTED = "without a count of records"
    EMPTY = "without records"
    RESTATED = "of replaced, deleted or compacted data"
    UNCLEAR = "of withdrawn data, or of an unknown status or dataset"
    FAILED = "that failed"
    UNDER_WAY = "under way"
    UNDATED = "without a credible time of completion"


def standing_of(batch: Batch, *, replaced: Collection[str], margin: timedelta, now: datetime) -> Standing:
    """What a batch means, whenever it ended.

    :param replaced: see ``replaced_by``.
    :param margin: an end that is earlier than the beginning by more than this is not credible.
    """
    at = batch.ended_at
    if batch.status is BatchStatus.UNDER_WAY:
        return Standing.UNDER_WAY
    if at is None or at > now or (batch.created_at and at < batch.created_at - margin):
        return Standing.UNDATED
    if batch.status is BatchStatus.FAILED:
        return Standing.FAILED
    if batch.is_replay or batch.id in replaced:
        return Standing.RESTATED
    if batch.status is not BatchStatus.SUCCESS or not batch.dataset_ids:
        return Standing.UNCLEAR
    if batch.records is None:
        return Standing.UNCOUNTED
    return Standing.NEWS if batch.records else Standing.EMPTY


def replaced_by(batches: Iterable[Batch]) -> set[str]:
    """The ids of the batches that others among them replace."""
    return {replaced_id for batch in batches for replaced_id in batch.replaces}


def told_number(batches: Sequence[object]) -> str:
    return "1 batch" if len(batches) == 1 else f"{len(batches):,} batches"


def told_codes(codes: Iterable[str]) -> str:
    """The error codes of failed ingestion, as words to follow "failed"; empty without any."""
    different = list(dict.fromkeys(codes))
    more = f" and {len(different) - NAMED_CODES} more" if len(different) > NAMED_CODES else ""
    return f" with {', '.join(different[:NAMED_CODES])}{more}" if different else ""
