"""Set up the export of datasets to any of the six destinations; which one is a parameter of the run.

The destination's login is read from the Airflow connection named in ``credentials_conn_id``, by its usual
fields: leave it out for Data Landing Zone, whose storage is Adobe's own.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.connections import (
    AepCreateBaseConnectionOperator,
    AepCreateSourceConnectionOperator,
    AepCreateTargetConnectionOperator,
)
from airflow_provider_aep.operators.dataflows import AepCreateDataflowOperator
from airflow_provider_aep.operators.datasets import AepListDatasetsOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor

# What each destination wants to know about the place; a run may name its own in `location`.
LOCATIONS = {
    "s3": {"bucketName": "acme-exports", "path": "aep"},
    "azure_blob": {"container": "acme-exports", "path": "aep"},
    "adls_gen2": {"path": "aep"},
    "data_landing_zone": {"path": "aep"},
    "gcs": {"bucketName": "acme-exports", "path": "aep"},
    "sftp": {"remotePath": "aep"},
}

with DAG(
    "aep_provision_any",
    description="Export AEP datasets to any of the six cloud storages",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["aep"],
    params={
        "destination": Param("s3", enum=sorted(LOCATIONS)),
        "credentials_conn_id": Param(None, type=["null", "string"]),
        "location": Param({}, type="object", description="Overrides the location in the DAG file"),
        "name": Param("crm-nightly", type="string"),
        "dataset": Param("Loyalty", type="string", description="Export the datasets whose name holds this"),
        "file_type": Param("JSON", enum=["JSON", "PARQUET"]),
        "schedule": Param({"every": "3h", "end": "2027-12-31T00:00:00Z"}, type="object"),
    },
    render_template_as_native_obj=True,  # a rendered dict stays a dict, and a rendered None stays None
    user_defined_macros={"locations": LOCATIONS},
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
) as dag:
    destination = "{{ params.destination }}"

    list_datasets = AepListDatasetsOperator(task_id="list_datasets", name_contains="{{ params.dataset }}")

    create_source_connection = AepCreateSourceConnectionOperator(
        task_id="create_source_connection",
        name="{{ params.name }}",
        datasets=list_datasets.output,
    )

    create_base_connection = AepCreateBaseConnectionOperator(
        task_id="create_base_connection",
        name="{{ params.name }}",
        destination=destination,
        credentials_conn_id="{{ params.credentials_conn_id }}",
    )

    create_target_connection = AepCreateTargetConnectionOperator(
        task_id="create_target_connection",
        name="{{ params.name }}",
        destination=destination,
        base_connection_id=create_base_connection.output,
        target_params=(
            "{{ dict(params.location or locations[params.destination],"
            " datasetFileType=params.file_type, compression='GZIP') }}"
        ),
    )

    create_dataflow = AepCreateDataflowOperator(
        task_id="create_dataflow",
        name="{{ params.name }}",
        destination=destination,
        source_connection_id=create_source_connection.output,
        target_connection_id=create_target_connection.output,
        schedule="{{ params.schedule }}",
    )

    wait_for_first_run = AepDataflowRunSensor(
        task_id="wait_for_first_run",
        dataflow_id=create_dataflow.output,
        started_after="{{ dag_run.start_date }}",
        on_zero_records="fail",  # the first export is a full one: it is never rightly empty
        deferrable=True,
        timeout=timedelta(hours=6).total_seconds(),
        on_failure_callback=AepRunNotifier(),
    )
