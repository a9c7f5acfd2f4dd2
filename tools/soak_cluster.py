"""The course of a soak on a cluster with the CeleryExecutor.

While tasks are being resumed, one worker, one scheduler and one triggerer of two are killed with SIGKILL, and
nobody starts them again. Redis is away for some seconds, and the service for longer.

Airflow makes another attempt of a task whose worker has died, and of one that cannot be queued while Redis is
away. So a task that was neither deferred nor ended at that time, one that was "met", may have more than one
attempt. It must have ended right all the same, with one asset event. All others must have one attempt. The
one task that watches all may alert again in a further attempt, under the same keys.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from tools.cluster import SCHEDULERS, WORKERS, AirflowCluster
from tools.demo import Report
from tools.redis_server import RedisServer
from tools.soak_course import STEP_SECONDS, TRIGGERERS, Plan, Soak
from tools.soak_ledger import Ledger
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
    hosts: ClassVar[int] = len(WORKERS) + len(TRIGGERERS)

    def __init__(
        self,
        plan: Plan,
        report: Report,
        service: SoakService,
        airflow: AirflowCluster,
        ledger_of: Callable[[str], Ledger],
        redis: RedisServer,
    ) -> None:
        super().__init__(plan, report, service, airflow, ledger_of)
        self.redis = redis

    def _prepare(self) -> None:
        due = {"SchedulerJob": len(SCHEDULERS), "TriggererJob": len(TRIGGERERS)}
        self._until(lambda: due.items() <= self.ledger.alive().items(), f"there are {due}")
        super()._prepare()

    def _defer(self) -> None:
        super()._defer()
        shares = {host for way in self.ways for host in way.ledger.hosts()}
        tasks = sum(way.tasks for way in self.ways)
        self.report.expect(
            "all workers have started some, as far as there are",
            len(shares & set(WORKERS)) == min(len(WORKERS), tasks),
        )

    def _kill(self) -> None:
        self._note_met()
        super()._kill()
        self._note_met()

    def _more_trouble(self) -> None:
        gone = time.monotonic()
        with self.redis.down():
            while time.monotonic() < gone + self.plan.redis_outage:
                self._note_met()
                time.sleep(STEP_SECONDS)
        self._note_met()
        self.report.say(f"Redis is back after {time.monotonic() - gone:.1f} s")

    def _cost(self) -> None:
        for way in self.ways:
            tries = way.ledger.tries()
            again = [at for at in way.met if tries[at] > 1]
            self.report.say(
                f"{way.dag_id}: the trouble met {len(way.met)} tasks; {len(again)} had a further attempt"
            )
        super()._cost()
