"""``aep check``."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from airflow_provider_aep.cli import commands, main


@pytest.fixture(autouse=True)
def emulated_time(monkeypatch, clock):
    monkeypatch.setattr(commands, "_now", lambda: datetime.fromtimestamp(clock(), tz=UTC))


@pytest.fixture
def nightly(aep, make_dataflow, now):
    return make_dataflow("nightly", end=now + timedelta(days=90))


def test_a_good_sandbox_is_a_table_and_zero(capsys, clock, now, nightly):
    clock.advance(7200)
    assert main(["check", "--until", (now + timedelta(hours=2)).isoformat()]) == 0
    head, columns, row = capsys.readouterr().out.splitlines()
    assert head.startswith("1 export in sandbox prod, from ")
    assert columns.split()[:3] == ["outcome", "export", "destination"]
    assert row.split()[:3] == ["ok", "nightly", "data_landing_zone"]


def test_a_failed_run_is_exit_code_one_and_one_json_document(capsys, aep, clock, now, nightly):
    aep.script_runs(nightly, ["failed"])
    clock.advance(7200)
    assert main(["check", "--json", "--until", (now + timedelta(hours=2)).isoformat()]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["outcome"], document["exports"][0]["dataflow_id"]) == ("fail", nightly)


def test_a_selection_of_nothing_is_no_success(capsys, now, nightly):
    until = (now + timedelta(hours=2)).isoformat()
    assert main(["check", "--until", until, "--name", "weekly"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("0 exports")
    assert "none of 1 export dataflows fits name_contains='weekly'" in told
    assert main(["check", "--until", until, "--name", "weekly", "--policy", "on_nothing=ok"]) == 0
    assert main(["check", "--destination", "s33"]) == 1
    assert "'s33', to which nothing is exported (did you mean 's3'?)" in capsys.readouterr().err


def test_a_part_of_the_policy_is_given_by_name(capsys, aep, clock, now, nightly):
    aep.script_runs(nightly, ["failed"])
    clock.advance(7200)
    window = ["--until", (now + timedelta(hours=2)).isoformat()]
    assert main(["check", *window, "--policy", "on_failed=warn", "--policy", "ends_soon_days=3"]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("warn ")


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("max_drop", "--policy takes NAME=VALUE"),
        ("max_drop=1.5", "max_drop"),
        ("on_missing=explode", "on_missing must be one of"),
        ("on_mising=warn", "on_mising is not known (did you mean 'on_missing'?)"),
        ("max_drp=0.5", "max_drp is not known (did you mean 'max_drop'?)"),
    ],
)
def test_a_part_that_makes_no_sense_is_named_before_anything_is_asked(capsys, aep, part, told):
    assert main(["check", "--policy", part]) == 1
    assert told in capsys.readouterr().err
    assert not aep.requests()


def test_an_allowance_is_told_below_the_exports(capsys, aep, clock, nightly):
    assert main(["check", "--allowance", "exported_bytes=5TB/year"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("ok    exported_bytes/year: 0 B of the 5.0 TB")


def test_a_window_and_a_policy_take_durations(capsys, aep, clock, now, nightly):
    assert main(["check", "--since", "PT6H", "--policy", "max_duration=PT2H", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    since, until = (datetime.fromisoformat(told[key]) for key in ("since", "until"))
    assert until - since == timedelta(hours=6)


def test_a_window_does_not_reach_into_the_future_where_all_is_well(capsys, aep, clock, now, nightly):
    aep.script_runs(nightly, ["failed"])
    clock.advance(7200)
    assert main(["check", "--until", (now + timedelta(days=30)).isoformat(), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert datetime.fromisoformat(told["until"]) == now + timedelta(hours=2)
    assert main(["check", "--since", (now + timedelta(days=1)).isoformat(), "--until", "2099-01-01"]) == 1
    assert "until must be later than since" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["P1M", "P1Y", "PT", "P99999999D", "7d"])
def test_a_start_that_is_neither_moment_nor_duration_is_refused_before_anything_is_asked(capsys, aep, given):
    assert main(["check", "--since", given]) == 1
    assert "--since" in capsys.readouterr().err
    assert not aep.requests()


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-24", 24), ("2026-10-25", 25)]
)
def test_a_window_of_a_day_is_one_of_where_people_live(capsys, aep, monkeypatch, day, hours):
    monkeypatch.setenv("AIRFLOW__AEP__TIMEZONE", "Europe/Berlin")
    following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
    main(["check", "--since", day, "--until", following, "--json"])
    told = json.loads(capsys.readouterr().out)
    since, until = (datetime.fromisoformat(told[key]) for key in ("since", "until"))
    assert until - since == timedelta(hours=hours)
