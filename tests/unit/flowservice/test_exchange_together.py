"""Several exchanges side by side: in threads, or on an event loop, with the same ends."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from contextvars import ContextVar

import pytest

from airflow_provider_aep.errors import AepApiError, AepError, AepNotFoundError
from airflow_provider_aep.flowservice.driving import adrive, advance, drive
from airflow_provider_aep.flowservice.exchange import (
    Done,
    Pause,
    Request,
    Response,
    Together,
    conduct,
    together,
)
from airflow_provider_aep.flowservice.habits import Habits
from airflow_provider_aep.flowservice.threads import DaemonThreads


class Counter:
    """Answers with the path, and knows how many requests were under way at once."""

    def __init__(self, seconds=0.0):
        self.seconds, self.now, self.most, self.asked = seconds, 0, 0, []
        self._lock = threading.Lock()

    def send(self, request):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.asked.append(request.path)
        time.sleep(self.seconds)
        with self._lock:
            self.now -= 1
        if request.path == "/broken":
            raise ZeroDivisionError
        if request.path == "/missing":
            raise AepNotFoundError(doing="GET /missing", status=404, message="no such entity")
        return Response(200, body=f'{{"path": "{request.path}"}}'.encode())


def greet(name, *pauses):
    reply = yield Request("GET", f"/{name}")
    for seconds in pauses:
        yield Pause(seconds)
    return reply.json["path"]


def greetings(*names, at_most=4):
    ends = yield from together([greet(name) for name in names], at_most=at_most)
    return ends


def by_thread(exchange, transport):
    return drive(exchange, transport)


def by_loop(exchange, transport):
    return asyncio.run(adrive(exchange, transport))


both = pytest.mark.parametrize("driven", [by_thread, by_loop])


@both
def test_the_ends_come_in_the_order_of_the_exchanges(driven):
    names = [str(number) for number in range(20)]
    assert driven(greetings(*names), Counter(0.001)) == [Done(f"/{name}") for name in names]


@both
@pytest.mark.parametrize("at_most", [1, 3])
def test_no_more_than_so_many_are_under_way(driven, at_most):
    transport = Counter(0.01)
    driven(greetings(*"abcdefghi", at_most=at_most), transport)
    assert transport.most == at_most


@both
def test_an_error_of_ours_ends_one_of_them_alone(driven):
    first, second, third = driven(greetings("a", "missing", "c"), Counter())
    assert (first, third) == (Done("/a"), Done("/c"))
    assert isinstance(second, AepNotFoundError)


@both
def test_nothing_together_is_nothing(driven):
    assert driven(greetings(), Counter()) == []


@both
def test_what_runs_together_may_branch_again(driven):
    def twice(name):
        ends = yield from together([greet(f"{name}1"), greet(f"{name}2")], at_most=2)
        return [end.value for end in ends]

    def all_of_them():
        yield Pause(0)
        ends = yield from together([twice("a"), twice("b")], at_most=2)
        yield Pause(0)
        last = yield from greet("last")
        return [*ends, last]

    assert driven(all_of_them(), Counter()) == [Done(["/a1", "/a2"]), Done(["/b1", "/b2"]), "/last"]


@both
def test_context_variables_are_there(driven):
    told = ContextVar("told", default="nothing")

    class Reader:
        def send(self, request):
            return Response(200, body=f'{{"path": "{told.get()}"}}'.encode())

    told.set("everything")
    assert driven(greetings("a", "b"), Reader()) == [Done("everything")] * 2


def test_pauses_are_slept_by_the_sleep_that_was_given():
    slept = []

    def both_pause():
        yield from together([greet("a", 3), greet("b", 5)], at_most=2)

    drive(both_pause(), Counter(), slept.append)
    assert sorted(slept) == [3, 5]


@both
def test_an_error_that_is_not_ours_ends_them_all_at_once(driven):
    """Nobody waits for the pauses of the others, and none of them sends anything more."""

    def patient():
        yield Request("GET", "/patient")
        yield Pause(30)
        yield Request("GET", "/too late")

    def breaking():
        yield from together([patient(), greet("broken"), *map(greet, "cdefgh")], at_most=2)

    transport, began = Counter(0.02), time.perf_counter()
    with pytest.raises(ZeroDivisionError):
        driven(breaking(), transport)
    assert time.perf_counter() - began < 10
    time.sleep(0.1)
    assert "/too late" not in transport.asked


def test_on_a_loop_that_goes_on_the_others_are_stopped_too():
    """As in a triggerer, whose loop outlives any one trigger."""

    def patient():
        yield Pause(0.05)
        yield Request("GET", "/too late")

    def breaking():
        yield from together([patient(), greet("broken")], at_most=2)

    async def triggerer():
        with pytest.raises(ZeroDivisionError):
            await adrive(breaking(), transport)
        await asyncio.sleep(0.2)

    transport = Counter()
    asyncio.run(triggerer())
    assert "/too late" not in transport.asked


def test_a_cancelled_loop_cancels_what_runs_together():
    def patient():
        yield from together([greet("a", 30), greet("b", 30)], at_most=2)

    async def cancelled():
        task = asyncio.create_task(adrive(patient(), Counter()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    began = time.perf_counter()
    asyncio.run(cancelled())
    assert time.perf_counter() - began < 10


def test_an_interrupted_thread_does_not_wait_for_the_pauses_of_the_others():
    def interrupted():
        yield Pause(0.05)
        raise KeyboardInterrupt

    def breaking():
        yield from together([interrupted(), greet("a", 30)], at_most=2)

    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        drive(breaking(), Counter())
    assert time.perf_counter() - began < 10


class Killed(BaseException):
    """As Airflow raises for a task that is killed: in the main thread, whatever it waits for."""


@pytest.fixture
def killed_after():
    def kill(*_):
        raise Killed

    before = signal.signal(signal.SIGALRM, kill)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("nested", [False, True])
def test_after_an_interrupt_nobody_begins_another_request(killed_after, nested):
    def busy(name):
        yield Request("GET", f"/{name}")
        yield Request("PATCH", f"/{name} too late")

    def all_of_them(names):
        if nested and len(names) > 1:
            yield from together([all_of_them([name]) for name in names], at_most=4)
        else:
            yield from together([busy(name) for name in names], at_most=4)

    transport = Counter(0.5)
    killed_after(0.1)
    with pytest.raises(Killed):
        drive(all_of_them([*"abcdefgh"]), transport)
    time.sleep(0.1)
    assert sorted(transport.asked) == ["/a", "/b", "/c", "/d"]


def test_conduct_carries_out_the_requests_of_every_branch():
    asked = []

    def ask(request):
        asked.append(request.path)
        if request.path == "/refused":
            raise AepApiError(doing="GET /refused", status=403, message="no")
        yield Pause(1)
        return Response(200, body=f'{{"path": "{request.path}"}}'.encode())

    ends = drive(conduct(greetings("a", "refused", "c"), ask, Habits()), Counter(), lambda seconds: None)
    assert sorted(asked) == ["/a", "/c", "/refused"]
    assert isinstance(ends[1], AepError)
    assert [ends[0], ends[2]] == [Done("/a"), Done("/c")]


def test_advancing_stops_where_it_branches():
    stop = advance(greetings("a"), Counter())
    assert isinstance(stop, Together)
    assert stop.at_most == 4


def test_no_thread_is_left_when_all_is_done():
    before = set(threading.enumerate())
    drive(greetings(*"abcdef"), Counter())
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize("nested", [False, True])
def test_an_interrupt_does_not_wait_for_the_requests_that_are_under_way(killed_after, nested):
    def outer():
        yield from together([greetings("a", "b")], at_most=2)

    killed_after(0.2)
    began = time.perf_counter()
    with pytest.raises(Killed):
        drive(outer() if nested else greetings("a", "b"), Counter(5.0))
    assert time.perf_counter() - began < 2


PROGRAM = """
import asyncio, sys, time
from airflow_provider_aep.flowservice.driving import adrive, drive
from airflow_provider_aep.flowservice.exchange import Request, Response, together

class Stalled:
    def send(self, request):
        sys.stdout.write("sent\\n"); sys.stdout.flush()
        time.sleep(30)
        return Response(200)

def ask():
    return (yield Request("GET", "/flows"))

def both():
    return (yield from together([ask(), ask()], at_most=2))

if sys.argv[1] == "loop":
    asyncio.run(adrive(both(), Stalled()))
else:
    drive(both() if sys.argv[1] == "together" else ask(), Stalled())
"""


@pytest.mark.parametrize("how", ["alone", "together", "loop"])
def test_a_process_that_is_interrupted_while_a_request_is_under_way_ends_at_once(how):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, how], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout.readline()
        time.sleep(0.3)
        began = time.perf_counter()
        process.send_signal(signal.SIGINT)
        process.wait(20)
        assert time.perf_counter() - began < 5
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_threads_are_started_as_they_are_needed_and_no_more_than_allowed():
    threads = DaemonThreads(3, "aep-test")
    assert [threads.submit(pow, 2, number).result() for number in range(5)] == [1, 2, 4, 8, 16]

    def names():
        return {one.name for one in threading.enumerate() if one.name.startswith("aep-test")}

    assert len(names()) <= 2  # one is idle again a moment after it has told its result
    together = threading.Barrier(3)
    ends = [threads.submit(together.wait, 10) for _ in range(6)]
    assert sorted(end.result(10) for end in ends) == [0, 0, 1, 1, 2, 2]
    assert len(names()) == 3
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 1, 0).result(10)
    threads.shutdown()
    assert not names()
