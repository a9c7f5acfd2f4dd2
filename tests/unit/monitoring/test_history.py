"""Verdicts that compare: a run against those before it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.history import read_history
from airflow_provider_aep.monitoring.verdict import History, RunPolicy, judge_runs
from tests.unit.monitoring.test_verdict import START, a_run

HOUR = 3_600_000


def earlier(*counts, status="success"):
    """Runs before the judged one, newest first, with so many records each."""
    return tuple(
        a_run(f"h-{at}", status, out=count, start=START - (at + 1) * HOUR) for at, count in enumerate(counts)
    )


def judged(out, *counts, complete=False, **policy):
    return judge_runs(
        [a_run(out=out)], RunPolicy(**policy), History(runs=earlier(*counts), complete=complete)
    )


def test_a_run_far_below_the_usual_is_told_with_the_numbers():
    verdict = judged(100, 1200, 1000, 1400, max_drop=0.5)
    assert (verdict.status, verdict.outcome) == ("low_records", "warn")
    assert verdict.reason == (
        "run r-1 exported 100 records, 92% below the usual 1,200 (median of 3 runs; 50% is allowed)"
    )
    assert (verdict.usual_records, verdict.usual_runs) == (1200, 3)


@pytest.mark.parametrize("out", [600, 601, 1200, 99999])
def test_a_run_within_what_is_allowed_is_good(out):
    assert judged(out, 1200, 1000, 1400, max_drop=0.5).status == "success"


def test_of_two_earlier_runs_nothing_is_concluded():
    verdict = judged(1, 1200, 1000, max_drop=0.5)
    assert (verdict.status, verdict.usual_records) == ("success", None)


def test_the_usual_is_made_of_the_last_runs_that_exported_something():
    verdict = judged(90, 100, 0, 100, 0, 100, 5000, 5000, 5000, max_drop=0.5, history=3)
    assert (verdict.status, verdict.usual_records) == ("success", 100)
    failed = History(runs=(*earlier(5000, 5000, 5000, status="failed"), *earlier(100, 100, 100)))
    assert judge_runs([a_run(out=90)], RunPolicy(max_drop=0.5), failed).usual_records == 100


def test_the_first_export_which_was_full_is_no_usual_one():
    incremental_only = judged(90, 100, 100, 100, 900_000, complete=True, max_drop=0.5, history=7)
    assert (incremental_only.usual_records, incremental_only.usual_runs) == (100, 3)


def test_fewer_than_a_fixed_number_is_low_and_empty_is_something_else():
    low = judged(5, min_records=100, on_low_records="fail")
    assert (low.status, low.outcome) == ("low_records", "fail")
    assert low.reason == "run r-1 exported 5 records, fewer than min_records, 100"
    assert judged(0, min_records=100, on_low_records="fail").status == "zero_records"


@pytest.mark.parametrize(
    ("before", "outcome"), [((1200,), "ok"), ((0, 1200), "ok"), ((0, 0, 1200), "fail"), ((0, 0, 0), "fail")]
)
def test_an_empty_run_matters_from_the_third_in_a_row_on(before, outcome):
    verdict = judged(0, *before, zero_streak=3, on_zero_records="fail")
    assert (verdict.status, verdict.outcome) == ("zero_records", outcome)


def test_a_run_that_failed_does_not_break_a_streak():
    history = History(runs=(a_run("h", "failed", start=START - HOUR), *earlier(0, 0, 1200)))
    policy = RunPolicy(zero_streak=3, on_zero_records="fail")
    assert judge_runs([a_run(out=0)], policy, history).outcome == "fail"


def test_the_first_export_must_not_be_empty_whatever_the_streak():
    first = judged(0, complete=True, zero_streak=5, on_zero_records="fail")
    assert first.outcome == "fail"
    assert first.reason == "run r-1 exported no records, though the first export is a full one"


def test_only_runs_of_the_same_datasets_are_compared():
    def of(dataset, run_id, out, start=START):
        target = {"entitySummaries": [{"id": f"dataset:{dataset}"}]}
        return a_run(run_id, out=out, start=start, targetSummaries=[target])

    history = History(
        runs=tuple(
            of(dataset, f"h-{at}{dataset}", 10 if dataset == "small" else 10_000, START - (at + 1) * HOUR)
            for at in range(4)
            for dataset in ("small", "large")
        )
    )
    runs = [of("small", "r-1", 10), of("large", "r-2", 10)]
    verdict = judge_runs(runs, RunPolicy(max_drop=0.5), history)
    assert verdict.status == "low_records"
    assert "r-2" in verdict.reason
    assert verdict.dataset_ids == ("small", "large")


@pytest.mark.parametrize(
    ("failed", "skipped", "status"), [(5, 0, "success"), (60, 0, "partial"), (0, 20, "partial")]
)
def test_a_share_of_lost_records_can_be_allowed(failed, skipped, status):
    policy = RunPolicy(max_failed_ratio=0.01, max_skipped_ratio=0.001)
    errors = [{"code": "MAPPER-3700-400", "message": "One record."}]
    run = a_run(errors=errors, failedRecordCount=failed, skippedRecordCount=skipped)
    assert judge_runs([run], policy).status == status


def test_errors_without_a_count_are_never_tolerated():
    assert judge_runs([a_run(errors=[{"code": "X"}])], RunPolicy(max_failed_ratio=1.0)).status == "partial"


def test_a_run_that_took_long_is_slow():
    policy = RunPolicy(max_duration=timedelta(hours=1), on_slow="fail")
    slow = judge_runs([a_run(seconds=3601)], policy)
    assert (slow.status, slow.outcome) == ("slow", "fail")
    assert slow.reason == "run r-1 exported 1,200 records, in 1 hour 1 second, longer than 1 hour"
    assert judge_runs([a_run(seconds=3600)], policy).status == "success"


def test_a_policy_that_makes_no_sense_is_refused_with_all_that_is_wrong():
    with pytest.raises(AepValidationError) as refused:
        RunPolicy(
            min_records=0, max_drop=50, history=2, zero_streak=True, max_failed_ratio=-0.1, max_duration=0
        )
    assert [problem.pointer for problem in refused.value.problems] == [
        "min_records",
        "max_drop",
        "history",
        "zero_streak",
        "max_failed_ratio",
        "max_duration",
    ]


@pytest.mark.parametrize("endless", [float("inf"), float("nan"), 1e300, timedelta.max])
def test_a_longest_run_without_end_is_refused(endless):
    with pytest.raises(AepValidationError, match="max_duration must be a number of seconds, a timedelta"):
        RunPolicy(max_duration=endless)


@pytest.mark.parametrize("unknown", [None, -1, "many", float("nan")])
def test_a_run_that_does_not_say_how_much_it_exported_is_not_compared(unknown):
    run = a_run(out=unknown)
    policy = RunPolicy(max_drop=0.1, min_records=10, zero_streak=2)
    assert judge_runs([run], policy, History(runs=earlier(1200, 1200, 1200))).status == "success"


def test_seconds_where_milliseconds_are_due_are_told_apart():
    seconds = DataflowRun.from_api(
        {
            "id": "r",
            "flowId": "f",
            "metrics": {"durationSummary": {"startedAtUTC": START // 1000, "completedAtUTC": START + 60_000}},
        }
    )
    assert seconds.started_at == a_run().started_at
    assert seconds.completed_at == a_run().completed_at


def test_the_order_of_what_came_before_within_a_window_does_not_matter():
    runs = [a_run(f"r-{at}", out=count, start=START + at * HOUR) for at, count in enumerate((1000, 0, 0, 5))]
    policy = RunPolicy(zero_streak=2, max_drop=0.5)
    history = History(runs=earlier(1000, 1000, 1000))
    expected = judge_runs(runs, policy, history)
    for _ in range(5):
        random.shuffle(runs)
        again = judge_runs(runs, policy, history)
        assert (again.outcome, again.status) == (expected.outcome, expected.status)
    assert expected.status == "low_records"


def test_history_is_read_as_far_as_it_is_needed(run, emulator, clock, now, make_dataflow):
    flow = make_dataflow(end=now + timedelta(days=20))
    clock.advance(10 * 86400)
    emulator.log.clear()
    whole = emulator.entities("runs")
    before = now + timedelta(days=9)
    some = run(read_history(flow, before=before, policy=RunPolicy(max_drop=0.5, history=3)))
    assert not some.complete
    assert 3 < len(some.runs) < len(whole)
    assert all(each.started_at < before for each in some.runs)
    first = run(read_history(flow, before=now + timedelta(hours=2), policy=RunPolicy(zero_streak=2)))
    assert first.complete
    assert len(first.runs) == 1
