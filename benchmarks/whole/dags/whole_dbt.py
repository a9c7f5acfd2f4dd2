"""A deferred sensor of dbt Cloud's provider for each run."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor
from airflow.sdk import DAG

GIVEN = json.loads(Path(os.environ["AEP_WHOLE"]).read_text())

with DAG("whole_dbt", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    DbtCloudJobRunSensor.partial(
        task_id="wait", poke_interval=GIVEN["interval"], deferrable=True, timeout=3600
    ).expand(run_id=list(range(1, GIVEN["tasks"] + 1)))
