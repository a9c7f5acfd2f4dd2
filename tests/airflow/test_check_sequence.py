"""Checks that follow each other, in Airflow's own database: what one hands over, the next one finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_aep.operators.xcom_keys import CHECK_KEY
from tests.airflow.past import TICK, Turn, check_at, due, export, serve_past, timetable_of, turn
from tests.truth.checks import LAG
from tests.truth.listing import Service
from tests.truth.world import HOUR, MINUTE

__all__ = ["serve_past", "turn"]

pytestmark = pytest.mark.airflow

DAG_ID = "aep_check_exports"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Check:
    """One DAG run of the example, and what it told."""

    run: Any
    state: str
    since: datetime
    until: datetime
    keys: list[str]
    alerts: list[str]
    ends: list[str]


@pytest.fixture
def service(serve_past: Callable[..., Service]) -> Service:
    return serve_past(
        export("good", every=1),
        export("failed", every=1, written={TICK: "failed"}),
        export("failed-later", every=1, written={TICK + 2 * HOUR: "failed"}),
    )


@pytest.fixture
def check(service: Service, turn: Turn, pulled: Callable[..., Any]) -> Callable[..., Check]:
    """``check(at)``: the check that is due at that moment, or ``check(cleared=run)``."""

    def carry_out(at: datetime | None = None, **given: Any) -> Check:
        told: dict[str, list[str]] = {"firing": [], "resolved": []}

        def send(text: str, about: Any) -> None:
            for alert in about["alerts"]:
                told[alert["state"]].append(alert["dataflow_id"])

        def listen(names: dict[str, Any]) -> None:
            names["alert"].send = send

        if at is not None:
            check_at(service, at)
        run = turn(DAG_ID, at, prepare=listen, **given)
        found = pulled(run, "check", CHECK_KEY)
        return Check(
            run=run,
            state=str(run.state),
            since=datetime.fromisoformat(found["since"]),
            until=datetime.fromisoformat(found["until"]),
            keys=[each["key"] for export in found["exports"] for each in export["findings"]],
            alerts=told["firing"],
            ends=told["resolved"],
        )

    return carry_out


def test_each_check_begins_where_the_last_one_ended_also_if_that_one_failed(check):
    checks = [check(TICK + hours * HOUR) for hours in range(5)]
    assert [each.state for each in checks] == ["success", "failed", "success", "failed", "success"]
    assert [each.alerts for each in checks] == [[], ["failed"], [], ["failed-later"], []]
    assert [each.ends for each in checks] == [[], [], ["failed"], [], ["failed-later"]]
    assert [each.since for each in checks[1:]] == [each.until for each in checks[:-1]]
    assert checks[-1].until == TICK + 4 * HOUR - LAG


def test_a_check_that_did_not_happen_leaves_no_hole(check):
    before = check(TICK)
    after = check(TICK + 5 * HOUR)
    assert after.since == before.until
    assert sorted(after.alerts) == ["failed", "failed-later"]


def test_a_check_that_is_cleared_later_tells_the_same_and_takes_nothing_from_the_next(check):
    before, told, after, last = (check(TICK + hours * HOUR) for hours in range(4))
    again = check(cleared=told.run)
    assert (again.since, again.until) == (told.since, told.until) == (before.until, after.since)
    assert again.keys == told.keys
    assert again.keys
    assert again.alerts == ["failed"]
    following = check(TICK + 4 * HOUR)
    assert (following.since, following.alerts) == (last.until, [])


@pytest.mark.airflow3
def test_an_hourly_schedule_without_data_intervals_tells_once_and_not_24_times(check):
    _, interval = due(timetable_of(DAG_ID), TICK)
    assert interval.start == interval.end
    checks = [check(TICK + hours * HOUR) for hours in range(1, 6)]
    # The first one ever has nothing to go on from, and looks back a day.
    assert checks[0].until - checks[0].since == DAY
    assert [each.until - each.since for each in checks[1:]] == [HOUR] * 4
    assert [name for each in checks for name in each.alerts] == ["failed", "failed-later"]


@pytest.mark.airflow3
def test_checks_without_a_logical_date_have_a_sequence_of_their_own(check):
    scheduled = [check(TICK)]
    by_hand = [check(TICK + HOUR / 2, kind="manual", undated=True)]
    scheduled.append(check(TICK + HOUR))
    by_hand.append(check(TICK + HOUR + 25 * MINUTE, kind="manual", undated=True))
    by_hand.append(check(TICK + HOUR + 45 * MINUTE, kind="manual", undated=True))
    scheduled.append(check(TICK + 2 * HOUR))
    # Each of them goes on from the last check of any kind; those of the timetable only from their own.
    assert by_hand[0].since == scheduled[0].until
    assert by_hand[1].since == scheduled[1].until
    assert by_hand[2].since == by_hand[1].until
    assert [each.since for each in scheduled[1:]] == [each.until for each in scheduled[:-1]]
    assert [each.alerts for each in by_hand] == [["failed"], [], []]
    assert [each.alerts for each in scheduled] == [[], ["failed"], []]


def test_a_check_by_hand_is_about_now_and_takes_nothing_from_the_schedule(check):
    """With a logical date, as Airflow 2 gives one, and Airflow 3 if asked."""
    scheduled = [check(TICK)]
    by_hand = [check(TICK + HOUR / 2, kind="manual")]
    scheduled += [check(TICK + hours * HOUR) for hours in (1, 2, 3)]
    assert (by_hand[0].since, by_hand[0].until) == (scheduled[0].until, TICK + HOUR / 2 - LAG)
    assert [each.since for each in scheduled[1:]] == [each.until for each in scheduled[:-1]]
    assert [each.alerts for each in scheduled] == [[], ["failed"], [], ["failed-later"]]


def test_a_backfill_tells_what_it_finds_alerts_nobody_and_takes_nothing_from_the_schedule(check):
    before = check(TICK)
    backfilled = check(TICK + HOUR, kind="backfill")
    assert (backfilled.state, backfilled.alerts) == ("success", [])
    assert backfilled.keys == ["failed:failed.09T0300.a"]
    after = check(TICK + 2 * HOUR)
    assert (after.since, after.alerts) == (before.until, ["failed"])
