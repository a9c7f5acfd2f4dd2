"""Wait for the run of each tick of all dataset exports in one task, and alert when one is not good.

Each hour one sensor waits, in the triggerer, for the runs of all ticks that were due in that hour. Whoever is
alerted hears of a bad one soon after it ended, while others are still waited for. So every tick is judged
once, by the DAG run of its hour, also when that DAG run is late or cleared. To look at the ticks from some
moment on instead, trigger it with ``{"since": "2026-12-01T06:00:00Z"}``.

For a task of its own for each export, see ``aep_monitor_each_export``. To hear of exports that are disabled
or end, too, and to wait for nothing, ``aep_check_exports``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, AssetAlias, Param
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.task_groups import AepExportsTaskGroup

# Give the notifier `channels` to reach people; without, it writes to the task's log.
alert = AepRunNotifier(
    messages={
        "failed": "AEP export {{ verdict.dataflow_name }} FAILED: {{ verdict.reason }}",
        "zero_records": "AEP export {{ verdict.dataflow_name }} is EMPTY: {{ verdict.reason }}",
    }
)

with DAG(
    "aep_monitor_exports",
    description="Alert when a dataset export failed or exported nothing",
    # Named in full: a plain "@hourly" has no data interval on Airflow 3 by default.
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["aep"],
    params={"since": Param(None, type=["null", "string"], description="Watch all ticks from here on")},
) as dag:
    # The sensor succeeds with its verdicts, so that DAGs that are scheduled on the alias run for what is
    # good; the task after it fails where one is not.
    AepExportsTaskGroup(
        "exports",
        due_from="{{ params.since or '' }}",
        run_policy={
            "on_failed": "fail",
            "on_zero_records": "warn",
            "on_zero_when_ingested": "warn",  # by default it fails: data were lost
        },
        on_nothing="warn",
        alert=alert,
        outlets=[AssetAlias("aep_exports")],
        deferrable=True,
        # A run that has not started after 150 minutes is late, one that goes on for as long may hang.
        timeout=timedelta(hours=3).total_seconds(),
    )
