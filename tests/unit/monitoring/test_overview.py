"""What a page shows of the exports of a sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.errors import AepServerError
from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.monitoring.overview import read_overview, usual_range

HOUR = 3600


@pytest.fixture
def look(run, clock):
    """``look()``: the exports by name; ``look(earlier)`` reads only what is new since then."""

    def look(known=None):
        now = datetime.fromtimestamp(clock(), tz=UTC)
        before = {one.flow.id: one for one in known.values()} if known else None
        found, _ = run(read_overview(now=now, known=before))
        return {one.flow.name: one for one in found}

    return look


def kinds(one):
    return [state.kind for state in one.states]


def test_each_tick_is_coloured_by_what_its_run_brought(look, emulator, clock, make_dataflow):
    flow = make_dataflow("nightly")
    emulator.script_runs(flow, ["success", "zero", "partial", "failed", "success"])
    clock.advance((1 + 4 * 3) * HOUR + 1800)
    one = look()["nightly"]
    assert kinds(one) == ["good", "empty", "partial", "failed", "good"]
    assert one.states[0].records > one.states[-1].records > 0
    assert one.states[1].records == 0
    assert (one.decided.kind, one.outcome) == ("good", "ok")
    assert one.bad == 3


def test_ticks_without_a_run_wait_then_are_missing_and_may_yet_be_late(look, emulator, clock, make_dataflow):
    flow = make_dataflow("nightly")
    emulator.script_runs(flow, ["success", "late"])
    clock.advance((1 + 3) * HOUR + 600)
    seen = look()
    assert kinds(seen["nightly"]) == ["good", "waiting"]
    clock.advance(2.4 * HOUR)
    seen = look(seen)
    assert kinds(seen["nightly"]) == ["good", "missing"]
    assert seen["nightly"].outcome == "fail"
    clock.advance(0.4 * HOUR)
    seen = look(seen)
    assert kinds(seen["nightly"]) == ["good", "late"]
    assert seen["nightly"].outcome == "warn"


def test_no_more_than_the_last_thirty_ticks_are_shown(look, clock, make_dataflow):
    make_dataflow("nightly")
    clock.advance(40 * 3 * HOUR)
    one = look()["nightly"]
    assert len(one.states) == 30
    assert one.states == sorted(one.states, key=lambda state: state.at)
    assert len(one.runs) <= 30 + 10  # and those that tell how long a run of the first of them may take


def test_a_second_look_reads_only_what_is_new(look, emulator, clock, make_dataflow):
    flows = [make_dataflow(f"export {number}") for number in range(20)]
    clock.advance(30 * 3 * HOUR)
    emulator.log.clear()
    first = look()
    pages = len(emulator.requests("GET", "/runs"))
    assert pages >= 6  # 600 runs, 100 a page
    emulator.log.clear()
    clock.advance(3 * HOUR)
    second = look(first)
    assert len(emulator.requests("GET", "/runs")) == 1
    assert [one.states[-1].at - one.states[-2].at for one in second.values()] == [timedelta(hours=3)] * 20
    assert second["export 0"].states == look()["export 0"].states  # as if all had been read anew
    assert {one.flow.id for one in second.values()} == set(flows)


def test_a_run_that_was_under_way_is_read_again_until_it_has_ended(look, emulator, clock, make_dataflow):
    flow = make_dataflow("nightly")
    emulator.script_runs(flow, ["in_progress"])
    clock.advance(HOUR + 60)
    seen = look()
    assert kinds(seen["nightly"]) == ["running"]
    clock.advance(2 * HOUR)
    seen = look(seen)
    emulator.finish_run(emulator.entities("runs")[0]["id"])
    assert kinds(look(seen)["nightly"]) == ["good"]


def test_a_dataflow_that_is_switched_off_owes_nothing(look, run, clock, make_dataflow):
    flow = make_dataflow("nightly")
    run(set_dataflow_state(flow, "disabled"))
    clock.advance(10 * HOUR)
    one = look()["nightly"]
    assert kinds(one) == []
    assert [each.told for each in one.warnings] == ["it is disabled and exports nothing until it is enabled"]
    assert one.outcome == "warn"


def test_runs_outside_all_ticks_are_shown_as_they_came(look, emulator, clock, now, make_dataflow):
    flow = make_dataflow("by hand", start=now + timedelta(days=300), end=now + timedelta(days=900))
    emulator.run_now(flow)
    clock.advance(HOUR)
    assert kinds(look()["by hand"]) == ["good"]


def test_runs_that_cannot_be_read_leave_what_was_known_and_a_warning(look, emulator, clock, make_dataflow):
    make_dataflow("nightly")
    clock.advance(4 * HOUR + 1800)
    seen = look()
    emulator.fail_next(503, times=99, match="GET /runs")
    again = look(seen)["nightly"]
    assert kinds(again) == kinds(seen["nightly"]) == ["good", "good"]
    assert "could not be read" in again.warnings[0].told
    assert again.outcome == "fail"  # as a check has it: an outage is no good news
    # Of runs that were never read nobody knows whether they are missing.
    assert kinds(look()["nightly"]) == []


def test_dataflows_that_cannot_be_listed_are_an_error(look, emulator):
    emulator.fail_next(503, times=99, match="GET /flows")
    with pytest.raises(AepServerError):
        look()


def test_the_usual_is_the_middle_of_what_was_seen():
    assert usual_range([1, 2, 3, 4]) is None
    assert usual_range([*range(1, 10), 1000]) == {"low": 2, "median": 5, "high": 9}
