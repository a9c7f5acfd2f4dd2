"""Making one export: when its ticks are, which go wrong, and what the service shows of it all.

Whatever goes wrong here can be known from what is listed, and early enough for the last check. Where nobody
could tell, the history is made another way, and a comment says why.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID, DESTINATIONS, SPEC_VERSION
from tests.truth.world import HOUR, LACKING, MINUTE, Document, Export, Fate, Run, Tick

# A deadline of 150 minutes, a check every day, the lag, a late start and a long run: after that it is told.
TOLD_WITHIN = timedelta(hours=34)
LISTED_WITHIN = 14  # minutes; the lag of the checks is 15
LEARNT_FROM = 3  # ticks
CATCHING_UP = 6  # ticks in time after a row of late ones
USUAL_RECORDS = 1_000
FULL_EXPORT = 100  # times as many

Minutes = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How an export behaves.

    :param runs_a_tick: one, or one for each of its datasets.
    :param named: its good runs name their datasets; those that fail or are under way never do.
    :param bad: the share of ticks that go wrong, each in one of the ways of ``fates``.
    :param rows: the chance that at a tick a row of five to eight begins that all go wrong in the same way.
    :param late: the share of runs that start ``late_by`` minutes after their tick, in place of ``starts``.
    :param streaks: the chance that at a tick a row of late runs begins.
    :param takes: minutes from start to end; ``first_takes`` are those of the first, full export.
    :param hangs: after how long a run that hangs fails at last; by default it never ends.
    :param listed_late: the share of ends that are listed ``late_listing`` minutes after they happened.
    :param ad_hoc: the chance that somebody runs it between two ticks that are 12 hours apart or more.
    :param skew: how far the clock that stamps runs is ahead of ours, and of the clock that makes ticks.
    """

    every: int  # hours
    datasets: int = 1
    runs_a_tick: int = 1
    named: bool = True
    bad: float = 0.12
    fates: tuple[Fate, ...] = ("failed", "zero_records", "missing", "stuck", "incomplete")
    rows: float = 0.0
    starts: Minutes = (-2, 12)
    late: float = 0.1
    late_by: Minutes = (20, 140)
    streaks: float = 0.0
    takes: Minutes = (3, 40)
    first_takes: Minutes | None = None
    first_is_good: bool = False
    hangs: timedelta | None = None
    listed_late: float = 0.0
    late_listing: Minutes = (20, 90)
    ad_hoc: float = 0.0
    skew: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody did to a dataflow; its ``updatedAt`` moves."""

    at: datetime
    state: str | None = None
    every: int | None = None
    deleted: bool = False


@dataclass(slots=True, kw_only=True)
class Maker:
    """Makes one export.

    :param created: when the dataflow was made; ``start`` and ``end`` are those of its schedule.
    :param until: when the world ends.
    """

    rng: random.Random
    id: str
    habits: Habits
    created: datetime
    start: datetime
    until: datetime
    end: datetime
    changes: Sequence[Change] = ()
    full: set[str] = field(default_factory=set)
    row: list[Fate] = field(default_factory=list)

    def make(self) -> Export:
        owed = list(self._owed())
        delays = self._delays(owed)
        ticks: list[Tick] = []
        for (at, step), delay in zip(owed, delays, strict=True):
            fate = self._fate(at, step, delays, ticks, owed)
            runs = tuple(self._runs(at, fate, delay, first=not any(tick.runs for tick in ticks)))
            ticks.append(Tick(at=at, step=step, fate=fate, runs=runs))
        return Export(
            id=self.id,
            versions=tuple(self._versions()),
            source_connection=self._source_connection(),
            ticks=tuple(ticks),
            ad_hoc=tuple(self._ad_hoc(ticks)),
            learnt_at=self._learnt_at(ticks),
        )

    def _learnt_at(self, ticks: Sequence[Tick]) -> datetime:
        # One run for several datasets, and none of them named: at first it looks as if some were lacking.
        if self.habits.named or self.habits.datasets == self.habits.runs_a_tick:
            return self.start
        good = [tick.at for tick in ticks if tick.fate == "good"]
        return good[LEARNT_FROM] if len(good) > LEARNT_FROM else self.until

    def _owed(self) -> Iterator[tuple[datetime, timedelta]]:
        """The ticks of every stretch between two changes, in which the dataflow is enabled."""
        since, state, every = self.created, "enabled", self.habits.every
        for change in (*self.changes, Change(at=self.until)):
            step = every * HOUR
            tick = self.start + max(0, -((self.start - since) // step)) * step
            while state == "enabled" and tick < min(change.at, self.end, self.until):
                yield tick, step
                tick += step
            since, state, every = change.at, change.state or state, change.every or every
            if change.deleted:
                return

    def _delays(self, owed: Sequence[tuple[datetime, timedelta]]) -> list[tuple[timedelta, ...]]:
        """Of each tick, how long after it its runs start."""
        habits, found, row = self.habits, [], -CATCHING_UP
        pauses = [change.at for change in self.changes if change.state == "disabled"]
        unsure = not self.habits.named and self.habits.datasets > 1
        for at, _ in owed:
            if row == -CATCHING_UP and self.rng.random() < habits.streaks:
                row = self.rng.randint(3, 5)
            # A dataflow that is paused before its run starts has none, and nobody would know why.
            in_time = any(at <= pause < at + 150 * MINUTE for pause in pauses)
            # Nor could anybody tell runs that are an hour late for ever from one tick that was left out.
            in_time = in_time or -CATCHING_UP < row <= 0
            # While it is not known how many runs a tick makes, two runs in an hour may be those of one tick.
            in_time = in_time or (unsure and len(found) < LEARNT_FROM + 1)
            late = not in_time and (row > 0 or self.rng.random() < habits.late)
            row = max(-CATCHING_UP, row - 1)
            span = habits.late_by if late else habits.starts
            delays = [self._minutes(span) + habits.skew for _ in range(habits.runs_a_tick)]
            # Now and then the runs of two datasets start in the same millisecond.
            found.append(tuple(delays[:1] * len(delays) if self.rng.random() < 0.3 else delays))
        return found

    def _fate(
        self,
        at: datetime,
        step: timedelta,
        delays: Sequence[tuple[timedelta, ...]],
        before: Sequence[Tick],
        owed: Sequence[tuple[datetime, timedelta]],
    ) -> Fate:
        first = not before
        if self.habits.rows and not self.row and self.rng.random() < self.habits.rows:
            self.row = [self.habits.fates[0]] * self.rng.randint(5, 8)
        wanted = self.row.pop() if self.row else None
        bad = wanted is not None or self.rng.random() < self.habits.bad
        if not bad or (first and self.habits.first_is_good):
            return "good"
        fates = [fate for fate in self.habits.fates if self._can_be_told(fate, at, step)]
        if self.habits.runs_a_tick == 1:
            fates = [fate for fate in fates if fate != "incomplete"]
        if max(delays[len(before)]) > 15 * MINUTE:
            fates = [fate for fate in fates if fate != "retried"]
        if step == HOUR:
            # Of two ticks an hour apart, one without a run and the other's run more than an hour late,
            # nobody can say which is which. So a late run, or one that was tried again, is never near.
            near = [n for n, (other, _) in enumerate(owed) if abs(other - at) <= 6 * HOUR]
            late = any(delay > 45 * MINUTE for n in near for delay in delays[n])
            nearby = {before[n].fate for n in near if n < len(before)}
            if late or "retried" in nearby:
                fates = [fate for fate in fates if fate not in LACKING]
            if nearby & set(LACKING):
                fates = [fate for fate in fates if fate != "retried"]
            # A run that failed or hangs names no dataset: among late ones nobody can say whose it was.
            if late and self.habits.runs_a_tick > 1:
                fates = [fate for fate in fates if fate not in ("failed", "stuck")]
        if at < self._sure_from(owed):
            fates = [fate for fate in fates if fate != "incomplete"]
        if wanted in fates:
            return wanted
        return self.rng.choice(fates) if fates else "good"

    def _sure_from(self, owed: Sequence[tuple[datetime, timedelta]]) -> datetime:
        # The first ticks tell whether there is one run for all datasets.
        unsure = self.habits.datasets > 1
        return owed[min(LEARNT_FROM, len(owed) - 1)][0] if unsure else self.start

    def _can_be_told(self, fate: Fate, at: datetime, step: timedelta) -> bool:
        """Whether a daily check hears of it before the trace is lost.

        After a change nobody knows what the schedule owed before; after a deletion, nothing at all. A run
        that hangs may be taken for a slow one until the next tick.
        """
        ends = [self.until, *(change.at for change in self.changes if change.deleted or fate in LACKING)]
        slow = step if fate == "stuck" else timedelta()
        return not any(at < end < at + TOLD_WITHIN + slow for end in ends)

    def _runs(self, at: datetime, fate: Fate, delays: Sequence[timedelta], *, first: bool) -> Iterator[Run]:
        if fate == "missing":
            return
        affected = set(range(len(delays)))
        if fate != "good" and len(delays) > 1 and (fate == "incomplete" or self.rng.random() < 0.7):
            affected = {self.rng.randrange(len(delays))}
        for number, delay in enumerate(delays):
            run_id = f"{self.id}.{at:%dT%H%M}.{'ab'[number]}"
            datasets = self._datasets()
            if len(delays) > 1:
                datasets = [datasets[number]]
            happens = fate if number in affected else "good"
            if happens == "incomplete":
                continue
            took = self._minutes((first and self.habits.first_takes) or self.habits.takes)
            run = self._run(run_id, at + delay, took, "failed" if happens == "retried" else happens, datasets)
            yield run
            if happens == "retried" and run.ended_at:
                again = run.ended_at + self._minutes((10, 30))
                took = self._minutes(self.habits.takes)
                ends: Fate = "failed" if self.rng.random() < 0.15 else "good"
                yield self._run(f"{run_id}.again", again, took, ends, datasets)

    def _ad_hoc(self, ticks: Sequence[Tick]) -> Iterator[Run]:
        for tick in ticks:
            if tick.step < 12 * HOUR or self.rng.random() >= self.habits.ad_hoc:
                continue
            # Hours away from the ticks around it.
            at = tick.at + self._minutes((180, tick.step / MINUTE - 60))
            if any(tick.at < change.at <= tick.at + tick.step for change in self.changes) or at > self.until:
                continue
            fates: list[Fate] = ["failed", "zero_records", "stuck"]
            bad = [fate for fate in fates if self._can_be_told(fate, at, tick.step)]
            fate = self.rng.choice(bad) if bad and self.rng.random() < 0.3 else "good"
            run_id = f"{self.id}.{at:%dT%H%M}.adhoc"
            yield self._run(run_id, at, self._minutes(self.habits.takes), fate, self._datasets())

    def _run(
        self, run_id: str, started: datetime, took: timedelta, fate: Fate, datasets: Sequence[str]
    ) -> Run:
        skew = self.habits.skew
        started = started.replace(microsecond=started.microsecond // 1000 * 1000)
        ended: datetime | None = started + took
        wrong = frozenset() if fate == "good" else frozenset({str(fate)})
        if fate == "stuck":
            ended = started + self.habits.hangs if self.habits.hangs else None
            wrong |= {"failed"} if ended else set()
        created = started - self._minutes((0, 0.5))
        listed = started - skew + self._minutes((0, 3))
        shown = self._minutes((0, LISTED_WITHIN + min(skew / MINUTE, 0)))
        if self.habits.listed_late and self.rng.random() < self.habits.listed_late:
            shown = self._minutes(self.habits.late_listing)
        end_listed = max(listed, ended - skew + shown) if ended else None
        frame = {"id": run_id, "flowId": self.id, "createdAt": epoch_ms(created)}
        under_way = {
            **frame,
            "updatedAt": epoch_ms(started),
            "metrics": {
                "durationSummary": {"startedAtUTC": epoch_ms(started)},
                "statusSummary": {"status": "processing", "activityRefs": []},
            },
            "activities": [],
        }
        over = {**frame, "updatedAt": epoch_ms(ended or started), "activities": []}
        durations = {"startedAtUTC": epoch_ms(started), "completedAtUTC": epoch_ms(ended or started)}
        if "failed" in wrong:
            over["metrics"] = {"durationSummary": durations, **failed_metrics()}
        else:
            count = 0 if fate == "zero_records" else round(USUAL_RECORDS * self.rng.uniform(0.8, 1.2))
            whole = frozenset(datasets)
            if fate == "good" and not whole <= self.full:
                self.full |= whole
                count *= FULL_EXPORT if self.habits.first_takes is None else USUAL_RECORDS
            records = record_summary(count, datasets if self.habits.named else ())
            over["metrics"] = {
                "durationSummary": durations,
                "recordSummary": records,
                "statusSummary": {"status": "success"},
            }
        return Run(
            id=run_id,
            dataflow_id=self.id,
            started_at=started,
            ended_at=ended,
            created_at=created,
            listed_at=listed,
            end_listed_at=end_listed,
            wrong=wrong,
            under_way=json.dumps(under_way).encode(),
            over=json.dumps(over).encode(),
        )

    def _datasets(self) -> list[str]:
        return [f"dataset-{'ab'[number]}-of-{self.id}" for number in range(self.habits.datasets)]

    def _source_connection(self) -> Document:
        datasets = [{"dataSetId": each, "name": each.split("-of-")[0]} for each in self._datasets()]
        return {
            "id": f"source-of-{self.id}",
            "name": f"source of {self.id}",
            "createdAt": epoch_ms(self.created),
            "updatedAt": epoch_ms(self.created),
            "connectionSpec": {"id": DATA_LAKE_SPEC_ID, "version": SPEC_VERSION},
            "params": {"datasets": datasets},
        }

    def _versions(self) -> Iterator[tuple[datetime, Document | None]]:
        skew, state, every = self.habits.skew, "enabled", self.habits.every
        destination = list(DESTINATIONS.values())[sum(self.id.encode()) % len(DESTINATIONS)]
        for change in (Change(at=self.created), *self.changes):
            if change.deleted:
                yield change.at, None
                return
            state, every = change.state or state, change.every or every
            yield (
                change.at,
                {
                    "id": self.id,
                    "name": f"export {self.id}",
                    "state": state,
                    "createdAt": epoch_ms(self.created + skew),
                    "updatedAt": epoch_ms(change.at + skew),
                    "flowSpec": {"id": destination.flow_spec_id, "version": SPEC_VERSION},
                    "sourceConnectionIds": [f"source-of-{self.id}"],
                    "targetConnectionIds": [f"target-of-{self.id}"],
                    "scheduleParams": {
                        **({"timeUnit": "day", "interval": 1} if every == 24 else {}),
                        **({"timeUnit": "hour", "interval": every} if every != 24 else {}),
                        "startTime": int(self.start.timestamp()),
                        "endTime": int(self.end.timestamp()),
                    },
                },
            )

    def _minutes(self, span: Minutes) -> timedelta:
        return self.rng.uniform(*span) * MINUTE


def like(habits: Habits, **others: Any) -> Habits:
    """The same habits but for some."""
    return replace(habits, **others)


def epoch_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def failed_metrics() -> dict[str, Any]:
    error = {"code": "CONNECTOR-2001-500", "message": "The copy was aborted.", "type": "Error"}
    return {
        "recordSummary": {"failedInfo": [error]},
        "statusSummary": {"status": "failed", "errors": [error]},
    }


def record_summary(count: int, datasets: Sequence[str]) -> dict[str, Any]:
    entities = [{"id": f"dataset:{each}"} for each in datasets]
    if not count:
        # An empty run has no output at all; what it read names the datasets.
        return {"inputRecordCount": 0, "sourceSummaries": [{"id": "source", "entitySummaries": entities}]}
    return {
        "inputRecordCount": count,
        "outputRecordCount": count,
        "targetSummaries": [{"id": "target", "outputRecordCount": count, "entitySummaries": entities}],
    }
