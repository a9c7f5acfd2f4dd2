"""The histories that the checks are held to. Each is a function of a seed, and its name says what happens."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

from tests.truth.making import Change, Habits, Maker, like
from tests.truth.world import HOUR, MINUTE, Export, World

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
CADENCES = (1, 3, 6, 12, 24)
FAR = timedelta(days=180)
# How datasets, runs and names come together: one run for all datasets of a tick, or one for each.
SHAPES: tuple[dict[str, Any], ...] = (
    {"datasets": 1, "runs_a_tick": 1, "named": True},
    {"datasets": 2, "runs_a_tick": 2, "named": True},
    {"datasets": 1, "runs_a_tick": 1, "named": False},
    {"datasets": 2, "runs_a_tick": 2, "named": False},
    {"datasets": 2, "runs_a_tick": 1, "named": True},
    {"datasets": 1, "runs_a_tick": 1, "named": True},
)

History = Callable[["Scene"], World]


class Scene:
    """What all histories begin with: chance, and how many exports and days there are.

    :param size: 1 is what the tests take; the histories of the command may be larger.
    """

    def __init__(self, name: str, *, seed: int = 1, size: float = 1.0) -> None:
        self.name, self.size = name, size
        self.rng = random.Random(f"{name} {seed}")
        self.exports: list[Export] = []
        self.made = 0
        self.shapes = cycle(SHAPES)
        for _ in range(self.rng.randrange(len(SHAPES))):
            next(self.shapes)

    def each(self, cadences: Sequence[int], count: int, **others: Any) -> Iterator[Habits]:
        """The habits of so many exports for each cadence, of all shapes in turn."""
        for every in cadences:
            for _ in range(max(1, round(count * self.size))):
                yield like(Habits(every=every, **next(self.shapes)), **others)

    def add(
        self,
        habits: Habits,
        *,
        days: float,
        created: datetime = BEGAN,
        changes: Sequence[Change] = (),
        start: datetime | None = None,
        end: datetime = BEGAN + FAR,
        name: str = "",
    ) -> Export:
        """An export from ``created`` on, by default with its first tick within one step of that."""
        if start is None:
            # Exports start at some quarter of an hour, or at any minute.
            first = self.rng.randrange(1, habits.every * 4) * 15 * MINUTE
            start = (
                created + first + (self.rng.randrange(15) * MINUTE if self.rng.random() < 0.3 else 0 * MINUTE)
            )
        start = start.replace(microsecond=0)  # schedules count seconds
        export = Maker(
            rng=self.rng,
            id=name or self.name_of(habits),
            habits=habits,
            created=created,
            start=start,
            until=BEGAN + days * DAY,
            end=end,
            changes=changes,
        ).make()
        self.made += 1
        self.exports.append(export)
        return export

    def name_of(self, habits: Habits) -> str:
        """An id that says how the export behaves, for whoever reads what was got wrong."""
        shape = "single" if habits.datasets == 1 else "pair" if habits.runs_a_tick > 1 else "both"
        return f"{habits.every}h-{self.made}-{shape}{'' if habits.named else '-unnamed'}"

    def world(self, *, days: float, checked_from: datetime = BEGAN, **others: Any) -> World:
        return World(
            name=self.name,
            exports=tuple(self.exports),
            began=BEGAN,
            ends=BEGAN + days * DAY + 2 * MINUTE,
            checked_from=checked_from,
            **others,
        )

    def between(self, earliest: datetime, latest: datetime) -> datetime:
        return earliest + self.rng.random() * (latest - earliest)


def base(scene: Scene) -> World:
    """Six exports for each cadence, eight days, one run a tick or one for each dataset."""
    for habits in scene.each(CADENCES, 6):
        scene.add(habits, days=8)
    return scene.world(days=8)


def clocks_that_differ(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2):
        skew = scene.rng.uniform(-4, 4) * MINUTE
        # Early as clocks go, and not on top of that.
        scene.add(like(habits, skew=skew, starts=(0, 12)), days=6)
    return scene.world(days=6)


def paused_and_resumed(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2):
        first = scene.rng.randrange(1, habits.every * 4) * 15 * MINUTE
        changes = []
        for begins, lasts in ((2, (0.2, 1.5)), (5, (0.5, 1.5))):
            step = habits.every * HOUR
            near = BEGAN + first + ((begins * DAY) // step) * step
            paused = near + scene.rng.uniform(20, 45) * MINUTE
            resumed = paused + scene.rng.uniform(*lasts) * DAY
            changes += [Change(at=paused, state="disabled"), Change(at=resumed, state="enabled")]
        scene.add(habits, days=8, start=BEGAN + first, changes=changes)
    return scene.world(days=8)


def a_schedule_changed(scene: Scene) -> World:
    for before, after in ((3, 6), (6, 3), (24, 1), (1, 24), (12, 6)):
        for habits in scene.each((before,), 2):
            at = scene.between(BEGAN + 2.5 * DAY, BEGAN + 4 * DAY)
            scene.add(habits, days=7, changes=[Change(at=at, every=after)])
    return scene.world(days=7)


def an_end(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2):
        scene.add(habits, days=7, end=scene.between(BEGAN + 2 * DAY, BEGAN + 5 * DAY).replace(microsecond=0))
    return scene.world(days=7)


def a_dataflow_replaced(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2):
        at = scene.between(BEGAN + 3 * DAY, BEGAN + 4 * DAY)
        name = scene.name_of(habits)
        scene.add(habits, days=7, changes=[Change(at=at, deleted=True)], name=f"{name}-old")
        scene.add(habits, days=7, created=at, name=f"{name}-new")
    return scene.world(days=7)


def ad_hoc_runs(scene: Scene) -> World:
    for habits in scene.each((12, 24), 6, ad_hoc=0.5):
        scene.add(habits, days=10)
    return scene.world(days=10)


def failed_and_tried_again(scene: Scene) -> World:
    fates = ("retried", "retried", "failed", "zero_records", "missing", "stuck", "incomplete")
    for habits in scene.each(CADENCES, 2, fates=fates, bad=0.2):
        scene.add(habits, days=6)
    return scene.world(days=6)


def checks_that_do_not_happen(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2):
        scene.add(habits, days=6)
    return scene.world(days=6, missed_checks=0.3)


def checks_that_begin_later(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2):
        scene.add(habits, days=7)
    return scene.world(days=7, checked_from=BEGAN + 3 * DAY)


def long_runs(scene: Scene) -> World:
    for habits in scene.each((24,), 6, takes=(120, 300)):
        scene.add(habits, days=14)
    return scene.world(days=14)


def a_new_export(scene: Scene) -> World:
    # From six hours on: nobody knows whether the service starts the next run while the first is under way.
    for habits in scene.each((6, 12, 24), 4, first_takes=(290, 310), first_is_good=True):
        scene.add(habits, days=7, created=scene.between(BEGAN + 2 * DAY, BEGAN + 3 * DAY))
    for habits in scene.each(CADENCES, 1):
        scene.add(habits, days=7)
    return scene.world(days=7)


def hung_for_days_and_then_failed(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2, fates=("stuck", "failed"), bad=0.1, hangs=3 * DAY):
        scene.add(habits, days=8)
    return scene.world(days=8)


def late_several_times_in_a_row(scene: Scene) -> World:
    for habits in scene.each((1, 3), 6, streaks=0.08, late_by=(45, 140)):
        scene.add(habits, days=5)
    return scene.world(days=5)


def one_unnamed_run_for_two_datasets(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2, datasets=2, runs_a_tick=1, named=False):
        scene.add(habits, days=6)
    return scene.world(days=6)


def runs_that_are_listed_for_five_days(scene: Scene) -> World:
    for habits in scene.each((6, 12, 24), 4):
        scene.add(habits, days=14)
    return scene.world(days=14, listed_for=5 * DAY)


def ends_that_are_listed_late(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2, listed_late=0.3):
        scene.add(habits, days=6)
    return scene.world(days=6, within_lag=False)


def nothing_runs_for_a_while(scene: Scene) -> World:
    for habits in scene.each(CADENCES, 2, rows=0.03, fates=("missing", "failed")):
        scene.add(habits, days=9)
    return scene.world(days=9)


def a_dataset_that_is_lacking_for_a_while(scene: Scene) -> World:
    for habits in scene.each(
        CADENCES, 2, datasets=2, runs_a_tick=2, rows=0.03, fates=("incomplete", "failed")
    ):
        scene.add(habits, days=9)
    return scene.world(days=9)


HISTORIES: tuple[History, ...] = (
    base,
    clocks_that_differ,
    paused_and_resumed,
    a_schedule_changed,
    an_end,
    a_dataflow_replaced,
    ad_hoc_runs,
    failed_and_tried_again,
    checks_that_do_not_happen,
    checks_that_begin_later,
    long_runs,
    a_new_export,
    hung_for_days_and_then_failed,
    late_several_times_in_a_row,
    one_unnamed_run_for_two_datasets,
    runs_that_are_listed_for_five_days,
    ends_that_are_listed_late,
    nothing_runs_for_a_while,
    a_dataset_that_is_lacking_for_a_while,
)
# In these nobody touches a dataflow, so every moment can be looked at again later.
UNTOUCHED: tuple[History, ...] = (
    clocks_that_differ,
    ad_hoc_runs,
    failed_and_tried_again,
    long_runs,
    hung_for_days_and_then_failed,
    late_several_times_in_a_row,
)


def make(history: History, *, seed: int = 1, size: float = 1.0) -> World:
    return history(Scene(history.__name__, seed=seed, size=size))
