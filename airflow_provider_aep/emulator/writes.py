"""Writes: create, change and delete connections and dataflows.

Source: Destinations API reference; "Update destination dataflows", "Edit destination connections" and
"Delete destination" guides; Flow Service error table.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_aep.emulator.checks import (
    check_base_connection,
    check_flow,
    check_source_connection,
    check_target_connection,
)
from airflow_provider_aep.emulator.entities import Document, milliseconds
from airflow_provider_aep.emulator.patching import check_match, patched
from airflow_provider_aep.emulator.replies import flow_error, reply, undocumented
from airflow_provider_aep.emulator.views import inherited_connection
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.flowservice.exchange import Response

CHECKS: dict[str, Callable[[World, Document, str], Document]] = {
    "connections": check_base_connection,
    "sourceConnections": check_source_connection,
    "targetConnections": check_target_connection,
}

WRITABLE = {
    "connections": frozenset({"name", "description", "auth", "encryption"}),
    # The datasets of a source connection are fixed: a dataflow gets another source connection instead.
    "sourceConnections": frozenset({"name", "description"}),
    "targetConnections": frozenset({"name", "description", "params"}),
    "flows": frozenset(
        (
            "name",
            "description",
            "scheduleParams",
            "sourceConnectionIds",
            "transformations",
            "labels",
            "policy",
        )
    ),
}

# Members of a create body that only the service sets.
SERVICE_FIELDS = {
    *("id", "etag", "version", "state", "inheritedAttributes", "lastOperation", "lastRunDetails", "runs"),
    *("createdAt", "createdBy", "createdClient", "updatedAt", "updatedBy", "updatedClient"),
    *("sandboxId", "sandboxName", "imsOrgId"),
}


def create_connection(world: World, call: Call) -> Response:
    """A base, source or target connection."""
    kind = call.path.strip("/")
    made = CHECKS[kind](world, _given(call.document), call.sandbox)
    kept = world.entities.add(kind, call.sandbox, {**made, "state": "enabled"})
    if kind == "sourceConnections":
        # Source: export datasets tutorial: a read shows a base connection that the client did not send.
        base = {"id": world.entities.new_id(), "connectionSpec": made["connectionSpec"]}
        kept |= {"baseConnectionId": base["id"], "inheritedAttributes": {"baseConnection": base}}
    if kind == "targetConnections":
        base = inherited_connection(world, kept)["baseConnection"]
        kept |= {"inheritedAttributes": {"baseConnection": base}}
    return _created(call, kept)


def create_flow(world: World, call: Call) -> Response:
    if "state" in call.document:
        # Source: Flow Service error table.
        raise flow_error(1410, 400, "state cannot be part of the body that creates a flow")
    now = world.clock()
    made = check_flow(world, _given(call.document), call.sandbox, created=now)
    state = "initializing" if world.settings.initializing_seconds else "enabled"
    operation = _operation("create", now)
    kept = world.entities.add("flows", call.sandbox, {**made, "state": state, "lastOperation": operation})
    world.lifecycle.begin(kept, now)
    return _created(call, kept)


def patch_entity(world: World, call: Call, entity_id: str) -> Response:
    kind = call.path.split("/")[1]
    kept = world.entities.get(kind, call.sandbox, entity_id)
    check_match(call.headers.get("if-match"), kept["etag"])
    if kind == "flows":
        return _patch_flow(world, call, kept)
    if kind == "sourceConnections" and _touches(call.body, "/params"):
        raise undocumented("The datasets of a source connection cannot be changed")
    changed = patched(kept, call.body, writable=WRITABLE[kind])
    changed = CHECKS[kind](world, changed, call.sandbox)
    return _changed(world.entities.change(kind, kept, changed))


def _patch_flow(world: World, call: Call, kept: Document) -> Response:
    if kept["state"] == "initializing":
        # Source: Flow Service error table: not while initializing, for user tokens.
        raise flow_error(1417, 400, "The flow cannot be updated while it is initializing")
    now = world.clock()
    changed = patched(kept, call.body, writable=WRITABLE["flows"])
    changed = check_flow(world, changed, call.sandbox, created=kept["createdAt"] / 1000)
    changed["lastOperation"] = _operation("update", now)
    world.entities.change("flows", kept, changed)
    world.lifecycle.rescheduled(kept, now)
    return _changed(kept)


def act_on_flow(world: World, call: Call, flow_id: str) -> Response:
    """Enable or disable. No If-Match is documented, so none is required."""
    kept = world.entities.get("flows", call.sandbox, flow_id)
    # Assumed: any case. The guide sends lower case, the Sources reference lists upper case.
    word = dict(call.query).get("op", "").lower()
    if not word:
        raise flow_error(2119, 400, "The query parameter op is required")
    wanted = {"enable": "enabled", "disable": "disabled"}.get(word)
    if wanted is None:
        raise flow_error(1407, 400, f"The action {word} is not valid")
    if kept["state"] == "initializing":
        raise flow_error(1420, 400, "The action is not possible while the flow is initializing")
    if kept["state"] == wanted:
        # Source: Flow Service error table. Assumed: it also applies to enabling twice.
        raise flow_error(1422, 400, f"The action {word} is not applicable to the state {kept['state']}")
    operation = _operation("update", world.clock())
    return _changed(world.entities.change("flows", kept, {"state": wanted, "lastOperation": operation}))


def delete_entity(world: World, call: Call, entity_id: str) -> Response:
    kind = call.path.split("/")[1]
    kept = world.entities.get(kind, call.sandbox, entity_id)
    if kind == "flows":
        if kept["state"] == "initializing":
            raise flow_error(1417, 400, "The flow cannot be deleted while it is initializing")
        world.lifecycle.forget(kept, world.clock())
    elif user := _first_user(world, kind, kept):
        if kind == "connections":
            # Source: Flow Service error table, and the "Delete destination accounts" guide.
            raise flow_error(1418, 400, f"The connection is used by the flow {user}")
        raise flow_error(1447, 400, f"Found active flows containing id {entity_id}")
    world.entities.remove(kind, kept)
    # Source: Destinations API reference: 202 without a body; guides also print 204.
    return reply(202)


def test_connection(world: World, call: Call, connection_id: str) -> Response:
    # Source: Sources API reference. Assumed: destinations have it too, and every login is good.
    world.entities.get("connections", call.sandbox, connection_id)
    return reply(200, {"result": True})


def refuse_run(world: World, call: Call) -> Response:
    # Source: Flow Service error table.
    raise flow_error(1427, 400, "Flow runs cannot be created with a user token")


def _first_user(world: World, kind: str, kept: Document) -> str | None:
    """The id of a dataflow that uses a connection."""
    sandbox = kept["sandboxName"]
    for flow in world.entities.all("flows", sandbox):
        used = {*flow["sourceConnectionIds"], *flow["targetConnectionIds"]}
        for target_id in flow["targetConnectionIds"]:
            target = world.entities.find("targetConnections", sandbox, target_id)
            used |= {target["baseConnectionId"]} if target and kind == "connections" else set()
        if kept["id"] in used:
            return str(flow["id"])
    return None


def _touches(body: object, path: str) -> bool:
    operations = body if isinstance(body, list) else []
    return any(str(item.get("path", "")).startswith(path) for item in operations if isinstance(item, dict))


def _given(body: Document) -> Document:
    return {name: value for name, value in body.items() if name not in SERVICE_FIELDS}


def _operation(name: str, now: float) -> Document:
    stamp = milliseconds(now)
    return {
        "started": stamp,
        "updated": stamp,
        "percentCompleted": 100.0,
        "status": {"value": "completed", "properties": {}, "errors": []},
        "ops": [],
        "operation": name,
    }


def _created(call: Call, kept: Document) -> Response:
    # Source: Sources API reference: a Location header on connections and flows; the others are assumed.
    place = f"{call.base}/data/foundation/flowservice{call.path}/{kept['id']}"
    return reply(201, {"id": kept["id"], "etag": kept["etag"]}, {"location": place})


def _changed(kept: Document) -> Response:
    return reply(200, {"id": kept["id"], "etag": kept["etag"]})
