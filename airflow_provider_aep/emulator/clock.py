"""The emulator's clock: seconds since the epoch, as ``time.time`` counts them."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_aep.emulator.bounds import AHEAD

NEW_YEAR_2026 = 1_767_225_600.0


class Clock:
    """A clock that stands still until it is advanced, or one that runs and can be advanced too.

    :param now: the start of a standing clock.
    :param source: the clock that it follows, such as ``time.time``; ``now`` is then ignored.
    """

    def __init__(self, now: float = NEW_YEAR_2026, *, source: Callable[[], float] | None = None) -> None:
        self._source = source or (lambda: now)
        self._ahead = 0.0

    def __call__(self) -> float:
        return self._source() + self._ahead

    @property
    def now(self) -> float:
        return self()

    def advance(self, seconds: float) -> None:
        """Move the clock ahead.

        :raises ValueError: the step is negative, or all steps together exceed 100 years.
        """
        AHEAD.check("seconds", seconds)
        if self._ahead + seconds not in AHEAD:
            raise ValueError("seconds must leave the clock at most 100 years ahead of where it began.")
        self._ahead += seconds
