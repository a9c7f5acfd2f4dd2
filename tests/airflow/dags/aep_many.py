"""Many exports in one task, for the tests against a running Airflow; ``conf`` gives the ticks."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AssetAlias

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.task_groups import AepExportsTaskGroup

FOLDER = Path(os.environ["AEP_MANY_FOLDER"])


def told(text: str, about: Any) -> None:
    """Note each alert with its incident, so that a test can count them; with a file ``hold``, hang then."""
    with (FOLDER / "told").open("a") as file:
        for alert in about["alerts"]:
            file.write(f"{time.time():.1f}\t{alert['dataflow_name']}\t{alert['status']}\t{alert['key']}\n")
    if (FOLDER / "hold").exists():
        (FOLDER / "hold").unlink()
        (FOLDER / "held").touch()
        time.sleep(120)


with DAG(
    "aep_many",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    render_template_as_native_obj=True,
):
    AepExportsTaskGroup(
        "exports",
        ticks="{{ dag_run.conf['ticks'] }}",
        alert=AepRunNotifier(send=told),
        run_policy={"on_zero_records": "ok", "on_zero_when_ingested": "ok"},
        outlets=[AssetAlias("aep_many")],
        poke_interval=2,
        deferrable=True,
        timeout=300,
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
