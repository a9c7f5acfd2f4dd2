"""The default window: a DAG run waits for the runs of its own time, and tells of each run once."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_aep.assets import export_asset
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from airflow_provider_aep.sensors.wanted import Wanted, default_window, next_turn
from tests.unit.sensing import HOUR, OutletEvents, each_mode
from tests.unit.task_instance import FakeTaskInstance, context_of

DAY = timedelta(days=1)
NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def dag_run(
    start: datetime, end: datetime, *, ti=None, kind: str = "scheduled", **more: Any
) -> dict[str, Any]:
    """The context of a DAG run for a data interval."""
    context = context_of(ti or FakeTaskInstance(), data_interval_start=start, data_interval_end=end, **more)
    context["dag_run"].run_type = kind
    context["dag_run"].start_date = end
    return context


def cron(expression: str, zone: Any = "UTC") -> Any:
    """A DAG whose timetable makes intervals of no width."""
    try:
        from airflow.sdk import CronTriggerTimetable
    except ImportError:  # before Airflow 3.2, tasks get the scheduler's own
        from airflow.timetables.trigger import CronTriggerTimetable
    return SimpleNamespace(timetable=CronTriggerTimetable(expression, timezone=zone))


# Which window


def test_it_begins_with_the_data_interval_and_ends_when_the_next_dag_run_is_due():
    window = Wanted().window(dag_run(NOON - DAY, NOON))
    assert window == {"started_after": NOON - DAY, "started_before": NOON + DAY, "own_until": NOON}


def test_one_of_a_backfill_ends_too():
    assert default_window(dag_run(NOON - DAY, NOON, kind="backfill"))["started_before"] == NOON + DAY


@pytest.mark.parametrize("kind", ["manual", "asset_triggered", "dataset_triggered"])
def test_one_of_a_dag_run_that_no_timetable_made_is_open_as_before(kind):
    window = default_window(dag_run(NOON - DAY, NOON, kind=kind))
    assert window == {"started_after": NOON - DAY, "started_before": None, "own_until": None}


@pytest.mark.parametrize(
    ("expression", "zone", "following"),
    [
        ("0 */6 * * *", "UTC", NOON + timedelta(hours=6)),
        ("0 12 * * 2", "UTC", NOON + 7 * DAY),
        ("30 13 * * *", "Europe/Berlin", NOON + timedelta(minutes=30)),
    ],
)
def test_where_intervals_have_no_width_the_timetable_tells_the_next_moment(expression, zone, following):
    window = Wanted().window(dag_run(NOON, NOON, dag=cron(expression, zone)))
    assert window == {"started_after": NOON, "started_before": following, "own_until": None}


def test_the_next_moment_is_told_in_the_timetables_zone_across_the_change_of_its_clocks():
    before = datetime(2026, 10, 24, 10, tzinfo=UTC)  # noon in Berlin; the night after it has 25 hours
    for zone in ("Europe/Berlin", pendulum.timezone("Europe/Berlin")):
        timetable = cron("0 12 * * *", zone).timetable
        assert next_turn(before, before, timetable) == datetime(2026, 10, 25, 11, tzinfo=UTC)


def test_a_timetable_of_a_span_or_of_several_tells_it_too():
    hourly = SimpleNamespace(delta=timedelta(hours=1))
    assert next_turn(NOON, NOON, hourly) == NOON + timedelta(hours=1)
    several = SimpleNamespace(timetables=[cron("0 18 * * *").timetable, cron("0 15 * * *").timetable])
    assert next_turn(NOON, NOON, several) == NOON + timedelta(hours=3)


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 makes intervals of a width")
def test_the_timetables_that_airflow_itself_makes_are_understood():
    from airflow.sdk import DAG

    with DAG("story", schedule="@hourly") as dag:
        pass
    assert next_turn(NOON, NOON, dag.timetable) == NOON + timedelta(hours=1)
    with DAG("other", schedule=timedelta(hours=2)) as dag:
        pass
    assert next_turn(NOON, NOON, dag.timetable) == NOON + timedelta(hours=2)


@pytest.mark.parametrize(
    "timetable",
    [None, object(), SimpleNamespace(expression="every full moon", timezone=UTC), SimpleNamespace(delta="x")],
)
def test_a_timetable_that_does_not_tell_leaves_the_window_open(timetable):
    assert next_turn(NOON, NOON, timetable) is None


def test_a_start_that_is_given_leaves_it_open():
    window = Wanted(started_after=NOON - DAY).window(dag_run(NOON - DAY, NOON))
    assert window == {"started_after": NOON - DAY, "started_before": None}


def test_an_end_that_is_given_goes_with_the_start_of_the_dag_run():
    window = Wanted(started_before=NOON).window(dag_run(NOON - DAY, NOON))
    assert window == {"started_after": NOON - DAY, "started_before": NOON}


def test_airflows_own_timetable_of_intervals_needs_no_help():
    assert next_turn(NOON - DAY, NOON, CronDataIntervalTimetable("@daily", timezone="UTC")) == NOON + DAY


def intervals(expression: str) -> list[Any]:
    """Timetables of intervals in Berlin: that of the scheduler, and that of a DAG file, if there is one."""
    kinds: list[Any] = [CronDataIntervalTimetable]
    with suppress(ImportError):  # before Airflow 3.2
        from airflow.sdk import CronDataIntervalTimetable as OfADag

        kinds.append(OfADag)
    return [kind(expression, timezone=pendulum.timezone("Europe/Berlin")) for kind in kinds]


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 * * *", ["2026-03-28", "2026-03-29", "2026-03-30"]),  # then 23 hours
        ("0 0 * * *", ["2026-03-29", "2026-03-30", "2026-03-31"]),  # then 24, after 23
        ("0 0 * * *", ["2026-10-24", "2026-10-25", "2026-10-26"]),  # then 25
        ("0 0 * * *", ["2026-10-25", "2026-10-26", "2026-10-27"]),
        ("0 0 * * 1-5", ["2026-11-27", "2026-11-30", "2026-12-01"]),  # after a weekend
        ("0 0 1 * *", ["2026-01-01", "2026-02-01", "2026-03-01"]),
    ],
)
def test_the_next_dag_run_is_due_after_the_next_interval_and_not_after_one_as_long_as_this(expression, days):
    start, end, following = (
        datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC) for day in days
    )
    for timetable in intervals(expression):
        assert next_turn(start, end, timetable) == following


# Which run


@each_mode
def test_a_dag_run_of_the_past_is_not_made_green_by_a_later_run(aep, watch, nightly, now, mode):
    """Ensure and wait, three days at once: the export began today."""
    flow = nightly("success", "success", every="1d")
    ends = []
    for days in (2, 1, 0):
        end = now - days * DAY
        ends.append(watch(mode, dataflow_id=flow, context=dag_run(end - DAY, end), timeout=9 * HOUR))
    assert [end.state for end in ends] == ["failed", "failed", "success"]
    assert [type(end.error) for end in ends] == [AirflowSensorTimeout, AirflowSensorTimeout, type(None)]
    assert watch.now() - now < timedelta(hours=1, minutes=30)


@each_mode
def test_a_window_that_has_passed_without_a_run_ends_at_once_and_says_so(watch, nightly, now, logged, mode):
    outcome = watch(mode, dataflow_id=nightly(), context=dag_run(now - 3 * DAY, now - 2 * DAY))
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert outcome.told == (
        "This wait can no longer succeed. Last seen: no run has started yet, and its window ended "
        f"at {now - DAY:%Y-%m-%d %H:%M} UTC."
    )
    assert outcome.deferrals == []
    assert watch.now() - now <= timedelta(seconds=mode == "triggerer")


@each_mode
def test_one_that_passes_while_it_is_waited_for_ends_the_wait(watch, nightly, now, mode):
    context = dag_run(now - timedelta(hours=1), now - timedelta(minutes=20))
    outcome = watch(mode, dataflow_id=nightly("success"), context=context, timeout=90 * HOUR)
    assert outcome.told.startswith("This wait can no longer succeed. Last seen: ")
    assert timedelta(minutes=35) < watch.now() - now < timedelta(hours=1)


@each_mode
def test_a_lenient_sensor_skips_when_its_window_has_passed(watch, nightly, now, mode):
    context = dag_run(now - 3 * DAY, now - 2 * DAY)
    assert watch(mode, dataflow_id=nightly(), context=context, soft_fail=True).state == "skipped"


@each_mode
def test_the_runs_of_a_past_interval_are_judged_without_those_of_the_next(watch, nightly, clock, now, mode):
    flow = nightly("success", "failed", every="1d")
    clock.advance(26 * HOUR)
    ends = [
        watch(mode, dataflow_id=flow, context=dag_run(now + start * DAY, now + (start + 1) * DAY))
        for start in (0, 1)
    ]
    assert [end.state for end in ends] == ["success", "failed"]
    assert isinstance(ends[1].error, AirflowFailException)


# Which event

ASSET = export_asset(org="ABC@AdobeOrg", sandbox="prod", dataset="orders")


@pytest.fixture
def daily(watch, nightly, now):
    """``daily(days)``: how the sensor of the DAG run of a day ends, on one export, with an asset."""
    flow = nightly("success", "zero", every="1d")
    told: dict[str, Any] = {}

    def day(days: float, mode: str = "poke", **given: Any) -> Any:
        watch.ti = FakeTaskInstance(earlier=dict(told))
        events = OutletEvents()
        start = now + days * DAY
        context = dag_run(start, start + DAY, ti=watch.ti, outlet_events=events)
        outcome = watch(mode, dataflow_id=flow, context=context, outlets=[ASSET], timeout=9 * HOUR, **given)
        if verdict := watch.ti.pushed(VERDICT_KEY):
            told[VERDICT_KEY] = verdict
        return SimpleNamespace(
            state=outcome.state, told=outcome.told, runs=events[ASSET].extra.get("run_ids")
        )

    return day


@each_mode
def test_a_run_that_an_earlier_dag_run_told_of_makes_no_second_event(daily, mode):
    first, second = daily(-1, mode), daily(0, mode)
    assert first.state == "success"
    assert len(first.runs) == 1
    assert (second.state, second.runs) == ("skipped", None)
    assert "An earlier DAG run has reported it; skipped, so that no asset gets a second event" in second.told


def test_a_run_that_is_news_makes_one(daily, clock):
    first = daily(-1)
    clock.advance(25 * HOUR)
    second = daily(1)
    assert (first.state, second.state) == ("success", "success")
    assert set(first.runs).isdisjoint(second.runs)


def test_a_cleared_task_of_the_same_dag_run_tells_its_event_again(watch, nightly, clock, now):
    flow, ti = nightly("success"), FakeTaskInstance()
    clock.advance(2 * HOUR)
    for _ in range(2):
        events = OutletEvents()
        context = dag_run(now, now + timedelta(hours=3), ti=ti, outlet_events=events)
        ti.xcoms.clear()  # Airflow does, before each attempt
        assert watch("poke", dataflow_id=flow, context=context, outlets=[ASSET]).state == "success"
        assert len(events[ASSET].extra["run_ids"]) == 1


def test_a_run_whose_verdict_made_no_event_makes_one_later(watch, nightly, clock, now):
    flow = nightly("success")
    clock.advance(2 * HOUR)
    runs = watch("poke", dataflow_id=flow, started_after=now).value["run_ids"]
    for outcome, state in (("fail", "success"), ("skip", "success"), ("warn", "skipped"), ("ok", "skipped")):
        ti = FakeTaskInstance(earlier={VERDICT_KEY: {"outcome": outcome, "run_ids": runs}})
        context = context_of(ti, outlet_events=OutletEvents())
        end = watch("poke", dataflow_id=flow, started_after=now, outlets=[ASSET], context=context)
        assert end.state == state, outcome


def test_one_run_more_than_was_told_is_news(watch, nightly, clock, now):
    flow = nightly("success", "success")
    clock.advance(5 * HOUR)
    first, _ = watch("poke", dataflow_id=flow, started_after=now).value["run_ids"]
    ti = FakeTaskInstance(earlier={VERDICT_KEY: {"outcome": "ok", "run_ids": [first]}})
    context = context_of(ti, outlet_events=OutletEvents())
    assert (
        watch("poke", dataflow_id=flow, started_after=now, outlets=[ASSET], context=context).state
        == "success"
    )


def test_without_outlets_nothing_is_skipped(watch, nightly, clock, now):
    flow = nightly("success")
    clock.advance(2 * HOUR)
    first = watch("poke", dataflow_id=flow, started_after=now)
    ti = FakeTaskInstance(earlier={VERDICT_KEY: first.value})
    assert watch("poke", dataflow_id=flow, started_after=now, context=context_of(ti)).state == "success"


def test_a_bad_run_that_was_told_fails_again_and_is_not_skipped(watch, nightly, clock, now):
    flow = nightly("failed")
    clock.advance(2 * HOUR)
    first = watch("poke", dataflow_id=flow, started_after=now, on_failed="warn")
    ti = FakeTaskInstance(earlier={VERDICT_KEY: first.value})
    again = watch("poke", dataflow_id=flow, started_after=now, context=context_of(ti), outlets=[ASSET])
    assert isinstance(again.error, AirflowFailException)
    assert not isinstance(again.error, AirflowSkipException)
