"""Waiting for the runs of one tick of a schedule, in each mode."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import AepNotFoundError, AepValidationError
from airflow_provider_aep.operators.dataflows import AepListDataflowsOperator
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from airflow_provider_aep.sensors import AepDataflowRunSensor
from tests.unit.sensing import HOUR, OutletEvents, each_mode
from tests.unit.task_instance import FakeTaskInstance, context_of

GONE = "9b1b2c4e-0000-4000-8000-000000000000"


@pytest.fixture
def settings() -> dict[str, Any]:
    """What is special about the emulator of a test."""
    return {}


@pytest.fixture
def emulator(clock, settings) -> Emulator:
    return Emulator(clock=clock, **settings)


@pytest.fixture
def hourly(nightly, emulator, clock):
    """``hourly("late")``: a dataflow that Adobe's interface made to export every hour, from one on."""

    def make(*kinds: str, **given: Any) -> str:
        made = nightly(*kinds, **given)
        flow = emulator._world.entities.find("flows", "prod", made)
        flow["scheduleParams"]["interval"] = 1
        emulator._world.lifecycle.rescheduled(flow, clock())
        return made

    return make


def started(aep) -> dict[str, datetime]:
    return {
        run["id"]: datetime.fromtimestamp(run["createdAt"] / 1000, tz=UTC) for run in aep.entities("runs")
    }


@each_mode
def test_the_run_of_the_tick_is_judged_and_no_other(aep, watch, nightly, now, mode):
    flow = nightly("failed", "success", "failed")
    outcome = watch(mode, dataflow_id=flow, tick=now + timedelta(hours=4), timeout=9 * HOUR)
    assert (outcome.state, outcome.value["outcome"]) == ("success", "ok")
    assert [started(aep)[each] for each in outcome.value["run_ids"]] == [now + timedelta(hours=4)]


@each_mode
def test_a_tick_of_the_past_is_judged_by_its_own_run(watch, nightly, clock, now, mode):
    flow = nightly("success", "failed", "success")
    clock.advance(8 * HOUR)
    outcome = watch(mode, dataflow_id=flow, tick=(now + timedelta(hours=4)).isoformat())
    assert isinstance(outcome.error, AirflowFailException)
    assert outcome.deferrals == []


def test_what_the_list_of_dataflows_tells_is_a_tick(watch, nightly, clock, now, ti):
    flow = nightly("success", "failed")
    clock.advance(5 * HOUR)
    listing = AepListDataflowsOperator(task_id="due", due_from=now, due_until=now + timedelta(hours=3))
    ((tick,),) = [each["ticks"] for each in listing.execute(context_of(ti))]
    assert watch("poke", dataflow_id=flow, tick=tick).state == "success"


@pytest.mark.parametrize("settings", [{"hour": 3570.0}])  # the second tick comes 90 seconds early
@each_mode
def test_a_run_that_began_90_seconds_before_its_tick_is_its_run(aep, watch, nightly, now, mode):
    tick = now + timedelta(hours=4)
    outcome = watch(mode, dataflow_id=nightly("failed", "success"), tick=tick, timeout=9 * HOUR)
    assert outcome.state == "success", outcome.error
    assert [started(aep)[each] for each in outcome.value["run_ids"]] == [tick - timedelta(seconds=90)]


@pytest.mark.parametrize("settings", [{"late_seconds": 65 * 60.0}])
@each_mode
def test_an_hourly_run_that_starts_after_the_next_tick_belongs_to_its_own(aep, watch, hourly, now, mode):
    flow = hourly("success", "late", "success", "success")  # the run of the second tick comes last
    first = watch.now()
    wanted = {"dataflow_id": flow, "timeout": 9 * HOUR, "poke_interval": 60.0, "on_zero_records": "ok"}
    following = watch(mode, tick=now + timedelta(hours=3), **wanted)
    own = watch(mode, tick=now + timedelta(hours=2), **wanted)
    # In the order of the ticks: nobody knows which of the two is really whose.
    starts = [started(aep)[end.value["run_ids"][0]] - first for end in (own, following)]
    assert starts == [timedelta(hours=3), timedelta(hours=3, minutes=5)]
    assert [end.value["outcome"] for end in (own, following)] == ["ok", "ok"]
    assert watch.now() - first < timedelta(hours=3, minutes=15)


@pytest.mark.parametrize("settings", [{"late_seconds": 30 * 86400.0}])
@each_mode
def test_the_tick_after_one_that_never_ran_waits_for_150_minutes_at_most(watch, hourly, now, mode):
    flow = hourly("success", "late", "success")
    wanted = {"dataflow_id": flow, "timeout": 9 * HOUR, "poke_interval": 60.0, "on_zero_records": "ok"}
    outcome = watch(mode, tick=now + timedelta(hours=3), **wanted)
    assert outcome.value["outcome"] == "ok"
    assert timedelta(minutes=148) < watch.now() - now - timedelta(hours=2) < timedelta(minutes=153)


# Datasets

LACKING = {"run_per_dataset": True, "late_seconds": 30 * 86400.0}


@pytest.mark.parametrize("settings", [LACKING])
@each_mode
def test_a_tick_with_one_of_two_datasets_fails_and_names_the_lacking_one(
    aep, watch, nightly, now, ti, settings, mode
):
    flow = nightly("success", "success", "late", "success", datasets=2)
    outcome = watch(mode, dataflow_id=flow, tick=now + timedelta(hours=4), timeout=9 * HOUR)
    assert isinstance(outcome.error, AirflowFailException)
    verdict = ti.pushed(VERDICT_KEY)
    assert (verdict["status"], verdict["outcome"], len(verdict["run_ids"])) == ("incomplete", "fail", 1)
    assert f"dataset {aep.datasets()[0].id} is lacking" in verdict["reason"]
    assert watch.now() - now >= timedelta(hours=6, minutes=30)


@pytest.mark.parametrize("settings", [LACKING])
@pytest.mark.parametrize(
    ("choice", "end"), [("warn", type(None)), ("ok", type(None)), ("skip", AirflowSkipException)]
)
def test_what_an_incomplete_tick_means_is_the_authors_choice(watch, nightly, now, ti, settings, choice, end):
    flow = nightly("success", "success", "success", "late", datasets=2)
    tick = now + timedelta(hours=4)
    choices = {"on_incomplete": choice, "on_zero_records": "ok"}
    outcome = watch("deferrable", dataflow_id=flow, tick=tick, timeout=9 * HOUR, **choices)
    assert type(outcome.error) is end
    assert ti.pushed(VERDICT_KEY)["outcome"] == choice


@pytest.mark.parametrize("settings", [LACKING])
@each_mode
def test_both_runs_of_a_tick_are_waited_for(watch, nightly, now, settings, mode):
    flow = nightly(*["success"] * 3, "in_progress", datasets=2)
    tick = now + timedelta(hours=4)
    outcome = watch(mode, dataflow_id=flow, tick=tick, timeout=6 * HOUR)
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert "2 of 2 expected" in outcome.told


# What is no tick


@each_mode
def test_a_moment_that_is_no_tick_is_refused_before_any_waiting(aep, watch, nightly, now, mode):
    outcome = watch(mode, dataflow_id=nightly(), tick=now + timedelta(hours=2))
    assert isinstance(outcome.error, AepValidationError)
    assert "tick is no tick of the schedule of dataflow 'nightly'; AepListDataflowsOperator" in outcome.told
    assert aep.requests("GET", "/runs") == []


@pytest.mark.parametrize("given", ["at noon", "None", "", True])
@each_mode
def test_what_is_no_moment_is_refused_before_anything_is_asked(aep, watch, nightly, mode, given):
    outcome = watch(mode, dataflow_id=nightly(), tick=given)
    assert isinstance(outcome.error, AepValidationError)
    assert "tick " in outcome.told
    assert aep.log == []


def test_a_tick_that_turns_out_to_be_none_is_refused_and_no_window_in_its_place(watch, nightly, ti):
    with DAG("story", schedule=None):
        listed = AepListDataflowsOperator(task_id="due")
        sensor = watch.sensor(dataflow_id=nightly(), tick=listed.output)
    sensor.tick = None  # what a lost XCom is rendered to
    with pytest.raises(AepValidationError, match="tick is missing"):
        sensor.execute(context_of(ti))


@each_mode
def test_the_tick_of_a_dataflow_that_is_gone_is_not_found(watch, now, aep, mode):
    outcome = watch(mode, dataflow_id=GONE, tick=now)
    assert isinstance(outcome.error, AepNotFoundError)


@each_mode
def test_a_tick_long_past_without_a_run_ends_the_wait_at_once(aep, watch, nightly, run, clock, now, mode):
    from airflow_provider_aep.flowservice.dataflows import set_dataflow_state

    flow = nightly()
    run(set_dataflow_state(flow, "disabled"))
    clock.advance(4 * HOUR)
    run(set_dataflow_state(flow, "enabled"))
    clock.advance(4 * HOUR)
    outcome = watch(mode, dataflow_id=flow, tick=now + timedelta(hours=1), timeout=90 * HOUR)
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert outcome.told.startswith("This wait can no longer succeed. Last seen: no run ")
    assert watch.now() - now - timedelta(hours=8) <= timedelta(seconds=mode == "triggerer")


# An outage while the dataflow and its datasets are read


@pytest.mark.parametrize("asked", ["GET /flows/", "GET /sourceConnections"])
@each_mode
def test_an_outage_before_it_is_known_what_to_wait_for_is_waited_out(aep, watch, nightly, now, mode, asked):
    flow = nightly("success")
    aep.fail_next(503, times=15, match=asked)
    outcome = watch(mode, dataflow_id=flow, tick=now + timedelta(hours=1), timeout=9 * HOUR)
    assert outcome.state == "success", outcome.error
    assert outcome.value["outcome"] == "ok"
    methods = [each.method_name for each in outcome.deferrals]
    assert mode != "deferrable" or (methods[0], methods[-1]) == ("execute_again", "execute_complete")


@each_mode
def test_an_outage_that_lasts_is_what_the_timeout_tells(aep, watch, nightly, now, mode):
    flow = nightly("success")
    aep.fail_next(503, times=5000, match="GET")
    outcome = watch(mode, dataflow_id=flow, tick=now + timedelta(hours=1))
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert "Last seen: the service gave no answer: GET " in outcome.told
    assert watch.now() - now < timedelta(hours=4)


@each_mode
def test_a_source_connection_that_may_not_be_read_leaves_the_datasets_unknown(aep, watch, nightly, now, mode):
    flow = nightly("success")
    aep.fail_next(403, times=9, match="GET /sourceConnections")
    outcome = watch(mode, dataflow_id=flow, tick=now + timedelta(hours=1))
    assert outcome.state == "success", outcome.error


# Arguments


@pytest.mark.parametrize(
    "more",
    [
        {"started_after": "2026-12-01"},
        {"started_before": "{{ data_interval_end }}"},
        {"expected_runs": 2},
        {"run_ids": ["r-1"]},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_tick_and_something_else_to_wait_for_are_refused_when_the_dag_is_parsed(more):
    with pytest.raises(AepValidationError, match="tick says which runs are meant; leave out"):
        AepDataflowRunSensor(task_id="t", dataflow_id="f", tick="{{ x }}", **more)


@pytest.mark.parametrize("more", [{"started_after": "2026-12-01"}, {"expected_runs": 2}])
def test_given_runs_and_something_else_to_wait_for_are_refused_when_the_dag_is_parsed(more):
    with pytest.raises(AepValidationError, match="run_ids says which runs are meant; leave out"):
        AepDataflowRunSensor(task_id="t", dataflow_id="f", run_ids=["r"], **more)


def test_the_tick_is_rendered(watch, nightly):
    with DAG("story", schedule=None):
        sensor = AepDataflowRunSensor(task_id="t", dataflow_id="f", tick="{{ x }}")
    sensor.render_template_fields({"x": "2026-12-01T06:00:00+00:00"})
    assert sensor.moment_of_tick() == datetime(2026, 12, 1, 6, tzinfo=UTC)


# What its assets are told


@pytest.mark.parametrize("settings", [{"late_seconds": 40 * 60.0}])
@each_mode
def test_the_folder_of_a_late_run_bears_the_time_of_its_tick(aep, watch, nightly, now, mode):
    from airflow_provider_aep.assets import export_asset

    asset = export_asset(org="ABC@AdobeOrg", sandbox="prod", dataset="orders")
    events = OutletEvents()
    tick = now + timedelta(hours=1)
    context = context_of(FakeTaskInstance(), outlet_events=events)
    watch(mode, dataflow_id=nightly("late"), tick=tick, context=context, outlets=[asset])
    extra = events[asset].extra
    assert extra["window"]["started_at"] == (tick + timedelta(minutes=40)).isoformat()
    assert [path.rstrip("/").rpartition("/")[2] for path in extra["paths"]] == [
        f"exportTime={tick:%Y%m%d%H%M}"
    ]
    assert extra["exact"]
