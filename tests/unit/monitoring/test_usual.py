"""What is usual of a dataflow: which runs a run is compared with, and which it is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.usual import History, Past, usual_duration, usual_records
from tests.unit.monitoring.histories import MIDNIGHT, a_run, at

HOUR, LONG_AGO = timedelta(hours=1), MIDNIGHT - timedelta(days=60)
DROP = RunPolicy(max_drop=0.5)


def past(*runs, known_from=LONG_AGO, created_at=None):
    return Past(runs, known_from=known_from, created_at=created_at)


def hours_of(history):
    """The hours at which its runs started."""
    return [run.started_at.hour for run in history.runs]


class TestWhatCameBefore:
    def test_only_runs_that_had_ended_before_it_began_newest_first(self):
        judged = a_run(at(hour=6))
        under_way = a_run(at(hour=5), 61)
        just_over = a_run(at(hour=4), 120)
        runs = [under_way, a_run(at(hour=2)), just_over, a_run(at(hour=3)), judged, a_run(at(hour=7))]
        assert hours_of(past(*runs).before(judged)) == [4, 3, 2]

    def test_how_far_back_it_looks_counts_for_starts_and_includes_the_very_moment(self):
        judged = a_run(at(hour=6))
        runs = [a_run(at(hour=3, minute=59), 30), a_run(at(hour=4)), a_run(at(hour=5))]
        assert hours_of(past(*runs).before(judged, reach=2 * HOUR)) == [5, 4]

    def test_the_answer_is_the_same_however_much_was_read(self):
        judged, near = a_run(at(hour=6)), [a_run(at(hour=hour)) for hour in (4, 5)]
        little, much = past(*near), past(*(a_run(at(-day)) for day in range(1, 9)), *near)
        assert little.before(judged, reach=3 * HOUR).runs == much.before(judged, reach=3 * HOUR).runs

    def test_a_run_without_a_start_has_nothing_before_it(self):
        timeless = DataflowRun.from_api({"id": "r", "flowId": "f"})
        assert past(a_run(at()), created_at=MIDNIGHT).before(timeless) == History()

    def test_it_is_complete_only_if_it_goes_back_to_where_the_dataflow_was_made(self):
        judged, runs = a_run(at(hour=6)), [a_run(at(hour=hour)) for hour in (3, 4, 5)]
        made = at(hour=2)
        assert past(*runs, known_from=made, created_at=made).before(judged).complete
        assert not past(*runs, known_from=at(hour=2, minute=1), created_at=made).before(judged).complete
        assert not past(*runs).before(judged).complete
        assert not past(*runs, created_at=made).before(judged, reach=2 * HOUR).complete
        assert past(*runs, created_at=made).before(judged, reach=3 * HOUR).complete


class TestTheFirstFullExport:
    def test_a_run_is_the_first_until_one_before_it_has_delivered(self):
        failed, again = a_run(at(), status="failed"), a_run(at(hour=1), 30)
        meanwhile, after = a_run(at(hour=1, minute=29)), a_run(at(hour=1, minute=30))
        known = past(failed, again, meanwhile, after, created_at=LONG_AGO)
        first = [known.is_first(run) for run in (failed, again, meanwhile, after)]
        assert first == [True, True, True, False]

    def test_an_export_whose_beginning_is_not_listed_any_more_has_no_first(self):
        run = a_run(at())
        assert not past(run, known_from=MIDNIGHT, created_at=LONG_AGO).is_first(run)
        assert not past(run).is_first(run)

    def test_it_makes_neither_the_usual_count_nor_the_usual_duration(self):
        runs = (*(a_run(at(day), 10) for day in (3, 2, 1)), a_run(at(), 600, records=1_000_000))
        assert usual_records(History(runs=runs, complete=True), DROP) == (100, 3)
        assert usual_duration(History(runs=runs, complete=True)) == timedelta(minutes=10)
        assert usual_records(History(runs=runs[1:], complete=True), DROP) == (None, 0)
        assert usual_duration(History(runs=runs[1:], complete=True)) is None


class TestTheUsual:
    def test_the_median_of_the_last_runs_that_exported_something(self):
        runs = tuple(a_run(at(-day), records=count) for day, count in enumerate([30, 0, 10, 20, 5000, 5000]))
        assert usual_records(History(runs=runs), RunPolicy(history=3)) == (20, 3)

    def test_two_runs_are_too_few_for_it(self):
        runs = (a_run(at(2)), a_run(at(1)))
        assert usual_records(History(runs=runs), DROP) == (None, 0)
        assert usual_duration(History(runs=runs)) is None
        assert usual_records(None, DROP) == (None, 0)

    @pytest.mark.parametrize("newest", [7, 8])
    def test_the_usual_duration_is_that_of_the_last_seven_that_delivered(self, newest):
        runs = [a_run(at(20 - day), 10) for day in range(newest)]
        runs += [a_run(at(10 - day), 600) for day in range(8)]
        failed = a_run(at(21), 1, status="failed")
        assert usual_duration(History(runs=(failed, *runs))) == timedelta(minutes=10)

    def test_a_few_slow_runs_among_the_last_seven_do_not_make_it(self):
        took = [10, 600, 10, 600, 10, 600, 10, 600, 600]
        runs = tuple(a_run(at(20 - day), minutes) for day, minutes in enumerate(took))
        assert usual_duration(History(runs=runs)) == timedelta(minutes=10)

    def test_ends_before_their_starts_make_no_negative_duration(self):
        runs = tuple(a_run(at(day), -60) for day in (3, 2, 1))
        assert usual_duration(History(runs=runs)) == timedelta()
