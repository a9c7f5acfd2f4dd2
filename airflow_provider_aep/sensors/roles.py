"""What a sensor must provide to wait, to defer and to judge; only type checkers import this module."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn, Protocol

from airflow_provider_aep.flowservice.locations import Location
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.waits import Sighting, Wait


class Deferring(Protocol):
    """What a sensor must provide to defer."""

    aep_conn_id: str
    poke_interval: float
    timeout: float
    last_seen: str
    asked_to_wait: float

    @property
    def sandbox(self) -> str | None: ...
    @property
    def what(self) -> str: ...
    @property
    def defer(self) -> Any: ...
    @property
    def execution_seconds(self) -> float: ...
    def time_out(self, last_seen: object) -> NoReturn: ...
    def give_up(self, last_seen: object) -> NoReturn: ...


class Waiting(Deferring, Protocol):
    """What a sensor must provide to wait for runs in the triggerer."""

    dataflow_id: Any
    known_wait: Wait | None

    def wait_without_asking(self, context: Any) -> Wait | None: ...
    def look(self, context: Any) -> Sighting: ...
    def wait_of(self, context: Any) -> Wait: ...
    def conclude(self, context: Any, sighting: Sighting) -> dict[str, Any] | None: ...


class Judging(Protocol):
    """What a sensor must provide to judge runs."""

    dataflow_id: Any
    on_missing_files: str
    on_unchecked_files: str
    outlets: Any
    verdict: dict[str, Any] | None
    known_location: Location | None

    @property
    def storage_path(self) -> str | None: ...
    @property
    def storage_conn_id(self) -> str | None: ...
    @property
    def hook(self) -> AepHook: ...
    @property
    def log(self) -> Any: ...
    def run_policy(self) -> RunPolicy: ...
    def moment_of_tick(self) -> datetime | None: ...
