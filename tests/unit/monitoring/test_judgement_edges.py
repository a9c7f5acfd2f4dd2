"""Where a judgement turns: exactly at a limit, and where two things are wrong at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.usual import History
from airflow_provider_aep.monitoring.verdict import judge_runs, with_delivery, worst
from tests.unit.monitoring.test_verdict import START, a_run

HOUR = 3_600_000
A_RECORD = [{"code": "MAPPER-3700-400", "message": "One record."}]
GONE = {"status": "missing", "told": "2 files are not there"}


def before(*runs, complete=False):
    return History(runs=runs, complete=complete)


def hourly(*counts):
    """One run an hour, oldest first, with so many records each."""
    return [a_run(f"r-{at}", out=count, start=START + at * HOUR) for at, count in enumerate(counts)]


def of_dataset(run_id, dataset, **given):
    target = {"entitySummaries": [{"id": f"dataset:{dataset}"}]}
    return a_run(run_id, targetSummaries=[target], **given)


class TestExactlyAtALimit:
    def test_a_run_that_exports_just_what_is_asked_for_is_good(self):
        policy = RunPolicy(min_records=100)
        assert judge_runs([a_run(out=100)], policy).status == "success"
        assert judge_runs([a_run(out=99)], policy).status == "low_records"

    def test_a_run_that_loses_just_what_is_allowed_is_good(self):
        policy = RunPolicy(max_failed_ratio=0.01)
        lost = {"inputRecordCount": 1000, "errors": A_RECORD}
        assert judge_runs([a_run(failedRecordCount=10, **lost)], policy).status == "success"
        assert judge_runs([a_run(failedRecordCount=11, **lost)], policy).status == "partial"

    def test_what_is_allowed_is_a_share_of_all_that_the_run_took_in(self):
        # 790 records were neither exported nor lost: a filter left them out.
        run = a_run(out=200, inputRecordCount=1000, failedRecordCount=10, errors=A_RECORD)
        assert judge_runs([run], RunPolicy(max_failed_ratio=0.02)).status == "success"

    @pytest.mark.parametrize("lost", ["skippedRecordCount", "failedRecordCount"])
    def test_a_run_that_does_not_say_what_it_took_in_took_in_what_it_exported_and_lost(self, lost):
        run = a_run(out=90, inputRecordCount=None, errors=A_RECORD, **{lost: 10})
        tolerant = RunPolicy(max_skipped_ratio=0.1, max_failed_ratio=0.1)
        assert judge_runs([run], tolerant).status == "success"
        strict = RunPolicy(max_skipped_ratio=0.09, max_failed_ratio=0.09)
        assert judge_runs([run], strict).status == "partial"


class TestWhatCameBefore:
    def test_of_runs_judged_together_each_is_compared_with_the_one_just_before_it(self):
        policy = RunPolicy(zero_streak=2, on_zero_records="fail")
        assert judge_runs(hourly(1200, 0, 0), policy, before()).outcome == "fail"
        assert judge_runs(hourly(0, 1200, 0), policy, before(*hourly(1200))).outcome == "ok"

    def test_a_run_under_way_while_another_ran_did_not_come_before_it(self):
        policy = RunPolicy(zero_streak=2, on_zero_records="fail")
        together = [a_run("r-1", out=0), a_run("r-2", out=0)]
        in_turn = [a_run("r-1", out=0, seconds=3600), a_run("r-2", out=0, start=START + HOUR)]
        earlier = before(a_run("h", start=START - HOUR))
        assert judge_runs(together, policy, earlier).outcome == "ok"
        assert judge_runs(in_turn, policy, earlier).outcome == "fail"

    def test_earlier_runs_that_name_no_dataset_are_compared_all_the_same(self):
        nameless = before(*(a_run(f"h-{at}", out=1000, start=START - at * HOUR) for at in range(1, 4)))
        verdict = judge_runs([of_dataset("r", "A", out=10)], RunPolicy(max_drop=0.5), nameless)
        assert (verdict.status, verdict.usual_records) == ("low_records", 1000)

    def test_an_empty_run_matters_at_once_where_nothing_is_known_of_those_before_it(self):
        verdict = judge_runs([a_run(out=0)], RunPolicy(zero_streak=3, on_zero_records="fail"), None)
        assert verdict.outcome == "fail"

    def test_where_each_empty_run_matters_nothing_is_said_of_a_row(self):
        verdict = judge_runs([a_run(out=0)], RunPolicy(max_drop=0.5), before(a_run("h", start=START - HOUR)))
        assert verdict.reason == "run r-1 exported no records"


class TestTwoThingsAtOnce:
    @pytest.mark.parametrize("order", [1, -1])
    def test_an_ending_that_nobody_knows_is_not_hidden_by_a_good_run_beside_it(self, order):
        runs = [a_run("r-1"), a_run("r-2", status="reconciling")][::order]
        verdict = judge_runs(runs, RunPolicy(on_failed="ok"))
        assert (verdict.outcome, verdict.status) == ("ok", "unknown")

    def test_an_empty_run_that_took_too_long_is_told_as_slow_and_says_that_it_was_empty(self):
        verdict = judge_runs([a_run(out=0, seconds=7200)], RunPolicy(max_duration=timedelta(hours=1)))
        assert (verdict.outcome, verdict.status) == ("warn", "slow")
        assert verdict.reason == "run r-1 exported no records, in 2:00:00, longer than 1:00:00"

    def test_missing_files_decide_where_a_run_is_minded_just_as_much(self):
        told = judge_runs([a_run(failedRecordCount=1)], RunPolicy()).to_json()
        both = with_delivery(told, GONE, "warn", "warn")
        assert (both["outcome"], both["status"]) == ("warn", "missing_files")
        assert both["reason"] == "run r-1 exported 1,200 records, 1 failed; 2 files are not there"

    def test_a_run_that_failed_stays_failed_whatever_files_are_missing(self):
        told = judge_runs([a_run(status="failed")], RunPolicy()).to_json()
        both = with_delivery(told, GONE, "warn", "warn")
        assert (both["outcome"], both["status"]) == ("fail", "failed")
        assert both["reason"].endswith("; 2 files are not there")

    def test_of_verdicts_that_matter_alike_the_last_is_shown(self):
        first, last = (judge_runs([a_run(each, status="failed")], RunPolicy()) for each in ("r-1", "r-2"))
        good = judge_runs([a_run("r-3")], RunPolicy())
        assert worst([first, last, good]) is last
        assert worst([]) is None
