"""What the browser side is told of an export."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_aep.page.answers import export_row
from airflow_provider_aep.page.reading import read_snapshot

HOUR = 3600


@pytest.fixture
def row(run, clock):
    """``row()``: the one export of the sandbox as the table shows it."""

    def row():
        now = datetime.fromtimestamp(clock(), tz=UTC)
        snapshot = run(read_snapshot("prod", None, now=now))
        (one,) = snapshot.exports.values()
        return export_row(one, snapshot.facts, conn_id="aep_default", sandbox="prod", now=now)

    return row


def test_a_missing_tick_is_explained_though_the_last_run_was_good(row, emulator, clock, make_dataflow):
    emulator.script_runs(make_dataflow(), ["success", "late"])
    clock.advance((1 + 3 + 2.6) * HOUR)
    told = row()
    assert (told["outcome"], told["verdict"]["outcome"]) == ("fail", "ok")
    assert "no run 15" in told["warnings"][0]


def test_a_tick_that_is_still_awaited_is_no_finding(row, clock, make_dataflow):
    make_dataflow()
    clock.advance((1 + 3) * HOUR + 30)
    told = row()
    assert (told["outcome"], told["warnings"]) == ("ok", [])


def test_a_long_name_is_cut_and_days_left_are_whole(row, make_dataflow, now):
    make_dataflow("n" * 250)
    told = row()
    assert told["name"] == "n" * 250
    assert isinstance(told["days_left"], int)
    assert told["next_tick"] is not None
