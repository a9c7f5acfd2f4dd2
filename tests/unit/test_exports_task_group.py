"""The watch over all exports in one line of a DAG: a task that waits, and one that fails by what it found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_aep.errors import AepConfigError, AepValidationError
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.verdicts import AepRequireGoodExportsOperator
from airflow_provider_aep.sensors import AepExportsSensor
from airflow_provider_aep.task_groups import AepExportsTaskGroup
from tests.unit.task_instance import FakeTaskInstance, context_of


def require(found: Any, ti: FakeTaskInstance) -> Any:
    return AepRequireGoodExportsOperator(task_id="task", found=found).execute(context_of(ti))


def test_it_waits_and_then_fails_by_what_was_found():
    with DAG("exports", schedule=None) as dag:
        group = AepExportsTaskGroup("exports", name_contains="crm", deferrable=True)
    assert set(dag.task_ids) == {"exports.wait", "exports.require"}
    assert group.require.upstream_task_ids == {"exports.wait"}
    assert group.wait.fail_on_bad is False
    assert (group.wait.name_contains, group.wait.deferrable) == ("crm", True)
    assert isinstance(group.wait.alert, AepRunNotifier)
    assert group.output.operator is group.wait


def test_nobody_is_told_where_nobody_shall_be_and_a_stranger_is_refused():
    with DAG("exports", schedule=None):
        assert AepExportsTaskGroup("silent", alert=None).wait.alert is None
        with pytest.raises(AepConfigError):
            AepExportsTaskGroup("strange", alert=print)  # type: ignore[arg-type]


def test_a_bad_verdict_fails_the_last_task_by_name_and_is_not_told_again(watch, nightly, now, ti):
    watch.kind = AepExportsSensor
    nightly("success", name="good", every="1d")
    nightly("failed", name="bad", every="1d")
    given = {"due_from": now, "due_until": now + timedelta(hours=2), "fail_on_bad": False}
    found = watch("deferrable", **given).value
    last = FakeTaskInstance(task_id="require")
    with pytest.raises(AirflowFailException, match=r"^1 of 2 exports: 'bad': run \S+ ended as failed"):
        require(found, last)
    told: list[Any] = []
    last.state = "failed"
    AepRunNotifier(send=lambda text, about: told.append(text))(context_of(last, exception=ValueError("x")))
    assert told == []


def test_what_did_not_fit_is_counted(ti):
    bad = {"dataflow_name": "a", "outcome": "fail", "reason": "r", "run_ids": ["x"]}
    found = {"outcome": "fail", "totals": {"fail": 3, "ok": 4}, "verdicts": [bad], "left_out": 6}
    with pytest.raises(AirflowFailException, match=r"^3 of 7 exports: 'a': r\. And 2 more\.$"):
        require(found, ti)


@pytest.mark.parametrize("outcome", ["ok", "warn", "skip"])
def test_what_is_good_enough_passes(ti, outcome):
    assert require({"outcome": outcome, "totals": {outcome: 1}, "verdicts": []}, ti) == outcome


OK = {"outcome": "ok", "totals": {"ok": 1}, "verdicts": []}


@pytest.mark.parametrize(
    "found",
    [
        None,
        "text",
        {},
        {"outcome": "ok"},
        [],
        {"verdicts": []},
        {**OK, "outcome": "fine"},
        {**OK, "outcome": None},
        {**OK, "verdicts": "text"},
        {**OK, "verdicts": ["text"]},
        {**OK, "verdicts": [{}]},
        {**OK, "totals": {"ok": "many"}},
        {**OK, "totals": [1]},
    ],
)
def test_what_no_sensor_returned_is_no_pass(ti, found):
    with pytest.raises(AepValidationError, match="found"):
        require(found, ti)
