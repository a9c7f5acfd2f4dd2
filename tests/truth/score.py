"""What a row of checks got wrong: what went bad and was told by none, what was told and is not so, or twice.

A finding that nobody could call right or wrong counts as neither; ``_is_right`` says which those are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.truth.checks import Checked, Told
from tests.truth.world import LACKING, Export, Run, Tick

LATE = timedelta(minutes=150)
ENDS_SOON = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Each mistake as a sentence that says what happened and what was told.

    :param ticks: how many the schedules owed, and ``bad`` how many ticks and runs there were to tell.
    """

    history: str
    ticks: int
    bad: int
    silent: list[str]
    false: list[str]
    twice: list[str]
    checks: int
    requests: int
    seconds: float

    @property
    def mistakes(self) -> list[str]:
        kinds = {"silent": self.silent, "false": self.false, "twice": self.twice}
        return [f"{kind}: {each}" for kind, found in kinds.items() for each in found]

    def __str__(self) -> str:
        return (
            f"{self.history:34} {self.ticks:6,} ticks {self.bad:5} bad {self.checks:5} checks "
            f"{len(self.silent):5} silent {len(self.false):5} false {len(self.twice):5} twice "
            f"{self.requests:7,} requests {self.seconds:6.1f} s"
        )


def score(checked: Checked) -> Score:
    truth = _Truth(checked)
    alarms = [told for told in checked.told if told.alarms]
    # The first check ever alerts on what it finds standing, and any check on what is listed too late for it.
    alerted = [
        told for told in alarms if told.new or told.said_at == checked.first or not checked.world.within_lag
    ]
    named = {run_id for told in alerted for run_id in told.run_ids}
    lacking = {(told.dataflow_id, told.tick, told.kind) for told in alerted}
    bad, silent = 0, []
    for export, tick, run in truth.bad():
        bad += 1
        if run and run.id not in named:
            silent.append(
                f"{export.id}: run {run.id} is {' and '.join(sorted(run.wrong))}; {_around(export, run)}"
            )
        if tick and (export.id, tick.at, tick.fate) not in lacking:
            silent.append(f"{export.id}: {_line(tick)} is {tick.fate}; {_ticks_around(export, tick.at)}")
    false: dict[tuple[str, str], str] = {}
    for told in alarms:
        if truth.is_right(told) is False:
            false.setdefault((told.dataflow_id, told.key), f"{_told(told)}; {truth.around(told)}")
    return Score(
        history=checked.world.name,
        ticks=len(checked.world.ticks),
        bad=bad,
        silent=silent,
        false=list(false.values()),
        twice=list(_twice([told for told in checked.told if told.new and checked.world.within_lag])),
        checks=checked.checks,
        requests=checked.requests,
        seconds=checked.seconds,
    )


def _twice(told: list[Told]) -> Iterator[str]:
    """What was told as new more than once: the same key, or the same kind of the same run or tick."""
    alike: dict[tuple[object, ...], list[Told]] = {}
    for each in told:
        names: set[tuple[object, ...]] = {
            ("key", each.key),
            *(("run", run_id, each.kind) for run_id in each.run_ids),
        }
        if not each.run_ids and each.tick:
            names.add(("tick", each.tick, each.kind))
        for name in names:
            alike.setdefault((each.dataflow_id, *name), []).append(each)
    lines = (" / ".join(map(_told, same)) for same in alike.values() if len(same) > 1)
    yield from dict.fromkeys(lines)


class _Truth:
    """What really happened, by run and by tick."""

    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        self.exports = {export.id: export for export in checked.world.exports}
        self.runs = {run.id: run for export in self.exports.values() for run in export.runs}
        self.ticks = {(export.id, tick.at): tick for export in self.exports.values() for tick in export.ticks}
        self.tick_of = {run.id: tick for tick in self.ticks.values() for run in tick.runs}

    def bad(self) -> Iterator[tuple[Export, Tick | None, Run | None]]:
        """All that has to be told: each tick that lacks a run, and each run that went bad."""
        for export in self.exports.values():
            for tick in export.ticks:
                if tick.fate in LACKING and tick.at >= self.checked.since:
                    yield export, tick, None
            for run in export.runs:
                # What hangs since before the first check is told as standing; what ended then is history.
                if run.wrong and (run.started_at >= self.checked.since or run.ended_at is None):
                    yield export, None, run

    def is_right(self, told: Told) -> bool | None:
        """Whether a finding is so; ``None`` where nobody can say."""
        export = self.exports[told.dataflow_id]
        tick = self.ticks.get((told.dataflow_id, told.tick)) if told.tick else None
        runs = [self.runs[run_id] for run_id in told.run_ids if run_id in self.runs]
        if told.kind in ("failed", "zero_records", "stuck"):
            return any(told.kind in run.wrong for run in runs)
        if told.kind == "incomplete" and told.tick and told.tick < export.learnt_at:
            return None
        if told.kind in LACKING:
            return tick is not None and tick.fate == told.kind
        if told.kind == "late":
            if any(self._stands_in(run, export) for run in runs):
                return None  # somebody ran it by hand where the run of the tick never came
            return any(
                run.id in self.tick_of and run.started_at - self.tick_of[run.id].at > LATE for run in runs
            )
        if told.kind == "doubled":
            near = [
                run for run in export.ad_hoc if told.tick and told.tick <= run.started_at <= told.tick + LATE
            ]
            return None if near else False
        return self._is_so(told.kind, export, told.said_at)

    def _stands_in(self, run: Run, export: Export) -> bool:
        before = [tick for tick in export.ticks if tick.at <= run.started_at]
        return run in export.ad_hoc and bool(before) and before[-1].fate in LACKING

    @staticmethod
    def _is_so(kind: str, export: Export, now: datetime) -> bool:
        document = export.document_at(now)
        if document is None:
            return False
        left: float = document["scheduleParams"]["endTime"] - now.timestamp()
        if kind == "disabled":
            return bool(document["state"] != "enabled")
        if kind == "ended":
            return left <= 0
        return kind == "ends_soon" and left <= ENDS_SOON.total_seconds()

    def around(self, told: Told) -> str:
        export = self.exports[told.dataflow_id]
        run = next((self.runs[run_id] for run_id in told.run_ids if run_id in self.runs), None)
        moment = told.tick or (run.started_at if run else None)
        return _ticks_around(export, moment) if moment else f"{export.document_at(told.said_at)}"


def _told(told: Told) -> str:
    tick = f" for the tick of {told.tick:%d %H:%M}" if told.tick else ""
    standing = "" if told.new else " (standing)"
    return (
        f"{told.dataflow_id}: told at {told.said_at:%d %H:%M}{standing}: {told.kind}{tick} "
        f"{list(told.run_ids)} {told.sentence!r}"
    )


def _around(export: Export, run: Run) -> str:
    return f"{_run(run)}; {_ticks_around(export, run.started_at)}"


def _ticks_around(export: Export, moment: datetime) -> str:
    near = sorted(export.ticks, key=lambda tick: abs(tick.at - moment))[:5]
    told = ", ".join(map(_line, sorted(near, key=lambda tick: tick.at)))
    step = max((tick.step for tick in near), default=timedelta(days=1))
    by_hand = [run for run in export.ad_hoc if abs(run.started_at - moment) < 2 * step]
    return f"true: {told}" + "".join(f", by hand {_run(run)}" for run in by_hand)


def _line(tick: Tick) -> str:
    return f"{tick.at:%d %H:%M} {tick.fate} [{' '.join(map(_run, tick.runs))}]"


def _run(run: Run) -> str:
    wrong = "".join(f" {each}" for each in sorted(run.wrong))
    return f"{run.started_at:%H:%M:%S}-{run.ended_at.strftime('%H:%M:%S') if run.ended_at else '...'}{wrong}"
