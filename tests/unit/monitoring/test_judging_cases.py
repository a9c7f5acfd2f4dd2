"""Histories that were once judged wrongly, as a scheduled check sees them: what it tells, and when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_aep.emulator.listing import listed
from airflow_provider_aep.emulator.replies import reply
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Request, Response
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.audit import Audit, audit_exports
from airflow_provider_aep.monitoring.handover import Handover
from airflow_provider_aep.monitoring.overview import Overviewed, read_overview
from airflow_provider_aep.monitoring.policy import RunPolicy, audit_policy
from airflow_provider_aep.monitoring.selection import Selection
from airflow_provider_aep.monitoring.usual import History
from airflow_provider_aep.monitoring.verdict import judge_runs
from airflow_provider_aep.operators import dataflows
from airflow_provider_aep.operators.dataflows import AepUpdateDataflowOperator
from tests.unit.monitoring.histories import MIDNIGHT, a_dataflow, a_run, at
from tests.unit.task_instance import FakeTaskInstance, context_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
Told = list[tuple[str, str]]
AN_HOUR_AT_MOST = {"max_duration": 3600, "on_slow": "fail"}


class Sandbox:
    """A sandbox with one export, as the service shows it ``now``: of a run under way only its start."""

    def __init__(self, flow: Dataflow, *runs: DataflowRun, datasets: Sequence[str] = ("A",)) -> None:
        spec = {"id": next(iter(DESTINATIONS.values())).flow_spec_id}
        self._flow = {**flow.raw, "flowSpec": spec, "sourceConnectionIds": ["s"]}
        self._source = {"id": "s", "params": {"datasets": [{"dataSetId": each} for each in datasets]}}
        self._runs = runs
        self.now = MIDNIGHT

    def send(self, request: Request) -> Response:
        kind = request.path.strip("/")
        if kind.startswith("data/foundation/catalog"):
            return reply(403, {"error_code": "403000", "message": "no right to see it"})
        documents: dict[str, list[Any]] = {"flows": [self._flow], "sourceConnections": [self._source]}
        documents["runs"] = [self._shown(run) for run in self._runs if run.started_at <= self.now]
        return reply(200, listed(kind, documents[kind], request.query, page_size=100))

    def _shown(self, run: DataflowRun) -> dict[str, Any]:
        if run.ended_at is None or run.ended_at <= self.now:
            return dict(run.raw)
        started = run.raw["metrics"]["durationSummary"]["startedAtUTC"]
        under_way = {
            "durationSummary": {"startedAtUTC": started},
            "statusSummary": {"status": "processing"},
        }
        return {**run.raw, "metrics": under_way}

    def check(self, since: datetime, until: datetime, before: Handover | None = None, **policy: Any) -> Audit:
        """A check of a window as soon as it is over."""
        self.now = until
        selection = policy.pop("selection", None)
        exchange = audit_exports(
            since=since,
            until=until,
            now=until,
            before=before,
            policy=audit_policy(policy),
            selection=selection,
        )
        return drive(exchange, self)

    def checks(
        self, period: timedelta, until: datetime, since: datetime = MIDNIGHT, **policy: Any
    ) -> list[Told]:
        """Checks in a row, each from where the last one ended: what was new in each."""
        told, before = [], None
        while since < until:
            found = self.check(since, since + period, before, **policy)
            told.append(new_in(found))
            before = Handover.from_json(json.loads(json.dumps(found.handover.to_json())))
            since += period
        return told

    def page(self, moment: datetime) -> Overviewed:
        self.now = moment
        (shown,), _ = drive(read_overview(now=moment), self)
        return shown


def new_in(found: Audit) -> Told:
    (export,) = found.exports
    return [
        (each.kind, f"{each.tick:%d %H:%M}" if each.tick else each.run_ids[0]) for each in export.findings
    ]


def every(hours: int, *ticks: int, minute: float = 3, **given: Any) -> list[DataflowRun]:
    """One run for each of these ticks."""
    return [a_run(at(hour=hours * tick, minute=minute), **given) for tick in ticks]


class TestATickAtTheEndOfAWindow:
    """An export every day at 23:00, and a check every day at midnight."""

    FLOW = a_dataflow("1d", start=at(hour=23))

    def test_a_run_that_fails_after_the_window_is_over_is_told_by_the_next_check_once(self):
        runs = [a_run(at(day, 23, 1), 120, status="failed") for day in range(4)]
        assert Sandbox(self.FLOW, *runs).checks(DAY, at(5)) == [
            [],
            [("failed", "01 23:00")],
            [("failed", "02 23:00")],
            [("failed", "03 23:00")],
            [("failed", "04 23:00")],
        ]

    def test_a_run_that_never_comes_is_told_by_the_check_in_whose_window_its_deadline_passes(self):
        assert Sandbox(self.FLOW).checks(DAY, at(3)) == [
            [],
            [("missing", "01 23:00")],
            [("missing", "02 23:00")],
        ]


class TestARunThatHangs:
    def test_it_is_told_by_the_check_and_by_the_page_though_it_never_ends(self):
        runs = [a_run(at(day, minute=1), 10 if day < 4 else None) for day in range(5)]
        sandbox = Sandbox(a_dataflow("1d"), *runs)
        found = sandbox.check(at(4), at(4, 1, 2), **AN_HOUR_AT_MOST)
        assert (found.outcome, new_in(found)) == ("fail", [("stuck", "05 00:00")])
        shown = sandbox.page(at(4, 12))
        assert (shown.outcome, shown.decided.kind) == ("fail", "stuck")
        assert shown.decided.told == (
            "run r-050001 has been under way for 11 hours 59 minutes; usually it takes 10 minutes"
        )

    def test_what_it_means_has_a_policy_of_its_own(self):
        sandbox = Sandbox(a_dataflow("1d"), a_run(at(minute=1), None))
        assert sandbox.check(at(), at(hour=2), **AN_HOUR_AT_MOST, on_stuck="warn").outcome == "warn"
        assert sandbox.check(at(), at(hour=1), **AN_HOUR_AT_MOST).outcome == "ok"

    def test_a_run_that_hangs_in_each_of_ten_days_is_told_each_day(self):
        runs = [a_run(at(day, minute=1), None) for day in range(10)]
        told = Sandbox(a_dataflow("1d"), *runs).checks(DAY, at(10), **AN_HOUR_AT_MOST)
        assert told == [[("stuck", f"{day + 1:02} 00:00")] for day in range(10)]


class TestRunsThatAreLate:
    def test_two_that_start_after_the_next_tick_alarm_nobody_and_no_tick_lacks_its_run(self):
        late = {2: 65, 5: 70}
        runs = [a_run(at(hour=hour, minute=late.get(hour, 3))) for hour in range(12)]
        sandbox = Sandbox(a_dataflow(), *runs)
        assert sandbox.checks(HOUR, at(hour=18))[:12] == [[]] * 12
        assert [state.kind for state in sandbox.page(at(hour=11, minute=30)).states] == ["good"] * 12

    def test_one_that_is_three_days_late_is_no_excuse_for_its_tick_and_takes_no_run_from_another(self):
        punctual = every(3, *range(1, 32))
        late = a_run(at(3, minute=40), run_id="three-days-late")
        told = Sandbox(a_dataflow("3h"), *punctual, late).checks(DAY, at(4))
        assert told == [[("missing", "01 00:00")], [], [], [("doubled", "04 00:00")]]


class TestARunThatNoTickOwns:
    @pytest.mark.parametrize(
        "flow",
        [a_dataflow("1d", start=at(365)), a_dataflow("every full moon"), a_dataflow("1d", start=at(-1))],
        ids=["before the first tick", "a schedule that cannot be read", "a window without a tick"],
    )
    def test_it_is_told_when_it_fails(self, flow):
        failed = a_run(at(hour=15), status="failed", run_id="by-hand")
        good = [a_run(at(day, minute=1)) for day in (-1, 0)]
        found = Sandbox(flow, *good, failed).check(at(hour=12), at(hour=20))
        assert (found.outcome, new_in(found)) == ("fail", [("failed", "by-hand")])


class TestACheckOfNothing:
    @pytest.mark.parametrize("selection", [Selection(name_contains="nihgtly"), Selection(owner="nobody")])
    def test_a_selection_that_fits_no_export_fails_and_says_so(self, selection):
        sandbox = Sandbox(a_dataflow("1d"), *every(24, 0, status="failed"))
        found = sandbox.check(at(), at(hour=5), selection=selection)
        assert (found.outcome, found.exports) == ("fail", ())
        assert found.told_nothing() == (f"Nothing was checked: none of 1 export dataflows fits {selection}.")
        assert sandbox.check(at(), at(hour=5), selection=selection, on_nothing="ok").outcome == "ok"


class TestSeveralRunsATick:
    def test_of_two_nameless_runs_one_that_never_came_makes_its_tick_incomplete(self):
        runs = [*every(1, *range(8)), *every(1, *range(7), minute=4)]
        sandbox = Sandbox(a_dataflow(), *runs, datasets=["A", "B"])
        assert new_in(sandbox.check(at(), at(hour=9, minute=31))) == [("incomplete", "01 07:00")]
        kinds = [state.kind for state in sandbox.page(at(hour=9, minute=31)).states]
        assert kinds[:8] == ["good"] * 7 + ["incomplete"]

    def test_of_two_nameless_runs_one_that_failed_makes_its_tick_failed(self):
        runs = [*every(3, *range(8)), *every(3, 0, 1, 3, 4, 5, 6, 7, minute=4)]
        runs += every(3, 2, minute=4, status="failed")
        sandbox = Sandbox(a_dataflow("3h"), *runs, datasets=["A", "B"])
        assert new_in(sandbox.check(at(), at(hour=22))) == [("failed", "01 06:00")]
        kinds = [state.kind for state in sandbox.page(at(hour=22)).states]
        assert kinds == ["good", "good", "failed", "good", "good", "good", "good", "good"]

    def test_where_runs_name_their_datasets_the_one_that_is_lacking_is_named(self):
        runs = [*every(1, *range(8), dataset="A"), *every(1, *range(7), dataset="B")]
        found = Sandbox(a_dataflow(), *runs, datasets=["A", "B"]).check(at(), at(hour=9, minute=31))
        assert [each.told for each in found.exports[0].findings] == [
            "1 of 2 runs for the tick of 2026-12-01 07:00 UTC; dataset B is lacking"
        ]
        assert found.outcome == "fail"

    def test_a_dataset_that_is_lacking_is_told_though_another_one_has_a_second_run_under_way(self):
        earlier = [run for name in "AB" for run in every(24, -3, -2, -1, dataset=name)]
        twice = [*every(24, 0, dataset="A"), a_run(at(minute=10), 180, dataset="A", run_id="second")]
        sandbox = Sandbox(a_dataflow("1d", start=at(-10)), *earlier, *twice, datasets=["A", "B"])
        told = [each for check in sandbox.checks(HOUR, at(hour=8)) for each in check]
        assert ("incomplete", "01 00:00") in told


class TestCounts:
    def test_a_share_of_skipped_records_tolerates_no_other_error(self):
        run = a_run(
            at(),
            status="partialSuccess",
            records=999,
            summary={"inputRecordCount": 1000, "skippedRecordCount": 1},
            errors=[{"code": "CONNECTOR-2001-500", "message": "dataset B: copy failed"}],
        )
        verdict = judge_runs([run], RunPolicy(on_partial="fail", max_skipped_ratio=0.01))
        assert (verdict.outcome, verdict.status) == ("fail", "partial")

    def test_runs_of_the_same_datasets_are_compared_in_whatever_order_they_name_them(self):
        def of(day: int, records: int, *names: str) -> DataflowRun:
            named = [{"entitySummaries": [{"id": f"dataset:{name}"} for name in names]}]
            return a_run(at(day), records=records, summary={"targetSummaries": named})

        earlier = History(runs=tuple(of(day, 1000, "A", "B") for day in (3, 2, 1)))
        policy = RunPolicy(max_drop=0.5, on_low_records="fail")
        verdict = judge_runs([of(4, 10, "B", "A")], policy, earlier)
        assert (verdict.outcome, verdict.status, verdict.usual_records) == ("fail", "low_records", 1000)

    def test_a_success_without_any_count_fails_where_the_policy_asks_for_known_counts(self):
        sandbox = Sandbox(a_dataflow("1d"), *every(24, 0, records=None))
        asked = sandbox.check(at(), at(hour=1), min_records=100, on_unknown_records="fail")
        assert (asked.outcome, new_in(asked)) == ("fail", [("unknown_records", "01 00:00")])
        assert sandbox.check(at(), at(hour=1), min_records=100).outcome == "ok"

    @pytest.mark.parametrize(("text", "kinds"), [("0", ["zero_records"]), ("12", [])])
    def test_a_count_that_comes_as_text_is_a_number(self, text, kinds):
        sandbox = Sandbox(a_dataflow("1d"), *every(24, 0, records=text))
        found = sandbox.check(at(), at(hour=1))
        assert [kind for kind, _ in new_in(found)] == kinds
        assert found.exports[0].verdicts[0].records_out == int(text)

    def test_the_first_full_export_is_no_measure_of_the_increments_after_it(self):
        runs = [a_run(at(day, minute=1), records=1_000_000 if day == 0 else 100) for day in range(5)]
        sandbox = Sandbox(a_dataflow("1d", created=at() - HOUR), *runs)
        assert new_in(sandbox.check(at(4), at(4, 1), max_drop=0.5)) == []
        assert [state.is_first for state in sandbox.page(at(4, 1)).states] == [True, *[False] * 4]
        less = Sandbox(a_dataflow("1d", created=at() - HOUR), *runs, a_run(at(5, minute=1), records=10))
        assert new_in(less.check(at(5), at(5, 1), max_drop=0.5)) == [("low_records", "06 00:00")]


class TestTheDataflowItself:
    @pytest.mark.parametrize("state", ["updating", "unheard-of"])
    def test_only_a_state_that_is_known_to_be_off_excuses_that_nothing_ran(self, state):
        found = Sandbox(a_dataflow("6h", state=state)).check(at(), at(1))
        assert found.outcome == "fail"
        assert ("missing", "01 06:00") in new_in(found)

    def test_a_schedule_that_was_given_an_end_in_the_past_is_told_by_the_next_check(self):
        flow = a_dataflow("6h", end=at(1), changed=at(10, 9))
        runs = every(6, *range(4))
        found = Sandbox(flow, *runs).check(at(10), at(11))
        (ended,) = found.exports[0].findings
        assert (found.outcome, ended.kind, ended.known_at) == ("warn", "ended", at(10, 9))
        assert ended.told == "its schedule ended on 2026-12-02 00:00 UTC"

    def test_an_update_of_an_export_that_has_ended_warns_that_it_exports_nothing(
        self, aep, clock, make_dataflow, now, logged, monkeypatch
    ):
        later = now + 9 * DAY
        monkeypatch.setattr(dataflows, "datetime", SimpleNamespace(now=lambda tz: later))
        flow = make_dataflow(end=now + 1 * DAY)
        clock.advance(9 * DAY.total_seconds())
        update = AepUpdateDataflowOperator(task_id="update", dataflow_id=flow, schedule={"every": "6h"})
        update.execute(context_of(FakeTaskInstance()))
        assert "now exports every 6h" in (told := logged())
        assert f"ended on {now + 1 * DAY:%Y-%m-%d}" in told


class TestChecksOfNoWidth:
    """As on Airflow 3's cron schedules: a check goes on from where the last one ended."""

    def test_each_thing_is_told_by_one_check_of_a_day_of_hourly_ones(self):
        runs = [*every(3, 0, 1, 3, 5, 6, 7), *every(3, 4, status="failed"), *every(3, 8, records=0)]
        told = Sandbox(a_dataflow("3h"), *runs).checks(HOUR, at(1, 6))
        assert [(hour + 1, *each) for hour, some in enumerate(told) for each in some] == [
            (9, "missing", "01 06:00"),
            (13, "failed", "01 12:00"),
            (25, "zero_records", "02 00:00"),
            (30, "missing", "02 03:00"),
        ]


def test_the_page_and_the_check_agree_on_a_tick_that_was_missed_a_day_ago():
    sandbox = Sandbox(a_dataflow(), *every(1, *range(10), *range(11, 40)))
    found = sandbox.check(at(), at(hour=39, minute=30))
    shown = sandbox.page(at(hour=39, minute=30))
    assert [each.kind for each in found.exports[0].findings] == ["missing"]
    assert [each.key for each in shown.findings] == [each.key for each in found.exports[0].findings]
    assert (shown.outcome, shown.bad) == ("ok", 1)
