"""What happens in the event loop that is measured, as JSON lines, written as it happens.

Another process reads the file, while this one may be blocked, or killed.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.01
LOOKS = 50


class Recorder:
    """Writes the records of one event loop."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._lags: list[float] = []

    def started(self, number: int) -> None:
        self._write(started=number)

    def fired(self, number: int) -> None:
        """A trigger has given its event."""
        self._write(fired=number)

    def ended(self, number: int, succeeded: bool, said: object) -> None:
        """Nothing more is to come of a trigger; in a triggerer, its event is on the way to the task."""
        self._write(ended=number, succeeded=succeeded, said="" if succeeded else str(said)[:200])

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """See every 10 ms how late the loop is, and tell now and then, for as long as it runs."""
        due = loop.time() + LOOK_SECONDS
        loop.call_at(due, self._look, loop, due)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        late = loop.time() - due
        self._lags.append(late)
        if len(self._lags) >= LOOKS or late > LOOKS * LOOK_SECONDS:
            self._write(lags=self._lags)
            self._lags = []
        self.watch_loop(loop)

    def _write(self, **record: Any) -> None:
        self._file.write(json.dumps({"at": time.time(), **record}).encode() + b"\n")
