"""``aep usage``."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest

from airflow_provider_aep.cli import main, usage
from airflow_provider_aep.emulator.clock import Clock

DAY = 86_400


@pytest.fixture
def clock():
    """It does not come near the end of a year, whenever the tests run."""
    return Clock(datetime(2026, 6, 1, tzinfo=UTC).timestamp())


@pytest.fixture(autouse=True)
def emulator_time(clock, monkeypatch):
    """The command's "now" is the emulator's, which is moved ahead."""

    class EmulatorTime(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(clock(), tz=tz)

    monkeypatch.setattr(usage, "datetime", EmulatorTime)


@pytest.fixture
def nightly(aep, clock, make_dataflow):
    """A daily export that began eight days ago."""
    made = make_dataflow("nightly", every="1d")
    clock.advance(8 * DAY)
    aep.log.clear()
    return made


def test_the_ledger_is_a_table_with_all_in_all_and_what_it_leaves_out(capsys, nightly):
    assert main(["usage"]) == 0
    head, columns, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("1 export in sandbox prod, ")
    assert columns.split() == ["name", "period", "runs", "failed", "records", "bytes"]
    assert all(row.startswith("nightly ") for row in rows[:-2])
    assert rows[-2].startswith("in all: ")
    assert rows[-2].endswith("in 8 runs")
    assert "which Adobe calls indicative; deleted exports are not here" in rows[-1]


def test_days_months_and_the_year_are_the_same_sum(capsys, aep, nightly):
    found = {}
    for period in ("day", "month", "year"):
        assert main(["usage", "--json", "--by", period]) == 0
        document = json.loads(capsys.readouterr().out)
        for subject in ("exports", "datasets", "destinations", "total"):
            found[period, subject] = sum(each["records"] for each in document[subject])
    assert len(set(found.values())) == 1
    assert found["day", "exports"] > 0


def test_a_run_without_counts_is_unknown_and_not_zero(capsys, aep, clock, make_dataflow):
    bare = make_dataflow("bare", every="1d")
    aep.script_runs(bare, ["failed", "failed"])
    clock.advance(2 * DAY)
    assert main(["usage", "--by", "year"]) == 0
    row = capsys.readouterr().out.splitlines()[2]
    assert row.split()[:4] == ["bare", "2026", "2", "2"]
    assert "records unknown" in row


@pytest.mark.parametrize(("limit", "code", "word"), [("999PB", 0, "ok"), ("1B", 2, "fail")])
def test_an_allowance_that_is_used_up_is_exit_code_two(capsys, nightly, limit, code, word):
    assert main(["usage", "--allowance", f"exported_bytes={limit}/year"]) == code
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "exported_bytes/year" in line]
    assert told.startswith(word)
    assert "a linear forecast to " in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--allowance", "5TB"], "allowance must be a text of the form NAME=AMOUNT/PERIOD"),
        (["--allowance", "None"], "allowance must be a text of the form"),
        (["--allowance", ""], "--allowance must not be empty"),
        (["--allowance", "exported_bytes=0TB/year"], "allowance must be at least 1"),
        (["--allowance", "exported_bytes=5TB/year", "--year", "2020"], "goes with the current year"),
        (["--year", "1999"], "year must be a calendar year from 2017"),
        (["--requests", "0"], "--requests must be a whole number from 1"),
        (["--storage", "s3://bucket"], "--storage must be EXPORT=URL"),
        (["--storage", "nightly=/tmp"], "storage_path must be a URL"),
        (
            ["--owner", "nobody", "--storage", "nightly=file:///tmp"],
            "'nightly', which no export of the selection",
        ),
    ],
)
def test_what_makes_no_sense_is_named_in_one_line(capsys, nightly, arguments, told):
    assert main(["usage", *arguments]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 1


def test_files_in_the_storage_are_counted_beside_the_runs(capsys, clock, nightly, tmp_path):
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "part-0001.json").write_text("{}\n{}\n")
    (folder / "manifest-1.json").write_text("{}")
    (folder / "part-of-last-year.json").write_text("{}")
    os.utime(folder / "part-0001.json", (clock() - DAY,) * 2)
    os.utime(folder / "part-of-last-year.json", (clock() - 365 * DAY,) * 2)
    assert main(["usage", "--json", "--storage", f"nightly={folder.as_uri()}"]) == 0
    (stored,) = json.loads(capsys.readouterr().out)["storage"]["counted"]
    assert (stored["files"], stored["bytes"]) == (1, 6)


def test_files_are_told_by_the_period_and_dataset_of_their_folder(capsys, aep, clock, nightly, tmp_path):
    one, other = aep.datasets()[0].id, "b" * 24
    for dataset, time, size in (
        (one, "202605312300", 9),  # before the export was made
        (one, "202606020300", 5),
        (one, "202606080300", 7),
        (other, "202606080300", 70),  # of another export that shares the place
    ):
        folder = tmp_path / dataset / f"exportTime={time}"
        folder.mkdir(parents=True)
        (folder / "part.json").write_text("x" * size)
        os.utime(folder / "part.json", (clock() - DAY,) * 2)
    given = ["usage", "--storage", f"nightly={tmp_path.as_uri()}", "--by", "day"]
    assert main([*given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["storage"]
    days = [("2026-06-02", 1, 5), ("2026-06-08", 1, 7)]
    for subject, key in (("exports", nightly), ("datasets", one), ("destinations", "data_landing_zone")):
        rows = found[subject]
        assert {row["subject"] for row in rows} == {key}
        assert [(row["period"], row["files"], row["bytes"]) for row in rows] == days
    assert main([*given, "--of", "dataset"]) == 0
    told = capsys.readouterr().out
    assert f"{one}  2026-06-08  1      7 B" in told


def test_files_of_several_datasets_are_told_apart_by_their_folders(
    capsys, aep, clock, make_dataflow, tmp_path
):
    make_dataflow("both", every="1d", datasets=2)
    one, other = (each.id for each in aep.datasets()[:2])
    clock.advance(2 * DAY)
    for place, size in (
        (f"{one}/exportTime=202606020300", 5),
        (f"{other}/exportTime=202606020300", 7),
        ("", 9),
    ):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "part.json").write_text("x" * size)
        os.utime(tmp_path / place / "part.json", (clock() - DAY,) * 2)
    assert main(["usage", "--json", "--storage", f"both={tmp_path.as_uri()}"]) == 0
    found = json.loads(capsys.readouterr().out)["storage"]["datasets"]
    assert {row["name"]: row["bytes"] for row in found} == {one: 5, other: 7, "(no dataset in the folder)": 9}


def test_files_of_another_year_are_not_those_of_this_one(capsys, clock, nightly, tmp_path):
    (tmp_path / "part.json").write_text("x")
    os.utime(tmp_path / "part.json", (clock() - DAY,) * 2)
    given = ["--json", "--storage", f"nightly={tmp_path.as_uri()}"]
    assert main(["usage", *given, "--year", "2025"]) == 0
    assert json.loads(capsys.readouterr().out)["storage"]["counted"][0]["files"] == 0


def test_a_storage_that_cannot_be_read_is_told_and_no_error(capsys, nightly, monkeypatch):
    from airflow_provider_aep.hooks import storage

    def refused(*_, **__):
        raise PermissionError("no right to list")

    monkeypatch.setattr(storage, "ObjectStoragePath", refused)
    assert main(["usage", "--json", "--storage", "nightly=s3://bucket/aep"]) == 0
    (stored,) = json.loads(capsys.readouterr().out)["storage"]["counted"]
    assert stored["files"] is None
    assert "no right to list" in stored["unread"]
    assert main(["usage", "--storage", "nightly=s3://bucket/aep"]) == 0
    assert "PermissionError: no right to list" in capsys.readouterr().out


@pytest.mark.parametrize("setting", ["AIRFLOW__AEP__TIMEZONE", "AIRFLOW__CORE__DEFAULT_TIMEZONE"])
def test_days_begin_at_midnight_where_the_setting_says(
    capsys, aep, clock, make_dataflow, monkeypatch, setting
):
    clock.advance(23 * 3600)  # 23:00 UTC on June 1st, and 08:00 on the 2nd in Tokyo
    make_dataflow("hourly", every="1h")
    clock.advance(3 * 3600)
    monkeypatch.setenv(setting, "Asia/Tokyo")
    assert main(["usage", "--by", "day"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("1 export in sandbox prod, 2026, in Asia/Tokyo")
    assert ("2026-06-02" in told, "2026-06-01" in told) == (True, False)


def test_a_setting_that_names_no_time_zone_is_told_with_the_nearest(capsys, aep, monkeypatch):
    monkeypatch.setenv("AIRFLOW__AEP__TIMEZONE", "Europe/Berln")
    assert main(["usage"]) == 1
    said = capsys.readouterr().err
    assert "[aep] timezone must be the name of a time zone" in said
    assert "did you mean 'Europe/Berlin'?" in said
    assert not aep.requests()
