"""The ledger and its allowances, from made runs and from the emulator."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring import usage as usage_module
from airflow_provider_aep.monitoring.accounts import read_accounts
from airflow_provider_aep.monitoring.allowance import amount, parse_allowances, standing_of
from airflow_provider_aep.monitoring.ledger import (
    UNTOLD,
    Sum,
    account_of,
    entries_of,
    is_incomplete,
    period_of,
    sums,
    total,
    year_of,
)
from airflow_provider_aep.monitoring.usage import read_usage
from airflow_provider_aep.times import midnight, zone_of
from tests.unit.monitoring.histories import a_dataflow, a_run

DAY = timedelta(days=1)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def a_counted_run(started, *, size=None, **given):
    """A run that tells bytes too."""
    return replace(a_run(started, **{"run_id": f"r-{started.isoformat()}", **given}), bytes_out=size)


def an_account(runs, *, now=NOW, known_from=NEW_YEAR, year=2026, **given):
    created = given.pop("created", NEW_YEAR - 100 * DAY)
    flow = a_dataflow("1d", start=created, created=created, **given)
    return account_of(flow, runs, year=year, known_from=known_from, now=now, datasets=("a" * 24,))


def daily(first, days, **given):
    return [a_counted_run(first + number * DAY, **given) for number in range(days)]


def sum_of(account, subject="sandbox", period="year"):
    found = Sum()
    for each in sums(entries_of(account, subject), period).values():
        found = Sum(**{name: value + getattr(found, name) for name, value in each.to_json().items()})
    return found


# Sums


@pytest.mark.parametrize("seed", range(20))
def test_days_months_and_the_year_make_the_same_sum_for_whatever_subject(seed):
    chance = random.Random(seed)
    runs = [
        a_counted_run(
            NEW_YEAR + timedelta(minutes=chance.randrange(-50_000, 150_000)),
            run_id=f"r{number}",
            records=chance.choice([None, 0, 7, 10**12]),
            size=chance.choice([None, 0, 5, 10**15]),
            status=chance.choice(["success", "failed", "partial_success"]),
            dataset=chance.choice([None, "a" * 24, "b" * 24]),
        )
        for number in range(200)
    ]
    account = an_account(runs, now=NEW_YEAR + 365 * DAY)
    for subject in ("export", "dataset", "destination", "sandbox"):
        assert len({sum_of(account, subject, period) for period in ("day", "month", "year")}) == 1
    year = sum_of(account)
    assert year == sum_of(account, "dataset")
    assert year == total([account], NEW_YEAR, NEW_YEAR + 365 * DAY)
    assert year.runs == sum(NEW_YEAR <= run.started_at < NEW_YEAR + 365 * DAY for run in runs)


def test_a_run_belongs_to_the_day_of_utc_on_which_it_started():
    late = a_counted_run(datetime(2026, 1, 31, 23, 59, tzinfo=UTC), size=1)
    early = a_counted_run(datetime(2026, 2, 1, tzinfo=UTC), size=2)
    found = sums(entries_of(an_account([early, late]), "sandbox"), "month")
    assert {when: each.bytes for (_, when), each in found.items()} == {"2026-01": 1, "2026-02": 2}


def test_a_year_begins_and_ends_at_midnight_and_a_leap_day_is_a_day():
    runs = [
        a_counted_run(datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC), size=1),
        a_counted_run(datetime(2024, 1, 1, tzinfo=UTC), size=2),
        a_counted_run(datetime(2024, 2, 29, 12, tzinfo=UTC), size=4),
        a_counted_run(datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC), size=8),
        a_counted_run(datetime(2025, 1, 1, tzinfo=UTC), size=16),
    ]
    account = an_account(
        runs, year=2024, known_from=datetime(2024, 1, 1, tzinfo=UTC), created=datetime(2023, 1, 1, tzinfo=UTC)
    )
    assert sum_of(account).bytes == 14
    assert [entry.day for entry in entries_of(account, "export")][1] == date(2024, 2, 29)


def test_a_run_without_a_count_is_unknown_and_a_failed_one_is_counted_as_failed():
    account = an_account(
        [
            a_counted_run(NEW_YEAR, size=10, records=5),
            a_counted_run(NEW_YEAR + DAY, size=None, records=None),
            a_counted_run(NEW_YEAR + 2 * DAY, size=None, records=None, status="failed"),
            a_run(NEW_YEAR + 3 * DAY, None),  # under way
        ]
    )
    assert sum_of(account) == Sum(runs=3, failed=1, records=5, records_unknown=2, bytes=10, bytes_unknown=2)


def test_a_run_whose_time_cannot_be_right_belongs_to_no_day():
    account = an_account(
        [a_counted_run(NOW + DAY, size=1), a_counted_run(NOW + timedelta(minutes=5), size=2)]
    )
    assert (account.undated, sum_of(account).bytes) == (1, 2)


@pytest.mark.parametrize("number", [10**18, 10**400, -1, -(10**400)])
def test_a_count_beyond_belief_is_unknown_and_drowns_no_other(number):
    runs = [a_counted_run(NEW_YEAR + DAY, records=number, size=None), *daily(NEW_YEAR, 40, records=5, size=1)]
    account = an_account(runs)
    assert (sum_of(account).records, sum_of(account).records_unknown) == (200, 1)
    (allowance,) = parse_allowances("exported_records=1000000/year")
    assert standing_of(allowance, [account], NOW).status == "ok"


def test_a_run_that_ends_in_the_next_year_belongs_to_the_one_in_which_it_started():
    eve = datetime(2025, 12, 31, 23, 50, tzinfo=UTC)
    runs = [a_counted_run(eve, minutes=60, size=1)]
    before = an_account(runs, year=2025, known_from=NEW_YEAR - 365 * DAY)
    assert (sum_of(before).bytes, sum_of(an_account(runs)).bytes) == (1, 0)


def test_the_documents_of_a_year_are_not_kept():
    assert [run.raw for run in an_account(daily(NEW_YEAR, 2)).runs] == [{}, {}]


def told_apart(records, sizes=(), *, total_records=100):
    """A run of several datasets, as its summaries tell them apart."""

    def targets(counts, key):
        return [
            {key: count, "entitySummaries": [{"id": f"dataset:{letter * 24}"}]} for letter, count in counts
        ]

    begun = int(NEW_YEAR.timestamp() * 1000)
    return DataflowRun.from_api(
        {
            "id": "r",
            "flowId": "f",
            "createdAt": begun,
            "metrics": {
                "durationSummary": {"startedAtUTC": begun, "completedAtUTC": begun + 1000},
                "recordSummary": {
                    "outputRecordCount": total_records,
                    "targetSummaries": targets(records, "outputRecordCount"),
                },
                "sizeSummary": {"outputBytes": 1000, "targetSummaries": targets(sizes, "outputBytes")},
                "statusSummary": {"status": "success"},
            },
        }
    )


def by_dataset(run):
    found = sums(entries_of(an_account([run]), "dataset"), "year")
    return {UNTOLD if name == f"f{UNTOLD}" else name[0]: each for (name, _), each in found.items()}


def test_the_datasets_of_a_run_are_told_apart_where_its_summaries_tell_them():
    found = by_dataset(told_apart([("a", 60), ("b", 30)], [("a", 700), ("b", 300)]))
    assert {name: (each.records, each.bytes) for name, each in found.items()} == {
        "a": (60, 700),
        "b": (30, 300),
        UNTOLD: (10, 0),  # what is left over belongs to none
    }


def test_a_count_that_is_not_told_of_a_dataset_is_unknown_for_it_and_kept_in_the_sum():
    found = by_dataset(told_apart([("a", 60), ("b", 40)]))
    assert found["a"].bytes_unknown == 1
    assert found[UNTOLD].bytes == 1000


def test_datasets_that_are_named_without_counts_are_not_told_apart():
    run = told_apart([("a", None), ("b", None)])
    assert run.dataset_counts == ()
    assert by_dataset(run)[UNTOLD].records == 100


def test_what_is_not_told_apart_is_told_of_its_dataflow():
    run = told_apart([("a", None), ("b", None)])
    others = [replace(an_account([run]), flow=replace(a_dataflow("1d"), id=each)) for each in ("g", "h")]
    found = sums((entry for one in others for entry in entries_of(one, "dataset")), "year")
    assert [(name, each.records) for (name, _), each in found.items()] == [
        (f"g{UNTOLD}", 100),
        (f"h{UNTOLD}", 100),
    ]


# What is known


@pytest.mark.parametrize("subject", ["export", "dataset", "destination", "sandbox"])
def test_a_sum_says_when_runs_of_its_period_may_be_missing(subject):
    account = an_account(daily(NEW_YEAR + 20 * DAY, 39, size=1), known_from=NEW_YEAR + 20 * DAY)
    other = an_account(daily(NEW_YEAR, 59, size=1))
    for period, expected in (
        ("day", {"2026-01-20": True, "2026-01-21": False}),
        ("month", {"2026-01": True, "2026-02": False}),
        ("year", {"2026": True}),
    ):
        told = is_incomplete([account, other], subject, period)
        (name,) = {key for key, _ in sums(entries_of(account, subject), period)}
        assert {when: told(name, when) for when in expected} == expected


def test_a_sum_without_the_runs_of_an_export_that_could_not_be_read_is_incomplete():
    unread = replace(an_account([], known_from=NOW), why="403")
    assert is_incomplete([unread], "sandbox", "year")("sandbox", "2026")
    assert not is_incomplete([an_account(daily(NEW_YEAR, 59))], "sandbox", "year")("sandbox", "2026")


def test_an_export_that_could_not_be_read_is_told_as_that_and_not_as_no_longer_listed():
    unread = replace(an_account([], known_from=NOW), why="403")
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    told = standing_of(allowance, [unread, an_account(daily(NEW_YEAR, 59, size=1))], NOW).told
    assert told.startswith("at least 59 B")
    assert "1 export not readable" in told
    assert "known from" not in told


@pytest.mark.parametrize("every", ["1d", "1h", "once"])
def test_an_export_that_began_long_after_it_was_made_is_known_whole(every):
    start = NEW_YEAR + 40 * DAY
    flow = a_dataflow(every, start=start, created=NEW_YEAR + DAY)
    runs = [a_counted_run(start + timedelta(minutes=20), size=1)]
    account = account_of(flow, runs, year=2026, known_from=runs[0].started_at, now=NOW)
    assert account.missing == timedelta()


def test_an_export_whose_first_ticks_have_no_run_in_the_listing_is_not_known_whole():
    flow = a_dataflow("1d", start=NEW_YEAR + 10 * DAY, created=NEW_YEAR + DAY)
    seen = NEW_YEAR + 40 * DAY
    account = account_of(flow, [a_counted_run(seen, size=1)], year=2026, known_from=seen, now=NOW)
    assert account.missing == 39 * DAY


def test_what_is_older_than_the_listing_is_missing_and_not_zero():
    account = an_account(daily(NEW_YEAR + 30 * DAY, 29, size=1), known_from=NEW_YEAR + 30 * DAY)
    assert account.missing == 30 * DAY
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    standing = standing_of(allowance, [account], NOW)
    assert standing.told.startswith("at least 29 B of the 1.0 TB")
    assert "known from 2026-01-31 on" in standing.told
    assert standing.estimated == 30


def test_an_export_that_was_created_a_day_before_its_oldest_run_is_known_whole():
    created = NEW_YEAR + 10 * DAY
    account = an_account(daily(created + DAY, 20), created=created, known_from=created + DAY)
    assert account.missing == timedelta()


# Allowances


@pytest.mark.parametrize(
    ("given", "limit", "key"),
    [
        ("exported_bytes=5TB/year", 5 * 10**12, "exported_bytes/year"),
        ("exported_bytes=1.5GiB/month", 3 * 2**29, "exported_bytes/month"),
        (" exported_records=2000000/year ", 2_000_000, "exported_records/year"),
        ("exported_bytes=10 TB/year", 10**13, "exported_bytes/year"),
    ],
)
def test_an_allowance_is_read_with_its_unit(given, limit, key):
    (allowance,) = parse_allowances(given)
    assert (allowance.limit, allowance.key) == (limit, key)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("", "must be a text of the form"),
        ("None", "must be a text of the form"),
        ("nan", "must be a text of the form"),
        (5, "must be a text of the form"),
        (float("nan"), "must be a text of the form"),
        ({"exported_bytes": "5TB/year"}, "must be a text of the form"),
        ("exported_bytes=-5TB/year", "must be a text of the form"),
        ("exported_bytes=nan/year", "must be a text of the form"),
        ("exported_bytes=1e9TB/year", "must be a text of the form"),
        ("exported_bytes=5TB", "must be a text of the form"),
        ("exported_bytes=\u0665TB/year", "must be a text of the form"),
        ("exported_bytes=0B/year", "at least 1"),
        ("exported_bytes=0.1B/year", "at least 1"),
        ("exported_bytes=999999999999999999PB/year", "at most"),
        ("exported_bytes=5/year", "needs one of the units"),
        ("exported_bytes=5tb/year", "needs one of the units"),
        ("exported_bytes=10  TB/year", "must be a text of the form"),
        ("exported_bytes = 10TB/year", "must be a text of the form"),
        ("10 TB", "must be a text of the form"),
        ("exported_records=5e9/year", "must be a text of the form"),
        ("exported_records=2,000,000/year", "must be a text of the form"),
        ("exported_records=5k/year", "a whole number without a unit"),
        ("exported_records=5.5/year", "a whole number without a unit"),
        ("exported_byte=5TB/year", "did you mean 'exported_bytes'"),
        ("exported_bytes=5TB/day", "must end with /month or /year"),
        (["exported_bytes=5TB/year", "exported_bytes=6TB/year"], "given twice"),
    ],
)
def test_an_allowance_that_makes_no_sense_is_refused_with_its_rule(given, told):
    with pytest.raises(AepValidationError, match="allowance") as refused:
        parse_allowances(given)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        (datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC), (2025, 12, 1), (2026, 1, 1)),
        (datetime(2026, 1, 1, tzinfo=UTC), (2026, 1, 1), (2026, 2, 1)),
        (datetime(2024, 2, 29, tzinfo=UTC), (2024, 2, 1), (2024, 3, 1)),
    ],
)
def test_a_month_ends_where_the_next_begins(now, since, until):
    (allowance,) = parse_allowances("exported_bytes=1TB/month")
    assert allowance.window(now) == (datetime(*since, tzinfo=UTC), datetime(*until, tzinfo=UTC))


@pytest.mark.parametrize(
    ("limit", "status", "reached"),
    [
        ("1000B", "ok", None),
        ("364B", "forecast", "2026-12-31"),
        ("100B", "forecast", "2026-04-11"),
        ("59B", "used_up", None),
    ],
)
def test_an_export_that_goes_on_as_it_did_reaches_its_allowance_on_the_day_that_is_told(
    limit, status, reached
):
    account = an_account(daily(NEW_YEAR, 59, size=1))
    (allowance,) = parse_allowances(f"exported_bytes={limit}/year")
    standing = standing_of(allowance, [account], NOW)
    assert (standing.used, standing.forecast, standing.status) == (59, 365, status)
    assert (standing.reached_at and f"{standing.reached_at:%Y-%m-%d}") == reached


def test_the_first_full_export_is_used_and_is_no_measure_of_what_follows():
    created = NEW_YEAR + 10 * DAY
    runs = [a_counted_run(created, size=10**6), *daily(created + DAY, 48, size=1)]
    account = an_account(runs, created=created)
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    standing = standing_of(allowance, [account], NOW)
    assert standing.used == 10**6 + 48
    assert 300 <= standing.forecast - standing.used <= 306


def test_a_full_export_is_no_measure_either_where_it_was_made_in_the_year_before():
    start = NEW_YEAR + 2 * DAY
    runs = [a_counted_run(start, size=10**6), *daily(start + DAY, 56, size=1)]
    account = account_of(
        a_dataflow("1d", start=start, created=NEW_YEAR - 10 * DAY),
        runs,
        year=2026,
        known_from=NEW_YEAR,
        now=NOW,
    )
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    standing = standing_of(allowance, [account], NOW)
    assert standing.forecast < 10**6 + 400


def test_a_run_that_failed_without_a_count_is_not_taken_to_have_exported_like_the_others():
    failed = [a_counted_run(NEW_YEAR + (50 + day) * DAY, records=None, status="failed") for day in range(9)]
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    standing = standing_of(allowance, [an_account([*daily(NEW_YEAR, 50, size=2), *failed])], NOW)
    assert (standing.unknown, standing.estimated) == (9, 0)
    assert standing.forecast == 100 + round(100 / 59 * 306)


def test_an_export_that_is_run_on_demand_again_and_again_is_forecast_to_go_on():
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    once = {"timeUnit": "day", "interval": 0, "startTime": int((NEW_YEAR - 100 * DAY).timestamp())}
    often = an_account(daily(NEW_YEAR, 59, size=1), scheduleParams=once)
    single = an_account(daily(NEW_YEAR, 1, size=1), scheduleParams=once)
    assert standing_of(allowance, [often], NOW).forecast == 365
    assert standing_of(allowance, [single], NOW).forecast == 1


def test_an_allowance_that_is_used_up_by_what_is_estimated_is_told_as_a_guess():
    account = an_account(daily(NEW_YEAR + 49 * DAY, 10, size=1), known_from=NEW_YEAR + 49 * DAY)
    (allowance,) = parse_allowances("exported_bytes=40B/year")
    standing = standing_of(allowance, [account], NOW)
    assert (standing.used, standing.estimated, standing.status) == (10, 49, "forecast")
    assert standing.told.endswith("it may be used up already")


def test_an_export_that_is_switched_off_or_ends_is_not_forecast_to_go_on():
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    off = an_account(daily(NEW_YEAR, 59, size=1), state="disabled")
    ending = an_account(daily(NEW_YEAR, 59, size=1), end=NOW + 10 * DAY)
    assert standing_of(allowance, [off], NOW).forecast == 59
    assert standing_of(allowance, [ending], NOW).forecast == 69


def test_runs_without_a_count_are_estimated_in_the_forecast_and_told():
    runs = [*daily(NEW_YEAR, 50, size=2), *daily(NEW_YEAR + 50 * DAY, 9, size=None)]
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    standing = standing_of(allowance, [an_account(runs)], NOW)
    assert (standing.used, standing.unknown, standing.estimated, standing.forecast) == (100, 9, 18, 730)
    assert "9 runs without a count" in standing.told


def test_of_two_days_nothing_is_forecast():
    created = NOW - 2 * DAY
    account = an_account(daily(created, 3, size=1), created=created)
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    standing = standing_of(allowance, [account], NOW)
    assert (standing.forecast, standing.status, standing.without) == (None, "ok", 1)
    assert "no forecast" in standing.told


def test_an_allowance_that_is_nearly_used_up_without_a_forecast_is_told():
    off = an_account(daily(NEW_YEAR, 59, size=1), state="disabled")
    (allowance,) = parse_allowances("exported_bytes=60B/year")
    assert standing_of(allowance, [off], NOW).status == "near"


def test_on_the_last_second_of_a_year_and_the_first_of_the_next_nothing_breaks():
    (allowance,) = parse_allowances("exported_bytes=1TB/year")
    last = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    account = an_account(daily(NEW_YEAR, 365, size=1), now=last)
    assert standing_of(allowance, [account], last).forecast == 365
    first = datetime(2027, 1, 1, tzinfo=UTC)
    account = an_account([], now=first, known_from=first, year=2027)
    assert standing_of(allowance, [account], first).used == 0


def test_amounts_are_told_in_thousands():
    assert [amount(each, "bytes") for each in (0, 999, 999_999, 10**12, 5 * 10**18)] == [
        "0 B",
        "999 B",
        "1.0 MB",
        "1.0 TB",
        "5,000.0 PB",
    ]


# Reading


@pytest.fixture
def clock():
    """It does not come near the end of a year, whenever the tests run."""
    return Clock(datetime(2026, 6, 1, tzinfo=UTC).timestamp())


@pytest.fixture
def reading(run, clock):
    """``reading(...)``: the ledger of the emulator at this moment."""
    return lambda **given: run(read_usage(now=datetime.fromtimestamp(clock(), tz=UTC), **given))


def test_a_hundred_exports_are_read_in_one_listing(reading, emulator, clock, make_dataflow):
    for number in range(30):
        make_dataflow(f"export {number}", every="1d")
    clock.advance(3 * 86_400)
    emulator.log.clear()
    found = reading()
    asked = [request for request in emulator.requests() if request.path.endswith("/runs")]
    assert found.requests == len(asked) == 1
    assert {len(one.runs) for one in found.accounts} == {3}


def test_a_bound_cuts_off_what_is_oldest_and_says_so(reading, emulator, clock, make_dataflow):
    make_dataflow("hourly", every="1h")
    clock.advance(20 * 86_400)
    emulator.log.clear()
    found = reading(most_pages=2)
    assert (found.requests, found.cut_off) == (2, True)
    (account,) = found.accounts
    assert 190 <= len(account.runs) <= 200
    assert account.missing > timedelta(days=10)
    assert "known from " in found.notes()[0]
    assert "were not read" in found.notes()[0]


def test_an_export_whose_runs_are_refused_is_told_and_the_others_are_counted(
    reading, emulator, clock, make_dataflow
):
    make_dataflow("good", every="1d")
    make_dataflow("other", every="1d")
    clock.advance(2 * 86_400)
    emulator.fail_next(403, times=2, match="GET /runs")
    found = reading()
    assert sum(bool(one.why) for one in found.accounts) <= 1
    assert found.table("sandbox", "year")[0]["runs"] >= 2


BERLIN = zone_of("Europe/Berlin")


@pytest.mark.parametrize(
    ("day", "begins", "hours"),
    [
        ("2026-03-28", datetime(2026, 3, 27, 23, tzinfo=UTC), 24),
        ("2026-03-29", datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        ("2026-03-30", datetime(2026, 3, 29, 22, tzinfo=UTC), 24),
        ("2026-10-24", datetime(2026, 10, 23, 22, tzinfo=UTC), 24),
        ("2026-10-25", datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        ("2026-10-26", datetime(2026, 10, 25, 23, tzinfo=UTC), 24),
    ],
)
def test_a_day_is_as_long_as_where_people_live_also_when_clocks_change(day, begins, hours):
    second, ends = timedelta(seconds=1), begins + timedelta(hours=hours)
    assert period_of(begins, "day", BERLIN) == period_of(ends - second, "day", BERLIN) == day
    assert period_of(begins - second, "day", BERLIN) != day != period_of(ends, "day", BERLIN)
    moments = [begins + timedelta(hours=each) for each in range(-3, hours + 3)]
    runs = [a_counted_run(at) for at in moments]
    flow = a_dataflow("1h", start=moments[0], created=moments[0])
    account = account_of(flow, runs, year=2026, known_from=moments[0], now=moments[-1], zone=BERLIN)
    assert sums(entries_of(account, "export"), "day")[flow.id, day].runs == hours


def test_a_year_and_a_month_begin_at_midnight_where_people_live(run):
    new_year = datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert year_of(2027, BERLIN)[0] == new_year
    assert run(read_usage(now=new_year, zone=BERLIN)).year == 2027
    assert run(read_usage(now=new_year - timedelta(seconds=1), zone=BERLIN)).year == 2026
    (allowance,) = parse_allowances("exported_bytes=1TB/month")
    assert allowance.window(new_year, BERLIN) == (new_year, datetime(2027, 1, 31, 23, tzinfo=UTC))
    spring = allowance.window(datetime(2026, 3, 31, 21, 59, tzinfo=UTC), BERLIN)
    assert spring == (datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))
    standing = standing_of(allowance, [], new_year, BERLIN)
    assert standing.series.endswith(":2027-01")
    assert "a linear forecast to 2027-01-31 says" in standing.told


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Havana", "Asia/Kolkata", "Pacific/Apia"])
def test_days_follow_each_other_without_a_gap_in_any_zone(name):
    zone = zone_of(name)
    days = [date(2026, 1, 1) + timedelta(days=each) for each in range(366)]
    for day, following in pairwise(days):
        begins, ends = midnight(day, zone), midnight(following, zone)
        assert (
            begins.astimezone(zone).date()
            == (ends - timedelta(microseconds=1)).astimezone(zone).date()
            == day
        )
        assert 23 <= (ends - begins) / timedelta(hours=1) <= 25


def test_whoever_asks_in_another_time_zone_gets_the_year_of_utc(run):
    at = datetime(2027, 1, 1, 5, tzinfo=timezone(timedelta(hours=9)))
    assert run(read_usage(now=at)).year == 2026


def test_a_row_of_the_table_says_whether_it_is_incomplete_and_of_which_export(
    reading, emulator, clock, make_dataflow
):
    make_dataflow("hourly", every="1h", datasets=2)
    clock.advance(20 * 86_400)
    (month,) = reading(most_pages=2).table("export", "month")
    assert (month["name"], month["incomplete"]) == ("hourly", True)
    assert not any(row["incomplete"] for row in reading().table("dataset", "day"))


def test_an_account_without_an_id_is_told_and_nothing_is_asked(run):
    accounts, requests, _ = run(read_accounts([replace(a_dataflow("1d"), id="")], year=2026, now=NOW))
    assert (accounts[0].why, requests) == ("its id is malformed", 0)


@pytest.mark.parametrize("year", [2016, 9999, True, "2026", 2026.0])
def test_a_year_of_which_there_can_be_no_runs_is_refused(year):
    with pytest.raises(AepValidationError, match="year must be a calendar year"):
        usage_module.check_year(year, NOW.year)
