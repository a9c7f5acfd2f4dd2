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
from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators import monitoring
from airflow_provider_aep.operators.monitoring import CHECK_KEY, HANDOVER_KEY, AepCheckExportsOperator
from tests.unit.task_instance import FakeTaskInstance, context_of

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
    assert "what became known in between is not reported" in late.found["notes"][0]


@pytest.mark.parametrize("lag", [-1, timedelta(minutes=-1), 86_401, "15", True, None])
def test_a_lag_that_makes_no_sense_is_refused_when_the_dag_is_parsed(lag):
    with pytest.raises(
        AepValidationError, match=r"lag (must be a number of seconds, a timedelta|is missing)"
    ):
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


# What is over


def messages_of(checks: list[Any], **given: Any) -> list[dict[str, Any]]:
    """What a webhook gets of checks: an entry for each incident, in order."""
    told: list[dict[str, Any]] = []
    notifier = AepRunNotifier(send=lambda text, about: told.extend(about["alerts"]), **given)
    for check in checks:
        ti = FakeTaskInstance(task_id="check")
        ti.xcom_push(CHECK_KEY, check.found)
        notifier(context_of(ti))
    return told


def states(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["kind"], each["state"]) for each in entries]


def test_an_export_that_failed_is_told_to_have_recovered_once_at_its_next_good_run(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "failed", "success", "success"])
    told = messages_of(hourly(day, clock, 16))
    assert states(told) == [("failed", "firing"), ("failed", "resolved")]
    assert told[0]["key"] == told[1]["key"]
    assert told[0]["started_at"][:16] == told[1]["started_at"][:16]
    assert told[1]["text"].startswith("AEP export nightly has recovered: run ")
    assert told[1]["run_ids"] != told[0]["run_ids"]


def test_each_kind_that_was_open_is_resolved(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "failed", "zero", "success"])
    told = messages_of(hourly(day, clock, 16))
    assert sorted(states(told)) == [
        ("failed", "firing"),
        ("failed", "resolved"),
        ("zero_records", "firing"),
        ("zero_records", "resolved"),
    ]


def test_a_missing_run_is_over_with_the_next_good_one(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "never", "success"])
    told = messages_of(hourly(day, clock, 12))
    assert states(told) == [("gaps", "firing"), ("gaps", "resolved")]
    assert told[0]["due_at"]


def test_a_disabled_dataflow_is_over_as_soon_as_it_is_enabled(day, run, clock, nightly):
    clock.advance(2 * 3600)
    run(set_dataflow_state(nightly, "disabled"))
    checks = hourly(day, clock, 1)
    run(set_dataflow_state(nightly, "enabled"))
    told = messages_of([*checks, *hourly(day, clock, 3)])
    assert states(told) == [("warning", "firing"), ("warning", "resolved")]
    assert "what was wrong with the dataflow is over" in told[1]["text"]


def test_nobody_hears_the_end_of_what_nobody_was_told_of(day, aep, clock, nightly):
    aep.script_runs(nightly, ["success", "zero", "success"])
    checks = hourly(day, clock, 12)
    assert messages_of(checks, on=["failed", "recovered"]) == []
    assert states(messages_of(checks, on=["zero_records"])) == [("zero_records", "firing")]
    assert len(messages_of(checks, on=["zero_records", "recovered"])) == 2


def test_one_good_dataset_of_two_is_no_recovery(day, aep, clock, now, make_dataflow):
    aep.enter("run-per-dataset")
    flow = make_dataflow("nightly", datasets=2, end=now + timedelta(days=90))
    for dataset in aep.datasets():
        dataset.hourly = 1000
    good, half = ["success", "success"], ["failed", "success"]
    aep.script_runs(flow, [*good, *good, *half, *half, *good, *good])
    told = messages_of(hourly(day, clock, 20))
    assert states(told) == [("failed", "firing"), ("failed", "firing"), ("failed", "resolved")]


def test_an_export_whose_last_run_is_bad_has_not_recovered(day, aep, clock, nightly):
    aep.script_runs(nightly, ["failed", "success", "failed", *["success"] * 4])
    clock.advance(8 * 3600)  # three runs in one window, the last of them failed
    first = day(moment(clock))
    assert states(messages_of([first])) == [("failed", "firing")]
    assert states(messages_of(hourly(day, clock, 4))) == [("failed", "resolved")]


# What helps whoever reads it


def test_a_check_says_where_the_files_should_be_by_one_listing_for_all_that_is_bad(
    day, aep, clock, now, make_dataflow
):
    bad = [make_dataflow(f"bad-{number}", end=now + timedelta(days=90)) for number in range(12)]
    for flow in bad:
        aep.script_runs(flow, ["failed", "success"])
    make_dataflow("good", end=now + timedelta(days=90))
    clock.advance(2 * 3600)
    aep.log.clear()
    found = day(moment(clock)).found
    assert {each.get("location") for each in found["exports"] if each["outcome"] == "fail"} == {
        "abfs://dlz-destination/exports/"
    }
    assert [each.get("location") for each in found["exports"] if each["outcome"] == "ok"] == [None]
    assert len(listings_of_targets(aep)) == 1
    aep.log.clear()
    clock.advance(3 * 3600)
    assert day(moment(clock)).failed is None
    assert listings_of_targets(aep) == []  # nothing is bad, nothing is asked


def listings_of_targets(aep: Any) -> list[Any]:
    return [each for each in aep.log if each.path.endswith("/targetConnections")]


def test_a_check_whose_storages_cannot_be_read_tells_all_the_rest(day, aep, clock, nightly):
    aep.script_runs(nightly, ["failed"])
    clock.advance(2 * 3600)
    aep.fail_next(403, times=50, match="GET /targetConnections")
    check = day(moment(clock))
    assert check.new == ["failed"]
    assert "location" not in check.found["exports"][0]


def test_a_check_puts_the_usual_beside_without_a_request_for_it(day, aep, clock, now, make_dataflow):
    flow = make_dataflow("nightly", end=now + timedelta(days=90))
    aep.script_runs(flow, [*["success"] * 6, "zero"])
    clock.advance(20 * 3600)
    aep.log.clear()
    told = messages_of([day(moment(clock))])
    assert len(aep.requests("GET", "/runs")) == 1
    assert told[0]["kind"] == "zero_records"
    assert (told[0]["records_out"], told[0]["change_percent"]) == (0, -100.0)
    assert told[0]["usual_runs"] == 5  # the first one was full
    assert told[0]["run_started_at"] < told[0]["run_ended_at"]
