"""Watch all dataset exports of a sandbox, every hour, and alert when one failed, is empty or did not run.

Each hour it lists the dataflows whose schedule had a tick in that hour and waits, in the triggerer, for the
run of each tick. So every tick is judged once, by the DAG run of its hour, also when that DAG run is late or
cleared. To look at all dataflows from some moment on instead, due or not, trigger it with
``{"since": "2026-12-01T06:00:00Z"}``.

Beside that it looks back over the day that ended six hours ago: which ticks have no run, or a late one, which
runs were far below the usual or the third empty one in a row, and which exports end soon.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.dataflows import AepListDataflowsOperator
from airflow_provider_aep.operators.monitoring import AepCheckExportsOperator
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
    "aep_monitor_exports",
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
        due_from="{{ '' if params.since else data_interval_start or '' }}",
        due_until="{{ '' if params.since else data_interval_end or '' }}",
    )

    AepCheckExportsOperator(
        task_id="check_the_last_day",
        since="{{ (data_interval_end or dag_run.run_after) - macros.timedelta(days=1, hours=6) }}",
        until="{{ (data_interval_end or dag_run.run_after) - macros.timedelta(hours=6) }}",
        run_policy={"max_drop": 0.5, "zero_streak": 3},
        on_missing="fail",
        on_ends_soon="warn",
        on_failure_callback=alert,
        on_success_callback=alert,
    )

    @task
    def choose_windows(dataflows: list[dict[str, Any]], params: dict[str, Any]) -> list[dict[str, Any]]:
        """For each dataflow: the time from its tick to its next one, in which its run must start."""
        return [
            {
                "dataflow_id": dataflow["id"],
                "started_after": params["since"] or dataflow.get("due_at"),
                "started_before": dataflow.get("due_before"),
                "expected_runs": dataflow.get("runs_due", 1),
            }
            for dataflow in dataflows
        ]

    AepDataflowRunSensor.partial(
        task_id="judge_runs",
        on_failed="fail",
        on_zero_records="warn",
        deferrable=True,
        timeout=timedelta(minutes=150).total_seconds(),  # beyond this, Adobe itself calls a run late
        on_failure_callback=alert,
        on_success_callback=alert,
    ).expand_kwargs(choose_windows(list_dataflows.output))
