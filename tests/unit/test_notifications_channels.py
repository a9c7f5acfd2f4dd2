"""Channels side by side: none waits for another, each has a bound, and what fails is told."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.monitoring.alert_messages import Message
from airflow_provider_aep.monitoring.alerts import Alert
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.notifications.channels import KINDS, EmailChannel, LogChannel, parse_channels
from airflow_provider_aep.notifications.delivery import AepUndeliveredError, deliver
from airflow_provider_aep.notifications.gathering import PACKAGE

pytest.importorskip("airflow.providers.smtp")

MESSAGE = Message(sandbox="prod", alerts=(Alert(status="failed", text="AEP export crm failed"),))


@dataclass
class Route:
    """A channel that answers as it is told to, attempt by attempt."""

    label: str
    answers: list[Exception | float | None]
    taken: list[Message] = field(default_factory=list)
    attempts: int = 0
    modules: tuple[str, ...] = ()

    def deliver(self, message: Message, *, seconds: float) -> None:
        answer = self.answers[min(self.attempts, len(self.answers) - 1)]
        self.attempts += 1
        if isinstance(answer, Exception):
            raise answer
        time.sleep(answer or 0)
        self.taken.append(message)


def test_a_channel_that_stays_silent_holds_up_nobody_and_is_told():
    silent, quick = Route("silent", [60.0]), Route("quick", [None])
    began = time.monotonic()
    first, second = deliver([silent, quick], [MESSAGE], seconds=0.5)
    assert time.monotonic() - began < 5
    assert quick.taken == [MESSAGE]
    assert (second.error, silent.taken) == (None, [])
    assert "no answer within" in str(first)


def test_what_channels_import_is_imported_before_their_threads_begin(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import threading\nBY = threading.get_ident()\n")
    monkeypatch.syspath_prepend(tmp_path)
    route = Route("mail", [None], modules=("slow_to_import", "no_such_module"))
    (outcome,) = deliver([route], [MESSAGE], seconds=5)
    assert outcome.error is None
    assert threading.get_ident() == sys.modules.pop("slow_to_import").BY


def test_each_channel_names_modules_that_are_there():
    for kind in set(KINDS.values()) - {LogChannel}:
        missing = [name for name in kind.modules if name.startswith(PACKAGE) and find_spec(name) is None]
        assert missing == []


@pytest.mark.parametrize(("status", "again"), [(429, True), (500, True), (404, False)])
def test_what_may_pass_is_tried_again_within_the_bound(status, again):
    route = Route("slack", [AepUndeliveredError(f"it answered {status}", status=status, again=again), None])
    (outcome,) = deliver([route], [MESSAGE], seconds=5)
    assert route.attempts == (2 if again else 1)
    assert (outcome.error is None) == again


def test_a_wait_that_is_longer_than_the_bound_is_not_begun():
    asked = AepUndeliveredError("it answered 429", status=429, again=True, wait_seconds=3600)
    began = time.monotonic()
    (outcome,) = deliver([Route("slack", [asked])], [MESSAGE], seconds=3)
    assert time.monotonic() - began < 2
    assert "asked to wait 1 hour" in str(outcome)


@pytest.mark.parametrize(
    "channels",
    [
        ["log", "log"],
        [{"type": "email", "to": "a@acme.example"}, {"type": "email", "to": ["A@acme.example "]}],
    ],
)
def test_a_channel_that_is_given_twice_is_refused(channels):
    with pytest.raises(AepValidationError, match="/channels/1 goes where /channels/0 goes already"):
        parse_channels(channels)


@contextmanager
def mute_server() -> Iterator[int]:
    """A server that accepts and never says a word: its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            try:
                while True:
                    kept.append(server.accept()[0])
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        for each in kept:
            each.close()


def test_a_mail_server_that_stays_silent_keeps_nothing_from_the_log(monkeypatch, caplog, logged):
    with mute_server() as port:
        monkeypatch.setenv(
            "AIRFLOW_CONN_SMTP_MUTE",
            f'{{"conn_type": "smtp", "host": "127.0.0.1", "port": {port}, "extra": '
            '{"from_email": "airflow@acme.example", "disable_ssl": true, "disable_tls": true}}',
        )
        (channel,) = parse_channels([{"type": "email", "to": "a@acme.example", "smtp_conn_id": "smtp_mute"}])
        assert isinstance(channel, EmailChannel)
        began = time.monotonic()
        (outcome,) = deliver([channel], [MESSAGE], seconds=2)
        assert time.monotonic() - began < 5
        assert "email (connection smtp_mute): the mail server did not answer" in str(outcome) or (
            "no answer within" in str(outcome)
        )


def test_a_connection_that_is_missing_is_named(logged):
    from tests.unit.task_instance import FakeTaskInstance, context_of

    channel = {"type": "email", "to": "a@acme.example", "smtp_conn_id": "no_such_mail"}
    AepRunNotifier(channels=[channel])(context_of(FakeTaskInstance(task_id="judge", state="failed")))
    told = logged()
    assert "email (connection no_such_mail): there is no Airflow connection 'no_such_mail'" in told
    assert "task judge failed without a verdict" in told
