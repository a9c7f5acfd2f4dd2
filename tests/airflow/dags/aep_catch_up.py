"""What the page on catch-up and backfill tells of ensuring, listing and waiting."""

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_aep.operators.dataflows import AepListDataflowsOperator
from airflow_provider_aep.operators.exports import AepEnsureExportOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor

with DAG(
    "aep_catch_up",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
) as dag:
    ensure = AepEnsureExportOperator(
        task_id="ensure",
        spec={
            "name": "catch-up",
            "datasets": [{"name": "Loyalty Profiles"}],
            "destination": {
                "type": "data_landing_zone",
                "params": {"path": "{{ params.get('path', 'crm') }}", "datasetFileType": "JSON"},
            },
            "schedule": {"every": "3h", "start": "{{ params.start }}", "end": "2099-12-31"},
        },
        params={"start": "2026-01-01T00:00:00Z"},
    )
    due = AepListDataflowsOperator(
        task_id="due", due_from="{{ data_interval_start }}", due_until="{{ data_interval_end }}"
    )
    wait = AepDataflowRunSensor(
        task_id="wait", dataflow_id=ensure.output["dataflow_id"], poke_interval=1, timeout=30
    )
    ensure >> due
