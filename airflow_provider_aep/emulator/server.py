"""The emulator behind HTTP, on this machine only.

The server adds nothing to the answers; it only makes network trouble real: a reset is a reset, a lost
answer is a closed connection after the work is done, a stall is silence.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_aep.emulator.control import control
from airflow_provider_aep.emulator.faults import Fault
from airflow_provider_aep.emulator.replies import Refusal, bad_request
from airflow_provider_aep.emulator.service import LOGIN_PATH, Emulator
from airflow_provider_aep.flowservice.exchange import Request, Response

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 10_000_000
# Closing a socket that "lingers" for zero seconds sends a reset instead of an orderly end.
RESET = struct.pack("ii", 1, 0)


class EmulatorServer(ThreadingHTTPServer):
    """A listening server; ``url`` is where.

    :raises OSError: the port is taken.
    """

    daemon_threads = True
    # A second server on the same port must fail, not share it.
    allow_reuse_port = False

    def __init__(self, emulator: Emulator, port: int = 0) -> None:
        self.emulator = emulator
        super().__init__((LOOPBACK, port), Door)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_address[1]}"

    def shutdown_request(self, request: Any) -> None:
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(RESET)) == RESET:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away is no news.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Door(BaseHTTPRequestHandler):
    server: EmulatorServer
    protocol_version = "HTTP/1.1"
    server_version = "aep-emulator"
    # Otherwise the small pieces of an answer wait for one another.
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        try:
            path, body = urlsplit(self.path).path, self._body()
            response, fault = self._answer(path, body)
        except Refusal as refusal:
            response, fault = refusal.response("emulated-server"), None
        if fault is not None and fault.kind != "stall":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close_connection = True
            return
        if fault is not None:
            time.sleep(fault.seconds)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve

    def _body(self) -> bytes:
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY:
            self.close_connection = True
            raise bad_request("The content length is not acceptable")
        return self.rfile.read(int(length))

    def _answer(self, path: str, body: bytes) -> tuple[Response, Fault | None]:
        headers = {"content-type": "", **{name.lower(): value for name, value in self.headers.items()}}
        url = self.server.url + self.path
        if path == LOGIN_PATH:
            form = dict(parse_qsl(body.decode("utf-8", "replace")))
            return self.server.emulator.answer(Request(self.command, url, headers=headers, form=form))
        try:
            document = json.loads(body) if body else None
        except (ValueError, RecursionError):
            raise bad_request("The body is not JSON") from None
        if not path.startswith("/emulator"):
            return self.server.emulator.answer(Request(self.command, url, headers=headers, json=document))
        # A page in a browser cannot send this type to another host without asking first.
        if self.command == "POST" and not headers["content-type"].startswith("application/json"):
            raise bad_request("A valid content-type must be specified")
        return control(self.server.emulator, self.command, path, document), None

    def log_message(self, format: str, *args: Any) -> None:
        """The emulator keeps its own log."""


@contextmanager
def serve(emulator: Emulator, port: int = 0) -> Iterator[str]:
    """Serve on a port (0 for any free one) as long as the block lasts; gives the base URL."""
    server = EmulatorServer(emulator, port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="aep-emulator")
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def airflow_connection(emulator: Emulator, url: str, sandbox: str | None = None) -> str:
    """The Airflow connection to a served emulator, as the JSON of ``AIRFLOW_CONN_...``.

    :param sandbox: by default the emulator's first.
    """
    return json.dumps(
        {
            "conn_type": "aep",
            "host": url,
            "login": emulator.client_id,
            "password": emulator.client_secret,
            "extra": {
                "org_id": emulator.org_id,
                "sandbox": sandbox or emulator.sandboxes[0],
                "token_url": url + LOGIN_PATH,
            },
        }
    )
