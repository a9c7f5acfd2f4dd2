"""What did not happen: the ticks that a schedule owes against the runs that there are.

A run belongs to the last tick before its start. Nothing on a run says which tick it is for, so that of an ad
hoc export counts for the tick before it.

Sources: "Destinations guardrails" and "Alert rules" (a run is late after 150 minutes); read 2026-11.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from airflow_provider_aep.flowservice.runs import DataflowRun, RunStatus

Kind = Literal["met", "late", "missing", "doubled", "pending", "running"]
KINDS: tuple[Kind, ...] = get_args(Kind)
GAPS: tuple[Kind, ...] = ("missing", "late", "doubled")

# Adobe's own alert on delays.
LATE = timedelta(minutes=150)
# A run may seem to start before its tick: clocks differ by minutes.
SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One tick of a schedule, and what became of it.

    :param kind: ``met``, ``running``, ``pending`` (no run yet, and not late), ``missing``, ``late`` or
        ``doubled``; of a tick that is both of the last two, ``doubled``.
    :param told: the same in one sentence.
    :param runs: those that belong to it, oldest first.
    """

    at: datetime
    kind: Kind
    told: str
    runs: tuple[DataflowRun, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "tick": self.at.isoformat(),
            "kind": self.kind,
            "told": self.told,
            "run_ids": [run.id for run in self.runs],
        }


def judge_ticks(
    ticks: Sequence[datetime], runs: Sequence[DataflowRun], *, until: datetime, now: datetime
) -> list[Tick]:
    """What became of each tick before ``until``.

    :param ticks: in order, up to ``now``: runs of ticks from ``until`` on must not count for the one before.
    :param runs: in any order; those from before the first tick are left out.
    """
    by_tick: dict[datetime, list[DataflowRun]] = {tick: [] for tick in ticks}
    for run in sorted(runs, key=lambda run: (str(run.started_at), run.id)):
        if run.started_at is not None and (at := bisect_right(ticks, run.started_at + SKEW)):
            by_tick[ticks[at - 1]].append(run)
    usual = min((len(delivered) for some in by_tick.values() if (delivered := _not_failed(some))), default=1)
    return [_judge(tick, tuple(some), usual, now) for tick, some in by_tick.items() if tick < until]


def _judge(tick: datetime, runs: tuple[DataflowRun, ...], usual: int, now: datetime) -> Tick:
    when = f"{tick:%Y-%m-%d %H:%M} UTC"
    kind: Kind
    if not runs:
        kind = "missing" if now > tick + LATE else "pending"
        since = _minutes(now - tick)
        told = f"no run {since} after the tick of {when}" if now > tick else f"the tick of {when} is to come"
        return Tick(at=tick, kind=kind, told=told, runs=())
    delay = (runs[0].started_at or tick) - tick
    # A failed run that was tried again exported nothing twice.
    if twice := _exported_twice(_not_failed(runs), usual):
        kind, told = "doubled", f"{len(runs)} runs for the tick of {when}, {twice}"
    elif delay > LATE:
        kind, told = "late", f"the run for the tick of {when} started {_minutes(delay)} after it"
    elif any(not run.finished for run in runs):
        kind, told = "running", f"the run for the tick of {when} is under way"
    else:
        kind, told = "met", f"the tick of {when} was met"
    return Tick(at=tick, kind=kind, told=told, runs=runs)


def _not_failed(runs: Sequence[DataflowRun]) -> list[DataflowRun]:
    return [run for run in runs if run.status is not RunStatus.FAILED]


def _exported_twice(runs: Sequence[DataflowRun], usual: int) -> str:
    """What makes some runs too many for one tick; empty where they are not.

    It is not documented whether a tick makes one run, or one for each dataset.
    """
    if runs and all(run.dataset_ids for run in runs):
        counts = Counter(dataset for run in runs for dataset in run.dataset_ids)
        dataset, count = counts.most_common(1)[0]
        return f"dataset {dataset} in {count} of them" if count > 1 else ""
    return f"and {usual} for another tick" if len(runs) > usual else ""


def _minutes(span: timedelta) -> str:
    return f"{max(span, timedelta()).total_seconds() / 60:,.0f} minutes"


def gaps_of(ticks: Sequence[Tick]) -> list[Tick]:
    """Those that are missing, late or doubled."""
    return [tick for tick in ticks if tick.kind in GAPS]


def count_kinds(ticks: Sequence[Tick]) -> Mapping[str, int]:
    """How many ticks of each kind."""
    counts = Counter(tick.kind for tick in ticks)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}
