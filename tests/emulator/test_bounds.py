"""What the emulator takes for a number, and how it declines the rest."""

from __future__ import annotations

import math
import time
from itertools import pairwise

import pytest

from airflow_provider_aep.emulator import Clock, Emulator, lifecycle
from airflow_provider_aep.emulator.entities import milliseconds

HOUR = 3600
YEAR = 365 * 24 * HOUR
CRM = "5ef3e3259ad2a1191ab7dd7d"
EVENTS = "6501aa10c2d3e4f5061728a1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("hour", value) for value in (0, 1e-9, -1, math.nan, math.inf, "2", True)),
        *(("run_seconds", value) for value in (-1, math.nan, math.inf)),
        *((name, -1) for name in ("late_seconds", "adhoc_seconds", "initializing_seconds")),
        *(("token_seconds", value) for value in (0, math.nan)),
        *(("page_size", value) for value in (0, 101, 2.5)),
        *(("sandboxes", value) for value in ((), ("",), ("prod", ""), ("prod", "prod"), ("a b",), "prod")),
    ],
)
def test_an_emulator_declines_what_it_could_not_live_with_and_names_it(field, value):
    with pytest.raises(ValueError, match=f"^{field} must be "):
        Emulator(**{field: value})


def test_the_ends_of_the_bounds_are_allowed():
    Emulator(hour=0.01, run_seconds=0, page_size=100, token_seconds=1, sandboxes=["dev"])


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1, 101 * YEAR, 1e12, "60", None])
def test_a_clock_declines_a_step_that_nobody_could_mean(seconds):
    clock = Clock()
    before = clock.now
    with pytest.raises(ValueError, match=r"^seconds must be a number from 0 to "):
        clock.advance(seconds)
    assert clock.now == before


def test_a_century_ahead_is_the_end_of_all_steps_together():
    clock = Clock()
    clock.advance(60 * YEAR)
    with pytest.raises(ValueError, match="100 years"):
        clock.advance(60 * YEAR)
    clock.advance(40 * YEAR)


@pytest.mark.parametrize("hour", [0.01, 3600.0])
def test_a_century_passes_quickly(make_caller, hour):
    api = make_caller(hour=hour)
    flow = api.export(CRM, EVENTS, endTime=int(api.clock.now) + 90 * YEAR)["flow"]
    began = time.monotonic()
    api.clock.advance(100 * YEAR)
    api.emulator.tick()
    counts = {each.id: api.emulator.count_rows(each.id) for each in api.emulator.datasets()}
    api.emulator.run_now(flow)
    assert time.monotonic() - began < 3
    assert counts[EVENTS] > 100 * YEAR / hour * 100


def test_many_files_of_a_long_absence_are_written_in_several_calls(make_caller, tmp_path, monkeypatch):
    monkeypatch.setattr(lifecycle, "WORK_PER_CALL", 5)
    api = make_caller(root=tmp_path, run_seconds=0)
    api.export(CRM, interval=3)
    # An export of some rows is a file; the first counts for two, as it has more than 1,000 rows.
    api.clock.advance(HOUR + 9 * 3 * HOUR)
    seen = [len(api.emulator.entities("runs")) for _ in range(3)]
    assert seen == [5, 10, 10]


def test_a_dataset_grows_evenly_once_its_history_is_long(emulator):
    day = 24 * HOUR
    counts = []
    for _ in range(500):
        emulator.clock.advance(day)
        counts.append(emulator.count_rows(CRM))
    gains = [later - earlier for earlier, later in pairwise(counts)]
    assert min(gains) > 0
    assert len(set(gains[:300])) > 10
    assert set(gains[450:]) == {24 * 24}


@pytest.mark.parametrize("rows", [-1, 1.5, math.inf, math.nan, "7", True, 1_000_001])
def test_rows_are_only_added_and_in_numbers_one_can_wait_for(emulator, rows):
    before = emulator.count_rows(CRM)
    with pytest.raises(ValueError, match=r"^rows must be a whole number from 0 to 1000000"):
        emulator.add_rows(CRM, rows)
    assert emulator.count_rows(CRM) == before


@pytest.mark.parametrize("after", [0.0, 0.0001, 0.0004, 0.0005, 0.0009996, 0.9996, 0.005, 0.123, 0.9999999])
def test_a_time_in_milliseconds_is_the_last_one_that_has_passed(after):
    now = 1_767_225_600 + after
    assert 0 <= now - milliseconds(now) / 1000 < 0.001001


def test_a_whole_millisecond_stays_what_it_is():
    stamps = range(1_767_225_600_000, 1_767_225_601_000)
    assert [milliseconds(stamp / 1000) for stamp in stamps] == list(stamps)


def test_a_run_never_carries_a_time_later_than_the_clock(make_caller):
    api = make_caller(run_seconds=0)
    flow = api.export(CRM)["flow"]
    api.clock.advance(10.9996)
    api.emulator.run_now(flow)
    (run,) = api.runs(flow)
    assert run["createdAt"] / 1000 <= api.clock.now
    assert run["metrics"]["durationSummary"]["completedAtUTC"] / 1000 <= api.clock.now


def test_a_late_run_that_is_ended_by_hand_begins_then(make_caller):
    api = make_caller(run_seconds=0)
    flow = api.export(CRM)["flow"]
    api.emulator.script_runs(flow, ["late"])
    (run_id,) = api.emulator.run_now(flow)
    api.emulator.finish_run(run_id)
    (run,) = api.runs(flow)
    assert run["createdAt"] / 1000 <= api.clock.now
