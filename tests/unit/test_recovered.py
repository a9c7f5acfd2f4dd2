"""A sensor's verdicts follow each other: what is open, and what is over."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_aep.monitoring.alerts import Alert
from airflow_provider_aep.monitoring.incidents import with_incidents
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from tests.unit.task_instance import context_of


@pytest.fixture
def judge(watch, ti):
    """``judge(flow)``: the verdict of the next DAG run, and what a notifier tells of it."""

    def judge(flow: str, **given: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        ti.earlier = {key: value for (_, _, key), value in ti.xcoms.items()} or ti.earlier
        ti.xcoms.clear()
        watch("poke", dataflow_id=flow, started_after=watch.now(), timeout=9 * 3600, **given)
        told: list[dict[str, Any]] = []
        notifier = AepRunNotifier(channels=[], send=lambda text, about: told.append({**about, "text": text}))
        notifier(context_of(ti))
        return ti.pushed(VERDICT_KEY), told

    return judge


def test_a_good_run_after_bad_ones_tells_once_that_the_export_has_recovered(nightly, judge):
    flow = nightly("failed", "zero", "success", "success")
    for each in ("failed", "zero_records"):
        verdict, told = judge(flow)
        assert [one["status"] for one in told] == [each]
    assert list(verdict["open"]) == ["zero_records", "failed"]
    verdict, told = judge(flow)
    assert verdict["recovered"].keys() == {"zero_records", "failed"}
    assert [one["status"] for one in told] == ["recovered"]
    assert told[0]["text"].startswith("AEP export nightly has recovered: run ")
    verdict, told = judge(flow, on_zero_records="ok")
    assert (told, "recovered" in verdict, "open" in verdict) == ([], False, False)


def test_an_empty_run_that_owes_nothing_new_delivers_nothing_that_was_lost(nightly, judge):
    flow = nightly("zero", "zero", "success")
    judge(flow)
    verdict, told = judge(flow)
    assert (verdict["outcome"], verdict["cause"]["kind"]) == ("ok", "nothing_ingested")
    assert (list(verdict["open"]), told) == (["zero_records"], [])
    _, told = judge(flow)
    assert [one["status"] for one in told] == ["recovered"]


def test_a_run_that_the_policy_skips_ends_nothing(nightly, judge):
    flow = nightly("zero", "failed", "success")
    judge(flow)
    verdict, told = judge(flow, on_failed="skip")
    assert (verdict["outcome"], list(verdict["open"])) == ("skip", ["zero_records"])
    _, told = judge(flow)
    assert told[-1]["status"] == "recovered"


def test_a_run_that_the_policy_skips_resolves_no_incident_that_is_open(nightly, judge):
    flow = nightly("zero", "zero", "success")
    judge(flow)
    verdict, (told,) = judge(flow, on_zero_when_nothing_ingested="skip")
    alert = Alert.from_verdict(verdict, status=told["status"], text="x")
    assert (verdict["outcome"], [one["state"] for one in alert.incidents()]) == ("skip", ["firing"])


def test_what_another_dataflow_left_open_is_not_ended(now):
    last = {"dataflow_id": "f-1", "outcome": "fail", "status": "failed", "open": {"failed": "x"}}
    good = {"dataflow_id": "f-2", "outcome": "ok", "status": "success"}
    assert with_incidents(good, last, now) == good
    for hostile in (
        None,
        "failed",
        {"dataflow_id": "f-2", "open": [1]},
        {"dataflow_id": "f-2", "open": {1: 2}},
    ):
        assert with_incidents(good, hostile, now) == good


@pytest.mark.parametrize("kind", ["failed", "zero"])
def test_a_bad_verdict_says_where_the_files_should_be(nightly, judge, kind):
    verdict, _ = judge(nightly(kind))
    assert verdict["location"] == "abfs://dlz-destination/exports/"
    assert verdict["conn_id"] == "aep_default"


def test_a_good_verdict_asks_for_no_place(nightly, judge, aep):
    flow = nightly("success")
    aep.log.clear()
    verdict, _ = judge(flow, on_zero_records="ok")
    assert "location" not in verdict
    assert aep.requests("GET", "/targetConnections/*") == []


def test_a_place_that_cannot_be_read_changes_no_verdict(nightly, judge, aep):
    flow = nightly("failed")
    aep.fail_next(403, times=50, match="GET /targetConnections")
    verdict, told = judge(flow)
    assert (verdict["status"], "location" in verdict) == ("failed", False)
    assert [one["status"] for one in told] == ["failed"]


def test_what_was_wrong_in_another_sandbox_does_not_recover_here(now):
    last = {"dataflow_id": "f", "sandbox": "dev", "open": {"failed": "2026-11-30T06:00:00+00:00"}}
    good = {"dataflow_id": "f", "sandbox": "prod", "outcome": "ok", "status": "success"}
    assert with_incidents(good, last, now) == good
    assert "recovered" in with_incidents({**good, "sandbox": "dev"}, last, now)


def test_an_earlier_verdict_that_cannot_be_read_takes_no_good_verdict_away(nightly, watch, ti, monkeypatch):
    def unreadable(**_: Any) -> Any:
        raise RuntimeError("the API server is down")

    flow = nightly("success")
    monkeypatch.setattr(ti, "xcom_pull", unreadable)
    assert watch("poke", dataflow_id=flow, started_after=watch.now()).state == "success"


def test_an_alert_about_a_run_that_the_policy_skips_opens_no_incident(nightly, judge):
    _, told = judge(nightly("zero"), on_zero_records="skip", on_zero_when_ingested="skip")
    states = [incident["state"] for one in told for incident in one.get("alerts", [])]
    assert "firing" not in states
