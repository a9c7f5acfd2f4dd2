"""``aep alert test``: what came of one alert through each channel."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_aep.cli import main
from tests.mail import Mailbox, mailbox

DAG_FILE = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.sensors import AepDataflowRunSensor

def page(text, about):
    raise AssertionError("a pager is not called for a test")

to_all = AepRunNotifier(channels=["log", {"type": "email", "to": "all@acme.example"}])
to_team = AepRunNotifier(channels=["log", {"type": "email", "to": "team@acme.example"}], send=page)
to_boss = AepRunNotifier(channels=[{"type": "email", "to": "boss@acme.example"}])

with DAG("watch", schedule=None, default_args={"on_failure_callback": [to_all]}, on_failure_callback=to_boss):
    AepDataflowRunSensor.partial(task_id="wait", on_success_callback=to_team).expand(dataflow_id=["a"])
    AepDataflowRunSensor(task_id="other", dataflow_id="b", on_skipped_callback=[to_team])
"""


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with mailbox() as box:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(box.connection))
        yield box


@pytest.fixture
def alert_test(capsys: Any) -> Callable[..., tuple[int, Any, str]]:
    """``alert_test("--channel", "log")``: exit code, the JSON document, standard error."""

    def run(*arguments: str) -> tuple[int, Any, str]:
        code = main(["alert", "test", *arguments, "--json"])
        told = capsys.readouterr()
        return code, json.loads(told.out), told.err

    return run


def test_each_channel_of_a_dag_file_gets_one_wherever_its_notifier_is_attached(alert_test, box, tmp_path):
    file = tmp_path / "watch.py"
    file.write_text(DAG_FILE)
    code, told, err = alert_test("--dag-file", str(file), "--status", "zero_records")
    assert code == 0
    assert sorted(mail["to"] for mail in box.mails) == [
        "all@acme.example",
        "boss@acme.example",
        "team@acme.example",
    ]
    assert box.mails[0]["subject"].startswith("TEST of an alert of status zero_records, please ignore")
    assert [one["sent"] for one in told["channels"]] == [True] * 4
    assert told["not_called"] == 1
    assert "TEST of an alert of status zero_records" in err


@pytest.mark.airflow3
@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="deadlines came with Airflow 3.1")
def test_a_deadline_has_channels_too(alert_test, box, tmp_path):
    file = tmp_path / "late.py"
    file.write_text("""
from datetime import timedelta
from airflow.sdk import DAG
try:
    from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference
except ImportError:  # Airflow 3.1
    from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference
from airflow_provider_aep.notifications import AepRunNotifier

dag = DAG("late", schedule=None, deadline=DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=1),
    callback=AsyncCallback(AepRunNotifier, kwargs={"channels": [{"type": "email", "to": "a@acme.example"}]}),
))
""")
    assert alert_test("--dag-file", str(file))[0] == 0
    assert len(box.mails) == 1


def test_a_channel_that_fails_is_named_and_the_others_are_sent(alert_test, box):
    bad = '{"type": "email", "to": "a@acme.example", "smtp_conn_id": "no_such_mail"}'
    good = '{"type": "email", "to": "a@acme.example"}'
    code, told, _ = alert_test("--channel", bad, "--channel", good)
    assert code == 1
    assert [(one["channel"], one["sent"], one["error"]) for one in told["channels"]] == [
        ("email (connection no_such_mail)", False, "there is no Airflow connection 'no_such_mail'"),
        ("email (connection smtp_default)", True, None),
    ]
    assert len(box.mails) == 1


def test_people_get_a_line_for_each_channel(capsys, box):
    assert main(["alert", "test", "--channel", '{"type": "email", "to": "a@acme.example"}']) == 0
    assert capsys.readouterr().out == "ok  email (connection smtp_default): sent\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name a DAG file with --dag-file, or channels with --channel, and not both"),
        (["--channel", "log", "--dag-file", "x.py"], "and not both"),
        (["--channel", "{"], "--channel takes JSON such as"),
        (["--channel", "pager:x"], "KIND:CONN_ID is for slack, webhook, teams"),
        (["--channel", "slakc:x"], "KIND:CONN_ID is for slack, webhook, teams (did you mean 'slack'?)"),
        (["--channel", "log", "--status", "fialed"], "(did you mean 'failed'?)"),
        (["--channel", "pigeon"], "/channels/0/type must be one of"),
        (["--channel", "log", "--status", "fialed"], "--status must be one of error,"),
        (["--dag-file", "no_such.py"], "no_such.py is no file"),
    ],
)
def test_what_cannot_be_tested_is_told_in_one_line(alert_test, arguments, says):
    code, told, err = alert_test(*arguments)
    assert code == 1
    assert says in told["error"]
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dag = 5", "holds no DAG"),
        ("raise ValueError('https://Secr3t')", "cannot be run as a DAG file: ValueError"),
        ("import sys\nsys.exit(0)", "cannot be run as a DAG file: SystemExit"),
        ("import os\nos._exit(0)", "cannot be run as a DAG file: it ends the process that reads it"),
        ("import os\nos.execv('/bin/true', ['true'])", "it ends the process that reads it"),
        (
            "from airflow.providers.common.compat.sdk import DAG\ndag = DAG('x', schedule=None)",
            "has no AepRunNotifier",
        ),
    ],
)
def test_a_dag_file_without_a_notifier_is_told(alert_test, tmp_path: Path, text, says):
    file = tmp_path / "dag.py"
    file.write_text(text)
    code, told, _ = alert_test("--dag-file", str(file))
    assert code == 1
    assert says in told["error"]
    assert "Secr3t" not in told["error"]
