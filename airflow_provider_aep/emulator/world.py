"""What the handlers share: the settings, the clock, the entities, the lake and the exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.entities import Document, Entities
from airflow_provider_aep.emulator.lake import Lake
from airflow_provider_aep.emulator.replies import bad_request

if TYPE_CHECKING:
    from airflow_provider_aep.emulator.lifecycle import Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this emulator decides what Adobe leaves open; times are seconds of the clock.

    :param hour: how long an hour of an export schedule lasts.
    :param run_seconds: how long a run is in progress.
    :param late_seconds: how long after its tick a late run appears.
    :param adhoc_seconds: how old a dataflow must be for an ad hoc run.
    :param initializing_seconds: how long a new dataflow is ``initializing``.
    :param bare_entities: answer a read by id with the bare entity, as the newest tutorial prints it.
    :param run_per_dataset: one run for each dataset of a dataflow, rather than one for all.
    :param reject_uncompressed_json: refuse JSON without compression, which the tutorial's text forbids
        and its samples use.
    """

    hour: float
    run_seconds: float
    late_seconds: float
    adhoc_seconds: float
    initializing_seconds: float
    page_size: int
    bare_entities: bool
    run_per_dataset: bool
    reject_uncompressed_json: bool


@dataclass(frozen=True, slots=True)
class World:
    settings: Settings
    clock: Clock
    entities: Entities
    lake: Lake
    lifecycle: Lifecycle
    sandboxes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that passed the gateway.

    :param path: the path as routes know it: ``/flows`` of the Flow Service, ``/data/...`` of others.
    :param base: scheme and host as the caller wrote them.
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
        """The body, which has to be a JSON object."""
        if not isinstance(self.body, dict):
            raise bad_request("The request body must be a JSON object")
        return self.body
