"""What the browser side is told of an export."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.monitoring.audit import audit_exports
from airflow_provider_aep.page.answers import export_detail, export_row
from airflow_provider_aep.page.reading import read_snapshot

HOUR = 3600


@pytest.fixture
def snapshot(run, clock):
    """``snapshot()``: the sandbox, read at this moment."""
    return lambda: run(read_snapshot("prod", None, now=datetime.fromtimestamp(clock(), tz=UTC)))


@pytest.fixture
def row(snapshot):
    """``row()``: the one export of the sandbox as the table shows it."""

    def row():
        seen = snapshot()
        (one,) = seen.exports.values()
        return export_row(one, seen.facts, conn_id="aep_default", sandbox="prod", now=seen.at)

    return row


@pytest.fixture
def detail(snapshot):
    """``detail()``: the same export opened."""

    def detail():
        seen = snapshot()
        (one,) = seen.exports.values()
        return export_detail(one, seen)

    return detail


def test_a_missing_tick_is_explained_though_the_last_run_was_good(row, emulator, clock, make_dataflow):
    emulator.script_runs(make_dataflow(), ["success", "never"])
    clock.advance((1 + 3 + 2.6) * HOUR)
    told = row()
    assert (told["outcome"], told["decided"]["kind"]) == ("fail", "missing")
    assert [kind for _, kind, *_ in told["ticks"]] == ["good", "missing"]
    assert told["decided"]["told"].startswith("no run started within 2 hours 30 minutes after the tick of ")


def test_a_tick_that_is_missing_among_good_ones_is_counted_beside_good_now(
    row, run, emulator, clock, make_dataflow, now
):
    emulator.script_runs(make_dataflow(end=now + timedelta(days=300)), ["success"] * 21 + ["never"])
    clock.advance((1 + 29 * 3) * HOUR + 1800)
    told = row()
    assert (told["outcome"], told["decided"]["kind"], told["bad"], len(told["ticks"])) == (
        "ok",
        "good",
        1,
        30,
    )
    assert [kind for _, kind, *_ in told["ticks"]].count("missing") == 1
    at = datetime.fromtimestamp(clock(), tz=UTC)
    check = run(audit_exports(since=at - timedelta(days=2), until=at, now=at))
    assert check.outcome == "fail"


def test_a_run_under_way_is_told_with_how_long_it_takes_as_a_rule(row, emulator, clock, make_dataflow):
    emulator.script_runs(make_dataflow(), ["success"] * 5 + ["in_progress"])
    clock.advance((1 + 5 * 3 + 1) * HOUR)
    told = row()
    assert told["current"]["kind"] == "running"
    assert told["current"]["told"].endswith("has been under way for 1 hour; usually it takes 3 minutes")
    assert (told["decided"]["kind"], told["outcome"]) == ("good", "ok")


def test_an_export_that_hangs_for_days_is_stuck_and_delivers_nothing(
    row, detail, emulator, clock, make_dataflow
):
    emulator.script_runs(make_dataflow(every="1d"), ["success"] + ["in_progress"] * 10)
    clock.advance((1 + 10 * 24 + 2) * HOUR)
    told = row()
    assert (told["outcome"], told["decided"]["kind"]) == ("fail", "stuck")
    assert "has been under way for 1 day 2 hours" in told["decided"]["told"]
    assert [kind for _, kind, *_ in told["ticks"]] == ["good"] + ["stuck"] * 9 + ["running"]
    assert told["last_good_at"] == detail()["runs"][-1]["completed_at"]
    assert {run["kind"] for run in detail()["runs"]} == {"good", "stuck", "running"}
    assert "has been under way for 9 days" in detail()["runs"][-2]["reason"]


def test_findings_are_told_as_a_check_tells_them_the_newest_first(
    detail, run, emulator, clock, make_dataflow, now
):
    emulator.script_runs(
        make_dataflow(end=now + timedelta(days=300)), ["failed", "success", "zero", "success"]
    )
    clock.advance((1 + 3 * 3 + 1) * HOUR)
    at = datetime.fromtimestamp(clock(), tz=UTC)
    (checked,) = run(audit_exports(since=now, until=at, now=at)).exports
    shown = detail()["findings"]
    for name in ("key", "kind", "outcome", "told"):
        assert [each[name] for each in shown] == [getattr(each, name) for each in reversed(checked.findings)]
    assert [each["kind"] for each in shown] == ["zero_records", "failed"]
    assert shown[0]["known_at"] >= shown[0]["tick"] > shown[1]["known_at"] > shown[1]["tick"]


def test_the_first_full_export_is_marked_and_no_measure_of_the_others(
    row, detail, emulator, clock, make_dataflow
):
    dataset = emulator.datasets()[0]
    emulator.add_rows(dataset.id, 100_000)
    make_dataflow()
    clock.advance((1 + 12 * 3) * HOUR + 1800)
    first, *others = row()["ticks"]
    assert (first[2] > 100_000, first[3:]) == (True, [True])
    assert {len(tick) for tick in others} == {3}
    assert max(tick[2] for tick in others) < 1_000
    told = detail()
    assert [run["is_first"] for run in told["runs"]] == [False] * 12 + [True]
    assert told["usual"]["records"]["high"] < 1_000


def test_an_export_that_was_disabled_before_the_ticks_that_are_shown_is_still_called_disabled(
    row, run, clock, make_dataflow
):
    dataflow_id = make_dataflow()
    clock.advance(10 * HOUR)
    run(set_dataflow_state(dataflow_id, "disabled"))
    clock.advance(10 * 24 * HOUR)
    told = row()
    assert told["outcome"] != "ok"
    assert told["warnings"][0].startswith("it is disabled and exports nothing")


def test_where_the_files_land_is_told_of_the_export_and_of_each_run(row, detail, clock, make_dataflow):
    make_dataflow()
    clock.advance((1 + 3 + 0.5) * HOUR)
    told = detail()
    assert told["lands"]["url"] == row()["lands_in"]
    assert told["lands"]["url"].startswith("abfs://dlz-destination/")
    assert told["lands"]["template"] == "%DATASET_ID%/%EXPORT_TIME%"
    assert told["lands"]["format"] in ("PARQUET", "JSON")
    (folder,) = told["runs"][0]["folders"]
    assert folder.startswith(told["lands"]["url"])
    assert "/exportTime=" in folder


def test_a_run_under_way_is_told_with_what_is_usual_and_no_folder(detail, emulator, clock, make_dataflow):
    emulator.script_runs(make_dataflow(), ["success"] * 5 + ["in_progress"])
    clock.advance((1 + 5 * 3 + 1) * HOUR)
    running, done, *_ = detail()["runs"]
    assert (running["kind"], running["usual_seconds"], running["folders"]) == ("running", 180.0, [])
    assert (done["usual_seconds"], len(done["folders"])) == (None, 1)


@pytest.mark.parametrize(
    ("left", "words"), [(3.6, "3 days 14 hours"), (1.4, "1 day 10 hours"), (0.04, "58 minutes")]
)
def test_the_column_of_the_end_says_what_the_warning_says(row, clock, make_dataflow, now, left, words):
    make_dataflow(end=now + timedelta(days=10))
    clock.advance((10 - left) * 24 * HOUR)
    told = row()
    assert told["ends_in"] == words
    assert told["warnings"][0].startswith(f"its schedule ends in {words}, on ")


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
    assert told["ends_in"].endswith(" days")
    assert told["next_tick"] is not None
