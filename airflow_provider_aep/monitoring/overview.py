"""The exports of a sandbox as a page shows them: for each its last ticks, and what became of them.

The first look reads as far back as the ticks go; each later one only what is new, or was under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.dataflows import Dataflow, list_dataflows
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.expiry import expiry_of
from airflow_provider_aep.flowservice.runs import DataflowRun
from airflow_provider_aep.flowservice.schedule import step_of
from airflow_provider_aep.monitoring.gaps import SKEW, Tick, judge_ticks
from airflow_provider_aep.monitoring.verdict import RunPolicy, Verdict, judge_runs
from airflow_provider_aep.monitoring.watch import Wait, look_for_many

TICKS = 30
# Of a dataflow whose schedule has no steps, or very long ones.
FURTHEST_BACK = timedelta(days=45)
# Runs turn up in the listing a little late, and clocks differ.
OVERLAP = timedelta(minutes=30)

# What became of a tick, from the status of the verdict on its runs.
KINDS: Mapping[str, str] = {
    "success": "good",
    "zero_records": "empty",
    "partial": "partial",
    "low_records": "low",
    "slow": "slow",
    "failed": "failed",
    "unknown": "failed",
}
_AS_USUAL = RunPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One tick of a schedule; of a dataflow without steps, one run.

    :param kind: ``good``, ``empty``, ``partial``, ``low``, ``slow``, ``failed``, ``late``, ``missing``,
        ``doubled``, ``running`` or ``waiting`` (no run yet, and not late).
    """

    at: datetime
    kind: str
    records: int | None
    tick: Tick
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overviewed:
    """One export.

    :param runs: newest first, without the documents that they came in.
    :param cells: its last ticks, oldest first.
    :param warnings: what is or will be wrong with the dataflow itself.
    :param read_at: up to when its runs are known; ``None`` where they were never read.
    """

    flow: Dataflow
    runs: tuple[DataflowRun, ...]
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...]
    read_at: datetime | None

    @property
    def last(self) -> Cell | None:
        """The last tick whose runs have finished."""
        return next((cell for cell in reversed(self.cells) if cell.verdict), None)

    @property
    def decided(self) -> Cell | None:
        """The last tick of which it is known what became of it."""
        over = (cell for cell in reversed(self.cells) if cell.kind not in ("running", "waiting"))
        return next(over, None)

    @property
    def outcome(self) -> str:
        """``fail``, ``warn`` or ``ok``, or ``none`` where nothing is known yet."""
        decided = self.decided
        if decided is None:
            return "warn" if self.warnings else "none"
        if decided.kind in ("missing", "failed"):
            return "fail"
        bad = decided.kind != "good" or self.warnings
        return "warn" if bad else "ok"


def read_overview(
    *, now: datetime, known: Mapping[str, Overviewed] | None = None
) -> Exchange[list[Overviewed]]:
    """The export dataflows of the sandbox, by name, with their last ticks.

    :param known: what was seen before, by dataflow id.
    :raises AepError: the dataflows cannot be listed. Runs that cannot be read are a warning of the export.
    """
    known = known or {}
    flows = yield from list_dataflows()
    # Together those that are read back equally far: a request reads as far as the one that needs most.
    flows.sort(key=lambda flow: (_unread_from(flow, known.get(flow.id), now), flow.id))
    waits = [
        Wait(dataflow_id=flow.id, started_after=_unread_from(flow, known.get(flow.id), now), whole=True)
        for flow in flows
    ]
    look = yield from look_for_many(waits, now=now)
    found = []
    for flow, seen in zip(flows, look.seen, strict=True):
        before = known.get(flow.id)
        runs = before.runs if before else ()
        read_at = before.read_at if before else None
        unread = str(seen) if isinstance(seen, AepError) else "" if seen.answered else seen.told
        if not isinstance(seen, AepError) and seen.answered:
            runs, read_at = _merged(runs, seen.runs, since=_reach(flow, now)), now
        found.append(_overviewed(flow, runs, now=now, read_at=read_at, unread=unread))
    return sorted(found, key=lambda one: (one.flow.name.casefold(), one.flow.id))


def _reach(flow: Dataflow, now: datetime) -> datetime:
    """Since when the ticks of an export are shown."""
    step = timedelta(seconds=step_of(flow.schedule) or 0)
    return now - (min(step * TICKS, FURTHEST_BACK) if step else FURTHEST_BACK)


def _unread_from(flow: Dataflow, before: Overviewed | None, now: datetime) -> datetime:
    reach = _reach(flow, now) - SKEW
    if before is None or before.read_at is None:
        return reach
    under_way = [run.started_at for run in before.runs if not run.finished and run.started_at]
    return max(reach, min([before.read_at - OVERLAP, *under_way]))


def _merged(
    earlier: Sequence[DataflowRun], seen: Sequence[DataflowRun], *, since: datetime
) -> tuple[DataflowRun, ...]:
    runs = {run.id: run for run in earlier} | {run.id: replace(run, raw={}) for run in seen}
    shown = [run for run in runs.values() if run.started_at is None or run.started_at >= since - SKEW]
    return tuple(sorted(shown, key=lambda run: (str(run.started_at), run.id), reverse=True))


def _overviewed(
    flow: Dataflow, runs: tuple[DataflowRun, ...], *, now: datetime, read_at: datetime | None, unread: str
) -> Overviewed:
    warnings = [f"its runs could not be read: {unread}"] if unread else []
    if flow.state != "enabled":
        warnings.append(f"it is {flow.state} and exports nothing until it is enabled")
    if expiry := expiry_of(flow.schedule, now=now):
        warnings.append(f"its schedule {expiry.words}")
    # Of runs that were never read nobody knows whether they are missing.
    cells = _cells(flow, runs, now) if read_at else ()
    return Overviewed(flow=flow, runs=runs, cells=cells, warnings=tuple(warnings), read_at=read_at)


def _cells(flow: Dataflow, runs: Sequence[DataflowRun], now: datetime) -> tuple[Cell, ...]:
    owed = flow.ticks(_reach(flow, now), now) if step_of(flow.schedule) else []
    if owed:
        ticks = judge_ticks(owed, runs, until=now, now=now)
    else:
        ticks = [
            Tick(at=run.started_at or now, kind="met" if run.finished else "running", told="", runs=(run,))
            for run in reversed(runs)
        ]
    if flow.state != "enabled":
        # Nobody knows since when: what is missing may not have been owed.
        ticks = [tick for tick in ticks if tick.kind not in ("missing", "pending")]
    return tuple(map(_cell, ticks[-TICKS:]))


def _cell(tick: Tick) -> Cell:
    over = bool(tick.runs) and all(run.finished for run in tick.runs)
    verdict = judge_runs(tick.runs, _AS_USUAL) if over else None
    kind: str = {"pending": "waiting", "met": "running"}.get(tick.kind, tick.kind)
    if verdict and (tick.kind in ("met", "running") or verdict.status != "success"):
        # What a late or doubled run brought matters more than when it came.
        kind = KINDS.get(verdict.status, "failed")
    return Cell(
        at=tick.at,
        kind=kind,
        records=verdict.records_out if verdict else None,
        tick=tick,
        verdict=verdict,
    )


def usual_range(values: Sequence[float]) -> dict[str, Any] | None:
    """What is usual of a number: ``low``, ``median`` and ``high``, the middle four fifths of those seen.

    :return: ``None`` for fewer than five, of which nothing is concluded.
    """
    if len(values) < 5:
        return None
    ranked = sorted(values)
    at = [round(share * (len(ranked) - 1)) for share in (0.1, 0.5, 0.9)]
    return dict(zip(("low", "median", "high"), (ranked[place] for place in at), strict=True))
