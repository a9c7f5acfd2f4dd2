"""Starting and ending in the triggerer of a real Airflow 3.3: what works, and what its task-end events lose.

The second part records why verdicts resume a worker. A test of it that fails means that Airflow has mended
something: then look again at ending sensors in the triggerer.
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.emulator.server import airflow_connection, serve
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from tests.airflow.kinds import KINDS, WAITS
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


STARTING = KINDS | WAITS


@pytest.fixture(scope="module")
def started(stage: Stage) -> str:
    """The run of a DAG with the parity matrix, each task of which begins in the triggerer."""
    tick_at = datetime.now(tz=UTC).replace(microsecond=0)
    conf = {"tick_at": tick_at.isoformat(), "window_end": (tick_at + timedelta(days=1)).isoformat()}
    for name, kind in STARTING.items():
        stage.emulator.script_runs(name, kind.runs)
        conf[name] = stage.dataflow(name, every="once", start=tick_at)
    conf["gone"] = "9b1b2c4e-0000-4000-8000-000000000000"
    run_id = stage.airflow.api.trigger("aep_starting", conf)
    stage.airflow.api.wait_for_run("aep_starting", run_id)
    return run_id


def test_a_sensor_that_starts_in_the_triggerer_ends_as_in_every_other_mode(
    stage: Stage, started: str
) -> None:
    api = stage.airflow.api

    states = api.task_states("aep_starting", started)

    assert states == {"deferred": "success"} | {name: kind.state for name, kind in STARTING.items()}
    for name, kind in STARTING.items():
        log, found = api.log_text("aep_starting", started, name), api.xcoms("aep_starting", started, name)
        assert re.search(kind.says, log), name
        verdict = found.get(VERDICT_KEY)
        assert found.get("return_value") == (verdict if kind.state == "success" else None)
        if kind.verdict:
            assert (verdict["status"], verdict["outcome"]) == kind.verdict
            assert f"Dataflow '{name}': {verdict['reason']}" in log
            assert (f"AEP export {name} " in log) == kind.alerts
    deferred = api.xcoms("aep_starting", started, "deferred")
    assert deferred[VERDICT_KEY] == api.xcoms("aep_starting", started, "success")[VERDICT_KEY]


def test_what_started_in_the_triggerer_and_is_cleared_starts_and_ends_so_again(
    stage: Stage, started: str
) -> None:
    api = stage.airflow.api
    before = {name: api.xcoms("aep_starting", started, name) for name in ("success", "failed")}

    api.clear("aep_starting", started, list(before))
    api.wait_for_run("aep_starting", started)

    tasks = {each["task_id"]: each for each in api.task_instances("aep_starting", started)}
    for name, xcoms in before.items():
        assert (tasks[name]["state"], tasks[name]["try_number"]) == (STARTING[name].state, 2)
        assert api.xcoms("aep_starting", started, name) == xcoms
        log = api.log_text("aep_starting", started, name, try_number=2)
        assert log.count("::group::Pre Execute") == 1  # of one worker, that judged
        assert re.search(STARTING[name].says, log)


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


def test_a_task_that_its_trigger_ends_is_not_told_to_listeners(
    stage: Stage, started: str, ended: str
) -> None:
    heard = (stage.airflow.home / "heard").read_text().split()
    assert "success" in heard
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
