"""What the handlers share: the settings, the clock, the entities, the lake and the exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.entities import Document, Entities
from airflow_provider_aep.emulator.lake import Lake
from airflow_provider_aep.emulator.lifecycle import Lifecycle
from airflow_provider_aep.emulator.replies import bad_request
from airflow_provider_aep.emulator.settings import Settings
from airflow_provider_aep.emulator.specs import Specs


@dataclass(frozen=True, slots=True)
class World:
    settings: Settings
    clock: Clock
    entities: Entities
    lake: Lake
    lifecycle: Lifecycle
    sandboxes: Mapping[str, str]
    org_id: str
    specs: Specs = field(default_factory=Specs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that passed the gateway.

    :param path: as the routes match it: ``/flows`` of the Flow Service, ``/data/...`` of others.
    :param base: scheme and host as the caller sent them.
    """

    method: str
    path: str
    base: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: Any = field(default=None, repr=False)
    sandbox: str = ""

    @property
    def document(self) -> Document:
        """The body, which must be a JSON object."""
        if not isinstance(self.body, dict):
            raise bad_request("The request body must be a JSON object")
        return self.body
