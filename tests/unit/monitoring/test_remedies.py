"""What can be done now, as something to copy."""

from __future__ import annotations

import shlex

import pytest

from airflow_provider_aep.flowservice.codes import explain
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.monitoring.findings import Finding
from airflow_provider_aep.monitoring.remedies import remedies
from airflow_provider_aep.monitoring.story_parts import error_told

FLOW = "90c192cf-d3ac-44af-8f21-ddb66cad4a26"
ODD = "x'; reboot $(id)\n"


def steps(*latest, standing=(), lost=(), names=None, state="enabled", flow=FLOW, conn_id="aep_default"):
    return remedies(
        Dataflow.from_api({"id": flow, "name": "orders", "state": state}),
        standing=standing,
        lost=lost,
        latest=latest,
        names=names or {"d": "Orders"},
        conn_id=conn_id,
        sandbox="prod",
    )


def failed(*codes):
    return {
        "run_id": "r1",
        "status": "failed",
        "outcome": "fail",
        "told": "run r1 ended as failed",
        "dataset_ids": [],
        "cause": None,
        "errors": [error_told(code, "It failed.") for code in codes],
    }


@pytest.mark.parametrize("code", ["401013", "invalid_client", "FLOW-2118-403", "2100"])
def test_a_login_or_a_right_that_failed_is_for_the_doctor(code):
    first, *_ = steps(failed(code))
    assert first.command == "aep doctor --conn-id aep_default --sandbox prod"
    assert explain(code).advice in first.why


def test_a_storage_that_refused_gets_its_login_again():
    first, *_ = steps(failed("ACTIVATION_BATCH-0000-FAILED"))
    assert shlex.split(first.command)[:4] == ["aep", "ensure", "PATH", "--rotate-credentials"]


def test_a_code_that_nobody_knows_is_for_adobes_support():
    first, *_ = steps(failed("NEW-0001"))
    assert (first.kind, "NEW-0001" in first.command, "r1" in first.command) == ("ask", True, True)


def test_a_command_stands_once_however_many_ask_for_it():
    commands = [each.command for each in steps(failed("401013", "403000"), failed("401013"))]
    assert len(commands) == len(set(commands))


def test_a_schedule_that_ends_is_prolonged_in_its_spec():
    ending = Finding(
        key="k", kind="ends_soon", outcome="warn", told="its schedule ends in 3 days", known_at=None
    )
    (step,) = steps(standing=[ending])
    assert step.command == "aep ensure PATH --conn-id aep_default --sandbox prod"
    assert "its schedule ends in 3 days" in step.why


def test_whatever_an_id_holds_it_is_one_word_of_a_shell():
    missing = {**failed(), "status": "missing", "run_id": None}
    doctor, export = steps(missing, flow=ODD, conn_id=ODD)
    assert shlex.split(doctor.command) == ["aep", "doctor", "--conn-id", ODD, "--sandbox", "prod"]
    words = shlex.split(export.command)
    assert words[:3] == ["aep", "run", ODD]
    assert words[-4:] == ["--conn-id", ODD, "--sandbox", "prod"]


def test_one_that_is_disabled_is_not_exported_on_demand():
    missing = {**failed(), "status": "missing", "run_id": None}
    assert steps(missing, state="disabled") == []


def test_all_is_well():
    assert steps({**failed(), "status": "good", "outcome": "ok"}) == []
