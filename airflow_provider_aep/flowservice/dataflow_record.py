"""A dataflow's record and state, and whether it exports datasets.

Source: "Export datasets by using the Flow Service API"; "Update destination dataflows"; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.flowservice.cadences import step_of
from airflow_provider_aep.flowservice.destinations import AUDIENCE_FLOW_SPECS, DATA_LAKE_SPEC_ID, DESTINATIONS
from airflow_provider_aep.flowservice.documents import Document, epoch_moment, mapping, sequence
from airflow_provider_aep.flowservice.schedule import ticks

_FLOW_SPECS = {destination.flow_spec_id: slug for slug, destination in DESTINATIONS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataflow:
    """A dataflow that exports datasets.

    :param destination: our slug; for a destination that is not in our table, the name in its spec, if
        ``list_dataflows`` could read it.
    :param schedule: Adobe's ``scheduleParams``, unchanged; times in epoch seconds.
    """

    id: str
    name: str
    state: str
    destination: str | None
    schedule: Mapping[str, Any]
    source_connection_ids: tuple[str, ...]
    target_connection_ids: tuple[str, ...]
    raw: Document = field(repr=False, compare=False)

    @classmethod
    def from_api(cls, wire: Document) -> Dataflow:
        return cls(
            id=str(wire["id"]),
            name=str(wire.get("name") or wire["id"]),
            state=state_of(wire),
            destination=_FLOW_SPECS.get(str(spec_id_of(wire))),
            schedule=mapping(wire.get("scheduleParams")),
            source_connection_ids=_ids(wire.get("sourceConnectionIds")),
            target_connection_ids=_ids(wire.get("targetConnectionIds")),
            raw=wire,
        )

    @property
    def step(self) -> timedelta:
        """From tick to tick; zero if it exports once or its schedule cannot be read."""
        return timedelta(seconds=max(step_of(self.schedule) or 0, 0))

    @property
    def created_at(self) -> datetime | None:
        return epoch_moment(self.raw.get("createdAt"))

    @property
    def changed_at(self) -> datetime | None:
        """When somebody last changed it: its schedule, its state, or anything else.

        Adobe's own services also move ``updatedAt``, for instance after a run, so ``lastOperation`` comes
        first.
        """
        operation = mapping(self.raw.get("lastOperation"))
        times = (operation.get("updated"), operation.get("started"), self.raw.get("updatedAt"))
        return next((moment for time in times if (moment := epoch_moment(time))), self.created_at)

    def ticks(self, after: datetime, before: datetime) -> list[datetime]:
        """The ticks of its schedule from ``after`` on and earlier than ``before``."""
        return ticks(self.schedule, after, before)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "destination": self.destination,
            "schedule": dict(self.schedule),
        }


def state_of(flow: Document) -> str:
    """Its state in lower case: ``enabled``, ``disabled``, or a transitional one."""
    return str(flow.get("state") or "unknown").lower()


def _ids(listed: object) -> tuple[str, ...]:
    return tuple(item for item in sequence(listed) if isinstance(item, str) and item)


def must_be_asked(flow: Document) -> bool:
    """Whether only its flow spec can say that it exports datasets, or name its destination."""
    if spec_id_of(flow) in _FLOW_SPECS or spec_id_of(flow) in AUDIENCE_FLOW_SPECS:
        return False
    sources = sequence(mapping(flow.get("inheritedAttributes")).get("sourceConnections"))
    return exports_datasets(flow) or not sources


def exports_datasets(flow: Document) -> bool:
    """Whether a dataflow exports datasets: by its flow spec, or because its source is the data lake."""
    if spec_id_of(flow) in AUDIENCE_FLOW_SPECS:
        return False
    if spec_id_of(flow) in _FLOW_SPECS:
        return True
    inherited = mapping(flow.get("inheritedAttributes"))
    targets = sequence(inherited.get("targetConnections"))
    if any(mapping(mapping(target).get("data")).get("outputType") == "DATASET_EXPORT" for target in targets):
        return True
    return has_destination(flow) and any(
        mapping(mapping(source).get("connectionSpec")).get("id") == DATA_LAKE_SPEC_ID
        for source in sequence(inherited.get("sourceConnections"))
    )


def spec_id_of(flow: Document) -> object:
    return mapping(flow.get("flowSpec")).get("id")


def has_destination(flow: Document) -> bool:
    inherited = mapping(flow.get("inheritedAttributes"))
    flag = mapping(inherited.get("properties")).get("isDestinationFlow")
    return str(flag).lower() == "true" or spec_id_of(flow) in _FLOW_SPECS
