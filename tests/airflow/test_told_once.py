"""A run makes one asset event, in whichever of several DAG runs it is told."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from tests.airflow.conftest import HOME
from tests.airflow.test_examples import export

pytestmark = pytest.mark.airflow

FIRST = datetime(2026, 6, 1, tzinfo=UTC)


def test_a_second_dag_run_is_skipped_and_the_first_one_run_again_is_not(run_dag, aep_server, states, pulled):
    shutil.copy(Path(__file__).with_name("dags") / "aep_told_once.py", HOME / "dags")
    flow = export("told once", every="once")

    first = run_dag("aep_told_once", at=FIRST, dataflow_id=flow)
    assert states(first) == {"wait": "success"}
    second = run_dag("aep_told_once", at=FIRST + timedelta(days=1), dataflow_id=flow)
    assert states(second) == {"wait": "skipped"}
    assert pulled(second, "wait", VERDICT_KEY) == pulled(first, "wait", VERDICT_KEY)

    again = run_dag("aep_told_once", at=FIRST, dataflow_id=flow)
    assert states(again) == {"wait": "success"}
