"""Hold the exports of a sandbox to the specs in a folder, every day, and say what has changed and what will.

The folder ``exports`` lies beside this file and holds one YAML file for each team. Whoever wants an export,
or wants it otherwise, changes a file; the next run does the rest. A mistake in a file is an import error of
this DAG.

Needs three Airflow connections: ``aep_default``, and the logins of the storages that the specs name:
``aep_s3`` (type *Amazon Web Services*) and ``aep_sftp`` (type *SFTP*). Data Landing Zone needs none.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_aep.operators.exports import AepEnsureExportOperator, AepPlanExportOperator
from airflow_provider_aep.operators.xcom_keys import EXPORTS_KEY

SPECS = "exports"

with DAG(
    "aep_ensure_exports",
    description="Make dataset exports what their specs declare",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["aep"],
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
) as dag:
    # The drift report: a warning where somebody changed a spec, or the sandbox behind our back.
    plan = AepPlanExportOperator(task_id="plan", specs=SPECS, on_changes="warn")

    # Nothing is replaced without being asked: see allow_replace. A retry goes on where the last try ended.
    ensure = AepEnsureExportOperator(task_id="ensure", specs=SPECS)

    @task(trigger_rule="all_done")
    def report(ti: Any = None) -> list[str]:
        """What somebody should know: errors, exports that end soon, entities that were left behind."""
        # Not the return value: a task that failed has none, and yet has told what it did.
        outcomes = ti.xcom_pull(task_ids="ensure", key=EXPORTS_KEY) or []
        said = []
        for outcome in outcomes:
            said += [f"{outcome['name']}: {warning}" for warning in outcome["warnings"]]
            if outcome["error"]:
                said.append(f"{outcome['name']} failed: {outcome['error']}")
        for line in said:
            logging.getLogger(__name__).warning("%s", line)
        return said

    plan >> ensure >> report()
