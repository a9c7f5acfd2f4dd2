"""A service that answers far too much leaves the API server standing: what its process takes, measured."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.airflow3,
    pytest.mark.skipif(
        not Path("/proc/self/clear_refs").exists(), reason="reads the peak of memory in /proc"
    ),
]

MB = 1_000_000
MUCH = 300 * MB

# The API server's app, in a process of its own, which looks at the service twice.
SERVER = """
import json, os, re, sys, time
from pathlib import Path

from airflow.api_fastapi.app import create_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi.testclient import TestClient

client = TestClient(create_app(apps="core"))
user = SimpleAuthManagerUser(username="admin", role="ADMIN")
headers = {"Authorization": f"Bearer {client.app.state.auth_manager.generate_jwt(user)}"}

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def look(connection, expected):
    os.environ["AIRFLOW_CONN_AEP_DEFAULT"] = connection
    until = time.monotonic() + 40
    while time.monotonic() < until:
        (source,) = client.get("/aep/api/exports", headers=headers).json()["sources"]
        # A viewer gets the last result while the next one is read.
        if (end := (source["error"] or {}).get("kind") or source["state"]) == expected:
            break
        time.sleep(0.05)
    return end

look(sys.argv[1], "ok")  # everything that a look imports is loaded
Path("/proc/self/clear_refs").write_text("5")
before = peak()
ends = []
for _ in range(2):
    time.sleep(1.1)  # a result is shared for a second
    ends.append(look(sys.argv[2], "too_large"))
time.sleep(3)  # the second is read meanwhile
print(json.dumps({"grew": peak() - before, "ends": ends}))
"""


def flows(size: int) -> Iterator[bytes]:
    """A page of dataflows of about so many bytes, as JSON."""
    flow = {"id": "6b1c5bd3-4f2a-4d6e-9c0c-1d2b1f2f7a10", "name": "crm-nightly", "description": "x" * 400}
    piece = json.dumps(flow).encode() + b","
    yield b'{"items":['
    many = piece * (1 * MB // len(piece))
    for _ in range(size // len(many)):
        yield many
    yield b'{"id":"last"}]}'


@contextmanager
def service(answer: Callable[[Any], None]) -> Iterator[str]:
    """A service whose every listing is answered by a function of the handler."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            send(self, b'{"access_token":"a-token-of-the-service","expires_in":86399}')

        def do_GET(self) -> None:
            try:
                answer(self)
            except OSError:
                self.close_connection = True  # the reader had enough

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a connection that was left in the middle of an answer

    server = Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def connection(url: str) -> str:
    return json.dumps(
        {
            "conn_type": "aep",
            "host": url,
            "login": "client",
            "password": "client-secret",
            "extra": {"org_id": "0123456789ABCDEF@AdobeOrg", "token_url": f"{url}/token", "sandbox": "prod"},
        }
    )


def answer_plain(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    for piece in flows(MUCH):
        handler.wfile.write(piece)
    handler.close_connection = True


def answer_packed(handler: Any) -> None:
    """The same in some 300 kB, as gzip."""
    send(handler, packed(), "gzip")


def answer_nothing(handler: Any) -> None:
    send(handler, b'{"items":[]}')


@cache
def packed() -> bytes:
    return gzip.compress(b"".join(flows(MUCH)))


def send(handler: Any, body: bytes, encoding: str = "identity") -> None:
    handler.send_response(200)
    handler.send_header("Content-Encoding", encoding)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize("answer", [answer_plain, answer_packed])
def test_an_answer_of_300_mb_takes_the_api_server_no_more_than_100_mb(airflow_db, answer):
    packed()
    with service(answer_nothing) as small, service(answer) as large:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SERVER, connection(small), connection(large)],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "AIRFLOW__AEP__PAGE_REFRESH_SECONDS": "1"},
        )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["ends"] == ["too_large", "too_large"]
    assert told["grew"] < 100 * MB, f"{told['grew'] / MB:.0f} MB"
