"""Results that all viewers share."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_provider_aep.errors import AepAuthError, AepConfigError, AepTooLargeError
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.session import AepSession
from airflow_provider_aep.page import sources as module
from airflow_provider_aep.page.reading import read_snapshot
from airflow_provider_aep.page.sources import Sources

HOUR = 3600


@pytest.fixture
def seconds(monkeypatch):
    """``seconds(30)``: so much time passes for those who share results."""
    past = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: past[0])

    def passes(span: float) -> None:
        past[0] += span

    return passes


@pytest.fixture
def sources(run, clock):
    """Sources that read the emulator."""

    def read(conn_id, sandbox, before):
        now = datetime.fromtimestamp(clock(), tz=UTC)
        return run(read_snapshot(sandbox or "prod", before, now=now))

    return Sources(read)


def look(sources, *, patience=10.0):
    return sources.of("aep_default", None).look(fresh_seconds=30, patience=patience)


def settled(sources):
    """What there is once the reader that a look began has ended."""
    look(sources)
    source = sources.of("aep_default", None)
    source._reader.join(10)
    return look(sources)


def test_twenty_viewers_cost_as_much_as_one(sources, emulator, clock, make_dataflow):
    for number in range(10):
        make_dataflow(f"export {number}")
    clock.advance(30 * 3 * HOUR)
    emulator.log.clear()
    with ThreadPoolExecutor(20) as viewers:
        seen = list(viewers.map(lambda _: look(sources), range(20)))
    cost = [request.path for request in emulator.log if "/ims/" not in request.path]
    assert {len(json.loads(b"[%b]" % one.rows)) for one in seen} == {10}
    assert cost.count("/flows") == 1
    alone = Sources(sources._read)
    emulator.log.clear()
    look(alone)
    assert sorted(request.path for request in emulator.log) == sorted(cost)


def test_results_are_read_again_when_they_are_old_and_asked_for(sources, emulator, seconds, make_dataflow):
    make_dataflow()
    settled(sources)
    emulator.log.clear()
    seconds(29)
    assert (settled(sources).age_seconds, len(emulator.log)) == (29.0, 0)
    seconds(1)
    assert settled(sources).age_seconds == 0.0
    assert [request.path for request in emulator.log].count("/flows") == 1
    # What dataflows refer to changes rarely, and is not read again so soon.
    assert "/sourceConnections" not in [request.path for request in emulator.log]


def test_while_one_reads_the_others_get_the_last_good_result(sources, seconds, make_dataflow):
    make_dataflow()
    first = settled(sources)
    going, reading = threading.Event(), sources._read

    def slowly(*place):
        going.wait(10)
        return reading(*place)

    source = sources.of("aep_default", None)
    source._read = slowly
    seconds(31)
    begun = look(sources)
    assert (begun.state, begun.age_seconds, begun.rows) == ("ok", 31.0, first.rows)
    seconds(12)
    lasting = look(sources)
    assert (lasting.state, lasting.rows) == ("stale", first.rows)
    assert lasting.error["told"] == "the newest read has lasted 12 seconds and continues"
    going.set()
    assert settled(sources).age_seconds == 0.0


def test_a_first_result_that_is_slow_to_come_is_told_as_loading(sources, make_dataflow):
    going = threading.Event()
    reading, sources._read = sources._read, lambda *place: going.wait(10) and reading(*place)
    seen = look(sources, patience=0.01)
    assert (seen.state, seen.rows, seen.age_seconds) == ("loading", b"", None)
    going.set()
    assert settled(sources).state == "ok"


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (lambda emulator: emulator.fail_next(503, times=99, match="GET /flows"), "unreachable"),
        (lambda emulator: emulator.reset_next(times=99, match="GET /flows"), "unreachable"),
        (lambda emulator: emulator.fail_next(429, times=99, match="GET /flows"), "unreachable"),
        (lambda emulator: emulator.fail_next(403, match="GET /flows"), "refused"),
    ],
)
def test_a_service_in_trouble_leaves_the_last_good_result_and_says_why(
    sources, emulator, seconds, make_dataflow, trouble, kind
):
    make_dataflow()
    good = settled(sources)
    trouble(emulator)
    seconds(40)
    seen = settled(sources)
    assert (seen.state, seen.error["kind"], seen.rows) == ("stale", kind, good.rows)
    assert seen.age_seconds == 40.0
    emulator.log.clear()
    seconds(29)
    assert settled(sources).state == "stale"
    assert not emulator.log  # nor is a service in trouble asked more often


def test_a_wrong_sandbox_and_a_wrong_login_are_told_apart(run, emulator, credentials, now):
    def read(conn_id, sandbox, before):
        secret = credentials.client_secret if conn_id == "good" else "Wr0ngSecret"
        session = AepSession(replace(credentials, client_secret=secret))
        return drive(session.conduct(read_snapshot(sandbox, before, now=now), sandbox=sandbox), emulator)

    sources = Sources(read)
    unknown = sources.of("good", "nowhere").look(fresh_seconds=30, patience=10)
    refused = sources.of("wrong", "prod").look(fresh_seconds=30, patience=10)
    assert (unknown.state, unknown.error["kind"], unknown.snapshot) == ("error", "sandbox_unknown", None)
    assert (refused.error["kind"], bool(refused.error["hint"])) == ("token_refused", True)
    assert "Wr0ngSecret" not in json.dumps([unknown.to_json(), refused.to_json()])


def test_a_connection_that_leads_elsewhere_shows_nothing_of_where_it_led_before(
    sources, seconds, make_dataflow
):
    make_dataflow()
    origin, reading = ["one"], sources._read
    sources._origin = lambda conn_id, sandbox: origin[0]
    assert settled(sources).rows

    def refused(*place):
        raise AepAuthError(doing="POST /ims/token/v3", status=401, message="invalid_client")

    # The login is refused, and leads where it led before: what was read is as true as it was.
    source = sources.of("aep_default", None)
    source._read = refused
    seconds(31)
    assert (settled(sources).state, bool(settled(sources).rows)) == ("stale", True)
    # It leads to another organization: its exports are other ones.
    origin[0] = "another"
    seconds(61)
    seen = settled(sources)
    assert (seen.state, seen.rows, seen.snapshot, seen.age_seconds) == ("error", b"", None, None)
    # What is read there is read from the beginning.
    befores = []
    source._read = lambda *place: (befores.append(place[-1]), reading(*place))[1]
    seconds(61)
    assert (settled(sources).state, befores) == ("ok", [None])


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (AepConfigError("extra.org_id is missing"), "misconfigured"),
        (AepTooLargeError("the answer has more than 32 MiB", sent=True), "too_large"),
        (KeyError("S3cret"), "broken"),
    ],
)
def test_a_reader_that_fails_says_so_without_quoting(fault, kind, caplog):
    def read(*place):
        raise fault

    seen = Sources(read).of("aep_default", None).look(fresh_seconds=30, patience=10)
    assert (seen.state, seen.error["kind"]) == ("error", kind)
    assert "S3cret" not in json.dumps(seen.to_json()) + caplog.text


def test_what_nobody_asks_for_is_forgotten(sources, seconds, make_dataflow):
    make_dataflow()
    first = sources.of("aep_default", None)
    look(sources)
    seconds(3601)
    assert sources.of("aep_default", None) is not first
