"""Whatever runs there are, each tick before the end of the window comes to one state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_aep.flowservice.runs import DataflowRun
from airflow_provider_aep.monitoring.gaps import KINDS, LATE, SKEW, count_kinds, gaps_of, judge_ticks

START = datetime(2026, 12, 1, tzinfo=UTC)
MINUTES = st.integers(min_value=-600, max_value=3000)


def run_of(number: int, minutes: int, *, dataset: str, finished: bool, seconds: bool = False) -> DataflowRun:
    started = int((START + timedelta(minutes=minutes)).timestamp()) * (1 if seconds else 1000)
    target = {"entitySummaries": [{"id": f"dataset:{dataset}"}]} if dataset else {}
    metrics = {
        "durationSummary": {"startedAtUTC": started, **({"completedAtUTC": started} if finished else {})},
        "recordSummary": {"targetSummaries": [target]},
        "statusSummary": {"status": "success" if finished else "processing"},
    }
    return DataflowRun.from_api({"id": f"r{number}", "flowId": "f", "metrics": metrics})


@st.composite
def situations(draw):
    """Ticks, runs, the end of the window and the moment of the look."""
    step = draw(st.sampled_from([60, 180, 360, 1440]))
    ticks = [START + timedelta(minutes=step * at) for at in range(draw(st.integers(0, 12)))]
    shapes = st.tuples(MINUTES, st.sampled_from(["", "one", "two"]), st.booleans(), st.booleans())
    runs = [
        run_of(number, minutes, dataset=dataset, finished=finished, seconds=seconds)
        for number, (minutes, dataset, finished, seconds) in enumerate(draw(st.lists(shapes, max_size=15)))
    ]
    until, now = (START + timedelta(minutes=draw(MINUTES)) for _ in range(2))
    return ticks, runs, until, now


@given(situations())
def test_every_tick_of_the_window_is_told_once_and_in_order(situation):
    ticks, runs, until, now = situation
    judged = judge_ticks(ticks, runs, until=until, now=now)
    assert [tick.at for tick in judged] == [tick for tick in ticks if tick < until]
    assert all(tick.kind in KINDS for tick in judged)
    assert sum(count_kinds(judged).values()) == len(judged)
    assert {tick.kind for tick in gaps_of(judged)} <= {"missing", "late", "doubled"}


@given(situations())
def test_a_run_belongs_to_one_tick_at_most_and_never_to_a_later_one(situation):
    ticks, runs, until, now = situation
    judged = judge_ticks(ticks, runs, until=until, now=now)
    placed = [run.id for tick in judged for run in tick.runs]
    assert len(placed) == len(set(placed))
    for tick in judged:
        assert all(run.started_at + SKEW >= tick.at for run in tick.runs)


@given(situations(), st.randoms())
def test_the_order_of_the_runs_does_not_matter(situation, random):
    ticks, runs, until, now = situation
    shuffled = list(runs)
    random.shuffle(shuffled)
    before, after = (judge_ticks(ticks, some, until=until, now=now) for some in (runs, shuffled))
    assert before == after


@given(situations())
def test_only_a_tick_without_a_run_is_missing_and_only_after_150_minutes(situation):
    ticks, runs, until, now = situation
    for tick in judge_ticks(ticks, runs, until=until, now=now):
        assert (tick.kind in ("missing", "pending")) == (not tick.runs)
        if not tick.runs:
            assert (tick.kind == "missing") == (now - tick.at > LATE)


@given(situations())
def test_no_run_is_lost_but_those_from_before_the_first_tick(situation):
    ticks, runs, _, now = situation
    judged = judge_ticks(ticks, runs, until=START + timedelta(days=30), now=now)
    placed = {run.id for tick in judged for run in tick.runs}
    assert placed == {run.id for run in runs if ticks and run.started_at + SKEW >= ticks[0]}


def test_a_start_in_seconds_is_the_same_moment():
    (tick,) = judge_ticks(
        [START],
        [run_of(1, 200, dataset="one", finished=True, seconds=True)],
        until=START + timedelta(days=1),
        now=START + timedelta(days=1),
    )
    assert (tick.kind, tick.told) == (
        "late",
        "the run for the tick of 2026-12-01 00:00 UTC started 200 minutes after it",
    )
