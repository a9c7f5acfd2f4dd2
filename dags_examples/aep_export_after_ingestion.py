"""Export datasets as soon as something was ingested into them, and alert only when it was not exported.

Every morning this DAG asks what has come in since the morning before, and waits up to 20 hours for something
to come. A day on which nothing comes is skipped. The run that follows owes what has come in: if it is empty,
somebody hears of it. An empty run for another reason alerts nobody.

Trigger it by hand with ``{"since": "2026-12-01T06:00:00Z"}`` to begin at another moment. Not every
organization may export on demand: Adobe has to enable it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.dataflows import AepRunExportOperator
from airflow_provider_aep.operators.exports import AepEnsureExportOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepDatasetIngestedSensor

alert = AepRunNotifier(channels=["log"])
DATASETS = ["CRM Profiles", "Loyalty Profiles"]
# When an export takes its snapshot is documented nowhere. What was ingested so long before is in it for sure.
MARGIN = timedelta(minutes=10)

with DAG(
    "aep_export_after_ingestion",
    description="Export AEP datasets when data have come in, and alert when these were not exported",
    # "0 6 * * *" alone has no data interval on Airflow 3
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    tags=["aep"],
    params={
        "since": Param(None, type=["null", "string"], description="Begin at this moment; ISO 8601"),
    },
    render_template_as_native_obj=True,  # a rendered list stays a list
) as dag:
    ensure = AepEnsureExportOperator(
        task_id="ensure",
        spec={
            "name": "after-ingestion",
            "description": "Exported whenever DAG aep_export_after_ingestion finds new data",
            "datasets": [{"name": name} for name in DATASETS],
            "destination": {
                "type": "data_landing_zone",
                "params": {"path": "after-ingestion", "datasetFileType": "PARQUET"},
            },
            # Its own ticks are far from this DAG's runs: one that starts within 150 minutes after a tick may
            # be that tick's, and then nobody can tell what it owes.
            "schedule": {"every": "1d", "start": "2026-12-01T18:00:00Z", "end": "2027-12-31T00:00:00Z"},
        },
        retries=2,
    )

    ingested = AepDatasetIngestedSensor(
        task_id="ingested",
        dataset_names=DATASETS,
        require="any",
        ingested_after="{{ params.since or data_interval_start }}",
        settled_for=MARGIN,
        deferrable=True,
        timeout=timedelta(hours=20).total_seconds(),
        soft_fail=True,  # nothing came: there is nothing to export
    )

    ensured: Any = ensure.output
    arrived: Any = ingested.output
    run_export = AepRunExportOperator(
        task_id="run_export",
        dataflow_id=ensured["dataflow_id"],
        datasets=arrived["dataset_ids"],
        retries=0,  # a retry of a try that was killed may export a second time: whoever clears it decides
    )

    run_ids: Any = run_export.output
    wait = AepDataflowRunSensor(
        task_id="wait",
        dataflow_id=ensured["dataflow_id"],
        run_ids=run_ids,
        on_zero_records="warn",  # why it is empty is not known: the log says so
        on_zero_when_nothing_ingested="ok",
        on_zero_when_ingested="fail",
        ingestion_margin=MARGIN,
        deferrable=True,
        timeout=timedelta(hours=3).total_seconds(),
        on_failure_callback=alert,
    )
