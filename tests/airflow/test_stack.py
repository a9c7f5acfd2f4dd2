"""A real scheduler, triggerer, DAG processor and API server, with the emulator behind a real socket."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.faults import Fault
from airflow_provider_aep.emulator.server import airflow_connection, serve
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Request, Response
from tools.environment import CHECKOUT
from tools.provisioning import new_dataflow, session_of
from tools.stack import AirflowStack

pytestmark = [pytest.mark.airflow, pytest.mark.airflow3, pytest.mark.stack]


class RememberingEmulator(Emulator):
    """It keeps the tokens that it hands out, so that a test can look for them."""

    tokens: ClassVar[list[str]] = []

    def answer(self, request: Request) -> tuple[Response, Fault | None]:
        response, fault = super().answer(request)
        if token := response.json.get("access_token"):
            self.tokens.append(token)
        return response, fault


@dataclass
class Stage:
    """A running Airflow, and the emulator that its tasks talk to."""

    airflow: AirflowStack
    emulator: RememberingEmulator

    def dataflow(self, name: str, every: str = "3h", *, start: datetime | None = None) -> str:
        """A dataflow that exports every six seconds from now on."""
        now = datetime.now(tz=UTC)
        exchange = new_dataflow(name, now, every=every, start=start or now)
        return drive(session_of(self.emulator).conduct(exchange, sandbox="prod"), self.emulator)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    dags = tmp_path_factory.mktemp("dags")
    shutil.copy(CHECKOUT / "tests/airflow/dags/aep_stack.py", dags)
    emulator = RememberingEmulator(root=tmp_path_factory.mktemp("exports"), hour=2.0, run_seconds=0.5)
    with (
        serve(emulator) as url,
        AirflowStack(
            dags,
            connections={"aep_default": json.loads(airflow_connection(emulator, url))},
            env={"AIRFLOW__AEP__POLL_INTERVAL": "2"},
        ) as airflow,
    ):
        yield Stage(airflow, emulator)


def eventually(found: Callable[[], object], what: str, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)


def kill_worker(airflow: AirflowStack, dag_id: str, run_id: str) -> None:
    """SIGKILL the process that runs the only task of a DAG run; its supervisor has another title."""
    (task,) = airflow.api.task_instances(dag_id, run_id)
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or ()).startswith(f"airflow worker -- {task['id']}"):
            process.kill()
            return
    raise AssertionError("no process runs that task")


def test_a_worker_killed_between_its_post_and_its_xcom_leaves_one_entity(stage: Stage) -> None:
    stage.emulator.stall_next(30, match="POST /sourceConnections")
    run_id = stage.airflow.api.trigger("aep_create_source", {"name": "killed"})
    eventually(lambda: stage.emulator.requests("POST", "/sourceConnections"), "the POST")

    kill_worker(stage.airflow, "aep_create_source", run_id)

    assert stage.airflow.api.wait_for_run("aep_create_source", run_id) == "success"
    made = [one["id"] for one in stage.emulator.entities("sourceConnections") if one["name"] == "killed"]
    assert made == [stage.airflow.api.xcoms("aep_create_source", run_id, "create")["return_value"]]
    (task,) = stage.airflow.api.task_instances("aep_create_source", run_id)
    assert task["try_number"] == 2


def test_a_deferred_wait_outlives_an_outage_and_an_expired_token(stage: Stage) -> None:
    since = datetime.now(tz=UTC).isoformat()
    stage.emulator.script_runs("outage", ["in_progress"])
    dataflow_id = stage.dataflow("outage")
    logins = len(stage.emulator.requests("POST", "/ims/token/v3"))
    run_id = stage.airflow.api.trigger("aep_wait", {"dataflow_id": dataflow_id, "started_after": since})
    states = stage.airflow.api.task_states
    eventually(lambda: states("aep_wait", run_id).get("wait") == "deferred", "deferral")

    link = stage.airflow.api.extra_links("aep_wait", run_id, "wait")["AEP dataflow"]
    stage.emulator.fail_next(503, times=2, match="GET /runs")
    stage.emulator.reset_next(match="GET /runs")
    stage.emulator.expire_tokens()
    asked = len(stage.emulator.requests("GET", "/runs"))
    eventually(lambda: len(stage.emulator.requests("GET", "/runs")) > asked + 5, "polls after the outage")
    assert states("aep_wait", run_id)["wait"] == "deferred"
    stuck = [run for run in stage.emulator.entities("runs") if "completedAtUTC" not in str(run)]
    # The first one: a run of a later tick may be under way just now.
    stage.emulator.finish_run(min(stuck, key=lambda run: run["createdAt"])["id"])

    assert stage.airflow.api.wait_for_run("aep_wait", run_id) == "success"
    verdict = stage.airflow.api.xcoms("aep_wait", run_id, "wait")["return_value"]
    assert (verdict["outcome"], verdict["dataflow_name"]) == ("ok", "outage")
    # Both starts of the worker and the triggerer share one, and then the one that replaced it.
    assert len(stage.emulator.requests("POST", "/ims/token/v3")) <= logins + 2
    assert link == f"https://experience.adobe.com/#/sname:prod/platform/destination/browse/{dataflow_id}"


def test_a_failed_run_turns_the_task_red_with_adobes_error_and_an_alert(stage: Stage) -> None:
    since = datetime.now(tz=UTC).isoformat()
    stage.emulator.script_runs("doomed", ["failed"] * 20)
    dataflow_id = stage.dataflow("doomed")
    run_id = stage.airflow.api.trigger("aep_wait", {"dataflow_id": dataflow_id, "started_after": since})

    assert stage.airflow.api.wait_for_run("aep_wait", run_id) == "failed"

    log = stage.airflow.api.log_text("aep_wait", run_id, "wait")
    assert "Adobe's error ACTIVATION_BATCH-0000-FAILED: Job aborted." in log
    assert "AEP export doomed failed" in log


def test_no_secret_is_anywhere_in_airflows_home(stage: Stage) -> None:
    """Logs of all components, and the database with XComs, triggers and rendered templates."""
    secrets = [stage.emulator.client_secret, *stage.emulator.tokens]
    assert len(secrets) > 2
    leaks = [
        (file.relative_to(stage.airflow.home), number)
        for file in Path(stage.airflow.home).rglob("*")
        if file.is_file()
        for number, secret in enumerate(secrets)
        if secret.encode() in file.read_bytes()
    ]
    assert leaks == []
