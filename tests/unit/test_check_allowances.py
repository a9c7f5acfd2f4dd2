"""A check that holds the exports against an allowance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.monitoring import usage
from airflow_provider_aep.monitoring.allowance import standing_of
from airflow_provider_aep.operators.monitoring import UNDATED_HANDOVER_KEY, AepCheckExportsOperator
from tests.unit import test_operators_monitoring as operators
from tests.unit.task_instance import FakeTaskInstance, context_of

HOUR = 3600


@pytest.fixture
def clock():
    """It does not come near the end of a year, whenever the tests run."""
    return Clock(datetime(2026, 6, 1, tzinfo=UTC).timestamp())


emulator_time, check, nightly = operators.emulator_time, operators.check, operators.nightly


def test_an_allowance_that_will_not_do_warns_once_and_is_then_standing(aep, clock, now, nightly, logged):
    clock.advance(5 * 24 * HOUR)
    ti = FakeTaskInstance()
    operator = AepCheckExportsOperator(task_id="check", allowance="exported_bytes=1B/year")
    found = operator.execute(context_of(ti))
    (allowance,) = found["allowances"]
    assert (found["outcome"], allowance["outcome"], allowance["status"]) == ("warn", "warn", "used_up")
    assert "of the 1 B for this year are exported" in logged()
    clock.advance(24 * HOUR)
    again = operator.execute(context_of(ti))
    assert [(each["status"], each["outcome"]) for each in again["allowances"]] == [("used_up", "ok")]


def test_a_forecast_that_swings_around_its_allowance_is_told_once_in_each_month(
    aep, clock, nightly, monkeypatch
):
    statuses = {}

    def standing(allowance, accounts, now, zone):
        told = standing_of(allowance, accounts, now, zone)
        status = statuses[f"{now:%m-%d}"]
        limit = told.allowance.limit
        used = {"ok": 0, "forecast": 0, "near": int(limit * 0.95), "used_up": limit}[status]
        return replace(told, used=used, forecast=limit + 1 if status == "forecast" else 0)

    monkeypatch.setattr(usage, "standing_of", standing)
    ti, found = FakeTaskInstance(), []
    operator = AepCheckExportsOperator(task_id="check", allowance="exported_bytes=5TB/month")
    clock.advance(27 * 24 * HOUR)
    for status in ("forecast", "ok", "forecast", "near", "forecast", "near"):
        day = datetime.fromtimestamp(clock(), tz=UTC)
        statuses[f"{day:%m-%d}"] = status
        (told,) = operator.execute(context_of(ti))["allowances"]
        found.append((f"{day:%m-%d}", told["status"], told["outcome"]))
        clock.advance(24 * HOUR)
    assert found == [
        ("06-28", "forecast", "warn"),
        ("06-29", "ok", "ok"),
        ("06-30", "forecast", "ok"),
        ("07-01", "near", "warn"),
        ("07-02", "forecast", "warn"),
        ("07-03", "near", "ok"),
    ]
    # What a month ago was told is not handed on for ever.
    kept = ti.pushed(UNDATED_HANDOVER_KEY)["allowances"]
    assert {key.split(":")[3] for key in kept} == {"2026-07"}


def test_an_allowance_that_will_do_makes_no_skipped_check_a_good_one(check, aep, clock, nightly):
    aep.script_runs(nightly, ["failed"])
    clock.advance(3 * HOUR)
    policy = {"run_policy": {"on_failed": "skip"}, "on_late": "skip", "on_missing": "skip"}
    with pytest.raises(AirflowSkipException):
        check(**policy)
    with pytest.raises(AirflowSkipException):
        check(**policy, allowance="exported_bytes=5TB/year")


def test_an_allowance_that_fails_names_itself_in_the_failure(check, clock, nightly, logged):
    clock.advance(5 * HOUR)
    with pytest.raises(AirflowFailException, match=r"^Allowance exported_bytes/year: .* of the 1 B"):
        check(allowance=["exported_bytes=1B/year"], on_allowance="fail")


def test_a_check_without_an_allowance_sends_not_one_request_for_it(check, aep, clock, nightly, logged):
    clock.advance(5 * HOUR)
    check()  # what is learnt at the first
    asked = []
    for allowance in (None, "exported_bytes=5TB/year"):
        aep.log.clear()
        found = check(allowance=allowance)
        asked.append(len(aep.requests()))
    (told,) = found["allowances"]
    assert asked[1] - asked[0] == told["requests"] == 1


@pytest.mark.parametrize("allowance", ["", "None", "5TB", 5])
def test_an_allowance_that_cannot_be_read_is_refused_before_anything_is_asked(check, aep, allowance):
    with pytest.raises(AepValidationError, match="allowance must be a text of the form"):
        check(allowance=allowance)
    assert not aep.requests()
