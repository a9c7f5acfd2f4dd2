"""Starting and ending in the triggerer of a real Airflow 3.3: what works, and what its task-end events lose.

The second part records why verdicts resume a worker. A test of it that fails means that Airflow has mended
something: then look again at ending sensors in the triggerer.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from airflow_provider_aep.emulator.server import airflow_connection, serve
from tests.airflow.test_stack import RememberingEmulator, Stage
from tools.environment import CHECKOUT
from tools.stack import AirflowStack

pytestmark = [pytest.mark.airflow, pytest.mark.airflow3, pytest.mark.stack]


# A plugin whose listener notes the tasks that succeed.
LISTENER = """
import os, sys
from pathlib import Path
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

@hookimpl
def on_task_instance_success(previous_state, task_instance):
    with (Path(os.environ["AIRFLOW_HOME"]) / "heard").open("a") as file:
        file.write(task_instance.task_id + chr(10))

class Heard(AirflowPlugin):
    name = "heard"
    listeners = [sys.modules[__name__]]
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    dags, plugins = tmp_path_factory.mktemp("dags"), tmp_path_factory.mktemp("plugins")
    (plugins / "heard.py").write_text(LISTENER)
    shutil.copy(CHECKOUT / "tests/airflow/dags/aep_starting.py", dags)
    emulator = RememberingEmulator(hour=2.0, run_seconds=0.5)
    with (
        serve(emulator) as url,
        AirflowStack(
            dags,
            connections={"aep_default": json.loads(airflow_connection(emulator, url))},
            env={
                "AIRFLOW__AEP__POLL_INTERVAL": "2",
                "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
                "PYTHONPATH": str(CHECKOUT),
            },
        ) as airflow,
    ):
        yield Stage(airflow, emulator)


@pytest.mark.parametrize(
    ("kind", "state"), [("success", "success"), ("failed", "failed"), ("in_progress", "failed")]
)
def test_a_sensor_that_starts_in_the_triggerer_ends_as_one_that_defers(
    stage: Stage, kind: str, state: str
) -> None:
    api = stage.airflow.api
    since = datetime.now(tz=UTC).isoformat()
    stage.emulator.script_runs(kind, [kind] * 40)
    conf = {"dataflow_id": stage.dataflow(kind, every="once"), "started_after": since}
    run_id = api.trigger("aep_starting", conf)
    assert api.wait_for_run("aep_starting", run_id) == state
    assert api.task_states("aep_starting", run_id) == {"deferred": state, "started": state}
    deferred, started = (api.xcoms("aep_starting", run_id, task) for task in ("deferred", "started"))
    assert deferred.get("return_value") == started.get("return_value")
    assert deferred.get("aep_verdict") == started.get("aep_verdict")
    logs = [api.log_text("aep_starting", run_id, task) for task in ("deferred", "started")]
    words = {"failed": "ended as failed", "in_progress": "Sensor has timed out after 60 seconds. Last seen:"}
    assert all(words.get(kind, "exported") in log for log in logs)


def test_a_dataflow_that_is_not_there_is_the_same_error(stage: Stage) -> None:
    api = stage.airflow.api
    conf = {"dataflow_id": "9b1b2c4e-0000-4000-8000-000000000000", "started_after": "2026-01-01"}
    run_id = api.trigger("aep_starting", conf)
    assert api.wait_for_run("aep_starting", run_id) == "failed"
    for task in ("deferred", "started"):
        assert "AepNotFoundError" in api.log_text("aep_starting", run_id, task)


@pytest.fixture(scope="module")
def ended(stage: Stage) -> str:
    run_id = stage.airflow.api.trigger("aep_ending", {})
    stage.airflow.api.wait_for_run("aep_ending", run_id)
    return run_id


def test_a_task_that_its_trigger_ends_loses_the_events_of_its_outlets(stage: Stage, ended: str) -> None:
    assert stage.airflow.api.task_states("aep_ending", ended)["good"] == "success"
    with sqlite3.connect(stage.airflow.home / "airflow.db") as database:
        assert database.execute("select count(*) from asset_event").fetchone() == (0,)


def test_a_task_that_its_trigger_ends_loses_its_callbacks(stage: Stage, ended: str) -> None:
    logs = [file.read_text(errors="replace") for file in stage.airflow.home.rglob("*.log")]
    assert not any("the callback was called" in log for log in logs)


def test_a_task_that_its_trigger_ends_is_not_told_to_listeners(stage: Stage, ended: str) -> None:
    since = datetime.now(tz=UTC).isoformat()
    conf = {"dataflow_id": stage.dataflow("heard", every="once"), "started_after": since}
    run_id = stage.airflow.api.trigger("aep_starting", conf)
    assert stage.airflow.api.wait_for_run("aep_starting", run_id) == "success"
    heard = (stage.airflow.home / "heard").read_text().split()
    assert "started" in heard
    assert "good" not in heard


def test_what_a_trigger_hands_over_cannot_be_mapped(stage: Stage, ended: str) -> None:
    tasks = [
        each for each in stage.airflow.api.task_instances("aep_ending", ended) if each["task_id"] == "take"
    ]
    assert [each["state"] for each in tasks if each["state"] == "success"] == []


def test_what_a_trigger_hands_over_is_text(stage: Stage, ended: str) -> None:
    value = stage.airflow.api.xcoms("aep_ending", ended, "good")["verdict"]
    assert isinstance(value, str)
    assert json.loads(value) == {"outcome": "ok"}


def test_a_task_that_its_trigger_fails_is_tried_again(stage: Stage, ended: str) -> None:
    tasks = {each["task_id"]: each for each in stage.airflow.api.task_instances("aep_ending", ended)}
    assert (tasks["bad"]["state"], tasks["bad"]["try_number"]) == ("failed", 2)
