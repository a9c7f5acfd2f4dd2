"""The figures with which the suite ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.worlds.score import KINDS, Score


@dataclass
class Figures:
    """How many worlds and pairs the story was told in, and in how many of them each kind of harm was done."""

    told: Counter[str] = field(default_factory=Counter)
    harms: Counter[str] = field(default_factory=Counter)

    def count(self, what: str, score: Score) -> None:
        self.told[what] += 1
        self.harms += Counter(set(score.kinds))


FIGURES = pytest.StashKey[Figures]()


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    return request.config.stash.setdefault(FIGURES, Figures())


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    figures = config.stash.get(FIGURES, None)
    if figures is None or not figures.told:
        return
    terminalreporter.section("the story in other worlds")
    terminalreporter.line(f"worlds {figures.told['worlds']}, pairs {figures.told['pairs']}")
    terminalreporter.line(", ".join(f"{kind} {figures.harms[kind]}" for kind in KINDS))
