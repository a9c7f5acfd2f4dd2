"""All routes of the emulator, with their handlers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_aep.emulator import catalog, neighbours, reads, writes
from airflow_provider_aep.emulator.replies import gateway_error
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.flowservice.exchange import Response

Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    handler: Handler

    def match(self, call: Call) -> dict[str, str] | None:
        if call.method != self.method:
            return None
        matched = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path), call.path)
        return matched.groupdict() if matched else None


ROUTES = (
    Route("GET", "/connectionSpecs", reads.list_specs),
    Route("GET", "/connectionSpecs/{spec_id}", reads.get_spec),
    Route("GET", "/connectionSpecs/{spec_id}/configs", reads.list_datasets),
    Route("GET", "/flowSpecs", reads.list_specs),
    Route("GET", "/flowSpecs/{spec_id}", reads.get_spec),
    Route("GET", "/connections", reads.list_entities),
    Route("POST", "/connections", writes.create_connection),
    Route("GET", "/connections/{entity_id}", reads.get_entity),
    Route("PATCH", "/connections/{entity_id}", writes.patch_entity),
    Route("DELETE", "/connections/{entity_id}", writes.delete_entity),
    Route("GET", "/connections/{connection_id}/test", writes.test_connection),
    Route("GET", "/sourceConnections", reads.list_entities),
    Route("POST", "/sourceConnections", writes.create_connection),
    Route("GET", "/sourceConnections/{entity_id}", reads.get_entity),
    Route("PATCH", "/sourceConnections/{entity_id}", writes.patch_entity),
    Route("DELETE", "/sourceConnections/{entity_id}", writes.delete_entity),
    Route("GET", "/targetConnections", reads.list_entities),
    Route("POST", "/targetConnections", writes.create_connection),
    Route("GET", "/targetConnections/{entity_id}", reads.get_entity),
    Route("PATCH", "/targetConnections/{entity_id}", writes.patch_entity),
    Route("DELETE", "/targetConnections/{entity_id}", writes.delete_entity),
    Route("GET", "/flows", reads.list_entities),
    Route("POST", "/flows", writes.create_flow),
    Route("GET", "/flows/{entity_id}", reads.get_entity),
    Route("PATCH", "/flows/{entity_id}", writes.patch_entity),
    Route("DELETE", "/flows/{entity_id}", writes.delete_entity),
    Route("POST", "/flows/{flow_id}/action", writes.act_on_flow),
    Route("GET", "/runs", reads.list_entities),
    Route("POST", "/runs", writes.refuse_run),
    Route("GET", "/runs/{entity_id}", reads.get_entity),
    Route("POST", neighbours.ADHOC_PATH, neighbours.run_adhoc),
    Route("GET", "/data/foundation/connectors/landingzone/credentials", neighbours.landing_zone_credentials),
    Route("POST", "/data/foundation/connectors/landingzone/credentials", neighbours.landing_zone_credentials),
    Route("GET", f"{catalog.CATALOG_PATH}/batches", catalog.list_batches),
    Route("GET", f"{catalog.CATALOG_PATH}/batches/{{batch_ids}}", catalog.get_batches),
    Route("GET", f"{catalog.CATALOG_PATH}/lastBatches", catalog.list_last_batches),
    Route("GET", f"{catalog.CATALOG_PATH}/dataSets", catalog.list_datasets),
    Route("GET", f"{catalog.CATALOG_PATH}/dataSets/{{dataset_ids}}", catalog.get_datasets),
    Route("GET", f"{neighbours.SANDBOXES_PATH}/{{name}}", neighbours.get_sandbox),
)


def routed(world: World, call: Call) -> Response:
    for route in ROUTES:
        if (names := route.match(call)) is not None:
            return route.handler(world, call, **names)
    # Assumed: the gateway's shape for a path without a route.
    raise gateway_error("404000", "Requested resource is not found")
