"""A DAG that waits for the last run of an export; the environment says of which."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_aep.sensors import AepDataflowRunSensor

with DAG("aep_page", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    AepDataflowRunSensor(
        task_id="wait",
        dataflow_id=os.environ["AEP_PAGE_DATAFLOW"],
        started_after=os.environ["AEP_PAGE_AFTER"],
        deferrable=False,
        timeout=60,
    )
