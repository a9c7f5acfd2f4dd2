"""Every example DAG, run by Airflow against the emulator behind real HTTP."""

from __future__ import annotations

import importlib.util
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.operators.links import AepDataflowLink
from airflow_provider_aep.operators.xcom_keys import CHECK_KEY, VERDICT_KEY
from tests.airflow.past import turn
from tools.provisioning import new_dataflow

if AIRFLOW_V_3_0_PLUS:
    from airflow.models.asset import AssetEvent
else:
    from airflow.models.dataset import DatasetEvent as AssetEvent

__all__ = ["turn"]

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="exported files need pyarrow"),
]


def files(root: Path) -> list[Path]:
    return [file for file in root.rglob("*") if file.is_file()]


def test_s3_step_by_step(run_dag, aep_server, aep_emulator_options, states, pulled):
    run = run_dag("aep_provision_s3", name="crm-nightly")
    assert set(states(run).values()) == {"success"}
    aep = aep_server.emulator
    (flow,) = aep.entities("flows")
    (target,) = aep.entities("targetConnections")
    assert flow["id"] == pulled(run, "create_dataflow")
    assert (flow["scheduleParams"]["timeUnit"], flow["scheduleParams"]["interval"]) == ("hour", 3)
    assert target["params"]["bucketName"] == "acme-exports"
    assert target["params"]["datasetFileType"] == "PARQUET"
    assert pulled(run, "create_dataflow", AepDataflowLink.xcom_key).endswith(flow["id"])

    verdict = pulled(run, "wait_for_first_run")
    assert verdict == pulled(run, "wait_for_first_run", VERDICT_KEY)
    assert (verdict["outcome"], verdict["dataflow_name"]) == ("ok", "crm-nightly")
    assert verdict["records_out"] >= 840
    root = aep_emulator_options["root"]
    assert all(file.suffix == ".parquet" for file in files(root / "acme-exports" / "aep" / "crm"))
    assert len(files(root)) == verdict["files"]


PLACES = {
    "s3": ("aep_s3", {"bucketName": "acme-exports", "path": "aep"}),
    "azure_blob": ("aep_blob", {"container": "acme-exports", "path": "aep"}),
    "adls_gen2": ("aep_adls", {"path": "aep"}),
    "data_landing_zone": (None, {"path": "aep"}),
    "gcs": ("aep_gcs", {"bucketName": "acme-exports", "path": "aep"}),
    "sftp": ("aep_sftp", {"remotePath": "aep"}),
    "sftp with a key": ("aep_sftp_key", {"remotePath": "aep"}),
}


@pytest.mark.airflow3
@pytest.mark.parametrize("place", PLACES)
def test_any_of_the_six_destinations(run_dag, aep_server, aep_emulator_options, states, pulled, place):
    conn_id, location = PLACES[place]
    destination = DESTINATIONS[place.split()[0]]
    run = run_dag(
        "aep_provision_any", destination=destination.slug, credentials_conn_id=conn_id, name="loyalty"
    )
    assert set(states(run).values()) == {"success"}
    aep = aep_server.emulator
    ((flow,), (base,)) = aep.entities("flows"), aep.entities("connections")
    ((target,), (source,)) = aep.entities("targetConnections"), aep.entities("sourceConnections")
    assert flow["flowSpec"]["id"] == destination.flow_spec_id
    assert base["connectionSpec"]["id"] == destination.connection_spec_id
    assert {key: target["params"][key] for key in location} == location
    assert (target["params"]["datasetFileType"], target["params"]["compression"]) == ("JSON", "GZIP")
    assert [each["name"] for each in source["params"]["datasets"]] == ["Loyalty Profiles"]
    assert (flow["sourceConnectionIds"], flow["targetConnectionIds"]) == ([source["id"]], [target["id"]])
    if place == "sftp with a key":
        assert base["auth"]["specName"] == "SFTP with SSH Key"
    if place == "data_landing_zone":
        assert "auth" not in base
    assert pulled(run, "wait_for_first_run")["outcome"] == "ok"
    assert all(file.name.endswith(".json.gz") for file in files(aep_emulator_options["root"]))
    assert files(aep_emulator_options["root"])


def export(name: str, **schedule: Any) -> str:
    """An export to the Data Landing Zone; its id. Every three hours, which the emulator makes twelve seconds.

    Who takes longer must give ``every="once"``, or the next run counts as well.
    """
    now = datetime.now(tz=UTC)
    words = {"every": "3h", "end": now + timedelta(days=30), **schedule}
    return AepHook().run(new_dataflow(name, now, **words))


def asset_events(task_id: str) -> list[dict[str, Any]]:
    """What the asset events tell that a task has sent so far."""
    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_task_id == task_id))
        return [dict(event.extra) for event in events]


LAST_HOUR = timedelta(minutes=50)


@pytest.fixture
def on_the_hour() -> datetime:
    """When the hourly run is due that judges the hour before."""
    return datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)


def test_the_monitor_alerts_on_what_failed_and_what_is_empty(
    run_dag, aep_server, on_the_hour, states, pulled
):
    aep = aep_server.emulator
    exports = {}
    for kind in ("success", "failed", "zero"):
        aep.script_runs(kind, [kind])
        exports[kind] = export(kind, start=on_the_hour - LAST_HOUR, every="once")
    export("not due", start=datetime.now(tz=UTC) + timedelta(days=1))

    told: dict[str, tuple[str, dict[str, Any]]] = {}

    def listen(names: dict[str, Any]) -> None:
        names["alert"].send = lambda text, about: told.__setitem__(
            about["verdict"]["dataflow_name"], (text, dict(about))
        )

    run = run_dag("aep_monitor_each_export", at=on_the_hour, prepare=listen)
    due = pulled(run, "list_dataflows")
    assert {each["id"] for each in due} == set(exports.values())
    tick = (on_the_hour - LAST_HOUR).isoformat()
    assert pulled(run, "choose_ticks") == [{"dataflow_id": each["id"], "tick": tick} for each in due]
    verdicts = {
        (verdict := pulled(run, "judge_runs", VERDICT_KEY, index))["dataflow_name"]: verdict
        for index in range(3)
    }
    assert {name: verdict["outcome"] for name, verdict in verdicts.items()} == {
        "success": "ok",
        "failed": "fail",
        "zero": "warn",
    }
    index = {each["name"]: position for position, each in enumerate(due)}
    assert {name: states(run)[f"judge_runs/{index[name]}"] for name in index} == {
        "success": "success",
        "failed": "failed",
        "zero": "success",
    }
    assert str(run.state) == "failed"
    assert set(told) == {"failed", "zero"}
    assert told["failed"][0].startswith("AEP export failed FAILED: run ")
    assert told["failed"][0].endswith("ACTIVATION_BATCH-0000-FAILED: Job aborted.")
    assert told["zero"][0].startswith("AEP export zero is EMPTY: run ")
    for name, (_, about) in told.items():
        assert about["verdict"] == verdicts[name]
        assert about["map_index"] == index[name]
        assert about["link"].endswith(exports[name])
        assert json.loads(json.dumps(about)) == about


def test_the_monitor_without_a_sender_alerts_in_the_log(run_dag, aep_server, on_the_hour, logged):
    aep_server.emulator.script_runs(None, ["failed"])
    flow = export("nightly", start=on_the_hour - LAST_HOUR, every="once")
    run_dag("aep_monitor_each_export", at=on_the_hour)
    assert "AEP export nightly FAILED: run " in logged()
    assert f"/browse/{flow}" in logged()


def test_the_monitor_watches_all_dataflows_from_a_moment_on(run_dag, aep_server, pulled):
    aep_server.emulator.script_runs(None, ["zero"])
    since = datetime.now(tz=UTC).isoformat()
    flow = export("nightly")  # starts now, which is not in the hour before
    run = run_dag("aep_monitor_each_export", since=since)
    assert [each["id"] for each in pulled(run, "list_dataflows")] == [flow]
    assert pulled(run, "judge_runs", VERDICT_KEY, 0)["status"] == "zero_records"


def test_a_monitor_with_nothing_due_has_nothing_to_say(run_dag, aep_server, states):
    run = run_dag("aep_monitor_each_export")
    assert states(run)["list_dataflows"] == "success"
    assert states(run)["judge_runs"] == "skipped"
    assert str(run.state) == "success"


@pytest.mark.airflow3
def test_the_monitor_by_hand_without_a_moment_watches_all_dataflows_from_now_on(turn, aep_server, pulled):
    now = datetime.now(tz=UTC)
    flow = export("nightly", start=now + timedelta(seconds=3))
    run = turn("aep_monitor_each_export", now, kind="manual", undated=True)
    assert [each["id"] for each in pulled(run, "list_dataflows")] == [flow]
    assert pulled(run, "judge_runs", VERDICT_KEY, 0)["started_at"] >= now.isoformat()


def test_one_task_that_waits_for_all_alerts_on_each_that_is_not_good(
    run_dag, aep_server, on_the_hour, states, pulled
):
    aep = aep_server.emulator
    for kind in ("success", "failed", "zero"):
        aep.script_runs(kind, [kind])
        export(kind, start=on_the_hour - LAST_HOUR, every="once")
    export("not due", start=datetime.now(tz=UTC) + timedelta(days=1))
    time.sleep(1)  # until all have ended: of a deferral, dag.test() of Airflow 2 keeps the event alone
    told: list[tuple[str, str]] = []

    def listen(names: dict[str, Any]) -> None:
        if not AIRFLOW_V_3_0_PLUS:
            names["dag"].sync_to_db()  # the DAG processor's work, without which Airflow 2 knows no alias
        names["alert"].send = lambda text, about: told.extend(
            (each["dataflow_name"], each["text"]) for each in about["alerts"]
        )

    run = run_dag("aep_monitor_exports", at=on_the_hour, prepare=listen)
    assert states(run) == {"exports.wait": "success", "exports.require": "failed"}
    found = pulled(run, "exports.wait")
    assert {each["dataflow_name"]: each["outcome"] for each in found["verdicts"]} == {
        "success": "ok",
        "failed": "fail",
        "zero": "warn",
    }
    assert sorted(name for name, _ in told) == ["failed", "zero"]
    assert dict(told)["failed"].startswith("AEP export failed FAILED: run ")
    assert {each["dataflow_name"]: each["status"] for each in asset_events("exports.wait")} == {
        "success": "success",
        "zero": "zero_records",
    }


def test_one_task_with_nothing_due_is_content(run_dag, aep_server, states):
    export("not due", start=datetime.now(tz=UTC) + timedelta(days=1))
    run = run_dag("aep_monitor_exports", at=datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0))
    assert set(states(run).values()) == {"success"}


def test_the_check_alerts_on_whatever_went_wrong_with_one_task(run_dag, aep_server, states, pulled):
    aep = aep_server.emulator
    began = datetime.now(tz=UTC)
    aep.script_runs("failed", ["failed"])
    flows = {name: export(name, every="once") for name in ("success", "failed")}
    time.sleep(1)  # a run takes a fifth of a second

    told: list[dict[str, Any]] = []

    def listen(names: dict[str, Any]) -> None:
        names["alert"].send = lambda text, about: told.append(dict(about))

    run = run_dag("aep_check_exports", prepare=listen, since=began.isoformat())
    assert states(run) == {"check": "failed"}
    found = pulled(run, "check", CHECK_KEY)
    assert [(each["dataflow_name"], each["outcome"]) for each in found["exports"]] == [
        ("failed", "fail"),
        ("success", "ok"),
    ]
    (message,) = told
    (alert,) = message["alerts"]
    assert (alert["dataflow_id"], alert["status"]) == (flows["failed"], "failed")
    assert message["title"].startswith("AEP export failed failed: run ")
    assert json.loads(json.dumps(message)) == message
