"""A run that should have ended long ago, and an outage while its judge reads, in each mode."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from tests.unit.sensing import HOUR, MODES, each_mode, fire
from tests.unit.task_instance import context_of

# Runs take 3 minutes as a rule, so one is stuck after Adobe's own 150 minutes.
USUAL = ["success"] * 4
FIFTH = timedelta(hours=13)


@pytest.fixture
def hanging(nightly, clock):
    """A dataflow whose fifth run has just begun and never ends."""

    def make(**schedule) -> str:
        flow = nightly(*USUAL, "in_progress", **schedule)
        clock.advance(FIFTH.total_seconds() + 60)
        return flow

    return make


@pytest.mark.parametrize(("choice", "state"), [("fail", "failed"), ("skip", "skipped")])
@each_mode
def test_a_run_that_is_stuck_ends_the_wait(watch, hanging, ti, now, mode, choice, state):
    flow = hanging()
    outcome = watch(mode, dataflow_id=flow, started_after=now + FIFTH, timeout=90 * HOUR, on_stuck=choice)
    verdict = ti.pushed(VERDICT_KEY)
    assert outcome.state == state
    assert (verdict["status"], verdict["outcome"]) == ("stuck", choice)
    assert verdict["reason"].endswith(f"started at {now + FIFTH:%Y-%m-%d %H:%M} UTC")
    assert "was still under way 2 hours 30 minutes after it started" in verdict["reason"]
    assert timedelta(minutes=149) < watch.now() - now - FIFTH < timedelta(minutes=165)


@pytest.mark.parametrize("choice", ["warn", "ok"])
@each_mode
def test_where_it_may_go_on_the_wait_does_and_its_timeout_says_what_hangs(watch, hanging, now, mode, choice):
    flow = hanging()
    outcome = watch(mode, dataflow_id=flow, started_after=now + FIFTH, timeout=5 * HOUR, on_stuck=choice)
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert "still under way 2 hours 30 minutes after it started" in outcome.told.partition("Last seen: ")[2]


@each_mode
def test_a_run_that_was_stuck_and_ends_well_is_good_where_it_may_go_on(watch, hanging, aep, now, mode):
    flow = hanging()
    run_id = aep.entities("runs")[-1]["id"]
    waits = [lambda: None] * 30 + [lambda: aep.finish_run(run_id, "success")]
    given = {"started_after": now + FIFTH, "started_before": now + FIFTH + timedelta(hours=1)}
    outcome = watch(
        mode,
        dataflow_id=flow,
        **given,
        timeout=9 * HOUR,
        on_stuck="warn",
        between=waits,
        on_zero_records="ok",
    )
    assert outcome.state == "success"


@each_mode
def test_the_longest_duration_of_the_policy_wins_over_what_is_usual(watch, hanging, now, ti, mode):
    flow = hanging()
    wanted = {"dataflow_id": flow, "started_after": now + FIFTH, "timeout": 90 * HOUR}
    watch(mode, **wanted, max_duration=timedelta(minutes=30))
    assert ti.pushed(VERDICT_KEY)["status"] == "stuck"
    assert watch.now() - now - FIFTH < timedelta(minutes=45)


@each_mode
def test_a_long_duration_that_is_allowed_is_waited_out(watch, hanging, now, ti, mode):
    wanted = {"dataflow_id": hanging(), "started_after": now + FIFTH, "timeout": 5 * HOUR}
    outcome = watch(mode, **wanted, max_duration=timedelta(hours=9))
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert ti.pushed(VERDICT_KEY) is None


@each_mode
def test_the_run_of_a_tick_may_be_stuck_too(watch, hanging, now, ti, mode):
    outcome = watch(mode, dataflow_id=hanging(), tick=now + FIFTH, timeout=90 * HOUR)
    assert isinstance(outcome.error, AirflowFailException)
    assert ti.pushed(VERDICT_KEY)["status"] == "stuck"


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_what_is_usual_is_read_once_and_not_at_every_poll(aep, watch, hanging, now, mode):
    flow = hanging()
    aep.log.clear()
    wanted = {"dataflow_id": flow, "started_after": now + FIFTH, "timeout": 6 * HOUR, "on_stuck": "warn"}
    assert "was still under way" in watch(mode, **wanted).told
    polls = 36
    assert len(aep.requests("GET", "/flows/*")) == 1
    assert polls <= len(aep.requests("GET", "/runs")) <= 1.2 * polls


# An outage while it judges


@each_mode
def test_an_outage_while_the_history_is_read_is_waited_out(aep, watch, nightly, clock, now, ti, mode):
    flow = nightly("success", "success", "success", "success")
    clock.advance(10.5 * HOUR)
    # What ended is read by the trigger first, and then by the worker.
    strike_after_the_look(aep, watch, times=17 if mode == "triggerer" else 12)
    given = {"started_after": now + timedelta(hours=9), "max_drop": 0.5, "timeout": 9 * HOUR}
    outcome = watch(mode, dataflow_id=flow, **given, on_zero_records="ok")
    assert outcome.state == "success", outcome.error
    assert outcome.value == ti.pushed(VERDICT_KEY)
    assert watch.now() - now > timedelta(hours=10, minutes=39)
    assert len(outcome.deferrals) == (mode in ("deferrable", "triggerer"))


@each_mode
def test_rows_that_are_lost_are_told_although_the_service_was_down_when_it_judged(
    aep, watch, nightly, clock, now, mode
):
    flow = nightly("zero")  # a first export, which should hold what the dataset holds
    clock.advance(1.5 * HOUR)
    strike_after_the_look(aep, watch)
    outcome = watch(mode, dataflow_id=flow, started_after=now, timeout=9 * HOUR, on_zero_records="ok")
    assert outcome.state == "failed"
    assert type(outcome.error).__name__ == "AirflowFailException"


def test_an_outage_when_a_deferred_task_resumes_defers_it_again_and_moves_no_deadline(
    aep, watch, nightly, clock, now, ti
):
    flow = nightly("success")
    given = {"dataflow_id": flow, "started_after": now, "max_drop": 0.5, "timeout": 3 * HOUR}
    first = deferral(watch.sensor("deferrable", **given).execute, context_of(ti))
    event = fire(first.trigger)
    assert event["status"] == "finished"
    aep.fail_next(503, times=1000, match="GET")
    again = deferral(resume, watch.sensor("deferrable", **given), first, event, context_of(ti))
    assert again.trigger.serialize()[1]["deadline"] == first.trigger.deadline
    assert again.kwargs == first.kwargs == {"deadline": first.trigger.deadline}
    assert again.timeout < first.timeout
    aep.clear_faults()
    value = resume(watch.sensor("deferrable", **given), again, fire(again.trigger), context_of(ti))
    assert value["outcome"] == "ok"


def test_a_tick_need_not_be_read_then(aep, watch, nightly, now, ti):
    tick = now + timedelta(hours=1)
    given = {"dataflow_id": nightly("success"), "tick": tick, "max_drop": 0.5, "timeout": 3 * HOUR}
    first = deferral(watch.sensor("deferrable", **given).execute, context_of(ti))
    event = fire(first.trigger)
    aep.fail_next(503, times=1000, match="GET")
    again = deferral(resume, watch.sensor("deferrable", **given), first, event, context_of(ti))
    assert (again.method_name, again.kwargs) == ("execute_complete", first.kwargs)
    assert again.trigger.wait == first.trigger.wait
    aep.clear_faults()
    value = resume(watch.sensor("deferrable", **given), again, fire(again.trigger), context_of(ti))
    assert value["outcome"] == "ok"


def test_where_the_deadline_has_passed_by_then_the_outage_is_told(aep, watch, nightly, clock, now, ti):
    given = {"dataflow_id": nightly("success"), "started_after": now, "max_drop": 0.5, "timeout": 3 * HOUR}
    first = deferral(watch.sensor("deferrable", **given).execute, context_of(ti))
    event = fire(first.trigger)
    clock.advance(3 * HOUR)
    aep.fail_next(503, times=1000, match="GET")
    with pytest.raises(AirflowSensorTimeout, match="Last seen: the service gave no answer"):
        resume(watch.sensor("deferrable", **given), first, event, context_of(ti))


def test_a_task_that_an_older_version_deferred_waits_on_as_well(aep, watch, nightly, clock, now, ti):
    given = {"dataflow_id": nightly("success"), "started_after": now, "max_drop": 0.5, "timeout": 3 * HOUR}
    first = deferral(watch.sensor("deferrable", **given).execute, context_of(ti))
    event = fire(first.trigger)
    aep.fail_next(503, times=1000, match="GET")
    first.kwargs = None
    again = deferral(resume, watch.sensor("deferrable", **given), first, event, context_of(ti))
    assert again.trigger.deadline == clock() + 3 * HOUR


@pytest.mark.parametrize("event", [None, {"version": 1, "status": "success"}])
def test_a_lost_event_is_red_also_while_it_is_not_known_what_to_wait_for(aep, watch, nightly, now, ti, event):
    given = {"dataflow_id": nightly("success"), "tick": now + timedelta(hours=1)}
    aep.fail_next(503, times=1000, match="GET")
    first = deferral(watch.sensor("deferrable", **given).execute, context_of(ti))
    assert first.method_name == "execute_again"
    with pytest.raises(AepError, match="is unknown"):
        resume(watch.sensor("deferrable", **given), first, event, context_of(ti))


@pytest.mark.parametrize("mode", MODES)
def test_what_no_waiting_mends_while_the_history_is_read_fails_the_task(
    aep, watch, nightly, clock, now, mode
):
    flow = nightly("success")
    clock.advance(2 * HOUR)
    strike_after_the_look(aep, watch, status=403)
    outcome = watch(mode, dataflow_id=flow, started_after=now, max_drop=0.5)
    assert type(outcome.error).__name__ == "AepAuthError"


def strike_after_the_look(aep, watch, status: int = 503, times: int = 12) -> None:
    """Order trouble for the requests that follow the sensor's first listing of runs."""
    respond, seen = aep._respond, []

    def answered(request, call):
        response = respond(request, call)
        if call.path == "/runs" and not seen:
            seen.append(call)
            aep.fail_next(status, times=times, match="GET")
        return response

    aep._respond = answered


def deferral(attempt, *given) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        attempt(*given)
    return deferred.value


def resume(sensor, deferred, event, context):
    return sensor.resume_execution(deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context)
