"""The zygote that starts workers, and the figures that the crash suite ends with."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aep.emulator.pytest_plugin import (  # noqa: F401 - fixtures
    aep_emulator,
    aep_server,
    aep_worlds,
)

ROOT = Path(__file__).parents[2]
SANDBOXES = 40
PATIENCE = 60.0


@dataclass
class Figures:
    """What the suite has tried, and what was wrong in the end."""

    cases: dict[str, int] = field(default_factory=dict)
    killed: int = 0
    raced: int = 0
    loud: int = 0
    duplicates: int = 0
    orphans: int = 0
    seconds: float = 0.0

    def count(self, scenario: str) -> None:
        self.cases[scenario] = self.cases.get(scenario, 0) + 1


FIGURES = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    return request.config.stash.setdefault(FIGURES, Figures())


@pytest.fixture(autouse=True)
def timed(figures: Figures) -> Iterator[None]:
    began = time.perf_counter()
    yield
    figures.seconds += time.perf_counter() - began


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    figures = config.stash.get(FIGURES, None)
    if figures is None or not figures.cases:
        return
    terminalreporter.section("crash suite")
    for scenario, cases in figures.cases.items():
        terminalreporter.write_line(f"{cases:5} cases  {scenario}")
    terminalreporter.write_line(
        f"{sum(figures.cases.values())} cases in {figures.seconds:.0f} s: {figures.killed} processes killed, "
        f"{figures.raced} in races ({figures.loud} ended with an error that names ids); "
        f"{figures.duplicates} duplicates, {figures.orphans} orphans"
    )


@pytest.fixture
def aep_emulator_options() -> dict[str, Any]:
    """A sandbox for each case, and a clock that runs, as writers are told apart by when they wrote."""
    return {"clock": time.time, "sandboxes": [f"case-{number}" for number in range(SANDBOXES)]}


@pytest.fixture(scope="module")
def carry_out() -> Iterator[Callable[[dict[str, Any]], list[dict[str, Any]]]]:
    """``carry_out(job)``: how each writer of the job ended."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    zygote = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.driver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths, "NO_PROXY": "127.0.0.1"},
        start_new_session=True,
    )

    def carried_out(job: dict[str, Any]) -> list[dict[str, Any]]:
        assert zygote.stdin
        assert zygote.stdout
        zygote.stdin.write(json.dumps(job).encode() + b"\n")
        zygote.stdin.flush()
        ready, _, _ = select.select([zygote.stdout], [], [], PATIENCE)
        assert ready, "a worker hangs"
        ended: list[dict[str, Any]] = json.loads(zygote.stdout.readline())
        return ended

    try:
        yield carried_out
    finally:
        assert zygote.stdin
        zygote.stdin.close()
        try:
            zygote.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(zygote.pid, 9)  # a session of its own: the zygote and its workers, nobody else
            zygote.wait()
