"""Looking for the runs of many dataflows at once."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.errors import AepAuthError, AepNotFoundError
from airflow_provider_aep.flowservice.dataflows import delete_dataflow, get_dataflow, set_dataflow_state
from airflow_provider_aep.flowservice.exchange import Response
from airflow_provider_aep.monitoring.waits import TickWait, Wait
from airflow_provider_aep.monitoring.watch import look_for_many


@pytest.fixture
def flows(make_dataflow, emulator) -> list[str]:
    made = [make_dataflow(f"export {number}") for number in range(5)]
    emulator.log.clear()
    return made


@pytest.fixture
def look(run, now):
    """``look(flows)``: what a look sees for one wait on each."""

    def look(dataflow_ids, *, ask_why=(), doubt=(), **window):
        waits = [Wait(dataflow_id=each, **{"started_after": now, **window}) for each in dataflow_ids]
        return run(look_for_many(waits, now=now, ask_why=ask_why, doubt=doubt))

    return look


# Source: the error table: an ordering operator with several values, the nearest there is.
NO_LIST = {"type": "https://ns.adobe.com/aep/errors/FLOW-1443-400", "title": "several values", "status": 400}


def asked(emulator):
    return [f"{request.method} {request.path}" for request in emulator.log if "/ims/" not in request.path]


def test_one_request_asks_for_all(look, emulator, clock, flows):
    clock.advance(3600 + 1800)
    emulator.log.clear()
    seen = look(flows)
    assert asked(emulator) == ["GET /runs"]
    assert all(each.finished for each in seen)
    assert [each.runs[0].dataflow_id for each in seen] == flows


def test_a_dataflow_that_is_forbidden_spoils_the_list_of_the_others_once(
    look, emulator, make_dataflow, monkeypatch
):
    flows = [make_dataflow(f"export {number}") for number in range(30)]
    send, asking = emulator.send, []

    def forbids_one(request):
        if request.path == "/runs":
            asking.append(request)
            if any(flows[3] in value for _, value in request.query):
                return Response(403, {}, b'{"title": "no", "status": 403}')
        return send(request)

    monkeypatch.setattr(emulator, "send", forbids_one)
    for at_most in (31, 3, 3):  # now and then one that has no run is doubted
        asking.clear()
        seen = look(flows)
        assert [at for at, one in enumerate(seen) if isinstance(one, AepAuthError)] == [3]
        assert len(asking) <= at_most


def test_two_that_wait_for_one_dataflow_each_get_their_window(run, now, clock, flows):
    clock.advance(5 * 3600)
    waits = [
        Wait(dataflow_id=flows[0], started_after=now, started_before=now + timedelta(hours=2)),
        Wait(dataflow_id=flows[0], started_after=now + timedelta(hours=2)),
        Wait(dataflow_id=flows[1], started_after=now, expected=2),
    ]
    first, second, both = run(look_for_many(waits, now=now))
    assert first.runs[0].id != second.runs[0].id
    assert len(both.runs) == 2


def test_more_than_a_hundred_dataflows_are_asked_for_in_batches(look, emulator, make_dataflow):
    flows = [make_dataflow(f"export {number}") for number in range(130)]
    emulator.log.clear()
    seen = look(flows)
    assert [each.told for each in seen] == ["no run has started yet"] * 130
    assert asked(emulator) == ["GET /runs"] * 2


def test_reading_stops_where_every_wait_has_a_run_under_way(look, emulator, clock, now, flows, monkeypatch):
    for flow in flows:
        emulator.script_runs(flow, ["success", "in_progress"])
    clock.advance(4 * 3600 + 60)
    monkeypatch.setattr("airflow_provider_aep.flowservice.runs.LARGEST_PAGE", len(flows))
    emulator.log.clear()
    seen = look(flows, started_after=now - timedelta(days=10))
    assert not any(each.finished for each in seen)
    assert asked(emulator) == ["GET /runs"]
    assert len(emulator.entities("runs")) == 2 * len(flows)


def test_a_service_that_takes_no_list_is_asked_for_each_alone_and_says_so(
    look, emulator, clock, flows, caplog
):
    clock.advance(3600 + 1800)
    emulator.enter("several-values-refused")
    with caplog.at_level(logging.WARNING):
        for requests in (2 + len(flows), 2 + len(flows), len(flows), len(flows)):
            emulator.log.clear()
            assert all(each.finished for each in look(flows))
            assert asked(emulator) == ["GET /runs"] * requests  # the list twice, as once is no habit
    assert sum("takes no list of dataflows" in record.message for record in caplog.records) == 1


def test_a_list_is_tried_again_after_a_while(look, emulator, clock, flows):
    for _ in range(2):
        emulator.fail_next(400, times=2, match="GET /runs", body=NO_LIST)
        look(flows)
    for minute in range(60):
        clock.advance(60)
        emulator.log.clear()
        look(flows)
        assert asked(emulator) == ["GET /runs"] * (len(flows) if minute < 59 else 1)


GENERIC = {"title": "Bad Request", "status": 400}


@pytest.mark.parametrize(
    ("status", "times", "body"),
    [(408, 1, None), (408, 5, None), (425, 5, None), (400, 3, GENERIC), (400, 2, NO_LIST), (414, 1, None)],
)
def test_one_refusal_of_a_list_is_no_reason_to_give_up_lists(
    look, emulator, clock, flows, caplog, status, times, body
):
    clock.advance(3600 + 1800)
    emulator.fail_next(status, times=times, match="GET /runs", body=body)
    with caplog.at_level(logging.WARNING):
        look(flows)
        emulator.log.clear()
        assert all(each.finished for each in look(flows))
    assert asked(emulator) == ["GET /runs"]
    assert not caplog.records


def test_refusals_that_say_nothing_of_the_filter_never_end_lists(look, emulator, clock, flows):
    clock.advance(3600 + 1800)
    for _ in range(3):
        emulator.fail_next(400, times=3, match="GET /runs", body=GENERIC)
        assert all(each.finished for each in look(flows))
    emulator.log.clear()
    look(flows)
    assert asked(emulator) == ["GET /runs"]


def test_a_list_that_is_answered_between_two_refusals_is_not_given_up(look, emulator, clock, flows):
    for _ in range(2):
        emulator.fail_next(400, times=2, match="GET /runs", body=NO_LIST)
        look(flows)
        look(flows)
    emulator.log.clear()
    look(flows)
    assert asked(emulator) == ["GET /runs"]


def test_a_service_that_times_out_for_one_dataflow_ends_no_wait(look, emulator, flows):
    emulator.fail_next(408, times=20, match="GET /runs")
    assert [each.answered for each in look(flows[:1])] == [False]


def test_one_that_has_waited_for_a_week_makes_nobody_else_read_back_as_far(
    look, run, emulator, clock, make_dataflow
):
    flows = [make_dataflow(f"export {number}") for number in range(30)]
    run(set_dataflow_state(flows[0], "disabled"))
    week_ago = datetime.fromtimestamp(clock(), tz=UTC)
    clock.advance(7 * 24 * 3600)
    now = datetime.fromtimestamp(clock(), tz=UTC)
    waits = [
        Wait(dataflow_id=each, started_after=week_ago if each == flows[0] else now - timedelta(hours=1))
        for each in flows[::-1]
    ]
    emulator.log.clear()
    run(look_for_many(waits, now=now))
    assert len(asked(emulator)) == 2


class FirstOnly:
    """A service that reads a list of values as if only the first stood there, or as if none did."""

    def __init__(self, emulator, *, none=False):
        self.emulator, self.clock, self.none = emulator, emulator.clock, none

    def send(self, request):
        params = []
        for name, value in request.query:
            if name == "property" and "," in value:
                value = "flowId==nobody" if self.none else value.partition(",")[0]
            params.append((name, value))
        return self.emulator.send(replace(request, params=params))


@pytest.mark.parametrize("none", [False, True])
def test_a_list_that_leaves_dataflows_out_is_found_out(look, run, emulator, clock, flows, none):
    clock.advance(3600 + 1800)
    run.emulator = FirstOnly(emulator, none=none)
    looks = [look(flows) for _ in range(6)]
    assert all(each.finished for each in looks[-1])


@pytest.mark.parametrize("none", [False, True])
def test_a_last_look_is_never_blind(look, run, emulator, clock, flows, none):
    clock.advance(3600 + 1800)
    run.emulator = FirstOnly(emulator, none=none)
    assert all(each.finished for each in look(flows, doubt=range(len(flows))))


class LateFor:
    """A service whose first list comes just before a dataflow begins to run."""

    def __init__(self, emulator, flow):
        self.emulator, self.clock, self.flow, self.lists = emulator, emulator.clock, flow, 0

    def send(self, request):
        answer = self.emulator.send(request)
        if request.path != "/runs" or not any("," in value for _, value in request.query):
            return answer
        self.lists += 1
        if self.lists > 1:
            return answer
        items = [each for each in answer.json["items"] if each["flowId"] != self.flow]
        return Response(200, body=json.dumps({"items": items}).encode())


def test_a_run_that_comes_between_two_requests_is_not_a_hidden_one(look, run, emulator, clock, flows, caplog):
    clock.advance(3600 + 1800)
    run.emulator = LateFor(emulator, flows[2])
    with caplog.at_level(logging.WARNING):
        seen = look(flows, doubt=range(5))
    assert all(each.finished for each in seen)
    assert not caplog.records


def test_runs_of_long_ago_that_a_list_need_not_show_are_no_hidden_ones(
    look, emulator, clock, make_dataflow, monkeypatch, caplog
):
    daily = make_dataflow("daily", every="1d")
    clock.advance(12 * 3600)
    hourly = [make_dataflow(f"hourly {number}", every="1h") for number in range(3)]
    clock.advance(6 * 3600 + 1800)
    monkeypatch.setattr("airflow_provider_aep.flowservice.runs.LARGEST_PAGE", 3)
    moment = datetime.fromtimestamp(clock() - 3600, tz=UTC)
    with caplog.at_level(logging.WARNING):
        seen = look([daily, *hourly], doubt=range(4), started_after=moment)
    assert [each.finished for each in seen] == [False, True, True, True]
    assert not caplog.records


def test_a_service_that_keeps_to_lists_is_not_doubted(look, emulator, clock, flows):
    emulator.script_runs(flows[0], ["in_progress"])
    clock.advance(3600 + 1800)
    look(flows)  # several of them have runs
    clock.advance(600)
    emulator.log.clear()
    for _ in range(20):
        look(flows, started_after=datetime.fromtimestamp(clock(), tz=UTC))
    assert asked(emulator) == ["GET /runs"] * 20


def test_a_dataflow_that_is_deleted_ends_only_the_wait_for_it(look, run, emulator, flows):
    run(delete_dataflow(flows[2]))
    seen = look(flows, ask_why=range(5))
    assert isinstance(seen[2], AepNotFoundError)
    assert [each.told for each in seen if each is not seen[2]] == ["no run has started yet"] * 4


def test_a_dataflow_that_is_forbidden_ends_only_the_wait_for_it(look, emulator, clock, flows):
    clock.advance(3600 + 1800)
    emulator.fail_next(403, times=2, match="GET /runs")  # the list, and then the first of them alone
    seen = look(flows)
    forbidden = [each for each in seen if isinstance(each, AepAuthError)]
    assert len(forbidden) == 1
    assert sum(1 for each in seen if not isinstance(each, AepAuthError) and each.finished) == 4


def test_a_permission_that_is_missing_for_all_ends_no_wait(look, emulator, flows):
    emulator.fail_next(403, times=20, match="GET /runs")
    seen = look(flows)
    assert all("no answer" in each.told for each in seen)


@pytest.mark.parametrize("fault", [429, 503])
def test_a_service_that_is_down_is_what_was_seen(look, emulator, flows, fault):
    emulator.fail_next(fault, times=50, match="GET /runs")
    assert all("no answer" in each.told for each in look(flows))


def test_why_there_is_no_run_takes_one_request_more(look, run, emulator, make_dataflow, flows):
    seen = look(flows, ask_why=range(5))
    assert asked(emulator) == ["GET /runs", "GET /flows"]
    assert {each.told for each in seen} == {"no run has started yet"}


def test_nobody_waits_for_nothing(look, emulator):
    assert look([]) == []
    assert asked(emulator) == []


def test_a_look_without_an_answer_does_not_say_that_there_is_no_run(look, emulator, flows):
    emulator.fail_next(503, times=99, match="GET /runs")
    seen = look(flows, ask_why=range(5))
    assert {each.answered for each in seen} == {False}
    assert all(each.told.startswith("the service gave no answer") for each in seen)
    assert not emulator.requests("GET", "/flows*")


@pytest.mark.parametrize("trouble", [503, 429])
def test_an_outage_while_it_asks_why_is_no_reason_to_ask_for_each(look, emulator, flows, trouble):
    emulator.fail_next(trouble, times=99, match="GET /flows")
    seen = look(flows, ask_why=range(5))
    assert [each.told for each in seen] == ["no run has started yet"] * 5
    assert len(emulator.requests("GET", "/flows*")) == 5  # the five tries of one list


def test_why_there_is_no_run_is_said_of_what_was_waited_for(look, run, flows):
    run(set_dataflow_state(flows[1], "disabled"))
    first, second = look(flows[:2], ask_why=range(2), run_ids=("r-1",))
    assert first.told == "run r-1 is not listed yet"
    assert second.told == "run r-1 is not listed yet: dataflow 'export 1' is disabled"


def test_waits_for_ticks_do_not_make_others_read_as_far_back_as_they_do(run, emulator, clock, now, flows):
    """A tick takes the ticks before it, so it is asked for in a request of its own."""
    clock.advance(26 * 3600)
    late = now + timedelta(hours=26)
    tick = TickWait(at=now + timedelta(hours=25), flow=run(get_dataflow(flows[0])))
    emulator.log.clear()
    waits = [Wait(dataflow_id=each, started_after=late) for each in flows[1:]]
    waits.insert(2, Wait(dataflow_id=flows[0], started_after=now, tick=tick, step=tick.flow.step))
    seen = run(look_for_many(waits, now=late))
    assert asked(emulator) == ["GET /runs"] * 2
    asked_for = [dict(each.query)["property"].removeprefix("flowId==") for each in emulator.log]
    assert [sorted(each.split(",")) for each in asked_for] == [sorted(flows[1:]), [flows[0]]]
    assert [one.finished for one in seen] == [False, False, True, False, False]


def test_before_the_run_of_a_tick_has_ended_no_page_but_the_first_is_read(
    run, emulator, clock, now, flows, monkeypatch
):
    monkeypatch.setattr("airflow_provider_aep.flowservice.runs.LARGEST_PAGE", 2)
    emulator.script_runs(flows[0], ["success"] * 8 + ["in_progress"])
    clock.advance(25 * 3600 + 60)
    tick = TickWait(at=now + timedelta(hours=25), flow=run(get_dataflow(flows[0])))
    wait = Wait(dataflow_id=flows[0], started_after=now, tick=tick)
    emulator.log.clear()
    (seen,) = run(look_for_many([wait], now=now + timedelta(hours=25, minutes=1)))
    assert seen.told.endswith(" processing")
    assert len(asked(emulator)) == 1
    emulator.finish_run(seen.runs[0].id, "success")
    (seen,) = run(look_for_many([wait], now=now + timedelta(hours=25, minutes=1)))
    assert seen.finished
    assert len(asked(emulator)) == 1 + 5
