"""One sensor for each mode and each way to end; the suite runs it."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.sensors import AepDataflowRunSensor

KINDS = ("success", "failed", "zero", "partial")
MODES = {
    "poke": {"mode": "poke", "deferrable": False},
    "reschedule": {"mode": "reschedule", "deferrable": False},
    "deferrable": {"deferrable": True},
}

alert = AepRunNotifier()

with DAG(
    "aep_parity",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={kind: Param("", type="string") for kind in KINDS},
) as dag:
    for kind in KINDS:
        for name, mode in MODES.items():
            AepDataflowRunSensor(
                task_id=f"{kind}_{name}",
                dataflow_id="{{ params." + kind + " }}",
                started_after="2026-01-01",
                on_zero_records="skip",
                timeout=30,
                on_failure_callback=alert,
                on_success_callback=alert,
                on_skipped_callback=alert,
                **mode,
            )
