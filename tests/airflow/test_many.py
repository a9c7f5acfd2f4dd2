"""Twenty exports in one task of a real Airflow, at its default heartbeat: two are bad, and others go on."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.server import airflow_connection, serve
from airflow_provider_aep.flowservice.driving import drive
from tests.airflow.test_stack import eventually
from tools.environment import CHECKOUT
from tools.provisioning import new_dataflow, session_of
from tools.stack import AirflowStack

pytestmark = [pytest.mark.airflow, pytest.mark.airflow3, pytest.mark.stack]

GOOD, BAD = 16, 2
WAIT, REQUIRE = "exports.wait", "exports.require"


class Stage:
    """A running Airflow whose tasks talk to an emulator, and what its alerts have noted."""

    def __init__(self, airflow: AirflowStack, emulator: Emulator, folder: Path) -> None:
        self.airflow, self.emulator, self.folder = airflow, emulator, folder

    def exports(self, name: str) -> list[dict[str, str]]:
        """Twenty exports with one tick, a moment ago: 16 good, 2 bad, 2 that end when they are told to."""
        now = datetime.now(tz=UTC).replace(microsecond=0)
        kinds = {f"{name}-good-{each}": "success" for each in range(GOOD)}
        kinds |= {f"{name}-bad-{each}": "failed" for each in range(BAD)}
        kinds |= {f"{name}-slow-{each}": "in_progress" for each in range(2)}
        session = session_of(self.emulator)

        ticks = []
        for each, kind in kinds.items():
            self.emulator.script_runs(each, [kind])
            made = drive(session.conduct(new_dataflow(each, now), sandbox="prod"), self.emulator)
            ticks.append({"dataflow_id": made, "tick": now.isoformat()})
        return ticks

    def told(self) -> list[list[str]]:
        file = self.folder / "told"
        return [line.split("\t") for line in file.read_text().splitlines()] if file.exists() else []

    def counts(self) -> Counter[tuple[str, str]]:
        return Counter((name, status) for _, name, status, _ in self.told())

    def state(self, run_id: str) -> str | None:
        return self.airflow.api.task_states("aep_many", run_id).get(WAIT)

    def finish_slow_ones(self, ticks: list[dict[str, str]]) -> None:
        for run in self.emulator.entities("runs"):
            if run["flowId"] in {each["dataflow_id"] for each in ticks[-2:]}:
                self.emulator.finish_run(run["id"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    dags, folder = tmp_path_factory.mktemp("dags"), tmp_path_factory.mktemp("told")
    shutil.copy(CHECKOUT / "tests/airflow/dags/aep_many.py", dags)
    emulator = Emulator(run_seconds=8.0)
    with (
        serve(emulator) as url,
        AirflowStack(
            dags,
            connections={"aep_default": json.loads(airflow_connection(emulator, url))},
            env={
                "AEP_MANY_FOLDER": str(folder),
                # Airflow's own default, which the stack of the other tests shortens.
                "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5",
            },
        ) as airflow,
    ):
        yield Stage(airflow, emulator, folder)


@pytest.fixture(autouse=True)
def nothing_told_yet(stage: Stage) -> None:
    for file in stage.folder.iterdir():
        file.unlink()


def test_bad_ones_are_told_once_each_while_others_are_waited_for(stage: Stage) -> None:
    ticks = stage.exports("alerts")
    run_id = stage.airflow.api.trigger("aep_many", {"ticks": ticks})
    bad = {(f"alerts-bad-{each}", "failed"): 1 for each in range(BAD)}
    eventually(lambda: stage.counts() == bad, "an alert for each bad one", seconds=90)
    eventually(lambda: stage.state(run_id) == "deferred", "that it waits on")
    time.sleep(20)  # another look at least, which has nothing to tell
    assert (stage.counts(), stage.state(run_id)) == (bad, "deferred")

    stage.finish_slow_ones(ticks)

    assert stage.airflow.api.wait_for_run("aep_many", run_id) == "failed"
    states = stage.airflow.api.task_states("aep_many", run_id)
    assert states == {WAIT: "success", REQUIRE: "failed"}
    assert stage.counts() == bad
    found = stage.airflow.api.xcoms("aep_many", run_id, WAIT)["return_value"]
    assert found["totals"] == {"fail": BAD, "warn": 0, "skip": 0, "ok": GOOD + 2}
    tasks = {each["task_id"]: each for each in stage.airflow.api.task_instances("aep_many", run_id)}
    assert tasks[WAIT]["try_number"] == 1


def test_a_worker_that_is_killed_while_it_alerts_tells_again_under_the_same_key(stage: Stage) -> None:
    (stage.folder / "hold").touch()
    ticks = stage.exports("killed")
    run_id = stage.airflow.api.trigger("aep_many", {"ticks": ticks})
    eventually(lambda: (stage.folder / "held").exists(), "an alert", seconds=90)
    before = stage.told()
    (task,) = [
        each for each in stage.airflow.api.task_instances("aep_many", run_id) if each["task_id"] == WAIT
    ]
    for process in psutil.process_iter(["cmdline"]):
        if " ".join(process.info["cmdline"] or ()).startswith(f"airflow worker -- {task['id']}"):
            process.kill()
    eventually(lambda: len(stage.told()) > len(before), "that it is told again", seconds=90)
    eventually(lambda: stage.state(run_id) == "deferred", "that it waits on")
    stage.finish_slow_ones(ticks)

    assert stage.airflow.api.wait_for_run("aep_many", run_id) == "failed"
    assert stage.airflow.api.task_states("aep_many", run_id) == {WAIT: "success", REQUIRE: "failed"}
    keys = Counter(key for *_, key in stage.told())
    assert len(keys) == BAD
    assert max(keys.values()) == 2
    found = stage.airflow.api.xcoms("aep_many", run_id, WAIT)["return_value"]
    assert found["totals"]["fail"] == BAD
