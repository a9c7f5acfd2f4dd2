"""The emulator of the Flow Service as a process of its own, for the length of a ``with`` block."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tools.processes import Children, clean_environment


class EmulatorProcess:
    """``python -m airflow_provider_aep.emulator`` on a free loopback port; ``url`` says where.

    :param root: its world: the data lake it reads, the places it delivers to, and its log.
    :param hour_seconds: how long an hour of an export schedule takes.
    :param start_seconds: the longest time the start may take.
    """

    def __init__(self, root: Path, *, hour_seconds: float = 3600, start_seconds: float = 30) -> None:
        self.root = root.resolve()
        self.hour_seconds = hour_seconds
        self.start_seconds = start_seconds
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        with ExitStack() as cleanup:
            children = cleanup.enter_context(Children(logs=self.root, env=clean_environment()))
            self.url = self._start(children)
            self._exit = cleanup.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exit.close()

    def _start(self, children: Children) -> str:
        ready = self.root / "emulator.ready"
        ready.unlink(missing_ok=True)
        emulator = (sys.executable, "-m", "airflow_provider_aep.emulator", "--port", "0")
        options = ("--ready-file", ready, "--root", self.root, "--hour-seconds", str(self.hour_seconds))
        children.start("emulator", [*emulator, *options])
        deadline = time.monotonic() + self.start_seconds
        while not (ready.exists() and (url := ready.read_text().strip())):
            children.check()
            if time.monotonic() > deadline:
                raise children.failed("emulator", f"was not ready after {self.start_seconds:.0f} s")
            time.sleep(0.05)
        return url
