"""What the metrics of a dataflow run count: records and bytes, in all and by dataset.

Metrics may be missing, null or -1, and all three mean "unknown", never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from airflow_provider_aep.flowservice.documents import count_of, mapping, sequence


class DatasetCount(NamedTuple):
    """What a run says it exported of one dataset; ``None`` where it does not say."""

    dataset_id: str
    records: int | None = None
    bytes: int | None = None


def records_of(records: Mapping[str, Any]) -> int | None:
    """How many records a run exported, as far as its record summary tells."""
    for key in ("outputRecordCount", "createdRecordCount"):
        if (count := count_of(records.get(key))) is not None:
            return count
    targets = [mapping(target) for target in sequence(records.get("targetSummaries"))]
    counts = [count_of(target.get("outputRecordCount")) for target in targets]
    if counts and None not in counts:
        return sum(filter(None, counts))
    # A zero-record run names no output at all.
    return 0 if count_of(records.get("inputRecordCount")) == 0 else None


def named_datasets(records: Mapping[str, Any]) -> Iterator[str]:
    """The datasets that a record summary names; one may come several times."""
    # Assumed: samples show "segment:<id>" for audiences; the tutorial on datasets cuts its sample off here.
    for side in ("targetSummaries", "sourceSummaries"):
        for summary in sequence(records.get(side)):
            for entity in sequence(mapping(summary).get("entitySummaries")):
                kind, _, dataset_id = str(mapping(entity).get("id")).partition(":")
                if kind == "dataset" and dataset_id:
                    yield dataset_id


def dataset_counts_of(records: Mapping[str, Any], sizes: Mapping[str, Any]) -> tuple[DatasetCount, ...]:
    """What the summaries tell of single datasets.

    Assumed: no sample of a dataset export shows its ``targetSummaries``. A count of an entity is that of its
    dataset; a count of a summary is so where the summary names one dataset alone.
    """
    told_records = _told_of_each(records, "outputRecordCount")
    told_bytes = _told_of_each(sizes, "outputBytes")
    return tuple(
        DatasetCount(dataset_id=each, records=told_records.get(each), bytes=told_bytes.get(each))
        for each in dict.fromkeys([*told_records, *told_bytes])
    )


def _told_of_each(summary: Mapping[str, Any], key: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for target in map(mapping, sequence(summary.get("targetSummaries"))):
        entities = [mapping(each) for each in sequence(target.get("entitySummaries"))]
        for entity in entities:
            kind, _, dataset_id = str(entity.get("id")).partition(":")
            told = count_of(entity.get(key))
            if told is None and len(entities) == 1:
                told = count_of(target.get(key))
            if kind == "dataset" and dataset_id and told is not None:
                found[dataset_id] = found.get(dataset_id, 0) + told
    return found
