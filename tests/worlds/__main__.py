"""``python -m tests.worlds``: the story in every world and in random pairs, and its silent harms."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

from airflow_provider_aep.emulator.worlds import WORLDS
from tests.worlds.acts import ACTS, tell
from tests.worlds.score import KINDS

# Pairs in which one deviation takes away what would catch the harm of the other.
CHOSEN = (
    ("adhoc-runs-twice", "runs-listed-after-30s"),
    ("created-listed-after-30s", "deleted-listed-for-30s"),
    ("created-listed-after-30s", "descriptions-not-listed"),
    ("orderby-ignored", "listings-end-after-100"),
    ("several-flows-find-nothing", "orderby-ignored"),
    ("several-values-find-nothing", "created-listed-after-30s"),
    ("filters-ignored", "pages-of-ten"),
)


def pairs(number: int, *, seed: int, among: Sequence[str] = tuple(WORLDS)) -> list[tuple[str, ...]]:
    """The chosen pairs of worlds and so many others; the same for the same seed."""
    names = set(among)
    chosen = [pair for pair in CHOSEN if names.issuperset(pair)]
    others = [pair for pair in combinations(sorted(among), 2) if pair not in chosen]
    return [*chosen, *random.Random(seed).sample(others, min(number, len(others)))]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.worlds", description=__doc__)
    parser.add_argument("--pairs", type=int, default=0, help="how many random pairs besides (default: 0)")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other pairs (default: 1)")
    parser.add_argument("--only", default="", help="worlds whose name holds this")
    parser.add_argument("--act", default="", help="acts whose name holds this")
    parser.add_argument("--show", type=int, default=3, help="how many harms of each world to print")
    given = parser.parse_args()
    acts = [act for act in ACTS if given.act in act.__name__]
    harmful, began = 0, time.perf_counter()
    sums: dict[str, Counter[str]] = {"worlds": Counter(), "pairs": Counter()}
    told: Counter[str] = Counter()
    # What goes wrong in the usual world as well says nothing of another one.
    usual = tell([], acts).harms
    say(f"{'usual':60} {_figures(Counter(kind for kind, _ in usual))}")
    for worlds in _places(given.only, given.pairs, given.seed):
        score = tell(worlds, acts)
        score.harms = [harm for harm in score.harms if harm not in usual]
        what = "pairs" if len(worlds) > 1 else "worlds"
        told[what] += 1
        # How many worlds do a kind of harm, and not how often.
        sums[what] += Counter(set(score.kinds))
        if score.harms:
            harmful += 1
            told[f"harmful {what}"] += 1
            say(f"{' + '.join(worlds):60} {_figures(score.kinds)}")
            for kind, each in list(dict(score.harms[::-1]).items())[: given.show]:
                say(f"    {kind}: {each}")
    for what, figures in sums.items():
        if told[what]:
            say(f"{told[what]:5} {what}, {told[f'harmful {what}']} with harm: {_figures(figures)}")
    say(f"{time.perf_counter() - began:.0f} s")
    return min(harmful + len(usual), 1)


def _places(only: str, number: int, seed: int) -> Iterator[tuple[str, ...]]:
    named = [name for name in WORLDS if only in name]
    for name in named:
        yield (name,)
    if number:
        yield from pairs(number, seed=seed, among=named)


def _figures(kinds: Counter[str]) -> str:
    return ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
