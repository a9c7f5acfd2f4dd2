"""What tasks of this provider ask of Airflow's API server while they run. Each call costs CPU there.

``docs/scale.md`` says what each is for. ``python -m benchmarks.whole --calls`` counts them where they arrive.
"""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aep.flowservice.dataflows import get_dataflow
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.operators.exports import OUTPUTS
from airflow_provider_aep.operators.links import AepDataflowLink
from airflow_provider_aep.operators.xcom_keys import EXPORTS_KEY
from tests.airflow.conftest import HOME
from tests.airflow.test_examples import export

pytestmark = [pytest.mark.airflow, pytest.mark.airflow3]

EACH_START = Counter({"SetRenderedFields": 1, "GetConnection": 1})
DEFERRED = Counter({"DeferTask": 1})
SUCCEEDED = Counter({"SetXCom return_value": 1, "SucceedTask": 1})


@pytest.fixture
def calls(aep_server: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Counter[str]]:
    """What was asked, by task. The run that a sensor waits for ends as soon as it has deferred."""
    from airflow.sdk.execution_time.supervisor import InProcessSupervisorComms

    found: dict[str, Counter[str]] = {}
    running: list[str] = []
    send, get_connection = InProcessSupervisorComms.send, AepHook.get_connection

    def counted(self: Any, msg: Any) -> Any:
        kind, task_id = type(msg).__name__, self.supervisor.ti.task_id
        running[:] = [task_id]
        if kind != "MaskSecret":  # goes no further than the task's supervisor
            found.setdefault(task_id, Counter())[f"{kind} {getattr(msg, 'key', '')}".strip()] += 1
        if kind == "DeferTask":
            for run in aep_server.emulator.entities("runs"):
                if run["flowId"] in str(msg.trigger_kwargs):
                    aep_server.emulator.finish_run(run["id"])
        return send(self, msg)

    def asked_for(cls: type[AepHook], conn_id: str) -> Any:
        # It is in the environment, where triggers find it in ``dag.test()``; else this would be a call.
        if running:
            found[running[0]]["GetConnection"] += 1
        return get_connection(conn_id)

    monkeypatch.setattr(InProcessSupervisorComms, "send", counted)
    monkeypatch.setattr(AepHook, "get_connection", classmethod(asked_for))
    return found


def test_no_task_asks_airflow_for_more_than_it_needs(run_dag, aep_server, calls, states, monkeypatch):
    shutil.copy(Path(__file__).with_name("dags") / "aep_calls.py", HOME / "dags")
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0.1")
    aep_server.emulator.script_runs(None, ["in_progress"] * 2)
    one, other = (export(f"calls {name}", every="once") for name in ("one", "other"))
    tick = AepHook().run(get_dataflow(other)).schedule["startTime"]

    run = run_dag("aep_calls", one=one, other=other, tick=datetime.fromtimestamp(tick, UTC).isoformat())

    assert set(states(run).values()) == {"success"}
    assert calls["step"] == EACH_START + SUCCEEDED + Counter({"SetXCom etag": 1})
    outputs = Counter({f"SetXCom {name}": 1 for name in (*OUTPUTS, EXPORTS_KEY, AepDataflowLink.xcom_key)})
    assert calls["ensure"] == EACH_START + SUCCEEDED + outputs
    starts = EACH_START + DEFERRED + EACH_START
    # What resumes is told by its trigger what it takes to judge.
    assert calls["wait"] == starts - Counter({"GetConnection": 1}) + SUCCEEDED + Counter(
        {"SetXCom aep_dataflow_url": 1, "GetXCom aep_verdict": 1, "SetXCom aep_verdict": 1}
    )
    assert calls["wait_for_all"] == starts + SUCCEEDED + Counter(
        {"GetXCom aep_check": 2, "SetXCom aep_check": 1}
    )
