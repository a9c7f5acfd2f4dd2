"""Habits of the service that its documents leave open, remembered to save requests.

A habit is remembered for a while and then tested again, because a service changes. No result depends on it:
forgetting a habit costs a few more requests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

# How long a habit is remembered, in seconds.
LASTS = 3600.0
# Pauses between lookups, in seconds, until a listing shows a write.
PATIENCE = (5.0, 10.0, 20.0, 30.0)
_LONGEST_LOOK = 60.0
_LONGEST_LAG = 900.0

log = logging.getLogger(__name__)

_BEGAN = time.time() - time.monotonic()


def steady_time() -> float:
    """Epoch seconds: the wall clock at the start of this process, then a clock that is never set back.

    A wall clock that is set back an hour would lengthen every pause counted by it by an hour.
    """
    return _BEGAN + time.monotonic()


class Habits:
    """The habits that one process has seen in one sandbox.

    ``deleted`` holds the ids of entities that it deleted; they may still be listed for a while.

    :param now: the clock, in seconds; it must never go back.
    """

    def __init__(self, now: Callable[[], float] = steady_time) -> None:
        self._now = now
        self._until: dict[str, float] = {}
        self._lag = 0.0
        self._turn = 0
        self.deleted: set[str] = set()
        self._lock = threading.Lock()

    def note(self, habit: str, *, warn: bool = True) -> None:
        """Remember a habit for a while.

        :param habit: a sentence about the service, which is also logged.
        :param warn: log it, once while it is remembered, because it differs from what is documented or
            assumed.
        """
        with self._lock:
            new = self._now() >= self._until.get(habit, 0.0)
            self._until[habit] = self._now() + LASTS
        if new and warn:
            log.warning("AEP: %s", habit)

    def holds(self, habit: str) -> bool:
        with self._lock:
            return self._now() < self._until.get(habit, 0.0)

    def forget(self, habit: str) -> None:
        with self._lock:
            self._until.pop(habit, None)

    def turn(self) -> int:
        """A number that grows by one at each call, for taking turns."""
        with self._lock:
            self._turn += 1
            return self._turn

    def note_lag(self, seconds: float) -> None:
        """Remember how long a listing took to show a write."""
        with self._lock:
            self._lag = max(self._lag, min(seconds, _LONGEST_LAG))

    def pauses(self) -> tuple[float, ...]:
        """The pauses between lookups of a write, in seconds; together at least twice the longest lag seen."""
        pauses = list(PATIENCE)
        while sum(pauses) < 2 * self._lag:
            pauses.append(_LONGEST_LOOK)
        return tuple(pauses)
