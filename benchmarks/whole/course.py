"""The stages of the measurement, one after the other in one Airflow: CPU, requests, tokens, and calls."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from benchmarks.whole.service import Services, Tick
from tools.soak_costs import CpuMeter
from tools.stack import AirflowStack

IDLE_SECONDS = 60.0
SETTLE_SECONDS = 5.0
PATIENCE = 900.0
CALL = re.compile(r"method=(\w+) path=/execution/(\S*)")
# Ids and names in the path of a call.
NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=xcoms/)[^/]+/[^/]+/[^/]+")


class TooSlow(Exception):
    """Something that was waited for did not happen."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a stage cost.

    :param exports: how many exports, or plain tasks, it had.
    :param cpu: seconds over idle, by component.
    :param requests: to the service; ``tokens`` among them.
    :param calls: to the execution API of Airflow's API server, by what was called.
    """

    exports: int
    cpu: dict[str, float]
    requests: int
    tokens: int
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def seconds(self) -> float:
        """CPU for one export."""
        return sum(self.cpu.values()) / self.exports

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            exports=self.exports + other.exports,
            cpu={name: seconds + other.cpu[name] for name, seconds in self.cpu.items()},
            requests=self.requests + other.requests,
            tokens=self.tokens + other.tokens,
            calls=self.calls + other.calls,
        )


class Course:
    """Measures one DAG after the other.

    :param wait: for so many seconds at least the runs go on.
    """

    def __init__(self, airflow: AirflowStack, services: Services, *, database_url: str, wait: float) -> None:
        self.airflow, self.services, self.wait = airflow, services, wait
        self._engine = create_engine(database_url, poolclass=NullPool)
        self._meter = CpuMeter(airflow)

    def warm(self, ticks: list[Tick]) -> None:
        """Do all of it once, and see what Airflow uses when it is idle."""
        run_id = self._start("whole_warm")
        waiting = len(self._states("whole_warm", run_id)) - 1
        self._until(lambda: self._states("whole_warm", run_id)["deferred"] >= waiting, "all have deferred")
        time.sleep(SETTLE_SECONDS)
        self.services.finish(ticks)
        self._until(lambda: self._is_over("whole_warm", run_id), "all have ended")
        time.sleep(SETTLE_SECONDS)
        self._meter.start(IDLE_SECONDS)

    def measure(self, dag_id: str, *, tasks: int, exports: int, ticks: list[Tick] | None) -> Cost:
        """Let a DAG run.

        :param tasks: how many tasks it has, and for how many ``exports``.
        :param ticks: what its tasks wait for; ``None`` where they wait for nothing.
        """
        self.services.dbt.is_done = False
        with self._counted(exports) as cost:
            began = time.monotonic()
            run_id = self._start(dag_id)
            if ticks is not None:
                self._until(lambda: self._states(dag_id, run_id)["deferred"] == tasks, "all have deferred")
                time.sleep(max(SETTLE_SECONDS, began + self.wait - time.monotonic()))
                self.services.finish(ticks)
            self._until(lambda: self._is_over(dag_id, run_id), "all have ended")
            time.sleep(SETTLE_SECONDS)
        states = self._states(dag_id, run_id)
        if states != Counter(success=tasks):
            raise TooSlow(f"{dag_id} ended in {dict(states)}")
        return cost[0]

    @contextmanager
    def _counted(self, exports: int) -> Iterator[list[Cost]]:
        found: list[Cost] = []
        log = self.airflow.home / "api-server.log"
        cpu, counts, read = self._meter.used(), self.services.counts(), log.stat().st_size
        yield found
        used = {name: seconds - cpu[name] for name, seconds in self._meter.used().items()}
        requests, tokens = (
            after - before for after, before in zip(self.services.counts(), counts, strict=True)
        )
        found.append(
            Cost(exports=exports, cpu=used, requests=requests, tokens=tokens, calls=_calls(log, read))
        )

    def _start(self, dag_id: str) -> str:
        return self.airflow.api.trigger(dag_id)

    def _states(self, dag_id: str, run_id: str) -> Counter[Any]:
        rows = self._rows(
            "SELECT state FROM task_instance WHERE dag_id = :dag AND run_id = :run", dag_id, run_id
        )
        return Counter(state for (state,) in rows)

    def _is_over(self, dag_id: str, run_id: str) -> bool:
        rows = self._rows("SELECT state FROM dag_run WHERE dag_id = :dag AND run_id = :run", dag_id, run_id)
        return rows[0][0] in ("success", "failed")

    def _rows(self, query: str, dag_id: str, run_id: str) -> Any:
        # Not through the API server, whose CPU is counted.
        with self._engine.connect() as connection:
            return connection.execute(text(query), {"dag": dag_id, "run": run_id}).fetchall()

    def _until(self, happened: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not happened():
            self.airflow.check()
            if time.monotonic() > deadline:
                raise TooSlow(f"not within {PATIENCE:g} s: {what}")
            time.sleep(0.5)


def _calls(log: Path, start: int) -> Counter[str]:
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace")
    return Counter(f"{method} {NAMES.sub('*', path)}" for method, path in CALL.findall(lines))
