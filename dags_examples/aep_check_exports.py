"""Check all dataset exports of a sandbox, every hour, and alert on whatever went wrong since the last check.

One task looks at all exports: runs that failed, exported nothing, lost records or hang; ticks without a
run, with a late one, or with one dataset of several lacking; exports that are switched off or come to their
end. Each is told once, by the check in whose window it became known, also when a check was missed, failed
or cleared.

To look again at everything since some moment, trigger it with ``{"since": "2026-12-01T06:00:00Z"}``.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.monitoring import AepCheckExportsOperator

# Give it `channels` to reach people; without, it writes to the task's log.
alert = AepRunNotifier()

with DAG(
    "aep_check_exports",
    description="Alert on every dataset export that went wrong since the last check",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # each check begins where the last one ended
    tags=["aep"],
    params={"since": Param(None, type=["null", "string"], description="Tell everything from here on again")},
) as dag:
    AepCheckExportsOperator(
        task_id="check",
        since="{{ params.since or '' }}",
        run_policy={"max_drop": 0.5, "zero_streak": 3},
        on_failure_callback=alert,
        on_success_callback=alert,
    )
