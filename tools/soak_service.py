"""The soak's Experience Platform: many dataflows, each with a run under way, behind a port that can close."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.server import LOOPBACK, EmulatorServer
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Exchange
from tools.provisioning import new_dataflow, session_of

# How runs end, in turn, and the outcome that the sensor's default policy must reach.
ENDINGS = (("success", "ok"), ("success", "ok"), ("zero", "warn"), ("partial", "warn"), ("failed", "fail"))


@dataclass(frozen=True)
class Export:
    """A dataflow, its only tick and run, how that run will end, and the verdict's outcome."""

    dataflow_id: str
    tick: str
    run_id: str
    ending: str
    outcome: str


class SoakServer(EmulatorServer):
    """It can also cut the connections that are open, as a server that dies does."""

    def __init__(self, emulator: Emulator, port: int = 0) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(emulator, port)

    def get_request(self) -> tuple[socket.socket, Any]:
        request, address = super().get_request()
        self._open.add(request)
        return request, address

    def close_request(self, request: Any) -> None:
        self._open.discard(request)
        super().close_request(request)

    def cut(self) -> None:
        for request in list(self._open):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


class SoakService:
    """The emulator in this process, on a loopback port; up on entering."""

    def __init__(self) -> None:
        self.emulator = Emulator()
        self._session = session_of(self.emulator)
        self._port = 0

    def __enter__(self) -> SoakService:
        self._open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._close()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @contextmanager
    def down(self) -> Iterator[None]:
        """While the block lasts, whoever connects is refused. The emulator's world goes on."""
        self._close()
        with socket.socket() as reserved:
            # Bound and not listening: refused, and nobody else can get the port meanwhile.
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind((LOOPBACK, self._port))
            yield
        self._open()

    def make_exports(self, number: int) -> list[Export]:
        """So many dataflows that were due a moment ago, each with a run that goes on until ``finish``."""
        self.emulator.script_runs(None, ["in_progress"] * number)
        now = datetime.now(tz=UTC).replace(microsecond=0)
        made = [self._converse(new_dataflow(f"soak-{at:04d}", now)) for at in range(number)]
        runs = {run["flowId"]: run["id"] for run in self.emulator.entities("runs")}
        return [
            Export(dataflow_id, now.isoformat(), runs[dataflow_id], *ENDINGS[at % len(ENDINGS)])
            for at, dataflow_id in enumerate(made)
        ]

    def finish(self, exports: Sequence[Export]) -> None:
        for export in exports:
            self.emulator.finish_run(export.run_id, export.ending)

    def looks(self) -> int:
        """How many requests asked for runs."""
        return len(self.emulator.requests("GET", "/runs"))

    def _converse(self, exchange: Exchange[str]) -> str:
        return drive(self._session.conduct(exchange, sandbox="prod"), self.emulator)

    def _open(self) -> None:
        self._server = SoakServer(self.emulator, self._port)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.cut()
        self._thread.join()
