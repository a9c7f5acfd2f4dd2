"""All exports of a sandbox, checked in one task."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators import monitoring
from airflow_provider_aep.operators.monitoring import CHECK_KEY, AepCheckExportsOperator
from tests.unit.task_instance import FakeTaskInstance, context_of

HOUR = 3600


@pytest.fixture(autouse=True)
def emulator_time(clock, monkeypatch):
    """The operator's "now" is the emulator's, which is moved ahead."""

    class EmulatorTime(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(clock(), tz=tz)

    monkeypatch.setattr(monitoring, "datetime", EmulatorTime)


@pytest.fixture
def check(aep, clock, now, logged):
    """``check(on_missing=...)``: the operator's result over all that has happened."""

    def check(ti=None, **given):
        ti = ti or FakeTaskInstance()
        window = {"since": now.isoformat(), "until": datetime.fromtimestamp(clock(), tz=UTC).isoformat()}
        operator = AepCheckExportsOperator(task_id="check", **{**window, **given})
        return operator.execute(context_of(ti))

    return check


@pytest.fixture
def nightly(make_dataflow, now):
    return make_dataflow("nightly", end=now + timedelta(days=90))


def test_a_sandbox_in_order_passes_and_tells_what_it_saw(check, clock, nightly, logged):
    clock.advance(5 * HOUR)
    ti = FakeTaskInstance()
    found = check(ti)
    kept = ti.pushed(CHECK_KEY)
    assert json.loads(json.dumps(found)) == found == {key: kept[key] for key in kept if key != "exports"}
    assert (found["outcome"], found["sandbox"]) == ("ok", "prod")
    (export,) = kept["exports"]
    assert (export["dataflow_id"], export["ticks"], export["runs"], export["verdicts"]) == (nightly, 2, 2, [])
    assert nightly in export["dataflow_url"]
    told = logged()
    assert "outcome  export   destination" in told
    assert "ok       nightly  data_landing_zone" in told


def test_a_failed_run_fails_the_task_by_name_and_keeps_what_was_found(check, aep, clock, nightly, logged):
    aep.script_runs(nightly, ["failed"])
    clock.advance(2 * HOUR)
    ti = FakeTaskInstance()
    with pytest.raises(AirflowFailException, match=r"1 of 1 exports: 'nightly': run \S+ ended as failed"):
        check(ti)
    assert ti.pushed(CHECK_KEY)["exports"][0]["verdict"]["status"] == "failed"


def test_the_policy_decides(check, aep, clock, nightly, logged):
    aep.script_runs(nightly, ["failed"])
    clock.advance(2 * HOUR)
    assert check(run_policy={"on_failed": "warn"})["outcome"] == "warn"
    with pytest.raises(AirflowSkipException, match="1 of 1 exports"):
        check(run_policy={"on_failed": "skip"})
    assert check(run_policy={"on_failed": "ok"})["outcome"] == "ok"


def test_many_bad_exports_make_a_message_of_bounded_length(check, aep, clock, now, make_dataflow, logged):
    for number in range(40):
        make_dataflow(f"export {number:02} {'x' * 200}", end=now + timedelta(days=90))
    aep.script_runs(None, ["failed"] * 40)
    clock.advance(2 * HOUR)
    with pytest.raises(AirflowFailException) as failed:
        check()
    assert "40 of 40 exports" in str(failed.value)
    assert "And 30 more." in str(failed.value)
    assert len(str(failed.value)) < 6000


def test_without_a_window_it_takes_the_data_interval_or_the_last_day(aep, clock, now, nightly, logged):
    clock.advance(5 * HOUR)
    operator = AepCheckExportsOperator(task_id="check")
    interval = {
        "data_interval_start": now + timedelta(hours=3),
        "data_interval_end": now + timedelta(hours=5),
    }
    ti = FakeTaskInstance()
    operator.execute(context_of(ti, **interval))
    assert ti.pushed(CHECK_KEY)["exports"][0]["ticks"] == 1
    by_hand = operator.execute(context_of(FakeTaskInstance()))
    span = datetime.fromisoformat(by_hand["until"]) - datetime.fromisoformat(by_hand["since"])
    assert span == timedelta(days=1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"run_policy": {"max_drp": 1}}, "max_drp is not known"),
        ({"run_policy": {"max_drop": 50}}, "max_drop must be a share"),
        ({"on_missing": "shout"}, "on_missing must be one of"),
        ({"destinations": [""]}, "destinations must be a text or a list of texts"),
        ({"since": "yesterday"}, "since must be a moment such as"),
        ({"since": "2030-01-01", "until": "2029-01-01"}, "until must be later"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(check, aep, nightly, given, told):
    with pytest.raises(AepValidationError, match=told):
        check(**given)
    assert not [request for request in aep.log if "/ims" not in request.path]


def test_airflows_own_owner_of_the_task_is_left_alone():
    operator = AepCheckExportsOperator(task_id="check", owner="data-team", export_owner="crm")
    assert (operator.owner, operator.export_owner) == ("data-team", "crm")


def test_a_hundred_exports_that_fail_all_day_are_kept_once_in_bounded_size_and_all_told(
    aep, clock, now, make_dataflow, logged
):
    flows = {make_dataflow(f"export {number:03}", end=now + timedelta(days=90)) for number in range(100)}
    aep.script_runs(None, ["failed"] * 900)
    clock.advance(25 * HOUR)
    ti = FakeTaskInstance()
    operator = AepCheckExportsOperator(task_id="check", since=now.isoformat(), run_policy={})
    with pytest.raises(AirflowFailException, match="100 of 100 exports"):
        operator.execute(context_of(ti))
    ((place, kept),) = ti.xcoms.items()
    assert place[2] == CHECK_KEY
    assert len(json.dumps(kept)) <= 192 * 1024
    assert kept["left_out"]["findings"] > 0
    assert kept["left_out"]["exports"] == 0
    told: list[dict[str, Any]] = []
    AepRunNotifier(send=lambda text, about: told.extend(about["alerts"]))(context_of(ti))
    assert {each["dataflow_id"] for each in told} == flows
    assert {each["status"] for each in told} == {"failed"}
