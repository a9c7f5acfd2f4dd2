"""A task of each kind; the suite counts what each asks of Airflow's API server."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_aep.operators.connections import AepCreateSourceConnectionOperator
from airflow_provider_aep.operators.exports import AepEnsureExportOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepExportsSensor

DATASET = "5ef3e3259ad2a1191ab7dd7d"

with DAG(
    "aep_calls",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={name: Param("", type="string") for name in ("one", "other", "tick")},
) as dag:
    AepCreateSourceConnectionOperator(task_id="step", name="calls", datasets=[DATASET])
    AepEnsureExportOperator(
        task_id="ensure",
        spec={
            "name": "calls",
            "datasets": [DATASET],
            "destination": {
                "type": "data_landing_zone",
                "params": {"path": "calls", "datasetFileType": "JSON"},
            },
            "schedule": {"every": "1d"},
        },
    )
    AepDataflowRunSensor(
        task_id="wait",
        dataflow_id="{{ params.one }}",
        started_after="2026-01-01",
        deferrable=True,
        timeout=60,
    )
    AepExportsSensor(
        task_id="wait_for_all",
        ticks=[{"dataflow_id": "{{ params.other }}", "tick": "{{ params.tick }}"}],
        deferrable=True,
        timeout=60,
    )
