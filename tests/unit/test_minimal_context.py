"""Tasks carried out with no more of Airflow's context than a unit test has at hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from airflow_provider_aep.emulator.task_instance import FakeTaskInstance
from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.operators.dataflows import AepDisableDataflowOperator
from airflow_provider_aep.operators.monitoring import AepCheckExportsOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepDatasetIngestedSensor, AepExportsSensor

ADVICE = "is missing, and the context has no dag_run to take it from"


@pytest.fixture
def exported(aep: Any, make_dataflow: Any, clock: Any) -> str:
    """A dataflow whose first run has ended."""
    dataflow_id = make_dataflow("nightly", start=datetime.fromtimestamp(clock(), tz=UTC) + timedelta(hours=1))
    clock.advance(2 * 3600)
    return str(dataflow_id)


def test_a_sensor_without_a_window_and_a_dag_run_asks_for_the_window(aep: Any) -> None:
    sensor = AepDataflowRunSensor(task_id="wait", dataflow_id="f-1")
    with pytest.raises(AepValidationError, match=f"started_after {ADVICE}: give started_after"):
        sensor.execute({"ti": FakeTaskInstance()})


def test_the_sensor_for_ingestion_asks_for_the_moment(aep: Any) -> None:
    sensor = AepDatasetIngestedSensor(task_id="wait", dataset_id="d-1")
    with pytest.raises(AepValidationError, match="ingested_after is missing"):
        sensor.execute({"ti": FakeTaskInstance()})


@pytest.mark.parametrize("ti", [FakeTaskInstance(), MagicMock(), SimpleNamespace(xcom_push=lambda **_: None)])
def test_a_sensor_whose_window_is_given_needs_no_dag_run(exported: str, ti: Any) -> None:
    sensor = AepDataflowRunSensor(
        task_id="wait", dataflow_id=exported, started_after="2026-01-01", poke_interval=1
    )
    assert sensor.execute({"ti": ti})["status"] == "success"


@pytest.mark.parametrize("window", [{}, {"since": "2026-01-01"}])
def test_a_check_needs_no_dag_run(exported: str, window: dict[str, str]) -> None:
    check = AepCheckExportsOperator(task_id="check", lag=0, **window)
    assert check.execute({"ti": FakeTaskInstance()})["outcome"] == "ok"


def test_the_sensor_for_many_needs_no_dag_run(exported: str) -> None:
    sensor = AepExportsSensor(task_id="wait", poke_interval=1)
    assert sensor.execute({"ti": FakeTaskInstance()})["outcome"] == "ok"


def test_a_second_try_to_switch_off_needs_no_dag_run(exported: str) -> None:
    for try_number in (1, 2):
        ti = FakeTaskInstance(try_number=try_number)
        AepDisableDataflowOperator(task_id="off", dataflow_id=exported).execute({"ti": ti})
        assert ti.pushed("switched_off") is True
