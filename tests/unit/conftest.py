"""What the unit tests share: a finished export, a task instance, and an exchange of a single request."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseSensorOperator

from airflow_provider_aep.flowservice import driving
from airflow_provider_aep.flowservice.exchange import Exchange, Request, Response
from airflow_provider_aep.monitoring import shared_poll
from airflow_provider_aep.sensors import deferring, exports, ingested, runs, starting, wanted
from airflow_provider_aep.triggers import dataflow_runs
from tests.unit.sensing import Watch
from tests.unit.task_instance import FakeTaskInstance
from tools.provisioning import new_dataflow


@pytest.fixture
def now(clock) -> datetime:
    return datetime.fromtimestamp(clock(), tz=UTC)


@pytest.fixture
def ti() -> FakeTaskInstance:
    return FakeTaskInstance()


@pytest.fixture
def logged(capfd, caplog) -> Callable[[], str]:
    """All that was logged up to now: on Airflow 3 it goes past the standard library."""
    seen: list[str] = []

    def read() -> str:
        seen.extend(capfd.readouterr())
        return "".join([*seen, caplog.text])

    return read


@pytest.fixture
def ask() -> Callable[[Request], Exchange[Response]]:
    """The shortest exchange: one request, and its answer."""

    def asked(request: Request) -> Exchange[Response]:
        return (yield request)

    return asked


@pytest.fixture
def make_dataflow(run, emulator, clock) -> Callable[..., str]:
    """``make_dataflow("nightly")``: a three-hourly export to the Data Landing Zone; its id.

    It starts in an hour, so that no run happens until a test moves the clock or asks for one. The log
    forgets how it was made.
    """

    def make(name: str = "nightly", *, datasets: int = 1, **schedule: Any) -> str:
        now = datetime.fromtimestamp(clock(), tz=UTC)
        words = {"every": "3h", "start": now + timedelta(hours=1), **schedule}
        ids = [each.id for each in emulator.datasets()[:datasets]]
        dataflow_id = run(new_dataflow(name, now, datasets=ids, path="exports", **words))
        emulator.log.clear()
        return dataflow_id

    return make


@pytest.fixture
def poll_moves(clock, monkeypatch) -> Callable[[Callable[[float], object]], None]:
    """``poll_moves(pass_time)``: the shared poll passes its pauses by the emulator's clock, not by ours."""

    def move(pass_time: Callable[[float], object]) -> None:
        async def pause(changed: asyncio.Event, seconds: float) -> None:
            if seconds == float("inf"):
                await changed.wait()
            pass_time(seconds)
            await asyncio.sleep(0)

        async def pause_in_an_exchange(seconds: float) -> None:
            clock.advance(seconds)

        async def started(poll: Any, waiting: Any) -> Any:
            # A clock that leaps must not leap before the wait has begun.
            wait = asyncio.ensure_future(waiting)
            await asyncio.sleep(0)
            return await run_while_waiting(poll, wait)

        run_while_waiting = shared_poll.SharedPoll.run_while_waiting
        loop = {
            name: getattr(asyncio, name)
            for name in ("get_running_loop", "Semaphore", "ensure_future", "gather")
        }
        monkeypatch.setattr(shared_poll.SharedPoll, "run_while_waiting", started)
        monkeypatch.setattr(shared_poll, "_pause", pause)
        monkeypatch.setattr(shared_poll, "time", SimpleNamespace(time=clock, monotonic=clock))
        monkeypatch.setattr(driving, "asyncio", SimpleNamespace(sleep=pause_in_an_exchange, **loop))

    return move


@pytest.fixture
def watch(aep, clock, ti, monkeypatch, poll_moves) -> Watch:
    """``watch("deferrable", dataflow_id=...)``: how that sensor ends; all clocks are the emulator's."""
    base = sys.modules[BaseSensorOperator.__module__]
    watch = Watch(ti, clock, base)

    class Moments(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromtimestamp(clock(), tz=tz)

    monkeypatch.setattr(base, "time", SimpleNamespace(sleep=watch.pass_time, monotonic=clock))
    monkeypatch.setattr(base, "timezone", SimpleNamespace(utcnow=watch.now))
    if hasattr(base, "_orig_start_date"):  # Airflow 2 asks the database
        monkeypatch.setattr(base, "_orig_start_date", lambda **_: ti.first_look)
    for module in (runs, ingested, deferring, exports, starting):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=clock, monotonic=clock))
    for module in (runs, ingested, deferring, exports, starting, wanted):
        monkeypatch.setattr(module, "datetime", Moments)

    async def pause(seconds: float) -> None:
        watch.pass_time(seconds)

    monkeypatch.setattr(dataflow_runs, "_pause", pause)
    monkeypatch.setattr(dataflow_runs, "time", SimpleNamespace(time=clock, monotonic=clock))
    poll_moves(watch.pass_time)
    return watch


@pytest.fixture
def nightly(make_dataflow, emulator) -> Callable[..., str]:
    """``nightly("failed")``: a dataflow whose first run starts in an hour and ends like that."""
    for dataset in emulator.datasets():
        dataset.hourly = 0  # so that all runs deliver alike

    def make(*kinds: str, **given: Any) -> str:
        made = make_dataflow(**given)
        emulator.script_runs(made, kinds)
        return made

    return make
