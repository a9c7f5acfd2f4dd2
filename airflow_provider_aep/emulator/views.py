"""Entities as a read shows them.

Source: Destinations API reference, the printed dataflows and source connections.
"""

from __future__ import annotations

from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.journal import HIDDEN
from airflow_provider_aep.emulator.world import World


def viewed(world: World, kind: str, kept: Document) -> Document:
    if kind == "connections":
        return _base_connection(kept)
    if kind == "flows":
        return _flow(world, kept)
    return dict(kept)


def _base_connection(kept: Document) -> Document:
    # Assumed: a read hides the login's values, except the day; no document says so.
    auth = kept.get("auth")
    if not auth:
        return dict(kept)
    params = {name: value if name == "authorizedDate" else HIDDEN for name, value in auth["params"].items()}
    return {**kept, "auth": {**auth, "params": params}}


def _flow(world: World, kept: Document) -> Document:
    return {
        **kept,
        "inheritedAttributes": {
            "properties": {"isDestinationFlow": True},
            "sourceConnections": _inherited(world, kept, "sourceConnections", "sourceConnectionIds"),
            "targetConnections": _inherited(world, kept, "targetConnections", "targetConnectionIds"),
        },
        "runs": f"/runs?property=flowId=={kept['id']}",
    }


def _inherited(world: World, flow: Document, kind: str, key: str) -> list[Document]:
    return [
        inherited_connection(world, connection)
        for connection_id in flow[key]
        if (connection := world.entities.find(kind, flow["sandboxName"], connection_id))
    ]


def inherited_connection(world: World, connection: Document) -> Document:
    summary: Document = {"id": connection["id"], "connectionSpec": connection["connectionSpec"]}
    base = world.entities.find("connections", connection["sandboxName"], connection.get("baseConnectionId"))
    if base:
        summary["baseConnection"] = {"id": base["id"], "connectionSpec": base["connectionSpec"]}
        # Source: export datasets tutorial, "View datasets in a dataflow": its filter reads this member.
        summary["data"] = {"outputType": "DATASET_EXPORT"}
    return summary
