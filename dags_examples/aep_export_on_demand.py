"""Export datasets now, outside the schedule, and go on when the files are there.

Trigger it by hand, or from a DAG that needs fresh files. The export is declared here and ensured first, so
the first run of this DAG sets it up; it then waits about ten minutes, until Adobe has a new dataflow ready.

Not every organization may export on demand: Adobe has to enable it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.dataflows import AepRunExportOperator
from airflow_provider_aep.operators.exports import AepEnsureExportOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor

with DAG(
    "aep_export_on_demand",
    description="Export AEP datasets now, and wait for the files",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["aep"],
    params={
        "datasets": Param([], type="array", description="Ids of datasets to export; by default all"),
    },
    render_template_as_native_obj=True,  # a rendered list stays a list
) as dag:
    ensure = AepEnsureExportOperator(
        task_id="ensure",
        spec={
            "name": "on-demand",
            "description": "Exported daily, and whenever DAG aep_export_on_demand is triggered",
            "datasets": [{"name": "CRM Profiles"}, {"name": "Loyalty Profiles"}],
            "destination": {
                "type": "data_landing_zone",
                "params": {"path": "on-demand", "datasetFileType": "PARQUET"},
            },
            "schedule": {"every": "1d", "end": "2027-12-31T00:00:00Z"},
        },
        retries=2,
    )

    ensured: Any = ensure.output
    run_export = AepRunExportOperator(
        task_id="run_export",
        dataflow_id=ensured["dataflow_id"],
        datasets="{{ params.datasets or none }}",
        retries=0,  # a retry of a try that was killed may export a second time: whoever clears it decides
    )

    # These runs and no others, also where one was under way already and was adopted.
    run_ids: Any = run_export.output
    wait = AepDataflowRunSensor(
        task_id="wait",
        dataflow_id=ensured["dataflow_id"],
        run_ids=run_ids,
        on_zero_records="warn",
        deferrable=True,
        timeout=timedelta(hours=3).total_seconds(),
        on_failure_callback=AepRunNotifier(),
    )

    @task
    def use_files(verdict: dict[str, Any]) -> int:
        """What needs the fresh files goes here."""
        # Adobe does not tell every number of every run.
        records = int(verdict["records_out"] or 0)
        logging.getLogger(__name__).info("%d records were exported", records)
        return records

    verdict: Any = wait.output
    use_files(verdict)
