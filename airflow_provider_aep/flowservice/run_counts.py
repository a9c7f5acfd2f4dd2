"""What the metrics of a dataflow run count: records and bytes, in all and by dataset.

Metrics may be missing, null or -1, and all three mean "unknown", never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from airflow_provider_aep.flowservice.documents import count_of, mapping, sequence


class DatasetCount(NamedTuple):
    """How much of one dataset a run exported; ``None`` if it does not say."""

    dataset_id: str
    records: int | None = None
    bytes: int | None = None


def records_of(records: Mapping[str, Any]) -> int | None:
    """How many records a run exported; ``None`` if its record summary does not say."""
    for key in ("outputRecordCount", "createdRecordCount"):
        if (count := count_of(records.get(key))) is not None:
            return count
    targets = [mapping(target) for target in sequence(records.get("targetSummaries"))]
    counts = [count_of(target.get("outputRecordCount")) for target in targets]
    if counts and None not in counts:
        return sum(filter(None, counts))
    # A zero-record run has no output counts.
    return 0 if count_of(records.get("inputRecordCount")) == 0 else None


def named_datasets(records: Mapping[str, Any]) -> Iterator[str]:
    """The datasets that a record summary names; one may appear several times."""
    # Assumed: samples show "segment:<id>" for audiences; the tutorial on datasets cuts its sample off here.
    for side in ("targetSummaries", "sourceSummaries"):
        for summary in sequence(records.get(side)):
            for entity in sequence(mapping(summary).get("entitySummaries")):
                kind, _, dataset_id = str(mapping(entity).get("id")).partition(":")
                if kind == "dataset" and dataset_id:
                    yield dataset_id


def dataset_counts_of(records: Mapping[str, Any], sizes: Mapping[str, Any]) -> tuple[DatasetCount, ...]:
    """The counts of single datasets in the summaries.

    Assumed: no sample of a dataset export shows its ``targetSummaries``. A count of an entity belongs to its
    dataset; a count of a summary does so if the summary names only one dataset.
    """
    records_by_id = _counts_by_dataset(records, "outputRecordCount")
    bytes_by_id = _counts_by_dataset(sizes, "outputBytes")
    return tuple(
        DatasetCount(dataset_id, records_by_id.get(dataset_id), bytes_by_id.get(dataset_id))
        for dataset_id in dict.fromkeys([*records_by_id, *bytes_by_id])
    )


def _counts_by_dataset(summary: Mapping[str, Any], key: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for target in map(mapping, sequence(summary.get("targetSummaries"))):
        entities = [mapping(entity) for entity in sequence(target.get("entitySummaries"))]
        for entity in entities:
            kind, _, dataset_id = str(entity.get("id")).partition(":")
            count = count_of(entity.get(key))
            if count is None and len(entities) == 1:
                count = count_of(target.get(key))
            if kind == "dataset" and dataset_id and count is not None:
                counts[dataset_id] = counts.get(dataset_id, 0) + count
    return counts
