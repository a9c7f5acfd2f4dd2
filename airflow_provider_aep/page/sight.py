"""Which exports a viewer sees: those of the connections that they may read and, if the administrator allows
it, those of the DAGs that they may see.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_aep._airflow import conf
from airflow_provider_aep.monitoring.overview import Overviewed
from airflow_provider_aep.page.access import Place, authorized_dags, listed_places, permitted
from airflow_provider_aep.page.sources import Seen, rows_of
from airflow_provider_aep.page.tasks import dags_of_exports


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one viewer sees of a source.

    :param only: the ids of the dataflows that the viewer may see; ``None`` for all of them.
    """

    seen: Seen
    only: frozenset[str] | None = None

    @property
    def exports(self) -> Mapping[str, Overviewed]:
        """By dataflow id; empty before anything was read."""
        snapshot = self.seen.snapshot
        if snapshot is None:
            return {}
        if self.only is None:
            return dict(snapshot.exports)
        return {key: export for key, export in snapshot.exports.items() if key in self.only}

    @property
    def rows(self) -> bytes:
        if self.only is None or self.seen.snapshot is None:
            return self.seen.rows
        return rows_of(self.seen.conn_id, self.seen.snapshot, only=self.exports)

    def to_json(self) -> dict[str, Any]:
        """For a connection that the viewer may not read, only the kind of a trouble is shown, and its name
        only once it is known that they see an export of it.
        """
        document = {**self.seen.to_json(), "limited": self.only is not None}
        if self.only is not None:
            if not self.exports:
                document["conn_id"] = document["sandbox"] = None
            document["error"] = hushed(document["error"])
        return document


def hushed(error: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Only the kind of a trouble: its message may quote a connection that the viewer may not read."""
    return {"kind": error["kind"], "told": "", "hint": None} if error else None


Look = Callable[[list[Place]], list[Seen]]


def views_of(session: Any, user: Any, look: Look, *, conn_id: str | None = None) -> list[View]:
    """What a viewer sees of all listed connections, or of one of them.

    A connection is left out, as if it did not exist, if the viewer may see none of its exports.
    """
    places = [place for place in listed_places(session) if conn_id in (None, place[0])]
    whole = permitted(places, user)
    views = [View(seen=seen) for seen in look(whole)]
    rest = [place for place in places if place not in whole]
    if rest and conf.getboolean("aep", "page_for_dag_viewers", fallback=False):
        only = _seen_by_dag(session, user)
        partial = [View(seen=seen, only=only) for seen in look(rest)] if only else []
        views += [view for view in partial if view.exports or view.seen.state == "loading"]
    return views


def _seen_by_dag(session: Any, user: Any) -> frozenset[str]:
    allowed = authorized_dags(user)
    return frozenset(key for key, dags in _links.of(session).items() if dags & allowed)


class _Links:
    """The DAGs of the exports, cached for a minute: a page polls every few seconds."""

    def __init__(self) -> None:
        self._read_at: float | None = None
        self._dags: dict[str, set[str]] = {}

    def of(self, session: Any) -> dict[str, set[str]]:
        now = time.monotonic()
        if self._read_at is None or now - self._read_at > 60:
            self._dags, self._read_at = dags_of_exports(session), now
        return self._dags

    def forget(self) -> None:
        self._read_at = None


_links = _Links()
