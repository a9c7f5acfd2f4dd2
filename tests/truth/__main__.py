"""``python -m tests.truth``: every history, checked every hour and every day, and what was got wrong; then
months of ingestion, and how often the cause of an empty run was right, wrong or not known.
"""

from __future__ import annotations

import argparse
import sys

from tests.truth.causes import score_causes
from tests.truth.checks import consecutive
from tests.truth.histories import HISTORIES, make
from tests.truth.months import MONTHS
from tests.truth.score import score
from tests.truth.test_month import ASKED
from tests.truth.test_truth import PERIODS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other histories (default: 1)")
    parser.add_argument(
        "--ticks", type=float, default=1.0, help="how many times as many exports (default: 1)"
    )
    parser.add_argument("--only", default="", help="histories whose name holds this")
    parser.add_argument("--show", type=int, default=3, help="how many mistakes of each kind to print")
    given = parser.parse_args()
    mistakes = 0
    for history in HISTORIES:
        if given.only not in history.__name__:
            continue
        world = make(history, seed=given.seed, size=given.ticks)
        for name, period in PERIODS.items():
            found = score(consecutive(world, period))
            say(f"{name:11} {found}")
            for kind in ("silent", "false", "twice"):
                each = getattr(found, kind)
                mistakes += len(each)
                for line in each[: given.show]:
                    say(f"    {kind}: {line}")
    for month in MONTHS:
        if given.only not in month.__name__:
            continue
        made = month(seed=given.seed, size=given.ticks)
        for name, ask in ASKED.items():
            causes = score_causes(made, ask(made))
            mistakes += len(causes.wrong)
            say(f"{name:13} {causes}")
            for line in (*causes.lines(), *(f"    wrong: {each}" for each in causes.wrong[: given.show])):
                say(line)
    return min(mistakes, 1)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
