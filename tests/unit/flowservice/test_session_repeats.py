"""What is sent again, after how long, and what is not: the retry table, row by row.

The jitter is zero here, so that a pause is a number.
"""

from __future__ import annotations

import inspect
import time
from email.utils import formatdate

import pytest

from airflow_provider_aep.errors import (
    AepApiError,
    AepAuthError,
    AepNotFoundError,
    AepPreconditionError,
    AepRateLimitError,
    AepServerError,
    AepTransportError,
)
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.exchange import Pause, Request, together
from airflow_provider_aep.flowservice.session import TRIES, AepSession

CREATE = Request(
    "POST",
    "/connections",
    json={"name": "base", "connectionSpec": {"id": "10440537-2a7b-4583-ac39-ed38d4b848e8", "version": "1.0"}},
)
METHODS = ("GET", "DELETE", "PATCH", "POST")
TROUBLE = {
    "reset": lambda emulator: emulator.reset_next(),
    "drop": lambda emulator: emulator.drop_next(),
    "lose": lambda emulator: emulator.lose_next(),
    "stall": lambda emulator: emulator.stall_next(1.0),
    "429": lambda emulator: emulator.fail_next(429),
    "429, 7 s": lambda emulator: emulator.fail_next(429, retry_after=7),
    "500": lambda emulator: emulator.fail_next(500),
    "503": lambda emulator: emulator.fail_next(503),
    "504": lambda emulator: emulator.fail_next(504),
    "401": lambda emulator: emulator.fail_next(401),
    "400": lambda emulator: emulator.fail_next(400),
    "409": lambda emulator: emulator.fail_next(409),
}
DONE = "done"

# trouble -> method -> (how often it was sent, pauses, how it ended)
TABLE = {
    "reset": dict.fromkeys(METHODS, (2, [2.0], DONE)),
    "drop": {**dict.fromkeys(METHODS, (2, [2.0], DONE)), "POST": (1, [], AepTransportError)},
    "lose": {
        "GET": (2, [2.0], DONE),
        "DELETE": (2, [2.0], AepNotFoundError),  # gone since the first time; delete_entity calls that done
        "PATCH": (2, [2.0], AepPreconditionError),  # the first one moved the etag: read anew
        "POST": (1, [], AepTransportError),
    },
    "429": dict.fromkeys(METHODS, (2, [2.0], DONE)),
    "429, 7 s": dict.fromkeys(METHODS, (2, [7.0], DONE)),
    "503": {**dict.fromkeys(METHODS, (2, [2.0], DONE)), "POST": (1, [], AepServerError)},
    "401": dict.fromkeys(METHODS, (2, [], DONE)),
    "400": dict.fromkeys(METHODS, (1, [], AepApiError)),
}
TABLE |= {"stall": TABLE["lose"], "500": TABLE["503"], "504": TABLE["503"], "409": TABLE["400"]}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("trouble", TABLE)
def test_what_can_be_repeated_is_repeated(emulator, run, ask, make_dataflow, trouble, method):
    request = a_request(method, emulator, make_dataflow())
    before = len(emulator.entities("connections"))
    TROUBLE[trouble](emulator)
    times, pauses, outcome = TABLE[trouble][method]
    if outcome is DONE:
        assert run(ask(request)).status < 300
    else:
        with pytest.raises(AepApiError if outcome is AepApiError else outcome) as caught:
            run(ask(request))
        assert type(caught.value) is outcome
    assert len(emulator.requests(method, request.path)) == times
    assert run.pauses == pauses
    created = len(emulator.entities("connections")) - before
    assert created == (method == "POST" and (outcome is DONE or trouble in ("lose", "stall")))


@pytest.mark.parametrize("trouble", ["reset", "drop", "lose", "stall"])
def test_an_unanswered_request_says_whether_it_may_have_been_received(emulator, run, ask, trouble):
    for _ in range(TRIES):
        TROUBLE[trouble](emulator)
    with pytest.raises(AepTransportError) as caught:
        run(ask(CREATE))
    assert caught.value.sent is (trouble != "reset")
    assert "POST /connections" in str(caught.value)


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (lambda emulator: emulator.fail_next(503, times=99), AepServerError),
        (lambda emulator: emulator.fail_next(429, times=99), AepRateLimitError),
        (lambda emulator: emulator.reset_next(times=99), AepTransportError),
        (lambda emulator: emulator.drop_next(times=99), AepTransportError),
    ],
    ids=["503", "429", "reset", "drop"],
)
def test_after_five_tries_the_error_rises(emulator, run, order, error):
    order(emulator)
    with pytest.raises(error):
        run(list_datasets())
    assert run.pauses == [2.0, 4.0, 8.0, 16.0]
    assert len(emulator.requests("GET")) == 5


def test_different_troubles_count_together(emulator, run):
    emulator.fail_next(503)
    emulator.reset_next()
    emulator.fail_next(429)
    emulator.drop_next()
    assert run(list_datasets())
    assert run.pauses == [2.0, 4.0, 8.0, 16.0]


def test_each_page_has_its_own_tries(emulator, run):
    for number in range(150):
        emulator.add_dataset(f"Extra {number}")
    emulator.fail_next(503, times=3)
    assert run.pauses == []
    page_by_page = list_datasets()
    assert len(run(page_by_page)) == 155
    emulator.fail_next(503, times=4)
    run(list_datasets())
    assert run.pauses == [2.0, 4.0, 8.0, 2.0, 4.0, 8.0, 16.0]


# The service says when


def in_seconds(seconds):
    """The date form of the header, ``seconds`` from now."""
    return lambda clock: formatdate(clock() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("7", 7.0),
        ("38", 38.0),
        ("60", 60.0),
        ("0", 2.0),
        ("1", 2.0),
        ("-5", 2.0),
        (in_seconds(20), 20.0),
        (in_seconds(-20), 2.0),
        ("soon", 2.0),
        ("1.5", 2.0),
        ("", 2.0),
        ("9" * 400, 2.0),
        ("9" * 999, 2.0),
    ],
    ids=[
        "7",
        "38",
        "60",
        "0",
        "1",
        "negative",
        "date",
        "past date",
        "word",
        "fraction",
        "empty",
        "huge",
        "vast",
    ],
)
def test_retry_after_is_honoured_when_it_can_be_read(emulator, run, clock, header, pause):
    emulator.fail_next(429, retry_after=header(clock) if callable(header) else header)
    assert run(list_datasets())
    assert run.pauses == [pause]


@pytest.mark.parametrize("header", ["0", in_seconds(-60)], ids=["0", "past date"])
def test_a_service_that_asks_for_no_pause_is_asked_again_after_the_usual_ones(emulator, run, clock, header):
    emulator.fail_next(429, times=4, retry_after=header(clock) if callable(header) else header)
    assert run(list_datasets())
    assert run.pauses == [2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize(("header", "seconds"), [("61", 61.0), ("3600", 3600.0), (in_seconds(90), 90.0)])
def test_a_long_retry_after_is_surfaced_at_once_with_the_number(emulator, run, clock, header, seconds):
    emulator.fail_next(429, retry_after=header(clock) if callable(header) else header)
    with pytest.raises(AepRateLimitError) as caught:
        run(list_datasets())
    assert caught.value.retry_after == seconds
    assert run.pauses == []


@pytest.mark.parametrize(("header", "pause"), [(1, 2.0), (20, 20.0), (3600, 60.0)])
def test_a_failing_service_may_ask_for_a_longer_pause_up_to_a_minute(emulator, run, header, pause):
    emulator.fail_next(503, retry_after=header)
    assert run(list_datasets())
    assert run.pauses == [pause]


def test_jitter_stretches_pauses_by_up_to_half(emulator, run, credentials):
    run.session = AepSession(credentials, now=emulator.clock, jitter=lambda: 1.0)
    emulator.fail_next(503, times=4)
    assert run(list_datasets())
    assert run.pauses == [3.0, 6.0, 12.0, 24.0]


def test_jitter_differs_from_one_session_to_the_next(emulator, credentials):
    def first_pause():
        session = AepSession(credentials, now=emulator.clock)
        exchange = session.conduct(list_datasets(), sandbox="prod")
        step = next(exchange)
        while not isinstance(step, Pause):
            try:
                step = exchange.send(emulator.send(step))
            except AepTransportError as error:
                step = exchange.throw(error)
        return step.seconds

    emulator.reset_next(times=20)
    pauses = {first_pause() for _ in range(20)}
    assert len(pauses) > 1
    assert all(2.0 <= pause <= 3.0 for pause in pauses)


# Login in between


def test_a_refused_token_and_a_busy_service_are_two_different_troubles(emulator, run, tokens):
    emulator.fail_next(503)
    emulator.fail_next(401)
    emulator.fail_next(503)
    assert run(list_datasets())
    assert run.pauses == [2.0, 2.0]
    assert len(tokens) == 2


def test_a_missing_permission_is_not_asked_again(emulator, run, tokens):
    emulator.fail_next(403)
    with pytest.raises(AepAuthError):
        run(list_datasets())
    assert (len(emulator.requests("GET")), len(tokens), run.pauses) == (1, 1, [])


def a_request(method, emulator, flow_id):
    path = f"/flows/{flow_id}"
    if method == "POST":
        return CREATE
    if method == "PATCH":
        etag = emulator.entities("flows")[0]["etag"]
        change = [{"op": "replace", "path": "/name", "value": "renamed"}]
        return Request("PATCH", path, headers={"If-Match": etag}, json=change)
    return Request(method, path)


# One credential, one quota


def parked(session, request=None):
    """An exchange of another task of the same credential, and what it wants to do first."""

    def asked():
        return (yield request or Request("GET", "/flows"))

    exchange = session.conduct(asked(), sandbox="dev")
    return exchange, next(exchange)


def throttled(emulator, run, **options):
    """One task has just been told to slow down."""
    run(list_datasets())  # the token is there
    emulator.fail_next(429, **options)
    exchange, request = parked(run.session)
    return exchange, exchange.send(emulator.send(request))


def test_a_429_slows_down_every_request_of_the_credential(emulator, run, clock):
    _, pause = throttled(emulator, run, retry_after=7)
    assert pause == Pause(7.0)
    for method in METHODS:
        exchange, first = parked(run.session, Request(method, "/flows/x", json=[] or None))
        assert first == Pause(7.0), method
    clock.advance(3)
    assert parked(run.session)[1] == Pause(4.0)
    clock.advance(4)
    assert isinstance(exchange.send(None), Request)
    assert isinstance(parked(run.session)[1], Request)


def test_without_a_number_the_others_wait_as_long_as_the_one(emulator, run):
    throttled(emulator, run)
    assert parked(run.session)[1] == Pause(2.0)


def test_the_longest_pause_counts(emulator, run):
    run(list_datasets())
    under_way = [parked(run.session) for _ in range(3)]
    for (exchange, request), seconds in zip(under_way, (5, 30, 10), strict=True):
        emulator.fail_next(429, retry_after=seconds)
        assert exchange.send(emulator.send(request)) == Pause(seconds)
    assert parked(run.session)[1] == Pause(30.0)


def test_a_request_is_sent_after_five_pauses_however_often_others_are_told_to_slow_down(emulator, run, clock):
    run(list_datasets())  # the token is there
    others = [parked(run.session) for _ in range(TRIES + 2)]
    emulator.fail_next(429, times=len(others), retry_after=7)

    def one_more_is_told():
        exchange, request = others.pop()
        exchange.send(emulator.send(request))

    one_more_is_told()
    held_up, step = parked(run.session)
    pauses = []
    while isinstance(step, Pause):
        pauses.append(step.seconds)
        clock.advance(step.seconds)
        one_more_is_told()
        step = held_up.send(None)
    assert pauses == [7.0] * 5


def refused_for_long(emulator, run, seconds=120):
    """One task has just been told to come back much later."""
    run(list_datasets())  # the token is there
    emulator.fail_next(429, retry_after=seconds)
    with pytest.raises(AepRateLimitError):
        run(list_datasets())


def test_where_one_was_told_to_come_back_much_later_the_others_do_not_even_ask(emulator, run, ask, clock):
    refused_for_long(emulator, run)
    before = len(emulator.requests())
    for passed in (0, 20, 40):
        clock.advance(passed)
        for method in METHODS:
            request = Request(method, "/flows/x", json=[] or None)
            with pytest.raises(AepRateLimitError, match=f"{method} /flows/x") as caught:
                run(ask(request))
            assert caught.value.retry_after == {0: 120, 20: 100, 40: 60}[passed]
    assert len(emulator.requests()) == before
    assert run.pauses == []
    clock.advance(60)
    assert run(list_datasets())


def test_fifty_side_by_side_get_one_429_between_them(emulator, run, ask):
    run(list_datasets())
    before = len(emulator.requests())
    emulator.fail_next(429, times=50, retry_after=120)
    ends = run(together([ask(Request("GET", "/flows")) for _ in range(50)], at_most=1))
    assert {type(end) for end in ends} == {AepRateLimitError}
    assert len(emulator.requests()) - before == 1


def test_those_that_were_pausing_stop_when_the_service_closes(emulator, run):
    run(list_datasets())
    (pausing, first), (refused, second) = parked(run.session), parked(run.session)
    emulator.fail_next(429, retry_after=7)
    assert pausing.send(emulator.send(first)) == Pause(7.0)
    emulator.fail_next(429, retry_after=120)
    with pytest.raises(AepRateLimitError):
        refused.send(emulator.send(second))
    with pytest.raises(AepRateLimitError) as caught:
        pausing.send(None)
    assert caught.value.retry_after == 120


def test_the_latest_moment_counts(emulator, run):
    run(list_datasets())
    under_way = [parked(run.session) for _ in range(3)]
    for (exchange, request), seconds in zip(under_way, (100, 300, 200), strict=True):
        emulator.fail_next(429, retry_after=seconds)
        with pytest.raises(AepRateLimitError):
            exchange.send(emulator.send(request))
    with pytest.raises(AepRateLimitError) as caught:
        parked(run.session)
    assert caught.value.retry_after == 300


def test_a_closed_service_does_not_close_the_login(emulator, run):
    refused_for_long(emulator, run)
    run.session._tokens.forget(run.session._tokens._token.value)
    _, first = parked(run.session)
    assert first.form


def test_a_closed_login_does_not_close_the_service(emulator, run):
    emulator.fail_next(429, retry_after=120, match="POST /ims")
    with pytest.raises(AepRateLimitError):
        run(list_datasets())
    assert run(list_datasets())


def test_a_closed_service_is_closed_to_one_credential(emulator, run, credentials, clock):
    refused_for_long(emulator, run)
    assert isinstance(parked(AepSession(credentials, now=clock))[1], Request)


def test_other_credentials_have_their_own_quota(emulator, run, credentials, clock):
    throttled(emulator, run, retry_after=7)
    other = AepSession(credentials, now=clock, jitter=lambda: 0.0)
    assert isinstance(parked(other)[1], Request)


def test_the_login_is_another_service_and_is_not_slowed_down(emulator, run):
    throttled(emulator, run, retry_after=7)
    run.session._tokens.forget(run.session._tokens._token.value)
    _, first = parked(run.session)
    assert isinstance(first, Request)
    assert first.form


def test_those_that_waited_do_not_all_start_at_the_same_moment(emulator, credentials, clock, run):
    chances = iter([0.0, 0.25, 1.0])
    session = AepSession(credentials, now=clock, jitter=lambda: next(chances))
    exchange, request = parked(session)
    request = exchange.send(emulator.send(request))
    emulator.fail_next(429, retry_after=8)
    assert exchange.send(emulator.send(request)) == Pause(8.0)
    assert [parked(session)[1].seconds for _ in range(3)] == [8.0, 9.0, 12.0]


def test_pauses_are_counted_by_a_clock_that_nobody_can_set_back(credentials, monkeypatch):
    now = inspect.signature(AepSession).parameters["now"].default
    hour_ago = time.time() - 3600
    monkeypatch.setattr(time, "time", lambda: hour_ago)
    assert now() > hour_ago + 3590


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/auth/params", "value": {"s3SecretKey": "hunter2-Z9/Q", "port": 22}},
        {"op": "add", "path": "/auth/params", "value": {"s3SecretKey": "hunter2-Z9/Q"}},
        {"op": "replace", "path": "/auth", "value": {"specName": "x", "params": {"key": "hunter2-Z9/Q"}}},
        {"op": "replace", "path": "/auth/params/s3SecretKey", "value": "hunter2-Z9/Q"},
    ],
)
def test_a_secret_of_a_patch_appears_in_no_error(emulator, run, ask, operation):
    told = "s3SecretKey hunter2-Z9/Q (in a URL hunter2-Z9%2FQ) does not match"
    emulator.fail_next(400, match="PATCH", body={"message": told})
    remove = {"op": "remove", "path": "/auth/params/old"}
    request = Request("PATCH", "/connections/x", headers={"If-Match": '"1"'}, json=[remove, operation])
    with pytest.raises(AepApiError) as refused:
        run(ask(request))
    assert "hunter2" not in f"{refused.value} {refused.value!r} {refused.value.__dict__}"
    assert "s3SecretKey ***" in str(refused.value)


def test_each_429_and_each_fetched_token_is_told_to_those_who_count(emulator, credentials, clock, run, ask):
    told = []
    run.session = AepSession(credentials, now=clock, on_event=told.append)
    emulator.fail_next(429, times=2)
    run(ask(Request("GET", "/flows")))
    assert told == ["token_fetches", "rate_limited", "rate_limited"]
    run(ask(Request("GET", "/flows")))
    emulator.fail_next(503)
    run(ask(Request("GET", "/flows")))
    assert len(told) == 3
    emulator.fail_next(429, retry_after=300)
    for _ in range(2):  # the second one is not even sent
        with pytest.raises(AepRateLimitError):
            run(ask(Request("GET", "/flows")))
    assert told[3:] == ["rate_limited"]
