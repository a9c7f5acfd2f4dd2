"""Where a judgement turns: exactly at a limit, and where two things are wrong at once."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.findings import findings_of, standing_of, window_of
from airflow_provider_aep.monitoring.handover import Handover, since_kept
from airflow_provider_aep.monitoring.policy import AuditPolicy, RunPolicy
from airflow_provider_aep.monitoring.timeline import timeline_of
from airflow_provider_aep.monitoring.usual import History
from airflow_provider_aep.monitoring.verdict import judge_runs, with_delivery, worst
from tests.unit.monitoring.histories import a_dataflow, at
from tests.unit.monitoring.histories import a_run as a_run_at
from tests.unit.monitoring.test_timeline import punctual
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

    def test_a_run_that_names_no_dataset_is_compared_with_those_that_do(self):
        earlier = before(*(of_dataset(f"h-{at}", "A", start=START - at * HOUR) for at in range(1, 4)))
        verdict = judge_runs([a_run(out=10)], RunPolicy(max_drop=0.5), earlier)
        assert (verdict.status, verdict.usual_records) == ("low_records", 1200)

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
        assert verdict.reason == "run r-1 exported no records, in 2 hours, longer than 1 hour"

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


def named(hours, dataset, minute=3, **given):
    return [a_run_at(at(hour=hour, minute=minute), dataset=dataset, **given) for hour in hours]


def seen(flow, runs, *, now, datasets=("one",), **given):
    return timeline_of(flow, runs, now=now, known_from=at(-1), datasets=datasets, **given)


def told(timeline):
    return [each.told for each in findings_of(timeline, AuditPolicy())]


class TestWhichRunItWas:
    def test_ticks_hand_their_runs_back_in_order_until_the_one_that_lacked_its_run_has_one(self):
        starts = [at(hour=0, minute=3), at(hour=1, minute=3), at(hour=3, minute=10), at(hour=4, minute=3)]
        starts += [at(hour=5, minute=2), at(hour=5, minute=8)]
        timeline = seen(a_dataflow(), [a_run_at(each) for each in starts], now=at(hour=5, minute=30))
        served = [[run.started_at for run in one.runs] for one in timeline.attribution.served]
        assert served == [[each] for each in starts]

    def test_a_run_that_was_given_up_comes_after_all_where_the_next_tick_has_one_too_many(self):
        runs = [*punctual([0, 3, 9]), a_run_at(at(hour=9, minute=20))]
        timeline = seen(a_dataflow("3h"), runs, now=at(hour=11))
        assert told(timeline) == [
            "no run started within 2 hours 30 minutes after the tick of 2026-12-01 06:00 UTC",
            "the run for the tick of 2026-12-01 06:00 UTC started 3 hours 3 minutes after it",
        ]
        assert timeline.tick_of["r-010903"].at == at(hour=6)
        assert timeline.tick_of["r-010920"].at == at(hour=9)

    def test_a_second_run_of_one_dataset_does_not_stand_in_for_another_one(self):
        runs = [*named(range(0, 12, 3), "A"), *named([0, 3, 9], "B"), *named([6], "A", minute=20)]
        assert told(seen(a_dataflow("3h"), runs, now=at(hour=11, minute=45), datasets=("A", "B"))) == [
            "2 runs delivered for the tick of 2026-12-01 06:00 UTC, dataset A twice",
            "1 of 2 runs for the tick of 2026-12-01 06:00 UTC; dataset B is lacking",
        ]

    def test_nor_does_it_where_the_other_one_is_lacking_at_the_tick_before(self):
        runs = [*named(range(0, 12, 3), "A"), *named([0, 3, 9], "B"), *named([9], "A", minute=20)]
        assert told(seen(a_dataflow("3h"), runs, now=at(hour=11, minute=45), datasets=("A", "B"))) == [
            "1 of 2 runs for the tick of 2026-12-01 06:00 UTC; dataset B is lacking",
            "3 runs delivered for the tick of 2026-12-01 09:00 UTC, dataset A twice",
        ]

    @pytest.mark.parametrize(("later", "tick"), [(0, at()), (1, None)])
    def test_a_run_stands_in_for_a_failed_one_until_that_tick_is_given_up(self, later, tick):
        """A tick is given up 150 minutes after the next one, three hours later."""
        again = a_run_at(at(hour=5, minute=30 + later), run_id="again")
        runs = [a_run_at(at(minute=3), status="failed"), *punctual([3, 6]), again]
        timeline = seen(a_dataflow("3h"), runs, now=at(hour=8, minute=15))
        assert [each.kind for each in findings_of(timeline, AuditPolicy())] == ["failed"]
        found = timeline.tick_of.get("again")
        assert (found and found.at) == tick

    @pytest.mark.parametrize(("later", "kinds"), [(0, ["missing", "late"]), (1, ["missing"])])
    def test_a_tick_that_lacks_its_run_may_get_one_until_it_is_given_up(self, later, kinds):
        runs = [*punctual([0, 6, 9]), a_run_at(at(hour=8, minute=30 + later))]
        timeline = seen(a_dataflow("3h"), runs, now=at(hour=11, minute=15))
        assert [each.kind for each in findings_of(timeline, AuditPolicy())] == kinds

    def test_a_run_that_is_tried_again_counts_no_more_though_it_named_no_dataset(self):
        runs = [*named([0, 3], "A"), *named([0, 3, 6], "B", minute=4), *named([6], "A", minute=30)]
        runs.append(a_run_at(at(hour=6, minute=3), status="failed", run_id="failed"))
        timeline = seen(a_dataflow("3h"), runs, now=at(hour=8), datasets=("A", "B"))
        served = timeline.served(at(hour=6))
        assert {run.id for run in served.runs} == {"failed", "r-010604B", "r-010630A"}
        assert {run.id for run in served.standing()} == {"r-010604B", "r-010630A"}

    def test_a_run_without_a_name_may_be_the_one_that_the_tick_before_lacks(self):
        runs = [*named([0, 1, 2, 3], "A", minute=4), *named([0, 1, 3], "B")]
        failed = a_run_at(at(hour=3, minute=2), status="failed", run_id="failed")
        timeline = seen(a_dataflow(), [*runs, failed], now=at(hour=3, minute=50), datasets=("A", "B"))
        assert timeline.tick_of["failed"].at == at(hour=2)
        assert [run.id for run in timeline.served(at(hour=3)).runs] == ["r-010303B", "r-010304A"]

    def test_a_run_without_a_name_lets_the_tick_before_have_the_dataset_that_it_lacks(self):
        runs = [*named([0, 1, 2, 3], "A"), *named([0, 1, 3], "B", minute=4)]
        failed = a_run_at(at(hour=3, minute=20), status="failed", run_id="failed")
        timeline = seen(a_dataflow(), [*runs, failed], now=at(hour=3, minute=50), datasets=("A", "B"))
        assert timeline.tick_of["r-010304B"].at == at(hour=2)
        assert timeline.tick_of["failed"].at == at(hour=3)

    def test_a_dataflow_that_is_switched_off_still_owes_what_it_owed_before(self):
        flow = a_dataflow("3h", state="disabled", changed=at(hour=13))
        timeline = seen(flow, punctual([0, 3, 9, 12]), now=at(hour=20))
        kinds = [(each.kind, each.known_at) for each in findings_of(timeline, AuditPolicy())]
        assert kinds == [("missing", at(hour=8, minute=30)), ("disabled", at(hour=13))]

    def test_a_dataset_that_is_late_goes_to_the_tick_that_lacks_it_and_not_to_one_that_lacks_another(self):
        runs = [*named([0, 1, 2, 3], "C", minute=2), *named([0, 1, 3], "B"), *named([0, 1, 3], "A", minute=4)]
        runs += [*named([3], "A", minute=20), *named([4], "A"), *named([4], "B"), *named([4], "C")]
        timeline = seen(a_dataflow(), runs, now=at(hour=4, minute=30), datasets=("A", "B", "C"))
        assert timeline.tick_of["r-010304A"].at == at(hour=2)
        assert {run.id for run in timeline.served(at(hour=3)).runs} == {"r-010302C", "r-010303B", "r-010320A"}

    def test_a_run_of_one_dataset_is_no_second_try_of_another_one_that_failed(self):
        runs = [*named([0, 3], "A"), *named([0, 3, 6], "B", minute=4), *named([6], "B", minute=30)]
        runs += named([6], "A", status="failed")
        timeline = seen(a_dataflow("3h"), runs, now=at(hour=8), datasets=("A", "B"))
        kinds = [each.kind for each in findings_of(timeline, AuditPolicy())]
        assert kinds == ["failed", "doubled"]

    def test_a_second_try_may_start_in_the_moment_in_which_the_first_one_failed(self):
        failed = a_run_at(at(hour=3, minute=3), status="failed")
        again = a_run_at(at(hour=3, minute=13), run_id="again")
        timeline = seen(a_dataflow("3h"), [*punctual([0]), failed, again], now=at(hour=4))
        assert timeline.served(at(hour=3)).standing() == [again]

    def test_a_run_that_hangs_and_another_one_that_delivered_are_not_two_that_delivered(self):
        hangs = a_run_at(at(hour=3, minute=3), None)
        for name, datasets in ((None, ("one",)), ("A", ("A", "B"))):
            beside = [a_run_at(at(hour=3, minute=4), dataset="B")] if name else []
            second = a_run_at(at(hour=3, minute=20), dataset=name)
            timeline = seen(
                a_dataflow("3h"),
                [*beside, hangs, second],
                now=at(hour=4),
                datasets=datasets,
                runs_per_tick=len(datasets),
            )
            kinds = {each.kind for each in findings_of(timeline, AuditPolicy())}
            assert "doubled" not in kinds

    def test_a_second_run_that_failed_beside_one_that_delivered_doubles_nothing(self):
        failed = a_run_at(at(hour=3, minute=20), status="failed")
        timeline = seen(a_dataflow("3h"), [*punctual([0, 3]), failed], now=at(hour=5))
        assert [each.kind for each in findings_of(timeline, AuditPolicy())] == ["failed"]

    def test_three_runs_of_a_tick_that_owes_one_are_told_once(self):
        extra = [a_run_at(at(hour=3, minute=minute)) for minute in (20, 40)]
        timeline = seen(a_dataflow("3h"), [*punctual([0, 3]), *extra], now=at(hour=5))
        assert told(timeline) == [
            "2 runs delivered for the tick of 2026-12-01 03:00 UTC, which owes 1",
        ]

    @pytest.mark.parametrize(("seconds", "kinds"), [(0, []), (1, ["missing", "late"])])
    def test_a_run_150_minutes_after_its_tick_is_just_in_time(self, seconds, kinds):
        run = a_run_at(at(hour=5, minute=30) + timedelta(seconds=seconds))
        timeline = seen(a_dataflow("3h"), [*punctual([0]), run], now=at(hour=6))
        assert [each.kind for each in findings_of(timeline, AuditPolicy())] == kinds

    def test_an_ad_hoc_run_on_the_first_day_of_an_export_of_two_datasets_is_not_late(self):
        runs = [a_run_at(at(minute=1)), a_run_at(at(hour=9))]
        assert told(seen(a_dataflow("1d"), runs, now=at(hour=12), datasets=("A", "B"))) == []

    def test_the_tick_just_before_the_listing_begins_still_has_its_run(self):
        run = a_run_at(at(hour=6, minute=3))
        timeline = timeline_of(
            a_dataflow("3h"), [run], now=at(hour=8), known_from=at(hour=6, minute=2), datasets=("one",)
        )
        assert timeline.tick_of[run.id].at == at(hour=6)

    def test_a_moment_that_is_no_tick_has_no_runs(self):
        timeline = seen(a_dataflow("3h"), punctual([0, 3]), now=at(hour=4))
        assert timeline.served(at(hour=3)).runs
        assert timeline.served(at(hour=2)) is None
        assert timeline.served(at(hour=6)) is None


class TestHowManyRunsATickMakes:
    @pytest.mark.parametrize(
        ("runs_of_ticks", "kinds"),
        [
            ([1, 1, 2, 2, 2], ["incomplete", "incomplete"]),
            ([1, 1, 1, 2, 2, 2], []),
            ([1, 1, 1, 2, 2, 3], ["doubled"]),
            ([1, 1, 1, 1, 2, 2], ["doubled", "doubled"]),
        ],
    )
    def test_most_ticks_tell_it_and_where_as_many_have_one_as_two_nobody_can(self, runs_of_ticks, kinds):
        runs = [
            a_run_at(at(hour=3 * tick, minute=3 + number))
            for tick, count in enumerate(runs_of_ticks)
            for number in range(count)
        ]
        now = at(hour=3 * len(runs_of_ticks), minute=-15)
        timeline = seen(a_dataflow("3h"), runs, now=now, datasets=("A", "B"))
        assert [each.kind for each in findings_of(timeline, AuditPolicy())] == kinds

    def test_a_tick_whose_other_run_may_yet_come_tells_nothing_of_it(self):
        runs = [*punctual([0, 3, 6, 9]), *(a_run_at(at(hour=hour, minute=4)) for hour in (0, 3))]
        timeline = seen(a_dataflow("3h"), runs, now=at(hour=9, minute=30), datasets=("A", "B"))
        assert told(timeline) == ["1 of 2 runs for the tick of 2026-12-01 06:00 UTC"]

    def test_nor_does_a_tick_whose_first_run_is_not_listed_any_more(self):
        runs = [*punctual([3, 6, 9]), *(a_run_at(at(hour=hour, minute=4)) for hour in (0, 6, 9))]
        timeline = timeline_of(
            a_dataflow("3h"), runs, now=at(hour=11, minute=45), known_from=at(minute=4), datasets=("A", "B")
        )
        assert told(timeline) == ["1 of 2 runs for the tick of 2026-12-01 03:00 UTC"]

    def test_one_run_for_all_that_failed_and_was_tried_again_is_one(self):
        runs = [a_run_at(at(hour=hour, minute=3), status="failed") for hour in (0, 3, 6)]
        runs += [*(a_run_at(at(hour=hour, minute=30)) for hour in (0, 3, 6)), *punctual([9, 12])]
        found = seen(a_dataflow("3h"), runs, now=at(hour=14, minute=45), datasets=("A", "B"))
        assert {each.kind for each in findings_of(found, AuditPolicy())} == {"failed"}

    def test_runs_that_name_their_datasets_tell_it_at_once(self):
        runs = [*named([0, 3], "A"), *named([0], "B")]
        found = seen(a_dataflow("3h"), runs, now=at(hour=5, minute=45), datasets=("A", "B"))
        assert told(found) == ["1 of 2 runs for the tick of 2026-12-01 03:00 UTC; dataset B is lacking"]

    def test_also_where_the_source_connection_cannot_be_read(self):
        runs = [*named([0, 3], "A"), *named([0], "B")]
        found = seen(a_dataflow("3h"), runs, now=at(hour=5, minute=45), datasets=None)
        assert told(found) == ["1 of 2 runs for the tick of 2026-12-01 03:00 UTC"]

    def test_a_run_that_names_several_datasets_is_for_all_of_them(self):
        both = [{"entitySummaries": [{"id": "dataset:A"}, {"id": "dataset:B"}]}]
        runs = [a_run_at(at(minute=3), summary={"targetSummaries": both})]
        timeline = seen(a_dataflow("3h"), runs, now=at(hour=2, minute=45), datasets=("A", "B"))
        assert (told(timeline), timeline.learnt) == ([], 1)

    def test_datasets_that_no_run_has_named_yet_are_owed_as_well(self):
        runs = [*named([0], "A"), *named([0], "B")]
        found = seen(a_dataflow("3h"), runs, now=at(hour=2, minute=45), datasets=("A", "B", "C"))
        assert told(found) == ["2 of 3 runs for the tick of 2026-12-01 00:00 UTC; dataset C is lacking"]

    def test_runs_by_hand_on_most_days_are_not_counted(self):
        runs = [a_run_at(at(day, minute=3)) for day in range(6)]
        runs += [a_run_at(at(day, hour=9)) for day in range(4)]
        assert told(seen(a_dataflow("1d"), runs, now=at(5, 4), datasets=("A", "B"))) == []

    @pytest.mark.parametrize(("minute", "status"), [(4, "failed"), (20, "success")])
    def test_a_run_beside_one_that_failed_or_after_one_that_delivered_is_another_one(self, minute, status):
        runs = [a_run_at(at(hour=hour, minute=3), status=status) for hour in (0, 3, 6)]
        runs += [a_run_at(at(hour=hour, minute=minute)) for hour in (0, 3, 6, 9)]
        found = seen(a_dataflow("3h"), runs, now=at(hour=11, minute=45), datasets=("A", "B"))
        assert told(found)[-1] == "1 of 2 runs for the tick of 2026-12-01 09:00 UTC"


class TestWhatIsRememberedOfIt:
    def of_ticks(self, *counts, remembered=None, datasets=("A", "B")):
        runs = [
            a_run_at(at(hour=3 * tick, minute=3 + number))
            for tick, count in enumerate(counts)
            for number in range(count)
        ]
        now = at(hour=3 * len(counts), minute=-15)
        return seen(a_dataflow("3h"), runs, now=now, datasets=datasets, runs_per_tick=remembered)

    @pytest.mark.parametrize(
        ("counts", "learnt"),
        [
            ([2], None),
            ([2, 2, 2], None),
            ([2, 2, 2, 2], 2),
            ([2, 2, 2, 1], 2),
            ([2, 2, 2, 1, 1], None),
            ([1, 1, 1, 2], 1),
            ([1, 1, 1, 2, 2], None),
        ],
    )
    def test_it_is_remembered_once_three_of_four_ticks_agree(self, counts, learnt):
        assert self.of_ticks(*counts).learnt == learnt

    def test_that_one_of_two_runs_is_lacking_for_long_is_no_new_rule(self):
        lacking = self.of_ticks(1, 1, 1, 1, 1, remembered=2)
        assert [each.kind for each in findings_of(lacking, AuditPolicy())] == ["incomplete"] * 5
        assert lacking.learnt == 2

    def test_that_there_are_two_runs_after_all_is_learnt_once_it_is_clear(self):
        assert self.of_ticks(2, 2, 2, 2, remembered=1).learnt == 2
        unclear = self.of_ticks(1, 2, 2, remembered=1)
        assert unclear.learnt == 1
        assert [each.kind for each in findings_of(unclear, AuditPolicy())] == ["doubled"] * 2

    def test_without_a_source_connection_the_most_frequent_number_is_learnt(self):
        assert self.of_ticks(3, 3, 3, 1, datasets=None).learnt == 3
        assert self.of_ticks(3, 3, 1, 1, datasets=None).learnt is None


class TestTheEnd:
    @pytest.mark.parametrize(("minute", "kinds"), [(-1, ["ends_soon"]), (0, ["ended"]), (1, ["ended"])])
    def test_an_export_has_ended_from_the_very_moment_on(self, minute, kinds):
        timeline = seen(
            a_dataflow("1d", end=at(3)), [a_run_at(at(day)) for day in range(3)], now=at(3, 0, minute)
        )
        assert [each.kind for each in findings_of(timeline, AuditPolicy())] == kinds


class TestFindingsOfNoTime:
    @pytest.mark.parametrize(("ahead", "known"), [(-1, True), (15, False), (16, None)])
    def test_an_end_a_little_ahead_is_told_when_it_has_come_and_one_far_ahead_at_once(self, ahead, known):
        """``known``: it is told with the moment of its end, not yet, or without any moment."""
        runs = [a_run_at(at(minute=5), 60 + ahead, status="failed")]
        found = findings_of(seen(a_dataflow("3h"), runs, now=at(hour=1, minute=5)), AuditPolicy())
        expected = {True: [at(hour=1, minute=5 + ahead)], False: [], None: [None]}
        assert [each.known_at for each in found] == expected[known]

    def test_a_failure_that_tells_no_time_is_told_in_every_window(self):
        document = {"id": "r", "flowId": "f", "metrics": {"statusSummary": {"status": "failed"}}}
        timeline = seen(a_dataflow("3h"), [DataflowRun.from_api(document)], now=at(hour=1))
        for hour in (0, 5, 50):
            new, earlier = window_of(findings_of(timeline, AuditPolicy()), at(hour=hour), at(hour=hour + 1))
            assert ([each.kind for each in new], earlier) == (["failed"], [])
            assert findings_of(timeline, AuditPolicy(), since=at(hour=hour)) == new

    def test_what_is_new_in_a_window_had_not_been_known_before_it(self):
        runs = [a_run_at(at(hour=hour, minute=3), status="failed", run_id=f"{hour}") for hour in (0, 3, 6)]
        found = findings_of(seen(a_dataflow("3h"), runs, now=at(hour=8)), AuditPolicy())
        new, earlier = window_of(found, at(hour=3, minute=13), at(hour=6, minute=13))
        assert ([each.key for each in new], [each.key for each in earlier]) == (["failed:3"], ["failed:0"])


class TestWhatStands:
    def stands(self, runs, *, now):
        timeline = seen(a_dataflow("3h"), runs, now=now)
        found = findings_of(timeline, AuditPolicy())
        return [each.key for each in standing_of(timeline, found)]

    def test_where_nothing_comes_any_more_it_is_told_since_when(self):
        assert self.stands(punctual([0, 3]), now=at(hour=16)) == [f"missing:{at(hour=6).isoformat()}"]

    def test_a_run_that_came_since_ends_it(self):
        assert self.stands(punctual([0, 3, 9]), now=at(hour=11)) == []

    def test_that_it_is_switched_off_stands(self):
        flow = a_dataflow("3h", state="disabled", changed=at(hour=4))
        timeline = seen(flow, punctual([0, 3]), now=at(hour=11))
        standing = standing_of(timeline, findings_of(timeline, AuditPolicy()))
        assert [each.kind for each in standing] == ["disabled"]

    def test_a_run_that_hangs_stands_until_it_ends(self):
        hangs = a_run_at(at(hour=6, minute=3), None, run_id="r")
        ended = a_run_at(at(hour=6, minute=3), 200, run_id="r")
        assert self.stands([*punctual([0, 3, 9]), hangs], now=at(hour=11)) == ["stuck:r"]
        assert self.stands([*punctual([0, 3, 9]), ended], now=at(hour=11)) == []


class TestWhatIsHandedOver:
    def test_of_very_much_that_was_told_the_oldest_is_forgotten_and_not_looked_for_again(self):
        told = {flow: {f"{flow}{n}": at(minute=n) for n in range(1500)} for flow in ("a", "b")}
        first = since_kept(told)
        kept = [key for keys in told.values() for key, moment in keys.items() if moment >= first]
        assert len(kept) <= 2000
        assert {"a501", "b501"} <= set(kept)
        assert since_kept({"a": {"a0": at()}}) < at(-1000)

    @pytest.mark.parametrize(
        "broken",
        [
            {"runs_per_tick": {"f": [1e999, 1]}},
            {"unread_since": {"f": "0001-01-01T00:00:00+00:00"}},
            {"told": {"f": ["failed:r"]}},
            {"first_seen": None},
        ],
    )
    def test_a_hand_over_that_breaks_the_arithmetic_counts_as_nothing(self, broken):
        kept = Handover(since=at(), until=at(2), reported={"f": {}}).to_json()
        assert Handover.from_json({**kept, **broken}) is None

    @pytest.mark.parametrize("kept", [None, "told", [], {}, {"version": 1}, {"version": 0, "told": {}}])
    def test_what_was_not_handed_over_by_a_check_counts_as_nothing(self, kept):
        assert Handover.from_json(kept) is None

    def test_nor_does_a_moment_without_a_time_zone_or_what_another_version_wrote(self):
        kept = Handover(since=at(), until=at(2), reported={}).to_json()
        assert Handover.from_json(kept)
        assert Handover.from_json({**kept, "until": "2026-12-01T00:00:00"}) is None
        assert Handover.from_json({**kept, "version": 0}) is None


def test_a_policy_travels_as_what_differs_from_the_defaults_and_comes_back_the_same():
    given = {"on_failed": "warn", "max_drop": 0.5, "max_duration": "PT2H", "history": 30}

    document = RunPolicy(**given).to_json()

    assert document == {**given, "max_duration": 7200}
    assert RunPolicy(**json.loads(json.dumps(document))) == RunPolicy(**given)
    assert RunPolicy().to_json() == {}


@pytest.mark.parametrize("value", [False, True, None, "", "0"])
def test_what_only_equals_a_default_is_still_held_against_the_rule(value):
    with pytest.raises(AepValidationError, match="max_failed_ratio"):
        RunPolicy(max_failed_ratio=value)
