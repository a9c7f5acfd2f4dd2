"""One mapped task for each export: each is ensured, retried and waited for on its own.

The specs come from the folder ``exports`` beside this file. Mapped tasks show one line for each export in
Airflow's UI, with its own log and its own button to Adobe's. Where you have a hundred exports and few of
them change, ``AepEnsureExportOperator(specs=...)`` in a single task asks Adobe far less: see
``aep_ensure_exports``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_aep.exports.files import load_specs
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.exports import AepEnsureExportOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor

alert = AepRunNotifier()


def what_to_wait_for(ensured: dict[str, Any]) -> dict[str, Any]:
    return {"dataflow_id": ensured["dataflow_id"], "sandbox": ensured["sandbox"]}


with DAG(
    "aep_provision_mapped",
    description="Ensure many AEP dataset exports, one mapped task for each, and wait for their runs",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["aep"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
) as dag:
    ensure = AepEnsureExportOperator.partial(
        task_id="ensure", map_index_template="{{ task.spec.name }}"
    ).expand(spec=load_specs(Path(__file__).with_name("exports")))

    watch: Any = ensure.output.map(what_to_wait_for)
    AepDataflowRunSensor.partial(
        task_id="wait",
        started_after="{{ dag_run.start_date }}",
        deferrable=True,
        timeout=timedelta(days=1, hours=6).total_seconds(),  # the slowest schedule, and some patience
        on_failure_callback=alert,
        on_success_callback=alert,
    ).expand_kwargs(watch)
