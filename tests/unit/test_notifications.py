from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.links import AepDataflowLink
from airflow_provider_aep.notifications import USUAL, AepRunNotifier
from airflow_provider_aep.sensors import VERDICT_KEY, AepDataflowRunSensor
from tests.unit.task_instance import FakeTaskInstance, context_of

VERDICT = {
    "outcome": "fail",
    "reason": "run r-1 ended as failed: X-1: boom",
    "dataflow_id": "f-1",
    "dataflow_name": "crm-nightly",
    "records_out": 12,
}
WORDS = {
    "failed": "AEP export crm-nightly failed: run r-1 ended as failed: X-1: boom",
    "unknown": "AEP export crm-nightly ended in an unknown way: run r-1 ended as failed: X-1: boom",
    "partial": "AEP export crm-nightly is incomplete: run r-1 ended as failed: X-1: boom",
    "zero_records": "AEP export crm-nightly is empty: run r-1 ended as failed: X-1: boom",
    "success": "AEP export crm-nightly is fine: run r-1 ended as failed: X-1: boom",
}
URL = "https://experience.adobe.com/#/sname:prod/platform/destination/browse/f-1"


@pytest.fixture
def ti() -> FakeTaskInstance:
    return FakeTaskInstance(task_id="judge")


@pytest.fixture
def told(ti):
    """``told(status)``: what a notifier sends about a task with such a verdict."""

    def sent(
        status: str | None, *, exception: Any = None, on_call: bool = True, **given: Any
    ) -> list[tuple[str, dict[str, Any]]]:
        if status:
            ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": status})
            ti.xcom_push(AepDataflowLink.xcom_key, URL)
        calls: list[tuple[str, dict[str, Any]]] = []
        notifier = AepRunNotifier(send=lambda text, about: calls.append((text, dict(about))), **given)
        with DAG("exports", schedule=None) as dag:
            pass
        notifier(context_of(ti, dag=dag, exception=exception))
        return calls

    return sent


@pytest.mark.parametrize("status", WORDS)
def test_each_way_to_end_has_its_words(told, status):
    ((text, about),) = told(status, on=[status])
    assert text == WORDS[status]
    assert about["status"] == status


def test_whoever_sends_gets_all_there_is_to_know(told, ti):
    ((_, about),) = told("failed")
    assert about == {
        "status": "failed",
        "verdict": {**VERDICT, "status": "failed"},
        "link": URL,
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": "judge",
        "map_index": -1,
    }
    assert json.loads(json.dumps(about)) == about


def test_a_good_run_is_usually_no_news(told):
    assert "success" not in USUAL
    assert told("success") == []


@pytest.mark.parametrize("status", WORDS)
def test_what_is_not_asked_for_stays_silent(told, status):
    assert told(status, on=set(WORDS) - {status}) == []


def test_an_empty_run_alarms_although_the_task_succeeded(told):
    ((text, _),) = told("zero_records", exception=None)
    assert "is empty" in text


def test_words_of_ones_own_are_templates_over_verdict_and_context(told):
    messages = {"failed": "{{ verdict.dataflow_id }}: {{ verdict.records_out + 1 }} in {{ ti.task_id }}"}
    ((text, _),) = told("failed", messages=messages)
    assert text == "f-1: 13 in judge"


def test_words_of_ones_own_for_one_status_leave_the_others(told):
    ((text, _),) = told("partial", messages={"failed": "x"})
    assert text == WORDS["partial"]


def test_adobes_words_are_no_template(told, ti):
    ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": "failed", "reason": "{{ 7 * 7 }}"})
    ((text, _),) = told(None)
    assert text.endswith("{{ 7 * 7 }}")


def test_a_task_that_failed_without_a_verdict_is_an_error(told):
    ((text, about),) = told(None, exception=ValueError("timed out, last seen: nothing"))
    assert text == "AEP export could not be watched: timed out, last seen: nothing"
    assert about["status"] == "error"
    assert about["verdict"] == {}
    assert about["link"] is None


def test_a_task_that_succeeded_without_a_verdict_is_no_news(told):
    assert told(None) == []


def test_an_error_that_is_not_asked_for_stays_silent(told):
    assert told(None, exception=ValueError("x"), on=["failed"]) == []


def test_a_mapped_task_tells_its_own_verdict(ti):
    for index, status in enumerate(("failed", "success", "zero_records")):
        ti.map_index = index
        ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": status})
    calls: list[tuple[str, Any]] = []
    notifier = AepRunNotifier(send=lambda text, about: calls.append((about["map_index"], about["status"])))
    for index in range(3):
        ti.map_index = index
        notifier(context_of(ti))
    assert calls == [(0, "failed"), (2, "zero_records")]


@pytest.fixture
def logged(capfd, caplog) -> Callable[[], str]:
    return lambda: "".join([*capfd.readouterr(), caplog.text])


def test_without_a_sender_it_is_a_line_in_the_log(ti, logged):
    ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": "failed"})
    AepRunNotifier()(context_of(ti))
    assert f"{WORDS['failed']} | no link" in logged()


@pytest.mark.skipif(AIRFLOW_V_3_0_PLUS, reason="the context of Airflow 3 is a plain dict")
def test_what_the_context_keeps_lazy_stays_so(ti):
    from airflow.utils.context import Context

    calls: list[str] = []
    ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": "failed"})
    context = Context({**context_of(ti), "tomorrow_ds": "one of many that warn when they are read"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AepRunNotifier(send=lambda text, about: calls.append(text)).notify(context)
    assert calls == [WORDS["failed"]]


def test_one_notifier_serves_any_number_of_tasks(told, ti):
    calls: list[str] = []
    notifier = AepRunNotifier(send=lambda text, about: calls.append(text))
    for status in ("failed", "zero_records"):
        ti.xcom_push(VERDICT_KEY, {**VERDICT, "status": status})
        notifier(context_of(ti))
    assert calls == [WORDS["failed"], WORDS["zero_records"]]


def test_a_real_sensors_verdict_is_told_with_the_name_of_its_export(aep, make_dataflow, clock, now, ti):
    flow = make_dataflow("crm-nightly")
    aep.script_runs(flow, ["zero"])
    clock.advance(2 * 3600)
    context = context_of(ti)
    AepDataflowRunSensor(task_id="judge", dataflow_id=flow, started_after=now).execute(context)
    calls: list[tuple[str, Any]] = []
    AepRunNotifier(send=lambda *told: calls.append(told))(context)
    ((text, about),) = calls
    assert text.startswith("AEP export crm-nightly is empty: run ")
    assert about["link"].endswith(f"/browse/{flow}")
    for secret in (aep.client_secret, *aep._gateway._tokens):
        assert secret not in f"{text}{about}"


@pytest.mark.parametrize("given", [{"on": ["failed", "fialed"]}, {"messages": {"fialed": "x"}}])
def test_a_misspelt_status_is_refused_when_the_dag_is_parsed(given):
    with pytest.raises(AepConfigError, match="not fialed"):
        AepRunNotifier(**given)
