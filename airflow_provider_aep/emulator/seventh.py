"""A dataflow of the seventh destination, which cannot be set up through the API.

Source: Marketo Measure Ultimate catalog page: it takes datasets, "every two hours".
Assumed: everything else, such as its ids and entities, and that the dataflow looks like any other export.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_aep.emulator.specs import DATA_LAKE, DESTINATIONS, MARKETO_MEASURE, flow_specs
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.emulator.writes import create_connection, create_flow


def add_foreign_flow(world: World, name: str, sandbox: str, schedule: Mapping[str, Any]) -> str:
    """Add a dataflow of the sandbox's first dataset to Marketo Measure Ultimate; return its id."""
    flow_spec_id = DESTINATIONS[MARKETO_MEASURE][0]
    (spec_id,) = flow_specs()[flow_spec_id]["targetConnectionSpecIds"]
    named = {"name": name, "connectionSpec": {"id": spec_id, "version": "1.0"}}

    def made(path: str, body: Mapping[str, Any]) -> str:
        make = create_flow if path == "/flows" else create_connection
        call = Call(method="POST", path=path, base="", query=[], headers={}, body=dict(body), sandbox=sandbox)
        return str(make(world, call).json["id"])

    dataset = world.lake.datasets(sandbox)[0]
    source = {
        "name": name,
        "connectionSpec": {"id": DATA_LAKE, "version": "1.0"},
        "params": {"datasets": [{"dataSetId": dataset.id, "name": dataset.name}]},
    }
    base_id = made("/connections", named)
    now = int(world.clock())
    every_three_hours = {
        "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
        "timeUnit": "hour",
        "interval": 3,
        "startTime": now,
        "endTime": now + 180 * 86400,
    }
    target = {**named, "baseConnectionId": base_id, "params": {}}
    flow_id = made(
        "/flows",
        {
            "name": name,
            "flowSpec": {"id": flow_spec_id, "version": "1.0"},
            "sourceConnectionIds": [made("/sourceConnections", source)],
            "targetConnectionIds": [made("/targetConnections", target)],
            "scheduleParams": every_three_hours,
        },
    )
    # Set after the create, as the API may refuse this cadence.
    kept = world.entities.get("flows", sandbox, flow_id)
    kept["scheduleParams"] = {**every_three_hours, "interval": 2, **schedule}
    world.lifecycle.rescheduled(kept, world.clock())
    return flow_id
