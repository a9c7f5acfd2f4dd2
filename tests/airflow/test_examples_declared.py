"""The example DAGs of declared exports, run by Airflow against the emulator behind real HTTP."""

from __future__ import annotations

import importlib.util
import json
import time
from typing import Any

import pytest

from airflow_provider_aep.exports.files import load_specs
from airflow_provider_aep.exports.spec import parse_spec, parse_specs
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.hooks.declared import ensure_specs, plan_specs
from airflow_provider_aep.operators.links import AepDataflowLink
from airflow_provider_aep.operators.xcom_keys import EXPORTS_KEY, PLANS_KEY
from tests.airflow.conftest import CHECKOUT, HOME

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="exported files need pyarrow"),
]

NAMES = ["crm-nightly", "store-orders", "web-events"]


def names(aep: Any) -> list[str]:
    return sorted(flow["name"] for flow in aep.entities("flows"))


def test_a_folder_of_specs_becomes_exports_and_stays_so(run_dag, aep_server, states, pulled, logged):
    aep = aep_server.emulator
    first = run_dag("aep_ensure_exports")
    assert states(first) == {"plan": "success", "ensure": "success", "report": "success"}
    assert names(aep) == NAMES
    assert [each["changes"] for each in pulled(first, "plan", PLANS_KEY)] == [True] * 3
    made = pulled(first, "ensure")
    assert made == pulled(first, "ensure", EXPORTS_KEY)
    assert [len(each["created"]) for each in made] == [4] * 3
    assert json.loads(json.dumps(made)) == made
    (target,) = [each for each in aep.entities("targetConnections") if each["name"] == "crm-nightly"]
    assert (target["params"]["bucketName"], target["params"]["compression"]) == ("acme-exports", "GZIP")
    assert pulled(first, "report") == []

    again = run_dag("aep_ensure_exports")
    assert set(states(again).values()) == {"success"}
    assert [each["changed"] for each in pulled(again, "ensure")] == [False] * 3
    assert "crm-nightly: no changes" in logged()


def test_drift_is_reported_and_mended(run_dag, aep_server, pulled, states):
    run_dag("aep_ensure_exports")
    aep = aep_server.emulator
    # given: somebody has changed an export by hand
    documents = load_specs(CHECKOUT / "dags_examples" / "exports")
    crm = parse_spec({**documents[0], "schedule": {"every": "6h", "end": "2027-12-31T00:00:00Z"}})
    ensure_specs([crm], hook=AepHook())
    run = run_dag("aep_ensure_exports")
    assert [each["changes"] for each in pulled(run, "plan")] == [True, False, False]
    (flow,) = [each for each in aep.entities("flows") if each["name"] == "crm-nightly"]
    assert (flow["scheduleParams"]["timeUnit"], flow["scheduleParams"]["interval"]) == ("day", 1)
    assert plan_specs(parse_specs(documents), hook=AepHook())[0].plan.changes is False


def test_what_fails_is_reported_and_the_others_are_ensured(run_dag, aep_server, states, pulled):
    aep_server.emulator.fail_next(400, match="POST /sourceConnections", body={"message": "no"})

    def without_retries(names: dict[str, Any]) -> None:
        names["dag"].get_task("ensure").retries = 0

    run = run_dag("aep_ensure_exports", prepare=without_retries)
    assert states(run) == {"plan": "success", "ensure": "failed", "report": "success"}
    assert len(names(aep_server.emulator)) == 2
    assert any(" failed: " in line for line in pulled(run, "report"))


def test_each_export_is_a_mapped_task(run_dag, aep_server, states, pulled):
    run = run_dag("aep_provision_mapped")
    assert names(aep_server.emulator) == NAMES
    assert states(run) == {f"{task}/{index}": "success" for task in ("ensure", "wait") for index in range(3)}
    for index in range(3):
        ensured = pulled(run, "ensure", map_index=index)
        assert pulled(run, "ensure", AepDataflowLink.xcom_key, index).endswith(ensured["dataflow_id"])
        assert pulled(run, "wait", map_index=index)["dataflow_name"] == ensured["name"]


def test_an_export_on_demand_ends_with_files(run_dag, aep_server, states, pulled):
    def not_new(names: dict[str, Any]) -> None:
        ensure_specs([parse_spec(names["ensure"].spec)], hook=AepHook())
        time.sleep(1.0)  # ten minutes of the emulator's

    run = run_dag("aep_export_on_demand", prepare=not_new, datasets=["5ef3e324ab7dd7d3259a1191"])
    assert set(states(run).values()) == {"success"}
    assert len(pulled(run, "run_export")) == 1
    verdict = pulled(run, "wait")
    assert pulled(run, "run_export") == verdict["run_ids"]
    assert pulled(run, "use_files") == (verdict["records_out"] or 0)


def test_a_window_keeps_an_export_off_while_the_work_goes_on(run_dag, aep_server, states):
    aep = aep_server.emulator
    (made,) = ensure_specs([spec()], hook=AepHook())
    flow_id = made.ids["dataflow"]
    seen: list[str] = []

    def look(names: dict[str, Any]) -> None:
        work = names["dag"].get_task("rebuild_tables")
        work.python_callable = lambda: seen.append(aep.entities("flows")[0]["state"])

    run = run_dag("aep_maintenance_window", prepare=look, dataflow_id=flow_id)
    assert set(states(run).values()) == {"success"}
    assert seen == ["disabled"]
    assert aep.entities("flows")[0]["state"] == "enabled"


def spec(name: str = "nightly") -> Any:
    return parse_spec(document(name))


def document(name: str = "nightly") -> dict[str, Any]:
    return {
        "name": name,
        "datasets": ["5ef3e3259ad2a1191ab7dd7d"],
        "destination": {"type": "data_landing_zone", "params": {"path": name, "datasetFileType": "JSON"}},
        "schedule": {"every": "3h", "end": "2099-06-01"},
    }


GROUP = """
from airflow.providers.common.compat.sdk import DAG, TaskGroup, task_group

from airflow_provider_aep.task_groups import AepExportTaskGroup

SPEC = {spec!r}

with DAG("a_group", schedule=None) as dag:
    with TaskGroup("crm"):
        AepExportTaskGroup("nightly", spec=SPEC, deferrable=True, timeout=60)

    @task_group
    def one(spec):
        AepExportTaskGroup("export", spec=spec, sandbox="prod", timeout=60)

    one.expand(spec=[{{**SPEC, "name": "first"}}, {{**SPEC, "name": "second"}}])
"""


def test_an_export_in_one_line_also_in_a_mapped_group(run_dag, aep_server, states, pulled):
    (HOME / "dags" / "a_group.py").write_text(GROUP.format(spec=document()))
    run = run_dag("a_group")
    assert set(states(run).values()) == {"success"}
    assert names(aep_server.emulator) == ["first", "nightly", "second"]
    assert pulled(run, "crm.nightly.wait")["dataflow_name"] == "nightly"
    assert {pulled(run, "one.export.wait", map_index=index)["dataflow_name"] for index in range(2)} == {
        "first",
        "second",
    }
