"""Sensors of this provider, each for many exports."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import DAG

from airflow_provider_aep.sensors import AepExportsSensor

GIVEN = json.loads(Path(os.environ["AEP_WHOLE"]).read_text())

with DAG("whole_many", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    for number, ticks in enumerate(GIVEN["many"]):
        AepExportsSensor(
            task_id=f"wait_{number}",
            ticks=ticks,
            poke_interval=GIVEN["interval"],
            deferrable=True,
            timeout=3600,
        )
