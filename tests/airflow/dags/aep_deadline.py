"""A wait that is longer than its DAG run may take; deadline alerts are there from Airflow 3.1 on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.sensors import AepDataflowRunSensor

with DAG(
    "aep_deadline",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=8),
        callback=AsyncCallback(
            AepRunNotifier, kwargs={"channels": ["log", {"type": "email", "to": "team@acme.example"}]}
        ),
    ),
):
    AepDataflowRunSensor.partial(
        task_id="wait", started_after="{{ dag_run.conf['since'] }}", deferrable=True, timeout=300
    ).expand(dataflow_id=["{{ dag_run.conf['first'] }}", "{{ dag_run.conf['second'] }}"])
