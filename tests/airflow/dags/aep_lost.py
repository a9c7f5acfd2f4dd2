"""Ways in which alerts get lost: a worker that is killed, a mail server that stays silent, a deadline told of
in a worker."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, DeadlineAlert, DeadlineReference, SyncCallback

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.sensors import AepDataflowRunSensor

GOOD = {"type": "email", "to": "team@acme.example"}
SILENT = {"type": "email", "to": "team@acme.example", "smtp_conn_id": "smtp_silent"}


class Asleep(AepDataflowRunSensor):
    """A wait that tells who it is, to be killed: its own process, and its supervisor's."""

    def execute(self, context: Any) -> Any:
        Path(context["dag_run"].conf["pids"]).write_text(f"{os.getppid()} {os.getpid()}")
        time.sleep(600)


with DAG("aep_killed", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    Asleep(
        task_id="wait",
        dataflow_id="f-1",
        started_after="2026-01-01",
        on_failure_callback=AepRunNotifier(channels=[SILENT, GOOD]),
    )

with DAG(
    "aep_deadline_sync",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=4),
        callback=SyncCallback(AepRunNotifier, kwargs={"channels": ["log", GOOD]}),
    ),
):
    AepDataflowRunSensor(
        task_id="wait",
        dataflow_id="{{ dag_run.conf['flow'] }}",
        started_after="{{ dag_run.conf['since'] }}",
        deferrable=True,
        timeout=300,
    )
