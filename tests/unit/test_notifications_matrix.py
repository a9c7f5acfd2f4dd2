"""Every way in which Airflow calls a notifier x every channel x every way in which that channel fails.

The cells of a caller run at once, each by its own connection: the alert must reach the channel that works,
and the log must say of every other which one it was, what it answered, and the alert itself.
"""

from __future__ import annotations

import asyncio
import json
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseHook

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.links import AepDataflowLink
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from airflow_provider_aep.sensors import AepDataflowRunSensor
from tests.unit.task_instance import FakeTaskInstance, context_of

SECRET = "Secr3t"
AT_ONCE = 3  # callers


def has(provider: str) -> bool:
    return find_spec(f"airflow.providers.{provider}") is not None


# Ways to fail, and what the log says of each. SMTP has codes of its own for 404 (no such user), 429 (busy)
# and 500 (closing down), and knows no redirects.
BY_HTTP = {
    "silent": "no answer within",
    "refused": "it cannot be reached, or broke off",
    "cut": "it cannot be reached, or broke off",
    "404": "it answered 404",
    "429": "it answered 429",
    "500": "it answered 500",
    "redirect": "redirect",
    "missing": "there is no Airflow connection",
}
BY_SMTP = {
    "silent": "answer within",
    "refused": "the mail server cannot be reached",
    "cut": "the mail server hung up",
    "404": "refused all addresses (550)",
    "429": "refused all addresses (451)",
    "500": "the mail server answered 421",
    "missing": "there is no Airflow connection",
}
AGAIN = {"refused", "cut", "429", "500"}


@dataclass
class Servers:
    """A web server and a mail server that fail as the address, or the recipient, says; and what they got."""

    web: int = 0
    mail: int = 0
    got: Counter[str] = field(default_factory=Counter)
    elsewhere: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def servers() -> Iterator[Servers]:
    """They answer a request to ``/CALLER/CHANNEL/FAILURE/...`` as FAILURE, and count it."""
    state = Servers()

    class Web(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            state.elsewhere.append(self.path)
            self._answer(200, b"<html>log in, please</html>")

        def do_POST(self) -> None:
            caller, channel, failure = self.path.split("/")[1:4]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert b"AEP" in body
            state.got[f"{caller}/{channel}/{failure}"] += 1
            if failure == "silent":
                state.over.wait(60)
            elif failure == "cut":
                self.wfile.write(b"HTTP/1.0 20")
            elif failure == "redirect":
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{state.web}/elsewhere/{SECRET}")
                self.end_headers()
            elif failure == "good":
                self._answer(200, b'{"ok": true}' if channel == "bot" else b"ok")
            else:
                self._answer(int(failure), b'{"ok": false, "error": "as it is"}')

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "2")
            self.send_header("Content-Type", "application/json" if b"{" in body else "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Mail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 ready")
            failure = ""
            while words := self.rfile.readline().decode().strip():
                verb = words.upper()
                if verb.startswith("MAIL"):
                    key = words.partition("<")[2].partition("@")[0]  # the sender names the cell
                    failure = key.rpartition("/")[2]
                    state.got[key] += 1
                    if failure == "silent":
                        state.over.wait(60)
                    if failure in ("silent", "cut"):
                        return
                    self._say("421 closing down" if failure == "500" else "250 ok")
                elif verb.startswith("RCPT"):
                    self._say({"404": "550 nobody", "429": "451 busy"}.get(failure, "250 ok"))
                elif verb.startswith("DATA"):
                    self._say("354 go on")
                    assert b"AEP" in b"".join(iter(self.rfile.readline, b".\r\n"))
                    self._say("250 kept")
                elif verb.startswith("QUIT"):
                    return
                else:
                    self._say("250 ok")

        def _say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    class WebServer(ThreadingHTTPServer):
        daemon_threads, block_on_close, request_queue_size = True, False, 200

        def handle_error(self, *_: Any) -> None:  # a client that gave up
            pass

    class MailServer(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close, request_queue_size = True, False, 200

        def handle_error(self, *_: Any) -> None:
            pass

    with WebServer(("127.0.0.1", 0), Web) as web, MailServer(("127.0.0.1", 0), Mail) as mail:
        state.web, state.mail = web.server_port, mail.server_address[1]
        for server in (web, mail):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        yield state
        state.over.set()
        web.shutdown()
        mail.shutdown()


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port at which nobody listens, and nobody else will."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


# channel -> (the channel for a connection, the connection's fields at a port for a cell, ways to fail)
def mail_fields(port: int, cell: str) -> dict[str, Any]:
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": f"{cell}@acme.example"}
    return {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}


CHANNELS: dict[str, tuple[Callable[[str], dict[str, Any]], Callable[[int, str], dict[str, Any]], Any]] = {
    "email": (
        lambda conn: {"type": "email", "to": "team@acme.example", "smtp_conn_id": conn},
        mail_fields,
        BY_SMTP,
    )
}
if has("http"):
    for kind in ("webhook", "teams"):
        CHANNELS[kind] = (
            lambda conn, kind=kind: {"type": kind, "http_conn_id": conn},
            lambda port, cell: {"conn_type": "http", "host": f"http://127.0.0.1:{port}/{cell}/{SECRET}"},
            BY_HTTP,
        )
if has("slack"):
    CHANNELS["slack"] = (
        lambda conn: {"type": "slack", "slack_webhook_conn_id": conn},
        lambda port, cell: {
            "conn_type": "slackwebhook",
            "host": f"http://127.0.0.1:{port}/{cell}",
            "password": SECRET,
        },
        BY_HTTP,
    )
    CHANNELS["bot"] = (
        lambda conn: {"type": "slack", "slack_conn_id": conn, "channel": "#aep"},
        lambda port, cell: {
            "conn_type": "slack",
            "password": f"xoxb-{SECRET}",
            "extra": {"base_url": f"http://127.0.0.1:{port}/{cell}/"},
        },
        # Slack's client asks on by GET, and finds no answer of Slack's there.
        {**BY_HTTP, "redirect": "Slack answered"},
    )


class Unreadable(FakeTaskInstance):
    def xcom_pull(self, **_: Any) -> Any:
        raise RuntimeError(f"no API server at http://{SECRET}")


def judged(**more: Any) -> dict[str, Any]:
    ti = FakeTaskInstance(task_id="judge", state="failed")
    ti.xcom_push(
        VERDICT_KEY, {"status": "failed", "outcome": "fail", "reason": "boom", "dataflow_name": "crm"}
    )
    ti.xcom_push(AepDataflowLink.xcom_key, "https://experience.adobe.com/#/sname:prod/x/f-1")
    return context_of(ti, **more)


def dag() -> Any:
    with DAG("exports", schedule=None) as made:
        AepDataflowRunSensor(task_id="judge", dataflow_id="f-1")
    return made


DEADLINE = {
    "dag_run": {"dag_id": "exports", "dag_run_id": "r-1"},
    "deadline": {"id": "1", "deadline_time": "2026-12-01T06:30:00Z"},
}
# caller -> (the context that Airflow calls with, what the alert says)
CALLERS: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "worker": (lambda: judged(exception=ValueError("boom")), "AEP export crm failed: boom"),
    "lost-worker": (
        lambda: context_of(FakeTaskInstance(task_id="judge", state=None)),
        "task judge failed without a verdict",
    ),
    "unreadable": (
        lambda: context_of(Unreadable(task_id="judge", state="failed"), exception=ValueError("boom")),
        "boom; its result cannot be read: RuntimeError at",
    ),
    "dag": (
        lambda: {"dag": dag(), "run_id": "no such run", "reason": "task_failure"},
        "the results of the tasks of DAG run no such run of exports cannot be read",
    ),
    "deadline-sync": (lambda: dict(DEADLINE), "DAG run r-1 of exports was not done by 2026"),
    "deadline-async": (lambda: dict(DEADLINE), "DAG run r-1 of exports was not done by 2026"),
    "unknown": (lambda: {"task_list": "x"}, "An alert about AEP exports could not be put together"),
}


def test_every_alert_arrives_or_is_in_the_log_however_it_is_called_and_whatever_fails(
    servers: Servers, nobody: int, monkeypatch: pytest.MonkeyPatch, capfd: Any, caplog: Any
) -> None:
    with suppress(Exception):
        # Callers at once are ours alone: Airflow 2's first look into its database stands no second thread.
        BaseHook.get_connection("no such connection")
    for caller in CALLERS:
        for name, (_, fields, fails) in CHANNELS.items():
            for failure in (*fails, "good"):
                port = servers.mail if name == "email" else servers.web
                cell = f"{caller}/{name}/{failure}"
                conn_id = cell.replace("/", "_").replace("-", "_")
                if failure != "missing":
                    port = nobody if failure == "refused" else port
                    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields(port, cell)))

    def call(caller: str) -> float:
        channels = [
            channel(f"{caller}_{name}_{failure}".replace("-", "_"))
            for name, (channel, _, fails) in CHANNELS.items()
            for failure in (*fails, "good")
        ]
        notifier, context = AepRunNotifier(channels=channels), CALLERS[caller][0]()
        began = time.monotonic()
        if caller == "deadline-async":
            asyncio.run(notifier.async_notify(context))
        elif caller == "deadline-sync":
            notifier.notify(context)
        else:
            notifier(context)
        return time.monotonic() - began

    # Each has a thread for every cell: more at once would leave a busy machine no time for those that work.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seconds = dict(zip(CALLERS, pool.map(call, CALLERS), strict=True))

    assert max(seconds.values()) < 45, seconds  # the DAG processor allows 50
    told = "".join([*capfd.readouterr(), caplog.text])
    assert SECRET not in told
    for caller, (_, says) in CALLERS.items():
        assert says in told, caller
        for name, (_, _, fails) in CHANNELS.items():
            conn = f"{caller}_{name}".replace("-", "_")
            assert servers.got[f"{caller}/{name}/good"] == 1, (caller, name)
            assert f"connection {conn}_good" not in told
            for failure, why in fails.items():
                (line, *_) = [
                    line for line in told.splitlines() if f"(connection {conn}_{failure}" in line
                ] or [""]
                # What is tried again may run out of time in its last attempt, on a busy machine.
                ends = (why, "answer within") if failure in AGAIN else (why,)
                assert any(each in line for each in ends), (caller, name, failure, line)
                attempts = servers.got[f"{caller}/{name}/{failure}"]
                if failure in AGAIN:
                    assert "attempts in" in line, (caller, name, failure, line)
                    assert attempts > 1 or failure == "refused", (caller, name, failure)
                elif failure != "missing":
                    assert attempts == 1, (caller, name, failure)


@pytest.mark.parametrize("kind", sorted({"slack", "http", "smtp"}))
def test_a_channel_without_its_provider_is_refused_when_the_dag_is_parsed(kind: str) -> None:
    channel = {
        "slack": "slack",
        "http": {"type": "teams", "http_conn_id": "x"},
        "smtp": {"type": "email", "to": "a@acme.example"},
    }[kind]
    if has(kind):
        assert AepRunNotifier(channels=[channel]).channels
        return
    with pytest.raises(Exception, match=rf"airflow-provider-aep\[({kind}|teams)\]"):
        AepRunNotifier(channels=[channel])
