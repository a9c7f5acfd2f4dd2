"""What one measurement is asked for, and what it tells."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

SLEEPING, OURS = "sleeping alone", "this provider"
PEERS = ("dbt Cloud", "Databricks", "HTTP sensor", "HTTP event", "Fivetran", "Airbyte")


class NotMeasured(Exception):
    """A rival could not be measured; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One rival against one service.

    :param rival: a name among ``RIVALS``.
    :param url: of the service.
    :param folder: for the database and the records of this measurement.
    :param interval: seconds between two looks of a trigger.
    :param seconds: how long is measured.
    :param patience: seconds within which all must have started, and, once the runs are done, ended.
    """

    rival: str
    url: str
    folder: str
    waiters: int
    interval: float
    seconds: float
    patience: float

    @property
    def records(self) -> Path:
        return Path(self.folder) / "records.jsonl"

    @property
    def told(self) -> Path:
        return Path(self.folder) / "figures.json"

    @property
    def failed(self) -> Path:
        return Path(self.folder) / "reason.txt"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was seen.

    :param cpu: ms of the process that holds the event loop, per trigger and minute of the measured time.
    :param start_cpu: ms of it to start one trigger, log lines included.
    :param requests: per trigger in the measured time; ``all_requests`` from its start to its end.
    :param lag: how late the event loop was, in ms: median, 99th percentile, most.
    :param memory: KiB per trigger, the growth of the process once all wait, at its peak.
    :param found: seconds from the end of the runs until the last trigger gave its event; ``told``, until
        Airflow's runner had taken the last of them.
    :param lost: ended before, or with anything but success; ``waiting`` never ended.
    :param losses: the first words of what some of the lost said.
    """

    started: int
    cpu: float
    start_cpu: float
    requests: float
    all_requests: float
    refused: int
    most_connections: int
    lag: tuple[float, float, float]
    memory: float
    found: float | None
    told: float | None
    lost: int
    waiting: int
    losses: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        document: dict[str, Any] = json.loads(text)
        return cls(**{**document, "lag": tuple(document["lag"]), "losses": tuple(document["losses"])})
