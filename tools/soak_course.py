"""The course of a soak: what happens to many deferred sensors, one step after the other, and how they end.

A third of the runs ends in peace. A sixth ends, and as soon as the first of these was seen, there is trouble:
a triggerer is killed with SIGKILL, and the service refuses connections. A sixth ends meanwhile, and the rest
afterwards. Then every task must have ended once, and as its run did.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import psutil

from tools.demo import Report
from tools.soak_costs import CpuMeter, Requests
from tools.soak_ledger import DAG, Ending, Ledger
from tools.soak_service import Export, SoakService
from tools.stack import AirflowStack

TRIGGERERS = ("triggerer", "triggerer-2")
# Whose runs end in peace, just before the kill, in the outage, and after it.
SIXTHS = ((0, 1), (2,), (3,), (4, 5))
TOKENS = "/ims/token/v3"
STEP_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of what.

    :param outage: seconds for which the service is down.
    :param redis_outage: seconds for which Redis is down, on a cluster.
    :param poll: seconds between two looks of a sensor.
    :param silence: after so many seconds without a sign of life a triggerer counts as dead.
    :param intervals: for so many poll intervals the waiting is measured.
    :param idle: seconds for which is seen what Airflow costs without anything to do.
    :param patience: seconds that any one step may take.
    """

    sensors: int = 300
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
        capacity = math.ceil(self.sensors * 2 / 3)
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

    :cvar victims: the components that are killed.
    :cvar once_means: in words, when a task has ended once.
    """

    victims: ClassVar[Sequence[str]] = TRIGGERERS[-1:]
    once_means = "one try, one resumption, one asset event (none where the run failed)"

    def __init__(
        self, plan: Plan, report: Report, service: SoakService, airflow: AirflowStack, ledger: Ledger
    ) -> None:
        self.plan, self.report, self.service = plan, report, service
        self.airflow, self.ledger = airflow, ledger
        self.exports: list[Export] = []
        self.cpu = CpuMeter(airflow)

    def run(self) -> None:
        since = datetime.now(tz=UTC).isoformat()
        self.exports = self.service.make_exports(self.plan.sensors)
        self._prepare()
        empty = self._memory()
        self.requests = Requests(self.service)
        runs = self._start(since)
        self._defer()
        self._watch(empty)

        count = self.plan.sensors
        peace, kill, outage, rest = ([at for at in range(count) if at % 6 in sixths] for sixths in SIXTHS)
        self._finish(peace)
        self._until(lambda: self.ledger.ended().issuperset(peace), "those have ended")
        self.report.say("Their tasks have ended, in peace")
        self._finish(kill)
        self._until(lambda: self._waiting(kill) < len(kill), "one of those was seen")
        self._trouble(outage)
        back = time.monotonic()
        self._until(lambda: not self._waiting([*kill, *outage]), "what ended meanwhile was seen")
        self.report.say(f"{time.monotonic() - back:.1f} s later all runs that had ended meanwhile were seen")
        self._finish(rest)
        self._until(lambda: len(self.ledger.ended()) == count, "all tasks have ended")
        self.report.say(f"All tasks have ended, {time.monotonic() - back:.0f} s after the service's return")
        for dag_id, run_id in runs.items():
            self.airflow.api.wait_for_run(dag_id, run_id)
        self._judge()
        self._cost()

    def _start(self, since: str) -> dict[str, str]:
        """Start each DAG that watches the exports; the ids of their runs, by DAG id."""
        ids = [export.dataflow_id for export in self.exports]
        conf = {"dataflow_ids": ids, "started_after": since}
        return {dag_id: self.airflow.api.trigger(dag_id, conf) for dag_id in (DAG,)}

    def _prepare(self) -> None:
        self.cpu.start(self.plan.idle)

    def _defer(self) -> None:
        start = time.monotonic()
        self._until(
            lambda: sum(holder is not None for holder in self.ledger.holders().values()) == self.plan.sensors,
            "all sensors are deferred, and held by a triggerer",
        )
        shares = Counter(self.ledger.holders().values()).values()
        self.report.say(
            f"{self.plan.sensors} sensors have deferred within {time.monotonic() - start:.0f} s; "
            f"the triggerers hold {' and '.join(map(str, shares))}"
        )
        self.report.expect("both triggerers hold sensors", len(shares) == len(TRIGGERERS))

    def _watch(self, empty: dict[str, float]) -> None:
        """What waiting costs."""
        before = self.service.looks()
        time.sleep(self.plan.intervals * self.plan.poll)
        looks = (self.service.looks() - before) / self.plan.intervals
        full = self._memory()
        self.report.say(
            f"Waiting takes {looks:.1f} requests per poll interval of {self.plan.poll:g} s; "
            f"each sensor on its own would make {self.plan.sensors}"
        )
        for name in TRIGGERERS:
            print(
                f"  memory of {name}: {full[name]:.0f} MiB, {full[name] - empty[name]:+.0f} with its sensors"
            )
        self.report.expect("the sensors share their requests", looks < self.plan.sensors / 2)

    def _trouble(self, meanwhile: Sequence[int]) -> None:
        """Kill a triggerer and take the service away for a while, in which runs go on to end."""
        holders = self.ledger.holders()
        self._kill()
        killed = time.monotonic()
        with self.service.down():
            self.report.say(
                f"SIGKILL to {', '.join(self.victims)}, with {self._waiting()} sensors waiting; "
                f"connections are refused for {self.plan.outage:g} s"
            )
            self._more_trouble()
            self._until(self._taken_over, "the other triggerer has taken over")
            seconds, dead = time.monotonic() - killed, self._dead()
            left = sum(holder in dead for holder in holders.values())
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

    def _judge(self) -> None:
        endings = self.ledger.endings()
        right = {at for at, export in enumerate(self.exports) if at in endings and endings[at].right(export)}
        once = {at for at in endings if self._once(at, endings[at])}
        rows = []
        for kind in dict.fromkeys((export.ending, export.outcome) for export in self.exports):
            mine = [at for at, export in enumerate(self.exports) if (export.ending, export.outcome) == kind]
            states = Counter(endings[at].state for at in mine if at in endings)
            told = ", ".join(f"{number} {state}" for state, number in states.items())
            rows.append((*kind, len(mine), told, len(right & set(mine)), len(once & set(mine))))
        self.report.title("How they ended")
        self.report.table(("run", "outcome due", "sensors", "tasks", "right", "once"), rows)
        count = self.plan.sensors
        self.report.expect(f"there are {count} task instances, and no more", len(endings) == count)
        self.report.expect(f"all {count} have the state, outcome and run id due", len(right) == count)
        self.report.expect(f"all {count} ended once: {self.once_means}", len(once) == count)
        self.report.expect("no trigger is left over", self.ledger.triggers_left() == 0)
        for at in sorted(set(range(count)) - (right & once)):
            print(f"  {self.exports[at]}: {endings.get(at)}")

    def _cost(self) -> None:
        count = self.plan.sensors
        self.report.title("What it cost, over an idle Airflow")
        used = self.cpu.used()
        rows = [*used.items(), ("all", sum(used.values()))]
        self.report.table(
            ("CPU of", "seconds", "ms per export"),
            [(kind, f"{seconds:.1f}", f"{seconds * 1000 / count:.0f}") for kind, seconds in rows],
        )
        tokens, requests, starts = self.requests.count(TOKENS), self.requests.count(), self.ledger.starts()
        print(
            f"  {tokens} tokens, {starts} starts of a task; {requests} requests, those for tokens included: "
            f"{requests / count:.1f} per export"
        )
        self.report.expect(
            "no more tokens than starts of a task and triggerers", tokens <= starts + len(TRIGGERERS)
        )

    def _once(self, at: int, ending: Ending) -> bool:
        return ending.once(self.exports[at])

    def _finish(self, some: Sequence[int]) -> None:
        self.service.finish([self.exports[at] for at in some])
        self.report.say(f"The runs of {len(some)} dataflows end")

    def _waiting(self, among: Sequence[int] | None = None) -> int:
        waiting = self.ledger.holders().keys()
        return len(waiting if among is None else waiting & set(among))

    def _dead(self) -> set[int]:
        return self.ledger.stopped_triggerers(self.plan.silence)

    def _taken_over(self) -> bool:
        dead = self._dead()
        return bool(dead) and not dead & set(self.ledger.holders().values())

    def _memory(self) -> dict[str, float]:
        """MiB of each triggerer."""
        return {name: mebibytes(psutil.Process(self.airflow.pid(name))) for name in TRIGGERERS}

    def _until(self, happened: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self.plan.patience
        while not happened():
            self.airflow.check()
            if time.monotonic() > deadline:
                states = dict(self.ledger.states())
                raise TooSlow(f"not within {self.plan.patience:g} s: {what}; tasks: {states}")
            time.sleep(STEP_SECONDS)


def mebibytes(process: psutil.Process) -> float:
    """MiB of a process and all that it has started; what they share counts once."""
    family = [process, *process.children(recursive=True)]
    return sum(each.memory_full_info().pss for each in family) / 2**20
