"""The exports that ``conf`` names, watched both ways: a deferred wait for each, and one task for all.

``tools/soak.py`` makes trouble meanwhile.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, AssetAlias, task

from airflow_provider_aep.assets import export_asset
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepExportsSensor

ASSET = export_asset(org="EMULATED00000000000000@AdobeOrg", sandbox="prod", dataset="soak")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
# The endings are about the poll, and not about what was ingested.
POLICY = {"on_zero_when_ingested": "warn", "on_zero_when_nothing_ingested": "warn"}
WAIT: dict[str, Any] = {
    "task_id": "wait",
    "deferrable": True,
    "timeout": 3600,
    "retries": 2,  # a second try would show
    "retry_delay": timedelta(seconds=2),
}


def note(text: str, about: Any) -> None:
    """Leave a line for each alert in the home of the host that sends it: all at once, or none."""
    lines = [json.dumps(alert) + "\n" for alert in about["alerts"]]
    with (Path(os.environ["AIRFLOW_HOME"]) / "alerts.jsonl").open("ab", buffering=0) as file:
        file.write("".join(lines).encode())


with DAG("aep_soak", schedule=None, start_date=BEGIN, catchup=False):

    @task
    def dataflows(**context: Any) -> list[str]:
        return [tick["dataflow_id"] for tick in context["dag_run"].conf["ticks"]]

    AepDataflowRunSensor.partial(
        started_after="{{ dag_run.conf['started_after'] }}", outlets=[ASSET], **POLICY, **WAIT
    ).expand(dataflow_id=dataflows())

with DAG("aep_soak_many", schedule=None, start_date=BEGIN, catchup=False, render_template_as_native_obj=True):
    AepExportsSensor(
        ticks="{{ dag_run.conf['ticks'] }}",
        run_policy=POLICY,
        alert=AepRunNotifier(send=note),
        fail_on_bad=False,
        outlets=[AssetAlias("aep_soak_many")],
        **WAIT,
    )
