"""Months of ingestion and exports, in which it is known what each run should have exported, and did.

An export looks at a dataset at one moment, and delivers what has come in since it looked before. When that
is nobody tells; here it is drawn from all that ``docs/design.md`` ("Why a run is empty") holds for possible.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from airflow_provider_aep.flowservice.cadences import INCREMENTAL
from airflow_provider_aep.flowservice.destinations import (
    DATA_LAKE_SPEC_ID,
    DATA_LANDING_ZONE,
    SPEC_VERSION,
)
from tests.truth.histories import BEGAN, FAR
from tests.truth.lake import DAY, Filling, TrueBatch, TrueDataset
from tests.truth.making import LISTED_WITHIN, TOLD_WITHIN, epoch_ms, failed_metrics, record_summary
from tests.truth.world import HOUR, MINUTE, Document, Export, Fate, Run, Tick, World

# So long after its start, and where it exports nothing before it, a run may look at its datasets.
UP_TO = 60 * MINUTE
# every (hours) -> how many exports
EXPORTS: Mapping[int, int] = {1: 3, 3: 5, 6: 5, 12: 6, 24: 14}


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a month goes, beside what all months share.

    :param shown_late: minutes from the end of a batch until the Catalog tells of it, at most.
    :param lost: the share of runs that export nothing of what they see, which is lost.
    """

    days: int = 30
    shown_late: float = 12
    lost: float = 0.08
    short: float = 0.04
    failed: float = 0.06
    missing: float = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a run that ended well did with one dataset.

    :param at: when it looked.
    :param seen: the batches that no earlier run had seen.
    :param lost: those that it did not export, or not wholly, and no later run will.
    """

    at: datetime
    seen: tuple[TrueBatch, ...]
    lost: tuple[TrueBatch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueRun:
    """A run that ended well: how much it exported, and how it came to that.

    :param looks: by dataset.
    """

    run: Run
    tick: datetime
    exported: int
    looks: Mapping[str, Look]


@dataclass(frozen=True, kw_only=True)
class Month(World):
    """A world with a lake.

    :param lake: its datasets, by id.
    :param datasets: those of each export.
    :param true_runs: those that ended well, by export, in order of their ticks.
    """

    lake: Mapping[str, TrueDataset] = field(repr=False)
    datasets: Mapping[str, tuple[str, ...]] = field(repr=False)
    true_runs: Mapping[str, Sequence[TrueRun]] = field(repr=False)


@dataclass(slots=True, kw_only=True)
class _Exporting:
    """Runs one export over a lake.

    :param a_run_each: each dataset has a run of its own; else one run exports them all.
    :param named: its runs name their datasets.
    """

    rng: random.Random
    id: str
    every: int
    start: datetime
    until: datetime
    habits: Habits
    datasets: Sequence[TrueDataset]
    a_run_each: bool
    named: bool
    seen: set[str] = field(default_factory=set)
    true: list[TrueRun] = field(default_factory=list)

    def ticks(self) -> list[datetime]:
        step = self.every * HOUR
        return [self.start + number * step for number in range((self.until - self.start) // step)]

    def make(self) -> Export:
        made = [Tick(at=at, step=self.every * HOUR, fate=fate, runs=runs) for at, fate, runs in self._made()]
        return Export(
            id=self.id,
            versions=((self.start - HOUR, self._flow()),),
            source_connection=self._source_connection(),
            ticks=tuple(made),
            ad_hoc=(),
            learnt_at=self.start,
        )

    def _made(self) -> Iterator[tuple[datetime, Fate, tuple[Run, ...]]]:
        for at in self.ticks():
            parts = [(each,) for each in self.datasets] if self.a_run_each else [tuple(self.datasets)]
            gone_soon = any(_ends_soon(each, at) for each in self.datasets)
            if self.rng.random() < self.habits.missing and not gone_soon:
                yield at, "missing", ()
                continue
            runs = tuple(
                self._run(f"{self.id}.{at:%dT%H%M}.{'abc'[place]}", at, part)
                for place, part in enumerate(parts)
            )
            yield at, "failed" if any(run.wrong for run in runs) else "good", runs

    def _run(self, run_id: str, tick: datetime, datasets: Sequence[TrueDataset]) -> Run:
        rng = self.rng
        # Of runs an hour apart that are late by more nobody could say whose tick they were.
        late = rng.uniform(15, 45 if self.every == 1 else 140) if rng.random() < 0.1 else rng.uniform(-2, 12)
        long = rng.random() < 0.1 and self.every > 3
        took = (rng.uniform(40, 150) if long else rng.uniform(3, 40)) * MINUTE
        started = _whole(tick + late * MINUTE)
        ended = _whole(started + took)
        if rng.random() < self.habits.failed:
            return self._document(run_id, started, ended, None, datasets)
        looks, exported = self._looks(datasets, min(tick, started), started, ended)
        self.seen |= {batch.id for look in looks.values() for batch in look.seen}
        run = self._document(run_id, started, ended, exported, datasets)
        self.true.append(TrueRun(run=run, tick=tick, exported=exported, looks=looks))
        return run

    def _looks(
        self, datasets: Sequence[TrueDataset], earliest: datetime, started: datetime, ended: datetime
    ) -> tuple[dict[str, Look], int]:
        """How a run looks at its datasets, and how many rows it exports of what it sees."""
        looks: dict[str, Look] = {}
        if self.rng.random() < 0.1:
            # A run that exports nothing may have looked at what there was some time before it.
            looks = {each.id: self._look(each, earliest - self.rng.random() * UP_TO) for each in datasets}
        if not looks or any(look.seen for look in looks.values()):
            looks = {each.id: self._look(each, self._moment(earliest, started, ended)) for each in datasets}
        sees = sum(batch.rows for look in looks.values() for batch in look.seen)
        dice = self.rng.random() - self.habits.lost
        if any(_ends_soon(each, started) for each in datasets):
            # Of a dataset that is gone nobody can tell any more what of it was lost before.
            dice = 1
        if dice >= self.habits.short:
            return looks, sees
        # It loses what it has seen by its end.
        lost = {each.id: self._look(each, min(looks[each.id].at, ended)) for each in datasets}
        lost = {name: replace(look, lost=look.seen) for name, look in lost.items()}
        sees = sum(batch.rows for look in lost.values() for batch in look.seen)
        return lost, 0 if dice < 0 else -(-sees // 50)

    def _moment(self, earliest: datetime, started: datetime, ended: datetime) -> datetime:
        rng = self.rng
        return rng.choice(
            (
                earliest,
                started + rng.uniform(0, 3) * MINUTE,
                earliest + rng.random() * (ended - earliest),
                earliest + rng.random() * (ended - earliest),
                ended,
                started + rng.random() * max(UP_TO, ended - started),
            )
        )

    def _look(self, dataset: TrueDataset, at: datetime) -> Look:
        new = [each for each in dataset.batches if each.is_in(at) and each.id not in self.seen]
        return Look(at=at, seen=tuple(new) if dataset.is_there(at) else (), lost=())

    def _document(
        self,
        run_id: str,
        started: datetime,
        ended: datetime,
        exported: int | None,
        datasets: Sequence[TrueDataset],
    ) -> Run:
        listed = started + self.rng.uniform(0, 3) * MINUTE
        frame = {"id": run_id, "flowId": self.id, "createdAt": epoch_ms(started), "activities": []}
        under_way = {
            **frame,
            "updatedAt": epoch_ms(started),
            "metrics": {
                "durationSummary": {"startedAtUTC": epoch_ms(started)},
                "statusSummary": {"status": "processing"},
            },
        }
        durations = {"startedAtUTC": epoch_ms(started), "completedAtUTC": epoch_ms(ended)}
        names = [each.id for each in datasets] if self.named else []
        over = {
            **frame,
            "updatedAt": epoch_ms(ended),
            "metrics": {"durationSummary": durations, **failed_metrics()}
            if exported is None
            else {
                "durationSummary": durations,
                "recordSummary": record_summary(exported, names),
                "statusSummary": {"status": "success"},
            },
        }
        return Run(
            id=run_id,
            dataflow_id=self.id,
            started_at=started,
            ended_at=ended,
            created_at=started,
            listed_at=listed,
            end_listed_at=max(listed, ended + self.rng.uniform(0, LISTED_WITHIN) * MINUTE),
            wrong=frozenset({"failed"} if exported is None else ()),
            under_way=json.dumps(under_way).encode(),
            over=json.dumps(over).encode(),
        )

    def _source_connection(self) -> Document:
        return {
            "id": f"source-of-{self.id}",
            "name": f"source of {self.id}",
            "createdAt": epoch_ms(self.start - HOUR),
            "updatedAt": epoch_ms(self.start - HOUR),
            "connectionSpec": {"id": DATA_LAKE_SPEC_ID, "version": SPEC_VERSION},
            "params": {"datasets": [{"dataSetId": each.id, "name": each.name} for each in self.datasets]},
        }

    def _flow(self) -> Document:
        unit = {"timeUnit": "day", "interval": 1}
        return {
            "id": self.id,
            "name": f"export {self.id}",
            "state": "enabled",
            "createdAt": epoch_ms(self.start - HOUR),
            "updatedAt": epoch_ms(self.start - HOUR),
            "flowSpec": {"id": DATA_LANDING_ZONE.flow_spec_id, "version": SPEC_VERSION},
            "sourceConnectionIds": [f"source-of-{self.id}"],
            "targetConnectionIds": [f"target-of-{self.id}"],
            "scheduleParams": {
                **(unit if self.every == 24 else {"timeUnit": "hour", "interval": self.every}),
                "exportMode": INCREMENTAL,
                "startTime": int(self.start.timestamp()),
                "endTime": int((BEGAN + FAR).timestamp()),
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """One export before anything has happened: ``datasets`` are numbers."""

    id: str
    every: int
    start: datetime
    datasets: tuple[int, ...]
    a_run_each: bool
    named: bool


def make_month(name: str, habits: Habits, *, seed: int = 1, size: float = 1.0) -> Month:
    """A month; its exports have one to three datasets, some of which two exports deliver.

    :param size: 1 is what the tests take.
    """
    rng = random.Random(f"{name} {seed}")
    until = BEGAN + habits.days * DAY
    plans = list(_plans(rng, size))
    lake: dict[int, TrueDataset] = {}
    for number in sorted({each for plan in plans for each in plan.datasets}):
        mine = [plan for plan in plans if number in plan.datasets]
        lake[number] = _dataset(rng, number, mine, until, habits)
    makers = [
        _Exporting(
            rng=rng,
            id=plan.id,
            every=plan.every,
            start=plan.start,
            until=until,
            habits=habits,
            datasets=[lake[each] for each in plan.datasets],
            a_run_each=plan.a_run_each,
            named=plan.named,
        )
        for plan in plans
    ]
    return Month(
        name=name,
        exports=tuple(maker.make() for maker in makers),
        began=BEGAN,
        ends=until + 2 * MINUTE,
        checked_from=BEGAN,
        lake={each.id: each for each in lake.values()},
        datasets={maker.id: tuple(each.id for each in maker.datasets) for maker in makers},
        true_runs={maker.id: tuple(maker.true) for maker in makers},
    )


def _plans(rng: random.Random, size: float) -> Iterator[_Plan]:
    datasets = made = 0
    for every, count in EXPORTS.items():
        for _ in range(max(1, round(count * size))):
            own = rng.choice((1, 1, 1, 2, 3))
            shared = made > 0 and own == 1 and rng.random() < 0.3
            numbers = (rng.randrange(datasets),) if shared else tuple(range(datasets, datasets + own))
            datasets += 0 if shared else own
            a_run_each = own > 1 and rng.random() < 0.5
            yield _Plan(
                id=f"{every}h-{made}-{'each' if a_run_each else 'all'}-of-{own}",
                every=every,
                # Most begin with the month, some in the middle of it.
                start=(BEGAN + (0 if rng.random() < 0.7 else rng.uniform(1, 20)) * DAY).replace(
                    minute=rng.choice((0, 15, 30)), second=0, microsecond=0
                )
                + HOUR,
                datasets=numbers,
                a_run_each=a_run_each,
                named=a_run_each or rng.random() < 0.7,
            )
            made += 1


def _dataset(
    rng: random.Random, number: int, mine: Sequence[_Plan], until: datetime, habits: Habits
) -> TrueDataset:
    dataset_id = f"dataset-{number:03}"
    every = min(plan.every for plan in mine)
    ticks = [
        plan.start + tick * plan.every * HOUR
        for plan in mine
        for tick in range((until - plan.start) // (plan.every * HOUR))
    ]
    filling = Filling(
        rng=rng,
        dataset_id=dataset_id,
        gap=max(every * rng.uniform(0.4, 2.5), 2) * HOUR,
        began=BEGAN,
        until=until,
        ticks=ticks,
        shown_late=habits.shown_late,
    )
    batches = filling.batches()
    deleted = BEGAN + rng.uniform(8, 28) * DAY if number % 12 == 7 else None
    return TrueDataset(
        id=dataset_id,
        name=f"Orders {number:03}",
        batches=batches,
        is_snapshot=number % 15 == 11,
        deleted_at=deleted,
    )


def _ends_soon(dataset: TrueDataset, moment: datetime) -> bool:
    return dataset.deleted_at is not None and moment < dataset.deleted_at < moment + TOLD_WITHIN


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def a_month(*, seed: int = 1, size: float = 1.0) -> Month:
    return make_month("a_month", Habits(), seed=seed, size=size)


def a_month_with_a_slow_catalog(*, seed: int = 1, size: float = 1.0) -> Month:
    """The Catalog tells of an end up to three hours late: often after the check of the run."""
    return make_month("a_month_with_a_slow_catalog", Habits(shown_late=180), seed=seed, size=size)


MONTHS = (a_month, a_month_with_a_slow_catalog)
