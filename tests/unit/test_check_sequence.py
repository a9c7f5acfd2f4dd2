"""Consecutive checks: each begins where the last one ended, and together they tell everything once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.operators import monitoring
from airflow_provider_aep.operators.monitoring import CHECK_KEY, HANDOVER_KEY, AepCheckExportsOperator

HOUR = timedelta(hours=1)


@dataclass
class Xcoms:
    """What the DAG runs of one DAG pushed, as Airflow keeps it: those of earlier dates can be pulled."""

    kept: dict[tuple[datetime, str], Any] = field(default_factory=dict)


@dataclass
class CheckTask:
    """The task instance of one DAG run."""

    xcoms: Xcoms
    date: datetime
    task_id: str = "check"
    map_index: int = -1

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms.kept[self.date, key] = json.loads(json.dumps(value))

    def xcom_pull(self, *, key: str, task_ids: str, map_indexes: int, include_prior_dates: bool) -> Any:
        dates = [date for date, name in self.xcoms.kept if name == key and date <= self.date]
        return self.xcoms.kept[max(dates), key] if dates else None


@pytest.fixture
def day(aep, clock, now, monkeypatch):
    """``day(moment)``: the check of one DAG run, at the emulator's time; what it told."""

    class EmulatorTime(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(clock(), tz=tz)

    monkeypatch.setattr(monitoring, "datetime", EmulatorTime)
    xcoms = Xcoms()

    def check(at: datetime, *, width: timedelta = timedelta(), kind: str = "scheduled", **given: Any) -> Any:
        task = CheckTask(xcoms, at)
        run = SimpleNamespace(run_after=at, start_date=at, logical_date=at, run_type=kind)
        context = {
            "ti": task,
            "dag_run": run,
            "logical_date": at,
            "data_interval_start": at - width,
            "data_interval_end": at,
        }
        xcoms.kept.pop((at, CHECK_KEY), None)
        xcoms.kept.pop((at, HANDOVER_KEY), None)
        failed = None
        try:
            AepCheckExportsOperator(task_id="check", **given).execute(context)
        except AirflowFailException as error:
            failed = error
        found = xcoms.kept[at, CHECK_KEY]
        return SimpleNamespace(
            failed=failed,
            found=found,
            new=[each["kind"] for export in found["exports"] for each in export["findings"]],
            keys=[each["key"] for export in found["exports"] for each in export["findings"]],
            standing=[each["kind"] for export in found["exports"] for each in export["standing"]],
        )

    check.xcoms = xcoms
    return check


def moment(clock) -> datetime:
    return datetime.fromtimestamp(clock(), tz=UTC)


@pytest.fixture
def nightly(make_dataflow, now):
    return make_dataflow("nightly", end=now + timedelta(days=90))


def hourly(day, clock, hours: int, **given: Any) -> list[Any]:
    checks = []
    for _ in range(hours):
        clock.advance(3600)
        checks.append(day(moment(clock), **given))
    return checks


def test_an_hourly_check_without_data_intervals_tells_a_failed_run_once(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "failed"])
    checks = hourly(day, clock, 12)
    assert [check.new for check in checks if check.new] == [["failed"]]
    assert sum(check.failed is not None for check in checks) == 1


def test_the_windows_follow_each_other_whatever_became_of_the_dag_run(day, aep, clock, nightly):
    aep.script_runs(nightly, ["failed"])
    checks = hourly(day, clock, 4)
    windows = [(check.found["since"], check.found["until"]) for check in checks]
    assert [since for since, _ in windows[1:]] == [until for _, until in windows[:-1]]


def test_a_check_that_did_not_happen_leaves_no_hole(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "failed"])
    before = hourly(day, clock, 2)
    clock.advance(5 * 3600)
    after = day(moment(clock))
    assert after.new == ["failed"]
    assert after.found["since"] == before[-1].found["until"]


def test_what_still_stands_is_listed_and_alerts_once(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "in_progress"])
    checks = hourly(day, clock, 12)
    stuck = [check for check in checks if "stuck" in check.new]
    assert len(stuck) == 1
    later = checks[checks.index(stuck[0]) + 1 :]
    assert later
    assert all("stuck" in check.standing for check in later)


def test_what_stands_alerts_again_where_the_policy_asks_for_it(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "in_progress"])
    checks = hourly(day, clock, 12, on_missing="ok", on_standing="fail")
    assert sum(check.failed is not None for check in checks) > 1


def test_the_first_check_ever_alerts_on_what_stands(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "in_progress"])
    clock.advance(12 * 3600)
    first = day(moment(clock), width=HOUR)
    assert first.standing.count("stuck") == 1
    assert first.failed is not None


def test_a_cleared_check_tells_the_same_under_the_same_keys(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "failed"])
    checks = hourly(day, clock, 6)
    told = next(check for check in checks if check.new)
    until = datetime.fromisoformat(told.found["until"])
    again = day(until + timedelta(minutes=15))
    assert (again.keys, again.found["since"]) == (told.keys, told.found["since"])


def test_a_backfilled_check_alerts_only_if_asked(day, aep, clock, now, nightly):
    aep.script_runs(nightly, ["failed"])
    clock.advance(48 * 3600)
    at = now + 3 * HOUR
    quiet = day(at, width=3 * HOUR, kind="backfill")
    assert (quiet.new, quiet.failed, quiet.found["quiet"]) == (["failed"], None, True)
    assert day(at, width=3 * HOUR, kind="backfill", alert_on_backfill=True).failed is not None
    assert not [key for _, key in day.xcoms.kept if key == HANDOVER_KEY]


def test_a_window_is_capped_and_says_so(day, aep, clock, nightly):
    hourly(day, clock, 1)
    clock.advance(20 * 86_400)
    late = day(moment(clock))
    width = datetime.fromisoformat(late.found["until"]) - datetime.fromisoformat(late.found["since"])
    assert width == timedelta(days=7)
    assert "what became known in between is not told" in late.found["notes"][0]


@pytest.mark.parametrize("lag", [-1, timedelta(minutes=-1), 86_401, "15", True, None])
def test_a_lag_that_makes_no_sense_is_refused_when_the_dag_is_parsed(lag):
    with pytest.raises(AepValidationError, match="lag must be a timedelta or seconds"):
        AepCheckExportsOperator(task_id="check", lag=lag)


def test_a_since_that_is_given_tells_everything_up_to_now(day, aep, clock, now, nightly):
    aep.script_runs(nightly, ["success", "failed"])
    hourly(day, clock, 6)
    by_hand = day(moment(clock) + HOUR, since=now)
    assert by_hand.new == ["failed"]


def test_a_run_that_is_listed_too_late_is_told_as_such(day, aep, clock, nightly, monkeypatch):
    from airflow_provider_aep.monitoring import reading

    aep.script_runs(nightly, ["failed"])
    real = reading.timeline_of
    hidden = clock() + 4.5 * 3600

    def without_the_failed(flow, runs, **given):
        return real(flow, [run for run in runs if clock() >= hidden or not run.errors], **given)

    monkeypatch.setattr(reading, "timeline_of", without_the_failed)
    checks = hourly(day, clock, 12)
    told = [each for check in checks for export in check.found["exports"] for each in export["findings"]]
    assert [each["kind"] for each in told].count("failed") == 1
    assert next(each for each in told if each["kind"] == "failed")["told"].endswith("(listed late)")
