"""One poll for all waiters for runs of one connection and sandbox, in one process.

A waiter sleeps until its own wait ends: a look at a thousand dataflows wakes only the few that have finished.
The poll requests many dataflows together (see ``watch``), each at its waiter's interval or up to twice as
often, so that waiters that joined at different moments share requests.

An error of the poll ends no wait: it is reported, and the poll goes on. A problem with one dataflow ends only
that dataflow's waits, and a log that cannot be written affects nothing but its lines.

Deadlines are moments of the wall clock, because workers hand them to the triggerer. Pauses are measured by a
monotonic clock.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_aep.errors import OUTAGES, AepError, error_to_json
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.session import LONGEST_CLOSED
from airflow_provider_aep.monitoring.waits import Sighting, Wait
from airflow_provider_aep.monitoring.watch import Sightings, look_for_many

# A waiter that is due within this share of its interval joins the current look.
EARLY = 0.5
LOOKS_UNTIL_WHY = 10
# Seconds for which waiters that want their first look soon are gathered.
SOON = 1.0
# The look at a deadline may take this long; Airflow's own timeout of the task comes later.
LAST_LOOK_SECONDS = 30.0
MOST_STUCK = 10_000

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class _Waiter:
    """One waiter.

    :param deadline: in epoch seconds.
    :param due: when to look next, by ``time.monotonic``.
    """

    wait: Wait
    deadline: float
    interval: float
    due: float
    ended: asyncio.Future[dict[str, Any]]
    tell: Callable[[str], object]
    with_flow: bool = False
    fresh: bool = False
    told: str = "nothing yet"
    looks: int = 0
    # Its log lines belong to the waiting task, and not to the one that polls.
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def end(self, ending: dict[str, Any]) -> None:
        if not self.ended.done():
            self.ended.set_result(ending)


class SharedPoll:
    """The poll of one connection and sandbox; belongs to one event loop.

    :param converse: carries out an exchange without blocking the loop, as ``AepHook.arun`` does.
    :param observe: called after each look with the number of waiters, its duration in seconds, and whether
        it failed.
    """

    def __init__(
        self,
        converse: Callable[[Exchange[Sightings]], Awaitable[Sightings]],
        *,
        observe: Callable[[int, float, bool], object] = lambda waiters, seconds, failed: None,
    ) -> None:
        self._converse, self._observe = converse, observe
        self._waiters: set[_Waiter] = set()
        self._changed = asyncio.Event()
        self._next = float("inf")
        # When runs that are long under way become stuck, by their id.
        self._stuck_at: dict[str, datetime] = {}
        self._trouble = ""
        self._task: asyncio.Task[None] | None = None

    async def wait(
        self,
        wait: Wait,
        *,
        deadline: float,
        interval: float,
        first_pause: float = 0.0,
        tell: Callable[[str], object] = lambda message: None,
        with_flow: bool = False,
        fresh: bool = False,
        soon: bool = False,
    ) -> dict[str, Any]:
        """Wait, and return how the wait ended, as plain JSON with a ``status``:

        - ``finished`` has the ``runs``, and a sentence in ``incomplete`` or ``stuck`` if they are so;
        - ``timeout`` has ``last_seen``; with ``in_vain`` it is early, as no run can end the wait any more;
        - ``error`` has the ``error``;
        - ``again`` has nothing more; see ``fresh``.

        The caller must see to it that the poll is ``run``.

        :param deadline: when to give up, in epoch seconds.
        :param interval: seconds between two looks, at most.
        :param first_pause: seconds until the first look, at least, within ``LONGEST_CLOSED``.
        :param tell: called with a sentence about what was seen, whenever it has changed.
        :param with_flow: ``finished`` also has the ``dataflow``, if it can be read: one request for all waits
            that end at once saves each worker its own.
        :param fresh: nobody has looked before. Until a look is answered, each look also asks why there is no
            run. If the login or the connection is refused, which the poll would tolerate, the wait ends with
            ``again``: the waiter then polls itself, and so learns the reason.
        :param soon: the first look need not wait for an interval.
        """
        usual = min(SOON, interval) if soon else interval
        pause = max(usual * _jitter(), min(first_pause, LONGEST_CLOSED))
        waiter = _Waiter(
            wait=wait,
            deadline=deadline,
            interval=interval,
            due=time.monotonic() + min(pause, deadline - time.time()),
            ended=asyncio.get_running_loop().create_future(),
            tell=tell,
            with_flow=with_flow,
            fresh=fresh,
        )
        self._waiters.add(waiter)
        if waiter.due < self._next:
            self._changed.set()
        try:
            return await waiter.ended
        finally:
            self._waiters.discard(waiter)

    async def run(self) -> None:
        """Poll for all waiters, until cancelled."""
        while True:
            self._changed.clear()
            self._next = min((waiter.due for waiter in self._waiters), default=float("inf"))
            pause = self._next - time.monotonic()
            if pause <= 0:
                await self._poll_for_due()
                continue
            await _pause(self._changed, pause)

    async def run_while_waiting(self, waiting: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        """Await a wait, and keep the poll running as long as there are waiters."""
        if self._task is None or self._task.done():
            # In its own context: its log lines belong to no single task.
            self._task = asyncio.create_task(self.run(), context=contextvars.Context())
        try:
            return await waiting
        finally:
            if not self._waiters and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _poll_for_due(self) -> None:
        began, now = time.monotonic(), time.time()
        due = [waiter for waiter in self._waiters if waiter.due - began <= EARLY * waiter.interval]
        failed = False
        try:
            seen = await self._look(due, now)
        except Exception as error:
            # For instance, the Airflow connection cannot be read just now.
            failed = True
            trouble = f"the poll failed and goes on: {type(error).__name__}: {error}"
            refused = not isinstance(error, OUTAGES)
            seen = [Sighting(told=trouble, answered=False, refused=refused)] * len(due)
            if trouble != self._trouble:  # log it once, and not at each poll
                with suppress(Exception):
                    log.warning("AEP: %s", trouble)
            self._trouble = trouble
        else:
            self._trouble = ""
        took, jitter = time.monotonic() - began, _jitter()
        for waiter, sighting in zip(due, seen, strict=True):
            self._settle(waiter, sighting, now, began, took, jitter)
        # From Python 3.12 on, a look that never suspends gives ended waiters no turn to remove themselves.
        self._waiters = {waiter for waiter in self._waiters if not waiter.ended.done()}
        with suppress(Exception):
            self._observe(len(self._waiters), took, failed)

    async def _look(self, due: Sequence[_Waiter], now: float) -> Sequence[Sighting | AepError]:
        for waiter in due:
            waiter.looks += 1
        # Now and then, and at the last look, also ask why there is no run: a deleted dataflow ends the wait,
        # and the message of a timeout names a disabled one.
        ask_why = {
            at
            for at, waiter in enumerate(due)
            if waiter.fresh or _is_last(waiter, now) or waiter.looks % LOOKS_UNTIL_WHY == 0
        }
        exchange = look_for_many(
            [waiter.wait for waiter in due],
            now=datetime.fromtimestamp(now, tz=UTC),
            ask_why=ask_why,
            doubt={at for at, waiter in enumerate(due) if _is_last(waiter, now)},
            stuck_at=self._stuck_at,
            with_flow={at for at, waiter in enumerate(due) if waiter.with_flow},
        )
        if len(self._stuck_at) > MOST_STUCK:
            self._stuck_at.clear()  # most of these runs ended long ago; the others are looked up again
        patience = max(min(waiter.deadline for waiter in due) - now, LAST_LOOK_SECONDS)
        try:
            look = await asyncio.wait_for(self._converse(exchange), patience)
        except TimeoutError:
            return [Sighting(told="the service gave no answer in time", answered=False)] * len(due)
        return look

    def _settle(
        self,
        waiter: _Waiter,
        seen: Sighting | AepError,
        now: float,
        began: float,
        took: float,
        jitter: float,
    ) -> None:
        if isinstance(seen, AepError):
            waiter.end({"status": "error", "error": error_to_json(seen)})
        elif seen.finished:
            waiter.end(seen.to_json())
        elif waiter.fresh and seen.refused:
            waiter.end({"status": "again"})
        elif seen.in_vain:
            waiter.end({"status": "timeout", "last_seen": seen.told, "in_vain": True})
        else:
            waiter.fresh &= not seen.answered
            if seen.told != waiter.told:
                waiter.told = seen.told
                with suppress(Exception):  # its log may not be writable, as on a full disk
                    waiter.context.run(waiter.tell, seen.told)
            if _is_last(waiter, now):
                waiter.end({"status": "timeout", "last_seen": seen.told})
            # The interval runs from the start of a look, unless the look itself takes long.
            usual = max(waiter.interval * jitter, took + waiter.interval * EARLY)
            pause = max(usual, took + seen.wait_seconds)
            waiter.due = began + max(min(pause, waiter.deadline - now), took)


async def _pause(changed: asyncio.Event, seconds: float) -> None:
    """Pause for so many seconds, or until a waiter joins that is due earlier; for ever without waiters."""
    with suppress(TimeoutError):
        await asyncio.wait_for(changed.wait(), None if seconds == float("inf") else seconds)


def _is_last(waiter: _Waiter, now: float) -> bool:
    # A timer of the event loop may fire a little early.
    return waiter.deadline <= now + 0.05


def _jitter() -> float:
    """A factor that spreads the polls of many processes; it never makes a poll late."""
    return random.uniform(0.9, 1.0)
