"""The levers of the emulator that make trouble for the next requests."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from airflow_provider_aep.emulator.faults import Fault, Faults


class Trouble:
    """A part of ``Emulator``.

    Each lever affects the next ``times`` requests whose "METHOD /path" contains ``match``.
    """

    _faults: Faults
    _lock: threading.RLock

    def fail_next(
        self,
        status: int,
        *,
        times: int = 1,
        match: str | None = None,
        retry_after: float | str | None = None,
        body: Any = None,
    ) -> None:
        """Answer with a status, unprocessed. A ``str`` body is sent like a proxy's page, others as JSON."""
        self.order(Fault("fail", times, match, status, retry_after, body))

    def reset_next(self, *, times: int = 1, match: str | None = None) -> None:
        """Reset the connection before anything is received."""
        self.order(Fault("reset", times, match))

    def drop_next(self, *, times: int = 1, match: str | None = None) -> None:
        """Break the connection after the request, which is not processed."""
        self.order(Fault("drop", times, match))

    def lose_next(self, *, times: int = 1, match: str | None = None) -> None:
        """Process the request, but lose its response."""
        self.order(Fault("lose", times, match))

    def stall_next(self, seconds: float, *, times: int = 1, match: str | None = None) -> None:
        """Process the request, but send the response late; in-process, raise a read timeout."""
        self.order(Fault("stall", times, match, seconds=seconds))

    def order(self, fault: Fault) -> None:
        with self._lock:
            # A copy, because an ordered fault counts down.
            self._faults.add(replace(fault))

    def clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()
