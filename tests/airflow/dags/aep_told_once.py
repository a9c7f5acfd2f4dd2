"""A sensor with an asset; the suite runs it for several dates on one and the same run."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_aep.assets import export_asset
from airflow_provider_aep.sensors import AepDataflowRunSensor

with DAG(
    "aep_told_once",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={"dataflow_id": Param("", type="string")},
) as dag:
    AepDataflowRunSensor(
        task_id="wait",
        dataflow_id="{{ params.dataflow_id }}",
        started_after="2026-01-01",
        timeout=60,
        outlets=[export_asset(org="EMULATED00000000000000@AdobeOrg", sandbox="prod", dataset="told-once")],
    )
