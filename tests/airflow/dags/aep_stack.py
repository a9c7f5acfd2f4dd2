"""DAGs for the tests against a running Airflow; ``conf`` says what they work on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow import DAG

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.connections import AepCreateSourceConnectionOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor

with DAG("aep_create_source", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    AepCreateSourceConnectionOperator(
        task_id="create",
        name="{{ dag_run.conf['name'] }}",
        datasets=["5ef3e3259ad2a1191ab7dd7d"],
        retries=2,
        retry_delay=timedelta(seconds=1),
    )

with DAG("aep_wait", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    AepDataflowRunSensor(
        task_id="wait",
        dataflow_id="{{ dag_run.conf['dataflow_id'] }}",
        started_after="{{ dag_run.conf['started_after'] }}",
        on_zero_records="ok",
        on_zero_when_ingested="ok",
        deferrable=True,
        timeout=120,
        on_failure_callback=AepRunNotifier(),
    )
