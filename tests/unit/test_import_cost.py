"""What a DAG file pays for: importing our classes brings in little that Airflow has not imported already."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

# Names that an older Airflow's own compat provider lacks.
COMPAT = "from tests import older_compat; older_compat.stand_in()"
# What every DAG with a hook, an operator, a sensor, a trigger or a notifier of any provider imports.
AIRFLOWS_OWN = """
import airflow
from airflow.providers.common.compat.sdk import (
    AirflowException, BaseHook, BaseNotifier, BaseOperator, BaseOperatorLink, BaseSensorOperator,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent
"""
FACES = (
    "operators.datasets",
    "operators.connections",
    "operators.dataflows",
    "operators.exports",
    "operators.maintenance",
    "operators.monitoring",
    "assets",
    "retry_policy",
    "task_groups",
    "sensors",
    "notifications",
    "operators.links",
    "triggers",
)
PRICE = """
import json, sys
{compat}
{before}
before = set(sys.modules)
{after}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def brought_in(after: str, before: str = "") -> set[str]:
    """The modules that some imports add to those that other ones have brought in, in a fresh process."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            PRICE.format(compat=COMPAT if "compat.sdk" in before else "", before=before, after=after),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def added() -> set[str]:
    """What the faces together add to Airflow's own."""
    every = ", ".join(f"airflow_provider_aep.{face}" for face in FACES)
    return brought_in(f"import {every}", before=AIRFLOWS_OWN)


def test_a_dag_file_pays_for_no_socket_and_no_schema(added):
    heavy = {"requests", "urllib3", "jsonschema", "aiohttp", "httpx", "pandas", "pyarrow"}
    assert {name for name in added if name.partition(".")[0] in heavy} == set()


def test_a_dag_file_loads_neither_the_hook_nor_what_is_behind_it(added):
    behind = ("hooks", "flowservice.transport", "flowservice.session", "emulator")
    assert [name for name in behind if f"airflow_provider_aep.{name}" in added] == []


def test_a_notifier_loads_no_operator_and_no_sensor():
    loaded = brought_in("import airflow_provider_aep.notifications", before=AIRFLOWS_OWN)
    tasks = ("airflow_provider_aep.operators.", "airflow_provider_aep.sensors")
    assert {name for name in loaded if name.startswith(tasks)} == {"airflow_provider_aep.operators.xcom_keys"}


# A sensor for a window that has just begun: it defers, or it judges the run that its trigger has seen.
SENSOR = """
import datetime, os
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseSensorOperator, TaskDeferred
from airflow_provider_aep.sensors import AepDataflowRunSensor
class TaskInstance:
    dag_id, run_id, task_id, map_index, try_number = "d", "r", "wait", -1, 1
    def xcom_push(self, **given): pass
    def xcom_pull(self, **given): return None
FLOW = "00000000-0000-4000-8000-000000000000"
NOW = datetime.datetime.now(tz=datetime.timezone.utc)
RUN = {"id": "r-1", "flowId": FLOW, "createdAt": 1_790_000_000_000, "metrics": {
    "statusSummary": {"status": "success"}, "recordSummary": {"outputRecordCount": 5, "inputRecordCount": 5},
    "durationSummary": {"startedAtUTC": 1_790_000_000_000, "completedAtUTC": 1_790_000_600_000}}}
EVENT = {"version": 1, "status": "finished", "runs": [RUN], "dataflow": {"id": FLOW, "name": "nightly"}}
os.environ["AIRFLOW_CONN_AEP_DEFAULT"] = '''{"conn_type": "aep", "login": "client",
    "password": "s3cret-s3cret",
    "extra": {"org_id": "0123456789ABCDEF01234567@AdobeOrg"}}'''
sensor = AepDataflowRunSensor(task_id="wait", dataflow_id=FLOW, started_after=NOW, deferrable=True)
context = {"ti": TaskInstance()}
"""
DEFER = """
try:
    sensor.execute(context)
except TaskDeferred:
    pass
"""
RESUME = 'assert sensor.execute_complete(context, EVENT | {"sandbox": "prod"}, 2e9)["outcome"] == "ok"'


@pytest.mark.parametrize("start", [DEFER, RESUME], ids=["defers", "resumes"])
def test_a_worker_that_asks_nothing_loads_nothing_that_asks(start):
    loaded = brought_in(start, before=SENSOR)
    asks = ("deadline", "entities", "exchange", "failures", "host_files", "listing", "session", "transport")
    assert [each for each in asks if f"airflow_provider_aep.flowservice.{each}" in loaded] == []
    of_some = ("attribution", "causes", "explaining", "findings", "history", "poll", "stuck", "timeline")
    assert [each for each in of_some if f"airflow_provider_aep.monitoring.{each}" in loaded] == []
    assert not {"requests", "urllib3", "cryptography"} & loaded
    others = ("sensors.exports", "sensors.ingested", "triggers.finished_runs")
    assert [each for each in others if f"airflow_provider_aep.{each}" in loaded] == []
    if start is RESUME:
        assert "airflow_provider_aep.hooks.connection" not in loaded
        assert "airflow_provider_aep.triggers" not in loaded


@pytest.mark.parametrize(
    ("component", "executor", "loads"),
    [
        ("scheduler", "LocalExecutor", True),
        ("scheduler", "CeleryExecutor,LocalExecutor", True),
        ("scheduler", "CeleryExecutor", False),
        ("api-server", "LocalExecutor", False),
        ("triggerer", "LocalExecutor", False),
        ("", "LocalExecutor", False),
    ],
)
def test_only_a_scheduler_whose_tasks_are_its_forks_loads_what_they_need(
    monkeypatch, component, executor, loads
):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    loaded = brought_in(
        f"sys.argv = ['airflow', *{component.split()}]\nAepPlugin.on_load()",
        before="from airflow_provider_aep.page.plugin import AepPlugin",
    )
    ours = {name for name in loaded if name.startswith("airflow_provider_aep.")}
    if loads:
        assert {"airflow_provider_aep.sensors.runs", "airflow_provider_aep.monitoring.judging"} <= ours
    else:
        assert ours == {"airflow_provider_aep._preload"}


def test_a_worker_that_is_forked_from_such_a_scheduler_loads_next_to_nothing(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    scheduler = """
from airflow_provider_aep.page.plugin import AepPlugin
import sys
sys.argv = ["airflow", "scheduler"]
AepPlugin.on_load()
"""
    for start in (DEFER, RESUME):
        loaded = brought_in(start, before=scheduler + SENSOR)
        assert {name for name in loaded if name.startswith("airflow_provider_aep")} == set()


def test_a_module_that_cannot_be_loaded_leaves_the_scheduler_alone(monkeypatch, caplog):
    from airflow_provider_aep import _preload

    monkeypatch.setattr(_preload, "WAITING", ("sensors.nowhere",))
    monkeypatch.setattr(sys, "argv", ["airflow", "scheduler"])
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    _preload.preload()
    assert "sensors.nowhere" in caplog.text


def test_what_was_measured_are_the_faces(added):
    assert {f"airflow_provider_aep.{face}" for face in FACES} <= added


@pytest.mark.parametrize(
    "light",
    [
        "errors",
        "arguments",
        "times",
        "provider_info",
        "flowservice.exchange",
        "flowservice.transport",
        "monitoring.verdict",
    ],
)
def test_below_the_line_neither_airflow_nor_requests_is_loaded(light):
    loaded = brought_in(f"import airflow_provider_aep.{light}")
    assert {name.partition(".")[0] for name in loaded} & {
        "airflow",
        "requests",
        "jsonschema",
        "pendulum",
    } == set()


def test_provider_info_loads_nothing_at_all():
    loaded = brought_in("import airflow_provider_aep.provider_info", before="import __future__, typing")
    assert loaded == {"airflow_provider_aep", "airflow_provider_aep.provider_info"}


def test_the_transport_loads_requests_only_to_send():
    loaded = brought_in(
        "from airflow_provider_aep.flowservice.transport import RequestsTransport\nRequestsTransport()"
    )
    assert "requests" not in loaded
