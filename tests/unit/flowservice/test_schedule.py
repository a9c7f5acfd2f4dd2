from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone

import pendulum
import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.moments import parse_moment
from airflow_provider_aep.flowservice.schedule import (
    merge_schedule,
    parse_schedule,
    parse_schedule_change,
    schedule_words,
    ticks,
)

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
KEYS = "every, start, end, folder_template, timezone"
START, END = NOW + timedelta(days=1), NOW + timedelta(days=31)
INCREMENTAL, FULL = "FIRST_FULL_THEN_INCREMENTAL", "DAILY_FULL_EXPORT"

# word -> exportMode, timeUnit, interval
MATRIX = {
    "once": (FULL, "day", 0),
    "1h": (INCREMENTAL, "hour", 1),
    "3h": (INCREMENTAL, "hour", 3),
    "6h": (INCREMENTAL, "hour", 6),
    "9h": (INCREMENTAL, "hour", 9),
    "12h": (INCREMENTAL, "hour", 12),
    "1d": (INCREMENTAL, "day", 1),
    "2h": (INCREMENTAL, "hour", 2),
    "8h": (INCREMENTAL, "hour", 8),
    "2d": (INCREMENTAL, "day", 2),
}


def parsed(given):
    return parse_schedule(given, now=NOW)


def problems(given):
    with pytest.raises(AepValidationError) as caught:
        parsed(given)
    return [str(problem) for problem in caught.value.problems]


# Words, dicts, and Adobe's own


@pytest.mark.parametrize("word", MATRIX)
def test_a_word_becomes_adobes_schedule(word):
    mode, unit, interval = MATRIX[word]
    assert parsed(word).to_api(NOW) == {
        "exportMode": mode,
        "timeUnit": unit,
        "interval": interval,
        "startTime": int(NOW.timestamp()),
        "endTime": int((NOW + timedelta(days=180)).timestamp()),
    }


def test_a_dict_says_more():
    given = {"every": "3h", "start": START, "end": END, "folder_template": "%DATASET_ID%/%EXPORT_TIME%"}
    assert parsed(given).to_api(NOW) == {
        "exportMode": INCREMENTAL,
        "timeUnit": "hour",
        "interval": 3,
        "startTime": int(START.timestamp()),
        "endTime": int(END.timestamp()),
        "foldernameTemplate": "%DATASET_ID%/%EXPORT_TIME%",
    }
    assert parsed(given).warnings() == []


@pytest.mark.parametrize("word", MATRIX)
@pytest.mark.parametrize("key", ["foldernameTemplate", "folderNameTemplate"])
def test_adobes_own_schedule_params_can_be_pasted(word, key):
    mode, unit, interval = MATRIX[word]
    wire = {
        "exportMode": mode,
        "timeUnit": unit,
        "interval": interval,
        "startTime": int(START.timestamp()),
        "endTime": int(END.timestamp()),
        key: "%DESTINATION%",
    }
    expected = {**wire, "foldernameTemplate": "%DESTINATION%"}
    if key != "foldernameTemplate":
        del expected[key]
    assert parsed(wire).to_api(NOW) == expected


def test_an_interval_as_text_and_a_missing_mode_are_understood_in_adobes_own():
    assert parsed({"timeUnit": "hour", "interval": "6"}).every == "6h"


def test_what_was_given_is_left_as_it_was():
    given = {"timeUnit": "hour", "interval": 6, "startTime": START}
    parsed(given)
    assert given == {"timeUnit": "hour", "interval": 6, "startTime": START}


# Refusals


EVERY_RULE = (
    "schedule/every must be one of once, 1h, 3h, 6h, 9h, 12h, 1d, or another whole number of hours (h) or "
    "days (d) up to 366d; as-is keeps the cadence that a dataflow has"
)


@pytest.mark.parametrize(
    "given",
    [
        "0h",
        "1.5h",
        "-3h",
        "1w",
        "every hour",
        f"{10**9}h",
        "daily",
        "",
        "3H",
        {"every": 3},
        {"every": True},
        {"every": 10**5000},
        {"every": ["3h"]},
    ],
    ids=lambda given: given[:20] if isinstance(given, str) else type(given["every"]).__name__,
)
def test_what_is_no_cadence_is_answered_with_the_rule_and_the_words(given):
    (told,) = problems(given)
    assert told.startswith(EVERY_RULE)


@pytest.mark.parametrize(
    ("unit", "interval", "told"),
    [
        ("week", 1, "timeUnit must be hour or day"),
        (None, 1, "timeUnit must be hour or day"),
        (["hour"], 1, "timeUnit must be hour or day"),
        ("hour", None, "interval must be a whole number of hours or days up to 366 days; 0 days export once"),
        ("hour", 0, "interval must be"),
        ("hour", 1.5, "interval must be"),
        ("hour", -3, "interval must be"),
        ("hour", True, "interval must be"),
        ("hour", 10**5000, "interval must be"),
        ("day", 367, "interval must be"),
    ],
    ids=lambda part: part[:20] if isinstance(part, str) else type(part).__name__,
)
def test_adobes_own_members_are_judged_by_name(unit, interval, told):
    (problem,) = problems({"timeUnit": unit, "interval": interval})
    assert problem.startswith(f"schedule/{told}")


def test_as_is_keeps_the_cadence_of_a_dataflow_and_makes_no_new_one():
    schedule = parsed("as-is")
    there = {"timeUnit": "minute", "interval": 15, "startTime": 1_800_000_000}
    assert merge_schedule(there, schedule) == there
    assert schedule.warnings() == []
    with pytest.raises(
        AepValidationError, match="schedule/every as-is keeps the cadence of an existing dataflow"
    ):
        schedule.to_api(NOW)


@pytest.mark.parametrize("interval", [24, "24"])
@pytest.mark.parametrize("every", ["1d", "24h"])
def test_a_dataflow_at_hour_24_has_the_cadence_of_a_day_already(interval, every):
    there = {"exportMode": INCREMENTAL, "timeUnit": "hour", "interval": interval, "startTime": 1_800_000_000}
    assert merge_schedule(there, parsed(every)) == there
    assert schedule_words(there)["every"] == "1d"


def test_a_missing_cadence_is_told():
    assert problems({"start": START}) == ["schedule/every is missing"]


def test_a_daily_full_export_is_refused():
    (told,) = problems({"timeUnit": "day", "interval": 1, "exportMode": FULL})
    assert told == f"schedule/exportMode must be {INCREMENTAL} for that interval"


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ({"start": END, "end": START}, "schedule/end must be later than the start"),
        ({"start": START, "end": START}, "schedule/end must be later than the start"),
        ({"end": NOW - timedelta(days=1)}, "schedule/end is in the past"),
        (
            {"start": NOW - timedelta(days=9), "end": NOW - timedelta(days=1)},
            "schedule/end is in the past: nothing would be exported",
        ),
        ({"start": int(START.timestamp() * 1000)}, "must be in epoch seconds; this looks like milliseconds"),
        ({"start": str(int(START.timestamp() * 1000))}, "this looks like milliseconds"),
        ({"start": "tomorrow"}, "schedule/start must be a moment such as 2026-12-01T00:00:00Z (ISO 8601)"),
        ({"end": "2026-13-01"}, "schedule/end must be a moment"),
        ({"end": True}, "schedule/end must be a moment"),
        ({"end": ["2027-01-01"]}, "schedule/end must be a moment"),
        ({"start": float("nan")}, "schedule/start must be a moment"),
        ({"start": -1e18}, "schedule/start must be a moment"),
        ({"start": 20261}, "schedule/start must be a moment"),
    ],
)
def test_impossible_times_are_refused(times, told):
    (problem,) = problems({"every": "3h", **times})
    assert told in problem


@pytest.mark.parametrize("template", ["", 7, "x" * 1025])
def test_an_impossible_folder_template_is_refused(template):
    assert problems({"every": "3h", "folder_template": template}) == [
        "schedule/folder_template must be a text of 1 to 1024 characters"
    ]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("ever", "schedule/ever is not known (did you mean 'every'?)"),
        ("folder_tmpl", "schedule/folder_tmpl is not known (did you mean 'folder_template'?)"),
        (
            "frequency",
            "schedule/frequency is not known; there are every, start, end, folder_template, timezone",
        ),
        ("zzz", "schedule/zzz is not known; there are every, start, end, folder_template, timezone"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(key, told):
    assert problems({"every": "3h", key: "x"}) == [told]


def test_all_problems_are_told_at_once():
    told = problems({"every": "1w", "start": "x", "end": 1e13, "folder_template": "", "untill": 1})
    assert len(told) == 5


# Times


@pytest.mark.parametrize(
    "given",
    [
        START,
        START.replace(tzinfo=None),
        START.astimezone(timezone(timedelta(hours=5, minutes=30))),
        pendulum.instance(START),
        "2026-12-02",
        "2026-12-02T00:00:00",
        "2026-12-02T00:00:00Z",
        "2026-12-02T05:30:00+05:30",
        int(START.timestamp()),
        START.timestamp(),
        str(int(START.timestamp())),
    ],
    ids=repr,
)
def test_a_moment_may_be_written_in_many_ways_and_means_utc_where_it_does_not_say(given):
    moment = parse_moment("started_after", given)
    assert moment == START
    assert type(moment) is datetime
    assert moment.tzinfo is UTC


def test_utc_is_meant_on_a_machine_with_another_time_zone_too(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert parse_moment("started_after", "2026-12-02T00:00:00") == START
        assert parse_moment("started_after", START.replace(tzinfo=None)) == START
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("given", [None, ""])
def test_a_missing_moment_is_told(given):
    with pytest.raises(AepValidationError, match="started_after is missing"):
        parse_moment("started_after", given)


def test_an_empty_template_value_means_that_no_time_is_given():
    assert parsed({"every": "3h", "start": "", "end": None}) == parsed("3h")


def test_without_an_end_the_export_lives_for_180_days_and_says_so():
    schedule = parsed({"every": "3h", "start": START})
    assert schedule.to_api(NOW)["endTime"] == int((START + timedelta(days=180)).timestamp())
    (warning,) = schedule.warnings()
    assert "180 days" in warning


def test_an_old_start_without_an_end_does_not_make_an_export_that_is_over_already():
    wire = parsed({"every": "3h", "start": NOW - timedelta(days=400)}).to_api(NOW)
    assert wire["startTime"] == int((NOW - timedelta(days=400)).timestamp())
    assert wire["endTime"] == int((NOW + timedelta(days=180)).timestamp())


def test_an_export_once_needs_no_warning_about_its_end():
    assert parsed("once").warnings() == []


def test_twenty_four_hours_are_sent_as_a_day_with_a_hint_what_to_write():
    schedule = parsed({"every": "24h", "end": END})
    (hint,) = schedule.warnings()
    assert "every: 1d" in hint
    wire = schedule.to_api(NOW)
    assert (wire["timeUnit"], wire["interval"]) == ("day", 1)


@pytest.mark.parametrize(
    "template",
    [
        "%DATASET_ID%/%DATASET_NAME%/%DESTINATION%/%EXPORT_TIME%",
        "%DESTINATION_INSTANCE_NAME%_%DESTINATION_INSTANCE_ID%_%SANDBOX_NAME%_%ORGANIZATION_NAME%",
        "%DESTINATION%_%DATASET_ID%_%DATETIME(YYYYMMdd_HHmmss)%",
        "/",
        "plain",
    ],
)
def test_macros_that_adobe_lists_pass_in_silence(template):
    assert parsed({"every": "3h", "end": END, "folder_template": template}).warnings() == []


def test_a_macro_that_adobe_does_not_list_passes_with_a_warning():
    given = {"every": "3h", "end": END, "folder_template": "%DESTINATION_NAME%/%DATASET_ID%/%DATASETID%"}
    (warning,) = parsed(given).warnings()
    assert warning.endswith("DESTINATION_NAME, DATASETID")


# Ticks


def wire(unit="hour", interval=3, start=START, end=END):
    return {
        "timeUnit": unit,
        "interval": interval,
        "startTime": int(start.timestamp()),
        **({"endTime": int(end.timestamp())} if end else {}),
    }


def hours(*numbers):
    return [START + timedelta(hours=number) for number in numbers]


@pytest.mark.parametrize(
    ("schedule", "after", "before", "expected"),
    [
        (wire(), START, START + timedelta(hours=9), hours(0, 3, 6)),
        (wire(), START - timedelta(days=1), START + timedelta(hours=1), hours(0)),
        (wire(), START + timedelta(seconds=1), START + timedelta(hours=6, seconds=1), hours(3, 6)),
        (wire(end=START + timedelta(hours=6)), START, END, hours(0, 3)),
        (wire(end=None), START, START + timedelta(hours=4), hours(0, 3)),
        (wire(interval="3"), START, START + timedelta(hours=4), hours(0, 3)),
        (wire("day", 1), START, START + timedelta(hours=49), hours(0, 24, 48)),
        (wire("day", 0), START, END, hours(0)),
        (wire("day", 0), START + timedelta(seconds=1), END, []),
        (wire("day", 0), NOW, START, []),
        (wire(), END, END + timedelta(days=1), []),
        (wire(), START + timedelta(hours=9), START, []),
    ],
)
def test_ticks_are_counted_from_the_start_within_a_window(schedule, after, before, expected):
    assert ticks(schedule, after, before) == expected


@pytest.mark.parametrize(
    "schedule",
    [
        {},
        {"startTime": 1},
        wire("minute", 15),
        wire(interval=None),
        {**wire(), "startTime": "soon"},
        {**wire(), "startTime": None},
        {**wire(), "endTime": "never"},
    ],
)
def test_a_schedule_that_cannot_be_read_has_no_ticks(schedule):
    assert ticks(schedule, NOW, END) == []


def test_a_date_as_airflow_renders_it_without_dashes_is_a_date():
    assert parse_moment("started_after", "20261201") == datetime(2026, 12, 1, tzinfo=UTC)
    assert parse_moment("started_after", 20261201) == datetime(2026, 12, 1, tzinfo=UTC)  # native rendering


@pytest.mark.parametrize("given", [None, ["3h"], 3])
def test_a_schedule_that_is_neither_word_nor_dict_is_refused(given):
    with pytest.raises(AepValidationError, match="schedule must be a word or a dict"):
        parse_schedule(given, now=NOW)


# Odd input


def test_a_key_that_is_no_text_is_not_known():
    assert problems({1: 2, "every": "3h"}) == [
        "schedule/1 is not known; there are every, start, end, folder_template, timezone"
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"every": "1d", "timeUnit": "hour", "interval": 3}, "timeUnit says the same as every"),
        ({"every": "3h", "start": START, "startTime": START}, "startTime says the same as start"),
    ],
)
def test_what_is_said_twice_is_told(given, told):
    assert problems(given) == [f"schedule/{told}; give one of them"]


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def local(*parts):
    return utc(*parts).replace(tzinfo=None)


class TestATimeZone:
    def moments(self, **given):
        found = parse_schedule({"every": "1d", "timezone": "Europe/Berlin", **given}, now=LONG_AGO)
        return found.start, found.end

    def told(self, **given):
        with pytest.raises(AepValidationError) as refused:
            self.moments(**given)
        return [str(problem) for problem in refused.value.problems]

    @pytest.mark.parametrize(
        ("given", "moment"),
        [
            ("2027-02-01T06:00", utc(2027, 2, 1, 5)),
            ("2027-07-01T06:00", utc(2027, 7, 1, 4)),
            ("2027-07-01", utc(2027, 6, 30, 22)),
            ("20270701", utc(2027, 6, 30, 22)),
            (date(2027, 7, 1), utc(2027, 6, 30, 22)),
            (local(2027, 7, 1, 6), utc(2027, 7, 1, 4)),
            # What has an offset, or is a number, is where it says.
            ("2027-07-01T06:00Z", utc(2027, 7, 1, 6)),
            ("2027-07-01T06:00-05:00", utc(2027, 7, 1, 11)),
            (1814421600, datetime.fromtimestamp(1814421600, tz=UTC)),
            # The last moment before the clocks change, and the first after it.
            ("2027-03-28T01:59:59", utc(2027, 3, 28, 0, 59, 59)),
            ("2027-03-28T03:00", utc(2027, 3, 28, 1)),
            ("2027-10-31T01:59:59", utc(2027, 10, 30, 23, 59, 59)),
            ("2027-10-31T03:00", utc(2027, 10, 31, 2)),
        ],
    )
    def test_a_time_without_an_offset_is_what_its_clocks_show(self, given, moment):
        start, _ = self.moments(start=given, end="2030-01-01T00:00Z")
        assert start == moment
        assert (type(start), start.tzinfo) == (datetime, UTC)
        assert self.moments(start="2020-01-01T00:00Z", end=given)[1] == start

    @pytest.mark.parametrize("given", ["2027-03-28T02:00", "2027-03-28T02:59:59", local(2027, 3, 28, 2, 30)])
    def test_a_time_that_the_clocks_skip_is_refused(self, given):
        rule = "never comes in Europe/Berlin, whose clocks are put forward over it: give another time"
        assert self.told(start=given) == [f"schedule/start {rule}"]

    def test_a_time_that_the_clocks_show_twice_needs_its_offset(self):
        rule = "comes twice in Europe/Berlin, whose clocks are put back: add its offset, +02:00 or +01:00"
        assert self.told(end="2027-10-31T02:30") == [f"schedule/end {rule}"]
        assert self.moments(end="2027-10-31T02:30+02:00")[1] == utc(2027, 10, 31, 0, 30)

    def test_a_day_begins_with_its_first_moment_also_where_midnight_is_skipped_or_twice(self):
        skipped, _ = self.moments(start="2026-03-08", timezone="America/Havana")
        assert skipped == utc(2026, 3, 8, 5)  # 01:00 there, right after 23:59
        twice, _ = self.moments(start="2026-11-01", timezone="America/Havana")
        assert twice == utc(2026, 11, 1, 4)

    @pytest.mark.parametrize(
        ("given", "hint"),
        [
            ("Europe/Berln", " (did you mean 'Europe/Berlin'?)"),
            ("europe/berlin", " (did you mean 'Europe/Berlin'?)"),
            ("Berlin", " (did you mean 'Europe/Berlin'?)"),
            ("../../etc/passwd", ""),
            ("+01:00", ""),
            (1, ""),
            ("", ""),
            (["UTC"], ""),
        ],
    )
    def test_what_is_no_time_zone_is_told_the_nearest(self, given, hint):
        rule = f"must be the name of a time zone, such as Europe/Berlin{hint}"
        assert self.told(timezone=given, start="2027-02-01") == [f"schedule/timezone {rule}"]

    @pytest.mark.parametrize("given", ["system", "localtime", "Factory"])
    def test_a_zone_that_each_machine_reads_otherwise_is_none(self, given):
        # A laptop and a worker would move the start to and fro.
        (told,) = self.told(timezone=given, start="2027-02-01")
        assert told.startswith("schedule/timezone must be the name of a time zone")

    def test_the_same_moment_in_other_words_is_the_same_schedule(self):
        here = parse_schedule(
            {"every": "1d", "start": "2027-02-01T06:00", "timezone": "Europe/Berlin"}, now=LONG_AGO
        )
        there = parse_schedule({"every": "1d", "start": "2027-02-01T05:00:00Z"}, now=LONG_AGO)
        assert here == there
        assert here.to_api(LONG_AGO)["startTime"] == 1801458000

    def test_a_time_zone_alone_is_nothing_to_change(self):
        with pytest.raises(AepValidationError, match="must name what to change: every, start, end, folder"):
            parse_schedule_change({"timezone": "Europe/Berlin"}, now=LONG_AGO)
        change = parse_schedule_change({"timezone": "Asia/Tokyo", "end": "2030-01-01"}, now=LONG_AGO)
        assert change.end == utc(2029, 12, 31, 15)
