"""What was seen of the service that its documents leave open, so that it is not found out anew each time.

A habit is remembered for a while and then tried again, as a service changes. Nothing here is ever needed for
a result to be right: whoever forgets it pays with a few more requests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

# For so many seconds the service is taken to go on as it was seen.
LASTS = 3600.0
# How long to wait, look by look, in seconds, until a listing shows what a write has done.
PATIENCE = (5.0, 10.0, 20.0, 30.0)
_LONGEST_LOOK = 60.0
_LONGEST_LAG = 900.0

log = logging.getLogger(__name__)

_BEGAN = time.time() - time.monotonic()


def steady_time() -> float:
    """Epoch seconds as of the start of this process, and on from there by a clock that nobody can set back.

    A wall clock that is set back an hour would make an hour of each pause that is counted by it.
    """
    return _BEGAN + time.monotonic()


class Habits:
    """What one process has seen of the service, and done, in one sandbox.

    ``deleted`` holds the ids of what it has deleted, which may be listed for a while.

    :param now: the clock, in seconds; one that never goes back.
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

        :param habit: a sentence about the service, for the log too.
        :param warn: it is other than documented or assumed, so say it, once for as long as it is remembered.
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
        """A number that is one more each time, to take turns by."""
        with self._lock:
            self._turn += 1
            return self._turn

    def note_lag(self, seconds: float) -> None:
        """Remember how long a listing took to show a write."""
        with self._lock:
            self._lag = max(self._lag, min(seconds, _LONGEST_LAG))

    def pauses(self) -> tuple[float, ...]:
        """How long to wait, look by look, for what was written: twice as long as it was ever seen to take."""
        pauses = list(PATIENCE)
        while sum(pauses) < 2 * self._lag:
            pauses.append(_LONGEST_LOOK)
        return tuple(pauses)
