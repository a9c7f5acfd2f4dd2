"""Results that all viewers share.

Each connection and sandbox has one reader at a time, in a thread of its own. Viewers get the current state at
once: the last good result with its age, and why there is no newer one.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Container, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep._airflow import AirflowNotFoundException
from airflow_provider_aep.errors import AepError, without_words
from airflow_provider_aep.page.answers import export_row
from airflow_provider_aep.page.reading import Snapshot, trouble_of
from airflow_provider_aep.times import span_words

log = logging.getLogger(__name__)

# Results that nobody has requested for this long are dropped.
FORGOTTEN_SECONDS = 3600.0
# A read is retried for half a minute before it fails; the page reports trouble sooner.
SLOW_SECONDS = 10.0
# After trouble the next read is due this soon, even if results are shared for longer.
AFTER_TROUBLE_SECONDS = 60.0

# Reads a snapshot of the exports, or another record that has a sandbox.
Read = Callable[[str, "str | None", Any], Any]
Tell = Callable[[str, Any], bytes]
# Where a connection and sandbox lead now; what was read under another origin is not shown.
Origin = Callable[[str, "str | None"], Hashable]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a viewer gets of one source.

    :param state: ``ok``, ``stale`` (the newest read failed), ``error`` (no read succeeded) or ``loading``.
    :param snapshot: the last result; ``None`` before the first.
    :param rows: the same as JSON, without the surrounding brackets; serialized once for all viewers.
    """

    conn_id: str
    sandbox: str | None
    state: str
    age_seconds: float | None
    error: Mapping[str, str | None] | None
    snapshot: Any = field(repr=False)
    rows: bytes = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "conn_id": self.conn_id,
            "sandbox": self.sandbox,
            "state": self.state,
            "age_seconds": self.age_seconds,
            "error": dict(self.error) if self.error else None,
        }


class Source:
    """The result for one connection and sandbox, read again when somebody requests it and it is old."""

    def __init__(
        self, conn_id: str, sandbox: str | None, read: Read, tell: Tell, origin: Origin | None = None
    ) -> None:
        self.conn_id, self.sandbox, self._read, self._tell = conn_id, sandbox, read, tell
        self._origin = origin
        self._origin_read: Hashable = None
        self.asked_at = time.monotonic()
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None
        self._began_at = 0.0
        self._ended_at: float | None = None
        self._read_at: float | None = None
        self._snapshot: Any = None
        self._error: Mapping[str, str | None] | None = None
        self._rows = b""

    def look(self, *, fresh_seconds: float, patience: float) -> Seen:
        """The current state; starts a new read if one is due.

        :param patience: how many seconds to wait for the very first result.
        """
        with self._lock:
            self.asked_at = time.monotonic()
            if self._error is not None:
                fresh_seconds = min(fresh_seconds, AFTER_TROUBLE_SECONDS)
            idle = self._reader is None or not self._reader.is_alive()
            if idle and (self._ended_at is None or self.asked_at - self._ended_at >= fresh_seconds):
                self._began_at = self.asked_at
                self._reader = threading.Thread(target=self._renew, name=f"aep-{self.conn_id}", daemon=True)
                self._reader.start()
            reader, first = self._reader, self._ended_at is None
        if first and reader is not None:
            reader.join(patience)
        with self._lock:
            return self._seen()

    def _seen(self) -> Seen:
        error = self._error or self._slowness()
        if self._ended_at is None:
            state, error = "loading", None
        elif error is None:
            state = "ok"
        else:
            state = "stale" if self._snapshot else "error"
        return Seen(
            conn_id=self.conn_id,
            sandbox=self._snapshot.sandbox if self._snapshot else self.sandbox,
            state=state,
            age_seconds=None if self._read_at is None else round(time.monotonic() - self._read_at, 1),
            error=error,
            snapshot=self._snapshot,
            rows=self._rows,
        )

    def _slowness(self) -> Mapping[str, str | None] | None:
        """The trouble to report if the current read takes long."""
        lasts = time.monotonic() - self._began_at
        if self._reader is None or not self._reader.is_alive() or lasts < SLOW_SECONDS:
            return None
        message = f"the newest read has lasted {span_words(lasts)} and continues"
        return {"kind": "unreachable", "told": message, "hint": None}

    def _renew(self) -> None:
        error: Mapping[str, str | None] | None = None
        snapshot, rows, read_at = self._snapshot, self._rows, self._read_at
        try:
            if self._origin and self._is_another(self._origin(self.conn_id, self.sandbox)):
                snapshot, rows, read_at = None, b"", None
            snapshot = self._read(self.conn_id, self.sandbox, snapshot)
            rows = self._tell(self.conn_id, snapshot)
            read_at = time.monotonic()
        except AepError as reason:
            error = trouble_of(reason, self.sandbox)
        except AirflowNotFoundException:
            message = f"there is no Airflow connection {self.conn_id!r}"
            error = {"kind": "misconfigured", "told": message, "hint": None}
        except Exception as fault:
            # The message may quote anything; class and place are enough to find the fault.
            log.error("The exports page could not read %s: %s", self.conn_id, without_words(fault))
            message = f"reading the exports failed with {type(fault).__name__}"
            error = {"kind": "broken", "told": message, "hint": "The log of the API server says where."}
        with self._lock:
            self._snapshot, self._rows, self._error = snapshot, rows, error
            self._read_at, self._ended_at = read_at, time.monotonic()

    def _is_another(self, origin: Hashable) -> bool:
        """Whether the connection leads elsewhere than before; if so, drop what was read."""
        with self._lock:
            before, self._origin_read = self._origin_read, origin
            if before in (None, origin):
                return False
            self._snapshot, self._rows, self._read_at, self._error = None, b"", None, None
            self._ended_at = None
        return True


def rows_of(conn_id: str, snapshot: Snapshot, *, only: Container[str] | None = None) -> bytes:
    """The exports of a snapshot as JSON.

    :param only: the ids of the dataflows that are wanted, by default all.
    """
    place = {"conn_id": conn_id, "sandbox": snapshot.sandbox}
    rows = [
        json.dumps(export_row(export, snapshot.facts, now=snapshot.at, **place), separators=(",", ":"))
        for key, export in snapshot.exports.items()
        if only is None or key in only
    ]
    return ",".join(rows).encode()


class Sources:
    """All sources that somebody has requested lately."""

    def __init__(self, read: Read, tell: Tell = rows_of, *, origin: Origin | None = None) -> None:
        self._read, self._tell, self._origin = read, tell, origin
        self._lock = threading.Lock()
        self._sources: dict[tuple[str, str | None], Source] = {}

    def of(self, conn_id: str, sandbox: str | None) -> Source:
        with self._lock:
            now = time.monotonic()
            for old, source in list(self._sources.items()):
                if now - source.asked_at > FORGOTTEN_SECONDS:
                    del self._sources[old]
            key = (conn_id, sandbox)
            if key not in self._sources:
                self._sources[key] = Source(conn_id, sandbox, self._read, self._tell, self._origin)
            return self._sources[key]
