"""What a connection may write, by the type of the sandbox; nothing is sent before that is decided."""

from __future__ import annotations

import json

import pytest

from airflow_provider_aep.errors import AepServerError, AepWriteRefusedError
from airflow_provider_aep.flowservice import adhoc
from airflow_provider_aep.flowservice.connections import create_source_connection
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Request, Response, together
from airflow_provider_aep.flowservice.session import AepSession

SANDBOX_API = "/sandbox-management/"
WRITES = [
    Request("POST", "/flows", json={"name": "x"}),
    Request("PATCH", "/flows/f1", json=[{"op": "replace", "path": "/name", "value": "x"}]),
    Request("PUT", "/flows/f1", json={"name": "x"}),
    Request("DELETE", "/flows/f1"),
    Request("POST", "/flows/f1/action", params={"op": "disable"}),
    Request("POST", adhoc.PATH, json={"activationInfo": {}}),
    Request("POST", "https://platform.adobe.io/data/foundation/flowservice/flows", json={}),
    # A form is what the token request has; here it opens no door.
    Request("POST", "/flows", form={"grant_type": "client_credentials"}),
    Request("post", "/flows", json={}),
]


class Wire:
    """The way to the emulator, remembering each request; ``replies`` replaces what the Sandbox API says."""

    def __init__(self, emulator):
        self.emulator, self.sent, self.reply = emulator, [], None

    def send(self, request):
        self.sent.append(request)
        if self.reply is not None and SANDBOX_API in request.path:
            return self.reply
        return self.emulator.send(request)

    @property
    def written(self):
        return [each for each in self.sent if each.method != "GET" and "/ims/" not in each.path]

    @property
    def sandbox_reads(self):
        return [each for each in self.sent if SANDBOX_API in each.path]


@pytest.fixture
def wire(emulator):
    return Wire(emulator)


@pytest.fixture
def talk(credentials, clock, wire):
    """``talk(writes, exchange, sandbox="dev")`` carries an exchange out; one session for each option."""
    sessions = {}

    def talk(writes, exchange, sandbox="dev"):
        if writes not in sessions:
            sessions[writes] = AepSession(credentials, writes=writes, now=clock, jitter=lambda: 0.0)
        return drive(sessions[writes].conduct(exchange, sandbox=sandbox), wire, clock.advance)

    return talk


def create(emulator):
    # With its name, so that the create needs no other request before it.
    dataset = emulator.datasets("dev")[0]
    return create_source_connection(name="x", datasets=[{"id": dataset.id, "name": dataset.name}])


@pytest.mark.parametrize("request_", WRITES, ids=str)
def test_none_sends_no_write_at_all_and_asks_nobody(talk, wire, ask, request_):
    with pytest.raises(AepWriteRefusedError) as told:
        talk("none", ask(request_))
    assert wire.sent == []
    assert (told.value.sandbox, told.value.sandbox_type, told.value.writes) == ("dev", None, "none")


@pytest.mark.parametrize("request_", WRITES, ids=str)
def test_development_sends_no_write_to_a_production_sandbox(talk, wire, ask, request_):
    with pytest.raises(AepWriteRefusedError) as told:
        talk("development", ask(request_), sandbox="prod")
    assert wire.written == []
    assert told.value.sandbox_type == "production"
    for word in ("'prod'", "'production'", "writes", "development", str(request_)):
        assert word in str(told.value)


def test_reading_needs_no_leave(talk, emulator, wire):
    for option in ("none", "development"):
        assert talk(option, list_datasets(), sandbox="prod")
    assert wire.sandbox_reads == []


def test_a_development_sandbox_is_written_to_and_its_type_is_read_once(talk, emulator, wire):
    for _ in range(3):
        talk("development", create(emulator))
    assert len(wire.sandbox_reads) == 1
    assert len(wire.written) == 3
    assert wire.sent.index(wire.sandbox_reads[0]) < wire.sent.index(wire.written[0])


def test_each_sandbox_is_asked_about_on_its_own(talk, emulator, wire):
    talk("development", create(emulator))
    with pytest.raises(AepWriteRefusedError):
        talk("development", create(emulator), sandbox="prod")
    assert len(wire.sandbox_reads) == 2


def test_a_connection_with_all_pays_nothing(talk, emulator, wire):
    talk("all", create(emulator))
    assert wire.sandbox_reads == []


SANDBOX = {"id": "5a3f", "name": "dev", "state": "active", "type": "development"}


def test_the_answer_that_these_tests_vary_does_open_the_sandbox(talk, emulator, wire):
    wire.reply = Response(200, {}, json.dumps(SANDBOX).encode())
    talk("development", create(emulator))
    assert wire.written


@pytest.mark.parametrize(
    ("status", "document", "seen"),
    [
        (403, {"status": 403, "title": "denied"}, "403"),
        (404, {"status": 404, "title": "no such sandbox"}, "404"),
        (500, {}, "500"),
        (503, {}, "503"),
        (302, {}, "302"),
        (200, {}, "another sandbox"),
        (200, {key: value for key, value in SANDBOX.items() if key != "type"}, "no type"),
        (200, SANDBOX | {"type": None}, "no type"),
        (200, SANDBOX | {"type": ["development"]}, "no type"),
        (200, SANDBOX | {"type": "Development"}, "'Development'"),
        (200, SANDBOX | {"type": "development-copy-of-production"}, "development-copy"),
        (200, SANDBOX | {"type": "production"}, "'production'"),
        (200, SANDBOX | {"name": "prod"}, "another sandbox"),
        (200, SANDBOX | {"name": None}, "another sandbox"),
        (200, {"sandboxes": [SANDBOX]}, "another sandbox"),
        (200, [SANDBOX], "not a JSON"),
        (200, "development", "not a JSON"),
    ],
)
def test_development_is_closed_where_the_type_cannot_be_read(talk, emulator, wire, status, document, seen):
    wire.reply = Response(status, {}, json.dumps(document).encode())
    with pytest.raises(AepWriteRefusedError) as told:
        talk("development", create(emulator))
    assert wire.written == []
    assert seen in str(told.value)
    for word in ("'dev'", "extra.writes", "development"):
        assert word in str(told.value)


def test_a_type_that_could_not_be_read_once_is_asked_for_again(talk, emulator, wire):
    wire.reply = Response(403, {}, b"{}")
    with pytest.raises(AepWriteRefusedError):
        talk("development", create(emulator))
    wire.reply = None
    assert talk("development", create(emulator)).id


def test_a_lost_answer_of_the_sandbox_api_is_not_mistaken_for_one_of_the_create(talk, emulator, wire):
    # else the create would be looked for, as if it had been sent
    emulator.lose_next(times=5, match=SANDBOX_API)
    with pytest.raises(AepWriteRefusedError):
        talk("development", create(emulator))
    assert wire.written == []
    assert [each for each in wire.sent if each.path == "/sourceConnections"] == []


def test_exchanges_side_by_side_are_held_to_it_too(talk, wire, ask):
    ends = talk("none", together([ask(each) for each in WRITES], at_most=4))
    assert {type(end) for end in ends} == {AepWriteRefusedError}
    assert wire.written == []


def test_a_request_cannot_name_another_sandbox_than_the_one_that_was_decided(talk, wire, ask, emulator):
    for spelling in ("x-sandbox-name", "X-Sandbox-Name"):
        talk("development", ask(Request("GET", "/flows", headers={spelling: "prod"})))
        names = [value for key, value in wire.sent[-1].headers.items() if key.lower() == "x-sandbox-name"]
        assert names == ["dev"]


@pytest.mark.parametrize("word", ["None", "DEVELOPMENT", "", "everything", None])
def test_a_word_that_the_session_does_not_know_is_taken_as_none(talk, wire, ask, word):
    with pytest.raises(AepWriteRefusedError):
        talk(word, ask(WRITES[0]))
    assert wire.sent == []


def test_an_error_of_the_service_itself_stays_what_it_is(talk, emulator):
    emulator.fail_next(500, times=9, match="/sourceConnections")
    with pytest.raises(AepServerError):
        talk("development", create(emulator))
