"""DAGs that wait for the last run of an export and that judge all of them; the environment says of which."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_aep.operators.monitoring import AepCheckExportsOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepExportsSensor

with DAG("aep_page", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    AepDataflowRunSensor(
        task_id="wait",
        dataflow_id=os.environ["AEP_PAGE_DATAFLOW"],
        started_after=os.environ["AEP_PAGE_AFTER"],
        deferrable=False,
        timeout=60,
    )

with DAG("aep_page_all", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    AepCheckExportsOperator(task_id="check", since=os.environ["AEP_PAGE_AFTER"])
    AepExportsSensor(
        task_id="watch",
        due_from=os.environ["AEP_PAGE_AFTER"],
        due_until=os.environ["AEP_PAGE_UNTIL"],
        deferrable=False,
        poke_interval=2,
        timeout=10,
    )
