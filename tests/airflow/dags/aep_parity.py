"""One sensor for each mode and each way to end; the suite runs it."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.sensors import AepDataflowRunSensor

# How each export's runs end, and what its sensors ask of them besides.
KINDS = {
    "success": {},
    "failed": {},
    "zero": {},
    "partial": {},
    "unknown_status": {},
    "negative": {"min_records": 10, "zero_streak": 2},
    "low": {"min_records": 10**9, "on_low_records": "fail"},
    "tolerated": {"max_failed_ratio": 1.0, "max_skipped_ratio": 1.0},
    "slow": {"max_duration": 0.001},
    "first_empty": {"zero_streak": 3, "on_zero_records": "fail"},
    "never_ends": {"timeout": 2},
    "gone": {},
}
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
    for kind, asked in KINDS.items():
        for name, mode in MODES.items():
            AepDataflowRunSensor(
                task_id=f"{kind}_{name}",
                dataflow_id="{{ params." + kind + " }}",
                started_after="2026-01-01",
                on_failure_callback=alert,
                on_success_callback=alert,
                on_skipped_callback=alert,
                **{"on_zero_records": "skip", "timeout": 60, **asked},
                **mode,
            )
