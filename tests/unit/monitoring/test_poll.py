from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.errors import AepApiError, AepAuthError, AepNotFoundError, AepValidationError
from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.monitoring.poll import look_for_runs
from airflow_provider_aep.monitoring.waits import Wait

HOUR = 3600


@pytest.fixture
def look(run, clock, now):
    """One poll for the runs of a dataflow since the test began."""

    def look(dataflow_id, *, ask_why=False, stuck_at=None, **wanted):
        wait = Wait(dataflow_id=dataflow_id, **{"started_after": now, **wanted})
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        return run(look_for_runs(wait, now=moment, ask_why=ask_why, stuck_at=stuck_at))

    return look


def test_before_the_first_run_there_is_nothing_to_see(look, make_dataflow):
    sighting = look(make_dataflow())
    assert (sighting.runs, sighting.finished, sighting.told) == ((), False, "no run has started yet")


def test_a_run_under_way_is_seen_and_not_over(look, emulator, clock, make_dataflow):
    dataflow_id = make_dataflow()
    emulator.script_runs(None, ["in_progress"])
    clock.advance(2 * HOUR)
    sighting = look(dataflow_id)
    (run,) = sighting.runs
    assert (sighting.finished, sighting.told) == (False, f"run {run.id} processing")


@pytest.mark.parametrize(("kind", "word"), [("success", "success"), ("failed", "failed")])
def test_a_finished_run_ends_the_wait_however_it_ended(look, emulator, clock, make_dataflow, kind, word):
    dataflow_id = make_dataflow()
    emulator.script_runs(None, [kind])
    clock.advance(2 * HOUR)
    sighting = look(dataflow_id)
    assert sighting.finished
    assert sighting.told == f"run {sighting.runs[0].id} {word}"


def test_fewer_runs_than_expected_are_waited_for(look, clock, make_dataflow):
    dataflow_id = make_dataflow()
    clock.advance(2 * HOUR)
    first = look(dataflow_id, expected=2)
    assert not first.finished
    assert first.told == f"1 of 2 expected: {first.runs[0].id} success"
    clock.advance(3 * HOUR)
    assert look(dataflow_id, expected=2).finished


def test_older_runs_are_not_seen(look, clock, now, make_dataflow):
    dataflow_id = make_dataflow()
    clock.advance(2 * HOUR)
    assert look(dataflow_id, started_after=now + timedelta(hours=2)).runs == ()


def test_runs_after_the_window_are_not_seen(look, clock, now, make_dataflow):
    dataflow_id = make_dataflow()
    clock.advance(5 * HOUR)
    sighting = look(dataflow_id, started_before=now + timedelta(hours=4))
    assert [each.started_at for each in sighting.runs] == [now + timedelta(hours=1)]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (lambda emulator: emulator.fail_next(503, times=9), "answered 503"),
        (lambda emulator: emulator.fail_next(500, times=9), "answered 500"),
        (lambda emulator: emulator.fail_next(429, times=9), "answered 429"),
        (lambda emulator: emulator.reset_next(times=9), "connection refused"),
        (lambda emulator: emulator.drop_next(times=9), "connection reset"),
        (lambda emulator: emulator.fail_next(200, times=9, body="<html>"), "not a JSON document"),
        (lambda emulator: emulator.reset_next(times=9, match="/ims/token"), "connection refused"),
    ],
    ids=["503", "500", "429", "reset", "drop", "page", "login"],
)
def test_a_service_that_does_not_answer_is_no_verdict_and_the_wait_goes_on(
    look, emulator, make_dataflow, order, told
):
    dataflow_id = make_dataflow()
    emulator.expire_tokens()
    order(emulator)
    sighting = look(dataflow_id, ask_why=True)
    assert not sighting.finished
    assert sighting.told.startswith("the service gave no answer: ")
    assert told in sighting.told
    assert sighting.wait_seconds == 0.0


def test_a_long_retry_after_is_passed_on_to_whoever_can_wait(look, emulator, make_dataflow, run):
    dataflow_id = make_dataflow()
    emulator.fail_next(429, retry_after=300)
    sighting = look(dataflow_id)
    assert (sighting.finished, sighting.wait_seconds, run.pauses) == (False, 300.0, [])


def test_a_refused_credential_rises(look, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    emulator.fail_next(403)
    with pytest.raises(AepAuthError):
        look(dataflow_id)


def test_a_refused_request_rises(look, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    emulator.fail_next(400, times=9)
    with pytest.raises(AepApiError):
        look(dataflow_id)


# Why is there no run?


def test_a_disabled_dataflow_is_named_as_the_reason(run, look, make_dataflow):
    dataflow_id = make_dataflow("nightly")
    run(set_dataflow_state(dataflow_id, "disabled"))
    sighting = look(dataflow_id, ask_why=True)
    assert sighting.told == "no run has started yet: dataflow 'nightly' is disabled"
    assert not sighting.finished


def test_a_schedule_that_is_over_is_named_as_the_reason(look, emulator, now, make_dataflow):
    yesterday = int((now - timedelta(days=1)).timestamp())
    over = {"id": "f-1", "name": "nightly", "state": "enabled", "scheduleParams": {"endTime": yesterday}}
    emulator.fail_next(200, match="GET /flows/", body={"items": [over]})
    sighting = look("f-1", ask_why=True)
    assert sighting.told == "no run has started yet: the schedule of dataflow 'nightly' has ended"


def test_a_dataflow_that_is_gone_ends_the_wait(look):
    assert look("no-such-flow").told == "no run has started yet"
    with pytest.raises(AepNotFoundError):
        look("no-such-flow", ask_why=True)


def test_a_healthy_dataflow_without_a_run_needs_no_reason(look, emulator, make_dataflow):
    dataflow_id = make_dataflow()
    assert look(dataflow_id, ask_why=True).told == "no run has started yet"
    assert len(emulator.requests("GET", "/flows/*")) == 1


def test_where_a_run_is_seen_or_nobody_asks_the_dataflow_is_not_read(look, emulator, clock, make_dataflow):
    dataflow_id = make_dataflow()
    look(dataflow_id)
    clock.advance(2 * HOUR)
    look(dataflow_id, ask_why=True)
    assert emulator.requests("GET", "/flows/*") == []


# Given runs


def test_given_runs_are_read_by_their_ids_and_those_that_are_not_there_yet_are_waited_for(
    look, emulator, make_dataflow
):
    dataflow_id = make_dataflow()
    (run_id,) = emulator.run_now(dataflow_id)
    sighting = look(dataflow_id, run_ids=(run_id, "r-2"))
    assert [each.id for each in sighting.runs] == [run_id]
    assert sighting.told == f"1 of 2 expected: {run_id} processing; run r-2 is not listed yet"


def test_a_given_run_of_another_dataflow_is_refused(look, emulator, make_dataflow):
    ours, other = make_dataflow("ours"), make_dataflow("other")
    run_ids = tuple(emulator.run_now(other))
    with pytest.raises(AepValidationError, match=f"run_ids names run {run_ids[0]}, which is one of dataflow"):
        look(ours, run_ids=run_ids)


# A run that is long under way


@pytest.fixture
def hanging(emulator, clock, make_dataflow):
    """A dataflow whose fifth run has been under way for three hours; four before it took 3 minutes each."""
    dataflow_id = make_dataflow(every="12h")
    emulator.script_runs(None, ["success"] * 4 + ["in_progress"])
    clock.advance(49 * HOUR + 3 * HOUR)
    emulator.log.clear()
    return dataflow_id


def test_a_run_that_is_stuck_is_told_and_ends_a_wait_that_asks_for_that(look, now, hanging):
    since = {"started_after": now + timedelta(hours=49)}
    patient, strict = look(hanging, **since), look(hanging, **since, ends_stuck=True)
    assert (patient.finished, strict.finished) == (False, True)
    assert patient.stuck == strict.stuck == patient.told
    assert "was still under way 2 hours 30 minutes" in patient.told


def test_what_is_usual_is_asked_once_where_somebody_remembers_it(look, now, hanging, emulator):
    known: dict[str, datetime] = {}
    for _ in range(3):
        assert look(hanging, started_after=now + timedelta(hours=49), stuck_at=known).stuck
    assert len(emulator.requests("GET", "/flows/*")) == 1
    assert list(known.values()) == [now + timedelta(hours=51, minutes=30)]


def test_with_a_longest_duration_nothing_need_be_asked(look, now, hanging, emulator):
    seen = look(hanging, started_after=now + timedelta(hours=49), longest=timedelta(hours=2))
    assert "was still under way 2 hours after" in seen.told
    assert len(emulator.requests("GET")) == 1


@pytest.mark.parametrize("status", [503, 403])
def test_trouble_while_what_is_usual_is_asked_takes_nothing_from_what_was_seen(
    look, now, hanging, emulator, status
):
    emulator.fail_next(status, times=9, match="GET /flows/")
    seen = look(hanging, started_after=now + timedelta(hours=49))
    assert (seen.answered, len(seen.runs), seen.stuck) == (True, 1, "")


@pytest.mark.parametrize(("days", "limits"), [(1, ["25"]), (8, ["100", "100"])])
def test_a_long_window_is_read_in_pages_of_a_hundred(look, emulator, clock, make_dataflow, days, limits):
    dataflow_id = make_dataflow(every="1h")
    clock.advance(days * 24 * HOUR)
    emulator.log.clear()
    look(dataflow_id)
    assert [dict(each.query)["limit"] for each in emulator.requests("GET", "/runs")] == limits
