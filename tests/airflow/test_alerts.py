"""Alerts as Airflow itself sends them: one message for each sandbox, however many exports went wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.server import airflow_connection, serve
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.hooks import AepHook
from tests.airflow.conftest import HOME
from tests.mail import Mailbox, mailbox
from tools.provisioning import new_dataflow, session_of
from tools.stack import AirflowStack

pytestmark = pytest.mark.airflow


@pytest.fixture
def box(airflow_db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    shutil.copy(Path(__file__).with_name("dags") / "aep_alerts.py", HOME / "dags")
    with mailbox() as box:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(box.connection))
        yield box


def create_export(name: str) -> Exchange[str]:
    """A three-hourly export to the Data Landing Zone; its id."""
    now = datetime.now(tz=UTC)
    dataset, *_ = yield from list_datasets()  # each sandbox has its own
    schedule = {"every": "3h", "end": now + timedelta(days=30)}
    return (yield from new_dataflow(name, now, datasets=[dataset.id], **schedule))


def test_a_burst_of_failures_is_one_message_for_each_sandbox(run_dag, aep_server, box, states):
    hooks = {sandbox: AepHook(sandbox=sandbox) for sandbox in ("prod", "dev")}
    exports = []
    for number in range(30):
        sandbox, name = ("prod", f"crm-{number:02}") if number < 26 else ("dev", f"dev-{number:02}")
        aep_server.emulator.script_runs(name, ["zero" if number == 25 else "failed"] * 9)
        exports.append({"dataflow_id": hooks[sandbox].run(create_export(name)), "sandbox": sandbox})
    # Nobody can judge what is not there.
    exports.append({"dataflow_id": "90c192cf-0000-4000-8000-000000000000", "sandbox": "dev"})

    run = run_dag("aep_alerts", exports=exports)

    assert sum(state == "failed" for state in states(run).values()) == 30
    assert [mail["subject"] for mail in box.mails] == [
        "5 AEP exports in sandbox dev: 1 not watched, 4 failed",
        "26 AEP exports in sandbox prod: 25 failed, 1 empty",
    ]
    _, body = box.mails[1].iter_parts()
    told = body.get_content()
    # On a slow machine an export has run twice before the first look at it.
    assert re.search("AEP export crm-00 failed: .*run .* ended as failed", told)
    assert "and 6 more" in told
    assert told.count("ACTIVATION_BATCH-0000-FAILED (Job aborted.)") == 1


@dataclass
class Stage:
    """A running Airflow, the emulator that its tasks talk to, and the mailbox that its alerts go to."""

    airflow: AirflowStack
    emulator: Emulator
    box: Mailbox

    def export(self, name: str) -> str:
        session = session_of(self.emulator)
        return drive(session.conduct(create_export(name), sandbox="prod"), self.emulator)

    def wait_for_mails(self, count: int, *, seconds: float = 90) -> None:
        deadline = time.monotonic() + seconds
        while len(self.box.mails) < count:
            assert time.monotonic() < deadline, f"{len(self.box.mails)} mails, not {count}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    dags = tmp_path_factory.mktemp("dags")
    for name in ("aep_alerts.py", "aep_deadline.py", "aep_lost.py"):
        shutil.copy(Path(__file__).with_name("dags") / name, dags)
    emulator = Emulator(root=tmp_path_factory.mktemp("exports"), hour=2.0, run_seconds=0.5)
    with (
        mailbox() as box,
        socket.create_server(("127.0.0.1", 0)) as silent,  # connections are taken, and nothing is ever said
        serve(emulator) as url,
        AirflowStack(
            dags,
            connections={
                "aep_default": json.loads(airflow_connection(emulator, url)),
                "smtp_default": box.connection,
                "smtp_silent": {**box.connection, "port": silent.getsockname()[1]},
            },
            env={
                "AIRFLOW__AEP__POLL_INTERVAL": "2",
                "AIRFLOW__CORE__PARALLELISM": "4",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
            },
        ) as airflow,
    ):
        yield Stage(airflow, emulator, box)


@pytest.fixture
def mails(stage: Stage) -> list[Any]:
    stage.box.mails.clear()
    return stage.box.mails


@pytest.mark.airflow3
@pytest.mark.stack
def test_the_dag_processor_of_a_real_airflow_sends_one_message_too(stage: Stage, mails: list[Any]):
    exports = []
    for number in range(20):
        stage.emulator.script_runs(f"burst-{number:02}", ["failed"] * 200)
        exports.append({"dataflow_id": stage.export(f"burst-{number:02}"), "sandbox": "prod"})

    run_id = stage.airflow.api.trigger("aep_alerts", {"exports": exports})

    assert stage.airflow.api.wait_for_run("aep_alerts", run_id, seconds=300) == "failed"
    stage.wait_for_mails(1)
    time.sleep(5)  # a second message would be one too many
    (mail,) = mails
    assert mail["subject"] == "20 AEP exports in sandbox prod: 20 failed"
    _, body = mail.iter_parts()
    told = body.get_content()
    assert [f"burst-{number:02}" in told for number in range(20)] == [True] * 20
    links = stage.airflow.api.extra_links("aep_alerts", run_id, "judge", map_index=7)
    assert links["AEP dataflow"] in told
    assert "/tasks/judge/mapped/7" in told


@pytest.mark.airflow3
@pytest.mark.stack
def test_a_missed_deadline_tells_what_is_not_done(stage: Stage, mails: list[Any]):
    for name in ("stuck", "stuck too"):
        stage.emulator.script_runs(name, ["in_progress"] * 200)
    stuck = [stage.export("stuck"), stage.export("stuck too")]
    since = datetime.now(tz=UTC).isoformat()

    exports = {"first": stuck[0], "second": stuck[1], "since": since}
    run_id = stage.airflow.api.trigger("aep_deadline", exports)
    stage.wait_for_mails(1)

    (mail,) = mails
    assert mail["subject"] == "2 AEP exports in sandbox prod: 2 late"
    _, body = mail.iter_parts()
    told = body.get_content()
    for index, dataflow_id in enumerate(stuck):
        assert f"AEP export {dataflow_id} is late: task wait[{index}] was still deferred" in told
    assert stage.airflow.api.task_states("aep_deadline", run_id)["wait[0]"] == "deferred"


@pytest.mark.airflow3
@pytest.mark.stack
def test_a_killed_worker_is_told_and_a_silent_mail_server_holds_up_nothing(
    stage: Stage, mails: list[Any], tmp_path: Path
):
    pids = tmp_path / "pids"
    run_id = stage.airflow.api.trigger("aep_killed", {"pids": str(pids)})
    while not (pids.exists() and len(pids.read_text().split()) == 2):
        time.sleep(0.2)
    for pid in map(int, pids.read_text().split()):  # the supervisor first: it would tell of the other
        os.kill(pid, signal.SIGKILL)

    stage.wait_for_mails(1, seconds=120)

    (mail,) = mails
    assert mail["subject"] == (
        "AEP export could not be watched: task wait failed without a verdict; its worker may have been lost"
    )
    assert stage.airflow.api.wait_for_run("aep_killed", run_id) == "failed"


@pytest.mark.airflow3
@pytest.mark.stack
def test_a_synchronous_callback_of_a_deadline_tells_it_and_ends(stage: Stage, mails: list[Any]):
    stage.emulator.script_runs("asleep", ["in_progress"] * 200)
    since = datetime.now(tz=UTC).isoformat()
    conf = {"flow": stage.export("asleep"), "since": since}
    run_id = stage.airflow.api.trigger("aep_deadline_sync", conf)

    stage.wait_for_mails(1)

    (mail,) = mails
    assert mail["subject"].startswith(
        f"AEP export of aep_deadline_sync is late: DAG run {run_id} of aep_deadline_sync was not done by "
    )
    # Four slots, which callbacks take as tasks do: one that hangs would keep its own for ever.
    assert stage.airflow.api.task_states("aep_deadline_sync", run_id)["wait"] == "deferred"
