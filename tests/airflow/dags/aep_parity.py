"""One sensor for each mode, each way to end, and each thing to wait for; the suite runs it."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.dataflows import AepRunExportOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepExportsSensor
from tests.airflow.kinds import ALL, GIVEN, PARAMS, arguments, together

MODES = {
    "poke": {"mode": "poke", "deferrable": False},
    "reschedule": {"mode": "reschedule", "deferrable": False},
    "deferrable": {"deferrable": True},
}

alert = AepRunNotifier()
callbacks = dict.fromkeys(("on_failure_callback", "on_success_callback", "on_skipped_callback"), alert)

with DAG(
    "aep_parity",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={name: Param("", type="string") for name in PARAMS},
) as dag:
    for kind in ALL:
        more = arguments(kind)
        if kind in GIVEN and kind != "given_none":
            started = AepRunExportOperator(
                task_id=f"run_{kind}", dataflow_id=more["dataflow_id"], ready_timeout=60
            )
            more.setdefault("run_ids", started.output)
        for name, mode in MODES.items():
            wait = AepDataflowRunSensor(task_id=f"{kind}_{name}", **callbacks, **more, **mode)
            if kind == "given_text":
                started >> wait

    for kind, (kinds, asked) in together().items():
        ticks = [
            {"dataflow_id": f"{{{{ params.{each} }}}}", "tick": "{{ params.tick_at }}"} for each in kinds
        ]
        for name, mode in MODES.items():
            AepExportsSensor(
                task_id=f"all_{kind}_{name}", ticks=ticks, alert=alert, fail_on_bad=False, **asked, **mode
            )
