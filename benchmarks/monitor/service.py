"""The services of all rivals in one process: each answers after the same while, and is counted.

``python -m benchmarks.monitor.service`` serves on a free loopback port until it is ended. The runs 1, 2, ...
are under way until somebody asks for ``/bench/finish``; run 0 has finished from the start, so that a rival
can be warmed up. Of every rival's API it knows the one answer that its trigger reads, as short as may be;
those of the Flow Service have their usual size (2 KB a run, with older runs behind it), and are filtered and
paged.

Standard library only, and no framework: it must not be what limits the rivals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

FLOW_SERVICE = "/data/foundation/flowservice"
TOKEN_PATH = "/ims/token/v3"
EARLIER_RUNS = 2
HOUR_MS = 3_600_000
LARGEST_PAGE = 100
HEAD = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests"}


def flow_id(number: int) -> str:
    return f"{number:08x}-0b7d-4a55-8a5e-1d1f2a3b4c5d"


class Runs:
    """What all services know of the runs.

    :param waiters: the highest number of a run.
    """

    def __init__(self, waiters: int) -> None:
        self.begun_ms = int(time.time() * 1000)
        self.finished_at: float | None = None
        self.flows = {flow_id(number): number for number in range(waiters + 1)}

    def is_done(self, number: int) -> bool:
        return number == 0 or self.finished_at is not None

    # The Flow Service

    def list_runs(self, query: list[tuple[str, str]]) -> tuple[int, bytes]:
        wanted = self._wanted(query, "flowId")
        if wanted is None:
            return 400, b'{"errorCode": 1449, "message": "unknown filter"}'
        # Newest first, as asked for: those under way, then each of the earlier ticks.
        found = [(self.flows[each], age) for age in range(EARLIER_RUNS + 1) for each in wanted]
        return 200, self._page("/runs", query, found, lambda number, age: self._run(number, age))

    def list_flows(self, query: list[tuple[str, str]]) -> tuple[int, bytes]:
        wanted = self._wanted(query, "id")
        if wanted is None:
            return 400, b'{"errorCode": 1449, "message": "unknown filter"}'
        found = [(self.flows[each], 0) for each in wanted]
        return 200, self._page("/flows", query, found, lambda number, age: self._flow(number))

    def _wanted(self, query: list[tuple[str, str]], field: str) -> list[str] | None:
        """The dataflows that the one filter names, those that exist."""
        filters = [value for name, value in query if name == "property"]
        path, _, values = filters[0].partition("==") if len(filters) == 1 else ("", "", "")
        return [each for each in values.split(",") if each in self.flows] if path == field else None

    def _page(
        self,
        path: str,
        query: list[tuple[str, str]],
        found: list[tuple[int, int]],
        render: Callable[[int, int], bytes],
    ) -> bytes:
        given = dict(query)
        start = int(given.get("continuationToken", "0=").rstrip("="))
        end = start + min(int(given.get("limit", LARGEST_PAGE)), LARGEST_PAGE)
        # A token with "=" in it, as real ones have.
        links = {"next": {"href": f"{path}?continuationToken={end}="}} if end < len(found) else {}
        items = b",".join(render(number, age) for number, age in found[start:end])
        return b'{"items":[%s],"_links":%s}' % (items, json.dumps(links).encode())

    def _run(self, number: int, age: int) -> bytes:
        # Older runs exist in full; the newest is complete once it is done.
        document = run_document(
            number, self.begun_ms - age * 3 * HOUR_MS, done=age > 0 or self.is_done(number)
        )
        return json.dumps(document).encode()

    def _flow(self, number: int) -> bytes:
        document = {"id": flow_id(number), "name": f"export-{number}", "state": "enabled", "version": "1"}
        return json.dumps(document).encode()

    # The others

    def dbt(self, number: int) -> tuple[int, Any]:
        return 200, {"data": {"id": number, "status": 10 if self.is_done(number) else 3}}

    def databricks(self, number: int) -> tuple[int, Any]:
        state = {"life_cycle_state": "RUNNING", "state_message": ""}
        if self.is_done(number):
            state |= {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
        return 200, {"run_id": number, "state": state, "tasks": []}

    def http(self, number: int) -> tuple[int, Any]:
        return 200 if self.is_done(number) else 404, {}

    def http_event(self, number: int) -> tuple[int, Any]:
        return 200, {"done": self.is_done(number)}

    def fivetran(self, number: int) -> tuple[int, Any]:
        done = self.is_done(number)
        synced = "2037-01-01T00:00:00Z" if done else "2024-01-01T00:00:00Z"
        status = {"sync_state": "scheduled" if done else "syncing", "rescheduled_for": None}
        connector = {"id": str(number), "succeeded_at": synced, "failed_at": None, "status": status}
        return 200, {"code": "Success", "data": {**connector, "service": "s3", "schema": "acme"}}

    def airbyte(self, number: int) -> tuple[int, Any]:
        status = "succeeded" if self.is_done(number) else "running"
        job = {"jobId": number, "status": status, "jobType": "sync", "connectionId": "c"}
        return 200, {**job, "startTime": "2026-11-01T00:00:00Z"}

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        url = urlsplit(target)
        if url.path == TOKEN_PATH:
            token = {"access_token": "t" * 900, "token_type": "bearer", "expires_in": 86399}
            return 200, json.dumps(token).encode()
        if url.path == f"{FLOW_SERVICE}/runs":
            return self.list_runs(parse_qsl(url.query))
        if url.path == f"{FLOW_SERVICE}/flows":
            return self.list_flows(parse_qsl(url.query))
        if url.path.endswith("/jobs/runs/get"):
            return _json(self.databricks(int(json.loads(body)["run_id"])))
        for pattern, told in self._by_number.items():
            if match := re.fullmatch(pattern, url.path):
                return _json(told(self, int(match[1])))
        return 404, b"{}"

    _by_number: Mapping[str, Callable[[Runs, int], tuple[int, Any]]] = {
        r"/api/v2/accounts/1/runs/(\d+)/": dbt,
        r"/http/(\d+)": http,
        r"/http-event/(\d+)": http_event,
        r"/v1/connectors/(\d+)": fivetran,
        r"/airbyte/jobs/(\d+)": airbyte,
    }


def _json(told: tuple[int, Any]) -> tuple[int, bytes]:
    status, document = told
    return status, json.dumps(document).encode()


def run_document(number: int, created_ms: int, *, done: bool) -> dict[str, Any]:
    """A run as the Destinations API reference shows it, about 2 KB."""
    user, client = f"aep_activation_batch_{number}@AdobeID", "aep_activation_batch"
    duration = {"startedAtUTC": created_ms + 1000}
    counts = {"inputRecordCount": 12000, "skippedRecordCount": 0}
    outcome = {"outputRecordCount": 12000, "createdRecordCount": 12000}
    entity = {"id": "dataset:66aa3f8e0b7d4a558a5e1d1f"}
    records = {
        **counts,
        **outcome,
        "sourceSummaries": [{"id": flow_id(number), **counts, "entitySummaries": [{**entity, **counts}]}],
        "targetSummaries": [{"id": flow_id(number), **outcome, "entitySummaries": [{**entity, **outcome}]}],
    }
    status = "success" if done else "processing"
    empty: dict[str, Any] = {
        "durationSummary": {},
        "latencySummary": {},
        "sizeSummary": {},
        "recordSummary": {},
    }
    names = ("Activation Batch XdmProcessor Activity", "Activation Batch Publisher Activity")
    return {
        "id": f"{number:08x}-{created_ms // HOUR_MS % 65536:04x}-4a55-8a5e-3f1c7f8e3b4c",
        "createdAt": created_ms,
        "updatedAt": created_ms + 599_333,
        "createdBy": user,
        "updatedBy": user,
        "createdClient": client,
        "updatedClient": client,
        "sandboxId": "0b1c7f8e-0b7d-4a55-8a5e-1d1f2a3b4c5d",
        "sandboxName": "prod",
        "imsOrgId": "0123456789ABCDEF01234567@AdobeOrg",
        "flowId": flow_id(number),
        "flowSpec": {"id": "269ba276-16fc-47db-92b0-c1049a3c131f", "version": "1.0"},
        "providerRefId": "9d0c4e7f" * 4,
        "etag": '"2b00c1d2-0000-0200-0000-66f1a2b30000"',
        "metrics": {
            "durationSummary": {**duration, "completedAtUTC": created_ms + 590_000} if done else duration,
            "sizeSummary": {"inputBytes": 5_242_880, "outputBytes": 1_310_720} if done else {},
            "recordSummary": records if done else {},
            "fileSummary": {"inputFileCount": 2, "outputFileCount": 2} if done else {},
            "statusSummary": {"status": status, "activityRefs": ["c4f238e3-7334-4933-8b56-64d7ea43ea54"]},
        },
        "activities": [
            {"id": f"{at}4f238e3-7334-4933-8b56-64d7ea43ea54", "name": name, "updatedAtUTC": 0, **empty}
            | {"fileSummary": {}, "statusSummary": {"status": status, "extensions": {}}, "sourceInfo": None}
            for at, name in enumerate(names)
        ],
    }


class Desk:
    """Counts what comes in, refuses what is too much, and is the benchmark's own lever.

    :param latency: seconds until an answer.
    :param limit: requests a second, 0 for any number; what is over it is answered 429.
    """

    def __init__(self, runs: Runs, *, latency: float, limit: int) -> None:
        self.runs, self.latency, self.limit = runs, latency, limit
        self.requests = self.refused = self.connections = self.most_connections = 0
        self._second, self._taken = 0, 0

    def counts(self) -> dict[str, int]:
        return {
            "requests": self.requests,
            "refused": self.refused,
            "most_connections": self.most_connections,
        }

    def control(self, target: str) -> bytes:
        if target == "/bench/finish":
            self.runs.finished_at = time.time()
        return json.dumps({**self.counts(), "finished_at": self.runs.finished_at}).encode()

    def refuses(self) -> bool:
        self.requests += 1
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._taken = second, 0
        if self.limit and self._taken >= self.limit:
            self.refused += 1
            return True
        self._taken += 1
        return False


class Connection(asyncio.Protocol):
    """One keep-alive HTTP/1.1 connection; requests are answered in turn."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.buffer = desk, b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.desk.connections += 1
        self.desk.most_connections = max(self.desk.most_connections, self.desk.connections)

    def connection_lost(self, exc: Exception | None) -> None:
        self.desk.connections -= 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1").split("\r\n")
            length = _content_length(head[1:])
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            method, target, _ = head[0].split(" ", 2)
            self._serve(method, target, body)

    def _serve(self, method: str, target: str, body: bytes) -> None:
        if target.startswith("/bench/"):
            self._send(200, self.desk.control(target))
            return
        refused = self.desk.refuses()
        loop = asyncio.get_running_loop()
        loop.call_later(self.desk.latency, self._answer, refused, method, target, body)

    def _answer(self, refused: bool, method: str, target: str, body: bytes) -> None:
        if refused:
            self._send(429, b'{"message": "Too many requests"}', b"Retry-After: 1\r\n")
        else:
            self._send(*self.desk.runs.answer(method, target, body))

    def _send(self, status: int, body: bytes, more: bytes = b"") -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.write(HEAD % (status, REASONS[status], len(body), more) + body)


def _content_length(headers: Iterable[str]) -> int:
    for header in headers:
        name, _, value = header.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


async def serve(desk: Desk, tell: Callable[[str], object], certificate: Path | None) -> None:
    loop, context = asyncio.get_running_loop(), None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await loop.create_server(lambda: Connection(desk), "127.0.0.1", 0, backlog=4096, ssl=context)
    tell(f"{'https' if context else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.monitor.service")
    parser.add_argument("--waiters", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--certificate", type=Path, help="with its key: speak TLS")
    parser.add_argument("--ready-file", type=Path, required=True)
    given = parser.parse_args()
    desk = Desk(Runs(given.waiters), latency=given.latency, limit=given.limit)
    asyncio.run(serve(desk, given.ready_file.write_text, given.certificate))


if __name__ == "__main__":
    main()
