"""Any number of sensors in one DAG, and one callback for all of them; ``conf`` says what they watch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.sensors import AepDataflowRunSensor

alert = AepRunNotifier(channels=["log", {"type": "email", "to": "team@acme.example"}])

with DAG(
    "aep_alerts",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    on_failure_callback=alert,
    on_success_callback=alert,
) as dag:

    @task
    def choose(dag_run: Any = None) -> list[dict[str, str]]:
        return list(dag_run.conf["exports"])

    AepDataflowRunSensor.partial(
        task_id="judge",
        started_after="2026-01-01",
        poke_interval=1,
        timeout=8,
        on_zero_records="warn",
        on_zero_when_ingested="warn",
        deferrable=False,
    ).expand_kwargs(choose())
