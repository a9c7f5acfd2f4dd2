"""The service as it lists a world at a moment: ``send(Request) -> Response``, with no login and no socket.

``now`` is set by whoever asks. What it is not asked for by this package it refuses with an error of the test.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from airflow_provider_aep.emulator.listing import listed
from airflow_provider_aep.emulator.replies import reply
from airflow_provider_aep.errors import AepNotFoundError
from airflow_provider_aep.flowservice.exchange import Request, Response
from tests.truth.world import Run, World

LARGEST_PAGE = 100


class Service:
    """What the listings of a world show at ``now``.

    :ivar requests: how many were asked, by path.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = world.began
        self.requests: Counter[str] = Counter()
        self._runs = sorted(
            (run for export in world.exports for run in export.runs),
            key=lambda run: (run.created_at, run.id),
            reverse=True,
        )
        self._seen: dict[tuple[datetime, str], list[Run]] = {}
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
        if request.path.startswith("/data/foundation/catalog"):
            # These histories tell nothing of ingestion: no verdict may depend on it.
            return reply(403, {"error_code": "403000", "message": "no right to see it"})
        collection, _, entity_id = request.path.strip("/").partition("/")
        with self._lock:
            self.requests[f"/{collection}"] += 1
        if request.method != "GET":
            raise AssertionError(f"a check changes nothing, but sent {request}")
        if entity_id:
            return self._one(collection, entity_id, request)
        if collection == "runs":
            return self._page_of_runs(request.query)
        found = self._documents(collection)
        return reply(200, listed(collection, found, request.query, page_size=20))

    def _documents(self, collection: str) -> list[dict[str, object]]:
        if collection not in ("flows", "sourceConnections"):
            raise AssertionError(f"no check has asked for {collection} before")
        found = []
        for export in self.world.exports:
            document = export.document_at(self.now)
            if document is not None:
                found.append(dict(document if collection == "flows" else export.source_connection))
        return found

    def _one(self, collection: str, entity_id: str, request: Request) -> Response:
        if collection == "runs":
            for run in self._runs:
                if run.id == entity_id and self._is_listed(run):
                    return of_json(b'{"items":[' + run.document_at(self.now) + b"]}")
        else:
            for document in self._documents(collection):
                if document["id"] == entity_id:
                    return reply(200, {"items": [document]})
        # As the session raises it.
        raise AepNotFoundError(doing=str(request), status=404, message="no such entity")

    def _page_of_runs(self, query: Sequence[tuple[str, str]]) -> Response:
        # By hand: a world has thousands of runs, which the emulator would sort anew for every page.
        single = dict(query)
        assert single.get("orderby") == "-createdAt", query
        assert {name for name, _ in query} <= {"property", "orderby", "limit", "continuationToken"}, query
        filters = [value for name, value in query if name == "property"]
        assert len(filters) == 1, query
        start, limit = int(single.get("continuationToken", "=0").strip("=")), int(single.get("limit", 20))
        assert 1 <= limit <= LARGEST_PAGE, query
        runs = self._runs_seen(filters[0])
        page = b",".join(run.document_at(self.now) for run in runs[start : start + limit])
        following = b""
        if start + limit < len(runs):
            following = b'"next":{"href":"/runs?continuationToken=%d%%3D"}' % (start + limit)
        return of_json(b'{"items":[' + page + b'],"_links":{' + following + b"}}")

    def _runs_seen(self, narrowed: str) -> list[Run]:
        key = (self.now, narrowed)
        seen = self._seen.get(key)
        if seen is None:
            field, _, values = narrowed.partition("==")
            name = {"flowId": "dataflow_id", "id": "id"}[field]
            wanted = frozenset(values.split(","))
            seen = [run for run in self._runs if getattr(run, name) in wanted and self._is_listed(run)]
            self._seen = {other: runs for other, runs in self._seen.items() if other[0] == self.now}
            self._seen[key] = seen
        return seen

    def _is_listed(self, run: Run) -> bool:
        return run.listed_at <= self.now < run.created_at + self.world.listed_for


def of_json(body: bytes) -> Response:
    """An answer of JSON that was written before."""
    return Response(200, {"content-type": "application/json"}, body)
