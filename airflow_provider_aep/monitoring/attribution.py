"""Which run was for which tick. A run does not say so; it follows from its start and the ticks around it.

A run belongs to the last tick before its start. If that tick already has its runs, the nearest earlier tick
that still lacks one gets a run, and the runs in between move up in order: a late run may start after the next
tick. A run is one too many only if none of these ticks lacks one.

Events are processed in order of time, and each step uses only what was known by then: the runs that had
started or ended. So the result for a moment is the same whenever it is computed.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from airflow_provider_aep.flowservice.run_record import DataflowRun, RunStatus, each_once
from airflow_provider_aep.monitoring.ticks import Tick

Gap = Literal["missing", "incomplete", "late", "doubled"]
# While the runs per tick are unknown, no number of runs is too many.
_MANY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A gap in a tick, and when it became known.

    :param run: the run that is late.
    :param came: how many runs the tick had by then.
    :param owed: how many it should have.
    :param lacking: the datasets that none of its runs exported, if that is known.
    """

    kind: Gap
    at: datetime
    tick: Tick
    run: DataflowRun | None = None
    came: int = 0
    owed: int = 1
    lacking: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Served:
    """A tick and its runs.

    :param known: whether all its possible runs are known; if not, a lack of runs proves nothing.
    :param runs: in the order in which they started.
    :param tried_again: ids of failed runs that a later one retried.
    :param extra: runs that are too many.
    :param gap: ``missing`` or ``incomplete`` once that is known.
    """

    tick: Tick
    known: bool
    runs: list[DataflowRun] = field(default_factory=list)
    tried_again: set[str] = field(default_factory=set)
    extra: list[DataflowRun] = field(default_factory=list)
    gap: Gap | None = None
    doubled: bool = False

    @property
    def count(self) -> int:
        return len(self.runs) - len(self.tried_again)

    def standing(self) -> list[DataflowRun]:
        """The runs that count: without those that were retried."""
        return [run for run in self.runs if run.id not in self.tried_again]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Which runs belong to which tick.

    :param unowned: runs of no tick: ad hoc, or from before the first one.
    :param events: in the order in which they became known.
    :param least: how many runs a tick owes.
    """

    served: Sequence[Served]
    unowned: Sequence[DataflowRun]
    events: Sequence[Event]
    least: int = 1


def in_order(runs: Iterable[DataflowRun]) -> list[DataflowRun]:
    """Each run once, in the order in which they started; without a start they come last."""
    once = each_once(runs)
    dated = sorted((run for run in once if run.started_at), key=lambda run: (run.started_at, run.id))
    return dated + sorted((run for run in once if not run.started_at), key=lambda run: run.id)


def attribute(
    ticks: Sequence[Tick],
    runs: Iterable[DataflowRun],
    *,
    now: datetime,
    known_from: datetime,
    owed_until: datetime | None = None,
    datasets: Sequence[str] | None = None,
    runs_per_tick: int | None = None,
) -> Attribution:
    """Assign the runs of a dataflow to its ticks.

    :param ticks: in order, without a gap, up to ``now``.
    :param known_from: all runs that started later are in ``runs``.
    :param owed_until: ticks from here on owe no run.
    :param datasets: the datasets that the dataflow exports; ``None`` if they are not known.
    :param runs_per_tick: how many runs a tick makes; ``None`` if that is not known.
    """
    names = None if datasets is None else tuple(dict.fromkeys(datasets))
    return _Attributing(ticks, now, known_from, owed_until, names, runs_per_tick).carry_out(in_order(runs))


# The order of events at the same moment: a run that starts just in time meets the deadline.
_START, _END, _DEADLINE = range(3)


class _Attributing:
    def __init__(
        self,
        ticks: Sequence[Tick],
        now: datetime,
        known_from: datetime,
        owed_until: datetime | None,
        datasets: Sequence[str] | None,
        runs_per_tick: int | None,
    ) -> None:
        self._ticks = ticks
        self._opens = [tick.opens for tick in ticks]
        self._now = now
        self._datasets = datasets
        self._least = runs_per_tick or 1
        self._most = runs_per_tick or len(datasets or ()) or _MANY
        self._served = [
            Served(
                tick=tick,
                known=tick.opens >= known_from and (owed_until is None or tick.at < owed_until),
            )
            for tick in ticks
        ]
        self._unowned: list[DataflowRun] = []
        self._events: list[Event] = []
        self._queue: list[tuple[datetime, int, int, DataflowRun | None]] = []

    def carry_out(self, runs: Sequence[DataflowRun]) -> Attribution:
        queue: list[tuple[datetime, int, int, DataflowRun | None]] = []
        for order, run in enumerate(runs):
            if run.started_at is None or run.started_at > self._now:
                self._unowned.append(run)
            else:
                queue.append((run.started_at, _START, order, run))
        queue += [(tick.deadline, _DEADLINE, at, None) for at, tick in enumerate(self._ticks)]
        self._queue = [event for event in queue if event[0] <= self._now]
        heapq.heapify(self._queue)
        while self._queue:
            moment, kind, order, started = heapq.heappop(self._queue)
            if kind == _START and started is not None:
                self._place(started, moment)
            elif kind == _END:
                self._compare(order, moment)
            else:
                self._pass_deadline(order, moment)
        return Attribution(served=self._served, unowned=self._unowned, events=self._events, least=self._least)

    def _place(self, run: DataflowRun, moment: datetime) -> None:
        at = bisect_right(self._opens, moment) - 1
        if at < 0:
            self._unowned.append(run)
            return
        served = self._served[at]
        least, most = self._least, self._most
        repeated = self._name(run) is not None and self._name(run) in self._names(served)
        in_time = moment <= served.tick.deadline
        if not repeated and (served.count < least or (served.count < most and in_time)):
            self._give(run, at, moment)
        elif (earlier := self._lacking_before(at, run, moment, reported=False)) is not None:
            self._move_up(earlier, at, run, moment)
        elif (again := self._failed_before(at, run, moment)) is not None:
            where, failed = again
            where.tried_again.add(failed.id)
            where.runs.append(run)
        elif (earlier := self._lacking_before(at, run, moment, reported=True)) is not None:
            self._come_after_all(earlier, at, run, moment)
        elif not in_time:
            self._unowned.append(run)  # later than any run of this tick could be: ad hoc
        else:
            served.extra.append(run)
            # From the first extra run on, the ends of the other runs matter.
            for ending in (run,) if len(served.extra) > 1 else (*served.runs, run):
                if ending.delivered and ending.ended_at is not None and ending.ended_at <= self._now:
                    heapq.heappush(self._queue, (max(ending.ended_at, moment), _END, at, None))

    def _give(self, run: DataflowRun, at: int, moment: datetime) -> None:
        """Give a tick a run because of its start."""
        served = self._served[at]
        served.runs.append(run)
        if run.started_at and run.started_at > served.tick.deadline:
            self._events.append(Event(kind="late", at=moment, tick=served.tick, run=run))

    def _lacking_before(self, at: int, run: DataflowRun, moment: datetime, *, reported: bool) -> int | None:
        """The nearest earlier tick that lacks a run such as this one.

        :param reported: whether an event has said so.
        """
        name = self._name(run)
        # A run that names no dataset may belong to any tick.
        nameless = any(self._name(own) is None for own in self._served[at].standing())
        for earlier in range(at - 1, -1, -1):
            served = self._served[earlier]
            if served.tick.given_up < moment:
                return None
            if (
                served.known
                and (served.gap is not None) is reported
                and served.count < self._most
                and (name is None or nameless or name not in self._names(served))
            ):
                return earlier
        return None

    def _move_up(self, earlier: int, at: int, run: DataflowRun, moment: datetime) -> None:
        """Give a tick a run; each tick back to the earlier one passes its first run to the tick before it."""
        self._served[at].runs.append(run)
        name = self._name_for(run, earlier)
        for place in range(at, earlier, -1):
            moved = self._first_like(self._served[place], name)
            self._served[place].runs.remove(moved)
            if not self._served[place - 1].known and place - 1 > earlier:
                self._served[earlier].runs.append(moved)
                return
            self._served[place - 1].runs.append(moved)

    def _come_after_all(self, earlier: int, at: int, run: DataflowRun, moment: datetime) -> None:
        """Give a tick a run, and its first run to an earlier tick that was already reported to lack one."""
        self._served[at].runs.append(run)
        moved = self._first_like(self._served[at], self._name_for(run, earlier))
        self._served[at].runs.remove(moved)
        self._give(moved, earlier, moment)

    def _name_for(self, run: DataflowRun, earlier: int) -> str | None:
        """The dataset that an earlier tick gets, if that is known: the run's own, or the one it lacks."""
        name, names = self._name(run), self._names(self._served[earlier])
        if name is not None and name not in names:
            return name
        lacking = [dataset for dataset in self._datasets or () if dataset not in names]
        return lacking[0] if len(lacking) == 1 and self._least > 1 else None

    def _first_like(self, served: Served, name: str | None) -> DataflowRun:
        """The first run of a tick that exported a dataset, or may have."""
        alike = [run for run in served.standing() if self._name(run) in (None, name)]
        return min(alike or served.standing(), key=lambda run: (str(run.started_at), run.id))

    def _failed_before(
        self, at: int, run: DataflowRun, moment: datetime
    ) -> tuple[Served, DataflowRun] | None:
        """The nearest run that had failed by now, and that this one may retry."""
        for earlier in range(at, -1, -1):
            served = self._served[earlier]
            if served.tick.given_up < moment:
                return None
            for other in served.standing():
                had_failed = other.status is RunStatus.FAILED and (other.ended_at or moment) <= moment
                same = None in (self._name(other), self._name(run)) or self._name(other) == self._name(run)
                if had_failed and same:
                    return served, other
        return None

    def _compare(self, at: int, moment: datetime) -> None:
        """Report a tick for which more runs have delivered by now than it owes."""
        served = self._served[at]
        if served.doubled:
            return
        done = [
            run
            for run in (*served.standing(), *served.extra)
            if run.delivered and run.ended_at is not None and run.ended_at <= moment
        ]
        extra = {run.id for run in served.extra}
        names = Counter(self._name(run) for run in done)
        twice = any(
            names[self._name(run)] > 1 if self._name(run) else len(done) > self._most
            for run in done
            if run.id in extra
        )
        if twice:
            served.doubled = True
            self._events.append(
                Event(
                    kind="doubled",
                    at=moment,
                    tick=served.tick,
                    came=len(done),
                    owed=self._most,
                    lacking=tuple(name for name, count in names.items() if name and count > 1),
                )
            )

    def _pass_deadline(self, at: int, moment: datetime) -> None:
        served = self._served[at]
        if not served.known or served.gap or served.count >= self._least:
            return
        # A run that started after the next tick may still turn out to belong to this one.
        settled = served.tick.settled
        if moment < settled and self._came_later(at, moment):
            if settled <= self._now:
                heapq.heappush(self._queue, (settled, _DEADLINE, at, None))
            return
        names = self._names(served)
        lacking: tuple[str, ...] = ()
        if self._datasets and len(names) == served.count:
            lacking = tuple(name for name in self._datasets if name not in names)
        served.gap = "incomplete" if served.count else "missing"
        self._events.append(
            Event(
                kind=served.gap,
                at=moment,
                tick=served.tick,
                came=served.count,
                owed=self._least,
                lacking=lacking if served.count else (),
            )
        )

    def _came_later(self, at: int, moment: datetime) -> bool:
        """Whether a tick after this one has had a run by now."""
        return any(self._served[later].runs for later in range(at + 1, bisect_right(self._opens, moment)))

    def _name(self, run: DataflowRun) -> str | None:
        """The dataset of a run that exported one of several."""
        names_one = len(run.dataset_ids) == 1 and (self._datasets is None or len(self._datasets) > 1)
        return run.dataset_ids[0] if names_one else None

    def _names(self, served: Served) -> set[str]:
        return {name for run in served.standing() if (name := self._name(run))}
