"""One of each, so that nothing that is done once in a process is measured."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, task

from airflow_provider_aep.sensors import AepDataflowRunSensor, AepExportsSensor

GIVEN = json.loads(Path(os.environ["AEP_WHOLE"]).read_text())

with DAG("whole_warm", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):

    @task
    def plain() -> dict[str, int]:
        return {"number": 0}

    plain()
    (first, second, third) = GIVEN["warm"]
    AepDataflowRunSensor(
        task_id="mapped", dataflow_id=first["dataflow_id"], started_after=GIVEN["since"], deferrable=True
    )
    AepDataflowRunSensor(
        task_id="started",
        dataflow_id=second["dataflow_id"],
        started_after=GIVEN["since"],
        start_in_triggerer=True,
    )
    AepExportsSensor(task_id="many", ticks=[third], deferrable=True)
    DateTimeSensorAsync(
        task_id="timed",
        target_time="{{ dag_run.start_date + macros.timedelta(seconds=60) }}",
        start_from_trigger=True,
    )
    if find_spec("airflow.providers.dbt"):
        from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor

        DbtCloudJobRunSensor(task_id="dbt", run_id=1, deferrable=True)
