"""What was ingested into datasets: the batches and the datasets of Adobe's Catalog Service.

The Catalog responds with an object keyed by id. Its times are epoch *milliseconds*; here they are
``datetime`` in UTC. A count that is missing, negative or no number is unknown, never zero. Simple filters
accept several values, but no document shows that for ``dataSet``. An absence therefore counts only if the
dataset was queried alone, or if a response has shown that a list works.

Sources: Catalog Service API reference, "Retrieve a list of batches"; "Filter Catalog data using query
parameters"; "Look up multiple objects"; "Batch ingestion overview" (statuses); read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from airflow_provider_aep.errors import AepApiError
from airflow_provider_aep.flowservice.documents import count_of, epoch_moment, mapping, sequence
from airflow_provider_aep.flowservice.exchange import Exchange, Request
from airflow_provider_aep.flowservice.validation import check_id

CATALOG_PATH = "/data/foundation/catalog"
# Documented: at most 100 objects, and 20 if the limit is ignored.
LARGEST_PAGE = 100
LEAST_PAGE = 20
BATCH_PROPERTIES = (
    "availableDates",
    "completed",
    "created",
    "errors",
    "failedRecordCount",
    "metrics",
    "recordCount",
    "relatedObjects",
    "replay",
    "status",
    "updated",
)
DATASET_PROPERTIES = ("extensions", "name", "schemaRef", "state", "tags")
# The union schema, on which Profile Snapshot datasets are built. Source: "Profile export jobs endpoint".
_SNAPSHOT_SCHEMA = "__union"


class BatchStatus(StrEnum):
    """The status of a batch, whatever word the Catalog used for it."""

    SUCCESS = "success"
    FAILED = "failed"
    UNDER_WAY = "under_way"
    GONE = "gone"
    UNKNOWN = "unknown"


STATUS_WORDS: Mapping[str, BatchStatus] = {
    "success": BatchStatus.SUCCESS,
    "active": BatchStatus.SUCCESS,
    "failure": BatchStatus.FAILED,
    "failed": BatchStatus.FAILED,
    "aborted": BatchStatus.FAILED,
    "abandoned": BatchStatus.FAILED,
    **dict.fromkeys(
        ("processing", "queued", "retrying", "stalled", "loading", "loaded", "staging", "staged"),
        BatchStatus.UNDER_WAY,
    ),
    # It was ingested, and its data were removed later.
    **dict.fromkeys(("inactive", "deleted", "archived"), BatchStatus.GONE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch; ``None`` in a count means that the Catalog does not say.

    :param dataset_ids: the datasets that it belongs to; none if it does not say.
    :param created_at: when it was opened.
    :param ended_at: when it was completed; for a failed batch, when it was last changed.
    :param changed_at: when it was last changed; a batch that is over had ended by then.
    :param records: how many records it brought into the dataset.
    :param replaces: the ids of batches that it replaces, or whose data it deletes.
    :param is_replay: it restates earlier data: a replacement, a deletion, a compaction.
    :param data_until: the latest time that its data cover, if the batch says so.
    """

    id: str
    status: BatchStatus
    dataset_ids: tuple[str, ...]
    created_at: datetime | None
    ended_at: datetime | None
    changed_at: datetime | None
    records: int | None
    codes: tuple[str, ...]
    replaces: tuple[str, ...]
    is_replay: bool
    data_until: datetime | None

    @classmethod
    def from_api(cls, batch_id: str, wire: Mapping[str, Any]) -> Batch:
        word = str(wire.get("status")).strip().casefold()
        status = STATUS_WORDS.get(word, BatchStatus.UNKNOWN)
        completed, changed = epoch_moment(wire.get("completed")), epoch_moment(wire.get("updated"))
        if completed is None and status in (BatchStatus.FAILED, BatchStatus.GONE):
            completed = changed
        replay = wire.get("replay")
        related = [mapping(item) for item in sequence(wire.get("relatedObjects"))]
        return cls(
            id=batch_id,
            status=status,
            dataset_ids=tuple(
                str(item["id"])
                for item in related
                if str(item.get("type")).casefold() == "dataset" and item.get("id")
            ),
            created_at=epoch_moment(wire.get("created")),
            ended_at=completed,
            changed_at=changed,
            records=_records(wire),
            codes=tuple(
                dict.fromkeys(
                    str(code)
                    for error in sequence(wire.get("errors"))
                    if (code := mapping(error).get("code")) is not None
                )
            ),
            replaces=tuple(map(str, sequence(mapping(replay).get("predecessors")))),
            is_replay=bool(replay),
            data_until=epoch_moment(mapping(wire.get("availableDates")).get("endDate")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogDataset:
    """A dataset as the Catalog describes it.

    :param is_snapshot: it holds Profile Snapshots, which replace each other and are not ingested.
    :param kept_for: the ISO 8601 duration after which its rows expire, if one is set.
    """

    id: str
    name: str
    is_snapshot: bool
    kept_for: str | None

    @classmethod
    def from_api(cls, dataset_id: str, wire: Mapping[str, Any]) -> CatalogDataset:
        name = wire.get("name")
        schema = str(mapping(wire.get("schemaRef")).get("id") or "")
        named = str(name or "").casefold().replace("-", " ").replace("_", " ")
        expiry = mapping(mapping(mapping(wire.get("extensions")).get("adobe_lakeHouse")).get("rowExpiration"))
        return cls(
            id=dataset_id,
            name=str(name) if isinstance(name, str) and name else dataset_id,
            is_snapshot=schema.endswith(_SNAPSHOT_SCHEMA) or "profile snapshot" in named,
            kept_for=str(expiry["ttlValue"]) if expiry.get("ttlValue") else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Batches that were listed.

    :param is_complete: all of them were read.
    :param pages: how many requests it took.
    """

    found: tuple[Batch, ...]
    is_complete: bool
    pages: int


def list_batches(
    dataset_ids: Sequence[str],
    *,
    created_after: datetime,
    created_before: datetime,
    most_pages: int,
    enough: Callable[[Sequence[Batch]], bool] = lambda batches: False,
) -> Exchange[Batches]:
    """The batches of datasets that were opened between two moments, both exclusive; newest first if the
    Catalog keeps the order, which nothing here relies on.

    :param dataset_ids: none for those of all datasets.
    :param most_pages: read no more pages than this, of at most 100 batches each.
    :param enough: gets the batches read so far; reading stops when it returns true.
    :raises AepApiError: the credential may not see them, or the response is no object of batches.
    """
    wanted = frozenset(check_id("dataset_id", dataset_id) for dataset_id in dataset_ids)
    read: dict[str, Batch] = {}
    start = 0
    for page in range(1, most_pages + 1):
        request = Request(
            "GET",
            f"{CATALOG_PATH}/batches",
            params={
                **({"dataSet": ",".join(sorted(wanted))} if wanted else {}),
                "createdAfter": _milliseconds(created_after),
                "createdBefore": _milliseconds(created_before),
                "orderBy": "desc:created",
                "limit": LARGEST_PAGE,
                "start": start,
                "properties": ",".join(BATCH_PROPERTIES),
            },
        )
        listed = _objects(request, (yield request))
        new = listed.keys() - read.keys()
        for batch_id in new:
            read[batch_id] = Batch.from_api(batch_id, listed[batch_id])
        kept = tuple(
            batch
            for batch in read.values()
            if not (wanted and batch.dataset_ids) or wanted & set(batch.dataset_ids)
        )
        # A page shorter than the Catalog's smallest is the last one, whether or not the limit was heeded.
        if len(listed) < LEAST_PAGE:
            return Batches(found=kept, is_complete=True, pages=page)
        if not new or enough(kept):
            break
        start += len(listed)
    return Batches(found=kept, is_complete=False, pages=page)


def read_catalog_datasets(dataset_ids: Sequence[str]) -> Exchange[dict[str, CatalogDataset]]:
    """Datasets as the Catalog describes them, by their ids; omits those that it does not show.

    :raises AepApiError: the credential may not see them, or one of several does not exist.
    """
    ids = ",".join(check_id("dataset_id", dataset_id) for dataset_id in dataset_ids)
    request = Request(
        "GET", f"{CATALOG_PATH}/dataSets/{ids}", params={"properties": ",".join(DATASET_PROPERTIES)}
    )
    listed = _objects(request, (yield request))
    return {
        dataset_id: CatalogDataset.from_api(dataset_id, listed[dataset_id])
        for dataset_id in dataset_ids
        if dataset_id in listed
    }


def _objects(request: Request, reply: Any) -> dict[str, Mapping[str, Any]]:
    """The objects of a response, by their ids."""
    objects = reply.json
    if not isinstance(objects, Mapping) or not all(isinstance(item, Mapping) for item in objects.values()):
        raise AepApiError(
            doing=str(request), status=reply.status, message="the response is no object keyed by id"
        )
    return dict(objects)


def _records(wire: Mapping[str, Any]) -> int | None:
    metrics = mapping(wire.get("metrics"))
    counts = (metrics.get("outputRecordCount"), wire.get("recordCount"), metrics.get("inputRecordCount"))
    return next((count for value in counts if (count := count_of(value)) is not None), None)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
