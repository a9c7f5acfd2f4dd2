"""The table that the simulation ends with."""

from __future__ import annotations

from typing import Any

import pytest

SCORES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def scores(request: pytest.FixtureRequest) -> list[str]:
    """A line for each history and period of checks."""
    return request.config.stash.setdefault(SCORES, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = config.stash.get(SCORES, [])
    if lines:
        terminalreporter.section("simulation of the truth")
        for line in lines:
            terminalreporter.write_line(line)
