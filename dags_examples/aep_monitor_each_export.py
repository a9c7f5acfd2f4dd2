"""Wait for the run of each tick of all dataset exports, and alert when one failed or exported nothing.

Each hour it lists the dataflows whose schedule had a tick in that hour and waits, in the triggerer, for the
runs of each tick: one task for each. So every tick is judged once, by the DAG run of its hour, also when
that DAG run is late or cleared. To look at all dataflows from some moment on instead, due or not, trigger
it with ``{"since": "2026-12-01T06:00:00Z"}``.

This is for those who want a task for each export, or go on with other tasks when one is there. To be
alerted, ``aep_monitor_exports`` does with a single wait, and costs a small part of it; on whatever goes
wrong, also with no wait at all, ``aep_check_exports``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.dataflows import AepListDataflowsOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor

# Give the notifier `channels` to reach people; without, it writes to the task's log. As callback of the DAG
# in place of its tasks it would tell of all in one message, at the end.
alert = AepRunNotifier(
    messages={
        "failed": "AEP export {{ verdict.dataflow_name }} FAILED: {{ verdict.reason }}",
        "zero_records": "AEP export {{ verdict.dataflow_name }} is EMPTY: {{ verdict.reason }}",
    }
)

with DAG(
    "aep_monitor_each_export",
    description="Alert when a dataset export failed or exported nothing",
    # Named in full: a plain "@hourly" has no data interval on Airflow 3 by default.
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["aep"],
    params={"since": Param(None, type=["null", "string"], description="Watch all dataflows from here on")},
) as dag:
    # Triggered by hand there may be no data interval: then it lists all dataflows, due or not.
    list_dataflows = AepListDataflowsOperator(
        task_id="list_dataflows",
        due_from="{{ '' if params.since else dag_run.data_interval_start or '' }}",
        due_until="{{ '' if params.since else dag_run.data_interval_end or '' }}",
    )

    @task
    def choose_ticks(dataflows: list[dict[str, Any]], params: dict[str, Any]) -> list[dict[str, Any]]:
        """Each tick of each dataflow; by hand all runs from a moment on."""
        waits: list[dict[str, Any]] = []
        for flow in dataflows:
            if "ticks" in flow:
                waits += [{"dataflow_id": flow["id"], "tick": tick} for tick in flow["ticks"]]
            else:
                waits.append({"dataflow_id": flow["id"], "started_after": params["since"]})
        return waits

    AepDataflowRunSensor.partial(
        task_id="judge_runs",
        on_failed="fail",
        on_zero_records="warn",
        on_zero_when_ingested="warn",  # by default it fails the task: data were lost
        deferrable=True,
        # A run that has not started after 150 minutes is late, one that goes on for as long may hang.
        timeout=timedelta(hours=3).total_seconds(),
        on_failure_callback=alert,
        on_success_callback=alert,
    ).expand_kwargs(choose_ticks(list_dataflows.output))
