"""A soak: many deferred sensors in a real Airflow on PostgreSQL, a triggerer that is killed, and an outage.

``python -m tools.soak`` starts PostgreSQL, the emulator and an Airflow with two triggerers, and lets 300
sensors wait, each for the run of a dataflow of its own. A third of the runs ends in peace. A sixth ends, and
as soon as the first of these was seen, one triggerer is killed with SIGKILL and the service refuses
connections for 60 seconds. A sixth ends meanwhile, and the rest afterwards. Then every task must have ended
once, and as its run did. Exits with 0 only if all of it is as expected.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from airflow_provider_aep.emulator.server import airflow_connection
from tools.demo import Report
from tools.environment import CHECKOUT
from tools.postgres import NoPostgres, PostgresServer
from tools.processes import ChildFailed
from tools.soak_ledger import DAG, Ledger
from tools.soak_service import Export, SoakService
from tools.stack import AirflowStack

TRIGGERERS = ("triggerer", "triggerer-2")
VICTIM = TRIGGERERS[-1]
# Whose runs end in peace, just before the kill, in the outage, and after it.
SIXTHS = ((0, 1), (2,), (3,), (4, 5))
STEP_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of what.

    :param outage: seconds for which the service is down.
    :param poll: seconds between two looks of a sensor.
    :param silence: after so many seconds without a sign of life a triggerer counts as dead.
    :param intervals: for so many poll intervals the waiting is measured.
    :param patience: seconds that any one step may take.
    """

    sensors: int = 300
    outage: float = 60
    poll: float = 5
    silence: float = 10
    intervals: int = 6
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
    """One soak, on a stage that is up."""

    def __init__(
        self, plan: Plan, report: Report, service: SoakService, airflow: AirflowStack, ledger: Ledger
    ) -> None:
        self.plan, self.report, self.service = plan, report, service
        self.airflow, self.ledger = airflow, ledger
        self.exports: list[Export] = []

    def run(self) -> None:
        since = datetime.now(tz=UTC).isoformat()
        self.exports = self.service.make_exports(self.plan.sensors)
        empty = self._memory()
        ids = [export.dataflow_id for export in self.exports]
        run_id = self.airflow.api.trigger(DAG, {"dataflow_ids": ids, "started_after": since})
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
        self.airflow.api.wait_for_run(DAG, run_id)
        self._judge()

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
        self.airflow.kill(VICTIM)
        killed = time.monotonic()
        with self.service.down():
            self.report.say(
                f"SIGKILL to {VICTIM}, with {self._waiting()} sensors waiting; "
                f"connections are refused for {self.plan.outage:g} s"
            )
            self._until(self._taken_over, "the other triggerer has taken over")
            seconds, dead = time.monotonic() - killed, self._dead()
            left = sum(holder in dead for holder in holders.values())
            self.report.say(f"{seconds:.1f} s after the kill the other triggerer has taken over its {left}")
            memory = _mebibytes(psutil.Process(self.airflow.pid(TRIGGERERS[0])))
            print(f"  memory of {TRIGGERERS[0]}: {memory:.0f} MiB, with all that wait")
            self._finish(meanwhile)
            time.sleep(max(0.0, killed + self.plan.outage - time.monotonic()))
        self.report.say("The service is back")

    def _judge(self) -> None:
        endings = self.ledger.endings()
        right = {at for at, export in enumerate(self.exports) if at in endings and endings[at].right(export)}
        once = {at for at, export in enumerate(self.exports) if at in endings and endings[at].once(export)}
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
        self.report.expect(
            f"all {count} ended once: one try, one resumption, one asset event (none where the run failed)",
            len(once) == count,
        )
        self.report.expect("no trigger is left over", self.ledger.triggers_left() == 0)
        for at in sorted(set(range(count)) - (right & once)):
            print(f"  {self.exports[at]}: {endings.get(at)}")

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
        return {name: _mebibytes(psutil.Process(self.airflow.pid(name))) for name in TRIGGERERS}

    def _until(self, happened: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self.plan.patience
        while not happened():
            self.airflow.check()
            if time.monotonic() > deadline:
                states = dict(self.ledger.states())
                raise TooSlow(f"not within {self.plan.patience:g} s: {what}; tasks: {states}")
            time.sleep(STEP_SECONDS)


def _mebibytes(process: psutil.Process) -> float:
    """MiB of a process and all that it has started; what they share counts once."""
    family = [process, *process.children(recursive=True)]
    return sum(each.memory_full_info().pss for each in family) / 2**20


def soak(plan: Plan, *, keep_home: bool = False) -> list[str]:
    """Set the stage, soak, and print what is seen; what was not as expected.

    :raises NoPostgres: it is not installed.
    :raises TooSlow: a step did not come to its end.
    """
    report = Report()
    with ExitStack() as stage:
        dags = Path(stage.enter_context(tempfile.TemporaryDirectory(prefix="aep-soak-")))
        shutil.copy(CHECKOUT / "tests" / "airflow" / "dags" / f"{DAG}.py", dags)
        database = stage.enter_context(PostgresServer())
        service = stage.enter_context(SoakService())
        airflow = stage.enter_context(
            AirflowStack(
                dags,
                connections={"aep_default": json.loads(airflow_connection(service.emulator, service.url))},
                env=plan.settings,
                triggerers=len(TRIGGERERS),
                database_url=database.url,
                keep_home=keep_home,
            )
        )
        report.say(f"Airflow on PostgreSQL is up, with {len(TRIGGERERS)} triggerers")
        Soak(plan, report, service, airflow, Ledger(database.url, airflow.home)).run()
        if keep_home:
            print(f"  Airflow's home is kept: {airflow.home}")
    return report.wrong


def main() -> None:
    usual = Plan()
    parser = argparse.ArgumentParser(
        prog="python -m tools.soak", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--sensors", type=int, default=usual.sensors, help="(default: %(default)s)")
    parser.add_argument("--outage", type=float, default=usual.outage, help="seconds (default: %(default)s)")
    parser.add_argument(
        "--keep-home", action="store_true", help="leave Airflow's home, with its logs, behind"
    )
    given = parser.parse_args()
    try:
        wrong = soak(Plan(sensors=given.sensors, outage=given.outage), keep_home=given.keep_home)
    except (ChildFailed, NoPostgres, TooSlow) as error:
        sys.exit(f"The soak has come to nothing: {error}")
    sys.exit(f"Not as expected: {'; '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
