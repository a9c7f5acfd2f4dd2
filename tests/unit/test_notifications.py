from __future__ import annotations

import asyncio
import json
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_aep.errors import AepConfigError, AepRateLimitError, AepValidationError
from airflow_provider_aep.notifications import USUAL, AepRunNotifier
from airflow_provider_aep.operators.links import AepDataflowLink
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from airflow_provider_aep.sensors import AepDataflowRunSensor
from tests.mail import Mailbox, mailbox
from tests.unit.task_instance import FakeTaskInstance, context_of

VERDICT = {
    "outcome": "fail",
    "reason": "run r-1 ended as failed: X-1: boom",
    "dataflow_id": "f-1",
    "dataflow_name": "crm-nightly",
    "records_out": 12,
}
WORDS = {
    "failed": "AEP export crm-nightly failed: run r-1 ended as failed: X-1: boom",
    "unknown": "AEP export crm-nightly ended in an unknown way: run r-1 ended as failed: X-1: boom",
    "partial": "AEP export crm-nightly is incomplete: run r-1 ended as failed: X-1: boom",
    "zero_records": "AEP export crm-nightly is empty: run r-1 ended as failed: X-1: boom",
    "low_records": "AEP export crm-nightly is small: run r-1 ended as failed: X-1: boom",
    "slow": "AEP export crm-nightly is slow: run r-1 ended as failed: X-1: boom",
    "success": "AEP export crm-nightly is fine: run r-1 ended as failed: X-1: boom",
}
URL = "https://experience.adobe.com/#/sname:prod/platform/destination/browse/f-1"


@pytest.fixture
def ti() -> FakeTaskInstance:
    return FakeTaskInstance(task_id="judge")


@pytest.fixture
def told(ti):
    """``told(status)``: what a notifier sends about a task with such a verdict."""

    def sent(
        status: str | None, *, exception: Any = None, on_call: bool = True, **given: Any
    ) -> list[tuple[str, dict[str, Any]]]:
        if status:
            ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": status})
            ti.xcom_push(AepDataflowLink.xcom_key, URL)
        calls: list[tuple[str, dict[str, Any]]] = []
        notifier = AepRunNotifier(send=lambda text, about: calls.append((text, dict(about))), **given)
        with DAG("exports", schedule=None) as dag:
            pass
        notifier(context_of(ti, dag=dag, exception=exception))
        return calls

    return sent


@pytest.mark.parametrize("status", WORDS)
def test_each_way_to_end_has_its_words(told, status):
    ((text, about),) = told(status, on=[status])
    assert text == WORDS[status]
    assert about["status"] == status


def test_whoever_sends_gets_all_there_is_to_know(told, ti):
    ((_, about),) = told("failed")
    assert about == {
        "status": "failed",
        "verdict": {**VERDICT, "status": "failed"},
        "link": URL,
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": "judge",
        "map_index": -1,
    }
    assert json.loads(json.dumps(about)) == about


def test_a_good_run_is_usually_no_news(told):
    assert "success" not in USUAL
    assert told("success") == []


@pytest.mark.parametrize("status", WORDS)
def test_what_is_not_asked_for_stays_silent(told, status):
    assert told(status, on=set(WORDS) - {status}) == []


def test_what_the_policy_finds_ok_is_no_bad_news(told, ti):
    ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": "zero_records", "outcome": "ok"})
    assert told(None) == []
    ((text, about),) = told(None, on=["success"])
    assert "is fine" in text
    assert about["status"] == "success"


def test_a_status_that_we_do_not_know_is_told_all_the_same(told):
    ((text, about),) = told("melted")
    assert "ended in an unknown way" in text
    assert about["status"] == "unknown"


def test_an_empty_run_alarms_although_the_task_succeeded(told):
    ((text, _),) = told("zero_records", exception=None)
    assert "is empty" in text


def test_words_of_ones_own_are_templates_over_verdict_and_context(told):
    messages = {"failed": "{{ verdict.dataflow_id }}: {{ verdict.records_out + 1 }} in {{ ti.task_id }}"}
    ((text, _),) = told("failed", messages=messages)
    assert text == "f-1: 13 in judge"


def test_words_of_ones_own_for_one_status_leave_the_others(told):
    ((text, _),) = told("partial", messages={"failed": "x"})
    assert text == WORDS["partial"]


def test_adobes_words_are_no_template(told, ti):
    ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": "failed", "reason": "{{ 7 * 7 }}"})
    ((text, _),) = told(None)
    assert text.endswith("{{ 7 * 7 }}")


def test_a_task_that_failed_without_a_verdict_is_an_error(told):
    ((text, about),) = told(None, exception=ValueError("timed out, last seen: nothing"))
    assert text == "AEP export could not be watched: timed out, last seen: nothing"
    assert about["status"] == "error"
    assert about["verdict"] == {}
    assert about["link"] is None


def test_a_task_that_succeeded_without_a_verdict_is_no_news(told):
    assert told(None) == []


def test_an_error_that_is_not_asked_for_stays_silent(told):
    assert told(None, exception=ValueError("x"), on=["failed"]) == []


def test_a_mapped_task_tells_its_own_verdict(ti):
    for index, status in enumerate(("failed", "success", "zero_records")):
        ti.map_index = index
        ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": status})
    calls: list[tuple[str, Any]] = []
    notifier = AepRunNotifier(send=lambda text, about: calls.append((about["map_index"], about["status"])))
    for index in range(3):
        ti.map_index = index
        notifier(context_of(ti))
    assert calls == [(0, "failed"), (2, "zero_records")]


@pytest.fixture
def logged(capfd, caplog) -> Callable[[], str]:
    return lambda: "".join([*capfd.readouterr(), caplog.text])


def test_without_a_sender_it_is_a_line_in_the_log(ti, logged):
    ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": "failed"})
    AepRunNotifier()(context_of(ti))
    assert f"{WORDS['failed']} | Export: crm-nightly (f-1) | Exported: 12 records | Next: " in logged()


@pytest.mark.skipif(AIRFLOW_V_3_0_PLUS, reason="the context of Airflow 3 is a plain dict")
def test_what_the_context_keeps_lazy_stays_so(ti):
    from airflow.utils.context import Context

    calls: list[str] = []
    ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": "failed"})
    context = Context({**context_of(ti), "tomorrow_ds": "one of many that warn when they are read"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AepRunNotifier(send=lambda text, about: calls.append(text)).notify(context)
    assert calls == [WORDS["failed"]]


def test_one_notifier_serves_any_number_of_tasks(told, ti):
    calls: list[str] = []
    notifier = AepRunNotifier(send=lambda text, about: calls.append(text))
    for status in ("failed", "zero_records"):
        ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": status})
        notifier(context_of(ti))
    assert calls == [WORDS["failed"], WORDS["zero_records"]]


def test_a_real_sensors_verdict_is_told_with_the_name_of_its_export(aep, make_dataflow, clock, now, ti):
    flow = make_dataflow("crm-nightly")
    aep.script_runs(flow, ["zero"])
    clock.advance(2 * 3600)
    context = context_of(ti)
    AepDataflowRunSensor(
        task_id="judge", dataflow_id=flow, started_after=now, on_zero_when_ingested="warn"
    ).execute(context)
    calls: list[tuple[str, Any]] = []
    AepRunNotifier(send=lambda *told: calls.append(told))(context)
    ((text, about),) = calls
    assert text.startswith("AEP export crm-nightly is empty: run ")
    assert about["link"].endswith(f"/browse/{flow}")
    for secret in (aep.client_secret, *aep._gateway._tokens):
        assert secret not in f"{text}{about}"


@pytest.mark.parametrize("given", [{"on": ["failed", "fialed"]}, {"messages": {"fialed": "x"}}])
def test_a_misspelt_status_is_refused_when_the_dag_is_parsed(given):
    with pytest.raises(AepConfigError, match=r"names 'fialed' \(did you mean 'failed'"):
        AepRunNotifier(**given)


# Channels


@pytest.fixture
def failed(ti) -> dict[str, Any]:
    """The context of a task with a verdict that everybody wants to hear of."""
    ti.xcom_push(
        VERDICT_KEY, {**VERDICT, "status": "failed", "sandbox": "prod", "reason": "<b>boom</b> & more"}
    )
    ti.xcom_push(AepDataflowLink.xcom_key, URL)
    return context_of(ti)


@pytest.fixture
def box(monkeypatch) -> Iterator[Mailbox]:
    with mailbox() as box:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(box.connection))
        yield box


EMAIL = {"type": "email", "to": ["team@acme.example", "boss@acme.example"]}


def test_an_email_goes_through_airflows_smtp_connection(failed, box):
    AepRunNotifier(channels=[EMAIL])(failed)
    (mail,) = box.mails
    assert mail["to"] == "team@acme.example, boss@acme.example"
    assert mail["from"] == "airflow@acme.example"
    assert mail["subject"] == "AEP export crm-nightly failed: <b>boom</b> & more"
    plain, body = mail.iter_parts()
    assert (plain.get_content_type(), body.get_content_type()) == ("text/plain", "text/html")
    assert "crm-nightly failed: <b>boom</b> & more" in plain.get_content()
    told = body.get_content()
    assert "&lt;b&gt;boom&lt;/b&gt; &amp; more" in told
    assert f'<a href="{URL}">Dataflow</a>' in told


def test_the_triggerer_sends_it_without_blocking_its_loop(failed, box):
    threads: list[int] = []
    notifier = AepRunNotifier(
        channels=[EMAIL], send=lambda text, about: threads.append(threading.get_ident())
    )
    asyncio.run(notifier.async_notify(failed))
    assert len(box.mails) == 1
    assert threads != [threading.get_ident()]


class Receiver(BaseHTTPRequestHandler):
    got: list[tuple[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.got.append((self.path, body))
        self.send_response(500 if "broken" in self.path else 200)
        self.send_header("Content-Type", "application/json" if "chat" in self.path else "text/plain")
        self.end_headers()
        self.wfile.write(b'{"ok": true}' if "chat" in self.path else b"ok")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch) -> Iterator[list[tuple[str, Any]]]:
    """What a web server was posted to, and connections to it, whose addresses are secret."""
    got: list[tuple[str, Any]] = []
    with HTTPServer(("127.0.0.1", 0), type("OneReceiver", (Receiver,), {"got": got})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for conn_id, fields in {
            "SLACK_DEFAULT": {
                "conn_type": "slackwebhook",
                "host": f"{url}/services",
                "password": "T/B/Secr3t",
            },
            "SLACK_BROKEN": {"conn_type": "slackwebhook", "host": f"{url}/broken", "password": "T/B/Secr3t"},
            "SLACK_API_DEFAULT": {
                "conn_type": "slack",
                "password": "xoxb-Secr3t",
                "extra": {"base_url": f"{url}/api/"},
            },
            "HOOK": {"conn_type": "http", "host": f"{url}/hook/Secr3t"},
            "HOOK_BROKEN": {"conn_type": "http", "host": f"{url}/broken/Secr3t"},
            "HOOK_DEAD": {"conn_type": "http", "host": "http://127.0.0.1:1/dead/Secr3t"},
        }.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps(fields))
        yield got
        server.shutdown()


def installed(provider: str) -> bool:
    return find_spec(f"airflow.providers.{provider}") is not None


with_slack = pytest.mark.skipif(not installed("slack"), reason="the Slack provider is not installed")
with_http = pytest.mark.skipif(not installed("http"), reason="the HTTP provider is not installed")


@with_slack
@pytest.mark.parametrize(
    ("channel", "path"),
    [("slack", "/services/T/B/Secr3t"), ({"type": "slack", "channel": "#aep"}, "/api/chat.postMessage")],
)
def test_slack_gets_blocks_through_airflows_connection(failed, receiver, channel, path):
    AepRunNotifier(channels=[channel])(failed)
    ((where, body),) = receiver
    assert where == path
    assert body["text"] == "AEP export crm-nightly failed: &lt;b&gt;boom&lt;/b&gt; &amp; more"
    (shown,) = body["attachments"]
    assert f"<{URL}|Dataflow>" in shown["blocks"][0]["text"]["text"]


@with_http
def test_a_webhook_gets_json_through_airflows_connection(failed, receiver):
    AepRunNotifier(channels=[{"type": "webhook", "http_conn_id": "hook", "endpoint": "aep"}])(failed)
    ((where, body),) = receiver
    assert where == "/hook/Secr3t/aep"
    assert (body["sandbox"], body["counts"]) == ("prod", {"failed": 1})
    assert body["alerts"][0]["dataflow_url"] == URL


@pytest.fixture
def configured_again(monkeypatch) -> None:
    """Every logger that is known is enabled, as logging.config.dictConfig leaves them."""
    for logger in list(logging.getLogger().manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            monkeypatch.setattr(logger, "disabled", False)


@with_http
@pytest.mark.usefixtures("configured_again")
@pytest.mark.parametrize("conn_id", ["hook_broken", "hook_dead", "no_such_connection"])
def test_a_webhook_that_fails_keeps_nothing_from_the_others_and_tells_no_address(
    failed, receiver, box, logged, conn_id
):
    AepRunNotifier(channels=[{"type": "webhook", "http_conn_id": conn_id}, EMAIL])(failed)
    assert len(box.mails) == 1
    told = logged()
    assert f"An alert could not go out by webhook (connection {conn_id}): " in told
    assert "AEP export crm-nightly failed" in told  # at least here
    assert ("it answered 500 (" in told) == (conn_id == "hook_broken")
    assert "Secr3t" not in told


@with_slack
def test_a_slack_that_fails_tells_no_address(failed, receiver, logged):
    AepRunNotifier(channels=[{"type": "slack", "slack_webhook_conn_id": "slack_broken"}])(failed)
    told = logged()
    assert "An alert could not go out by slack (connection slack_broken): it answered 500 (" in told
    assert "Secr3t" not in told


def test_a_sender_of_ones_own_that_fails_hides_nothing(failed, box, logged):
    def send(text: str, about: Any) -> None:
        raise ValueError("https://hooks.example/Secr3t")

    AepRunNotifier(channels=[EMAIL], send=send)(failed)
    assert len(box.mails) == 1
    told = logged()
    assert "An alert could not go out by send: ValueError at test_notifications.py:" in told
    assert "AEP export crm-nightly failed" in told
    assert "Secr3t" not in told


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        ("pigeon", "/channels/0/type must be one of log, email, slack, webhook"),
        ({"to": "x@y"}, "/channels/0/type must be"),
        ("email", "/channels/0/to is missing"),
        ({"type": "email", "to": ""}, "/channels/0/to is missing"),
        ({"type": "email", "to": "x@y", "subjekt": "s"}, "/channels/0/subjekt is not known; there are to,"),
        ({"type": "webhook", "url": "https://hooks/Secr3t"}, "/channels/0/http_conn_id is missing"),
        (
            {"type": "webhook", "http_conn_id": "https://hooks/Secr3t"},
            "must be the id of an Airflow connection",
        ),
        (
            {"type": "email", "to": " ; "},
            "/channels/0/to must be text or a list of texts, and not an empty one",
        ),
        ({"type": "email", "to": "x@y\nBcc: z@y"}, "/channels/0/to must be one line"),
        ({"type": "email", "to": "x@y", "smtp_conn_id": None}, "/channels/0/smtp_conn_id must be text"),
        (
            {"type": "webhook", "http_conn_id": " "},
            "/channels/0/http_conn_id must be text, and not an empty one",
        ),
    ],
)
def test_a_channel_that_is_not_well_described_is_refused_when_the_dag_is_parsed(channel, says):
    with pytest.raises(AepValidationError) as refused:
        AepRunNotifier(channels=[channel])
    assert says in str(refused.value)
    assert "Secr3t" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"channels": []}, "/channels must name one channel at least"),
        ({"channels": 5}, "/channels must name one channel at least"),
        ({"on": []}, "on must name one status at least"),
        ({"on": None}, "on must name one status at least"),
        ({"on": ["failed", 1]}, "names '1'"),
        ({"messages": ["failed"]}, "messages must be a dict"),
        ({"send": "page_me"}, "send must be a function"),
    ],
)
def test_a_notifier_that_could_never_tell_anybody_is_refused_when_the_dag_is_parsed(given, says):
    with pytest.raises((AepConfigError, AepValidationError), match=says):
        AepRunNotifier(**given)


def test_a_single_status_needs_no_list():
    assert AepRunNotifier(on="failed").on == ("failed",)


@pytest.mark.skipif(installed("slack"), reason="the Slack provider is installed")
def test_a_provider_that_is_missing_is_named_when_the_dag_is_parsed():
    with pytest.raises(AepConfigError, match="of type slack goes through apache-airflow-providers-slack"):
        AepRunNotifier(channels=["slack"])


# More than one export


FAILED = {**VERDICT, "status": "failed", "run_ids": ["r-1"]}
CHECK = {
    "sandbox": "prod",
    "outcome": "fail",
    "exports": [
        {
            "dataflow_id": "f-1",
            "dataflow_name": "crm",
            "verdicts": [FAILED],
            "findings": [
                {"kind": "failed", "outcome": "fail", "told": FAILED["reason"], "run_ids": ["r-1"]},
                {"kind": "missing", "outcome": "fail", "told": "no run for 2026-12-01T03:00Z"},
            ],
            "standing": [],
        },
        {
            "dataflow_id": "f-2",
            "dataflow_name": "web",
            "findings": [{"kind": "ends_soon", "outcome": "warn", "told": "ends soon"}],
            "standing": [{"kind": "stuck", "outcome": "ok", "told": "which was told before"}],
        },
        {
            "dataflow_id": "f-3",
            "dataflow_name": "good",
            "outcome": "ok",
            "verdicts": [{**VERDICT, "status": "success", "outcome": "ok"}],
            "findings": [{"kind": "late", "outcome": "ok", "told": "which the policy finds ok"}],
        },
    ],
}


def test_an_audit_of_many_exports_is_one_message(ti):
    ti.xcom_push("aep_check", CHECK)
    calls: list[tuple[str, Any]] = []
    AepRunNotifier(send=lambda *told: calls.append(told))(context_of(ti))
    ((text, about),) = calls
    assert text.splitlines()[0] == (
        "2 AEP exports in sandbox prod: 1 failed, 1 with runs missing or late, 1 with a warning"
    )
    assert [each["text"] for each in about["alerts"]] == [
        "AEP export crm failed: run r-1 ended as failed: X-1: boom",
        "AEP export crm missed runs: no run for 2026-12-01T03:00Z",
        "AEP export web: ends soon",
    ]


def test_a_harmless_reason_of_a_later_run_hides_no_alarm(ti):
    lost = {"kind": "not_exported", "told": "3 batches came in", "advice": "Export on demand."}
    close = {"kind": "too_close", "told": "1 batch came in too close", "advice": "Wait for the next run."}
    findings = [
        {"kind": "zero_records", "outcome": "fail", "told": "a", "run_ids": ["r-1"], "cause": lost},
        {"kind": "zero_records", "outcome": "warn", "told": "b", "run_ids": ["r-2"], "cause": close},
    ]
    ti.xcom_push("aep_check", {**CHECK, "exports": [{"dataflow_id": "f-1", "findings": findings}]})
    calls: list[tuple[str, Any]] = []
    AepRunNotifier(send=lambda *told: calls.append(told))(context_of(ti))
    (told,) = calls[0][1]["alerts"]
    assert (told["severity"], told["next_step"]) == ("critical", "Export on demand.")


def test_an_audit_that_found_nothing_stays_silent(ti):
    ti.xcom_push("aep_check", {**CHECK, "exports": CHECK["exports"][2:]})
    calls: list[Any] = []
    AepRunNotifier(send=lambda *told: calls.append(told))(context_of(ti))
    assert calls == []


def test_a_check_of_nothing_is_told_and_that_of_a_backfill_is_not(ti):
    nothing = {"sandbox": "prod", "outcome": "fail", "exports": [], "told": "Nothing was checked: ..."}
    calls: list[tuple[str, Any]] = []
    alert = AepRunNotifier(send=lambda *told: calls.append(told))
    ti.xcom_push("aep_check", nothing)
    alert(context_of(ti))
    ti.xcom_push("aep_check", {**CHECK, "quiet": True})
    alert(context_of(ti))
    assert [text for text, _ in calls] == ["AEP exports were not checked: Nothing was checked: ..."]


def test_a_refusal_of_adobes_is_explained(ti, logged):
    refusal = AepRateLimitError(doing="GET /runs", status=429, message="Too many requests", code="429050")
    AepRunNotifier()(context_of(ti, exception=refusal))
    assert "429050 (Too many requests): Too many requests. Share the credential" in logged()


def test_somebody_hears_of_a_dag_run_whose_tasks_cannot_be_read():
    with DAG("exports", schedule=None) as dag:
        AepDataflowRunSensor(task_id="judge", dataflow_id="f-1")
    calls: list[tuple[str, Any]] = []
    AepRunNotifier(send=lambda *told: calls.append(told))(
        {"dag": dag, "run_id": "no such run", "reason": "task_failure"}
    )
    ((text, about),) = calls
    assert text.startswith(
        "AEP export could not be watched: the results of the tasks of DAG run no such run of exports"
    )
    assert about["counts"] == {"error": 1}


def test_somebody_hears_of_a_deadline_although_its_tasks_cannot_be_read():
    calls: list[tuple[str, Any]] = []
    deadline = {"id": "1", "deadline_time": "2026-12-01T06:30:00Z"}
    context = {"dag_run": {"dag_id": "exports", "dag_run_id": "no such run"}, "deadline": deadline}
    AepRunNotifier(send=lambda *told: calls.append(told)).notify(context)
    ((text, _),) = calls
    assert text.startswith(
        "AEP export of exports is late: DAG run no such run of exports was not done by 2026"
    )


def test_channels_are_plain_json_as_a_deadline_alert_stores_them():
    channels = ["log", EMAIL]
    kept = json.loads(json.dumps({"channels": channels, "on": ["late"]}))
    assert AepRunNotifier(**kept).channels == AepRunNotifier(channels=channels).channels


def test_an_allowance_that_will_not_do_is_one_alert_of_its_own(ti):
    told = "at least 4.9 TB of the 5.0 TB for this year are exported (98%)"
    yearly = {"allowance": "exported_bytes/year", "outcome": "warn", "told": told}
    allowances = [yearly, {**yearly, "outcome": "ok", "told": "which was told before"}]
    ti.xcom_push("aep_check", {"sandbox": "prod", "exports": [{}], "allowances": allowances})
    calls: list[tuple[str, Any]] = []
    AepRunNotifier(send=lambda *told: calls.append(told))(context_of(ti))
    ((text, _),) = calls
    assert text == f"AEP allowance exported_bytes/year in sandbox prod: {told}"


def test_two_allowances_of_a_check_are_two_incidents_and_no_warning_about_a_dataflow(ti):
    allowances = [
        {"allowance": f"exported_{measure}/year", "outcome": "warn", "told": "used up"}
        for measure in ("bytes", "records")
    ]
    ti.xcom_push("aep_check", {"sandbox": "prod", "exports": [{}], "allowances": allowances})
    calls: list[tuple[str, Any]] = []
    AepRunNotifier(send=lambda *told: calls.append(told))(context_of(ti))
    ((_, found),) = calls
    assert {alert["key"] for alert in found["alerts"]} == {
        f"aep:prod:exports:judge:exported_{measure}/year:allowance" for measure in ("bytes", "records")
    }
    assert {alert["next_step"].partition(";")[0] for alert in found["alerts"]} == {
        "Look at the usage by export"
    }
    AepRunNotifier(on=["warning"], send=lambda *told: calls.append(told))(context_of(ti))
    assert len(calls) == 1
