"""Set up the export of datasets to Amazon S3, one operator for each step, and wait for its first run.

Needs two Airflow connections: ``aep_default`` (type *Adobe Experience Platform*) and ``aep_s3`` (type *Amazon
Web Services*, with the access key in its login and the secret key in its password).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.connections import (
    AepCreateBaseConnectionOperator,
    AepCreateSourceConnectionOperator,
    AepCreateTargetConnectionOperator,
    AepGetConnectionSpecOperator,
)
from airflow_provider_aep.operators.dataflows import AepCreateDataflowOperator
from airflow_provider_aep.operators.datasets import AepListDatasetsOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor

with DAG(
    "aep_provision_s3",
    description="Export AEP datasets to Amazon S3, step by step",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["aep"],
    params={
        "name": Param("crm-nightly", type="string", description="Names all entities that are created"),
        "dataset": Param("Loyalty", type="string", description="Export the datasets whose name holds this"),
        "bucket": Param("acme-exports", type="string"),
        "path": Param("aep/crm", type="string"),
        "every": Param("3h", enum=["once", "1h", "3h", "6h", "9h", "12h", "1d"]),
        "end": Param("2027-12-31T00:00:00Z", type="string", format="date-time"),
    },
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
) as dag:
    list_datasets = AepListDatasetsOperator(task_id="list_datasets", name_contains="{{ params.dataset }}")

    get_connection_spec = AepGetConnectionSpecOperator(task_id="get_connection_spec", destination="s3")

    create_source_connection = AepCreateSourceConnectionOperator(
        task_id="create_source_connection",
        name="{{ params.name }}",
        datasets=list_datasets.output,
    )

    create_base_connection = AepCreateBaseConnectionOperator(
        task_id="create_base_connection",
        name="{{ params.name }}",
        destination="s3",
        credentials_conn_id="aep_s3",
    )

    create_target_connection = AepCreateTargetConnectionOperator(
        task_id="create_target_connection",
        name="{{ params.name }}",
        destination="s3",
        base_connection_id=create_base_connection.output,
        target_params={
            "bucketName": "{{ params.bucket }}",
            "path": "{{ params.path }}",
            "datasetFileType": "PARQUET",
            "compression": "GZIP",
        },
    )

    create_dataflow = AepCreateDataflowOperator(
        task_id="create_dataflow",
        name="{{ params.name }}",
        destination="s3",
        source_connection_id=create_source_connection.output,
        target_connection_id=create_target_connection.output,
        schedule={"every": "{{ params.every }}", "end": "{{ params.end }}"},
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

    get_connection_spec >> create_base_connection
