"""Deferred waits in a real Airflow that are killed, cleared, timed out, or moved to another triggerer."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.server import airflow_connection, serve
from tests.airflow.test_events import eventually, make_export
from tools.environment import CHECKOUT
from tools.stack import AirflowStack

pytestmark = [pytest.mark.airflow, pytest.mark.airflow3, pytest.mark.stack]


@dataclass
class Waiting:
    """A DAG run whose only task waits for a run of a dataflow of its own."""

    airflow: AirflowStack
    emulator: Emulator
    dag_id: str
    name: str
    kind: str
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        since = datetime.now(tz=UTC).isoformat()
        self.dataflow_id = make_export(self.emulator, self.name, "JSON")
        self.remote_run = self.export(self.kind)
        self.run_id = self.airflow.api.trigger(
            self.dag_id, {"dataflow_id": self.dataflow_id, "started_after": since}
        )

    def export(self, kind: str) -> str:
        """Let the dataflow run once more, with that end; the id of its run."""
        self.emulator.script_runs(self.name, [kind])
        (run_id,) = self.emulator.run_now(self.dataflow_id)
        return run_id

    @property
    def task(self) -> dict[str, Any]:
        found = self.airflow.api.task_instances(self.dag_id, self.run_id)
        return found[0] if found else {"state": None}

    @property
    def asked(self) -> int:
        """How often the service was asked for the runs of this dataflow."""
        return sum(self.dataflow_id in str(each) for each in self.emulator.requests("GET", "/runs"))

    def until(self, state: str) -> None:
        eventually(lambda: self.task["state"] == state, f"{self.name} {state}; is {self.task}")

    def until_asked_again(self, times: int = 2) -> None:
        before = self.asked
        eventually(lambda: self.asked >= before + times, f"looks for {self.name}")

    def end(self) -> str:
        return self.airflow.api.wait_for_run(self.dag_id, self.run_id, seconds=60)

    def verdict(self) -> dict[str, Any]:
        return dict(self.airflow.api.xcoms(self.dag_id, self.run_id, "wait")["return_value"])

    def log(self, try_number: int = 1) -> str:
        """With all fields: the reason of a skip is none of the lines."""
        path = f"/dags/{self.dag_id}/dagRuns/{quote(self.run_id, safe='')}/taskInstances/wait/logs"
        return json.dumps(self.airflow.api.call("GET", f"{path}/{try_number}?full_content=true"))

    def mark_failed(self) -> None:
        path = f"/dags/{self.dag_id}/dagRuns/{quote(self.run_id, safe='')}/taskInstances/wait"
        self.airflow.api.call("PATCH", path, {"new_state": "failed"})

    def clear(self) -> None:
        what = {"dag_run_id": self.run_id, "task_ids": ["wait"], "only_failed": False, "dry_run": False}
        self.airflow.api.call("POST", f"/dags/{self.dag_id}/clearTaskInstances", what)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AirflowStack, Emulator]]:
    dags = tmp_path_factory.mktemp("dags")
    shutil.copy(CHECKOUT / "tests/airflow/dags/aep_waits.py", dags)
    emulator = Emulator(root=tmp_path_factory.mktemp("exports"), hour=3600.0, run_seconds=0.5)
    with (
        serve(emulator) as url,
        AirflowStack(
            dags,
            connections={"aep_default": json.loads(airflow_connection(emulator, url))},
            triggerers=2,
            env={
                "AIRFLOW__AEP__POLL_INTERVAL": "1",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor,tools.pods.PodExecutor",
                # So that a triggerer soon takes over what a dead one has left.
                "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "4",
                "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            },
        ) as airflow,
    ):
        yield airflow, emulator


def test_a_wait_that_is_marked_failed_stops_and_stays_so_when_the_run_ends(stage) -> None:
    marked = Waiting(*stage, "aep_wait_long", "marked", "in_progress")
    witness = Waiting(*stage, "aep_wait_long", "witness", "in_progress")
    for each in (marked, witness):
        each.until("deferred")
        each.until_asked_again()

    marked.mark_failed()

    witness.until_asked_again(4)  # by then the triggerer has dropped what was marked
    asked = marked.asked
    marked.emulator.finish_run(marked.remote_run)
    witness.until_asked_again(4)
    witness.emulator.finish_run(witness.remote_run)
    assert witness.end() == "success"
    assert marked.asked == asked
    assert marked.end() == "failed"
    assert (marked.task["state"], marked.task["try_number"]) == ("failed", 1)
    assert f"The wait for dataflow {marked.dataflow_id} was ended; its runs go on at Adobe" in marked.log()


def test_timeouts_hold_while_deferred_and_say_what_was_last_seen(stage) -> None:
    hard = Waiting(*stage, "aep_wait_timeout", "hard", "in_progress")
    soft = Waiting(*stage, "aep_wait_timeout_soft", "soft", "in_progress")
    execution = Waiting(*stage, "aep_wait_execution_timeout", "execution", "in_progress")

    assert [each.end() for each in (hard, soft, execution)] == ["failed", "success", "failed"]

    assert [each.task["state"] for each in (hard, soft, execution)] == ["failed", "skipped", "failed"]
    for each in (hard, soft, execution):
        assert f"Last seen: run {each.remote_run} processing" in each.log()
    assert "Sensor has timed out after 4 seconds" in hard.log()
    assert "AirflowTaskTimeout" in execution.log()
    assert "The execution_timeout of 5 seconds is over" in execution.log()


def test_a_wait_that_is_cleared_looks_again_and_may_end_otherwise(stage) -> None:
    timed_out = Waiting(*stage, "aep_wait_timeout", "timed out", "in_progress")
    failed = Waiting(*stage, "aep_wait_timeout", "failed", "failed")
    good = Waiting(*stage, "aep_wait_timeout", "good", "success")
    assert [each.end() for each in (timed_out, failed, good)] == ["failed", "failed", "success"]
    asked = [each.asked for each in (timed_out, failed, good)]

    timed_out.emulator.finish_run(timed_out.remote_run)
    second = good.export("failed")
    time.sleep(1)  # the run's length, and then some
    for each in (timed_out, failed, good):
        each.clear()

    assert [each.end() for each in (timed_out, failed, good)] == ["success", "failed", "failed"]
    assert all(each.asked > before for each, before in zip((timed_out, failed, good), asked, strict=True))
    assert timed_out.verdict()["run_ids"] == [timed_out.remote_run]
    assert f"run {failed.remote_run} ended as failed" in failed.log(2)
    assert f"run {second} ended as failed" in good.log(2)
    assert "return_value" not in stage[0].api.xcoms("aep_wait_timeout", good.run_id, "wait")


def test_waits_outlive_their_triggerers_and_two_triggerers_do_nothing_twice(stage) -> None:
    airflow, emulator = stage
    waits = [Waiting(*stage, "aep_wait_long", f"moved {number}", "in_progress") for number in range(3)]
    for each in waits:
        each.until("deferred")

    # Whichever holds a wait, it loses it once.
    airflow.kill("triggerer")
    for each in waits:
        each.until_asked_again(3)
    airflow.start("triggerer")
    airflow.kill("triggerer-2")
    for each in waits:
        each.until_asked_again(3)
    airflow.start("triggerer-2")
    for each in waits:
        each.until_asked_again(3)

    for each in waits:
        emulator.finish_run(each.remote_run)
    assert {each.end() for each in waits} == {"success"}

    for each in waits:
        assert each.verdict()["run_ids"] == [each.remote_run]
        assert each.task["try_number"] == 1
        assert each.asked < 1.6 * (time.monotonic() - each.began)  # one look a second, give or take
    told = [
        event["extra"]["run_ids"]
        for event in airflow.api.call("GET", "/assets/events?limit=100")["asset_events"]
    ]
    assert sorted(run for run in told if run[0] in {each.remote_run for each in waits}) == sorted(
        [each.remote_run] for each in waits
    )


def test_a_wait_whose_tasks_find_an_empty_home_as_in_pods_of_kubernetes_ends_as_any_other(stage) -> None:
    airflow, emulator = stage
    earlier = len(emulator.requests())
    good = Waiting(*stage, "aep_wait_pod", "in a pod", "in_progress")
    bad = Waiting(*stage, "aep_wait_pod", "failed in a pod", "failed")
    good.until("deferred")
    good.until_asked_again()

    emulator.finish_run(good.remote_run)

    assert [each.end() for each in (good, bad)] == ["success", "failed"]
    assert good.verdict()["run_ids"] == [good.remote_run]
    assert [each.task["try_number"] for each in (good, bad)] == [1, 1]
    pods = [log.read_text() for log in (airflow.home / "pods").glob("aep_wait_pod-*.log")]
    assert len(pods) in (3, 4)  # the failed run may have ended before its task could defer
    assert any(f"run {bad.remote_run} ended as failed" in log for log in pods)
    assert not any(emulator.client_secret in log for log in pods)
    fetched = [
        each
        for each in emulator.log[earlier:]
        if each.path == "/ims/token/v3" and "user-agent" in each.headers  # not by this test itself
    ]
    assert len(fetched) <= len(pods) + 2  # no pod finds another's; the triggerers may need one each
    eventually(
        lambda: not any(each.is_dir() for each in (airflow.home / "pods").iterdir()), "the pods are removed"
    )
