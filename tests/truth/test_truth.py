"""Whatever goes bad is told once, and nothing else is: checks against histories whose truth is known.

``python -m tests.truth`` prints the same as a table, with other seeds and more exports.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.truth.checks import LAG, audit, consecutive
from tests.truth.histories import HISTORIES, UNTOUCHED, History, make
from tests.truth.listing import Service
from tests.truth.score import score
from tests.truth.world import World

DAY = timedelta(days=1)
Key = tuple[str, str]
PERIODS: Mapping[str, timedelta] = {
    "every hour": timedelta(hours=1),
    "every 5 hours": timedelta(hours=5),
    "every day": DAY,
}
# Checks every hour take most of the time: only histories in which checks themselves matter have them.
EVERY_HOUR = {
    "base",
    "checks_that_do_not_happen",
    "hung_for_days_and_then_failed",
    "ends_that_are_listed_late",
}
CASES = [
    (history, period)
    for history in HISTORIES
    for period in ("every hour" if history.__name__ in EVERY_HOUR else "every 5 hours", "every day")
]
# Where each part of a window ends, as a share of the whole.
CUTS: Mapping[str, tuple[float, ...]] = {
    "in the middle": (0.51, 1.0),
    "in seven": (*(count / 7 for count in range(1, 7)), 1.0),
}


@pytest.mark.parametrize(
    ("history", "period"), CASES, ids=[f"{history.__name__}-{period}" for history, period in CASES]
)
def test_all_that_went_bad_is_told_once_and_nothing_else(history: History, period: str, scores: Any) -> None:
    # Where there are many checks, they have fewer exports to look at.
    size = {"every hour": 0.2, "every 5 hours": 0.5}.get(period, 1.0)
    found = score(consecutive(make(history, size=size), PERIODS[period]))
    scores.append(f"{period:13} {found}")
    assert found.bad > 0
    assert not found.mistakes, "\n".join([str(found), *found.mistakes[:6]])


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("history", UNTOUCHED, ids=lambda history: history.__name__)
def test_two_windows_tell_what_one_window_over_both_tells(history: History, cut: str, when: str) -> None:
    whole, parts = told_in(make(history, size=0.5), cut, when)
    together = [each for part in parts for each in part]
    assert len(together) == len(set(together))
    assert set(together) - whole == set()
    assert whole - set(together) == set()


@pytest.mark.parametrize("history", UNTOUCHED, ids=lambda history: history.__name__)
def test_a_window_tells_the_same_whenever_it_is_looked_at(history: History) -> None:
    world = make(history, size=0.5)
    at_once, _ = told_in(world, "in the middle", "at once")
    later, _ = told_in(world, "in the middle", "later")
    assert at_once - later == set()
    assert later - at_once == set()


def told_in(world: World, cut: str, when: str) -> tuple[set[Key], list[list[Key]]]:
    """What is told as new in a window of some days, and in each of the parts that it is cut into.

    :param when: ``at once``, as soon as its window and the lag are over; or ``later``, when all is over.
    """
    service = Service(world)

    def look(since: datetime, until: datetime, before: Any) -> tuple[list[Key], Any]:
        service.now = until + LAG if when == "at once" else world.ends
        told, handover = audit(service, since=since, until=until, before=before)
        return [(each.dataflow_id, each.key) for each in told if each.new], handover

    begin, end = world.began + 2 * DAY, world.ends - 1.5 * DAY
    _, before = look(world.began, begin, None)
    whole, _ = look(begin, end, before)
    parts, since = [], begin
    for share in CUTS[cut]:
        until = begin + (end - begin) * share
        part, before = look(since, until, before)
        parts.append(part)
        since = until
    return set(whole), parts
