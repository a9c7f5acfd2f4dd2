"""One deferred wait for each way to end it; ``conf`` says for which dataflow, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_aep.assets import export_asset
from airflow_provider_aep.sensors import AepDataflowRunSensor

ASSET = export_asset(org="EMULATED00000000000000@AdobeOrg", sandbox="prod", dataset="waits")
LONG = 3600
WAITS: dict[str, dict[str, Any]] = {
    # A second try would show; a second ending would be a second event.
    "aep_wait_long": {"timeout": LONG, "retries": 2, "outlets": [ASSET]},
    "aep_wait_timeout": {"timeout": 4},
    "aep_wait_timeout_soft": {"timeout": 4, "soft_fail": True},
    "aep_wait_pod": {"timeout": LONG, "retries": 2, "outlets": [ASSET], "executor": "tools.pods.PodExecutor"},
    "aep_wait_execution_timeout": {"timeout": LONG, "execution_timeout": timedelta(seconds=5)},
}

for dag_id, options in WAITS.items():
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
        AepDataflowRunSensor(
            task_id="wait",
            dataflow_id="{{ dag_run.conf['dataflow_id'] }}",
            started_after="{{ dag_run.conf['started_after'] }}",
            deferrable=True,
            retry_delay=timedelta(seconds=1),
            **options,
        )
