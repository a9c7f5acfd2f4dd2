"""Events of exports in a real Airflow: of a task's outlets, of a watcher, and in the DAG that loads files."""

from __future__ import annotations

import importlib.util
import json
import runpy
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_aep.assets import asset_event_extra
from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.server import airflow_connection, serve
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.locations import read_location
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.runs import list_runs
from airflow_provider_aep.monitoring.verdict import RunPolicy, judge_runs
from tools.environment import CHECKOUT
from tools.provisioning import new_dataflow, session_of
from tools.stack import AirflowStack

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="exported files need pyarrow"),
]

EXAMPLE = CHECKOUT / "dags_examples" / "aep_load_export.py"
DATASET = "5ef3e3259ad2a1191ab7dd7d"


def converse(emulator: Emulator) -> Any:
    session = session_of(emulator)
    return lambda exchange: drive(session.conduct(exchange, sandbox="prod"), emulator)


def make_export(
    emulator: Emulator,
    name: str,
    file_type: str = "PARQUET",
    *,
    starts_in: timedelta = timedelta(days=30),
) -> str:
    """A daily export to the Data Landing Zone, by default one that runs when it is told to; its id."""
    now = datetime.now(tz=UTC)
    exchange = new_dataflow(name, now, path="aep/crm", file_type=file_type, every="1d", start=now + starts_in)
    return str(converse(emulator)(exchange))


def finished_run(emulator: Emulator, flow_id: str) -> DataflowRun:
    (run_id,) = emulator.run_now(flow_id)
    emulator.clock.advance(3600)
    return next(run for run in converse(emulator)(list_runs(flow_id)) if run.id == run_id)


def test_an_outlet_of_ours_tells_what_it_is_given_and_others_do_not(run_dag, airflow_db, aep_server):
    shutil.copy(CHECKOUT / "tests/airflow/dags/aep_events.py", airflow_db.parent / "dags")
    converse(aep_server.emulator)(list_runs("any"))  # so that there is a token to look for

    def register(names: dict[str, Any]) -> None:
        if not AIRFLOW_V_3_0_PLUS:  # on Airflow 3 the run itself does
            names["dag"].sync_to_db()

    run = run_dag("aep_events", prepare=register)

    assert str(run.state) == "success"
    events, assets, key = (
        ("asset_event", "asset", "asset_id")
        if AIRFLOW_V_3_0_PLUS
        else ("dataset_event", "dataset", "dataset_id")
    )
    told = {
        uri: json.loads(extra)
        for uri, extra in sqlite3.connect(airflow_db).execute(
            f"SELECT uri, {events}.extra FROM {events} JOIN {assets} ON {assets}.id = {key}"
        )
    }
    assert told == {
        "aep://1234567890ABCDEF/prod/dataset/CRM%20Profiles/nightly": {
            "records": 5,
            "paths": ["s3://acme/x/"],
        },
        "s3://acme/other": {},
    }


def test_the_loading_example_started_by_hand_has_nothing_to_load(run_dag, aep_server, states):
    converse(aep_server.emulator)(list_runs("any"))
    assert set(states(run_dag("aep_load_export")).values()) == {"skipped"}


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE))


def test_the_loading_example_takes_every_event_and_no_export_twice(example):
    def event(*run_ids: str, paths: bool = True, watched: bool = False) -> Any:
        told = {"run_ids": list(run_ids), "paths": ["s3://acme/x/"] if paths else []}
        return SimpleNamespace(extra={"from_trigger": True, "payload": told} if watched else told)

    key = "triggering_asset_events" if AIRFLOW_V_3_0_PLUS else "triggering_dataset_events"
    first = [event("a", watched=True), event("b"), event("b"), event("empty", paths=False)]
    list_exports = example["list_exports"].function
    exports = list_exports(**{key: {"one asset": first, "another": [event("c", "d")]}})
    assert [export["run_ids"] for export in exports] == [["a"], ["b"], ["c", "d"]]
    with pytest.raises(AirflowSkipException):
        list_exports(**{key: {"one asset": [event("empty", paths=False)]}})


@pytest.mark.parametrize("file_type", ["PARQUET", "JSON"])
def test_the_loading_example_reads_all_rows_of_the_files_that_an_event_names(example, tmp_path, file_type):
    emulator = Emulator(root=tmp_path)
    # With its tick, so that the event knows for sure in which folder all of its files are.
    flow_id = make_export(emulator, "crm-nightly", file_type, starts_in=timedelta())
    emulator.clock.advance(3600)
    (run,) = converse(emulator)(list_runs(flow_id))
    location = converse(emulator)(read_location(flow_id))
    verdict = judge_runs([run], RunPolicy()).to_json()
    extra = json.loads(json.dumps(asset_event_extra(verdict, location, [run])))
    assert extra["exact"]

    storage = f"file://{tmp_path}/dlz-destination"
    load = example["load"].function
    assert load(extra, storage) == run.records_out > 1000

    next(tmp_path.rglob("part-*")).unlink()
    with pytest.raises(FileNotFoundError, match=r"\d of \d files"):
        load(extra, storage)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AirflowStack, Emulator]]:
    """An Airflow with the loading example, an export that it watches, and no run of it yet."""
    dags = tmp_path_factory.mktemp("dags")
    shutil.copy(EXAMPLE, dags)
    root = tmp_path_factory.mktemp("exports")
    emulator = Emulator(root=root, hour=3600.0, run_seconds=0.5)
    make_export(emulator, "crm-nightly")
    with (
        serve(emulator) as url,
        AirflowStack(
            dags,
            connections={"aep_default": json.loads(airflow_connection(emulator, url))},
            env={
                "AIRFLOW__AEP__POLL_INTERVAL": "1",
                "AIRFLOW_VAR_AEP_EXPORT_STORAGE": f"file://{root}/dlz-destination",
                # A watcher is set up at the parse after the one in which its asset came into use.
                "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "1",
                "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
                # So that a new triggerer soon takes over what the dead one has left.
                "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "4",
                "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            },
        ) as airflow,
    ):
        yield airflow, emulator


def eventually(found: Any, what: str, *, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.2)
    return result


def triggerers(airflow: AirflowStack) -> list[psutil.Process]:
    """The triggerer of that Airflow and all that it has started."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("AIRFLOW_HOME") == str(airflow.home)
            if ours and "triggerer" in " ".join(process.cmdline()):
                found += [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
    return found


@pytest.mark.airflow3
@pytest.mark.stack
def test_a_finished_run_starts_the_load_once_also_when_the_triggerer_is_killed(stage) -> None:
    airflow, emulator = stage
    (flow,) = emulator.entities("flows")
    airflow.api.wait_for_dag("aep_load_export")
    airflow.api.unpause("aep_load_export")
    eventually(lambda: len(emulator.requests("GET", "/runs")) > 1, "the first look")

    def loads() -> list[dict[str, Any]]:
        return list(airflow.api.call("GET", "/dags/aep_load_export/dagRuns")["dag_runs"])

    def loaded(number: int) -> list[int]:
        """The rows that the so many-th DAG run has loaded."""
        run = eventually(lambda: len(loads()) >= number and loads()[number - 1], f"DAG run {number}")
        assert airflow.api.wait_for_run("aep_load_export", run["dag_run_id"]) == "success"
        tasks = airflow.api.task_instances("aep_load_export", run["dag_run_id"])
        mapped = [task["map_index"] for task in tasks if task["task_id"] == "load"]
        return [
            airflow.api.xcoms("aep_load_export", run["dag_run_id"], "load", map_index=index)["return_value"]
            for index in mapped
        ]

    def exported() -> list[int]:
        return [run.records_out or 0 for run in reversed(converse(emulator)(list_runs(flow["id"])))]

    emulator.run_now(flow["id"])
    assert loaded(1) == exported()

    eventually(lambda: airflow.api.call("GET", "/assets")["assets"], "the asset")
    # It follows within a second or two. A triggerer that is killed before would tell the event again.
    (asset,) = airflow.api.call("GET", "/assets")["assets"]
    (run_id,) = [run["id"] for run in emulator.entities("runs")]
    store = f"/assets/{asset['id']}/state-store"
    eventually(lambda: run_id in json.dumps(airflow.api.call("GET", store)), "the cursor")
    for process in triggerers(airflow):
        process.kill()
    emulator.add_rows(DATASET, 40)
    emulator.clock.advance(60)  # another minute, hence another folder
    emulator.run_now(flow["id"])
    time.sleep(1)
    emulator.tick()
    with (airflow.home / "second-triggerer.log").open("wb") as log:
        again = subprocess.Popen(
            [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"],
            env=airflow._environment(),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        assert loaded(2) == exported()[1:] == [40]
        polls = len(emulator.requests("GET", "/runs"))
        eventually(lambda: len(emulator.requests("GET", "/runs")) > polls + 3, "further looks")
        assert len(loads()) == 2
        events = airflow.api.call("GET", f"/assets/events?asset_id={asset['id']}")["asset_events"]
        told = [event["extra"]["payload"]["run_id"] for event in events]
        assert sorted(told) == sorted(run["id"] for run in emulator.entities("runs"))
    finally:
        again.terminate()
        again.wait(20)
