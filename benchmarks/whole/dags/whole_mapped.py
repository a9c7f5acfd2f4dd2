"""A deferred sensor of this provider for each export."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_aep.sensors import AepDataflowRunSensor

GIVEN = json.loads(Path(os.environ["AEP_WHOLE"]).read_text())

with DAG("whole_mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    AepDataflowRunSensor.partial(
        task_id="wait",
        started_after=GIVEN["since"],
        poke_interval=GIVEN["interval"],
        deferrable=True,
        timeout=3600,
    ).expand(dataflow_id=[each["dataflow_id"] for each in GIVEN["mapped"]])
