"""A soak: many deferred waits in a real Airflow on PostgreSQL, components that are killed, and an outage.

``python -m tools.soak`` starts PostgreSQL, the emulator and an Airflow with two triggerers. 300 exports are
watched both ways: by a task each, and by one task for all. ``tools.soak_course`` tells what happens to them.
With ``--executor celery`` Airflow is a cluster, and ``tools.soak_cluster`` tells what else happens there.
Exits with 0 only if all of it is as expected.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from airflow_provider_aep.emulator.server import airflow_connection
from tools.cluster import AirflowCluster
from tools.demo import Report
from tools.environment import CHECKOUT
from tools.postgres import NoPostgres, PostgresServer
from tools.processes import ChildFailed
from tools.redis_server import NoRedis, RedisServer
from tools.soak_cluster import ClusterSoak, cluster_settings
from tools.soak_course import TRIGGERERS, Plan, Soak, TooSlow
from tools.soak_ledger import Ledger
from tools.soak_service import SoakService
from tools.soak_ways import WAYS
from tools.stack import AirflowStack

EXECUTORS = ("local", "celery")


def soak(plan: Plan, *, executor: str = EXECUTORS[0], keep_home: bool = False) -> list[str]:
    """Set the stage, soak, and print what is seen; what was not as expected.

    :param executor: one of ``EXECUTORS``.
    :raises NoPostgres: it is not installed.
    :raises NoRedis: it is not installed, and the executor needs it.
    :raises TooSlow: a step did not come to its end.
    """
    report = Report()
    with ExitStack() as stage:
        dags = Path(stage.enter_context(tempfile.TemporaryDirectory(prefix="aep-soak-")))
        shutil.copy(CHECKOUT / "tests" / "airflow" / "dags" / "aep_soak.py", dags)
        redis = stage.enter_context(RedisServer()) if executor == "celery" else None
        database = stage.enter_context(PostgresServer())
        service = stage.enter_context(SoakService())
        options: dict[str, Any] = {
            "connections": {"aep_default": json.loads(airflow_connection(service.emulator, service.url))},
            "database_url": database.url,
            "keep_home": keep_home,
        }

        def ledger_of(dag_id: str) -> Ledger:
            return Ledger(database.url, homes, dag_id)

        course: Soak
        if redis:
            env = plan.settings | cluster_settings(plan)
            cluster = stage.enter_context(AirflowCluster(dags, broker_url=redis.url, env=env, **options))
            home, homes = cluster.home, cluster.homes
            report.say(f"Airflow on PostgreSQL and Redis is up: {', '.join(cluster.components)}")
            course = ClusterSoak(plan, report, service, cluster, ledger_of, redis)
        else:
            airflow = stage.enter_context(
                AirflowStack(dags, env=plan.settings, triggerers=len(TRIGGERERS), **options)
            )
            home, homes = airflow.home, [airflow.home]
            report.say(f"Airflow on PostgreSQL is up, with {len(TRIGGERERS)} triggerers")
            course = Soak(plan, report, service, airflow, ledger_of)
        course.run()
        if keep_home:
            print(f"  Airflow's home is kept: {home}")
    return report.wrong


def main() -> None:
    usual = Plan()
    parser = argparse.ArgumentParser(
        prog="python -m tools.soak", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--executor", choices=EXECUTORS, default=EXECUTORS[0], help="(default: %(default)s)")
    parser.add_argument("--exports", type=int, default=usual.exports, help="(default: %(default)s)")
    parser.add_argument(
        "--ways", nargs="+", choices=WAYS, default=usual.ways, help="how to watch them (default: all ways)"
    )
    parser.add_argument("--outage", type=float, default=usual.outage, help="seconds (default: %(default)s)")
    parser.add_argument(
        "--keep-home", action="store_true", help="leave Airflow's home, with its logs, behind"
    )
    given = parser.parse_args()
    plan = Plan(exports=given.exports, ways=given.ways, outage=given.outage)
    try:
        wrong = soak(plan, executor=given.executor, keep_home=given.keep_home)
    except (ChildFailed, NoPostgres, NoRedis, TooSlow) as error:
        sys.exit(f"The soak has come to nothing: {error}")
    sys.exit(f"Not as expected: {'; '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
