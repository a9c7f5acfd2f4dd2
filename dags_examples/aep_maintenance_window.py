"""Keep an export from running while its target is worked on, and switch it on again whatever happens.

A run that is under way when the window opens goes on; wait for it inside the window if it is in the way, with
an ``AepDataflowRunSensor``.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_aep.operators.maintenance import maintenance_window

DATAFLOW = "{{ params.dataflow_id }}"

with DAG(
    "aep_maintenance_window",
    description="Work on the target of an AEP export while it is switched off",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["aep"],
    params={"dataflow_id": Param("", type="string", description="Id of the dataflow to switch off")},
) as dag:

    @task
    def rebuild_tables() -> None:
        """What must not happen while files arrive goes here."""
        logging.getLogger(__name__).info("Rebuilding")

    @task
    def check_tables() -> None:
        """So does this."""
        logging.getLogger(__name__).info("Checking")

    # An export that stays off unnoticed is worse than a late one: the window tries hard to end.
    with maintenance_window(DATAFLOW, retries=3, retry_delay=timedelta(seconds=30)):
        rebuild_tables() >> check_tables()
