"""The sensor in its three modes, with Airflow's clocks and sleeps tied to the emulator's clock."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from airflow_provider_aep.errors import (
    AepAuthError,
    AepConfigError,
    AepError,
    AepNotFoundError,
    AepRunFailedError,
    AepValidationError,
)
from airflow_provider_aep.operators.links import AepDataflowLink
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from airflow_provider_aep.sensors import (
    AepDataflowRunSensor,
    AepDatasetIngestedSensor,
    AepExportsSensor,
)
from airflow_provider_aep.sensors.wanted import Wanted
from tests.unit.sensing import HOUR, MODES, PLAIN, Outcome, each_mode
from tests.unit.task_instance import FakeTaskInstance, context_of

GONE = "9b1b2c4e-0000-4000-8000-000000000000"


def same(outcome: Outcome, ti: FakeTaskInstance, dataflow_id: str) -> dict[str, Any]:
    """An outcome without ids and moments, to be compared."""
    verdict = ti.pushed(VERDICT_KEY)
    told = outcome.told.partition("Last seen:")[2] or outcome.told
    for run_id in verdict["run_ids"] if verdict else [word for word in told.split() if len(word) == 36]:
        told = told.replace(run_id, "RUN")
    told = re.sub(r"at [0-9-]+ [0-9:]+ UTC", "THEN", told)
    varying = {
        "cause",
        "open",
        "run_ids",
        "dataflow_id",
        "reason",
        "started_at",
        "completed_at",
        "duration_seconds",
        "bytes",
    }
    plain = {key: value for key, value in (verdict or {}).items() if key not in varying}
    value = {key: value for key, value in (outcome.value or {}).items() if key not in varying}
    return {
        "state": outcome.state,
        "class": type(outcome.error),
        "told": told.replace(dataflow_id, "FLOW"),
        "value": value,
        "verdict": plain,
    }


# All three modes end alike

POLICY_OF = {
    "failed": "on_failed",
    "unknown_status": "on_failed",
    "partial": "on_partial",
    "success_with_errors": "on_partial",
    "zero": "on_zero_records",
}
STATUS_OF = {"unknown_status": "unknown", "success_with_errors": "partial", "zero": "zero_records"}
ENDS = {
    "fail": ("failed", AirflowFailException),
    "skip": ("skipped", AirflowSkipException),
    "warn": ("success", type(None)),
    "ok": ("success", type(None)),
}


@pytest.mark.parametrize("choice", ENDS)
@pytest.mark.parametrize("kind", POLICY_OF)
def test_all_modes_end_as_the_policy_says(aep, watch, nightly, ti, logged, kind, choice):
    ends = []
    for mode in MODES:
        ti.xcoms.clear()
        flow = nightly(kind)
        moment = watch.now()
        # The first export is a full one, so an empty one has lost what the dataset holds.
        policy = {"on_zero_when_ingested" if kind == "zero" else POLICY_OF[kind]: choice}
        outcome = watch(mode, dataflow_id=flow, started_after=moment, **policy)
        assert len(outcome.deferrals) == (mode == "deferrable")
        ends.append(same(outcome, ti, flow))
        if outcome.state == "success":
            assert outcome.value == ti.pushed(VERDICT_KEY)
    assert ends[0] == ends[1] == ends[2]
    end = ends[0]
    assert (end["state"], end["class"]) == ENDS[choice]
    assert end["verdict"]["outcome"] == choice
    assert end["verdict"]["status"] == STATUS_OF.get(kind, kind)
    if choice in ("fail", "skip"):
        assert end["told"].startswith("Dataflow 'nightly': run RUN ")
    assert ("warning" in logged().lower().replace("cannot be called", "")) or choice != "warn"


def test_a_good_run_is_good_in_all_modes(watch, nightly, ti):
    ends = []
    for mode in MODES:
        flow = nightly("success")
        ends.append(same(watch(mode, dataflow_id=flow, started_after=watch.now()), ti, flow))
    assert ends[0] == ends[1] == ends[2]
    assert ends[0]["state"] == "success"
    assert ends[0]["value"]["outcome"] == "ok"
    assert ends[0]["value"]["records_out"] == 1200
    assert ends[0]["value"]["dataflow_name"] == "nightly"


def test_a_run_that_never_says_how_it_ended_times_out_in_all_modes(watch, nightly, ti):
    ends = []
    for mode in MODES:
        flow = nightly("null_metrics")
        ends.append(same(watch(mode, dataflow_id=flow, started_after=watch.now()), ti, flow))
    assert ends[0] == ends[1] == ends[2]
    assert (ends[0]["state"], ends[0]["class"]) == ("failed", AirflowSensorTimeout)
    assert ends[0]["verdict"] == {}
    assert "(none)" in ends[0]["told"]


@pytest.mark.parametrize("kind", ["failed", "in_progress"])
@pytest.mark.parametrize("lenient", ["soft_fail", "never_fail"])
@each_mode
def test_a_lenient_sensor_skips_on_failure_and_timeout(watch, nightly, mode, lenient, kind):
    flow = nightly(kind)
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now(), **{lenient: True})
    assert outcome.state == "skipped"


@each_mode
def test_a_lenient_sensor_also_skips_when_the_failed_run_is_already_there(watch, nightly, mode):
    flow = nightly("failed")
    moment = watch.now()
    watch.pass_time(2 * HOUR)
    outcome = watch(mode, dataflow_id=flow, started_after=moment, soft_fail=True)
    assert outcome.state == "skipped"
    assert outcome.deferrals == []


@each_mode
def test_soft_fail_does_not_hide_a_refused_credential(aep, watch, nightly, mode):
    flow = nightly()
    outcome = watch(
        mode,
        dataflow_id=flow,
        started_after=watch.now(),
        soft_fail=True,
        between=[lambda: aep.fail_next(403, match="/runs")],
    )
    assert (outcome.state, type(outcome.error)) == ("failed", AepAuthError)


# The verdict


@each_mode
def test_a_failed_run_leaves_its_verdict_and_adobes_words(watch, nightly, ti, logged, mode):
    flow = nightly("failed")
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now())
    verdict = ti.pushed(VERDICT_KEY)
    assert verdict["outcome"] == "fail"
    assert verdict["dataflow_id"] == flow
    assert verdict["errors"] == [{"code": "ACTIVATION_BATCH-0000-FAILED", "message": "Job aborted."}]
    assert "Adobe's error ACTIVATION_BATCH-0000-FAILED: Job aborted." in logged()
    assert "ACTIVATION_BATCH-0000-FAILED: Job aborted." in outcome.told
    cause = outcome.error.__cause__
    assert isinstance(cause, AepRunFailedError)
    assert cause.verdict == verdict


def test_a_failed_run_is_not_looked_at_again_by_a_retry(watch, nightly):
    outcome = watch("poke", dataflow_id=nightly("failed"), started_after=watch.now(), retries=5)
    assert isinstance(outcome.error, AirflowFailException)


@pytest.mark.parametrize("mode", PLAIN)  # the triggerer can leave none
def test_the_link_is_there_while_the_task_waits(watch, nightly, ti, mode):
    flow = nightly("in_progress")
    seen = []
    watch(
        mode,
        dataflow_id=flow,
        started_after=watch.now(),
        between=[lambda: seen.append(ti.pushed(AepDataflowLink.xcom_key))],
    )
    assert seen[0].endswith(f"/platform/destination/browse/{flow}")


# Which runs


@each_mode
def test_a_run_from_before_the_moment_is_not_this_one(aep, watch, nightly, clock, mode):
    flow = nightly("failed", "success")
    clock.advance(2 * HOUR)
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now())
    assert outcome.state == "success"


@each_mode
def test_a_run_from_after_the_window_is_not_this_one(watch, nightly, clock, mode):
    flow, start = nightly("success", "failed"), watch.now()  # after one hour, and after four
    clock.advance(5 * HOUR)
    window = {"started_after": start, "started_before": start + timedelta(hours=4)}
    outcome = watch(mode, dataflow_id=flow, **window)
    assert outcome.state == "success"
    assert len(outcome.value["run_ids"]) == 1


@each_mode
def test_a_window_is_waited_for_like_an_open_one(watch, nightly, mode):
    flow, start = nightly("success"), watch.now()
    before = (start + timedelta(hours=2)).isoformat()
    outcome = watch(mode, dataflow_id=flow, started_after=start, started_before=before)
    assert outcome.state == "success"


@each_mode
def test_the_runs_of_another_dataflow_are_not_ours(aep, watch, nightly, mode):
    other, flow = nightly("failed"), nightly("success")
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now())
    assert outcome.value["dataflow_id"] == flow
    assert other != flow


@each_mode
def test_as_many_runs_as_expected_are_waited_for(watch, nightly, mode):
    flow = nightly("success", "zero")
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now(), expected_runs=2, timeout=6 * HOUR)
    assert len(outcome.value["run_ids"]) == 2
    # The empty one is rightly so: nothing was ingested since the first.
    assert (outcome.value["outcome"], outcome.value["records_out"]) == ("ok", 1200)


@each_mode
def test_too_few_runs_are_counted_in_the_timeout(watch, nightly, mode):
    outcome = watch(mode, dataflow_id=nightly(), started_after=watch.now(), expected_runs=2, timeout=2 * HOUR)
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert "Last seen: 1 of 2 expected: " in outcome.told


@pytest.mark.parametrize("words", ["", None])
@each_mode
def test_by_default_the_runs_of_the_data_interval_are_meant(watch, nightly, ti, clock, mode, words):
    flow = nightly("failed", "success")
    start = watch.now() + timedelta(hours=2)
    clock.advance(5 * HOUR)
    context = context_of(ti, data_interval_start=start)
    assert watch(mode, dataflow_id=flow, started_after=words, context=context).state == "success"


@pytest.mark.parametrize("moment", ["run_after", "start_date"])
def test_without_an_interval_the_runs_since_the_dag_run_began_are_meant(watch, nightly, ti, clock, moment):
    flow = nightly("failed", "success")
    start = watch.now() + timedelta(hours=2)
    clock.advance(5 * HOUR)
    context = context_of(ti, data_interval_start=None)
    setattr(context["dag_run"], moment, start)
    assert watch("poke", dataflow_id=flow, context=context).state == "success"


def test_where_nothing_says_when_the_wait_begins_now(ti):
    moment = datetime.now(tz=UTC)
    assert Wanted().window(context_of(ti))["started_after"] >= moment


@pytest.mark.parametrize("given", ["yesterday", True, 1_900_000_000_000])
@each_mode
def test_a_moment_that_is_none_fails_at_once(aep, watch, nightly, mode, given):
    outcome = watch(mode, dataflow_id=nightly(), started_after=given)
    assert isinstance(outcome.error, AepValidationError)
    assert "started_after" in outcome.told
    assert aep.requests("GET", "/runs") == []


# Trouble while waiting

TROUBLE = {
    "503": lambda aep: aep.fail_next(503, times=7, match="GET"),
    "a proxy's page": lambda aep: aep.fail_next(502, times=7, match="GET", body="<html>Bad gateway"),
    "429": lambda aep: aep.fail_next(429, times=1, match="GET", retry_after=38),
    "429 for long": lambda aep: aep.fail_next(429, times=3, match="GET", retry_after=900),
    "no connection": lambda aep: aep.reset_next(times=7, match="GET"),
    "lost answers": lambda aep: aep.lose_next(times=7, match="GET"),
    "an expired token": lambda aep: aep.expire_tokens(),
    "an expired token and no new one": lambda aep: (
        aep.expire_tokens(),
        aep.fail_next(503, times=7, match="/ims/token"),
    ),
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
@each_mode
def test_trouble_that_passes_does_not_end_the_wait(aep, watch, nightly, mode, trouble):
    outcome = watch(
        mode,
        dataflow_id=nightly("success"),
        started_after=watch.now(),
        between=[lambda: trouble(aep), lambda: trouble(aep)],
    )
    assert outcome.state == "success", outcome.error


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE)
@each_mode
def test_trouble_at_the_first_look_does_not_end_the_wait(aep, watch, nightly, mode, trouble):
    flow = nightly("success")
    trouble(aep)
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now())
    assert outcome.state == "success", outcome.error


@each_mode
def test_trouble_that_lasts_is_what_the_timeout_tells(aep, watch, nightly, mode):
    outcome = watch(
        mode,
        dataflow_id=nightly("success"),
        started_after=watch.now(),
        between=[lambda: aep.fail_next(503, times=1000, match="GET")],
    )
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert "Last seen: the service gave no answer: GET /runs answered 503" in outcome.told
    assert "FLOW-1103-503" in outcome.told


@each_mode
def test_a_credential_that_is_refused_while_waiting_keeps_its_class(aep, watch, nightly, mode):
    outcome = watch(
        mode,
        dataflow_id=nightly(),
        started_after=watch.now(),
        between=[lambda: aep.fail_next(403, match="/runs")],
    )
    assert type(outcome.error) is AepAuthError
    assert outcome.error.status == 403
    assert "View Destinations" in outcome.told


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_client_secret_that_is_revoked_while_waiting_keeps_its_class(aep, watch, nightly, mode):
    def revoke() -> None:
        aep.expire_tokens()
        aep._gateway._client_secret = "rotated"

    outcome = watch(mode, dataflow_id=nightly(), started_after=watch.now(), between=[revoke])
    assert type(outcome.error) is AepAuthError
    assert "client secret" in outcome.told
    assert aep.client_secret not in outcome.told


def test_a_client_secret_that_is_revoked_while_many_are_deferred_fails_none_before_its_time(
    aep, watch, nightly
):
    secret = aep._gateway._client_secret

    def revoke() -> None:
        aep.expire_tokens()
        aep._gateway._client_secret = "rotated"

    def mend() -> None:
        aep._gateway._client_secret = secret

    given = {"dataflow_id": nightly(), "started_after": watch.now() - timedelta(hours=1)}
    mended = watch("deferrable", between=[revoke, lambda: None, mend], **given)
    assert mended.state == "success"
    given["dataflow_id"] = nightly("in_progress")
    never_mended = watch("deferrable", between=[revoke], **given)
    assert isinstance(never_mended.error, AirflowSensorTimeout)
    assert "client secret" in never_mended.told
    assert aep.client_secret not in never_mended.told


@each_mode
def test_an_unanswered_not_found_while_waiting_keeps_its_class(aep, watch, nightly, mode):
    outcome = watch(
        mode,
        dataflow_id=nightly(),
        started_after=watch.now(),
        between=[lambda: aep.fail_next(404, match="/runs")],
    )
    assert type(outcome.error) is AepNotFoundError
    assert outcome.error.code is not None


@each_mode
def test_a_dataflow_that_does_not_exist_fails_at_once(aep, watch, mode):
    outcome = watch(mode, dataflow_id=GONE, started_after=watch.now())
    assert type(outcome.error) is AepNotFoundError
    assert len(aep.requests("GET", "/runs")) == 1
    # In a window that has just begun, the trigger looks first.
    assert len(outcome.deferrals) == (mode == "deferrable")


@each_mode
def test_a_disabled_dataflow_is_told(aep, watch, nightly, run, logged, mode):
    from airflow_provider_aep.flowservice.dataflows import set_dataflow_state

    flow = nightly()
    run(set_dataflow_state(flow, "disabled"))
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now())
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert "dataflow 'nightly' is disabled" in logged()
    assert "dataflow 'nightly' is disabled" in outcome.told


@each_mode
def test_a_connection_that_is_incomplete_fails_at_once(aep, watch, nightly, monkeypatch, mode):
    flow = nightly()
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", '{"conn_type": "aep"}')
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now())
    assert type(outcome.error) is AepConfigError
    assert "password (client secret) is missing" in outcome.told


def test_a_connection_that_breaks_while_deferred_is_told(aep, watch, nightly, monkeypatch):
    outcome = watch(
        "deferrable",
        dataflow_id=nightly(),
        started_after=watch.now() - timedelta(hours=1),
        between=[lambda: monkeypatch.delenv("AIRFLOW_CONN_AEP_DEFAULT")],
    )
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert "aep_default" in outcome.told


@each_mode
def test_a_timeout_says_what_was_seen_last(watch, nightly, mode):
    outcome = watch(mode, dataflow_id=nightly("in_progress"), started_after=watch.now())
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert outcome.told.startswith("Sensor has timed out")
    assert outcome.told.endswith(" processing.")


@each_mode
def test_a_timeout_with_no_run_says_so(watch, nightly, mode):
    outcome = watch(mode, dataflow_id=nightly(), started_after=watch.now(), timeout=1800)
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert outcome.told.endswith("Last seen: no run has started yet.")


def test_an_execution_timeout_in_the_triggerer_says_what_was_seen_last(watch, nightly):
    with pytest.raises(AirflowTaskTimeout) as over:
        watch(
            "deferrable",
            dataflow_id=nightly(),
            started_after=watch.now(),
            execution_timeout=timedelta(hours=1),
        )
    assert re.fullmatch(
        r"The execution_timeout of 1 hour is over\. Last seen: run \S+ processing\.", str(over.value)
    )


def test_an_execution_timeout_on_the_worker_says_what_was_seen_last(watch, nightly):
    def out_of_time() -> None:  # as Airflow's alarm does
        raise AirflowTaskTimeout("Timeout, PID: 1")

    with pytest.raises(AirflowTaskTimeout) as over:
        watch("poke", dataflow_id=nightly(), started_after=watch.now(), between=[out_of_time])
    assert str(over.value) == "Timeout, PID: 1 Last seen: no run has started yet."


@each_mode
def test_a_skipped_timeout_leaves_in_the_log_what_was_seen_last(watch, nightly, logged, mode):
    flow = nightly()
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now(), timeout=1800, soft_fail=True)
    assert outcome.state == "skipped"
    assert f"Dataflow {flow}: no run has started yet" in logged()


@each_mode
def test_a_sensor_that_may_never_fail_skips_whatever_happens_to_it(aep, watch, nightly, mode):
    outcome = watch(
        mode,
        dataflow_id=nightly(),
        started_after=watch.now(),
        never_fail=True,
        between=[lambda: aep.fail_next(403, match="/runs")],
    )
    assert outcome.state == "skipped"


def test_a_sensor_that_may_never_fail_skips_also_at_the_first_look(aep, watch, nightly):
    flow = nightly()
    aep.fail_next(403, match="/runs")
    outcome = watch("deferrable", dataflow_id=flow, started_after=watch.now(), never_fail=True)
    assert outcome.state == "skipped"


@each_mode
def test_a_dataflow_that_is_deleted_while_waiting_is_not_found(aep, watch, nightly, run, mode):
    from airflow_provider_aep.flowservice.dataflows import delete_dataflow

    flow = nightly()
    outcome = watch(
        mode, dataflow_id=flow, started_after=watch.now(), between=[lambda: run(delete_dataflow(flow))]
    )
    assert type(outcome.error) is AepNotFoundError


@pytest.mark.parametrize("expected", [0, -1, "two", 1.5, None])
@each_mode
def test_a_number_of_runs_that_is_none_fails_before_any_waiting(aep, watch, nightly, mode, expected):
    outcome = watch(mode, dataflow_id=nightly(), started_after=watch.now(), expected_runs=expected)
    assert isinstance(outcome.error, AepValidationError)
    assert "expected_runs must be a whole number" in outcome.told
    assert aep.log == []


@pytest.mark.parametrize(("asked", "heeded"), [(500, 500), (432_000, 600)], ids=["500 s", "5 days"])
@each_mode
def test_a_service_that_asks_for_time_gets_it_within_ten_minutes(aep, watch, nightly, mode, asked, heeded):
    looks: list[float] = []

    def refuse() -> None:
        looks.append(watch.clock())
        aep.fail_next(429, times=1, match="GET /runs", retry_after=asked)

    watch(
        mode,
        poke_interval=60.0,
        dataflow_id=nightly("success"),
        started_after=watch.now(),
        between=[refuse, lambda: looks.append(watch.clock())],
    )
    assert looks[1] - looks[0] == heeded


@each_mode
def test_a_service_that_asks_for_time_at_the_first_look_gets_it_too(aep, watch, nightly, mode):
    flow = nightly("success")
    aep.fail_next(429, times=1, match="GET /runs", retry_after=500)
    looks = [watch.clock()]
    given = {"dataflow_id": flow, "started_after": watch.now(), "poke_interval": 60.0}
    watch(mode, **given, between=[lambda: looks.append(watch.clock())] * 2)
    assert 500 in [round(later - earlier) for earlier, later in pairwise(looks)]


@each_mode
def test_a_service_that_asks_for_more_time_than_there_is_does_not_outlast_the_timeout(
    aep, watch, nightly, mode
):
    flow = nightly("in_progress")
    aep.fail_next(429, times=1, match="GET /runs", retry_after=50 * HOUR)
    begun = watch.clock()
    outcome = watch(mode, dataflow_id=flow, started_after=watch.now(), timeout=HOUR)
    assert type(outcome.error).__name__ == "AirflowSensorTimeout"
    assert watch.clock() - begun < 1.5 * HOUR


@each_mode
def test_a_window_that_ends_before_it_begins_is_refused(aep, watch, nightly, mode):
    now = watch.now()
    outcome = watch(mode, dataflow_id=nightly(), started_after=now, started_before=now)
    assert isinstance(outcome.error, AepValidationError)
    assert "started_before must be later than started_after" in outcome.told


@pytest.mark.parametrize("policy", ["on_failed", "on_partial", "on_zero_records"])
@each_mode
def test_a_misspelt_policy_fails_before_any_waiting(aep, watch, nightly, mode, policy):
    outcome = watch(mode, dataflow_id=nightly(), started_after=watch.now(), **{policy: "warning"})
    assert isinstance(outcome.error, AepValidationError)
    assert f"{policy} must be one of fail, warn, skip, ok" in outcome.told
    assert aep.log == []


# Deferral


def test_a_run_that_has_finished_is_judged_without_deferring(watch, nightly, clock):
    flow, moment = nightly("success"), watch.now()
    clock.advance(2 * HOUR)
    outcome = watch("deferrable", dataflow_id=flow, started_after=moment)
    assert outcome.state == "success"
    assert outcome.deferrals == []


def test_airflows_own_timeout_leaves_the_trigger_time_to_tell(watch, nightly):
    outcome = watch("deferrable", dataflow_id=nightly("success"), started_after=watch.now())
    (deferral,) = outcome.deferrals
    assert deferral.method_name == "execute_complete"
    assert deferral.timeout == timedelta(seconds=3 * HOUR + 60 + 2 * 600)


def test_a_timeout_that_is_over_before_deferring_is_a_timeout(watch, nightly):
    outcome = watch("deferrable", dataflow_id=nightly(), started_after=watch.now(), timeout=0)
    assert isinstance(outcome.error, AirflowSensorTimeout)
    assert outcome.deferrals == []


FINISHED = {"version": 1, "status": "finished"}
LOST = {
    "none": None,
    "empty": {},
    "a text": "finished",
    "a list": [FINISHED],
    "no version": {"status": "finished", "runs": [{"id": "r"}]},
    "another version": {"version": 2, "status": "finished", "runs": [{"id": "r"}]},
    "another status": {"version": 1, "status": "success"},
    "no runs": FINISHED,
    "an empty list of runs": {**FINISHED, "runs": []},
    "an error without one": {"version": 1, "status": "error"},
    "an error of another shape": {"version": 1, "status": "error", "error": "boom"},
}


@pytest.mark.parametrize("event", LOST.values(), ids=LOST)
@pytest.mark.parametrize("soft_fail", [False, True])
def test_an_event_that_is_lost_or_strange_is_red(watch, nightly, ti, event, soft_fail):
    sensor = watch.sensor("deferrable", dataflow_id=nightly(), soft_fail=soft_fail)
    with pytest.raises(AepError, match=r"outcome of dataflow .* is unknown"):
        sensor.resume_execution("execute_complete", {"event": event}, context_of(ti))


STRANGE = {
    "runs that are no list": {**FINISHED, "runs": 7},
    "runs that are no documents": {**FINISHED, "runs": ["r-1"]},
    "an error of a strange class": {"version": 1, "status": "error", "error": {"class": "dict", "args": []}},
    "an error without arguments": {"version": 1, "status": "error", "error": {"class": "AepAuthError"}},
}


@pytest.mark.parametrize("event", STRANGE.values(), ids=STRANGE)
def test_no_event_of_a_strange_shape_is_green(watch, nightly, ti, event):
    sensor = watch.sensor("deferrable", dataflow_id=nightly())
    with pytest.raises(Exception):  # noqa: B017, PT011 - which one does not matter; green would
        sensor.resume_execution("execute_complete", {"event": event}, context_of(ti))


def test_a_finished_event_whose_run_does_not_say_how_it_ended_is_red(watch, nightly, ti):
    sensor = watch.sensor("deferrable", dataflow_id=nightly())
    event = {**FINISHED, "runs": [{"id": "r-1", "flowId": "f-1"}]}
    with pytest.raises(AirflowFailException, match="which is not known"):
        sensor.resume_execution("execute_complete", {"event": event}, context_of(ti))


def test_a_task_resumes_although_the_service_is_down_by_then(aep, watch, nightly, ti):
    flow = nightly("failed")
    aep.run_now(flow)
    watch.pass_time(HOUR / 2)
    (run,) = aep.entities("runs")
    aep.fail_next(503, times=1000)
    sensor = watch.sensor("deferrable", dataflow_id=flow)
    with pytest.raises(AirflowFailException, match="ended as failed"):
        sensor.resume_execution("execute_complete", {"event": {**FINISHED, "runs": [run]}}, context_of(ti))
    assert ti.pushed(VERDICT_KEY)["dataflow_name"] == flow  # its name could not be asked


# Arguments


@pytest.mark.parametrize("kind", [AepDataflowRunSensor, AepExportsSensor, AepDatasetIngestedSensor])
def test_a_sensor_that_would_ask_without_a_pause_is_refused(kind, monkeypatch):
    given = {AepDataflowRunSensor: {"dataflow_id": "f-1"}, AepDatasetIngestedSensor: {"dataset_id": "d"}}
    for interval in (0, 0.0, timedelta(0)):
        with pytest.raises(AepValidationError, match=r"poke_interval must be .*above 0"):
            kind(task_id="t", poke_interval=interval, **given.get(kind, {}))
    monkeypatch.setenv("AIRFLOW__AEP__POLL_INTERVAL", "0")
    with pytest.raises(AepConfigError, match=r"\[aep\] poll_interval must be"):
        kind(task_id="t", **given.get(kind, {}))


def test_the_usual_time_between_two_looks_is_the_sections(monkeypatch):
    assert AepDataflowRunSensor(task_id="t", dataflow_id="f").poke_interval == 60
    monkeypatch.setenv("AIRFLOW__AEP__POLL_INTERVAL", "7.5")
    assert AepDataflowRunSensor(task_id="t", dataflow_id="f").poke_interval == 7.5


def test_the_time_between_two_looks_may_come_from_default_args():
    with DAG("story", schedule=None, default_args={"poke_interval": 5}):
        assert AepDataflowRunSensor(task_id="t", dataflow_id="f").poke_interval == 5
        assert AepDataflowRunSensor(task_id="u", dataflow_id="f", poke_interval=9).poke_interval == 9


def test_conn_id_sandbox_dataflow_and_moment_are_rendered():
    with DAG("story", schedule=None):
        sensor = AepDataflowRunSensor(
            task_id="t",
            dataflow_id="{{ f }}",
            started_after="{{ s }}",
            started_before="{{ e }}",
            aep_conn_id="{{ c }}",
            sandbox="{{ b }}",
        )
    sensor.render_template_fields(
        {"f": "f-1", "s": "2026-12-01", "e": "2026-12-02", "c": "other", "b": "dev"}
    )
    assert sensor.dataflow_id == "f-1"
    assert (sensor.started_after, sensor.started_before) == ("2026-12-01", "2026-12-02")
    assert (sensor.aep_conn_id, sensor.sandbox) == ("other", "dev")


@each_mode
def test_what_cannot_be_an_id_reaches_no_address(aep, watch, mode):
    outcome = watch(mode, dataflow_id="f-1&x=1", started_after=watch.now())
    assert isinstance(outcome.error, AepValidationError)
    assert aep.log == []


@each_mode
def test_the_sandbox_of_the_sensor_is_looked_into(aep, watch, nightly, mode):
    outcome = watch(mode, dataflow_id=nightly(), started_after=watch.now(), sandbox="dev")
    assert type(outcome.error) is AepNotFoundError


@each_mode
def test_no_secret_is_left_anywhere(aep, watch, nightly, ti, logged, mode):
    outcome = watch(
        mode,
        dataflow_id=nightly("failed"),
        started_after=watch.now(),
        between=[lambda: aep.fail_next(401, match="/runs"), aep.expire_tokens],
    )
    kept = [deferral.trigger.serialize() for deferral in outcome.deferrals]
    everything = f"{logged()}{ti.xcoms}{kept}{outcome}"
    for secret in (aep.client_secret, *aep._gateway._tokens):
        assert secret not in everything


def test_mapped_siblings_keep_their_own_verdicts(aep, watch, nightly, ti):
    for index, kind in enumerate(("failed", "success")):
        sibling = replace(ti, map_index=index)
        watch.ti = sibling
        watch("poke", dataflow_id=nightly(kind), started_after=watch.now())
    assert [ti.xcoms["task", index, VERDICT_KEY]["outcome"] for index in (0, 1)] == ["fail", "ok"]
