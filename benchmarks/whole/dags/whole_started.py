"""A sensor of this provider for each export, which starts in the triggerer."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_aep.sensors import AepDataflowRunSensor

GIVEN = json.loads(Path(os.environ["AEP_WHOLE"]).read_text())

with DAG("whole_started", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    for number, each in enumerate(GIVEN["started"]):
        AepDataflowRunSensor(
            task_id=f"wait_{number}",
            dataflow_id=each["dataflow_id"],
            started_after=GIVEN["since"],
            poke_interval=GIVEN["interval"],
            start_in_triggerer=True,
            timeout=3600,
        )
