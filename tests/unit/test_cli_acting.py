"""``aep run`` and ``aep enable``."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_provider_aep.cli import main
from airflow_provider_aep.flowservice.dataflows import get_dataflow, set_dataflow_state


@pytest.fixture
def flow(make_dataflow, clock, now):
    """It is old enough to be exported on demand, and its first run is half an hour away."""
    made = make_dataflow("orders", end=now + timedelta(days=90))
    clock.advance(1800)
    return made


def test_all_datasets_of_an_export_are_exported_now(capsys, aep, flow):
    assert main(["run", "orders", "--yes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["dataflow"] == {"id": flow, "name": "orders"}
    assert {run["dataset_id"] for run in told["runs"]} == {each.id for each in aep.datasets()[:1]}
    assert not any(run["adopted"] for run in told["runs"])


def test_a_run_that_is_under_way_is_told_and_not_doubled(capsys, aep, flow):
    aep.script_runs(flow, ["in_progress"])
    assert main(["run", flow, "--yes"]) == 0
    assert "has begun" in capsys.readouterr().out
    assert main(["run", flow, "--yes"]) == 0
    assert "is under way already" in capsys.readouterr().out


def test_without_a_terminal_nothing_is_done_unless_it_says_yes(capsys, run, aep, flow):
    run(set_dataflow_state(flow, "disabled"))
    aep.log.clear()
    for command in ("run", "enable"):
        assert main([command, "orders"]) == 1
        assert "Give --yes" in capsys.readouterr().err
    assert {request.method for request in aep.log if "/token" not in request.path} == {"GET"}
    assert run(get_dataflow(flow)).state == "disabled"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["orders", "--dataset", "f" * 24], "is not exported by the dataflow"),
        (["order"], "did you mean"),
        (["orders", "--dataset", "../x"], "datasets"),
        (["orders", "--dataset", ""], "--dataset must not be empty"),
    ],
)
def test_what_cannot_be_meant_starts_nothing(capsys, aep, flow, words, said):
    aep.log.clear()
    assert main(["run", *words, "--yes"]) == 1
    assert said.lower() in capsys.readouterr().err.lower()
    assert not [request for request in aep.log if "adhocrun" in request.path]


def test_an_export_is_enabled_once(capsys, aep, run, flow):
    run(set_dataflow_state(flow, "disabled"))
    assert main(["enable", "orders", "--yes"]) == 0
    assert capsys.readouterr().out == "orders: enabled\n"
    assert run(get_dataflow(flow)).state == "enabled"
    assert main(["enable", flow, "--yes"]) == 0
    assert capsys.readouterr().out == "orders: was enabled already\n"
