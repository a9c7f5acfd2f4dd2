"""The cause that is named for an empty, small or missing run is never wrong: months whose truth is known.

``python -m tests.truth`` prints the same as a table, with other seeds and more exports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

import pytest

from airflow_provider_aep.monitoring.policy import AuditPolicy, RunPolicy
from tests.truth.catalog import ServiceWithCatalog
from tests.truth.causes import score_causes
from tests.truth.checks import Checked, audit, consecutive
from tests.truth.lake import ODD, TrueBatch
from tests.truth.months import MONTHS, Month, TrueRun, a_month, a_month_with_a_slow_catalog
from tests.truth.waiting import explained_by_sensors
from tests.truth.world import MINUTE

# Runs of less than a tenth of the usual are small.
POLICY = AuditPolicy(runs=RunPolicy(max_drop=0.9))
HOUR = 60 * MINUTE


def every(hours: int) -> Callable[[Month], Checked]:
    def check(month: Month) -> Checked:
        looking = partial(audit, policy=POLICY)
        return consecutive(month, hours * HOUR, looking, ServiceWithCatalog(month))

    return check


ASKED: Mapping[str, Callable[[Month], Checked]] = {
    "every 5 hours": every(5),
    "every day": every(24),
    "by sensors": explained_by_sensors,
}
# (month, who asks, size); sensors ask for each run by itself, which takes longest.
CASES: tuple[tuple[Callable[..., Month], str, float], ...] = (
    (a_month, "every day", 1.0),
    (a_month, "every 5 hours", 0.2),
    (a_month, "by sensors", 0.2),
    (a_month_with_a_slow_catalog, "every day", 0.3),
)
# Of empty runs with this true cause, at least this share is told it; of the others it is not known.
LEAST: Mapping[str, float] = {"lost": 0.5, "nothing": 0.15, "failed": 0.4, "gone": 0.6}


@cache
def made(month: Callable[..., Month], size: float) -> Month:
    return month(size=size)


@pytest.mark.parametrize(
    ("month", "asked", "size"), CASES, ids=[f"{month.__name__}-{asked}" for month, asked, _ in CASES]
)
def test_a_cause_that_is_named_is_the_true_one(
    month: Callable[..., Month], asked: str, size: float, scores: Any
) -> None:
    found = score_causes(made(month, size), ASKED[asked](made(month, size)))
    scores += [f"{asked:13} {found}", *found.lines()]
    assert not found.wrong, "\n".join([str(found), *found.wrong[:6]])
    if size == 1.0:
        shares = {true: found.share_right(true) for true in LEAST}
        assert all(shares[true] >= least for true, least in LEAST.items()), shares


def test_the_month_is_thousands_of_runs_of_all_kinds() -> None:
    month = made(a_month, 1.0)
    runs = [run for export in month.exports for run in export.runs]
    true = [run for runs in month.true_runs.values() for run in runs]
    fates = Counter(tick.fate for tick in month.ticks)
    assert len(runs) > 4_000
    assert min(fates["missing"], fates["failed"]) > 100
    assert sum(1 for run in true if not run.exported and any(look.lost for look in run.looks.values())) > 100
    assert {len(datasets) for datasets in month.datasets.values()} == {1, 2, 3}
    shared = Counter(each for datasets in month.datasets.values() for each in datasets)
    assert max(shared.values()) > 1
    kinds = Counter(batch.kind for dataset in month.lake.values() for batch in dataset.batches)
    assert set(kinds) == {"plain", "failed", *ODD}


def test_batches_lie_across_both_edges_of_every_window() -> None:
    where: Counter[str] = Counter()
    for before, run, batch in _windows(made(a_month, 1.0)):
        since, began, ended = before.run.started_at, run.run.started_at, run.run.ended_at
        at = batch.ended_at
        assert at is not None
        assert ended is not None
        where["opened before the window, completed in it"] += batch.opened_at < since < at < began
        where["completed while the run before was under way"] += since < at < (before.run.ended_at or since)
        where["completed within the margin before the run"] += began - HOUR < at < began
        where["completed while the run was under way"] += began < at < ended
        where["opened before the end, completed after it"] += batch.opened_at < ended < at
        where["completed, and not seen"] += batch not in run.looks[batch.dataset_id].seen and at < began
    assert min(where.values()) > 100, where


def test_runs_look_at_any_moment_that_is_held_for_possible() -> None:
    where: Counter[str] = Counter()
    for runs in made(a_month, 1.0).true_runs.values():
        for run in runs:
            began, ended = run.run.started_at, run.run.ended_at
            assert ended
            for look in run.looks.values():
                earliest = min(run.tick, began)
                assert look.at <= max(began + HOUR, ended)
                assert look.at >= (earliest if run.exported else earliest - HOUR)
                where["before the tick"] += look.at < earliest
                where["before the start"] += earliest <= look.at < began
                where["during the run"] += began <= look.at <= ended
                where["after the end"] += look.at > ended
    assert min(where.values()) > 100, where


@pytest.mark.parametrize("month", MONTHS, ids=lambda month: month.__name__)
def test_a_month_is_made_of_its_seed_alone(month: Callable[..., Month]) -> None:
    assert month(size=0.1) == month(size=0.1)
    assert month(size=0.1).exports != month(size=0.1, seed=2).exports


def _windows(month: Month) -> Iterator[tuple[TrueRun, TrueRun, TrueBatch]]:
    """Each empty run, the one before it, and a batch that ended around or between them."""
    for runs in month.true_runs.values():
        last: dict[str, TrueRun] = {}
        for run in runs:
            for name in run.looks:
                before = last.get(name)
                if before and not run.exported:
                    for batch in month.lake[name].batches:
                        near = (
                            batch.ended_at
                            and run.run.ended_at
                            and batch.ended_at < run.run.ended_at + 6 * HOUR
                        )
                        if near and batch.ended_at and batch.ended_at > before.run.started_at:
                            yield before, run, batch
                last[name] = run
