"""The retry policy, asked by Airflow's own task runner."""

from __future__ import annotations

import runpy
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_aep.errors import AepServerError
from airflow_provider_aep.retry_policy import AEP_RETRY_POLICY

pytestmark = pytest.mark.airflow


@pytest.fixture
def dag(airflow_db):
    """A DAG with a task for each of some errors, in which its first two tries end; it may have three more."""
    file = Path(shutil.copy(Path(__file__).with_name("dags") / "aep_retries.py", airflow_db.parent / "dags"))
    yield runpy.run_path(str(file))["dag"]
    file.unlink()


def test_a_task_is_tried_again_where_that_can_help_and_as_soon_as_it_can(dag, monkeypatch):
    if AEP_RETRY_POLICY is not None:
        (rule,) = [
            each
            for each in AEP_RETRY_POLICY.rules
            if each.matches(AepServerError(doing="", status=503, message=""))
        ]
        monkeypatch.setattr(rule, "retry_delay", timedelta(seconds=0.1))
    run = dag.test()
    ends = {ti.task_id: (str(ti.state), ti.try_number) for ti in run.get_task_instances()}
    assert ends["server"] == ends["limit"] == ("success", 3)
    # Before Airflow 3.3 there is no policy, and every task is retried as it says.
    assert ends["spec"] == (("failed", 1) if AEP_RETRY_POLICY else ("success", 3))
