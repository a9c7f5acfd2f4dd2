"""The Catalog: datasets, and the batches in which their rows were ingested.

Answers are objects keyed by id; all times are epoch *milliseconds*.

Source: Catalog Service API reference (batches, lastBatches, dataSets); "Filter Catalog data using query
parameters"; "Look up multiple objects". Assumed: which of the documented members a batch has filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_aep.emulator.lake import Batch, Dataset
from airflow_provider_aep.emulator.replies import Refusal, reply
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.flowservice.exchange import Response

CATALOG_PATH = "/data/foundation/catalog"
# Source: "Limit returned objects": 20 where no limit is given, from 1 to 100.
USUAL_PAGE, LARGEST_PAGE = 20, 100
BYTES_PER_ROW = 220


def list_batches(world: World, call: Call) -> Response:
    query = dict(call.query)
    found = [
        (batch, dataset)
        for dataset in world.lake.shown(call.sandbox)
        if _is_one_of(query.get("dataSet"), dataset.id)
        for batch in world.lake.batches(
            dataset, _milliseconds(query, "createdAfter"), _milliseconds(query, "createdBefore")
        )
        if batch.opened <= world.clock()
    ]
    documents = [(batch.id, _batch(batch, dataset, world)) for batch, dataset in found]
    documents = [each for each in documents if _is_one_of(query.get("status"), each[1]["status"])]
    return reply(200, _page(documents, query))


def get_batches(world: World, call: Call, batch_ids: str) -> Response:
    wanted = batch_ids.split(",")
    documents = [
        (batch.id, _batch(batch, dataset, world))
        for dataset in world.lake.shown(call.sandbox)
        for batch in world.lake.batches(dataset)
        if batch.id in wanted and batch.opened <= world.clock()
    ]
    if not documents:
        raise _nothing_there()
    return reply(200, _page(documents, {**dict(call.query), "limit": str(LARGEST_PAGE)}))


def list_last_batches(world: World, call: Call) -> Response:
    query = dict(call.query)
    answer = {}
    for dataset in world.lake.shown(call.sandbox):
        if not _is_one_of(query.get("dataSetId"), dataset.id):
            continue
        batches = [_batch(each, dataset, world) | {"id": each.id} for each in world.lake.batches(dataset)]
        batches.sort(key=lambda each: each["created"])
        if batches:
            answer[dataset.id] = {
                "lastBatchId": batches[-1]["id"],
                "lastBatchStatus": batches[-1]["status"],
                "created": batches[-1]["created"],
                "updated": batches[-1]["updated"],
                **_last("lastSuccessfulBatchId", "success", batches),
                **_last("lastFailedBatchId", "failed", batches),
            }
    return reply(200, answer)


def list_datasets(world: World, call: Call) -> Response:
    documents = [(each.id, _dataset(each, world)) for each in world.lake.shown(call.sandbox)]
    return reply(200, _page(documents, dict(call.query)))


def get_datasets(world: World, call: Call, dataset_ids: str) -> Response:
    wanted = dataset_ids.split(",")
    shown = {each.id: each for each in world.lake.shown(call.sandbox)}
    found = [(each, _dataset(shown[each], world)) for each in wanted if each in shown]
    if not found:
        raise _nothing_there()
    # Assumed: of several ids, those that are not there are left out.
    return reply(200, _page(found, {**dict(call.query), "limit": str(LARGEST_PAGE)}))


def _batch(batch: Batch, dataset: Dataset, world: World) -> dict[str, Any]:
    now = world.clock()
    over = batch.completed is not None and batch.completed <= now
    # Assumed: a batch is being processed until it ends.
    document: dict[str, Any] = {
        "created": int(batch.opened * 1000),
        "started": int(batch.opened * 1000),
        "updated": int((batch.completed if over and batch.completed is not None else batch.opened) * 1000),
        "status": batch.status if over or batch.completed is None else "processing",
        "version": "1.0.0",
        "relatedObjects": [{"type": "dataSet", "id": dataset.id}],
    }
    if over and batch.completed is not None:
        document["completed"] = int(batch.completed * 1000)
    if over and batch.status == "success":
        # Source: the partial batch ingestion guide prints metrics of this form.
        document["metrics"] = {
            "inputRecordCount": batch.rows,
            "outputRecordCount": batch.rows,
            "failedRecordCount": 0,
            "inputByteSize": batch.rows * BYTES_PER_ROW,
        }
        document["recordCount"] = batch.rows
    return {**document, **batch.members}


def _dataset(dataset: Dataset, world: World) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "description": dataset.description,
        "created": int(world.lake.origin * 1000),
        "schemaRef": {
            "id": dataset.schema or f"https://ns.adobe.com/emulated/schemas/{dataset.kind}",
            "contentType": "application/vnd.adobe.xed+json;version=1",
        },
        "tags": {},
        "state": "DRAFT",
        "files": f"@/dataSetFiles?dataSetId={dataset.id}",
    }


def _last(name: str, status: str, batches: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    ids = [each["id"] for each in batches if each["status"] == status]
    return {name: ids[-1]} if ids else {}


def _page(documents: Sequence[tuple[str, Mapping[str, Any]]], query: Mapping[str, str]) -> dict[str, Any]:
    """A page of objects, in the order and with the members that were asked for."""
    start, limit = _whole(query, "start", 0), _whole(query, "limit", USUAL_PAGE)
    if not 1 <= limit <= LARGEST_PAGE:
        raise _bad(f"limit must be between 1 and {LARGEST_PAGE}")
    direction, _, member = query.get("orderBy", "asc:created").rpartition(":")
    ordered = sorted(documents, key=lambda each: (each[1].get(member) or 0, each[0]))
    if direction == "desc":
        ordered.reverse()
    properties = query.get("properties", "")
    return {
        object_id: {name: document[name] for name in properties.split(",") if name in document}
        if properties
        else document
        for object_id, document in ordered[start : start + limit]
    }


def _is_one_of(asked: str | None, value: str) -> bool:
    """Source: "Using simple filters": several values mean any of them, a ``!`` before them none of them."""
    if asked is None:
        return True
    return (value in asked.removeprefix("!").split(",")) != asked.startswith("!")


def _milliseconds(query: Mapping[str, str], name: str) -> float | None:
    return _whole(query, name, 0) / 1000 if name in query else None


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise _bad(f"{name} must be a whole number")
    return int(text[:18])


def _bad(detail: str) -> Refusal:
    # Assumed: the shape; the reference prints none for its 400.
    return Refusal(400, {"title": "BadRequestError", "status": 400, "detail": detail})


def _nothing_there() -> Refusal:
    return Refusal(
        404, {"title": "NotFoundError", "status": 404, "detail": "The requested object is not found"}
    )
