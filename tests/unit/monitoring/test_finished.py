from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_aep.errors import AepAuthError
from airflow_provider_aep.flowservice.dataflows import delete_dataflow
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring import finished
from airflow_provider_aep.monitoring.finished import (
    CLOCKS,
    LOOK_BACK,
    REACH,
    Cursor,
    begin,
    is_history,
    look_for_finished,
    move_on,
    pick_news,
)

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def run_of(name: str, *, created: datetime = NOW, completed: datetime | None = None) -> DataflowRun:
    durations: dict[str, Any] = {"startedAtUTC": int(created.timestamp() * 1000)}
    if completed:
        durations["completedAtUTC"] = int(completed.timestamp() * 1000)
    status = {"status": "success" if completed else "processing"}
    return DataflowRun.from_api(
        {
            "id": name,
            "flowId": "flow",
            "createdAt": int(created.timestamp() * 1000),
            "metrics": {"durationSummary": durations, "statusSummary": status},
        }
    )


def names(runs: list[DataflowRun]) -> list[str]:
    return [run.id for run in runs]


def started() -> Cursor:
    return move_on(begin(NOW), [], [], now=NOW)


def test_each_finished_run_is_news_once_in_the_order_of_their_ends():
    runs = [
        run_of("late", completed=NOW + 9 * MINUTE),
        run_of("early", completed=NOW + 3 * MINUTE),
        run_of("under way"),
    ]
    cursor = started()
    news = pick_news(cursor, runs)
    assert names(news) == ["early", "late"]
    cursor = move_on(cursor, runs, news, now=NOW + 10 * MINUTE)
    assert pick_news(cursor, runs) == []
    runs[2] = run_of("under way", completed=NOW + 11 * MINUTE)
    assert names(pick_news(cursor, runs)) == ["under way"]


def test_a_run_that_is_listed_late_is_news_all_the_same():
    cursor = started()
    later = run_of("later", created=NOW + 5 * MINUTE, completed=NOW + 6 * MINUTE)
    cursor = move_on(cursor, [later], [later], now=NOW + 2 * LOOK_BACK)
    straggler = run_of("straggler", created=NOW + LOOK_BACK + MINUTE, completed=NOW + LOOK_BACK + 2 * MINUTE)
    assert names(pick_news(cursor, [later, straggler])) == ["straggler"]


def test_a_long_run_holds_the_window_open():
    long = run_of("long", created=NOW + MINUTE)
    cursor = move_on(started(), [long], [], now=NOW + 20 * timedelta(hours=1))
    assert cursor.since == NOW + MINUTE
    long = run_of("long", created=NOW + MINUTE, completed=NOW + 21 * timedelta(hours=1))
    assert names(pick_news(cursor, [long])) == ["long"]


def test_no_run_holds_it_open_for_ever():
    stuck = run_of("stuck", created=NOW)
    later = NOW + REACH + timedelta(hours=1)
    assert move_on(started(), [stuck], [], now=later).since == later - LOOK_BACK
    assert move_on(started(), [stuck], [], now=later, whole=False).since == later - REACH


def test_what_has_left_the_window_is_forgotten_and_yet_not_told_again():
    old = run_of("old", created=NOW + MINUTE, completed=NOW + 2 * MINUTE)
    cursor = move_on(started(), [old], [old], now=NOW + 3 * MINUTE)
    assert set(cursor.reported) == {"old"}
    cursor = move_on(cursor, [old], [], now=NOW + 2 * LOOK_BACK)
    assert cursor.reported == {}
    assert pick_news(cursor, [old]) == []


def test_the_window_never_goes_back_and_stays_where_not_all_could_be_read():
    cursor = started()
    assert move_on(cursor, [], [], now=NOW - LOOK_BACK).since == cursor.since
    assert move_on(cursor, [], [], now=NOW + LOOK_BACK, whole=False).since == cursor.since
    assert move_on(cursor, [], [], now=NOW + LOOK_BACK).since == NOW


def test_what_ended_before_the_beginning_is_history_however_late_it_comes_to_light():
    cursor = begin(NOW)
    assert is_history(cursor, run_of("a", completed=NOW - CLOCKS - MINUTE))
    assert not is_history(cursor, run_of("b", completed=NOW - CLOCKS + MINUTE))
    assert not is_history(cursor, run_of("c"))


def test_the_number_of_runs_told_is_bounded(monkeypatch):
    monkeypatch.setattr(finished, "MOST_TOLD", 3)
    runs = [run_of(f"{n}", created=NOW + n * MINUTE, completed=NOW + 30 * MINUTE) for n in range(6)]
    cursor = move_on(started(), runs, runs, now=NOW + 31 * MINUTE)
    assert len(cursor.reported) <= 3
    assert pick_news(cursor, runs) == []


def test_a_run_without_any_time_is_nobodys_news():
    assert (
        pick_news(
            started(), [DataflowRun.from_api({"id": "x", "metrics": {"statusSummary": {"status": "failed"}}})]
        )
        == []
    )


def test_a_cursor_survives_being_kept():
    run = run_of("a", created=NOW + timedelta(milliseconds=1500), completed=NOW + MINUTE)
    cursor = move_on(started(), [run], [run], now=NOW + 2 * MINUTE)
    kept = Cursor.from_json(cursor.to_json())
    assert kept is not None
    assert pick_news(kept, [run]) == []
    # Whole seconds: no cursor may forget a run and yet look at it.
    cursor = Cursor(
        since=NOW + timedelta(milliseconds=1600),
        begun=NOW,
        reported={"b": NOW + timedelta(milliseconds=1700)},
    )
    kept = Cursor.from_json(cursor.to_json())
    assert kept is not None
    assert kept.since <= cursor.since
    assert kept.reported["b"] >= cursor.reported["b"]


@pytest.mark.parametrize(
    "kept",
    [
        None,
        "cursor",
        {},
        {"version": 2, "since": 1, "begun": 1, "told": {}},
        {"version": 1, "since": 1, "begun": 1, "told": []},
        {"version": 1, "since": "soon", "begun": 1, "told": {}},
        {"version": 1, "since": 1e300, "begun": 1, "told": {}},
        {"version": 1, "since": 1, "told": {}},
    ],
)
def test_what_is_no_cursor_is_none(kept):
    assert Cursor.from_json(kept) is None


@pytest.fixture
def exports(make_dataflow, emulator, clock) -> list[str]:
    made = [make_dataflow(name) for name in ("a", "b", "c")]
    clock.advance(2 * 3600)
    emulator.tick()
    emulator.log.clear()
    return made


def test_one_request_lists_the_runs_of_all(run, emulator, exports, now):
    seen = run(look_for_finished(exports, since=now - LOOK_BACK))
    assert {each.dataflow_id for each in seen.runs} == set(exports)
    assert len(emulator.log) == 1
    assert seen.unread == {}


def test_where_the_list_is_refused_each_is_asked_for_alone(run, emulator, exports, now):
    emulator.enter("several-values-refused")
    for _ in range(2):
        seen = run(look_for_finished(exports, since=now - LOOK_BACK))
        assert {each.dataflow_id for each in seen.runs} == set(exports)
    emulator.log.clear()
    assert run(look_for_finished(exports, since=now - LOOK_BACK)).unread == {}
    assert len(emulator.log) == 3


def test_one_bad_dataflow_leaves_the_others_alone(run, emulator, exports, now):
    emulator.fail_next(403, times=2, match="GET /runs")
    seen = run(look_for_finished(exports, since=now - LOOK_BACK))
    assert len({each.dataflow_id for each in seen.runs}) == 2
    assert [type(error) for error in seen.unread.values()] == [AepAuthError]


def test_a_dataflow_that_was_deleted_is_no_trouble(run, emulator, exports, now):
    run(delete_dataflow(exports[0]))
    seen = run(look_for_finished(exports, since=now - LOOK_BACK))
    assert seen.unread == {}
    assert {each.dataflow_id for each in seen.runs} >= set(exports[1:])
    emulator.fail_next(404, match="GET /runs")
    assert run(look_for_finished(exports[:1], since=now - LOOK_BACK)).unread == {}
