"""One poll for all who wait for runs of one connection and sandbox, in one process.

Whoever waits sleeps until there is news of its own: a look at a thousand dataflows wakes the few that have
finished. The poll asks for all at once (see ``watch``), and each as often as it wishes, or up to twice as
often, so that those who joined at different moments end up in the same requests.

Nothing that goes wrong in the poll ends a wait: it is told, and tried again. A problem with one dataflow ends
only that dataflow's waits, and a log that cannot be written costs its waiter lines and nobody anything else.

Deadlines are moments of the wall clock, as they cross from a worker to the triggerer. Pauses are counted by a
clock that never goes back.
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

# Whoever is due within this share of its interval is looked after along with those who are due now.
EARLY = 0.5
LOOKS_UNTIL_WHY = 10
# So many seconds those who want their first look soon are gathered.
SOON = 1.0
# The look at a deadline itself may take this long; Airflow's own timeout of the task comes later.
LAST_LOOK_SECONDS = 30.0
MOST_STUCK = 10_000

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class _Waiter:
    """One who waits.

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
    # Its log lines belong to the task that waits, and not to the one that polls.
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def end(self, ending: dict[str, Any]) -> None:
        if not self.ended.done():
            self.ended.set_result(ending)


class SharedPoll:
    """The poll of one connection and sandbox; belongs to one event loop.

    :param converse: carries out an exchange without holding up the loop, as ``AepHook.arun`` does.
    :param observe: told after each look: how many waited, how long it took in seconds, whether it failed.
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
        tell: Callable[[str], object] = lambda told: None,
        with_flow: bool = False,
        fresh: bool = False,
        soon: bool = False,
    ) -> dict[str, Any]:
        """How a wait ended, as plain JSON: its ``status`` is ``finished``, ``timeout`` or ``error``.

        ``finished`` brings the ``runs``, and where it is so what of them is ``incomplete`` or ``stuck``;
        ``timeout`` brings what was ``last_seen``; with ``in_vain`` it came early, as nothing could end the
        wait any more; ``error`` brings the ``error``; ``again`` brings nothing.

        Somebody must ``run`` the poll.

        :param deadline: when to give up, in epoch seconds.
        :param interval: seconds between two looks, at most.
        :param first_pause: at least so long until the first look, within ``LONGEST_CLOSED``.
        :param tell: told what was seen, whenever that is something new.
        :param with_flow: ``finished`` brings the ``dataflow`` too, where it can be read: one request for all
            that end at once saves whoever judges them one each.
        :param fresh: nobody has looked before. Until a look is answered, each asks why there is no run, too.
            Where it is the login or the connection that is refused, which the poll would sit out, the wait
            ends with ``again``: whoever waits looks itself, and so learns why.
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
        """Look after all who wait, until cancelled."""
        while True:
            self._changed.clear()
            self._next = min((waiter.due for waiter in self._waiters), default=float("inf"))
            pause = self._next - time.monotonic()
            if pause <= 0:
                await self._look_after_those_due()
                continue
            await _pause(self._changed, pause)

    async def run_while_waiting(self, waiting: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        """Await a wait, and see to it that the poll runs as long as anybody waits."""
        if self._task is None or self._task.done():
            # In a context of its own: what it logs belongs to no one task.
            self._task = asyncio.create_task(self.run(), context=contextvars.Context())
        try:
            return await waiting
        finally:
            if not self._waiters and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _look_after_those_due(self) -> None:
        began, now = time.monotonic(), time.time()
        due = [each for each in self._waiters if each.due - began <= EARLY * each.interval]
        failed = False
        try:
            seen = await self._look(due, now)
        except Exception as error:
            # For instance a connection that cannot be read just now.
            failed = True
            told = f"the poll failed and goes on: {type(error).__name__}: {error}"
            refused = not isinstance(error, OUTAGES)
            seen = [Sighting(told=told, answered=False, refused=refused)] * len(due)
            if told != self._trouble:  # not once a minute for as long as it lasts
                with suppress(Exception):
                    log.warning("AEP: %s", told)
            self._trouble = told
        else:
            self._trouble = ""
        took, jitter = time.monotonic() - began, _jitter()
        for waiter, sighting in zip(due, seen, strict=True):
            self._settle(waiter, sighting, now, began, took, jitter)
        # From Python 3.12 on, a look that never pauses gives the event loop no turn to take them out.
        self._waiters = {waiter for waiter in self._waiters if not waiter.ended.done()}
        with suppress(Exception):
            self._observe(len(self._waiters), took, failed)

    async def _look(self, due: Sequence[_Waiter], now: float) -> Sequence[Sighting | AepError]:
        for waiter in due:
            waiter.looks += 1
        # Now and then, and at the last look, it also asks why there is no run: a dataflow that was deleted
        # ends the wait, and a disabled one is what the timeout will tell of.
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
            self._stuck_at.clear()  # runs that ended long ago: what still matters is asked again
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
                with suppress(Exception):  # a full disk, for one, on which no line of its log can be written
                    waiter.context.run(waiter.tell, seen.told)
            if _is_last(waiter, now):
                waiter.end({"status": "timeout", "last_seen": seen.told})
            # Counted from the start of a look, save where looking itself takes long.
            usual = max(waiter.interval * jitter, took + waiter.interval * EARLY)
            pause = max(usual, took + seen.wait_seconds)
            waiter.due = began + max(min(pause, waiter.deadline - now), took)


async def _pause(changed: asyncio.Event, seconds: float) -> None:
    """Until somebody joins who is due earlier, or so long; for ever where nobody waits."""
    with suppress(TimeoutError):
        await asyncio.wait_for(changed.wait(), None if seconds == float("inf") else seconds)


def _is_last(waiter: _Waiter, now: float) -> bool:
    # A loop's timer may ring a little early.
    return waiter.deadline <= now + 0.05


def _jitter() -> float:
    """So that the polls of many processes spread; never later than asked for."""
    return random.uniform(0.9, 1.0)
