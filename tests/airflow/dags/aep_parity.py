"""One sensor for each mode, each way to end, and each thing to wait for; the suite runs it."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.dataflows import AepRunExportOperator
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
    "first_empty": {"zero_streak": 3, "on_zero_records": "fail", "on_zero_when_ingested": "fail"},
    "never_ends": {"timeout": 2},
    "gone": {},
}
# What is waited for other than an open window: each export's name, and what its sensors are told of it.
WAITS = {
    "tick": {"tick": "{{ params.tick_at }}"},
    "tick_failed": {"tick": "{{ params.tick_at }}"},
    "no_tick": {"tick": "2026-01-01T00:00:01Z"},
    "window": {"started_after": "{{ params.tick_at }}", "started_before": "{{ params.window_end }}"},
    "window_over": {"started_after": "2026-01-01", "started_before": "2026-01-02"},
    "given": {},
    "given_failed": {},
    "given_text": {"run_ids": "{{ ti.xcom_pull(task_ids='run_given_text') }}"},
    "given_none": {"run_ids": "{{ ti.xcom_pull(task_ids='nobody') }}"},
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
    params={name: Param("", type="string") for name in (*KINDS, *WAITS, "tick_at", "window_end")},
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
                **{"on_zero_records": "skip", "on_zero_when_ingested": "skip", "timeout": 60, **asked},
                **mode,
            )

    for kind, asked in WAITS.items():
        more = dict(asked)
        if kind.startswith("given") and kind != "given_none":
            started = AepRunExportOperator(
                task_id=f"run_{kind}", dataflow_id="{{ params." + kind + " }}", ready_timeout=60
            )
            if not more:
                more = {"run_ids": started.output}
        for name, mode in MODES.items():
            wait = AepDataflowRunSensor(
                task_id=f"{kind}_{name}",
                dataflow_id="{{ params." + kind + " }}",
                timeout=60,
                on_failure_callback=alert,
                on_success_callback=alert,
                on_skipped_callback=alert,
                **more,
                **mode,
            )
            if kind == "given_text":
                started >> wait
