"""When a run that is still under way is taken to be stuck."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.stuck import stuck_at, stuck_reach
from airflow_provider_aep.monitoring.usual import Past
from tests.unit.monitoring.histories import MIDNIGHT, a_run, at

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
ONCE = timedelta()
MADE_LONG_AGO = MIDNIGHT - 90 * DAY


def after(run, *earlier, step=DAY, longest=None, now=None, created_at=None):
    """How long after its start a run is found to be stuck, looked at five days later."""
    past = Past([*earlier, run], known_from=MIDNIGHT - 30 * DAY, created_at=created_at)
    found = stuck_at(run, past, step=step, longest=longest, now=now or run.started_at + 5 * DAY)
    return found and found - run.started_at


def nights(minutes, count=4):
    """Runs of the nights before, which took so long."""
    return [a_run(at(-night), minutes) for night in range(1, count + 1)]


def hanging(**given):
    return a_run(at(), None, **given)


class TestHowLongIsTooLong:
    @pytest.mark.parametrize(
        ("usually", "hours"),
        [(10, 2.5), (49, 2.5), (50, 2.5), (51, 2.55), (240, 12), (480, 24), (600, 24), (1200, 30)],
    )
    def test_three_times_its_usual_but_150_minutes_at_least_and_seldom_past_the_next_tick(
        self, usually, hours
    ):
        assert after(hanging(), *nights(usually)) == hours * HOUR

    @pytest.mark.parametrize(("step", "hours"), [(HOUR, 2.5), (3 * HOUR, 3), (6 * HOUR, 6), (DAY, 24)])
    def test_until_the_next_tick_where_nothing_is_usual_yet(self, step, hours):
        assert after(hanging(), step=step) == hours * HOUR
        assert after(hanging(), *nights(10, count=2), step=step) == hours * HOUR

    def test_an_hourly_export_that_usually_takes_two_hours_may_take_three(self):
        earlier = [a_run(at(hour=-hour), 120) for hour in range(3, 8)]
        assert after(hanging(), *earlier, step=HOUR) == 3 * HOUR

    def test_a_day_where_there_is_no_next_tick_and_nothing_is_usual(self):
        assert after(hanging(), step=ONCE) == DAY

    def test_three_times_its_usual_where_there_is_no_next_tick(self):
        earlier = [a_run(at(hour=-hour), 60) for hour in (2, 4, 6)]
        assert after(hanging(), *earlier, step=ONCE) == 3 * HOUR

    def test_a_first_full_export_may_take_a_day_however_often_its_dataflow_exports(self):
        assert after(hanging(), step=HOUR, created_at=MIDNIGHT - DAY) == DAY
        assert after(hanging(), step=2 * DAY, created_at=MIDNIGHT - DAY) == 2 * DAY

    def test_what_the_policy_allows_wins_also_where_it_is_less_or_the_export_is_the_first(self):
        assert after(hanging(), longest=HOUR) == HOUR
        assert after(hanging(), *nights(10), longest=30 * HOUR) == 30 * HOUR
        assert after(hanging(), longest=HOUR, created_at=MIDNIGHT - DAY) == HOUR


class TestWhenItIsFound:
    def test_from_the_very_moment_on(self):
        run, moment = hanging(), at(hour=2, minute=30)
        earlier = nights(10)
        assert after(run, *earlier, now=moment - MINUTE) is None
        assert after(run, *earlier, now=moment) == 2.5 * HOUR
        assert after(run, now=at(hour=1), longest=HOUR) == HOUR
        assert after(run, now=at(minute=59), longest=HOUR) is None

    def test_after_150_minutes_it_is_not_stuck_yet_where_it_may_take_longer(self):
        assert after(hanging(), now=at(hour=23, minute=59)) is None
        assert after(hanging(), now=at(1)) == DAY

    def test_a_run_that_ended_in_just_that_time_was_not_stuck(self):
        assert after(a_run(at(), 150), *nights(10)) is None
        assert after(a_run(at(), 151), *nights(10)) == 2.5 * HOUR
        assert after(a_run(at(), 60), longest=HOUR) is None
        assert after(a_run(at(), 61), longest=HOUR) == HOUR

    def test_an_end_that_lies_ahead_is_no_end_yet(self):
        run = a_run(at(), 300)
        assert after(run, *nights(10), now=at(hour=2)) is None
        assert after(run, *nights(10), now=at(hour=3)) == 2.5 * HOUR

    def test_a_run_without_a_start_is_not(self):
        queued = DataflowRun.from_api({"id": "r", "flowId": "f"})
        past = Past([queued], known_from=MIDNIGHT, created_at=None)
        assert stuck_at(queued, past, step=DAY, longest=HOUR, now=at(5)) is None


class TestWhatIsUsual:
    def test_runs_of_eight_ticks_before_tell_what_is_usual_and_older_ones_do_not(self):
        slow_once = [a_run(at(-night), 600) for night in (9, 10, 11)]
        assert after(hanging(), *slow_once) == DAY
        assert after(hanging(), *slow_once, *nights(60, count=3)) == 3 * HOUR

    @pytest.mark.parametrize(("step", "hours"), [(ONCE, 8), (timedelta(minutes=15), 8), (3 * HOUR, 24)])
    def test_where_ticks_are_close_or_there_is_one_alone_it_looks_back_eight_hours_at_least(
        self, step, hours
    ):
        assert stuck_reach(step) == hours * HOUR

    def test_how_long_it_may_take_does_not_change_with_what_runs_do_after_it_began(self):
        later = [a_run(at(hour=hour), 600) for hour in (1, 2, 3)]
        assert after(hanging(), *nights(10), *later) == after(hanging(), *nights(10)) == 2.5 * HOUR
