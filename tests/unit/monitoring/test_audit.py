"""All exports of a sandbox over a window."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.dataflows import delete_dataflow, set_dataflow_state
from airflow_provider_aep.flowservice.runs import DataflowRun
from airflow_provider_aep.monitoring.audit import (
    TABLE,
    AuditPolicy,
    Selection,
    audit_exports,
    rows_of,
)
from airflow_provider_aep.monitoring.gaps import GAPS, KINDS, judge_ticks
from airflow_provider_aep.monitoring.verdict import RunPolicy

HOUR = 3600
TICKS = [datetime(2026, 12, 1, hour, tzinfo=UTC) for hour in (0, 3, 6, 9)]


def a_run(at: datetime, *, run_id="", dataset="", done=True, failed=False):
    target = {"entitySummaries": [{"id": f"dataset:{dataset}"}]} if dataset else {}
    started = int(at.timestamp() * 1000)
    metrics = {
        "durationSummary": {
            "startedAtUTC": started,
            **({"completedAtUTC": started + 60_000} if done else {}),
        },
        "recordSummary": {"outputRecordCount": 5, "targetSummaries": [target]},
        "statusSummary": {"status": "failed" if failed else "success" if done else "processing"},
    }
    return DataflowRun.from_api({"id": run_id or f"r-{at:%H%M}{dataset}", "flowId": "f", "metrics": metrics})


def after(tick: int, **delay: float) -> datetime:
    return TICKS[tick] + timedelta(**delay)


def kinds(*runs, now=TICKS[-1] + timedelta(hours=3), until=TICKS[-1] + timedelta(hours=3)):
    return [tick.kind for tick in judge_ticks(TICKS, runs, until=until, now=now)]


class TestGaps:
    def test_each_tick_with_a_run_soon_after_it_is_met(self):
        assert kinds(*(a_run(after(at, minutes=at)) for at in range(4))) == ["met"] * 4

    def test_a_tick_without_a_run_is_missing_after_150_minutes_and_pending_before(self):
        runs = [a_run(after(at, minutes=1)) for at in (0, 2)]
        assert kinds(*runs, now=after(3, minutes=149)) == ["met", "missing", "met", "pending"]
        assert kinds(*runs, now=after(3, minutes=151)) == ["met", "missing", "met", "missing"]

    def test_a_run_that_starts_after_150_minutes_is_late(self):
        runs = [a_run(after(0, minutes=151)), *(a_run(after(at, minutes=150)) for at in (1, 2, 3))]
        assert kinds(*runs) == ["late", "met", "met", "met"]

    def test_clocks_may_differ_by_minutes(self):
        assert kinds(*(a_run(after(at, minutes=-4)) for at in range(4))) == ["met"] * 4

    def test_a_run_under_way_is_no_gap(self):
        runs = [a_run(after(at, minutes=1), done=at < 3) for at in range(4)]
        assert kinds(*runs) == ["met", "met", "met", "running"]

    def test_two_runs_of_the_same_dataset_for_one_tick_are_one_too_many(self):
        runs = [a_run(after(at, minutes=1), dataset="one") for at in range(4)]
        assert kinds(*runs, a_run(after(1, minutes=90), dataset="one"))[1] == "doubled"
        assert kinds(*runs, a_run(after(1, minutes=2), dataset="two"))[1] == "met"

    def test_a_failed_run_that_was_tried_again_exported_nothing_twice(self):
        runs = [a_run(after(at, minutes=5)) for at in range(4)]
        assert kinds(*runs, a_run(after(1, minutes=1), failed=True)) == ["met"] * 4

    def test_without_datasets_more_runs_than_for_another_tick_are_too_many(self):
        runs = [a_run(after(at, minutes=1)) for at in range(4)]
        assert kinds(*runs, a_run(after(2, minutes=90)))[2] == "doubled"
        twice_each = [a_run(after(at, minutes=2), run_id=f"second-{at}") for at in range(4)]
        assert kinds(*runs, *twice_each) == ["met"] * 4

    def test_runs_of_later_ticks_count_for_those(self):
        runs = [a_run(after(at, minutes=1)) for at in range(4)]
        assert kinds(*runs, until=TICKS[2]) == ["met", "met"]

    def test_a_run_from_before_the_first_tick_counts_for_none(self):
        assert kinds(a_run(after(0, hours=-1))) == ["missing"] * 4

    def test_every_tick_is_told_with_its_moment(self):
        for tick in judge_ticks(TICKS, [a_run(after(0, minutes=160))], until=TICKS[-1], now=TICKS[-1]):
            assert f"{tick.at:%Y-%m-%d %H:%M} UTC" in tick.told
            assert tick.kind in KINDS
            assert json.dumps(tick.to_json())
        assert set(GAPS) < set(KINDS)


@pytest.fixture
def audit(run, clock, now):
    """``audit(since=..., policy=...)``: by default from the beginning until this moment."""

    def audit(**given):
        moment = datetime.fromtimestamp(clock(), tz=UTC)
        window = {"since": now, "until": moment, "now": moment}
        return run(audit_exports(**{**window, **given}))

    return audit


def test_a_sandbox_in_order_is_ok(audit, clock, now, make_dataflow):
    make_dataflow("one", end=now + timedelta(days=90))
    make_dataflow("two", end=now + timedelta(days=90))
    clock.advance(8 * HOUR)
    found = audit()
    assert found.outcome == "ok"
    assert [len(export.verdicts) for export in found.exports] == [3, 3]
    assert json.loads(json.dumps(found.to_json()))["totals"] == {"fail": 0, "warn": 0, "skip": 0, "ok": 2}


def test_what_failed_comes_first_and_says_why(audit, emulator, clock, now, make_dataflow):
    make_dataflow("a good one", end=now + timedelta(days=90))
    bad = make_dataflow("broken", end=now + timedelta(days=90))
    emulator.script_runs(bad, ["success", "failed"])
    clock.advance(8 * HOUR)
    found = audit()
    assert (found.outcome, found.exports[0].dataflow.id) == ("fail", bad)
    told = found.to_json()["exports"][0]
    assert told["verdict"]["status"] == "failed"
    assert "ACTIVATION_BATCH" in dict(zip(TABLE, rows_of(found)[0], strict=True))["what was found"]


def test_a_tick_that_was_missed_fails_and_one_that_was_late_warns(audit, emulator, clock, now, make_dataflow):
    flow = make_dataflow("nightly", end=now + timedelta(days=90), every="6h")
    emulator.script_runs(flow, ["success", "late"])
    clock.advance(11 * HOUR)
    late = audit()
    assert late.outcome == "warn"
    assert [gap["kind"] for gap in late.to_json()["exports"][0]["gaps"]] == ["late"]
    wider = audit(since=now - timedelta(days=1))
    assert wider.to_json()["exports"][0]["ticks"] == 2  # before its start it owes nothing


def test_a_tick_without_a_run_fails(audit, run, clock, now, make_dataflow):
    flow = make_dataflow("nightly", end=now + timedelta(days=90))
    run(set_dataflow_state(flow, "disabled"))
    clock.advance(5 * HOUR)  # two ticks pass, and somebody remembers
    run(set_dataflow_state(flow, "enabled"))
    clock.advance(3 * HOUR)
    found = audit()
    (export,) = found.to_json()["exports"]
    assert [gap["kind"] for gap in export["gaps"]] == ["missing", "missing"]
    assert found.outcome == "fail"
    assert audit(policy=AuditPolicy(on_missing="warn")).outcome == "warn"


def test_a_disabled_dataflow_warns_and_owes_nothing(audit, run, clock, now, make_dataflow):
    flow = make_dataflow("nightly", end=now + timedelta(days=90))
    run(set_dataflow_state(flow, "disabled"))
    clock.advance(8 * HOUR)
    (export,) = audit().exports
    assert export.outcome == "warn"
    assert export.warnings == ("it is disabled and exports nothing until it is enabled",)
    assert not export.to_json()["gaps"]


def test_a_schedule_that_ends_soon_or_has_ended_warns(audit, clock, now, make_dataflow):
    make_dataflow("soon", end=now + timedelta(days=10))
    make_dataflow("over", end=now + timedelta(hours=5))
    clock.advance(8 * HOUR)
    told = {export.dataflow.name: export.warnings[0] for export in audit().exports}
    assert told["soon"].startswith("its schedule ends in 10 days, on ")
    assert told["over"].startswith("its schedule ended on ")
    later = audit(policy=AuditPolicy(ends_soon_days=0, on_ends_soon="fail"))
    assert [export.outcome for export in later.exports] == ["fail", "ok"]


def test_runs_that_cannot_be_read_are_no_green(audit, emulator, clock, now, make_dataflow):
    make_dataflow("nightly", end=now + timedelta(days=90))
    clock.advance(2 * HOUR)
    emulator.fail_next(503, times=50, match="GET /runs")
    found = audit()
    assert found.outcome == "fail"
    assert "could not be read" in found.exports[0].warnings[0]


def test_a_dataflow_that_is_deleted_is_no_part_of_it(audit, run, clock, now, make_dataflow):
    flow = make_dataflow("gone", end=now + timedelta(days=90))
    clock.advance(2 * HOUR)
    run(delete_dataflow(flow))
    assert audit().exports == ()
    assert audit().outcome == "ok"


@pytest.mark.parametrize("kind", ["null_metrics", "negative_counts", "unknown_status", "reference_spelling"])
def test_odd_documents_end_in_a_verdict_or_are_under_way(audit, emulator, clock, now, make_dataflow, kind):
    flow = make_dataflow("odd", end=now + timedelta(days=90))
    emulator.script_runs(flow, [kind])
    clock.advance(2 * HOUR)
    (export,) = audit().exports
    assert json.dumps(export.to_json())
    assert export.ticks[0].kind in ("met", "running")


def test_two_hundred_and_fifty_dataflows_take_a_handful_of_requests(
    audit, emulator, clock, now, make_dataflow
):
    for number in range(250):
        make_dataflow(f"export {number}", end=now + timedelta(days=90))
    clock.advance(HOUR + 1800)
    emulator.log.clear()
    assert len(audit().exports) == 250
    listings = [request.path for request in emulator.log if not request.path.startswith("/ims")]
    assert listings.count("/flows") == 3
    assert listings.count("/runs") <= 6


def test_history_is_read_along_with_the_window(audit, emulator, clock, now, make_dataflow):
    flow = make_dataflow("nightly", end=now + timedelta(days=90))
    emulator.script_runs(flow, ["success"] * 8 + ["zero"])
    clock.advance(26 * HOUR)
    emulator.log.clear()
    moment = datetime.fromtimestamp(clock(), tz=UTC)
    policy = AuditPolicy(runs=RunPolicy(zero_streak=2, on_zero_records="fail"))
    (export,) = audit(since=moment - timedelta(hours=2), policy=policy).exports
    assert [verdict.status for verdict in export.verdicts] == ["zero_records"]
    assert export.verdicts[0].outcome == "ok"
    assert "empty run 1 in a row" in export.verdicts[0].reason


def test_a_selection_narrows_it(audit, clock, now, make_dataflow):
    make_dataflow("CRM nightly", end=now + timedelta(days=90))
    make_dataflow("web hourly", end=now + timedelta(days=90))
    clock.advance(HOUR)
    named = audit(selection=Selection(name_contains="crm"))
    assert [export.dataflow.name for export in named.exports] == ["CRM nightly"]
    assert len(audit(selection=Selection(destinations=["data_landing_zone"])).exports) == 2
    assert audit(selection=Selection(destinations=["s3"])).exports == ()
    assert audit(selection=Selection(owner="airflow")).exports == ()


def test_what_makes_no_sense_is_refused(audit, now):
    with pytest.raises(AepValidationError, match="until must be later"):
        audit(until=now)
    with pytest.raises(AepValidationError, match="destinations must hold names"):
        Selection(destinations=["s33"])
    with pytest.raises(AepValidationError, match="on_missing must be one of"):
        AuditPolicy(on_missing="maybe")
    with pytest.raises(AepValidationError, match="ends_soon_days"):
        AuditPolicy(ends_soon_days=-1)
