"""Who looks first for a deferred sensor: the worker, or, in a window that has just begun, its trigger."""

from __future__ import annotations

import json
import os
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, TaskDeferred

from airflow_provider_aep.errors import AepAuthError, AepNotFoundError
from airflow_provider_aep.flowservice.dataflows import delete_dataflow
from tests.unit.sensing import MODES, fire
from tests.unit.task_instance import context_of

MINUTES = timedelta(minutes=1)


@pytest.fixture
def deferral(watch, ti):
    """``deferral(...)``: how the sensor leaves the worker on which it begins."""

    def begin(**given) -> TaskDeferred:
        with pytest.raises(TaskDeferred) as deferred:
            watch.sensor("deferrable", **given).execute(context_of(ti))
        return deferred.value

    return begin


def test_in_a_window_that_has_just_begun_the_worker_asks_nothing(aep, deferral, nightly, watch):
    flow = nightly("success")
    aep.log.clear()
    deferred = deferral(dataflow_id=flow, started_after=watch.now() - 4 * MINUTES)
    assert (deferred.trigger.first_look_by > watch.clock(), aep.log) == (True, [])
    assert json.loads(json.dumps(deferred.kwargs)) == {"deadline": deferred.trigger.deadline}


def test_in_one_that_began_earlier_a_run_may_have_ended_so_the_worker_looks(aep, watch, nightly, clock):
    flow = nightly("success")
    clock.advance(2 * 3600)
    outcome = watch("deferrable", dataflow_id=flow, started_after=watch.now() - timedelta(hours=2))
    assert (outcome.state, outcome.deferrals) == ("success", [])


def test_what_resumes_reads_no_connection_and_asks_nothing(aep, watch, nightly, ti, deferral, monkeypatch):
    # Given a sensor whose trigger has seen the run end
    given = {"dataflow_id": nightly("success"), "started_after": watch.now()}
    deferred = deferral(**given)
    event = fire(deferred.trigger)
    # When a worker judges it that has no connection
    monkeypatch.delenv("AIRFLOW_CONN_AEP_DEFAULT")
    aep.log.clear()
    sensor = watch.sensor("deferrable", **given)
    value = sensor.resume_execution(deferred.method_name, {**deferred.kwargs, "event": event}, context_of(ti))
    # Then it has all that it takes
    assert (value["outcome"], value["sandbox"], value["dataflow_name"]) == ("ok", "prod", "nightly")
    assert aep.log == []


def test_a_login_that_is_refused_at_the_first_look_fails_the_task_and_is_named(aep, watch, nightly):
    flow = nightly()
    aep.expire_tokens()
    aep._gateway._client_secret = "rotated"
    outcome = watch("deferrable", dataflow_id=flow, started_after=watch.now())
    assert type(outcome.error) is AepAuthError
    assert "connection 'aep_default'" in outcome.told
    assert len(outcome.deferrals) == 1


def test_a_login_that_was_accepted_once_may_be_refused_for_a_while(aep, watch, nightly):
    secret = aep._gateway._client_secret

    def set_secret(value: str) -> None:
        aep.expire_tokens()
        aep._gateway._client_secret = value

    outcome = watch(
        "deferrable",
        dataflow_id=nightly("success"),
        started_after=watch.now(),
        between=[lambda: None, lambda: set_secret("rotated"), lambda: set_secret(secret)],
    )
    assert (outcome.state, len(outcome.deferrals)) == ("success", 1)


@pytest.mark.parametrize("trouble", [503, 429])
def test_an_outage_at_the_first_look_starts_no_worker(aep, watch, nightly, trouble):
    flow = nightly("success")
    aep.fail_next(trouble, times=12, match="GET")
    outcome = watch("deferrable", dataflow_id=flow, started_after=watch.now())
    assert (outcome.state, len(outcome.deferrals)) == ("success", 1)


def test_a_dataflow_that_is_gone_is_told_by_the_first_look_that_is_answered(aep, watch, nightly, run):
    flow = nightly()
    run(delete_dataflow(flow))
    aep.fail_next(503, times=12, match="GET")
    begun = watch.now()
    outcome = watch("deferrable", dataflow_id=flow, started_after=watch.now(), poke_interval=600)
    assert type(outcome.error) is AepNotFoundError
    assert watch.now() - begun < 45 * MINUTES


def test_a_connection_that_breaks_before_the_first_look_is_told_by_the_worker(
    aep, watch, nightly, monkeypatch
):
    def break_it() -> None:
        monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", '{"conn_type": "aep"}')

    outcome = watch("deferrable", dataflow_id=nightly(), started_after=watch.now(), between=[break_it])
    assert type(outcome.error).__name__ == "AepConfigError"
    assert not isinstance(outcome.error, AirflowSensorTimeout)


@pytest.mark.parametrize("mode", sorted({*MODES} - {"reschedule"}))
def test_a_dataflow_that_the_credential_may_not_read_fails_the_task_in_each_mode(aep, watch, nightly, mode):
    flow = nightly()
    aep.fail_next(403, times=99, match="GET /flows")
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now())
    assert type(outcome.error) is AepAuthError


def test_a_triggerer_that_restarts_while_a_login_is_refused_goes_on_waiting(aep, deferral, nightly, watch):
    # Given a wait whose first look was answered by a triggerer that is gone
    secret, trigger = aep._gateway._client_secret, None
    trigger = deferral(dataflow_id=nightly("success"), started_after=watch.now()).trigger
    watch.clock.advance(2400)
    # When another triggerer takes it over, and the secret is rotated for a while
    aep.expire_tokens()
    aep._gateway._client_secret = "rotated"
    watch.between = [lambda: None, lambda: setattr(aep._gateway, "_client_secret", secret)]
    # Then no worker is started to fail for it
    assert fire(trigger)["status"] == "finished"


@pytest.mark.skipif("triggerer" not in MODES, reason="this Airflow starts no sensor in the triggerer")
@pytest.mark.parametrize(("kind", "ends"), [("started_after", "finished"), ("tick", "again")])
def test_nor_does_one_that_began_in_the_triggerer_go_to_a_worker_to_fail(aep, watch, nightly, ti, kind, ends):
    secret, tick = aep._gateway._client_secret, watch.now() + 60 * MINUTES
    sensor = watch.sensor("triggerer", dataflow_id=nightly("success"), **{kind: tick})
    watch.clock.advance(3600)
    aep.expire_tokens()
    aep._gateway._client_secret = "rotated"
    watch.between = [lambda: None, lambda: setattr(aep._gateway, "_client_secret", secret)]
    begun = watch.now()
    # Of a tick the worker finds out what to wait for, once there is an answer.
    assert watch.begin(sensor, context_of(ti), ago=3600)["status"] == ends
    assert watch.now() - begun >= 9 * MINUTES


@pytest.mark.parametrize("mode", sorted({*MODES} - {"poke", "reschedule"}))
def test_a_run_is_judged_in_the_sandbox_in_which_it_was_seen(aep, watch, nightly, clock, monkeypatch, mode):
    # Given an export whose next run delivers far less than those before it
    flow, dataset = nightly(), aep.datasets()[0].id
    for rows in (1000, 1000, 1000, 12):
        clock.advance(3 * 3600)
        aep.add_rows(dataset, rows)
    # And a connection that is put right while the sensor waits
    conn = json.loads(os.environ["AIRFLOW_CONN_AEP_DEFAULT"])

    def lead_to(sandbox: str) -> None:
        conn["extra"]["sandbox"] = sandbox
        monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", json.dumps(conn))

    lead_to("dev")
    given = {"dataflow_id": flow, "started_after": watch.now(), "max_drop": 0.5, "on_low_records": "fail"}
    outcome = watch(mode, **given, between=[lambda: lead_to("prod")])
    # Then its past is not looked for in the other sandbox, where there is none
    assert (outcome.state, watch.ti.pushed("aep_verdict")["sandbox"]) == ("failed", "prod")
    assert "exported 12 records" in outcome.told


@pytest.mark.parametrize("trouble", ["first look", "judging"])
def test_a_window_stays_where_it_began_although_its_template_is_rendered_anew(
    aep, watch, nightly, ti, deferral, monkeypatch, trouble
):
    # Given a sensor with started_after="{{ macros.datetime.utcnow() }}"
    given, begun = {"dataflow_id": nightly("success"), "max_drop": 0.5}, watch.now()
    first = deferral(started_after=begun, **given)
    # When it resumes without a verdict, after the run that it waited for began
    whole = os.environ["AIRFLOW_CONN_AEP_DEFAULT"]
    if trouble == "first look":
        monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", '{"conn_type": "aep"}')
    event = fire(first.trigger)
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", whole)
    watch.clock.advance(10)
    if trouble == "judging":
        aep.fail_next(503, times=99, match="GET /runs")
    sensor = watch.sensor("deferrable", started_after=watch.now(), **given)
    with pytest.raises(TaskDeferred) as again:
        sensor.resume_execution(first.method_name, {**first.kwargs, "event": event}, context_of(ti))
    # Then it goes on to wait for that run
    assert again.value.trigger.started_after == begun.isoformat()


def test_a_trigger_that_an_older_version_stored_looks_as_it_did(aep, watch, nightly, deferral):
    from airflow_provider_aep.triggers import AepDataflowRunTrigger

    path, arguments = deferral(dataflow_id=nightly("success"), started_after=watch.now()).trigger.serialize()
    assert path == "airflow_provider_aep.triggers.AepDataflowRunTrigger"
    arguments.pop("first_look_by")
    assert AepDataflowRunTrigger(**arguments).first_look_by == 0
