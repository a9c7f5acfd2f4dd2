"""When an export is well again: what a run must be to end what is open."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.causes import Cause
from airflow_provider_aep.monitoring.findings import findings_of, standing_of, window_of
from airflow_provider_aep.monitoring.policy import AuditPolicy
from airflow_provider_aep.monitoring.recovery import Recovery, recovery_of
from airflow_provider_aep.monitoring.timeline import timeline_of
from tests.unit.monitoring.histories import a_dataflow, a_run, at

POLICY = AuditPolicy()


def check(runs: list[DataflowRun], now: datetime, *, since: datetime, **given: Any) -> Recovery:
    """What a check of a three-hourly export says, with what was open before."""
    datasets = given.pop("datasets", ("a",))
    timeline = timeline_of(
        a_dataflow("3h"),
        runs,
        now=now,
        known_from=at(),
        datasets=datasets,
        runs_per_tick=given.pop("owed", None),
    )
    causes = given.pop("causes", None)
    new, earlier = window_of(findings_of(timeline, POLICY, causes=causes), since, now)
    ended = [run for run in runs if run.ended_at and since <= run.ended_at < now]
    told = [each.key for each in earlier]
    standing = standing_of(timeline, earlier)
    known = {"open_before": {}, "told": told, **given}
    return recovery_of(timeline, new, standing, ended=ended, policy=POLICY, until=now, **known)


FAILED = {"failed": at(0, 3, 10)}


def test_a_good_run_after_a_failed_one_ends_it():
    runs = [a_run(at()), a_run(at(0, 3), status="failed"), a_run(at(0, 6))]
    found = check(runs, at(0, 7), since=at(0, 4), open_before=FAILED)
    assert (dict(found.open), dict(found.recovered)) == ({}, FAILED)
    assert found.run == runs[-1]


@pytest.mark.parametrize("settles", [True, False])
def test_an_empty_run_ends_it_only_where_nothing_is_lacking(settles):
    runs = [a_run(at(0, 3), status="failed"), a_run(at(0, 6), records=0)]
    rightly = Cause(kind="nothing_ingested", told="nothing was ingested", settles=settles)
    causes = {f"zero_records:{runs[-1].id}": rightly}
    found = check(runs, at(0, 7), since=at(0, 4), open_before=FAILED, causes=causes)
    assert dict(found.recovered) == (FAILED if settles else {})
    assert dict(found.open) == ({} if settles else FAILED)


def test_a_long_run_that_began_before_the_failed_one_ends_nothing():
    # It ends after the failure was told.
    runs = [a_run(at(), minutes=179), a_run(at(0, 2, 56), status="failed", minutes=1)]
    found = check(runs, at(0, 3, 5), since=at(0, 2, 58), open_before=FAILED)
    assert (dict(found.open), dict(found.recovered)) == (FAILED, {})


def test_a_run_still_under_way_of_the_same_tick_keeps_it_open():
    a, b = ({"dataset": name} for name in "ab")
    runs = [
        *(a_run(at(0, hour), **each) for hour in (0, 3) for each in (a, b)),
        a_run(at(0, 6), status="failed", **a),
        a_run(at(0, 6), **b),
        a_run(at(0, 9), **b),
        a_run(at(0, 9), minutes=None, **a),
    ]
    both = {"datasets": ("a", "b"), "owed": 2, "open_before": {"failed": at(0, 6, 10)}}
    assert check(runs, at(0, 10), since=at(0, 7), **both).recovered == {}
    done = [*runs[:-1], a_run(at(0, 9), minutes=90, **a)]
    assert check(done, at(0, 11), since=at(0, 10), **both).recovered == both["open_before"]


def test_what_stands_is_not_over_although_another_run_was_good():
    hangs = a_run(at(0, 3), minutes=None)
    runs = [a_run(at()), hangs, *(a_run(at(0, hour)) for hour in (6, 9, 12))]
    found = check(runs, at(0, 12, 30), since=at(0, 12), open_before={"stuck": at(0, 6)})
    assert dict(found.recovered) == {}
    ended = [run for run in runs if run is not hangs] + [a_run(at(0, 3), minutes=600)]
    later = check([*ended, a_run(at(0, 15))], at(0, 15, 30), since=at(0, 15), open_before={"stuck": at(0, 6)})
    assert later.recovered.keys() == {"stuck"}


def test_an_export_that_cannot_be_read_stays_as_it_was():
    found = recovery_of(
        None, [], [], open_before=FAILED, told=[], ended=[], policy=POLICY, until=at() + timedelta(days=1)
    )
    assert (dict(found.open), dict(found.recovered)) == (FAILED, {})


def test_an_ad_hoc_run_of_an_export_of_several_datasets_ends_nothing():
    runs = [a_run(at(), dataset="a"), a_run(at(), dataset="b"), a_run(at(0, 3), dataset="a", status="failed")]
    runs += [a_run(at(0, 3), dataset="b"), a_run(at(0, 5, 50), dataset="b")]
    two = {"datasets": ("a", "b"), "owed": 2, "open_before": FAILED}
    assert check(runs, at(0, 6), since=at(0, 5), **two).recovered == {}


def test_a_run_that_ended_before_a_missing_one_was_noticed_ends_nothing():
    runs = [a_run(at(), minutes=170)]  # nothing came at three o'clock, which is known half past five
    found = check(runs, at(0, 5, 45), since=at(0, 2))
    assert (found.open.keys(), dict(found.recovered)) == ({"gaps"}, {})
