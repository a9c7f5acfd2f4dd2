"""What the retry policy makes of each error, and that a DAG that carries it can be parsed and scheduled."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowException, BaseOperator

from airflow_provider_aep import errors
from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepAnswerError,
    AepApiError,
    AepAuthError,
    AepConfigError,
    AepConflictError,
    AepError,
    AepExportsError,
    AepNotFoundError,
    AepOvertakenError,
    AepPreconditionError,
    AepRateLimitError,
    AepRunFailedError,
    AepServerError,
    AepTooLargeError,
    AepTransportError,
    AepUnsafePlanError,
    AepUnseenError,
    AepValidationError,
    AepWriteRefusedError,
    Problem,
)
from airflow_provider_aep.operators.datasets import AepListDatasetsOperator
from airflow_provider_aep.retry_policy import AEP_RETRY_POLICY

try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # Airflow 2.11
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization

HAS_POLICIES = "retry_policy" in inspect.signature(BaseOperator.__init__).parameters
needs_policies = pytest.mark.skipif(not HAS_POLICIES, reason="retry policies are of Airflow 3.3")

ANSWER = {"doing": "GET /flows", "message": "no"}
# error -> what becomes of the task, and after how many seconds; None leaves it to the task's retry_delay
TABLE = [
    (AepConfigError("extra.org_id is missing"), "fail", None),
    (AepValidationError("the spec", [Problem("name", "is missing")]), "fail", None),
    (AepUnsafePlanError("it replaces 1 entity", {}), "fail", None),
    (AepAmbiguousNameError("2 entities", ["a", "b"]), "fail", None),
    (AepConflictError("another owner", ["a"]), "fail", None),
    (AepWriteRefusedError("not in prod", "prod", "production", "development"), "fail", None),
    (AepUnseenError("it is not listed", ["a"]), "fail", None),
    (AepNotFoundError(status=404, **ANSWER), "fail", None),
    (AepAuthError(status=403, **ANSWER), "fail", None),
    (AepRateLimitError(status=429, **ANSWER), "retry", None),
    (AepRateLimitError(status=429, retry_after=300.0, **ANSWER), "retry", 300),
    (AepRateLimitError(status=429, retry_after=0.0, **ANSWER), "retry", 0),
    (AepRateLimitError(status=429, retry_after=86400.0, **ANSWER), "retry", 3600),
    (AepRateLimitError(status=429, retry_after=1e300, **ANSWER), "retry", 3600),
    (AepServerError(status=503, **ANSWER), "retry", 60),
    (AepTransportError("connection reset", sent=True), "retry", 60),
    (AepAnswerError("no list", sent=True), "retry", 60),
    (AepTooLargeError("too much", sent=True), "retry", 60),
    (AepPreconditionError(status=412, **ANSWER), "default", None),
    (AepApiError(status=400, **ANSWER), "default", None),
    (AepOvertakenError("other writers were faster"), "default", None),
    (AepExportsError("1 of 2 failed", {}, []), "default", None),
    (AepRunFailedError("the run failed", {}), "default", None),
    (AepError("the event is lost"), "default", None),
    (ZeroDivisionError(), "default", None),
]


@needs_policies
@pytest.mark.parametrize(("error", "action", "delay"), TABLE, ids=lambda each: type(each).__name__)
def test_each_error_is_retried_where_that_can_help(error, action, delay):
    decision = AEP_RETRY_POLICY.evaluate(error, try_number=1, max_tries=3)
    assert decision.action.value == action
    assert decision.retry_delay == (None if delay is None else timedelta(seconds=delay))


def test_no_error_was_forgotten():
    every = {each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, AepError)}
    assert every == {type(error) for error, *_ in TABLE if isinstance(error, AepError)}


@needs_policies
def test_the_reason_says_how_long_adobe_asked_to_wait():
    error = AepRateLimitError(status=429, retry_after=300.0, **ANSWER)
    assert AEP_RETRY_POLICY.evaluate(error, 1, 3, None).reason == "Adobe asked to wait 5 minutes"


@pytest.mark.skipif(HAS_POLICIES, reason="it is for Airflow before 3.3")
def test_before_airflow_3_3_there_is_none_and_no_operator_takes_one():
    assert AEP_RETRY_POLICY is None
    with pytest.raises((AirflowException, TypeError), match="retry_policy"):
        AepListDatasetsOperator(task_id="list", retry_policy=AEP_RETRY_POLICY)


def test_a_dag_carries_it_in_its_default_args_through_the_scheduler_and_back():
    with DAG(
        "retries",
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        schedule=None,
        default_args={"retries": 3, "retry_policy": AEP_RETRY_POLICY},
    ) as dag:
        AepListDatasetsOperator(task_id="one")
        AepListDatasetsOperator.partial(task_id="many").expand(sandbox=["prod", "stage"])
    told = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    back = DagSerialization.from_dict(told)
    assert {task.task_id: task.retries for task in back.tasks} == {"one": 3, "many": 3}
    if HAS_POLICIES:
        assert [task.has_retry_policy for task in back.tasks] == [True, True]
        assert [task.retry_policy for task in dag.tasks] == [AEP_RETRY_POLICY, AEP_RETRY_POLICY]
