from __future__ import annotations

import json

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.verdict import all_finished, judge_runs

START = 1767236400000
ERROR = {"code": "CONNECTOR-2001-500", "message": "Copy failed."}


def a_run(run_id="r-1", status="success", *, out=1200, start=START, seconds=60, errors=(), **records):
    metrics = {
        "durationSummary": {"startedAtUTC": start, "completedAtUTC": start + seconds * 1000},
        "sizeSummary": {"outputBytes": 9000},
        "fileSummary": {"outputFileCount": 2},
        "recordSummary": {"inputRecordCount": 1500, "outputRecordCount": out, **records},
        "statusSummary": {"status": status, "errors": list(errors)},
    }
    return DataflowRun.from_api({"id": run_id, "flowId": "f-1", "createdAt": start, "metrics": metrics})


RUNNING = DataflowRun.from_api({"id": "r-9", "flowId": "f-1", "metrics": {}})

SITUATIONS = {
    "good": (a_run(), "success"),
    "number of records unknown": (a_run(out=-1), "success"),
    "failed": (a_run(status="failed", errors=[ERROR]), "failed"),
    "cancelled": (a_run(status="cancelled"), "failed"),
    "partial failure": (a_run(status="PARTIAL_FAILURE"), "failed"),
    "unknown word": (a_run(status="reconciling"), "unknown"),
    "partial success": (a_run(status="partialSuccess"), "partial"),
    "success that skipped": (a_run(skippedRecordCount=3), "partial"),
    "success that lost": (a_run(failedRecordCount=3), "partial"),
    "success with errors": (a_run(errors=[ERROR]), "partial"),
    "nothing exported": (a_run(out=0), "zero_records"),
}
# which knob of the policy decides about a status
KNOB = {
    "failed": "on_failed",
    "unknown": "on_failed",
    "partial": "on_partial",
    "zero_records": "on_zero_records",
}


@pytest.mark.parametrize("choice", ["fail", "warn", "skip", "ok"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_policy_decides_what_each_ending_means(situation, choice):
    run, status = SITUATIONS[situation]
    everything_else = dict.fromkeys(KNOB.values(), "fail" if choice == "ok" else "ok")
    mine = {KNOB[status]: choice} if status in KNOB else {}
    verdict = judge_runs([run], RunPolicy(**{**everything_else, **mine}))
    assert (verdict.status, verdict.outcome) == (status, choice if mine else "ok")


@pytest.mark.parametrize(
    ("situation", "outcome"),
    [
        ("good", "ok"),
        ("failed", "fail"),
        ("unknown word", "fail"),
        ("success that lost", "warn"),
        ("nothing exported", "warn"),
    ],
)
def test_by_default_a_failure_fails_and_anything_odd_warns(situation, outcome):
    run, _ = SITUATIONS[situation]
    assert judge_runs([run], RunPolicy()).outcome == outcome


def test_of_two_findings_on_one_run_the_graver_one_decides():
    empty_and_lossy = a_run(out=0, failedRecordCount=5)
    strict = judge_runs([empty_and_lossy], RunPolicy(on_partial="fail", on_zero_records="skip"))
    lenient = judge_runs([empty_and_lossy], RunPolicy(on_partial="ok", on_zero_records="warn"))
    assert (strict.outcome, strict.status) == ("fail", "partial")
    assert (lenient.outcome, lenient.status) == ("warn", "zero_records")


@pytest.mark.parametrize(
    ("runs", "policy", "outcome", "status"),
    [
        ([a_run(), a_run(status="failed")], {}, "fail", "failed"),
        ([a_run(status="failed"), a_run()], {}, "fail", "failed"),
        ([a_run(), a_run(failedRecordCount=1)], {}, "warn", "partial"),
        ([a_run(), a_run(out=0)], {"on_zero_records": "skip"}, "ok", "success"),
        ([a_run(out=0), a_run(out=0)], {"on_zero_records": "skip"}, "skip", "zero_records"),
        ([a_run(out=0), a_run(failedRecordCount=1)], {"on_zero_records": "skip"}, "warn", "partial"),
        ([a_run(status="failed"), a_run()], {"on_failed": "skip"}, "ok", "failed"),
        ([a_run(), a_run(status="failed")], {"on_failed": "ok"}, "ok", "failed"),
        ([a_run(out=0), a_run(status="failed")], {"on_failed": "warn"}, "warn", "failed"),
        ([a_run(status="failed"), a_run(out=0)], {"on_failed": "warn"}, "warn", "failed"),
        ([a_run(out=0, failedRecordCount=9)], {}, "warn", "partial"),
    ],
)
def test_of_several_runs_the_worst_decides_and_skip_weighs_least(runs, policy, outcome, status):
    verdict = judge_runs(runs, RunPolicy(**policy))
    assert (verdict.outcome, verdict.status) == (outcome, status)


def test_counts_are_summed_over_the_runs():
    runs = [a_run("r-1", out=1), a_run("r-2", out=2, start=START + 60_000, seconds=90)]
    verdict = judge_runs(runs, RunPolicy())
    assert verdict.run_ids == ("r-1", "r-2")
    assert (verdict.records_in, verdict.records_out, verdict.bytes, verdict.files) == (3000, 3, 18000, 4)
    assert verdict.started_at == "2026-01-01T03:00:00+00:00"
    assert verdict.completed_at == "2026-01-01T03:02:30+00:00"
    assert verdict.duration_seconds == 150.0


def test_a_sum_is_unknown_when_one_run_does_not_say():
    verdict = judge_runs([a_run(out=5), a_run(out=-1)], RunPolicy())
    assert verdict.records_out is None
    assert verdict.records_in == 3000


def test_a_duration_is_unknown_without_a_start_or_an_end():
    timeless = DataflowRun.from_api(
        {"id": "r", "flowId": "f", "metrics": {"statusSummary": {"status": "failed"}}}
    )
    verdict = judge_runs([timeless], RunPolicy())
    assert (verdict.started_at, verdict.completed_at, verdict.duration_seconds) == (None, None, None)


def test_errors_of_all_runs_are_listed_once():
    other = {"code": "X-1", "message": "Other."}
    verdict = judge_runs([a_run(errors=[ERROR, other]), a_run(errors=[ERROR])], RunPolicy())
    assert verdict.errors == (ERROR, other)


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ([a_run()], "run r-1 exported 1,200 records"),
        ([a_run(out=0)], "run r-1 exported no records"),
        ([a_run(out=-1)], "run r-1 exported an unknown number of records"),
        (
            [a_run(failedRecordCount=1000, skippedRecordCount=2)],
            "run r-1 exported 1,200 records, 1,000 failed and 2 skipped",
        ),
        ([a_run(errors=[ERROR])], "run r-1 exported 1,200 records: CONNECTOR-2001-500: Copy failed."),
        (
            [a_run(status="failed", errors=[ERROR])],
            "run r-1 ended as failed: CONNECTOR-2001-500: Copy failed.",
        ),
        ([a_run(status="Cancelled")], "run r-1 ended as Cancelled"),
        (
            [a_run(status="reconciling")],
            "run r-1 ended with status 'reconciling', which is not known",
        ),
        ([a_run("r-1"), a_run("r-2", out=34)], "2 runs exported 1,234 records"),
        ([a_run("r-1"), a_run("r-2", status="failed")], "1 of 2 runs: run r-2 ended as failed"),
    ],
)
def test_the_reason_is_one_readable_sentence(runs, reason):
    assert judge_runs(runs, RunPolicy()).reason == reason


def test_a_verdict_crosses_xcom_as_plain_json():
    verdict = judge_runs([a_run(errors=[ERROR])], RunPolicy())
    told = json.loads(json.dumps(verdict.to_json()))
    assert told["outcome"] == "warn"
    assert told["run_ids"] == ["r-1"]
    assert told["errors"] == [ERROR]
    assert told == verdict.to_json()


def test_words_of_a_policy_are_checked_all_at_once():
    with pytest.raises(AepValidationError) as caught:
        RunPolicy(on_failed="explode", on_partial="WARN", on_zero_records="skip")
    assert [str(problem) for problem in caught.value.problems] == [
        "on_failed must be one of fail, warn, skip, ok",
        "on_partial must be one of fail, warn, skip, ok",
    ]


@pytest.mark.parametrize(
    ("runs", "expected", "over"),
    [
        ([], 1, False),
        ([a_run()], 1, True),
        ([a_run(status="failed")], 1, True),
        ([RUNNING], 1, False),
        ([a_run(), RUNNING], 1, False),
        ([a_run()], 2, False),
        ([a_run(), a_run()], 2, True),
        ([a_run(), a_run(), a_run()], 2, True),
    ],
)
def test_the_wait_is_over_when_enough_runs_are_there_and_none_is_running(runs, expected, over):
    assert all_finished(runs, expected=expected) is over
