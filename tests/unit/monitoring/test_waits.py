"""What the runs of a dataflow mean to somebody who waits for a tick, a window, or given runs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.monitoring.waits import TickWait, Wait, sighting_of, with_stuck
from tests.unit.monitoring.histories import MIDNIGHT, a_dataflow, a_run, at

LONG_BEFORE = MIDNIGHT - timedelta(days=1)


def for_tick(moment, *, flow=None, datasets=("one",), **given) -> Wait:
    tick = TickWait(at=moment, flow=flow or a_dataflow(), datasets=datasets)
    return Wait(dataflow_id="f", started_after=LONG_BEFORE, tick=tick, **given)


def ids(sighting) -> list[str]:
    return [run.id for run in sighting.runs]


class TestATick:
    def test_a_run_that_began_90_seconds_before_its_tick_is_its_run(self):
        run = a_run(at(hour=6) - timedelta(seconds=90))
        wait = for_tick(at(hour=6), flow=a_dataflow("6h"))
        others = [a_run(at(minute=2))]
        assert ids(sighting_of(wait, [run, *others], at(hour=6, minute=20))) == [run.id]

    def test_a_tick_that_is_to_come_is_waited_for(self):
        seen = sighting_of(for_tick(at(hour=6)), [], at(hour=5))
        assert (seen.finished, seen.told) == (False, "the tick of 2026-12-01 06:00 UTC is to come")

    def test_the_run_of_the_next_tick_is_not_this_ones(self):
        runs = [a_run(at(hour=hour, minute=1)) for hour in (0, 3, 6)]
        wait = for_tick(at(hour=3), flow=a_dataflow("3h"))
        assert ids(sighting_of(wait, runs, at(hour=7))) == ["r-010301"]

    def test_an_hourly_run_that_starts_after_the_next_tick_belongs_to_its_own(self):
        early = [a_run(at(minute=1)), a_run(at(hour=2, minute=4))]
        first, second = for_tick(at(hour=1)), for_tick(at(hour=2))
        # Whose the run of 02:04 is cannot be told yet: that of 01:00 may come at any moment.
        assert not sighting_of(second, early, at(hour=2, minute=20)).finished
        both = [*early, a_run(at(hour=2, minute=21))]
        ended = at(hour=2, minute=35)
        assert ids(sighting_of(first, both, ended)) == ["r-010204"]
        assert ids(sighting_of(second, both, ended)) == ["r-010221"]
        assert sighting_of(first, both, ended).finished
        assert sighting_of(second, both, ended).finished

    def test_the_next_tick_waits_for_the_late_run_of_the_one_before_for_150_minutes_at_most(self):
        runs = [a_run(at(minute=1)), a_run(at(hour=2, minute=4))]
        wait = for_tick(at(hour=2))
        assert not sighting_of(wait, runs, at(hour=3, minute=30)).finished
        assert sighting_of(wait, runs, at(hour=3, minute=31)).finished

    def test_ticks_from_before_the_dataflow_was_made_keep_nobody_waiting(self):
        flow = a_dataflow(created=at(hour=1, minute=50), changed=at(hour=1, minute=50))
        wait = for_tick(at(hour=2), flow=flow)
        assert sighting_of(wait, [a_run(at(hour=2, minute=1))], at(hour=2, minute=20)).finished

    def test_a_dataset_that_is_lacking_is_named_where_runs_name_theirs(self):
        flow = a_dataflow("1d", start=MIDNIGHT - timedelta(days=1))
        runs = [a_run(at(day=-1, minute=1), dataset=each) for each in ("a", "b")]
        runs.append(a_run(at(minute=1), dataset="a"))
        wait = for_tick(MIDNIGHT, flow=flow, datasets=("a", "b"))
        early, late = (sighting_of(wait, runs, at(hour=hour, minute=31)) for hour in (1, 2))
        assert (early.finished, early.incomplete) == (False, "")
        assert late.finished
        assert late.incomplete == "1 of 2 runs for the tick of 2026-12-01 00:00 UTC; dataset b is lacking"

    def test_a_run_that_failed_and_was_tried_again_does_not_count(self):
        runs = [
            a_run(at(minute=1)),
            a_run(at(hour=6, minute=1), status="failed"),
            a_run(at(hour=6, minute=30)),
        ]
        wait = for_tick(at(hour=6), flow=a_dataflow("6h"))
        assert ids(sighting_of(wait, runs, at(hour=7))) == ["r-010630"]

    def test_a_run_that_comes_after_150_minutes_is_said_to_be_missing_and_waited_for(self):
        runs, wait = [a_run(at(minute=1))], for_tick(at(hour=6), flow=a_dataflow("6h"))
        seen = sighting_of(wait, runs, at(hour=8, minute=31))
        assert (seen.finished, seen.in_vain) == (False, False)
        assert seen.told == "no run started within 2 hours 30 minutes after the tick of 2026-12-01 06:00 UTC"
        assert sighting_of(wait, [*runs, a_run(at(hour=9))], at(hour=9, minute=30)).finished

    def test_where_no_run_could_be_this_ticks_any_more_the_wait_is_in_vain(self):
        runs = [a_run(at(hour=hour, minute=1)) for hour in (0, 12, 18)]
        wait = for_tick(at(hour=6), flow=a_dataflow("6h"))
        assert not sighting_of(wait, runs, at(hour=14, minute=45)).in_vain
        assert sighting_of(wait, runs, at(hour=14, minute=46)).in_vain


class TestAWindow:
    @pytest.mark.parametrize(("minutes", "in_vain"), [(15, False), (16, True)])
    def test_one_that_has_passed_without_a_run_is_waited_for_in_vain(self, minutes, in_vain):
        wait = Wait(dataflow_id="f", started_after=at(hour=1), started_before=at(hour=2))
        seen = sighting_of(wait, [a_run(at(hour=3))], at(hour=2, minute=minutes))
        assert (seen.finished, seen.in_vain) == (False, in_vain)
        if in_vain:
            assert seen.told == "no run has started yet, and its window ended at 2026-12-01 02:00 UTC"

    def test_one_that_has_passed_with_a_run_under_way_is_not(self):
        wait = Wait(dataflow_id="f", started_after=at(hour=1), started_before=at(hour=2))
        assert not sighting_of(wait, [a_run(at(hour=1), None)], at(hour=5)).in_vain

    def test_one_that_has_passed_with_too_few_runs_is(self):
        wait = Wait(dataflow_id="f", started_after=at(hour=1), started_before=at(hour=2), expected=2)
        seen = sighting_of(wait, [a_run(at(hour=1))], at(hour=5))
        assert (seen.finished, seen.in_vain) == (False, True)
        assert seen.told.startswith("1 of 2 expected: r-010100 success, and its window ended at ")

    def test_where_enough_runs_came_in_its_own_part_later_ones_are_not_meant(self):
        early, late = a_run(at(hour=1)), a_run(at(hour=3))
        window = {"started_after": MIDNIGHT, "started_before": at(hour=4), "own_until": at(hour=2)}
        one, two = (Wait(dataflow_id="f", **window, expected=expected) for expected in (1, 2))
        assert ids(sighting_of(one, [late, early], at(hour=4))) == [early.id]
        assert ids(sighting_of(one, [late], at(hour=4))) == [late.id]
        assert ids(sighting_of(two, [late, early], at(hour=4))) == [late.id, early.id]

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_a_run_that_two_pages_list_counts_once_and_its_end_is_the_later_word(self, newest_first):
        under_way, done = a_run(at(hour=1), None), a_run(at(hour=1))
        pages = [done, under_way] if newest_first else [under_way, done]
        for expected, finished in ((1, True), (2, False)):
            wait = Wait(dataflow_id="f", started_after=MIDNIGHT, expected=expected)
            seen = sighting_of(wait, pages, at(hour=2))
            assert (seen.finished, ids(seen)) == (finished, [done.id])


def test_a_wait_for_no_run_at_all_is_over_as_soon_as_the_service_answers():
    wait = Wait(dataflow_id="f", started_after=MIDNIGHT, expected=0)
    for runs in ([], [a_run(at(hour=1), None)]):
        seen = sighting_of(wait, runs, at(hour=1))
        assert (seen.finished, seen.runs) == (True, ())


class TestGivenRuns:
    WAIT = Wait(dataflow_id="f", started_after=MIDNIGHT, run_ids=("a", "b"))

    def test_they_are_waited_for_whenever_they_started(self):
        runs = [a_run(at(day=-9), run_id="a"), a_run(at(hour=1), run_id="b"), a_run(at(hour=1), run_id="c")]
        seen = sighting_of(self.WAIT, runs, at(hour=2))
        assert (seen.finished, ids(seen)) == (True, ["a", "b"])

    def test_one_that_is_not_listed_yet_is_named(self):
        seen = sighting_of(self.WAIT, [a_run(at(hour=1), run_id="b")], at(hour=2))
        assert (seen.finished, seen.told) == (False, "1 of 2 expected: b success; run a is not listed yet")
        assert sighting_of(self.WAIT, [], at(hour=2)).told == "run a, b is not listed yet"

    def test_one_that_two_pages_list_does_not_stand_for_the_other(self):
        twice = [a_run(at(hour=1), run_id="a")] * 2
        assert not sighting_of(self.WAIT, twice, at(hour=2)).finished


class TestStuck:
    RUN = a_run(at(hour=1), None)

    @pytest.mark.parametrize("ends", [True, False])
    def test_a_run_that_should_have_ended_is_told_and_ends_the_wait_if_it_may(self, ends):
        wait = Wait(dataflow_id="f", started_after=MIDNIGHT, ends_stuck=ends)
        seen = sighting_of(wait, [self.RUN], at(hour=4))
        found = with_stuck(wait, seen, at(hour=4), {self.RUN.id: at(hour=3, minute=30)})
        assert found.finished is ends
        assert found.stuck == found.told
        assert "was still under way 2 hours 30 minutes after it started" in found.told
        assert with_stuck(wait, seen, at(hour=3), {self.RUN.id: at(hour=3, minute=30)}) == seen

    def test_a_longest_duration_wins_over_what_is_usual(self):
        wait = Wait(dataflow_id="f", started_after=MIDNIGHT, ends_stuck=True, longest=timedelta(minutes=20))
        seen = sighting_of(wait, [self.RUN], at(hour=4))
        assert with_stuck(wait, seen, at(hour=1, minute=20), {self.RUN.id: at(day=9)}).stuck
        patient = Wait(dataflow_id="f", started_after=MIDNIGHT, longest=timedelta(days=2))
        assert not with_stuck(patient, seen, at(hour=4), {self.RUN.id: at(hour=2)}).stuck


class TestItsWayToTheTriggerer:
    @pytest.mark.parametrize(
        "wait",
        [
            Wait(dataflow_id="f", started_after=MIDNIGHT),
            Wait(
                dataflow_id="f",
                started_after=MIDNIGHT,
                started_before=at(hour=3),
                own_until=at(hour=2),
                expected=3,
                longest=timedelta(minutes=90),
                ends_stuck=True,
            ),
            Wait(dataflow_id="f", started_after=MIDNIGHT, run_ids=("a", "b")),
            Wait(dataflow_id="f", started_after=MIDNIGHT, expected=0),
            for_tick(at(hour=6), datasets=None, step=timedelta(hours=1)),
            for_tick(at(hour=6), datasets=("a", "b"), step=timedelta(hours=1)),
        ],
        ids=["open", "window", "given", "any answer", "tick", "tick of two datasets"],
    )
    def test_a_wait_survives_it(self, wait):
        assert Wait.from_json("f", json.loads(json.dumps(wait.to_json()))) == wait

    def test_a_window_of_an_older_version_is_still_one(self):
        told = {"started_after": MIDNIGHT.isoformat(), "started_before": None, "expected": 2}
        assert Wait.from_json("f", told) == Wait(dataflow_id="f", started_after=MIDNIGHT, expected=2)

    def test_nothing_of_a_dataflow_goes_along_that_it_does_not_take(self):
        flow = a_dataflow(description="secret plans", transformations=[{"params": "secret"}])
        assert "secret" not in json.dumps(for_tick(MIDNIGHT, flow=flow).to_json())

    @pytest.mark.parametrize("changed", [{"run_ids": ["a/b"]}, {"started_after": "soon"}, {"own_until": "x"}])
    def test_what_makes_no_sense_is_refused(self, changed):
        told = {**Wait(dataflow_id="f", started_after=MIDNIGHT).to_json(), **changed}
        with pytest.raises(AepValidationError):
            Wait.from_json("f", told)


class TestHowFarBackItReads:
    """Requests are saved where older runs could not end the wait."""

    def test_nothing_before_its_start_is_needed(self):
        wait = Wait(dataflow_id="f", started_after=at(hour=3))
        assert wait.needs_more([], at(hour=3))
        assert not wait.needs_more([], at(hour=2, minute=59))

    def test_a_run_under_way_in_a_window_is_enough_to_go_on_waiting(self):
        wait = Wait(dataflow_id="f", started_after=MIDNIGHT)
        assert not wait.needs_more([a_run(at(hour=5), None)], at(hour=5))
        assert wait.needs_more([a_run(at(hour=5))], at(hour=5))

    def test_given_runs_are_enough(self):
        wait = TestGivenRuns.WAIT
        runs = [a_run(at(hour=3), run_id="a"), a_run(at(hour=3), run_id="b")]
        assert wait.needs_more(runs[:1], at(hour=3))
        assert not wait.needs_more(runs, at(hour=3))

    def test_before_a_run_of_a_tick_has_ended_older_ones_do_not_matter(self):
        wait = for_tick(at(hour=6))
        assert wait.needs_more([], at(hour=5, minute=58))
        assert not wait.needs_more([], at(hour=5, minute=54))
        assert not wait.needs_more([a_run(at(hour=6), None)], at(hour=5, minute=54))
        assert wait.needs_more([a_run(at(hour=6))], at(hour=5, minute=54))
