"""How many runs a tick makes: one for all datasets, or one for each. Neither is documented."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_aep.flowservice.run_record import DataflowRun, RunStatus
from airflow_provider_aep.monitoring.ticks import Tick

# How many ticks are used to learn the runs per tick, and the least that suffice.
LEARNT_FROM = 4
LEAST_LEARNT = 2
# The share of the ticks that must agree for the result to be remembered.
CLEARLY = 0.75


@dataclass(frozen=True, slots=True)
class Learnt:
    """How many runs a tick makes.

    :param is_clear: whether enough ticks agree to remember it.
    """

    runs: int
    is_clear: bool


def learn_runs_per_tick(
    ticks: Sequence[Tick],
    runs: Sequence[DataflowRun],
    *,
    now: datetime,
    known_from: datetime,
    datasets: Sequence[str] | None,
) -> Learnt | None:
    """How many runs a tick makes; ``None`` if that is unclear.

    It follows from the datasets that runs name, or from the number of runs on most ticks.

    :param runs: in the order in which they started.
    """
    if datasets is not None and len(datasets) == 1:
        return Learnt(1, is_clear=True)
    opens = [tick.opens for tick in ticks]
    came: dict[int, list[DataflowRun]] = {}
    for run in runs:
        at = bisect_right(opens, run.started_at) - 1 if run.started_at else -1
        # A run that starts later than any run of its tick could is ad hoc.
        if at >= 0 and run.started_at and run.started_at <= ticks[at].deadline:
            came.setdefault(at, []).append(run)
    named = [run.dataset_ids for of_tick in came.values() for run in of_tick if run.dataset_ids]
    single = {ids[0] for ids in named if len(ids) == 1}
    if sum(len(ids) > 1 for ids in named) * 2 > len(named):
        return Learnt(1, is_clear=True)
    if len(single) > 1:
        return Learnt(len(datasets or single), is_clear=True)
    counts = Counter(
        _without_retries(of_tick)
        for at, of_tick in came.items()
        if ticks[at].opens >= known_from and ticks[at].deadline <= now
    )
    total = counts.total()
    if total < LEAST_LEARNT:
        return None
    if datasets is None:
        runs_per_tick, so_many = max(counts.items(), key=lambda item: (item[1], item[0]))
    elif 2 * counts[1] == total:
        return None
    else:
        several = total - counts[1]
        runs_per_tick, so_many = (1, counts[1]) if counts[1] > several else (len(datasets), several)
    return Learnt(runs_per_tick, is_clear=total >= LEARNT_FROM and so_many >= CLEARLY * total)


def _without_retries(runs: Sequence[DataflowRun]) -> int:
    """How many runs a tick had; a failed run and its retry count as one."""
    again = sum(
        run.status is RunStatus.FAILED
        and any(later.started_at and run.ended_at and later.started_at >= run.ended_at for later in runs)
        for run in runs
    )
    return max(len(runs) - again, 1)


def remember(learnt: Learnt | None, before: int | None) -> int | None:
    """How many runs a tick makes, from what was learnt now and before.

    The number may only rise: a dataset that is missing for long does not change it.
    """
    if before is None:
        return learnt.runs if learnt else None
    return max(before, learnt.runs) if learnt and learnt.is_clear else before
