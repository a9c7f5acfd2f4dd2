"""The services that the tasks ask, in the benchmark's own process: both speak TLS, and answer after a while.

The emulator of the Flow Service, and of dbt Cloud the one answer that its sensor and its trigger read.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.server import LOOPBACK, Door, EmulatorServer, airflow_connection
from airflow_provider_aep.emulator.service import LOGIN_PATH
from airflow_provider_aep.flowservice.driving import drive
from tools.provisioning import new_dataflow, session_of

DBT_SUCCESS, DBT_RUNNING = 10, 3
Tick = dict[str, str]


class SlowDoor(Door):
    """Answers after a while."""

    def _answer(self, path: str, body: bytes) -> Any:
        time.sleep(Services.latency)
        return super()._answer(path, body)


class DbtDoor(BaseHTTPRequestHandler):
    """dbt Cloud's answer about a run, whichever it is."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: DbtServer

    def do_GET(self) -> None:
        self.server.requests += 1
        time.sleep(Services.latency)
        number = int(self.path.split("?")[0].rstrip("/").rpartition("/")[2])
        status = DBT_SUCCESS if self.server.is_done else DBT_RUNNING
        body = json.dumps({"data": {"id": number, "status": status}}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are counted."""


class DbtServer(ThreadingHTTPServer):
    daemon_threads = True
    requests = 0
    is_done = False

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), DbtDoor)


class Services:
    """Both services; up on entering.

    :param certificate: what ``make_certificate`` made.
    """

    latency = 0.02

    def __init__(self, certificate: Path) -> None:
        self.certificate = certificate
        self.emulator = Emulator()
        self._session = session_of(self.emulator)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        self.dbt = DbtServer()
        server = EmulatorServer(self.emulator)
        server.RequestHandlerClass = SlowDoor
        for each in (self.dbt, server):
            self._exit.enter_context(_served(each, self.certificate))
        self.url = f"https://{LOOPBACK}:{server.server_address[1]}"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exit.close()

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        ours = json.loads(airflow_connection(self.emulator, self.url))
        ours["extra"]["ca_bundle"] = str(self.certificate)
        place = f"{LOOPBACK}:{self.dbt.server_address[1]}"
        dbt = {"conn_type": "dbt_cloud", "host": place, "login": "1", "password": "t" * 40}
        return {"aep_default": ours, "dbt_cloud_default": dbt}

    def counts(self) -> tuple[int, int]:
        """Requests so far, to either; and those among them that asked for a token."""
        log = self.emulator.log
        return len(log) + self.dbt.requests, sum(each.path == LOGIN_PATH for each in log)

    def make_exports(self, name: str, number: int) -> list[Tick]:
        """So many dataflows with a tick just now, whose runs go on until ``finish``."""
        now = datetime.now(tz=UTC).replace(microsecond=0)
        ticks = []
        for at in range(number):
            self.emulator.script_runs(f"{name}-{at}", ["in_progress"])
            exchange = new_dataflow(f"{name}-{at}", now)
            made = drive(self._session.conduct(exchange, sandbox="prod"), self.emulator)
            ticks.append({"dataflow_id": made, "tick": now.isoformat()})
        return ticks

    def finish(self, ticks: Sequence[Tick]) -> None:
        """The runs of all of these end well, and all of dbt Cloud."""
        self.dbt.is_done = True
        meant = {each["dataflow_id"] for each in ticks}
        for run in self.emulator.entities("runs"):
            if run["flowId"] in meant:
                self.emulator.finish_run(run["id"])


@contextmanager
def _served(server: ThreadingHTTPServer, certificate: Path) -> Iterator[None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    # The handshake is left to the thread that serves the connection.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
