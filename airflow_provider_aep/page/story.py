"""The story of one export for the page: read when somebody opens it, and shared by all who look at it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from airflow_provider_aep.flowservice.dataflows import get_dataflow
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.monitoring.telling import read_story
from airflow_provider_aep.page.sources import FORGOTTEN_SECONDS, Origin, Source

# So many stories are read at once: each takes some requests.
AT_ONCE = 4
MOST_ROWS = 200

# (connection, sandbox, dataflow id) -> the story
Read = Callable[[str, str, str], "Story"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is told of one export of a sandbox."""

    sandbox: str
    told: Mapping[str, Any] = field(repr=False)


def read_told(dataflow_id: str, *, conn_id: str, sandbox: str, now: datetime) -> Exchange[Story]:
    """The story of an export of the sandbox that the exchange talks to.

    :raises AepNotFoundError: there is no such dataflow, or no longer.
    """
    flow = yield from get_dataflow(dataflow_id)
    story = yield from read_story(flow, now=now, conn_id=conn_id, sandbox=sandbox)
    return Story(sandbox=sandbox, told=told_of(story))


def told_of(story: Mapping[str, Any]) -> dict[str, Any]:
    """What the browser side is told of a story, field by field.

    ``came_in`` and ``went_out`` hold time, status and records, for the drawing; ``lanes`` the rows, the
    newest ones where there are many.
    """
    return {
        "outcome": story["outcome"],
        "summary": story["summary"],
        "window": story["window"],
        "totals": story["totals"],
        "came_in": [
            [
                each["at"],
                "lost" if each["lost"] else "delayed" if each["later_run"] else each["status"],
                each["records"],
            ]
            for each in story["ingestion"]
        ],
        "went_out": [
            [each["at"], each["status"], each["records"], each["is_first"]] for each in story["exports"]
        ],
        "lanes": story["lanes"][-MOST_ROWS:],
        "notes": story["notes"],
        "actions": story["actions"],
    }


class Stories:
    """All stories that somebody has opened lately."""

    def __init__(self, read: Read, *, origin: Origin | None = None) -> None:
        self._read, self._origin = read, origin
        self._lock = threading.Lock()
        self._few = threading.BoundedSemaphore(AT_ONCE)
        self._sources: dict[tuple[str, str, str], Source] = {}

    def of(self, conn_id: str, sandbox: str, dataflow_id: str) -> Source:
        with self._lock:
            now, key = time.monotonic(), (conn_id, sandbox, dataflow_id)
            for old in [
                each for each, one in self._sources.items() if now - one.asked_at > FORGOTTEN_SECONDS
            ]:
                del self._sources[old]
            if key not in self._sources:
                # What is told is a dict already, and goes into the answer as it is.
                read = partial(self._reading, dataflow_id)
                self._sources[key] = Source(conn_id, sandbox, read, _no_rows, self._origin)
            return self._sources[key]

    def _reading(self, dataflow_id: str, conn_id: str, sandbox: str | None, before: Any) -> Story:
        with self._few:
            return self._read(conn_id, str(sandbox), dataflow_id)


def _no_rows(conn_id: str, story: Story) -> bytes:
    return b""
