"""A run policy is given in one way to whatever judges runs: as ``run_policy``, a dict."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepExportsSensor
from airflow_provider_aep.task_groups import AepExportsTaskGroup, AepExportTaskGroup
from tests.unit.test_task_groups import SPEC

STRICT = {"on_zero_records": "fail", "max_drop": 0.5, "max_duration": timedelta(hours=2)}


def judges(**given: Any) -> list[Any]:
    """Everything that takes a run policy and judges runs in a task."""
    with DAG("exports", schedule=None):
        return [
            AepDataflowRunSensor(task_id="one", dataflow_id="a", **given),
            AepExportsSensor(task_id="many", **given),
            AepExportTaskGroup("group", spec=SPEC, **given).wait,
            AepExportsTaskGroup("all", **given).wait,
        ]


def test_it_is_the_same_wherever_it_is_given():
    assert {task.run_policy() for task in judges(run_policy=STRICT)} == {RunPolicy(**STRICT)}
    assert {task.run_policy() for task in judges()} == {RunPolicy()}


@pytest.mark.parametrize("wrong", [{"max_drpo": 0.5}, {"on_failed": None}, "{{ params.policy }}", ["fail"]])
def test_a_wrong_one_is_refused_when_the_dag_is_parsed(wrong):
    with DAG("exports", schedule=None):
        with pytest.raises(AepValidationError, match="run policy"):
            AepDataflowRunSensor(task_id="one", dataflow_id="a", run_policy=wrong)
        with pytest.raises(AepValidationError, match="run policy"):
            AepExportTaskGroup("group", spec=SPEC, run_policy=wrong)


def test_a_sensor_takes_each_part_as_an_argument_too():
    sensor = AepDataflowRunSensor(
        task_id="one", dataflow_id="a", on_failed="warn", run_policy={"max_drop": 0.5}
    )
    assert sensor.run_policy() == RunPolicy(on_failed="warn", max_drop=0.5)


@pytest.mark.parametrize("value", ["fail", "ok"])
def test_what_is_given_twice_is_refused_whichever_value_it_has(value):
    with pytest.raises(AepValidationError, match=r"on_failed is also given as an argument.*give it once"):
        AepDataflowRunSensor(
            task_id="one", dataflow_id="a", on_failed=value, run_policy={"on_failed": "fail"}
        )
