"""The shared poll under bad luck, on a real event loop: its own trouble, and that of those who wait."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_aep.errors import AepRateLimitError
from airflow_provider_aep.flowservice.driving import adrive
from airflow_provider_aep.flowservice.exchange import Response
from airflow_provider_aep.flowservice.session import LONGEST_CLOSED, AepSession
from airflow_provider_aep.monitoring import shared_poll
from airflow_provider_aep.monitoring.poll import no_answer
from airflow_provider_aep.monitoring.shared_poll import SharedPoll
from airflow_provider_aep.monitoring.waits import Wait

INTERVAL = 0.1


@pytest.fixture
def session(credentials, clock) -> AepSession:
    return AepSession(credentials, now=clock, jitter=lambda: 0.0)


@pytest.fixture
def poll(session, emulator) -> SharedPoll:
    async def converse(exchange: Any) -> Any:
        return await adrive(session.conduct(exchange, sandbox="prod"), emulator)

    return SharedPoll(converse)


@pytest.fixture
def finished(make_dataflow, clock):
    """``finished("ab")``: dataflows whose first run has ended."""

    def make(names: str) -> list[str]:
        flows = [make_dataflow(name) for name in names]
        clock.advance(1.5 * 3600)
        return flows

    return make


def wait_for(flow: str, now: datetime, **given: Any) -> Wait:
    return Wait(dataflow_id=flow, **{"started_after": now, **given})


def all_of(poll: SharedPoll, waits: list[tuple[Wait, dict[str, Any]]], *, within: float = 10.0) -> list[Any]:
    """How each wait ended; one that has not ended within some seconds is ``None``."""

    async def scene() -> list[Any]:
        tasks = []
        for wait, given in waits:
            deadline = time.time() + given.pop("seconds", 60)
            waiting = poll.wait(wait, **{"deadline": deadline, "interval": INTERVAL, **given})
            tasks.append(asyncio.create_task(poll.run_while_waiting(waiting)))
        done, late = await asyncio.wait(tasks, timeout=within)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return [task.result() if task in done else None for task in tasks]

    return asyncio.run(scene())


def on_a_full_disk(told: str) -> None:
    raise OSError(28, "No space left on device")


# One waiter's trouble is its own


def test_a_waiter_whose_log_cannot_be_written_ends_neither_the_poll_nor_its_own_wait(
    poll, emulator, now, make_dataflow, finished
):
    emulator.script_runs(None, ["success"])
    early = make_dataflow("early", every="1d", start=now + timedelta(hours=12))
    (good,) = finished("g")
    ends = all_of(
        poll,
        [
            (wait_for(early, now), {"tell": on_a_full_disk, "seconds": 0.5}),
            (wait_for(good, now), {"first_pause": 0.3}),
        ],
    )
    assert ends[0] == {"status": "timeout", "last_seen": "no run has started yet"}
    assert ends[1]["status"] == "finished"


def test_a_poll_whose_own_log_cannot_be_written_goes_on(now, caplog, monkeypatch):
    class Full(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            on_a_full_disk("")

    full = Full()
    looks = iter(range(100))

    async def broken(exchange: Any) -> Any:
        exchange.close()
        next(looks)
        raise RuntimeError("boom")

    def observe(waiters: int, seconds: float, failed: bool) -> None:
        on_a_full_disk("")

    shared_poll.log.addHandler(full)
    try:
        (end,) = all_of(SharedPoll(broken, observe=observe), [(wait_for("f", now), {"seconds": 0.5})])
    finally:
        shared_poll.log.removeHandler(full)
    assert end["status"] == "timeout"
    assert "boom" in end["last_seen"]
    assert next(looks) > 2


def test_a_wait_since_the_year_one_blinds_nobody(poll, now, finished):
    flows = finished("abc")
    since_ever = wait_for(flows[0], datetime.min.replace(tzinfo=UTC))
    ends = all_of(poll, [(since_ever, {}), *((wait_for(each, now), {}) for each in flows[1:])])
    assert [end and end["status"] for end in ends] == ["finished"] * 3


class Odd:
    """A service that tells no id of a run of one dataflow."""

    def __init__(self, emulator: Any, flow: str) -> None:
        self.emulator, self.flow = emulator, flow

    def send(self, request: Any) -> Response:
        answer = self.emulator.send(request)
        if request.path != "/runs":
            return answer
        (odd, others) = ([], [])
        for each in answer.json["items"]:
            (odd if each["flowId"] == self.flow else others).append(each)
        told = [{name: value for name, value in each.items() if name != "id"} for each in odd]
        return Response(200, body=json.dumps({"items": [*told, *others]}).encode())


def test_a_dataflow_of_which_something_unreadable_is_told_blinds_nobody_else(
    session, emulator, now, finished
):
    odd, *others = finished("abc")

    async def converse(exchange: Any) -> Any:
        return await adrive(session.conduct(exchange, sandbox="prod"), Odd(emulator, odd))

    since = {"started_after": now - timedelta(days=1)}
    told: list[str] = []
    waits = [
        (wait_for(odd, now, **since, expected=2), {"tell": told.append}),
        *((wait_for(each, now, **since), {}) for each in others),
    ]
    ends = all_of(SharedPoll(converse), waits, within=3.0)
    assert [end and end["status"] for end in ends] == [None, "finished", "finished"]
    assert told[0] == "the service gave no answer: GET /runs: the response holds no list of entities"


def test_a_wait_that_cannot_be_judged_hides_no_other(poll, emulator, now, make_dataflow, clock):
    flows = [make_dataflow(name) for name in "ab"]
    emulator.script_runs(flows[0], ["in_progress"])
    clock.advance(1.5 * 3600)
    # So long after its start no moment exists any more.
    endless = wait_for(flows[0], now, longest=timedelta.max, ends_stuck=True)
    told: list[str] = []
    ends = all_of(poll, [(endless, {"tell": told.append}), (wait_for(flows[1], now), {})], within=3.0)
    assert [end and end["status"] for end in ends] == [None, "finished"]
    assert "OverflowError" in told[-1]


# What the service asks for


def test_a_retry_after_of_five_days_is_heeded_for_ten_minutes():
    days = AepRateLimitError(doing="GET /runs", status=429, message="later", retry_after=432_000.0)
    assert no_answer(days).wait_seconds == LONGEST_CLOSED


# Clocks


class Wall:
    """The wall clock, which somebody sets back, or ahead."""

    def __init__(self) -> None:
        self.off = 0.0

    def time(self) -> float:
        return time.time() + self.off


@pytest.fixture
def wall(monkeypatch) -> Wall:
    made = Wall()
    monkeypatch.setattr(shared_poll, "time", SimpleNamespace(time=made.time, monotonic=time.monotonic))
    return made


def test_a_wall_clock_that_is_set_back_an_hour_does_not_make_an_hour_of_a_pause(
    poll, emulator, now, make_dataflow, clock, wall
):
    flow = make_dataflow("a")

    def set_back(told: str) -> None:
        wall.off = -3600.0
        clock.advance(2 * 3600)  # the run has ended meanwhile

    (end,) = all_of(poll, [(wait_for(flow, now), {"tell": set_back})], within=5.0)
    assert end is not None
    assert end["status"] == "finished"


def test_a_deadline_is_one_of_the_wall_clock(poll, now, make_dataflow, wall):
    def set_ahead(told: str) -> None:
        wall.off = 3600.0

    (end,) = all_of(poll, [(wait_for(make_dataflow("a"), now), {"tell": set_ahead})], within=5.0)
    assert end == {"status": "timeout", "last_seen": "no run has started yet"}
