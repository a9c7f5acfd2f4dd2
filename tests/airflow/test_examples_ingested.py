"""The example that exports after ingestion: what came in is exported, or an alert says that it was not."""

from __future__ import annotations

import importlib.util
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.hooks.declared import ensure_specs

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="exported files need pyarrow"),
]

# Of the emulator's short hours.
MARGIN = 0.4
TEN_MINUTES = 1.0


@pytest.fixture
def datasets(aep_server) -> dict[str, str]:
    """The ids of all datasets by their names; none of them gains anything by itself."""
    for each in aep_server.emulator.datasets():
        each.hourly = 0
    return {each.name: each.id for each in aep_server.emulator.datasets()}


@pytest.fixture
def alerts() -> list[str]:
    """What the notifier told."""
    return []


@pytest.fixture
def export_after_ingestion(run_dag, aep_server, datasets, alerts) -> Any:
    """``export_after_ingestion(rows)``: a run of the DAG before which so many rows came into CRM Profiles."""

    def run(rows: int) -> Any:
        def prepare(names: dict[str, Any]) -> None:
            names["ensure"].spec["schedule"] = {"every": "1d", "start": first_tick, "end": "2099-06-01"}
            ensure_specs([parse_spec(names["ensure"].spec)], hook=AepHook())
            time.sleep(TEN_MINUTES)  # a dataflow that is younger cannot export on demand
            names["alert"].send = lambda text, about: alerts.append(text)
            names["ingested"].settled_for = MARGIN
            names["ingested"].timeout = 20.0
            names["wait"].policy_parts["ingestion_margin"] = MARGIN / 2
            aep_server.emulator.add_rows(datasets["CRM Profiles"], rows)

        return run_dag("aep_export_after_ingestion", prepare=prepare, since=datetime.now(tz=UTC).isoformat())

    first_tick = (datetime.now(tz=UTC) + timedelta(days=2)).isoformat()
    return run


def test_what_comes_in_is_exported_and_nobody_is_alerted(
    export_after_ingestion, datasets, states, pulled, alerts
):
    run = export_after_ingestion(25)
    assert set(states(run).values()) == {"success"}
    crm = datasets["CRM Profiles"]
    arrived = pulled(run, "ingested")
    assert arrived["dataset_ids"] == [crm]
    assert arrived["datasets"][crm]["records"] == 25
    verdict = pulled(run, "wait")
    assert (verdict["outcome"], verdict["run_ids"]) == ("ok", pulled(run, "run_export"))
    assert verdict["records_out"] >= 25
    assert alerts == []


def test_what_comes_in_and_is_withheld_is_told_of(
    export_after_ingestion, aep_server, datasets, states, pulled, alerts, logged
):
    # given: an export that has delivered before
    first = export_after_ingestion(25)
    assert pulled(first, "wait")["outcome"] == "ok"
    # when: rows come in, and the next run loses them
    aep_server.emulator.script_runs(None, ["withheld"])
    run = export_after_ingestion(11)
    # then
    assert states(run) == {
        "ensure": "success",
        "ingested": "success",
        "run_export": "success",
        "wait": "failed",
    }
    verdict = pulled(run, "wait", "aep_verdict")
    assert (verdict["status"], verdict["cause"]["kind"]) == ("zero_records", "not_exported")
    assert "1 batch with 11 records came into CRM Profiles" in verdict["cause"]["told"]
    (alert,) = alerts
    assert alert.startswith("AEP export after-ingestion is empty: run ")
    (line,) = [each for each in logged().splitlines() if f"{alert} |" in each][:1]
    assert "1 batch with 11 records came into CRM Profiles" in line
    assert "none of them was exported" in line
