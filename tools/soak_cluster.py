"""The course of a soak on a cluster with the CeleryExecutor.

While tasks are being resumed, one worker, one scheduler and one triggerer of two are killed with SIGKILL, and
nobody starts them again. Redis is away for some seconds, and the service for longer.

Airflow makes another attempt of a task whose worker has died, and of one that cannot be queued while Redis is
away. So a task that was neither deferred nor ended at that time, one that was "met", may have more than one
attempt. It must have ended right all the same, with one asset event. All others must have one attempt.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import ClassVar

from tools.cluster import SCHEDULERS, WORKERS, AirflowCluster
from tools.demo import Report
from tools.redis_server import RedisServer
from tools.soak_course import STEP_SECONDS, TRIGGERERS, Plan, Soak
from tools.soak_ledger import Ending, Ledger
from tools.soak_service import SoakService


def cluster_settings(plan: Plan) -> dict[str, str]:
    """What makes Airflow notice soon that something has died, or was lost; beside ``plan.settings``."""
    silence = f"{plan.silence:g}"
    return {
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": silence,
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": silence,
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": f"{math.ceil(plan.silence * 2.5)}",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": f"{plan.silence * 6:g}",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": silence,
    }


class ClusterSoak(Soak):
    """One soak, on a cluster that is up."""

    victims: ClassVar[Sequence[str]] = (WORKERS[-1], SCHEDULERS[-1], TRIGGERERS[-1])
    once_means = f"{Soak.once_means}; of those that the trouble met, one event alone is due"

    def __init__(
        self,
        plan: Plan,
        report: Report,
        service: SoakService,
        airflow: AirflowCluster,
        ledger: Ledger,
        redis: RedisServer,
    ) -> None:
        super().__init__(plan, report, service, airflow, ledger)
        self.redis = redis
        self.met: set[int] = set()

    def _prepare(self) -> None:
        due = {"SchedulerJob": len(SCHEDULERS), "TriggererJob": len(TRIGGERERS)}
        self._until(lambda: due.items() <= self.ledger.alive().items(), f"there are {due}")
        super()._prepare()

    def _defer(self) -> None:
        super()._defer()
        shares = self.ledger.hosts()
        self.report.expect("both workers have started some", shares.keys() >= set(WORKERS))

    def _kill(self) -> None:
        self.met |= self.ledger.in_airflows_hands()
        super()._kill()
        self.met |= self.ledger.in_airflows_hands()

    def _more_trouble(self) -> None:
        gone = time.monotonic()
        with self.redis.down():
            while time.monotonic() < gone + self.plan.redis_outage:
                self.met |= self.ledger.in_airflows_hands()
                time.sleep(STEP_SECONDS)
        self.met |= self.ledger.in_airflows_hands()
        self.report.say(
            f"Redis is back after {time.monotonic() - gone:.1f} s; the trouble met {len(self.met)} tasks"
        )

    def _once(self, at: int, ending: Ending) -> bool:
        export = self.exports[at]
        return ending.told_once(export) if at in self.met else ending.once(export)

    def _judge(self) -> None:
        super()._judge()
        tries = self.ledger.tries()
        again = sorted(at for at in self.met if tries[at] > 1)
        self.report.say(f"Of the {len(self.met)} that were met, {len(again)} had a further attempt")
