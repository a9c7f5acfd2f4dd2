"""What holds for any runs of any schedule, however odd: consecutive checks tell everything once, and each run
has one place.

A history is made first. Then it is looked at as the service would show it at a moment: a run from its start
on, its end and counts from its end on. How many runs a tick makes is given: it is learnt from the runs that
are seen, so an early look may know less of it than a later one.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.run_record import DataflowRun, RunStatus
from airflow_provider_aep.monitoring.findings import findings_of, window_of
from airflow_provider_aep.monitoring.policy import AuditPolicy, RunPolicy
from airflow_provider_aep.monitoring.states import states_of
from airflow_provider_aep.monitoring.timeline import Timeline, timeline_of
from tests.unit.monitoring.histories import MIDNIGHT, a_dataflow, a_run

MINUTE = timedelta(minutes=1)
EARLY = timedelta(minutes=5)  # a run may seem to start so long before its tick
CLOCKS = timedelta(minutes=15)
LISTED_FROM = MIDNIGHT - timedelta(days=1)
POLICIES = (
    AuditPolicy(),
    AuditPolicy(runs=RunPolicy(max_duration=3600)),
    AuditPolicy(runs=RunPolicy(zero_streak=2, max_drop=0.5, history=3)),
)
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Happened:
    """One run as it really was; ``minutes`` is how long it took, ``None`` if it never ended."""

    run_id: str
    started: datetime
    minutes: int | None
    status: str
    records: int
    dataset: str | None

    def shown_at(self, moment: datetime) -> list[DataflowRun]:
        if self.started > moment:
            return []
        if self.minutes is None or self.started + self.minutes * MINUTE > moment:
            named = [{"entitySummaries": [{"id": f"dataset:{self.dataset}"}]}] if self.dataset else []
            return [a_run(self.started, None, run_id=self.run_id, summary={"targetSummaries": named})]
        ended = {"status": self.status, "records": self.records, "dataset": self.dataset}
        return [a_run(self.started, self.minutes, run_id=self.run_id, **ended)]


@dataclass(frozen=True)
class History:
    flow: Dataflow
    runs: tuple[Happened, ...]
    datasets: tuple[str, ...]
    policy: AuditPolicy

    def shown_at(self, moment: datetime) -> list[DataflowRun]:
        return [run for each in self.runs for run in each.shown_at(moment)]

    def timeline(self, moment: datetime, runs: list[DataflowRun] | None = None) -> Timeline:
        return timeline_of(
            self.flow,
            self.shown_at(moment) if runs is None else runs,
            now=moment,
            known_from=LISTED_FROM,
            datasets=self.datasets,
            runs_per_tick=len(self.datasets),
        )

    def told(self, since: datetime, until: datetime, now: datetime) -> list[tuple[str, Any]]:
        """What is new in a window, looked at at a moment."""
        new, _ = window_of(findings_of(self.timeline(now), self.policy), since, until)
        return [(each.key, each.known_at) for each in new]


@st.composite
def flows(draw: st.DrawFn) -> Dataflow:
    schedule = {
        "timeUnit": "hour",
        "interval": draw(st.sampled_from([1, 2, 3, 4, 6, 12, 24])),
        "startTime": int(MIDNIGHT.timestamp()),
    }
    made = draw(st.sampled_from([timedelta(hours=1), timedelta(days=30)]))
    return a_dataflow(scheduleParams=schedule, created=MIDNIGHT - made)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Runs around the ticks and anywhere, some of them beside a row of good ones with a few left out."""
    flow = draw(flows())
    step = int(flow.step / MINUTE)
    datasets = ("A", "B", "C")[: draw(st.integers(1, 3))]
    ticks = draw(st.integers(2, 8))
    soon = st.builds(lambda tick, late: tick * step + late, st.integers(0, ticks), st.integers(-5, 12))
    starts = st.one_of(soon, st.integers(-60, ticks * step))
    took = st.one_of(st.integers(0, 30), st.integers(0, 600), st.none())
    status = st.sampled_from(["success", "success", "failed", "partialSuccess"])
    records, names = st.sampled_from([100, 100, 10, 0]), st.sampled_from([None, *datasets])
    drawn = draw(st.lists(st.tuples(starts, took, status, records, names), max_size=10))
    if draw(st.booleans()):
        left_out = draw(st.sets(st.integers(0, ticks), max_size=3))
        delay, named = draw(st.integers(-3, 20)), draw(st.booleans())
        drawn += [
            (tick * step + delay, 10, "success", 100, name if named else None)
            for tick in range(ticks)
            for name in datasets
            if tick not in left_out
        ]
    runs = tuple(
        Happened(f"r{number}", MIDNIGHT + start * MINUTE, *others)
        for number, (start, *others) in enumerate(drawn)
    )
    return History(flow=flow, runs=runs, datasets=datasets, policy=draw(st.sampled_from(POLICIES)))


def places_of(timeline: Timeline) -> Counter[str]:
    """How many places each run has: a tick, one too many for a tick, or none that owns it."""
    found = timeline.attribution
    owned = [run for served in found.served for run in (*served.runs, *served.extra)]
    return Counter(run.id for run in (*owned, *found.unowned))


@PATIENT
@given(histories(), st.lists(st.integers(-60, 1800), min_size=4, max_size=4).map(sorted))
def test_two_checks_in_a_row_tell_what_one_check_of_both_windows_tells_later_and_nothing_twice(
    history, minutes
):
    a, b, c, later = (MIDNIGHT + minute * MINUTE for minute in minutes)
    first, second = history.told(a, b, now=b), history.told(b, c, now=c)
    keys = [key for key, _ in [*first, *second]]
    assert len(keys) == len(set(keys))
    assert sorted([*first, *second]) == sorted(history.told(a, c, now=later))


@PATIENT
@given(histories(), st.integers(-60, 1800), st.integers(0, 100))
def test_neither_the_order_of_runs_nor_pages_that_overlap_change_what_is_found(history, minute, seed):
    moment = MIDNIGHT + minute * MINUTE
    runs = history.shown_at(moment)
    # A page that was read a little earlier shows some runs that had not ended yet.
    mixed = [*runs, *history.shown_at(moment - 10 * MINUTE)]
    random.Random(seed).shuffle(mixed)
    expected, found = history.timeline(moment), history.timeline(moment, mixed)
    assert findings_of(found, history.policy) == findings_of(expected, history.policy)
    assert found.tick_of == expected.tick_of


@PATIENT
@given(histories(), st.integers(-60, 1800))
def test_each_run_has_one_place_and_is_never_the_run_of_a_tick_that_was_yet_to_come(history, minute):
    timeline = history.timeline(MIDNIGHT + minute * MINUTE)
    assert places_of(timeline) == Counter({run.id: 1 for run in timeline.runs})
    for run in timeline.runs:
        tick = timeline.tick_of.get(run.id)
        assert tick is None or run.started_at >= tick.at - EARLY


# Milliseconds that no run should carry, and some that it may: none, before all time, today, and far ahead.
STAMPS = st.one_of(
    st.sampled_from([None, 0, -1, 1, 10**13, 10**18, "soon", True]),
    st.integers(-120, 1800).map(lambda minute: int((MIDNIGHT + minute * MINUTE).timestamp() * 1000)),
)
HOSTILE = st.builds(
    lambda run_id, created, updated, started, completed, status, records: {
        "id": run_id,
        "flowId": "f",
        "createdAt": created,
        "updatedAt": updated,
        "metrics": {
            "durationSummary": {"startedAtUTC": started, "completedAtUTC": completed},
            "recordSummary": {"outputRecordCount": records},
            "statusSummary": {"status": status},
        },
    },
    st.sampled_from([f"r{number}" for number in range(8)]),
    *[STAMPS] * 4,
    st.sampled_from(["success", "failed", "processing", "unheard-of", None]),
    st.sampled_from([100, 0, -1, None, "12", "many"]),
)


@PATIENT
@given(
    flows(),
    st.lists(HOSTILE, max_size=12),
    st.sampled_from([None, ("A",), ("A", "B")]),
    st.integers(-60, 1800),
)
def test_runs_whose_times_make_no_sense_break_nothing_and_those_that_failed_are_told(
    flow, documents, datasets, minute
):
    now = MIDNIGHT + minute * MINUTE
    runs = [DataflowRun.from_api(document) for document in documents]
    timeline = timeline_of(flow, runs, now=now, known_from=LISTED_FROM, datasets=datasets)
    assert places_of(timeline) == Counter({run.id: 1 for run in timeline.runs})
    found = findings_of(timeline, AuditPolicy())
    assert json.dumps([each.to_json() for each in found])
    assert len({each.key for each in found}) == len(found)
    states_of(timeline, RunPolicy(), LISTED_FROM)
    bad = {
        run.id
        for run in timeline.runs
        if run.status in (RunStatus.FAILED, RunStatus.UNKNOWN)
        # By a clock that is a little ahead of ours, it is yet to end: that is told then.
        and not (run.ended_at and now < run.ended_at <= now + CLOCKS)
    }
    assert bad <= {run_id for each in found for run_id in each.run_ids if each.outcome == "fail"}
