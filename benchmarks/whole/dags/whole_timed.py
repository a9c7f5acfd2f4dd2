"""Airflow's own sensor that waits for a moment, started in the triggerer: what any such task costs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG

GIVEN = json.loads(Path(os.environ["AEP_WHOLE"]).read_text())

with DAG("whole_timed", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    for number in range(GIVEN["tasks"]):
        DateTimeSensorAsync(
            task_id=f"wait_{number}",
            target_time=f"{{{{ dag_run.start_date + macros.timedelta(seconds={GIVEN['wait']}) }}}}",
            start_from_trigger=True,
        )
