"""The emulator behind HTTP, on this machine only.

The server does not change responses; it only makes network trouble real: a reset is a reset, a lost response
is a connection closed after processing, a stall is silence.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from airflow_provider_aep.emulator.control import control
from airflow_provider_aep.emulator.faults import Fault
from airflow_provider_aep.emulator.replies import Refusal, bad_request
from airflow_provider_aep.emulator.service import LOGIN_PATH, Emulator
from airflow_provider_aep.flowservice.exchange import Request, Response

__all__ = ["airflow_connection", "serve"]

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 10_000_000
LONGEST_LINE = 8_192
MOST_TRAILERS = 100
# No document of the service is nested half as deep, and code that walks one recurses for each level.
DEEPEST_BODY = 50
# How many connections may wait before one is refused.
BACKLOG = 512
# Closing a socket that "lingers" for zero seconds sends a reset instead of an orderly close.
RESET = struct.pack("ii", 1, 0)


class EmulatorServer(ThreadingHTTPServer):
    """A listening server; ``url`` is its address.

    :param log_requests: write a line on standard error for each request.
    :param changed: called after each request except a GET, before its response is sent.
    :raises OSError: the port is taken.
    """

    daemon_threads = True
    request_queue_size = BACKLOG
    # A second server on the same port must fail, not share it.
    allow_reuse_port = False

    def __init__(
        self,
        emulator: Emulator,
        port: int = 0,
        *,
        log_requests: bool = False,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self.emulator, self.log_requests, self.changed = emulator, log_requests, changed
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
        # A client that disconnects is not worth reporting.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Door(BaseHTTPRequestHandler):
    server: EmulatorServer
    protocol_version = "HTTP/1.1"
    server_version = "aep-emulator"
    # Otherwise the small pieces of a response wait for one another.
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        began = time.monotonic()
        try:
            if self.headers.defects:  # what follows such a line is read as part of the body
                raise self._malformed("A line of the headers is no header")
            target, body = self._target(), self._body()
            response, fault = self._answer(target, body)
        except Refusal as refusal:
            response, fault = refusal.response("emulated-server"), None
        if self.command != "GET":
            self.server.changed()
        if fault is not None and fault.kind != "stall":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close_connection = True
            self._log(fault.kind, began)
            return
        if fault is not None:
            time.sleep(fault.seconds)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(response.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(response.body)
        self._log(response.status, began)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve

    def _target(self) -> str:
        """Path and query, even if the request contains the whole URL, as one to a proxy does."""
        if self.path.startswith("/"):
            return self.path
        try:
            parts = urlsplit(self.path)
        except ValueError:
            parts = urlsplit("")
        if not parts.netloc:
            raise self._malformed("The address of the request is neither a path nor a URL")
        return urlunsplit(("", "", f"/{parts.path.lstrip('/')}", parts.query, ""))

    def _body(self) -> bytes:
        lengths = set(self.headers.get_all("content-length", ()))
        codings = self.headers.get_all("transfer-encoding", ())
        if codings:
            if lengths or [coding.strip().lower() for coding in codings] != ["chunked"]:
                raise self._malformed(
                    "The transfer encoding is not acceptable: chunked, and no content length"
                )
            return b"".join(self._chunks())
        length = lengths.pop().strip() if lengths else "0"
        if lengths or not re.fullmatch("[0-9]{1,20}", length) or int(length) > LARGEST_BODY:
            raise self._malformed("The content length is not acceptable")
        return self._whole(int(length))

    def _whole(self, length: int) -> bytes:
        body = self.rfile.read(length)
        if len(body) < length:
            raise self._malformed("The body is shorter than it says")
        return body

    def _chunks(self) -> Iterator[bytes]:
        """The parts of a chunked body.

        Source: RFC 9112, section 7.1.
        """
        left = LARGEST_BODY
        while True:
            size = self._line().partition(b";")[0].strip()
            if not re.fullmatch(b"[0-9A-Fa-f]{1,16}", size) or (length := int(size, 16)) > left:
                raise self._malformed("The length of a chunk is not acceptable")
            if not length:
                break
            left -= length
            yield self._whole(length)
            if self._line():
                raise self._malformed("A chunk is longer than it says")
        for _ in range(MOST_TRAILERS):
            if not self._line():
                return
        raise self._malformed("The chunked body has too many trailers")

    def _line(self) -> bytes:
        return self.rfile.readline(LONGEST_LINE).rstrip(b"\r\n")

    def _malformed(self, detail: str) -> Refusal:
        """Close the connection: the rest of such a request cannot be separated from the next one."""
        self.close_connection = True
        return bad_request(detail)

    def _answer(self, target: str, body: bytes) -> tuple[Response, Fault | None]:
        headers = {"content-type": "", **{name.lower(): value for name, value in self.headers.items()}}
        url = self.server.url + target
        path = urlsplit(url).path
        if path == LOGIN_PATH:
            form = dict(parse_qsl(body.decode("utf-8", "replace")))
            return self.server.emulator.answer(Request(self.command, url, headers=headers, form=form))
        try:
            document = json.loads(body) if body else None
        except (ValueError, RecursionError):
            raise bad_request("The body is not JSON") from None
        if _is_deep(document):
            raise bad_request("The body is nested too deep")
        if not path.startswith("/emulator"):
            return self.server.emulator.answer(Request(self.command, url, headers=headers, json=document))
        # A web page cannot send this type to another host without a preflight request.
        if self.command == "POST" and not headers["content-type"].startswith("application/json"):
            raise bad_request("A valid content-type must be specified")
        return control(self.server.emulator, self.command, path, document), None

    def _log(self, end: object, began: float) -> None:
        # Without the query, as that of a login may hold its secret.
        milliseconds = (time.monotonic() - began) * 1000
        self.log_message("%s %s %s %.0f ms", self.command, self.path.partition("?")[0], end, milliseconds)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Replaced by ``_log``, which also logs the duration."""

    def log_message(self, format: str, *args: Any) -> None:
        if self.server.log_requests:
            line = ascii(format % args)[1:-1]  # a path may contain terminal control characters
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def _is_deep(document: object) -> bool:
    level = [document]
    for _ in range(DEEPEST_BODY):
        nested = [
            value.values() if isinstance(value, dict) else value
            for value in level
            if isinstance(value, dict | list)
        ]
        level = [value for members in nested for value in members]
        if not level:
            return False
    return True


@contextmanager
def serve(emulator: Emulator, port: int = 0, **given: Any) -> Iterator[str]:
    """Serve on a port (0 for any free one) for the duration of the block; yields the base URL.

    :param given: further arguments of ``EmulatorServer``.
    """
    server = EmulatorServer(emulator, port, **given)
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
