"""The Catalog: the datasets of a sandbox, and the batches in which their rows were ingested.

Every response is an object keyed by id, in the order of the listing; all times are epoch *milliseconds*.

Source: Catalog Service API reference (batches, lastBatches, dataSets); "Filter Catalog data using query
parameters" (limit, start, properties, orderBy, simple filters); "Look up multiple objects" (ids in the path).
Assumed: without ``orderBy`` the oldest comes first, as "five and six chronologically" suggests; ids that do
not exist are left out of a lookup of several; a parameter that no document names is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_aep.emulator.batches import FAILED, INGESTED, Batch
from airflow_provider_aep.emulator.entities import Document, milliseconds
from airflow_provider_aep.emulator.lake import Dataset
from airflow_provider_aep.emulator.replies import bad_request, placeholder_error, reply
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.flowservice.exchange import Response

CATALOG_PATH = "/data/foundation/catalog"
# Source: "Limit returned objects": 20 by default, from 1 to 100.
USUAL_PAGE, LARGEST_PAGE = 20, 100

Keyed = tuple[str, Document]
Chosen = Callable[[object], bool]

# The members by which a listing can be filtered. Source: the parameters of each listing in the reference.
WRITTEN = ("created", "updated", "createdClient", "createdUser", "updatedUser", "version")
COUNTED = ("recordCount", "failedRecordCount", "size")
BATCH_FILTERS = (*WRITTEN, *COUNTED, "status", "started", "completed", "externalId")
DATASET_FILTERS = (*WRITTEN, "name", "description")
LAST_FILTERS = (
    *("created", "updated", "lastBatchId", "lastBatchStatus"),
    *("lastSuccessfulBatchId", "lastFailedBatchId"),
)
PAGING = ("limit", "start", "orderBy", "properties")


def list_batches(world: World, call: Call) -> Response:
    query = _query(call, *BATCH_FILTERS, "dataSet", "batch", "createdAfter", "createdBefore")
    window: dict[str, float] = {
        "after": _whole(query, "createdAfter", 0) if "createdAfter" in query else -1,
        "before": _whole(query, "createdBefore", 0) if "createdBefore" in query else math.inf,
    }
    is_status, is_batch, now = _chosen(query, "status"), _chosen(query, "batch"), world.clock()
    batches = [
        batch
        for dataset in _shown(world, call, _chosen(query, "dataSet"))
        for batch in world.lake.batches(dataset, now, **window)
        if is_batch(batch.id) and is_status(batch.status_at(now))
    ]
    batches.sort(key=lambda batch: (batch.created, batch.id))
    return _listed([_batch(world, call, batch) for batch in batches], query, BATCH_FILTERS)


def get_batches(world: World, call: Call, batch_ids: str) -> Response:
    query = _query(call, "aggregate")
    shown, now = _shown(world, call), world.clock()
    documents = [
        _batch(world, call, batch)
        for batch_id in batch_ids.split(",")
        for dataset in shown
        if (batch := world.lake.find_batch(dataset, batch_id, now)) is not None
    ]
    return _looked_up("batches", batch_ids, documents, query)


def list_last_batches(world: World, call: Call) -> Response:
    """The last batch, the last success and the last failure of each dataset.

    Assumed: the last batch is the one created last; a dataset without batches is left out.
    """
    query = _query(call, *LAST_FILTERS, "dataSetId")
    documents = []
    for dataset in _shown(world, call, _chosen(query, "dataSetId")):
        last, success, failure = _lasts(world, dataset)
        if last is None:
            continue
        document = {
            "lastBatchId": last.id,
            "lastBatchStatus": last.status_at(world.clock()),
            **({"lastSuccessfulBatchId": success.id} if success else {}),
            **({"lastFailedBatchId": failure.id} if failure else {}),
            **_owner(world, call),
            "created": last.created,
            "updated": last.to_api(world.clock(), {})["updated"],
        }
        documents.append((dataset.id, document))
    return _listed(documents, query, LAST_FILTERS)


def list_datasets(world: World, call: Call) -> Response:
    query = _query(call, *DATASET_FILTERS)
    documents = [_dataset(world, call, dataset) for dataset in _shown(world, call)]
    return _listed(documents, query, DATASET_FILTERS)


def get_datasets(world: World, call: Call, dataset_ids: str) -> Response:
    query = _query(call)
    shown = {dataset.id: dataset for dataset in _shown(world, call)}
    ids = [dataset_id for dataset_id in dataset_ids.split(",") if dataset_id in shown]
    documents = [_dataset(world, call, shown[dataset_id]) for dataset_id in ids]
    return _looked_up("dataSets", dataset_ids, documents, query)


# Documents


def _batch(world: World, call: Call, batch: Batch) -> Keyed:
    return batch.id, batch.to_api(world.clock(), _owner(world, call))


def _dataset(world: World, call: Call, dataset: Dataset) -> Keyed:
    last, success, failure = _lasts(world, dataset)
    began = milliseconds(world.lake.began)
    document: Document = {
        **_owner(world, call),
        "name": dataset.name,
        "description": dataset.description,
        "state": "DRAFT",
        "fileDescription": {"format": "parquet"},
        "created": began,
        "updated": last.created if last else began,
        "createdClient": "acp_ui_platform",
        "createdUser": "acp_ui_platform@AdobeID",
        "updatedUser": "acp_foundation_catalog@AdobeID",
        "version": "1.0.0",
        "schemaRef": {
            "id": dataset.schema or f"https://ns.adobe.com/emulated/schemas/{dataset.kind}",
            "contentType": "application/vnd.adobe.xed+json;version=1",
        },
        "tags": {},
        "files": f"@/dataSetFiles?dataSetId={dataset.id}",
    }
    if dataset.kept_for:
        # Source: guide on the retention of event datasets, "How to check applied TTL values".
        document["extensions"] = {"adobe_lakeHouse": {"rowExpiration": {"ttlValue": dataset.kept_for}}}
    if last:
        document |= {"lastBatchId": last.id, "lastBatchStatus": last.status_at(world.clock())}
    document |= {"lastSuccessfulBatch": success.id} if success else {}
    document |= {"lastFailedBatch": failure.id} if failure else {}
    return dataset.id, document


def _lasts(world: World, dataset: Dataset) -> tuple[Batch | None, Batch | None, Batch | None]:
    """The last batch, the last success, and the last failure."""
    now = world.clock()
    newest = list(reversed(world.lake.last_batches(dataset, now)))

    def last(statuses: Sequence[str]) -> Batch | None:
        return next((batch for batch in newest if batch.status_at(now) in statuses), None)

    return next(iter(newest), None), last(INGESTED), last(FAILED)


def _owner(world: World, call: Call) -> dict[str, str]:
    return {"imsOrg": world.org_id, "sandboxId": world.sandboxes[call.sandbox]}


# Requests


def _anything(value: object) -> bool:
    return True


def _shown(world: World, call: Call, chosen: Chosen = _anything) -> list[Dataset]:
    return [dataset for dataset in world.lake.shown(call.sandbox) if chosen(dataset.id)]


def _query(call: Call, *known: str) -> dict[str, str]:
    query = dict(call.query)
    if strange := sorted(query.keys() - {*known, *PAGING}):
        raise bad_request(f"The emulator does not know the query parameter {strange[0]}")
    return query


def _chosen(query: Mapping[str, str], name: str) -> Chosen:
    """Source: "Using simple filters": several values mean any of them; with a leading ``!``, none of them."""
    if name not in query:
        return _anything
    text = query[name]
    values, inverted = set(text.removeprefix("!").split(",")), text.startswith("!")
    return lambda value: (str(value) in values) != inverted


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise bad_request(f"{name} must be a whole number")
    return int(text[:18])


# Answers


def _listed(documents: list[Keyed], query: Mapping[str, str], filters: Iterable[str]) -> Response:
    """One page of a listing, filtered and in the requested order."""
    limit, start = _whole(query, "limit", USUAL_PAGE), _whole(query, "start", 0)
    if not 1 <= limit <= LARGEST_PAGE:
        # Source: invalid limits "result in 400-level error responses that outline proper ranges".
        raise bad_request(f"limit must be between 1 and {LARGEST_PAGE}")
    for name in filters:
        chosen = _chosen(query, name)
        documents = [keyed for keyed in documents if chosen(keyed[1].get(name))]
    # From the last member to the first, as sorting is stable.
    for order in reversed(query.get("orderBy", "asc:created").split(",")):
        direction, _, name = order.rpartition(":")
        if direction not in ("", "asc", "desc"):
            raise bad_request("The direction in orderBy must be asc or desc")
        ranked = [(_rank(keyed[1].get(name)), keyed) for keyed in documents]
        ranked.sort(key=lambda pair: pair[0], reverse=direction == "desc")
        documents = [keyed for _, keyed in ranked]
    return _answer(documents[start : start + limit], query)


def _looked_up(kind: str, ids: str, documents: list[Keyed], query: Mapping[str, str]) -> Response:
    if not documents:
        # Assumed: the message; the shape is that of its other errors.
        raise placeholder_error(404, "NotFoundError", f"{kind} {ids} not found")
    return _answer(documents, query)


def _answer(documents: Iterable[Keyed], query: Mapping[str, str]) -> Response:
    """Source: "Limit displayed properties": an object without any of them is shown empty."""
    names = query["properties"].split(",") if query.get("properties") else None
    return reply(
        200,
        {
            key: document if names is None else {name: document[name] for name in names if name in document}
            for key, document in documents
        },
    )


def _rank(value: Any) -> tuple[bool, float, str]:
    number = isinstance(value, int | float)
    return (value is not None, value if number else 0, "" if number or value is None else str(value))
