"""The story of one export for the page: read when somebody opens it, and shared by all viewers."""

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

# How many stories are read at once: each takes some requests.
AT_ONCE = 4
MOST_ROWS = 200

# (connection, sandbox, dataflow id) -> the story
Read = Callable[[str, str, str], "Story"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The story of one export of a sandbox, as the browser gets it."""

    sandbox: str
    document: Mapping[str, Any] = field(repr=False)


def read_told(dataflow_id: str, *, conn_id: str, sandbox: str, now: datetime) -> Exchange[Story]:
    """The story of an export of the sandbox that the exchange talks to.

    :raises AepNotFoundError: there is no such dataflow, or no longer.
    """
    flow = yield from get_dataflow(dataflow_id)
    story = yield from read_story(flow, now=now, conn_id=conn_id, sandbox=sandbox)
    return Story(sandbox=sandbox, document=story_to_json(story))


def story_to_json(story: Mapping[str, Any]) -> dict[str, Any]:
    """The story for the browser, field by field.

    ``came_in`` and ``went_out`` hold time, status and records, for the chart; ``lanes`` the newest rows.
    """
    return {
        "outcome": story["outcome"],
        "summary": story["summary"],
        "window": story["window"],
        "totals": story["totals"],
        "came_in": [
            [
                batch["at"],
                "lost" if batch["lost"] else "delayed" if batch["later_run"] else batch["status"],
                batch["records"],
            ]
            for batch in story["ingestion"]
        ],
        "went_out": [[run["at"], run["status"], run["records"], run["is_first"]] for run in story["exports"]],
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
            for old, source in list(self._sources.items()):
                if now - source.asked_at > FORGOTTEN_SECONDS:
                    del self._sources[old]
            if key not in self._sources:
                # A story is a dict already and goes into the response as it is, so it needs no rows.
                read = partial(self._reading, dataflow_id)
                self._sources[key] = Source(conn_id, sandbox, read, _no_rows, self._origin)
            return self._sources[key]

    def _reading(self, dataflow_id: str, conn_id: str, sandbox: str | None, before: Any) -> Story:
        with self._few:
            return self._read(conn_id, str(sandbox), dataflow_id)


def _no_rows(conn_id: str, story: Story) -> bytes:
    return b""
