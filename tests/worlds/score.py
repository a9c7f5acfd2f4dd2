"""What went wrong in silence. An error of ours, or a warning that names the thing, is loud, and fine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

KINDS = ("silent twins", "blind waits", "false greens", "false alarms", "endless updates", "broken")

# What a writer tells that found an older entity of another one.
GAVE_WAY = "kept it, removed our"


@dataclass
class Score:
    """What an act, or a whole story, did in one world.

    :param harms: (kind, what happened), for each harm that nobody was told of.
    :param told: every error and warning, in the order in which they came.
    """

    harms: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def add(self, kind: str, what: str) -> None:
        assert kind in KINDS
        self.harms.append((kind, what))

    def names(self, ids: Iterable[str]) -> bool:
        """Whether something that was told names one of these ids, other than as the one that was kept."""
        return any(one in told for one in ids for told in self.told if GAVE_WAY not in told)

    @property
    def kinds(self) -> Counter[str]:
        return Counter(kind for kind, _ in self.harms)

    def __iadd__(self, other: Score) -> Score:
        self.harms += other.harms
        self.told += other.told
        return self
