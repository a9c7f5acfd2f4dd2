"""The course of a soak: what happens to many deferred waits, one step after the other, and how they end.

A third of the runs ends in peace. A sixth ends, and as soon as the first of these was seen, there is trouble:
a triggerer is killed with SIGKILL, and the service refuses connections. A sixth ends meanwhile, and the rest
afterwards. Then every run must have been told once, and as it ended, in each way to watch it.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import psutil

from tools.demo import Report
from tools.soak_costs import CpuMeter, Requests
from tools.soak_ledger import Ledger
from tools.soak_service import SoakService
from tools.soak_ways import WAYS, Way
from tools.stack import AirflowStack

TRIGGERERS = ("triggerer", "triggerer-2")
# Whose runs end in peace, just before the kill, in the outage, and after it.
SIXTHS = ((0, 1), (2,), (3,), (4, 5))
TOKENS = "/ims/token/v3"
STEP_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of what.

    :param exports: how many are watched.
    :param ways: how: names of ``WAYS``.
    :param outage: seconds for which the service is down.
    :param redis_outage: seconds for which Redis is down, on a cluster.
    :param poll: seconds between two looks of a sensor.
    :param silence: after so many seconds without a sign of life a triggerer counts as dead.
    :param intervals: for so many poll intervals the waiting is measured.
    :param idle: seconds for which is seen what Airflow costs without anything to do.
    :param patience: seconds that any one step may take.
    """

    exports: int = 300
    ways: Sequence[str] = tuple(WAYS)
    outage: float = 60
    redis_outage: float = 5
    poll: float = 5
    silence: float = 10
    intervals: int = 6
    idle: float = 15
    patience: float = 900

    @property
    def settings(self) -> dict[str, str]:
        # Two thirds: each of two triggerers must hold a third, and one can hold all that wait when one dies.
        capacity = math.ceil(self.exports * 2 / 3) + 1
        return {
            "AIRFLOW__AEP__POLL_INTERVAL": f"{self.poll:g}",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__TRIGGERER__CAPACITY": str(capacity),
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": f"{self.silence:g}",
        }


class TooSlow(Exception):
    """Something that was waited for did not happen."""


class Soak:
    """One soak, on a stage that is up.

    :param ledger_of: the ledger of a DAG, by its id.
    :cvar victims: the components that are killed.
    :cvar hosts: on how many hosts somebody talks to the service.
    """

    victims: ClassVar[Sequence[str]] = TRIGGERERS[-1:]
    hosts: ClassVar[int] = 1

    def __init__(
        self,
        plan: Plan,
        report: Report,
        service: SoakService,
        airflow: AirflowStack,
        ledger_of: Callable[[str], Ledger],
    ) -> None:
        self.plan, self.report, self.service = plan, report, service
        self.airflow = airflow
        self.since = datetime.now(tz=UTC) - timedelta(minutes=1)
        self.exports = service.make_exports(plan.exports)
        self.ways: list[Way] = [WAYS[name](ledger_of(WAYS[name].dag_id), self.exports) for name in plan.ways]
        self.ledger = self.ways[0].ledger
        self.cpu = CpuMeter(airflow)

    def run(self) -> None:
        self._prepare()
        empty = self._memory()
        self.requests = Requests(self.service)
        runs = self._start()
        self._defer()
        self._watch(empty)

        count = self.plan.exports
        peace, kill, outage, rest = ([at for at in range(count) if at % 6 in sixths] for sixths in SIXTHS)
        self._finish(peace)
        self._until(lambda: all(way.ended(peace) for way in self.ways), "those have ended")
        self.report.say("They are told, in peace")
        self._finish(kill)
        self._until(lambda: any(way.noticed(kill) for way in self.ways), "one of those was seen")
        self._trouble(outage)
        back = time.monotonic()
        late = [*kill, *outage]
        self._until(lambda: all(way.seen(late) for way in self.ways), "what ended meanwhile was seen")
        self.report.say(f"{time.monotonic() - back:.1f} s later all runs that had ended meanwhile were seen")
        self._finish(rest)
        self._until(lambda: all(way.done() for way in self.ways), "all tasks have ended")
        self.report.say(f"All tasks have ended, {time.monotonic() - back:.0f} s after the service's return")
        for dag_id, run_id in runs.items():
            self.airflow.api.wait_for_run(dag_id, run_id)
        for way in self.ways:
            way.judge(self.report)
        self.report.expect("no trigger is left over", self.ledger.triggers_left() == 0)
        self._cost()

    def _start(self) -> dict[str, str]:
        """Start each DAG that watches the exports; the ids of their runs, by DAG id."""
        ticks = [{"dataflow_id": export.dataflow_id, "tick": export.tick} for export in self.exports]
        conf = {"ticks": ticks, "started_after": self.since.isoformat()}
        return {way.dag_id: self.airflow.api.trigger(way.dag_id, conf) for way in self.ways}

    def _prepare(self) -> None:
        self.cpu.start(self.plan.idle)

    def _defer(self) -> None:
        start, tasks = time.monotonic(), sum(way.tasks for way in self.ways)
        self._until(
            lambda: len([holder for holder in self._holders() if holder is not None]) == tasks,
            "all tasks are deferred, and held by a triggerer",
        )
        shares = Counter(self._holders()).values()
        self.report.say(
            f"{tasks} tasks have deferred within {time.monotonic() - start:.0f} s; "
            f"the triggerers hold {' and '.join(map(str, shares))}"
        )
        self.report.expect(
            "all triggerers hold some, as far as there are", len(shares) == min(len(TRIGGERERS), tasks)
        )

    def _watch(self, empty: dict[str, float]) -> None:
        """What waiting costs."""
        before = self.service.looks()
        time.sleep(self.plan.intervals * self.plan.poll)
        looks = (self.service.looks() - before) / self.plan.intervals
        full = self._memory()
        self.report.say(
            f"Waiting takes {looks:.1f} requests per poll interval of {self.plan.poll:g} s; "
            f"each export on its own would make {self.plan.exports}"
        )
        for name in TRIGGERERS:
            print(
                f"  memory of {name}: {full[name]:.0f} MiB, {full[name] - empty[name]:+.0f} with what waits"
            )
        self.report.expect("all share their requests", looks < self.plan.exports / 2)

    def _trouble(self, meanwhile: Sequence[int]) -> None:
        """Kill a triggerer and take the service away for a while, in which runs go on to end."""
        holders = self._holders()
        self._kill()
        killed = time.monotonic()
        with self.service.down():
            # What asks just now is refused, and waits once more.
            self._note_met()
            self.report.say(
                f"SIGKILL to {', '.join(self.victims)}, with {len(holders)} tasks waiting; "
                f"connections are refused for {self.plan.outage:g} s"
            )
            self._more_trouble()
            self._until(self._taken_over, "the other triggerer has taken over")
            seconds, dead = time.monotonic() - killed, self._dead()
            left = sum(holder in dead for holder in holders)
            self.report.say(f"{seconds:.1f} s after the kill the other triggerer has taken over its {left}")
            memory = mebibytes(psutil.Process(self.airflow.pid(TRIGGERERS[0])))
            print(f"  memory of {TRIGGERERS[0]}: {memory:.0f} MiB, with all that wait")
            self._finish(meanwhile)
            time.sleep(max(0.0, killed + self.plan.outage - time.monotonic()))
        self.report.say("The service is back")

    def _kill(self) -> None:
        self.cpu.stop(self.victims)
        for victim in self.victims:
            self.airflow.kill(victim)

    def _more_trouble(self) -> None:
        """What else happens while the service is away."""

    def _cost(self) -> None:
        count = self.plan.exports
        self.report.title(f"What it cost to watch {' and '.join(self.plan.ways)}, over an idle Airflow")
        used = self.cpu.used()
        rows = [*used.items(), ("all", sum(used.values()))]
        self.report.table(
            ("CPU of", "seconds", "ms per export"),
            [(kind, f"{seconds:.1f}", f"{seconds * 1000 / count:.0f}") for kind, seconds in rows],
        )
        tokens, requests = self.requests.count(TOKENS), self.requests.count()
        starts = sum(way.ledger.starts() for way in self.ways)
        print(
            f"  {tokens} tokens, {starts} starts of a task; {requests} requests, those for tokens included: "
            f"{requests / count:.1f} per export"
        )
        # No token expires in that time; of a refused one, a process that knows it must fetch another.
        refused = self.requests.count(status=401)
        self.report.expect(
            f"no more tokens than hosts, {self.hosts}, and refused ones, {refused}",
            tokens <= self.hosts + refused,
        )

    def _finish(self, some: Sequence[int]) -> None:
        self.service.finish([self.exports[at] for at in some])
        self.report.say(f"The runs of {len(some)} dataflows end")

    def _holders(self) -> list[int | None]:
        """Of each task that is deferred, which triggerer holds it."""
        return [holder for way in self.ways for holder in way.ledger.holders().values()]

    def _note_met(self) -> None:
        """Note what Airflow has in its hands now."""
        for way in self.ways:
            way.met |= way.ledger.in_airflows_hands()

    def _dead(self) -> set[int]:
        return self.ledger.stopped_triggerers(self.plan.silence)

    def _taken_over(self) -> bool:
        dead = self._dead()
        return bool(dead) and not dead & set(self._holders())

    def _memory(self) -> dict[str, float]:
        """MiB of each triggerer."""
        return {name: mebibytes(psutil.Process(self.airflow.pid(name))) for name in TRIGGERERS}

    def _until(self, happened: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self.plan.patience
        while not happened():
            self.airflow.check()
            if time.monotonic() > deadline:
                states = [dict(way.ledger.states()) for way in self.ways]
                raise TooSlow(f"not within {self.plan.patience:g} s: {what}; tasks: {states}")
            time.sleep(STEP_SECONDS)


def mebibytes(process: psutil.Process) -> float:
    """MiB of a process and all that it has started; what they share counts once."""
    family = [process, *process.children(recursive=True)]
    return sum(each.memory_full_info().pss for each in family) / 2**20
