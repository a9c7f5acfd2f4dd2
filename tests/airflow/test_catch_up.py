"""The page on catch-up and backfill, in DAG runs of the past as the timetable makes them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.conftest import HOME
from tests.airflow.past import Turn, turn

__all__ = ["turn"]

pytestmark = pytest.mark.airflow

DAG_ID = "aep_catch_up"
TODAY = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = timedelta(days=1)


@pytest.mark.parametrize("kind", ["scheduled", "backfill"])
def test_a_dag_run_of_the_past_ensures_once_lists_its_own_ticks_and_waits_for_nothing(
    airflow_db: Path,
    turn: Turn,
    pulled: Callable[..., Any],
    states: Callable[[Any], dict[str, str]],
    logged: Callable[[], str],
    kind: str,
) -> None:
    # Given an export that began two days ago, in a DAG that is older
    shutil.copy(Path(__file__).with_name("dags") / f"{DAG_ID}.py", HOME / "dags")
    start = (TODAY - 2 * DAY).isoformat()
    # When yesterday's DAG run is made up for, and then that of a week ago
    yesterday = turn(DAG_ID, TODAY, kind=kind, start=start)
    before = turn(DAG_ID, TODAY - 7 * DAY, kind=kind, start=start)
    # Then the export is made once
    assert pulled(yesterday, "ensure")["changed"] is True
    assert pulled(before, "ensure")["changed"] is False
    # and each lists the ticks of its own day
    (due,) = pulled(yesterday, "due")
    day = TODAY - DAY
    assert due["ticks"] == [(day + timedelta(hours=3 * tick)).isoformat() for tick in range(8)]
    assert pulled(before, "due") == []
    # and where nothing ran in its time, the wait ends at once.
    assert states(before)["wait"] == "failed"
    assert "This wait can no longer succeed" in logged()
