"""Reads: specs, exportable datasets, and entities, listed or by id.

Source: Destinations API reference; export datasets tutorial (configs).
"""

from __future__ import annotations

from airflow_provider_aep.emulator.listing import listed
from airflow_provider_aep.emulator.replies import flow_error, not_found, reply, undocumented
from airflow_provider_aep.emulator.specs import DATA_LAKE
from airflow_provider_aep.emulator.views import viewed
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.flowservice.exchange import Response


def list_specs(world: World, call: Call) -> Response:
    kind = call.path.strip("/")
    specs = world.specs.of(kind)
    return reply(200, listed(kind, specs.values(), call.query, page_size=world.settings.page_size))


def get_spec(world: World, call: Call, spec_id: str) -> Response:
    kind = call.path.split("/")[1]
    specs = world.specs.of(kind)
    if spec_id not in specs:
        raise not_found(kind, spec_id)
    # Source: export datasets tutorial: always wrapped in items.
    return reply(200, {"items": [specs[spec_id]]})


def list_datasets(world: World, call: Call, spec_id: str) -> Response:
    """The exportable datasets, paged by offset, not by token.

    Assumed: ``properties`` has no effect. The tutorial asks for two, and its sample response shows seven.
    """
    if spec_id != DATA_LAKE:
        # Source: export datasets tutorial: the id "must be" the data lake's.
        raise undocumented("The connection spec has no exportable datasets")
    query = dict(call.query)
    for name, expected in (("outputType", "activationDatasets"), ("outputField", "datasets")):
        if name not in query:
            raise flow_error(2119, 400, f"The query parameter {name} is required")
        if query[name] != expected:
            raise undocumented(f"The query parameter {name} must be {expected}")
    start, limit = _whole(query, "start", 0), _whole(query, "limit", 20)
    if not 1 <= limit <= 100:
        raise undocumented("limit must be between 1 and 100")
    datasets = world.lake.datasets(call.sandbox)
    if "name" in query:
        datasets = [dataset for dataset in datasets if dataset.name == query["name"]]
    page = datasets[start : start + limit]
    info = {
        "start": start,
        # Source: export datasets tutorial: a page with one item ends at 0, so this is an index.
        "end": max(start, start + len(page) - 1),
        "total": len(datasets),
        "hasNext": start + limit < len(datasets),
    }
    return reply(200, {"items": [dataset.to_api() for dataset in page], "pageInfo": info})


def list_entities(world: World, call: Call) -> Response:
    kind = call.path.strip("/")
    views = [viewed(world, kind, kept) for kept in world.entities.all(kind, call.sandbox)]
    return reply(200, listed(kind, views, call.query, page_size=world.settings.page_size))


def get_entity(world: World, call: Call, entity_id: str) -> Response:
    kind = call.path.split("/")[1]
    view = viewed(world, kind, world.entities.get(kind, call.sandbox, entity_id))
    # The reference wraps the entity in items; the newest tutorial prints it bare.
    return reply(200, view if world.settings.bare_entities else {"items": [view]})


def _whole(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise undocumented(f"{name} must be a whole number")
    return int(text[:9])
