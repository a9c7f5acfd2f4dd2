"""What the browser side is told of the ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.page import sources
from airflow_provider_aep.page.sources import Sources
from airflow_provider_aep.page.usage import ledger_row, read_ledger
from airflow_provider_aep.times import zone_of

DAY = 86_400
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def clock():
    """It does not come near the end of a year, whenever the tests run."""
    return Clock(JUNE.timestamp())


@pytest.fixture
def told(run, clock):
    """``told("exported_bytes=5TB/year")``: the ledger as the browser gets it."""

    def told(allowance=""):
        now = datetime.fromtimestamp(clock(), tz=UTC)
        return json.loads(ledger_row("aep_default", run(read_ledger("prod", allowance=allowance, now=now))))

    return told


def test_months_exports_and_destinations_are_the_same_sum(told, emulator, clock, make_dataflow):
    make_dataflow("one", every="1d")
    make_dataflow("other", every="1d")
    clock.advance(5 * DAY)
    found = told()
    for part in ("months", "exports", "datasets", "destinations"):
        assert sum(each["bytes"] for each in found[part]) == found["total"]["bytes"] > 0
    assert [each["destination"] for each in found["exports"]] == ["Data Landing Zone"] * 2
    dataset = emulator.datasets()[0]
    assert [(each["id"], each["name"]) for each in found["datasets"]] == [(dataset.id, dataset.name)]


def test_the_ledger_says_where_its_days_begin(run, clock, make_dataflow):
    make_dataflow("one", every="1d")
    now = datetime.fromtimestamp(clock(), tz=UTC)
    found = run(read_ledger("prod", allowance="", now=now, zone=zone_of("Asia/Tokyo")))
    assert json.loads(ledger_row("aep_default", found))["timezone"] == "Asia/Tokyo"


def test_a_dataset_whose_name_may_not_be_seen_is_told_by_its_id(told, emulator, clock, make_dataflow):
    make_dataflow("one", every="1d")
    clock.advance(5 * DAY)
    emulator.fail_next(403, times=9, match="/configs")
    assert [each["name"] for each in told()["datasets"]] == [emulator.datasets()[0].id]


def test_an_allowance_of_the_setting_is_told_and_one_that_cannot_be_read_too(told, clock, make_dataflow):
    make_dataflow("one", every="1d")
    clock.advance(5 * DAY)
    both = told("exported_bytes=1B/year, exported_records=2000000/month")
    assert both["allowances"][0]["status"] == "used_up"
    assert (len(both["allowances"]), both["problem"]) == (2, "")
    broken = told("5TB")
    assert broken["allowances"] == []
    assert broken["problem"].startswith(
        "The setting [aep] page_allowance: allowance must be a text of the form"
    )


def test_what_an_hour_shares_is_read_again_soon_after_trouble(run, emulator, clock, monkeypatch):
    past = [0.0]
    monkeypatch.setattr(sources.time, "monotonic", lambda: past[0])

    def read(conn_id, sandbox, before):
        return run(read_ledger("prod", allowance="", now=datetime.fromtimestamp(clock(), tz=UTC)))

    shared = Sources(read, ledger_row).of("aep_default", None)

    def state():
        shared.look(fresh_seconds=3600, patience=10)
        shared._reader.join(10)
        return shared.look(fresh_seconds=3600, patience=10).state

    emulator.fail_next(403, times=9, match="GET /flows")
    assert state() == "error"
    emulator.clear_faults()
    past[0] = 30
    assert state() == "error"
    past[0] = 61
    assert state() == "ok"


def test_a_sandbox_without_runs_has_no_total_and_says_so_as_nothing(told):
    found = told()
    assert (found["total"], found["months"], found["exports"]) == (None, [], [])


def test_viewers_share_a_ledger_as_they_share_the_exports(run, emulator, clock, make_dataflow):
    make_dataflow("one", every="1d")
    clock.advance(2 * DAY)
    emulator.log.clear()

    def read(conn_id, sandbox, before):
        return run(read_ledger("prod", allowance="", now=datetime.fromtimestamp(clock(), tz=UTC)))

    shared = Sources(read, ledger_row)
    seen = [shared.of("aep_default", None).look(fresh_seconds=3600, patience=10) for _ in range(5)]
    assert len([each for each in emulator.requests() if each.path.endswith("/runs")]) == 1
    assert {each.state for each in seen} == {"ok"}
