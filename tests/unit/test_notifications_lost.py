"""Alerts that must go out whatever is lacking: an exception, XComs, a date, a template that works."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.notifications.words import LONGEST_TEXT
from airflow_provider_aep.operators.dataflows import AepListDataflowsOperator
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from airflow_provider_aep.sensors import AepDataflowRunSensor
from tests.unit.task_instance import FakeTaskInstance, context_of

VERDICT = {"status": "failed", "outcome": "fail", "reason": "it broke", "dataflow_name": "crm"}


@pytest.fixture
def sent():
    """What was sent, text by text."""
    return []


@pytest.fixture
def notifier(sent):
    return lambda **given: AepRunNotifier(send=lambda text, about: sent.append(text), **given)


class Unreadable(FakeTaskInstance):
    def xcom_pull(self, **asked: Any) -> Any:
        raise RuntimeError("no backend for secret-bucket")


def test_a_killed_worker_leaves_no_exception_and_is_told(notifier, sent):
    ti = FakeTaskInstance(task_id="judge", state=None)
    notifier()(context_of(ti))
    assert sent == [
        "AEP export could not be watched: task judge failed without a verdict; its worker may have been lost"
    ]


def test_a_task_that_succeeds_without_a_verdict_is_no_news(notifier, sent):
    notifier()(context_of(FakeTaskInstance(task_id="ensure")))
    assert sent == []


@pytest.mark.parametrize("state", ["success", "failed"])
def test_xcoms_that_cannot_be_read_are_told_without_their_words(notifier, sent, state):
    ti = Unreadable(task_id="judge", state=state)
    notifier()(context_of(ti))
    (text,) = sent
    assert "its result cannot be read" in text
    assert "secret-bucket" not in text


@pytest.mark.parametrize(
    "text", ["{{ ds }}: {{ verdict.reason }}", "{{ 1 / 0 }}", "{{ verdict.nothing }}", " {{ '' }} "]
)
def test_a_template_that_fails_when_it_matters_gives_way_to_the_usual_text(notifier, sent, text):
    ti = FakeTaskInstance(task_id="judge")
    ti.xcom_push(VERDICT_KEY, VERDICT)
    context = context_of(ti)

    class Undated(dict):
        def __missing__(self, key: str) -> Any:
            raise KeyError(key)

    notifier(messages={"failed": text})(Undated(context) if "ds" not in text else context)
    assert len(sent) == 1
    assert sent[0].strip()


@pytest.mark.parametrize("text", ["{{ verdict.reason }", "{% if %}", "", None, 5])
def test_a_message_that_is_no_template_is_refused_when_the_dag_is_parsed(notifier, text):
    with pytest.raises(AepConfigError, match="the message for 'failed'"):
        notifier(messages={"failed": text})


def test_a_text_of_a_megabyte_is_cut(notifier, sent):
    ti = FakeTaskInstance(task_id="judge")
    ti.xcom_push(VERDICT_KEY, VERDICT)
    notifier(messages={"failed": "{{ 'a' * 1000000 }}"})(context_of(ti))
    assert len(sent[0]) == LONGEST_TEXT


def test_in_default_args_it_tells_of_this_providers_tasks_alone_in_words_that_fit(notifier, sent):
    with DAG("exports", schedule=None):
        foreign = BaseOperator(task_id="load")
        step = AepListDataflowsOperator(task_id="list")
        wait = AepDataflowRunSensor(task_id="judge", dataflow_id="f")
    for task in (foreign, step, wait):
        ti = FakeTaskInstance(task_id=task.task_id, state="failed")
        notifier()(context_of(ti, task=task, exception=ValueError("relation orders does not exist")))
    assert sent == [
        "AEP task list failed: relation orders does not exist",
        "AEP export could not be watched: relation orders does not exist",
    ]


def test_whatever_fails_an_alert_goes_out(notifier, sent):
    notifier()({"ti": None})
    assert sent[0].startswith("An alert about AEP exports could not be put together: ")
