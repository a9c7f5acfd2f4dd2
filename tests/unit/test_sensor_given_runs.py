"""Waiting for runs that were started by hand, or by the operator that exports now, in each mode."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSensorTimeout

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import AepAuthError, AepNotFoundError, AepValidationError
from airflow_provider_aep.operators.dataflows import AepRunExportOperator
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from airflow_provider_aep.sensors import AepDataflowRunSensor
from airflow_provider_aep.sensors.wanted import Wanted
from tests.unit.sensing import HOUR, each_mode
from tests.unit.task_instance import FakeTaskInstance, context_of

MINUTES = 60.0


@pytest.fixture
def emulator(clock) -> Emulator:
    """A run that is scripted as late is listed 5 seconds after it was asked for."""
    return Emulator(clock=clock, late_seconds=5.0)


@pytest.fixture
def export_now():
    """``export_now(flow)``: what the operator returns."""

    def export_now(flow: str) -> list[str]:
        operator = AepRunExportOperator(task_id="run_export", dataflow_id=flow)
        return operator.execute(context_of(FakeTaskInstance()))

    return export_now


@each_mode
def test_the_runs_that_were_started_are_waited_for_and_judged(watch, nightly, clock, export_now, mode):
    flow = nightly("success")
    clock.advance(15 * MINUTES)
    ids = export_now(flow)
    outcome = watch(mode, dataflow_id=flow, run_ids=ids)
    assert (outcome.state, outcome.value["run_ids"]) == ("success", ids)


@each_mode
def test_a_run_that_was_under_way_before_the_dag_run_began_is_waited_for(
    watch, nightly, aep, clock, ti, export_now, mode
):
    flow = nightly("in_progress")
    clock.advance(15 * MINUTES)
    ours = aep.run_now(flow)
    clock.advance(20 * MINUTES)
    ids = export_now(flow)  # adopts it
    context = context_of(ti)
    context["dag_run"].start_date = watch.now()
    finish = [lambda: aep.finish_run(ours[0], "success")]
    outcome = watch(mode, dataflow_id=flow, run_ids=ids, context=context, between=finish)
    assert (outcome.state, outcome.value["run_ids"]) == ("success", ours)


@each_mode
def test_one_that_has_been_under_way_for_days_is_found_in_every_mode(watch, nightly, aep, clock, mode):
    flow = nightly("in_progress")
    (run_id,) = aep.run_now(flow)
    clock.advance(2 * 24 * HOUR)
    finish = [lambda: aep.finish_run(run_id, "success")]
    patient = {"on_stuck": "ok", "timeout": 2 * HOUR}
    outcome = watch(mode, dataflow_id=flow, run_ids=[run_id], between=finish, **patient)
    assert outcome.state == "success", outcome.error


@each_mode
def test_a_good_run_of_the_schedule_does_not_stand_for_ours_which_fails(
    watch, nightly, aep, clock, ti, export_now, mode
):
    flow = nightly("late", "success")  # ours, and then the scheduled one
    clock.advance(59 * MINUTES + 58)
    ids = export_now(flow)
    assert aep.entities("runs") == []
    fail = [lambda: aep.finish_run(ids[0], "failed")]
    outcome = watch(mode, dataflow_id=flow, run_ids=ids, between=fail, poke_interval=4.0)
    assert isinstance(outcome.error, AirflowFailException)
    assert ti.pushed(VERDICT_KEY)["run_ids"] == ids


@each_mode
def test_a_run_that_is_listed_seconds_later_is_waited_for(watch, nightly, aep, clock, logged, mode):
    flow = nightly("late")
    (run_id,) = aep.run_now(flow)
    outcome = watch(mode, dataflow_id=flow, run_ids=[run_id], poke_interval=2.0)
    assert outcome.state == "success", outcome.error
    assert f"run {run_id} is not listed yet" in logged()


@each_mode
def test_a_run_that_never_comes_to_light_is_named_at_the_timeout(watch, nightly, mode):
    outcome = watch(mode, dataflow_id=nightly(), run_ids=["r-1"])
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert outcome.told.endswith("Last seen: run r-1 is not listed yet.")


@each_mode
def test_all_given_runs_are_waited_for(watch, nightly, aep, clock, mode):
    flow = nightly("success", "in_progress")
    ids = aep.run_now(flow) + aep.run_now(flow)
    outcome = watch(mode, dataflow_id=flow, run_ids=ids, timeout=2 * HOUR)
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert outcome.told.endswith(f"Last seen: 2 of 2 expected: {ids[0]} success, {ids[1]} processing.")


@each_mode
def test_a_run_of_another_dataflow_is_refused(watch, nightly, aep, mode):
    other, flow = nightly(), nightly()
    (run_id,) = aep.run_now(other)
    outcome = watch(mode, dataflow_id=flow, run_ids=[run_id])
    assert isinstance(outcome.error, AepValidationError)
    assert f"run_ids names run {run_id}, which is one of dataflow {other}" in outcome.told


@each_mode
def test_one_that_comes_to_light_as_another_dataflows_is_refused_too(watch, nightly, aep, mode):
    other, flow = nightly("late"), nightly()
    (run_id,) = aep.run_now(other)
    outcome = watch(mode, dataflow_id=flow, run_ids=[run_id])
    assert isinstance(outcome.error, AepValidationError)


@each_mode
def test_an_outage_while_a_run_is_asked_for_is_waited_out(watch, nightly, aep, mode):
    flow = nightly("late")
    ids = aep.run_now(flow)
    trouble = [lambda: aep.fail_next(503, times=12, match="GET /runs/")]
    aep.fail_next(503, times=12, match="GET /runs/")
    outcome = watch(mode, dataflow_id=flow, run_ids=ids, between=trouble)
    assert outcome.state == "success", outcome.error


@each_mode
def test_a_refusal_ends_the_wait_with_its_class(watch, nightly, aep, mode):
    flow = nightly()
    refuse = [lambda: aep.fail_next(403, match="GET /runs/")]
    outcome = watch(mode, dataflow_id=flow, run_ids=["r-1"], between=refuse)
    assert type(outcome.error) is AepAuthError


@each_mode
def test_the_runs_of_a_dataflow_that_is_gone_are_not_found(watch, aep, mode):
    outcome = watch(mode, dataflow_id="9b1b2c4e-0000-4000-8000-000000000000", run_ids=["r-1"])
    assert type(outcome.error) is AepNotFoundError


# How they are given


@pytest.mark.parametrize(
    "given",
    [["a", "b"], ("a", "b"), "['a', 'b']", '["a", "b"]', "a,b", "a b", ["a", "b", "a"]],
    ids=["list", "tuple", "rendered", "JSON", "commas", "blanks", "twice"],
)
def test_ids_are_read_as_a_list_and_as_rendered_text(given):
    assert Wanted(run_ids=given).ids() == ("a", "b")


def test_one_id_may_be_a_text():
    assert Wanted(run_ids="a").ids() == ("a",)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ([], "run_ids must be a list"),
        ("", "run_ids must be a list"),
        ("[]", "run_ids must be a list"),
        (7, "run_ids must be a list"),
        ({"id": "a"}, "run_ids must be a list"),
        (b"a", "run_ids must be a list"),
        ("None", "run_ids/0 is missing"),
        ("[None]", "run_ids/0 is missing"),
        (["a", None], "run_ids/1 is missing"),
        (["a", ""], "run_ids/1 is missing"),
        (["a/b"], "run_ids/0 must be an id"),
        ([["a"]], "run_ids/0 must be an id"),
        ([{"id": "a"}], "run_ids/0 must be an id"),
    ],
    ids=str,
)
@each_mode
def test_what_is_no_list_of_ids_is_refused_by_name_before_anything_is_asked(
    aep, watch, nightly, mode, given, named
):
    outcome = watch(mode, dataflow_id=nightly(), run_ids=given)
    assert isinstance(outcome.error, AepValidationError)
    assert named in outcome.told
    assert aep.log == []


@pytest.mark.parametrize(
    "wanted", [{"run_ids": ["a/b"]}, {"tick": "at noon"}, {"expected_runs": "two"}], ids=str
)
@each_mode
def test_a_mistake_of_the_author_is_no_reason_to_skip_a_sensor_that_may_never_fail(
    watch, nightly, mode, wanted
):
    outcome = watch(mode, dataflow_id=nightly(), never_fail=True, **wanted)
    assert isinstance(outcome.error, AepValidationError)


def test_ids_that_turn_out_to_be_none_are_refused_and_no_window_in_their_place(watch, nightly, ti):
    with DAG("story", schedule=None):
        run_export = AepRunExportOperator(task_id="run_export", dataflow_id="f")
        sensor = watch.sensor(dataflow_id=nightly(), run_ids=run_export.output)
    assert sensor.upstream_task_ids == {"run_export"}
    sensor.run_ids = None  # what a lost XCom is rendered to
    with pytest.raises(AepValidationError, match="run_ids must be a list of run ids"):
        sensor.execute(context_of(ti))


def test_the_ids_are_rendered():
    with DAG("story", schedule=None):
        sensor: Any = AepDataflowRunSensor(task_id="t", dataflow_id="f", run_ids="{{ x }}")
        listed: Any = AepDataflowRunSensor(task_id="u", dataflow_id="f", run_ids=["{{ x[0] }}"])
    for each in (sensor, listed):
        each.render_template_fields({"x": ["a", "b"]})
    assert (sensor.run_ids, listed.run_ids) == ("['a', 'b']", ["a"])


def test_a_start_that_is_empty_is_none_given():
    AepDataflowRunSensor(task_id="t", dataflow_id="f", run_ids=["a"], started_after="", started_before=None)


def test_what_is_long_listed_costs_one_request_a_poll(watch, nightly, aep, now):
    flow = nightly("in_progress")
    ids = aep.run_now(flow)
    aep.log.clear()
    watch("deferrable", dataflow_id=flow, run_ids=ids, timeout=2 * HOUR)
    assert len(aep.requests("GET", "/runs")) >= 12
    assert len(aep.requests("GET", "/runs/*")) == 1  # the first poll, on the worker
    assert watch.now() - now < timedelta(hours=3)
