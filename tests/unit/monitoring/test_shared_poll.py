"""One poll for all who wait in one connection and sandbox."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_aep.flowservice.dataflows import delete_dataflow
from airflow_provider_aep.monitoring import shared_poll
from airflow_provider_aep.monitoring.shared_poll import SharedPoll
from airflow_provider_aep.monitoring.waits import Wait

HOUR = 3600.0
OF_A_WAIT = {"started_before", "expected", "run_ids", "ends_stuck"}


@pytest.fixture
def together(run, clock, now, emulator, poll_moves):
    """``together((flow, {...}), ...)``: all wait at once, the clock leaps; how each wait ended."""

    def all_wait(*waits: tuple[str, dict[str, Any]], poll: SharedPoll | None = None, during=lambda: None):
        def pass_time(seconds: float) -> None:
            clock.advance(seconds)
            during()

        poll_moves(pass_time)

        async def converse(exchange):
            return run(exchange)

        async def scene():
            shared = poll or SharedPoll(converse)
            waiting = [
                asyncio.ensure_future(
                    shared.wait(
                        Wait(
                            dataflow_id=flow,
                            started_after=given.pop("started_after", now),
                            **{name: given.pop(name) for name in OF_A_WAIT & given.keys()},
                        ),
                        **{"deadline": clock() + 5 * HOUR, "interval": 60.0, **given},
                    )
                )
                for flow, given in waits
            ]
            await asyncio.sleep(0)
            task = asyncio.ensure_future(shared.run())
            ends = await asyncio.gather(*waiting)
            task.cancel()
            return ends

        emulator.log.clear()
        return asyncio.run(scene())

    return all_wait


def looks(emulator) -> int:
    return sum(1 for request in emulator.log if request.path == "/runs")


def test_fifty_that_wait_cost_one_request_a_look(together, emulator, make_dataflow):
    flows = [make_dataflow(f"export {number}") for number in range(50)]
    ends = together(*((flow, {}) for flow in flows))
    assert {end["status"] for end in ends} == {"finished"}
    assert [end["runs"][0]["flowId"] for end in ends] == flows
    # A look a minute, for an hour and the length of a run; at every fifth, one is asked for alone.
    assert looks(emulator) < 90


def test_the_dataflows_of_all_that_end_together_are_read_in_one_request(together, emulator, make_dataflow):
    flows = [make_dataflow(f"export {number}") for number in range(50)]
    ends = together(*((flow, {"with_flow": True}) for flow in flows))
    assert [end["dataflow"]["id"] for end in ends] == flows
    assert {end["dataflow"]["name"] for end in ends} == {f"export {number}" for number in range(50)}
    assert [request.path for request in emulator.log][-2:] == ["/runs", "/flows"]


def test_a_dataflow_that_cannot_be_read_takes_nothing_from_the_end(together, emulator, make_dataflow):
    flow = make_dataflow()
    emulator.fail_next(403, match="GET /flows", times=1000)
    (end,) = together((flow, {"with_flow": True}))
    assert (end["status"], len(end["runs"])) == ("finished", 1)
    assert "dataflow" not in end


def test_each_is_looked_after_as_often_as_it_asked(together, emulator, clock, make_dataflow):
    emulator.script_runs(None, ["in_progress"])
    often, rarely = make_dataflow("often"), make_dataflow("rarely")
    end = clock() + HOUR
    together(
        (often, {"interval": 60.0, "deadline": end}),
        (rarely, {"interval": 600.0, "deadline": end}),
    )
    asked = [
        next(value for name, value in request.query if name == "property")
        for request in emulator.log
        if request.path == "/runs"
    ]
    # At most 67 looks, as jitter may have it; at every fifth, one of the two is asked for alone.
    assert 58 <= sum(often in each for each in asked) <= 82
    assert 6 <= sum(rarely in each for each in asked) <= 34
    assert len(asked) <= 82  # whoever asks rarely comes along with the other


def test_who_joined_at_another_moment_soon_shares_the_same_requests(together, emulator, clock, make_dataflow):
    emulator.script_runs(None, ["in_progress"])
    end = clock() + HOUR
    flows = [make_dataflow(f"export {number}") for number in range(6)]
    together(*((flow, {"deadline": end, "first_pause": 60.0 + 9 * at}) for at, flow in enumerate(flows)))
    assert looks(emulator) < 80  # and not 6 times 60


def test_a_dataflow_that_is_deleted_ends_only_the_wait_for_it(together, run, emulator, make_dataflow):
    flows = [make_dataflow(f"export {number}") for number in range(3)]
    run(delete_dataflow(flows[1]))
    ends = together(*((flow, {}) for flow in flows))
    assert [end["status"] for end in ends] == ["finished", "error", "finished"]
    assert ends[1]["error"]["class"] == "AepNotFoundError"


def test_a_refused_list_is_told_once_and_tried_again_after_a_while(together, emulator, make_dataflow, caplog):
    flows = [make_dataflow(f"export {number}") for number in range(3)]
    emulator.enter("several-values-refused")
    with caplog.at_level(logging.WARNING):
        ends = together(*((flow, {}) for flow in flows))
    assert {end["status"] for end in ends} == {"finished"}
    # Told for an hour, and a run takes a little longer.
    assert sum("takes no list of dataflows" in record.message for record in caplog.records) in (1, 2)
    lists = [
        request
        for request in emulator.log
        if request.path == "/runs"
        and "," in str(request.query)
        and any(name == "property" and "," in value for name, value in request.query)
    ]
    # At once again, as once is no habit; at the next look; and when the hour is over.
    assert 4 <= len(lists) <= 8


def test_a_service_that_is_down_for_a_while_ends_no_wait(together, emulator, make_dataflow):
    flows = [make_dataflow(f"export {number}") for number in range(3)]
    emulator.fail_next(503, times=200, match="GET /runs")
    assert {end["status"] for end in together(*((flow, {}) for flow in flows))} == {"finished"}


def test_a_fault_in_the_poll_itself_ends_no_wait(together, run, emulator, make_dataflow, monkeypatch, caplog):
    flows = [make_dataflow(f"export {number}") for number in range(3)]
    look_for_many, failures = shared_poll.look_for_many, iter([True] * 5)

    def broken(*given: Any, **more: Any) -> Any:
        if next(failures, False):
            raise RuntimeError("boom")
        return look_for_many(*given, **more)

    monkeypatch.setattr(shared_poll, "look_for_many", broken)
    with caplog.at_level(logging.WARNING):
        ends = together(*((flow, {}) for flow in flows))
    assert {end["status"] for end in ends} == {"finished"}
    assert sum("boom" in record.message for record in caplog.records) == 1


def test_the_last_look_at_each_deadline_tells_why(together, clock, now, make_dataflow, run):
    from airflow_provider_aep.flowservice.dataflows import set_dataflow_state

    flow = make_dataflow("nightly")
    run(set_dataflow_state(flow, "disabled"))
    early, late = together(
        (flow, {"deadline": clock() + 100}), (flow, {"deadline": clock() + 1000, "interval": 333.0})
    )
    assert (
        early
        == late
        == {
            "status": "timeout",
            "last_seen": "no run has started yet: dataflow 'nightly' is disabled",
        }
    )
    assert clock() >= now.timestamp() + 1000


def test_what_is_seen_is_told_when_it_is_new(together, clock, emulator, make_dataflow):
    emulator.script_runs(None, ["in_progress"])
    told: list[str] = []
    together((make_dataflow("nightly"), {"deadline": clock() + 2 * HOUR, "tell": told.append}))
    assert len(told) == 2
    assert told[0] == "no run has started yet"
    assert told[1].endswith(" processing")


def test_a_thousand_that_wait_are_not_woken_for_one(together, emulator, clock, now, make_dataflow):
    """Whoever has no news of its own sleeps through a look."""
    flow, other = make_dataflow("one"), make_dataflow("another")
    woken: list[str] = []
    ends = together(
        (flow, {}),
        *(
            (other, {"expected": 9, "deadline": clock() + 2 * HOUR, "tell": woken.append})
            for _ in range(1000)
        ),
    )
    assert ends[0]["status"] == "finished"
    assert {end["status"] for end in ends[1:]} == {"timeout"}
    assert len(woken) == 3000  # no run yet, then one of nine under way, then one of nine finished
    assert looks(emulator) < 165
    assert now + timedelta(hours=2) <= datetime.fromtimestamp(clock(), tz=UTC)


def test_what_is_usual_is_asked_once_for_a_run_that_many_wait_for(together, emulator, clock, make_dataflow):
    emulator.script_runs(None, ["success"] * 4 + ["in_progress"])
    flow = make_dataflow("nightly")
    clock.advance(13 * HOUR + 60)
    waits = [
        (flow, {"deadline": clock() + 4 * HOUR, "started_after": moment(clock() - 60)}) for _ in range(20)
    ]
    ends = together(*waits)
    assert {end["status"] for end in ends} == {"timeout"}
    assert all("was still under way 2 hours 30 minutes" in end["last_seen"] for end in ends)
    assert len(emulator.requests("GET", "/flows/*")) == 1
    assert looks(emulator) < 4 * 60 * 1.2


def test_a_window_that_passes_ends_the_wait_early(together, clock, now, make_dataflow):
    (end,) = together((make_dataflow(), {"started_before": now + timedelta(minutes=10)}))
    assert (end["status"], end["in_vain"]) == ("timeout", True)
    assert clock() < now.timestamp() + HOUR


def test_trouble_while_it_asks_what_is_usual_ends_no_wait(together, emulator, clock, make_dataflow):
    emulator.script_runs(None, ["success"] * 4 + ["in_progress"])
    flow = make_dataflow("nightly")
    clock.advance(13 * HOUR + 60)
    emulator.fail_next(403, times=10, match="GET /flows/")
    given = {"deadline": clock() + 4 * HOUR, "started_after": moment(clock() - 60), "ends_stuck": True}
    (end,) = together((flow, given))
    assert (end["status"], len(end["runs"])) == ("finished", 1)
    assert end["stuck"].startswith(f"run {end['runs'][0]['id']} was still under way 2 hours 30 minutes")


def test_a_given_run_that_began_long_ago_is_asked_for_alone_and_an_outage_of_that_waited_out(
    together, emulator, clock, make_dataflow, monkeypatch
):
    monkeypatch.setattr("airflow_provider_aep.flowservice.runs.LARGEST_PAGE", 1)
    flow = make_dataflow("nightly")
    emulator.script_runs(flow, ["in_progress"])
    (run_id,) = emulator.run_now(flow)
    clock.advance(40 * HOUR)  # newer runs hide it from the first page
    emulator.fail_next(503, times=12, match="GET /runs/")
    polls: list[None] = []

    def during() -> None:
        polls.append(None)
        if len(polls) == 10:
            emulator.finish_run(run_id, "success")

    (end,) = together((flow, {"run_ids": (run_id,), "started_after": moment(clock())}), during=during)
    assert [run["id"] for run in end["runs"]] == [run_id]
    assert [each.status for each in emulator.requests("GET", f"/runs/{run_id}")].count(503) == 12


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
