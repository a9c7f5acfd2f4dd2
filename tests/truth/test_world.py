"""The histories themselves: each holds what its name says, and the service lists it as it was at a moment."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from airflow_provider_aep.flowservice.dataflows import list_dataflows
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.listing import list_entities, only
from airflow_provider_aep.flowservice.runs import list_runs_of
from tests.truth.histories import HISTORIES, History, base, late_several_times_in_a_row, make
from tests.truth.listing import Service
from tests.truth.world import HOUR, LACKING, MINUTE

DAY = timedelta(days=1)


def test_the_base_history_is_the_measure() -> None:
    world = make(base)
    fates = Counter(tick.fate for tick in world.ticks)
    bad = 1 - fates["good"] / len(world.ticks)
    assert len(world.ticks) > 1_700
    assert 0.07 < bad < 0.14
    assert set(fates) == {"good", "failed", "zero_records", "missing", "stuck", "incomplete"}
    starts = [run.started_at - tick.at for tick in world.ticks for run in tick.runs]
    assert min(starts) >= -2 * MINUTE
    assert max(starts) <= 140 * MINUTE
    assert 0.07 < sum(start > 15 * MINUTE for start in starts) / len(starts) < 0.13


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_a_history_is_made_of_its_seed_alone(history: History) -> None:
    exports = make(history, size=0.5).exports
    assert make(history, size=0.5).exports == exports
    assert make(history, size=0.5, seed=2).exports != exports


@pytest.mark.parametrize("history", HISTORIES, ids=lambda history: history.__name__)
def test_what_happened_is_listed_within_the_lag(history: History) -> None:
    world = make(history)
    late = 0
    for export in world.exports:
        assert len({run.id for run in export.runs}) == len(export.runs)
        for run in export.runs:
            assert run.listed_at < run.started_at + 15 * MINUTE
            if run.ended_at and run.end_listed_at:
                late += run.end_listed_at >= run.ended_at + 15 * MINUTE
    assert (late == 0) is world.within_lag


def test_hourly_runs_are_late_in_a_row_and_never_near_a_tick_without_one() -> None:
    rows = 0
    for export in make(late_several_times_in_a_row).exports:
        late = {
            tick.at for tick in export.ticks for run in tick.runs if run.started_at - tick.at > 45 * MINUTE
        }
        for tick in export.ticks:
            if tick.step == HOUR:
                rows += {tick.at, tick.at + HOUR, tick.at + 2 * HOUR} <= late
                assert tick.fate not in LACKING or not [at for at in late if abs(at - tick.at) <= 6 * HOUR]
    assert rows > 20


def test_a_run_is_under_way_until_the_listing_shows_its_end() -> None:
    world = make(base)
    service = Service(world)
    run = next(run for run in world.exports[0].runs if run.end_listed_at)
    seen = []
    assert run.end_listed_at
    for service.now in (run.listed_at - MINUTE, run.listed_at, run.end_listed_at):
        runs = drive(list_runs_of([run.dataflow_id], started_after=world.began), service)
        seen.append([each.finished for each in runs if each.id == run.id])
    assert seen == [[], [False], [True]]


def test_all_pages_of_a_listing_hold_every_run_once_newest_first() -> None:
    world = make(base)
    service = Service(world)
    service.now = world.ends
    ids = [export.id for export in world.exports]
    runs = drive(list_runs_of(ids, started_after=world.began - DAY), service)
    expected = [run.id for export in world.exports for run in export.runs if run.listed_at <= world.ends]
    assert sorted(run.id for run in runs) == sorted(expected)
    created = [run.raw["createdAt"] for run in runs]
    assert created == sorted(created, reverse=True)
    assert service.requests == {"/runs": -(-len(expected) // 100)}


def test_dataflows_and_their_datasets_can_be_read() -> None:
    world = make(base)
    service = Service(world)
    service.now = world.ends
    flows = drive(list_dataflows(), service)
    assert {flow.id for flow in flows} == {export.id for export in world.exports}
    wanted = only("id", *(flow.source_connection_ids[0] for flow in flows))
    for narrowed in (wanted, None):
        sources = drive(list_entities("/sourceConnections", narrowed), service)
        assert len(sources) == len(flows)
