"""What became of each tick, and which tick each run was for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_aep.monitoring.findings import findings_of
from airflow_provider_aep.monitoring.policy import AuditPolicy, RunPolicy
from airflow_provider_aep.monitoring.states import states_of
from airflow_provider_aep.monitoring.timeline import timeline_of
from tests.unit.monitoring.histories import MIDNIGHT, a_dataflow, a_run, at


def found(flow, runs, *, now, datasets=("one",), policy=None, known_from=MIDNIGHT - timedelta(days=1)):
    """Kind, tick or run, and moment of all that is found."""
    timeline = timeline_of(flow, runs, now=now, known_from=known_from, datasets=datasets)
    return [
        (each.kind, f"{each.tick:%d %H:%M}" if each.tick else None, f"{each.known_at:%d %H:%M}")
        for each in findings_of(timeline, policy or AuditPolicy())
    ]


def punctual(hours, **given):
    return [a_run(at(hour=hour, minute=3), **given) for hour in hours]


class TestWhichRunItWas:
    def test_hourly_runs_that_start_after_the_next_tick_are_late_by_minutes_and_nothing_is_missing(self):
        hours = [0, 1, 3, 4, 6, 7, 8, 9]
        runs = [*punctual(hours), a_run(at(hour=3, minute=5)), a_run(at(hour=6, minute=10))]
        timeline = timeline_of(
            a_dataflow(), runs, now=at(hour=18), known_from=MIDNIGHT - timedelta(days=1), datasets=("one",)
        )
        served = {one.tick.at: one.runs for one in timeline.attribution.served}
        assert [run.started_at for run in served[at(hour=2)]] == [at(hour=3, minute=3)]
        assert [run.started_at for run in served[at(hour=3)]] == [at(hour=3, minute=5)]
        assert [run.started_at for run in served[at(hour=5)]] == [at(hour=6, minute=3)]
        kinds = {each.kind for each in findings_of(timeline, AuditPolicy()) if each.tick < at(hour=10)}
        assert kinds == set()

    def test_a_late_run_moves_those_of_the_ticks_in_between_up(self):
        runs = [*punctual([0, 1, 4]), a_run(at(hour=3, minute=10)), a_run(at(hour=5, minute=2))]
        runs += [a_run(at(hour=5, minute=8)), *punctual(range(6, 10))]
        assert found(a_dataflow(), runs, now=at(hour=9, minute=30)) == []

    def test_a_run_may_seem_to_start_a_little_before_its_tick(self):
        runs = [a_run(at(hour=hour) - timedelta(seconds=90)) for hour in range(0, 12, 3)]
        assert found(a_dataflow("3h"), runs, now=at(hour=11)) == []

    def test_more_runs_than_the_ticks_around_it_owe_make_a_tick_doubled(self):
        runs = [*punctual(range(0, 12, 3)), a_run(at(hour=6, minute=20))]
        assert found(a_dataflow("3h"), runs, now=at(hour=11)) == [("doubled", "01 06:00", "01 06:30")]

    def test_a_run_hours_after_a_tick_that_was_served_is_ad_hoc(self):
        runs = [a_run(at(day=day, minute=2)) for day in range(3)] + [a_run(at(day=1, hour=9))]
        assert found(a_dataflow("1d"), runs, now=at(day=2, hour=9)) == []

    def test_a_failed_run_that_is_tried_again_is_told_and_doubles_nothing(self):
        runs = [*punctual(range(0, 12, 3)), a_run(at(hour=6, minute=30))]
        runs[2] = a_run(at(hour=6, minute=3), status="failed")
        assert found(a_dataflow("3h"), runs, now=at(hour=11)) == [("failed", "01 06:00", "01 06:13")]

    def test_a_failed_ad_hoc_run_is_told_though_no_tick_owns_it(self):
        failed = a_run(at(hour=5), status="failed")
        ahead = a_dataflow("1d", start=at(day=365), created=MIDNIGHT)
        unreadable = a_dataflow("every full moon")
        for flow in (ahead, unreadable, a_dataflow("1d", start=MIDNIGHT - timedelta(days=1))):
            runs = [failed, a_run(at(day=-1, minute=1)), a_run(at(minute=1))]
            assert ("failed", "01 05:10") in [
                (kind, known) for kind, _, known in found(flow, runs, now=at(hour=6))
            ]


class TestWhatIsMissing:
    def test_a_run_that_never_comes_is_known_to_be_missing_after_150_minutes(self):
        runs = punctual([0, 3])
        assert found(a_dataflow("3h"), runs, now=at(hour=8, minute=29)) == []
        assert found(a_dataflow("3h"), runs, now=at(hour=8, minute=30)) == [
            ("missing", "01 06:00", "01 08:30")
        ]

    def test_an_hourly_export_that_stops_is_told_after_150_minutes_and_a_single_gap_once_it_is_certain(self):
        stopped = punctual(range(3))
        assert found(a_dataflow(), stopped, now=at(hour=5, minute=30)) == [
            ("missing", "01 03:00", "01 05:30")
        ]
        gap = punctual([0, 1, 2, *range(4, 12)])
        assert found(a_dataflow(), gap, now=at(hour=11)) == [("missing", "01 03:00", "01 10:30")]

    def test_a_run_that_comes_after_all_is_late(self):
        runs = [*punctual([0, 3]), a_run(at(hour=8, minute=40))]
        assert found(a_dataflow("3h"), runs, now=at(hour=9, minute=30)) == [
            ("missing", "01 06:00", "01 08:30"),
            ("late", "01 06:00", "01 08:40"),
        ]

    def test_before_the_listing_begins_a_tick_is_not_known(self):
        assert found(a_dataflow("3h"), punctual([9]), now=at(hour=11), known_from=at(hour=7)) == []

    def test_after_the_end_of_the_schedule_nothing_is_owed(self):
        flow = a_dataflow("3h", end=at(hour=5))
        kinds = [kind for kind, _, _ in found(flow, punctual([0, 3]), now=at(day=3))]
        assert kinds == ["ended"]

    def test_a_paused_dataflow_owes_nothing_in_its_pause(self):
        flow = a_dataflow("3h", changed=at(hour=13))
        runs = punctual([0, 3, 15, 18])
        assert found(flow, runs, now=at(hour=20)) == []

    def test_a_change_does_not_excuse_what_was_owed_before_it(self):
        flow = a_dataflow("3h", changed=at(hour=13))
        runs = punctual([0, 3, 9, 12, 15, 18])
        assert found(flow, runs, now=at(hour=20)) == [("missing", "01 06:00", "01 08:30")]

    def test_a_schedule_that_was_made_denser_was_not_denser_before(self):
        flow = a_dataflow("3h", changed=at(hour=13))
        runs = punctual([0, 6, 12, 15, 18])
        assert found(flow, runs, now=at(hour=20)) == []

    def test_a_dataflow_that_is_switched_off_owes_nothing_from_then_on(self):
        flow = a_dataflow("3h", state="disabled", changed=at(hour=4))
        assert found(flow, punctual([0, 3]), now=at(day=2)) == [("disabled", None, "01 04:00")]

    @pytest.mark.parametrize("changed", [None, at(hour=13)])
    def test_a_tick_is_shown_as_doubled_only_if_that_is_a_finding(self, changed):
        flow = a_dataflow("3h", **({"changed": changed} if changed else {}))
        runs = [*punctual(range(0, 24, 3)), a_run(at(minute=20))]
        timeline = timeline_of(flow, runs, now=at(hour=23), known_from=MIDNIGHT - timedelta(days=1))
        expected = "good" if changed else "doubled"
        assert [event.kind for event in timeline.events] == ([] if changed else ["doubled"])
        assert states_of(timeline, RunPolicy(), MIDNIGHT)[0].kind == expected

    def test_a_dataflow_that_is_being_changed_is_told_only_if_it_stays_so(self):
        flow = a_dataflow("1d", state="updating", changed=at(day=1, hour=2))
        runs = [a_run(at(day=day, minute=2)) for day in (0, 1)]
        assert found(flow, runs, now=at(day=1, hour=2, minute=59)) == []
        assert found(flow, runs, now=at(day=1, hour=4)) == [("disabled", None, "02 03:00")]

    @pytest.mark.parametrize("state", ["updating", "unheard-of"])
    def test_only_a_state_that_is_known_to_be_off_excuses(self, state):
        kinds = [kind for kind, _, _ in found(a_dataflow("3h", state=state), punctual([0]), now=at(hour=6))]
        assert "missing" in kinds


class TestSeveralRunsATick:
    def test_a_tick_that_lacks_one_of_two_unnamed_runs_is_incomplete_and_the_others_are_met(self):
        runs = [*punctual(range(8)), *(a_run(at(hour=hour, minute=4)) for hour in range(8) if hour != 7)]
        assert found(a_dataflow(), runs, now=at(hour=9, minute=30), datasets=("A", "B")) == [
            ("incomplete", "01 07:00", "01 09:30")
        ]

    def test_a_tick_one_of_whose_two_runs_failed_has_failed_and_nothing_is_doubled(self):
        runs = [*punctual(range(0, 24, 3))]
        runs += [
            a_run(at(hour=hour, minute=4), status="failed" if hour == 6 else "success")
            for hour in range(0, 24, 3)
        ]
        assert found(a_dataflow("3h"), runs, now=at(hour=23), datasets=("A", "B")) == [
            ("failed", "01 06:00", "01 06:14")
        ]

    def test_the_dataset_that_is_lacking_is_named_where_runs_name_theirs(self):
        runs = [a_run(at(hour=hour, minute=3), dataset="A") for hour in range(0, 12, 3)]
        runs += [a_run(at(hour=hour, minute=3), dataset="B") for hour in range(0, 9, 3)]
        timeline = timeline_of(
            a_dataflow("3h"), runs, now=at(hour=11, minute=45), known_from=MIDNIGHT, datasets=("A", "B")
        )
        assert [each.told for each in findings_of(timeline, AuditPolicy())] == [
            "1 of 2 runs for the tick of 2026-12-01 09:00 UTC; dataset B is lacking"
        ]

    def test_one_run_for_all_datasets_is_learnt_from_the_past(self):
        assert found(a_dataflow("3h"), punctual(range(0, 24, 3)), now=at(hour=23), datasets=("A", "B")) == []

    def test_without_a_source_connection_the_past_alone_tells(self):
        runs = [*punctual(range(0, 24, 3)), *(a_run(at(hour=hour, minute=4)) for hour in range(0, 21, 3))]
        assert found(a_dataflow("3h"), runs, now=at(day=1), datasets=None) == [
            ("incomplete", "01 21:00", "01 23:30")
        ]


class TestStuck:
    def test_a_run_that_hangs_past_the_next_tick_is_stuck(self):
        runs = [*punctual([0, 3]), a_run(at(hour=6, minute=3), None)]
        assert ("stuck", "01 06:00", "01 09:03") in found(a_dataflow("3h"), runs, now=at(day=2))

    def test_several_times_the_usual_is_enough_after_150_minutes(self):
        runs = [a_run(at(day=day, minute=1)) for day in range(4)] + [a_run(at(day=4, minute=1), None)]
        assert found(a_dataflow("1d"), runs, now=at(day=4, hour=2)) == []
        assert found(a_dataflow("1d"), runs, now=at(day=4, hour=3)) == [("stuck", "05 00:00", "05 02:31")]

    def test_a_run_that_usually_takes_hours_is_not_stuck_after_them(self):
        runs = [a_run(at(day=day, minute=1), 240) for day in range(4)] + [a_run(at(day=4, minute=1), None)]
        assert found(a_dataflow("1d"), runs, now=at(day=4, hour=11)) == []

    def test_max_duration_wins(self):
        runs = [a_run(at(minute=1), None)]
        policy = AuditPolicy(runs=RunPolicy(max_duration=3600, on_slow="fail"))
        assert found(a_dataflow("1d"), runs, now=at(hour=1, minute=1), policy=policy) == [
            ("stuck", "01 00:00", "01 01:01")
        ]

    def test_that_it_was_stuck_is_known_also_after_it_ended(self):
        runs = [
            *punctual([0, 3]),
            a_run(at(hour=6, minute=3), 600, status="failed"),
            *punctual(range(9, 18, 3)),
        ]
        assert found(a_dataflow("3h"), runs, now=at(hour=19)) == [
            ("stuck", "01 06:00", "01 09:03"),
            ("failed", "01 06:00", "01 16:03"),
        ]

    def test_a_first_full_export_may_take_a_day(self):
        flow = a_dataflow("3h", created=MIDNIGHT - timedelta(hours=1))
        runs = [a_run(at(minute=2), None), *punctual([3, 6])]
        assert found(flow, runs, now=at(hour=8)) == []


class TestOddRuns:
    def test_neither_order_nor_repeated_pages_change_anything(self):
        runs = [*punctual([0, 3, 9]), a_run(at(hour=9, minute=20), status="failed")]
        expected = found(a_dataflow("3h"), runs, now=at(hour=11))
        assert found(a_dataflow("3h"), [*reversed(runs), *runs], now=at(hour=11)) == expected

    def test_a_failed_run_without_any_time_is_told_by_every_check(self):
        from airflow_provider_aep.flowservice.run_record import DataflowRun

        run = DataflowRun.from_api(
            {"id": "r", "flowId": "f", "metrics": {"statusSummary": {"status": "failed"}}}
        )
        timeline = timeline_of(a_dataflow("3h"), [run], now=at(hour=1), known_from=MIDNIGHT)
        (finding,) = findings_of(timeline, AuditPolicy())
        assert (finding.kind, finding.known_at) == ("failed", None)

    def test_an_end_before_the_start_counts_as_the_start(self):
        runs = [a_run(at(minute=5), -60, status="failed")]
        assert found(a_dataflow("3h"), runs, now=at(hour=1)) == [("failed", "01 00:00", "01 00:05")]

    def test_a_failed_run_whose_end_lies_in_the_far_future_is_told_now(self):
        runs = [a_run(at(minute=5), 60 * 24 * 365, status="failed")]
        timeline = timeline_of(a_dataflow("3h"), runs, now=at(hour=1), known_from=MIDNIGHT)
        assert [
            (each.kind, each.known_at)
            for each in findings_of(timeline, AuditPolicy())
            if each.kind == "failed"
        ] == [("failed", None)]
