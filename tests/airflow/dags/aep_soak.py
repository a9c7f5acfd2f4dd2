"""One deferred wait for each dataflow that ``conf`` names; ``tools/soak.py`` makes trouble meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_aep.assets import export_asset
from airflow_provider_aep.sensors import AepDataflowRunSensor

ASSET = export_asset(org="EMULATED00000000000000@AdobeOrg", sandbox="prod", dataset="soak")

with DAG("aep_soak", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):

    @task
    def dataflows(**context: Any) -> list[str]:
        return list(context["dag_run"].conf["dataflow_ids"])

    AepDataflowRunSensor.partial(
        # The endings are about the poll, and not about what was ingested.
        on_zero_when_ingested="warn",
        on_zero_when_nothing_ingested="warn",
        task_id="wait",
        started_after="{{ dag_run.conf['started_after'] }}",
        deferrable=True,
        timeout=3600,
        retries=2,  # a second try would show
        retry_delay=timedelta(seconds=2),
        outlets=[ASSET],
    ).expand(dataflow_id=dataflows())
