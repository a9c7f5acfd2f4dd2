"""Reading the ledger: how far back, with how many requests, and what is known of what is not listed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Response
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring import accounts
from airflow_provider_aep.monitoring.accounts import oldest_listed, read_accounts
from airflow_provider_aep.monitoring.allowance import parse_allowances, standing_of
from airflow_provider_aep.monitoring.usage import read_usage
from tests.unit.monitoring.histories import a_dataflow

DAY = 86_400
JULY = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def clock():
    return Clock(JULY.timestamp())


@pytest.fixture
def read(run, clock):
    """``read(most_pages=3)``: the ledger at this moment."""
    return lambda **given: run(read_usage(now=datetime.fromtimestamp(clock(), tz=UTC), **given))


@pytest.fixture
def days(clock, emulator):
    """``days(40)``: so many days pass, with all their runs."""

    def pass_days(number: float) -> None:
        clock.advance(number * DAY)
        for _ in range(20):
            emulator.tick()
        emulator.log.clear()

    return pass_days


@pytest.fixture
def forget_runs(emulator):
    """``forget_runs(before=...)``: the service lists none that was created earlier, in epoch seconds."""
    kept = emulator._world.entities

    def forget(*, before: float) -> None:
        for run in kept.all("runs", "prod"):
            if run["createdAt"] < before * 1000:
                kept.remove("runs", run)

    return forget


def asked_for_runs(emulator):
    return [request for request in emulator.log if request.path.endswith("/runs")]


def started(*ago):
    """Runs that started so many days before July."""
    return [
        DataflowRun.from_api(
            {"id": f"r{each}", "flowId": "f", "createdAt": (JULY.timestamp() - each * DAY) * 1000}
        )
        for each in ago
    ]


def test_an_export_that_began_in_the_year_is_known_whole_however_long_ago(read, make_dataflow, days):
    make_dataflow("daily", every="1d")
    days(100)
    found = read()
    (account,) = found.accounts
    assert (len(account.runs), account.missing, found.known_from) == (
        100,
        timedelta(),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert not any("known from" in note for note in found.notes())


def test_runs_that_are_no_longer_listed_are_missing_and_not_zero(
    read, emulator, clock, make_dataflow, days, forget_runs
):
    make_dataflow("daily", every="1d")
    days(100)
    forget_runs(before=clock() - 60 * DAY)
    found = read()
    (account,) = found.accounts
    assert (len(account.runs), account.missing.days) == (60, 40)
    since = f"known from {found.known_from:%Y-%m-%d} on"
    assert found.notes()[0] == f"{since}: older runs of 1 export are not listed, and are missing here"


def test_as_far_back_as_one_export_is_listed_another_with_fewer_runs_is_too():
    assert {
        each: (JULY - moment).days
        for each, moment in oldest_listed(
            {
                "busy": started(*range(1, 91)),
                "quiet": started(3, 5),
                "silent": [],
                "busiest": started(*(each / 4 for each in range(1, 121))),
            }
        ).items()
    } == {"busiest": 30, "busy": 90, "quiet": 90, "silent": 90}
    assert oldest_listed({"silent": []}) == {}


def test_of_exports_with_equally_many_runs_none_tells_of_the_other():
    # The service may keep so many runs of each, and not more.
    found = oldest_listed({"daily": started(1, 2, 3), "weekly": started(1, 8, 15)})
    assert (found["daily"], found["weekly"]) == (JULY - timedelta(days=3), JULY - timedelta(days=15))


def test_an_export_that_was_switched_off_long_ago_makes_nothing_unknown(read, run, make_dataflow, days):
    off = make_dataflow("off", every="1d")
    make_dataflow("daily", every="1d")
    days(20)
    run(set_dataflow_state(off, "disabled"))
    days(80)
    found = read()
    assert found.known_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert {one.flow.name: len(one.runs) for one in found.accounts} == {"daily": 100, "off": 20}


def test_a_bound_on_pages_holds_and_what_it_leaves_out_is_said_to_be_missing(
    read, emulator, make_dataflow, days
):
    for number in range(3):
        make_dataflow(f"daily {number}", every="1d")
    days(150)
    assert len(read().accounts[0].runs) == 150
    emulator.log.clear()
    found = read(most_pages=2)
    assert len(asked_for_runs(emulator)) == found.requests == 2
    assert found.cut_off
    assert sum(len(one.runs) for one in found.accounts) == 200
    assert found.known_from > JULY + timedelta(days=80)
    (note,) = [note for note in found.notes() if note.startswith("known from")]
    assert "were not read, and are missing here" in note


def test_a_weekly_export_that_a_bounded_list_does_not_reach_spoils_no_habit(
    read, run, emulator, make_dataflow, days
):
    # Where a list stops early, a run that lies before it is no sign that the list hides anything.
    make_dataflow("often", every="1h")
    rare = make_dataflow("rare", every="1d")
    days(5)
    run(set_dataflow_state(rare, "disabled"))
    days(20)
    for _ in range(25):
        read(most_pages=1)
    emulator.log.clear()
    read(most_pages=1)
    assert len(asked_for_runs(emulator)) == 1


def test_a_year_is_read_from_its_first_moment_and_a_run_belongs_to_the_day_it_started_on(
    read, clock, make_dataflow, days
):
    make_dataflow(
        "daily", every="1d", start=JULY + timedelta(hours=23, minutes=59), end=JULY + timedelta(days=900)
    )
    days(190.5)
    found = read()
    assert found.year == 2027
    assert found.known_from == datetime(2027, 1, 1, tzinfo=UTC)
    assert {row["period"] for row in found.table("export", "day")} == {
        f"2027-01-{day:02}" for day in range(1, 7)
    }
    before = read(year=2026)
    assert {row["period"] for row in before.table("export", "month")} == {
        f"2026-{month:02}" for month in range(7, 13)
    }
    assert len(before.accounts[0].runs) == 184


def test_a_run_that_is_under_way_counts_when_it_has_ended(read, emulator, make_dataflow, days):
    flow = make_dataflow("daily", every="1d")
    emulator.script_runs(flow, ["success", "in_progress"])
    days(2)
    found = read()
    assert (len(found.accounts[0].runs), found.accounts[0].under_way) == (1, 1)
    assert "1 run is under way: what has not ended is not counted" in found.notes()


def test_an_export_whose_runs_cannot_be_read_is_told_and_the_others_are_counted(
    read, emulator, make_dataflow, days
):
    make_dataflow("daily", every="1d")
    days(5)
    emulator.fail_next(403, times=9, match="GET /runs")
    (account,) = read().accounts
    assert account.why
    assert account.runs == []


def test_a_service_that_keeps_to_no_order_costs_no_more_than_the_bound(read, emulator, make_dataflow, days):
    make_dataflow("daily", every="1d")
    days(170)
    emulator.enter("orderby-ignored")
    assert len(read().accounts[0].runs) == 170
    make_dataflow("hourly", every="1h")
    days(20)
    emulator.log.clear()
    # The oldest come first: which are left out, nobody can tell.
    found = read(most_pages=3)
    assert len(asked_for_runs(emulator)) == found.requests == 3
    assert {one.why for one in found.accounts} == {"GET /runs: more than 3 pages, and not newest first"}
    assert {row["incomplete"] for row in found.table("sandbox", "year")} <= {True}


def test_a_year_of_a_hundred_hourly_exports_costs_a_hundred_requests_and_says_what_is_missing(
    run, emulator, clock
):
    end = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    clock.advance(end.timestamp() - clock())
    flows = [replace(a_dataflow("1h", start=JULY - timedelta(days=400)), id=f"f{n}") for n in range(100)]

    class Endless:
        # 876,000 runs, newest first.

        def __init__(self):
            self.asked = 0

        def send(self, request):
            if not request.path.endswith("/runs"):
                return emulator.send(request)
            first, self.asked = self.asked * 100, self.asked + 1
            runs = [document(number) for number in range(first, first + 100)]
            return Response(
                status=200,
                headers={},
                body=json.dumps(
                    {"items": runs, "_links": {"next": {"href": f"/runs?continuationToken={self.asked}"}}}
                ).encode(),
            )

    def document(number):
        begun = int(end.timestamp() - number // 100 * 3600) * 1000
        return {
            "id": f"r{number}",
            "flowId": f"f{number % 100}",
            "createdAt": begun,
            "metrics": {
                "durationSummary": {"startedAtUTC": begun, "completedAtUTC": begun + 1000},
                "recordSummary": {"outputRecordCount": 1},
                "statusSummary": {"status": "success"},
            },
        }

    service = Endless()
    asking = run.session.conduct(read_accounts(flows, year=2026, now=end), sandbox="prod")
    accounts, requests, cut_off = drive(asking, service, clock.advance)
    assert (service.asked, requests, cut_off) == (100, 100, True)
    assert {len(one.runs) for one in accounts} == {100}
    assert {(end - one.known_from).days for one in accounts} == {4}
    (allowance,) = parse_allowances("exported_records=900000/year")
    standing = standing_of(allowance, accounts, end)
    assert standing.told.startswith("at least 10,000 records of the 900,000")
    assert "known from 2026-12-27 on" in standing.told
    assert 860_000 < standing.forecast < 890_000


def test_the_bound_is_shared_out_among_lists(read, emulator, monkeypatch, make_dataflow, days):
    monkeypatch.setattr(accounts, "LARGEST_PAGE", 2)
    for number in range(5):
        make_dataflow(f"daily {number}", every="1d")
    days(150)
    found = read(most_pages=5)
    assert len(asked_for_runs(emulator)) == found.requests <= 5
