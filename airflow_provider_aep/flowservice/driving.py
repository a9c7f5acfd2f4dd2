"""Carrying out exchanges: in this thread, side by side, or on an event loop.

Everything that waits is here. An exchange itself does no I/O and never sleeps.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.exchange import (
    Done,
    Exchange,
    Pause,
    Recall,
    Request,
    Response,
    Together,
    Transport,
)
from airflow_provider_aep.flowservice.habits import Habits
from airflow_provider_aep.flowservice.threads import DaemonThreads

T = TypeVar("T")


def advance(exchange: Exchange[T], transport: Transport, ends: Any = None) -> Pause | Together | Done[T]:
    """Run an exchange up to its next ``Pause`` or ``Together``, or to its end. Blocks during a request.

    :param ends: the results of the exchanges in its last ``Together``.
    """
    try:
        step = exchange.send(ends)
        while isinstance(step, Request | Recall):
            if isinstance(step, Recall):
                step = exchange.send(cast("Any", Habits()))
                continue
            try:
                response = transport.send(step)
            except Exception as error:  # the exchange knows which requests can be repeated
                step = exchange.throw(error)
            else:
                step = exchange.send(response)
        return step
    except StopIteration as end:
        return Done(end.value)


def drive(exchange: Exchange[T], transport: Transport, sleep: Callable[[float], object] = time.sleep) -> T:
    """Run an exchange to its end in this thread; those of a ``Together`` run in threads of their own."""
    ends = None
    while not isinstance(stop := advance(exchange, transport, ends), Done):
        ends = None
        if isinstance(stop, Together):
            ends = _side_by_side(stop, transport, sleep)
        else:
            sleep(stop.seconds)
    return stop.value


def _side_by_side(
    step: Together, transport: Transport, sleep: Callable[[float], object]
) -> list[Done[Any] | AepError]:
    stopped = threading.Event()
    # An interrupt (a killed task, Ctrl-C) must not wait for the pauses of other threads.
    pause = stopped.wait if sleep is time.sleep else sleep

    def run(exchange: Exchange[T]) -> Done[T] | AepError:
        def unless_stopped(seconds: float) -> None:
            pause(seconds)
            if stopped.is_set():
                raise _Stopped

        if stopped.is_set():
            raise _Stopped
        try:
            return Done(drive(exchange, _Stoppable(transport, stopped), unless_stopped))
        except AepError as error:
            return error

    threads, whole = DaemonThreads(step.at_most, "aep-together"), False
    try:
        ends = [threads.submit(contextvars.copy_context().run, run, exchange) for exchange in step.exchanges]
        # Not in order: an error in the last must not wait for the pauses of the first.
        for end in wait(ends, return_when=FIRST_EXCEPTION).done:
            end.result()
        whole = True
        return [end.result() for end in ends]
    finally:
        stopped.set()
        # After an interrupt, or an error other than AepError, a request may still run for a minute. It is
        # abandoned, as if the process were killed: the next attempt finds whatever it did.
        threads.shutdown(wait=whole)


class _Stopped(BaseException):
    """Ends a thread whose result is no longer needed."""


@dataclass(frozen=True, slots=True)
class _Stoppable:
    """Sends requests until their responses are no longer needed."""

    transport: Transport
    stopped: threading.Event

    def send(self, request: Request) -> Response:
        if self.stopped.is_set():
            raise _Stopped
        return self.transport.send(request)


async def adrive(exchange: Exchange[T], transport: Transport) -> T:
    """Run an exchange to its end without holding up the event loop.

    Everything but the pauses runs in a small pool of our own threads: a stalled response must not use up the
    loop's default executor, which the rest of the triggerer shares.
    """
    loop, ends = asyncio.get_running_loop(), None
    while not isinstance(
        stop := await loop.run_in_executor(
            _threads(), contextvars.copy_context().run, advance, exchange, transport, ends
        ),
        Done,
    ):
        ends = None
        if isinstance(stop, Together):
            ends = await _gather(stop, transport)
        else:
            await asyncio.sleep(stop.seconds)
    return stop.value


async def _gather(step: Together, transport: Transport) -> list[Done[Any] | AepError]:
    limit = asyncio.Semaphore(step.at_most)

    async def run(exchange: Exchange[T]) -> Done[T] | AepError:
        async with limit:
            try:
                return Done(await adrive(exchange, transport))
            except AepError as error:
                return error

    tasks = [asyncio.ensure_future(run(exchange)) for exchange in step.exchanges]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:  # after an error other than AepError they would run on
            task.cancel()


@cache
def _threads() -> DaemonThreads:
    return DaemonThreads(8, "aep")


os.register_at_fork(after_in_child=_threads.cache_clear)  # threads do not survive a fork
