"""What a soak costs: CPU of Airflow's components, tokens, and requests to the service."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tools.soak_service import SoakService
from tools.stack import AirflowStack


@dataclass(frozen=True)
class Reading:
    """CPU seconds up to a moment."""

    seconds: float
    at: float


class CpuMeter:
    """CPU seconds of Airflow's components and all that they start, over what they use when idle."""

    def __init__(self, airflow: AirflowStack) -> None:
        self._airflow = airflow
        self._begin: dict[str, Reading] = {}
        self._end: dict[str, Reading] = {}
        self._idle: dict[str, float] = {}

    def start(self, idle_seconds: float) -> None:
        """See for so long what the components use when there is nothing to do, and count from then on."""
        before = self._read(self._airflow.components)
        time.sleep(idle_seconds)
        self._begin = self._read(self._airflow.components)
        self._idle = {
            name: (reading.seconds - before[name].seconds) / (reading.at - before[name].at)
            for name, reading in self._begin.items()
        }

    def stop(self, components: Iterable[str]) -> None:
        """Read for the last time those that are about to be killed."""
        self._end.update(self._read(components))

    def used(self) -> dict[str, float]:
        """CPU seconds over idle up to now, by what they are: ``worker``, ``scheduler`` and so on."""
        end = self._end | self._read(name for name in self._begin if name not in self._end)
        used: dict[str, float] = {}
        for name, begin in self._begin.items():
            kind = name.removesuffix("-2")
            over = end[name].seconds - begin.seconds - self._idle[name] * (end[name].at - begin.at)
            used[kind] = used.get(kind, 0.0) + over
        return used

    def _read(self, components: Iterable[str]) -> dict[str, Reading]:
        return {
            name: Reading(_cpu_seconds(psutil.Process(self._airflow.pid(name))), time.monotonic())
            for name in components
        }


class Requests:
    """Counts the requests that reach the service from now on."""

    def __init__(self, service: SoakService) -> None:
        self._log = service.emulator.log
        self._before = len(self._log)

    def count(self, path: str = "", *, status: int | None = None) -> int:
        """All, or those of a path, or those with such an answer."""
        return sum(
            path in ("", each.path) and status in (None, each.status) for each in self._log[self._before :]
        )


def _cpu_seconds(process: psutil.Process) -> float:
    """Of a process and all its children; what has ended counts with whoever has waited for it."""
    seconds = 0.0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            seconds += sum(each.cpu_times()[:4])
    return seconds
