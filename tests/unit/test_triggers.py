from __future__ import annotations

import asyncio
import gc
import json
import time
from datetime import timedelta
from pkgutil import resolve_name
from typing import Any
from weakref import ref

import pytest

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepAuthError,
    AepConfigError,
    AepConflictError,
    AepError,
    AepNotFoundError,
    AepPreconditionError,
    AepRateLimitError,
    AepRunFailedError,
    AepServerError,
    AepTransportError,
    AepValidationError,
    Problem,
    error_from_json,
    error_to_json,
)
from airflow_provider_aep.flowservice.dataflows import delete_dataflow
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.monitoring import shared_poll
from airflow_provider_aep.monitoring.waits import EVENT_VERSION, Wait
from airflow_provider_aep.triggers import AepDataflowRunTrigger
from airflow_provider_aep.triggers.polls import poll_of

HOUR = 3600.0


@pytest.fixture
def pauses(aep, clock, poll_moves) -> list[float]:
    """The poll's pauses, in which the emulator's clock moves instead of ours."""
    taken: list[float] = []

    def pause(seconds: float) -> None:
        taken.append(seconds)
        clock.advance(seconds)

    poll_moves(pause)
    return taken


@pytest.fixture
def trigger(make_dataflow, clock, now):
    """``trigger(deadline=...)``: waits for a dataflow whose first run starts in an hour."""

    def make(**changes: Any) -> AepDataflowRunTrigger:
        return AepDataflowRunTrigger(
            **{
                "dataflow_id": changes.pop("dataflow_id", None) or make_dataflow(),
                "started_after": now.isoformat(),
                "started_before": None,
                "expected_runs": 1,
                "deadline": clock() + 3 * HOUR,
                "poll_interval": 60.0,
                "aep_conn_id": "aep_default",
                "sandbox": None,
                **changes,
            }
        )

    return make


def events(trigger: AepDataflowRunTrigger) -> list[Any]:
    async def all_of_them() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(all_of_them())


def test_it_survives_the_way_to_the_triggerer(trigger):
    path, arguments = trigger().serialize()
    assert json.loads(json.dumps(arguments)) == arguments
    again = resolve_name(path)(**json.loads(json.dumps(arguments)))
    assert isinstance(again, AepDataflowRunTrigger)
    assert again.serialize() == (path, arguments)


@pytest.mark.parametrize("wait", [None, {"run_ids": ["r-1"]}])
def test_one_that_waits_for_something_else_than_a_window_survives_it_too(trigger, wait):
    path, arguments = trigger(wait=wait).serialize()
    assert resolve_name(path)(**json.loads(json.dumps(arguments))).wait == wait


def test_what_it_waits_for_wins_over_the_window(aep, trigger, pauses, now, clock):
    aep.script_runs(None, ["failed", "success"])
    told = Wait(dataflow_id="f", started_after=now + timedelta(hours=2)).to_json()
    (event,) = events(trigger(wait=told, deadline=clock() + 9 * HOUR))
    assert event["runs"][0]["metrics"]["statusSummary"]["status"] == "success"


def test_one_that_an_older_version_stored_waits_for_its_window(trigger, pauses):
    waiting = trigger()
    stored = waiting.serialize()[1]
    del stored["wait"]
    (event,) = events(AepDataflowRunTrigger(**stored))
    assert event["status"] == "finished"


def test_a_stored_wait_that_makes_no_sense_ends_with_its_error(trigger, pauses, now):
    told = {**Wait(dataflow_id="f", started_after=now).to_json(), "run_ids": ["a/b"]}
    (event,) = events(trigger(wait=told))
    assert type(error_from_json(event["error"])) is AepValidationError


def test_a_window_that_passes_ends_the_wait_before_its_deadline(trigger, pauses, now, clock):
    told = Wait(dataflow_id="f", started_after=now, started_before=now + timedelta(minutes=30)).to_json()
    (event,) = events(trigger(wait=told))
    assert (event["status"], event["in_vain"]) == ("timeout", True)
    assert "its window ended" in event["last_seen"]
    assert clock() < now.timestamp() + HOUR


def test_it_carries_names_of_connections_and_no_secret(aep, trigger, pauses):
    waiting = trigger()
    events(waiting)
    for secret in (aep.client_secret, *aep._gateway._tokens):
        assert secret not in f"{waiting.serialize()}{waiting!r}{vars(waiting)}"


def test_it_pauses_before_its_first_look(aep, trigger, pauses, clock):
    began, asked_before = clock(), len(aep.log)
    waiting = trigger(deadline=clock() + 100)
    asked_before = len(aep.log)
    events(waiting)
    assert len(aep.log) > asked_before
    assert pauses[0] >= 54
    assert clock() >= began + 54


def test_it_fires_once_with_the_run_as_the_service_told_it(aep, trigger, pauses):
    (event,) = events(trigger())
    (run,) = aep.entities("runs")
    assert json.loads(json.dumps(event)) == event
    assert event["version"] == EVENT_VERSION
    assert event["status"] == "finished"
    assert event["runs"] == [run]


def test_a_run_that_failed_is_news_like_any_other(aep, trigger, pauses):
    aep.script_runs(None, ["failed"])
    (event,) = events(trigger())
    assert event["status"] == "finished"
    assert event["runs"][0]["metrics"]["statusSummary"]["status"] == "failed"


def test_the_pauses_are_the_interval_or_a_little_less(trigger, pauses):
    events(trigger(poll_interval=100.0))
    assert len(pauses) > 30
    assert all(90 <= pause <= 100 for pause in pauses)
    assert len(set(pauses)) > 20  # many sensors spread


def test_at_the_deadline_it_tells_what_it_saw_last(aep, trigger, pauses, clock):
    aep.script_runs(None, ["in_progress"])
    waiting = trigger()
    (event,) = events(waiting)
    (run,) = aep.entities("runs")
    assert event == {
        "version": EVENT_VERSION,
        "status": "timeout",
        "last_seen": f"run {run['id']} processing",
    }
    assert clock() == pytest.approx(waiting.deadline)


def test_a_deadline_that_passed_while_the_triggerer_was_down_ends_the_wait_with_one_look(
    trigger, pauses, clock
):
    (event,) = events(trigger(deadline=clock() - 1))
    assert (event["status"], event["last_seen"]) == ("timeout", "no run has started yet")
    assert pauses == []


def test_a_run_that_ended_while_the_triggerer_was_down_is_still_news_after_the_deadline(
    trigger, pauses, clock
):
    waiting = trigger(deadline=clock() + 2 * HOUR)
    clock.advance(3 * HOUR)
    (event,) = events(waiting)
    assert event["status"] == "finished"


def test_a_dataflow_that_is_deleted_while_it_is_waited_for_ends_the_wait(aep, trigger, pauses, run):
    waiting = trigger(deadline=time.time() * 2)
    run(delete_dataflow(waiting.dataflow_id))
    (event,) = events(waiting)
    assert event["error"]["class"] == "AepNotFoundError"
    assert len(pauses) == shared_poll.LOOKS_UNTIL_WHY


def test_a_look_that_hangs_does_not_outlast_the_deadline(aep, trigger, pauses, monkeypatch, clock):
    async def hang(hook: Any, exchange: Any) -> None:
        clock.advance(2 * HOUR)
        await asyncio.Event().wait()

    waiting = trigger(deadline=clock() + 0.2)
    monkeypatch.setattr(shared_poll, "LAST_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(AepHook, "arun", hang)
    (event,) = events(waiting)
    assert (event["status"], event["last_seen"]) == ("timeout", "the service gave no answer in time")


def test_a_short_time_left_is_not_overslept(trigger, pauses, clock):
    (event,) = events(trigger(deadline=clock() + 5, poll_interval=600.0))
    assert pauses == [5.0]
    assert event["last_seen"] == "no run has started yet"


@pytest.mark.parametrize(("asked", "heeded"), [(550, 550), (432_000, 600)], ids=["550 s", "5 days"])
def test_it_leaves_a_busy_service_alone_as_it_asks_within_ten_minutes(aep, trigger, pauses, asked, heeded):
    waiting = trigger()
    aep.fail_next(429, retry_after=asked, match="GET /runs")
    (event,) = events(waiting)
    assert pauses[0] < 70
    assert pauses[1] == heeded
    assert pauses[2] < 70
    assert event["status"] == "finished"


def test_one_that_an_older_version_stored_with_days_to_wait_looks_after_ten_minutes(trigger, pauses):
    events(trigger(asked_to_wait=432_000.0))
    assert pauses[0] == 600


def test_at_its_deadline_a_busy_service_is_waited_for_no_longer(aep, trigger, pauses, clock):
    waiting = trigger(deadline=clock() + 300)
    aep.fail_next(429, retry_after=432_000, match="GET /runs")
    (event,) = events(waiting)
    assert event["status"] == "timeout"
    assert clock() == pytest.approx(waiting.deadline)


def test_a_service_that_is_down_for_an_hour_is_waited_out(aep, trigger, pauses):
    waiting = trigger()
    aep.fail_next(503, times=100, match="GET /runs")
    (event,) = events(waiting)
    assert event["status"] == "finished"


def test_a_run_beyond_the_window_is_not_the_one(trigger, pauses, now):
    (event,) = events(trigger(started_before=(now + timedelta(minutes=30)).isoformat()))
    assert event["status"] == "timeout"


def test_it_only_reads(aep, trigger, pauses):
    waiting = trigger()
    aep.log.clear()
    events(waiting)
    assert {request.method for request in aep.log if not request.path.startswith("/ims/")} == {"GET"}


def test_a_token_that_expires_is_no_news(aep, trigger, pauses):
    waiting = trigger()
    events(trigger(deadline=1.0))
    aep.expire_tokens()
    (event,) = events(waiting)
    assert event["status"] == "finished"


@pytest.mark.parametrize(("status", "kind"), [(403, AepAuthError), (404, AepNotFoundError)])
def test_what_no_waiting_mends_is_told_with_its_class(aep, trigger, pauses, status, kind):
    waiting = trigger()
    aep.fail_next(status, match="GET /runs")
    (event,) = events(waiting)
    assert json.loads(json.dumps(event)) == event
    assert event["status"] == "error"
    again = error_from_json(event["error"])
    assert type(again) is kind
    assert again.status == status


def test_a_login_that_is_refused_for_a_while_ends_no_wait(aep, trigger, pauses):
    waiting = trigger()
    aep.expire_tokens()
    aep.fail_next(400, times=3, match="/ims/token")
    (event,) = events(waiting)
    assert event["status"] == "finished"


def test_a_connection_that_cannot_be_read_is_told_at_the_timeout(trigger, pauses, monkeypatch):
    waiting = trigger()
    monkeypatch.delenv("AIRFLOW_CONN_AEP_DEFAULT")
    (event,) = events(waiting)
    assert event["status"] == "timeout"
    assert "aep_default" in event["last_seen"]


def test_being_cancelled_ends_it_without_an_event_and_ends_the_poll(aep, trigger):
    async def cancelled() -> tuple[list[Any], int]:
        seen: list[Any] = []

        async def run() -> None:
            seen.extend([event async for event in trigger().run()])

        task = asyncio.create_task(run())
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)
        return seen, len(asyncio.all_tasks())

    assert asyncio.run(cancelled()) == ([], 1)


API = {"doing": "GET /runs", "message": "no", "code": "FLOW-1-2", "request_id": "r", "hint": "Look."}
ERRORS = [
    AepError("x"),
    AepConfigError("x"),
    AepValidationError("the ids", [Problem("/a", "is missing")], "Mend it."),
    AepTransportError("x", sent=True),
    AepAuthError(status=403, **API),
    AepNotFoundError(status=404, **API),
    AepPreconditionError(status=412, **API),
    AepRateLimitError(status=429, retry_after=900.0, **API),
    AepServerError(status=503, **API),
    AepAmbiguousNameError("x", ["a", "b"]),
    AepConflictError("x", ["a"]),
    AepRunFailedError("x", {"outcome": "fail"}),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_keeps_class_words_and_details_through_an_event(error):
    again = error_from_json(json.loads(json.dumps(error_to_json(error))))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_an_event_loop_that_has_ended_is_not_kept_for_its_polls():
    class Poll:
        """Holds its loop, as whatever has waited in it does."""

        def __init__(self, aep_conn_id: str, sandbox: str | None) -> None:
            self.loop = asyncio.get_running_loop()

    async def ask() -> Any:
        poll = poll_of(Poll, "aep_default", None)
        assert poll_of(Poll, "aep_default", None) is poll
        return ref(poll)

    first, _ = asyncio.run(ask()), asyncio.run(ask())
    gc.collect()
    assert first() is None
