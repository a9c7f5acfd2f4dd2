"""Declared exports in a DAG: what is said when it is parsed, and what its tasks do and return."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    BaseOperator,
)

from airflow_provider_aep.errors import (
    AepApiError,
    AepConfigError,
    AepConflictError,
    AepExportsError,
    AepUnsafePlanError,
    AepValidationError,
)
from airflow_provider_aep.operators.bundles import bundle_root
from airflow_provider_aep.operators.exports import (
    EXPORTS_KEY,
    PLANS_KEY,
    AepDeleteExportOperator,
    AepEnsureExportOperator,
    AepPlanExportOperator,
)
from airflow_provider_aep.operators.links import AepDataflowLink
from tests.unit.task_instance import context_of

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2.11
    from airflow.models.dagbag import DagBag

CRM, LOYALTY = "5ef3e3259ad2a1191ab7dd7d", "5ef3e324ab7dd7d3259a1191"
SECRET_KEY = "VerySecret" * 4
OPERATORS = [AepPlanExportOperator, AepEnsureExportOperator, AepDeleteExportOperator]


def spec(name: str = "nightly", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "datasets": [CRM],
        "destination": {
            "type": "data_landing_zone",
            "params": {"path": name, "datasetFileType": "PARQUET"},
        },
        "schedule": {"every": "3h", "end": "2099-06-01"},
        **changes,
    }


def s3_spec(name: str = "nightly", **changes: Any) -> dict[str, Any]:
    params = {"bucketName": "acme-exports", "path": "aep", "datasetFileType": "PARQUET"}
    destination = {"type": "s3", "credentials_conn_id": "bucket", "params": params}
    return spec(name, destination=destination, **changes)


@pytest.fixture(autouse=True)
def bucket(monkeypatch) -> None:
    document = {"conn_type": "aws", "login": "AKIA2345ABCDEFGH2345", "password": SECRET_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(document))


@pytest.fixture
def perform(ti):
    """Renders an operator's fields, runs its ``execute``; the result has to be plain JSON, as XComs are."""

    def performed(operator: Any, **context: Any) -> Any:
        everything = {**context_of(ti), **context}
        operator.render_template_fields(everything)
        result = operator.execute(everything)
        assert json.loads(json.dumps(result)) == result
        return result

    return performed


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A DAG bundle."""
    root = tmp_path / "bundle"
    (root / "team" / "specs").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(root)])
    return root


@pytest.fixture
def dag_in(folder):
    """``dag_in("team/dag.py")``: a DAG that was made in that file."""

    def made(file: str = "team/dag.py", **options: Any) -> DAG:
        dag = DAG("exports", schedule=None, **options)
        dag.fileloc = str(folder / file)
        return dag

    return made


def plan(**given: Any) -> AepPlanExportOperator:
    return AepPlanExportOperator(task_id="plan", **given)


def ensure(**given: Any) -> AepEnsureExportOperator:
    return AepEnsureExportOperator(task_id="ensure", **given)


def delete(**given: Any) -> AepDeleteExportOperator:
    return AepDeleteExportOperator(task_id="delete", **given)


# ── when the DAG is parsed ──────────────────────────────────────────────────────────────────────────────────


def test_a_mistake_in_a_spec_is_told_when_the_dag_is_parsed_with_all_others():
    broken = spec(schedule={"every": "0h"}, datasets=[])
    del broken["destination"]["params"]["path"]
    for operator in OPERATORS:
        with pytest.raises(AepValidationError) as told:
            operator(task_id="task", spec=broken)
        assert [each.pointer for each in told.value.problems] == [
            "/datasets",
            "/destination/params/path",
            "/schedule/every",
        ]


def test_mistakes_in_several_specs_are_told_together_by_their_places():
    with pytest.raises(AepValidationError) as told:
        plan(specs=[spec(schedule="0h"), spec("fine"), spec("other", owner="no blanks")])
    assert [each.pointer for each in told.value.problems] == ["specs[0]/schedule", "specs[2]/owner"]


def test_specs_that_do_not_go_together_are_told_when_the_dag_is_parsed():
    with pytest.raises(AepValidationError, match=r"specs\[1\]/name is in use at"):
        ensure(specs=[spec(), spec()])


@pytest.mark.parametrize("given", [{}, {"spec": spec(), "specs": [spec()]}])
def test_exactly_one_of_spec_and_specs_is_given(given):
    for operator in (plan, ensure):
        with pytest.raises(AepConfigError, match="give exactly one of spec and specs"):
            operator(**given)


@pytest.mark.parametrize("given", [{}, {"spec": spec(), "name": "nightly"}])
def test_exactly_one_of_spec_and_name_is_deleted(given):
    with pytest.raises(AepConfigError, match="give exactly one of spec and name"):
        delete(**given)


def test_an_owner_belongs_to_a_name():
    with pytest.raises(AepConfigError, match="export_owner belongs to name"):
        delete(spec=spec(), export_owner="crm")


def test_a_word_that_on_changes_does_not_know_is_refused():
    with pytest.raises(AepValidationError, match="on_changes must be one of ok, warn, fail, skip"):
        plan(spec=spec(), on_changes="shout")


@pytest.mark.parametrize("given", [5, {"name": "x"}])
def test_specs_must_be_several(given):
    with pytest.raises(AepValidationError, match="specs must be a list of specs, or a path"):
        plan(specs=given)


def test_templates_and_results_of_other_tasks_are_left_until_the_task_runs():
    with DAG("exports", schedule=None):
        upstream = BaseOperator(task_id="upstream")
        ensure(spec=spec("{{ params.name }}", schedule={"every": "{{ params.every }}"}))
        partly = AepPlanExportOperator(task_id="partly", spec=spec(datasets=upstream.output))
        wholly = AepPlanExportOperator(task_id="wholly", spec=upstream.output)
        path = AepPlanExportOperator(task_id="path", spec="specs/{{ params.name }}.yaml")
        mixed = AepPlanExportOperator(task_id="mixed", specs=[spec(), upstream.output, "{{ params.path }}"])
    assert path.upstream_task_ids == set()
    for task in (partly, wholly, mixed):
        assert task.upstream_task_ids == {"upstream"}


def test_what_stands_beside_a_template_is_checked_at_once():
    with pytest.raises(AepValidationError, match="schedule/every"):
        ensure(spec=spec("{{ params.name }}", schedule={"every": "0h"}))


# ── paths ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_path_starts_in_the_folder_of_the_dag_file(folder, dag_in, aep, perform):
    (folder / "team" / "specs" / "nightly.json").write_text(json.dumps(spec()))
    with dag_in():
        operator = plan(spec="specs/nightly.json")
        assert perform(operator)["name"] == "nightly"
    with (
        dag_in("dag.py"),
        pytest.raises(AepConfigError, match=r"specs/nightly.json: does not exist\. A path"),
    ):
        plan(spec="specs/nightly.json")


@pytest.mark.parametrize("path", ["../../secrets.yaml", "{root}/../secrets.yaml", "link.yaml"])
def test_a_path_must_not_leave_the_bundle(folder, dag_in, path):
    (folder.parent / "secrets.yaml").write_text(json.dumps(spec()))
    (folder / "team" / "link.yaml").symlink_to(folder.parent / "secrets.yaml")
    with dag_in(), pytest.raises(AepConfigError, match=r"leads outside .* stays inside the DAG bundle"):
        plan(spec=path.format(root=folder))


def test_a_path_that_a_template_makes_must_not_leave_the_bundle_either(folder, dag_in, aep, perform):
    (folder.parent / "secrets.yaml").write_text(json.dumps(spec()))
    with dag_in():
        operator = plan(spec="{{ params.path }}")
    with pytest.raises(AepConfigError, match="leads outside"):
        perform(operator, params={"path": "../../secrets.yaml"})
    assert aep.log == []


def test_a_path_may_lead_to_another_folder_of_the_bundle(folder, dag_in, aep, perform):
    (folder / "common.yaml").write_text(json.dumps(spec()))
    for path in ("../common.yaml", str(folder / "common.yaml"), Path("../common.yaml")):
        with dag_in():
            assert perform(plan(spec=path))["name"] == "nightly"
        with dag_in():
            assert [each["name"] for each in perform(plan(specs=[path]))] == ["nightly"]


def test_a_folder_holds_several_specs(folder, dag_in, aep, perform):
    for name in ("b", "a"):
        (folder / "team" / "specs" / f"{name}.yaml").write_text(json.dumps(spec(name)))
    with dag_in():
        assert [each["name"] for each in perform(plan(specs="specs"))] == ["a", "b"]
        told = perform(AepPlanExportOperator(task_id="both", specs=["specs", spec("c")]))
        assert [each["name"] for each in told] == ["a", "b", "c"]
        with pytest.raises(AepConfigError, match=r"specs: holds 2 specs\. Give it as specs instead of spec"):
            AepPlanExportOperator(task_id="one", spec="specs")


def test_a_template_in_a_file_is_refused_because_nobody_renders_it(folder, dag_in):
    (folder / "team" / "one.yaml").write_text(json.dumps(spec("crm-{{ params.region }}")))
    with dag_in(), pytest.raises(AepValidationError, match=r"one.yaml/name holds a template"):
        plan(spec="one.yaml")


def test_a_path_without_a_dag_has_nowhere_to_start():
    with pytest.raises(AepConfigError, match="a path needs a DAG"):
        plan(spec="specs/nightly.yaml")


def test_the_bundle_is_the_innermost_folder_on_the_path_that_holds_the_dag_file(tmp_path, monkeypatch):
    file = tmp_path / "bundle" / "team" / "dag.py"
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), str(tmp_path / "bundle"), "/elsewhere"])
    assert bundle_root(file) == tmp_path / "bundle"
    monkeypatch.setattr(sys, "path", ["/elsewhere"])
    assert bundle_root(file) == tmp_path / "bundle" / "team"
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path))
    assert bundle_root(file) == tmp_path


def test_a_dag_file_that_is_run_as_a_script_has_the_bundle_that_airflow_gives_it(tmp_path, monkeypatch):
    file = tmp_path / "team" / "dag.py"
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(file), raising=False)
    monkeypatch.setattr(sys, "path", [str(file.parent), str(tmp_path)])
    assert bundle_root(file) == tmp_path


DAG_FILE = """
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_aep.operators.exports import AepEnsureExportOperator

with DAG("exports", schedule=None) as dag:
    AepEnsureExportOperator(task_id="ensure", specs="specs")
"""


def test_a_broken_spec_file_is_an_import_error_of_the_dag_that_tells_all(folder):
    (folder / "dag.py").write_text(DAG_FILE)
    (folder / "specs").mkdir()
    (folder / "specs" / "a.yaml").write_text(
        textwrap.dedent("""
            name: crm-nightly
            datasets: []
            destination:
              type: s3
              params: {bucketName: acme, path: aep, datasetFileType: PARQUET, s3SecretKey: hunter2hunter2}
            schedule: 0h
        """)
    )
    (folder / "specs" / "b.yaml").write_text("name: [unclosed")
    bag = DagBag(dag_folder=str(folder / "dag.py"))
    ((_, told),) = bag.import_errors.items()
    assert "b.yaml" in told
    assert "a.yaml/datasets must not be empty" in told
    assert "a.yaml/schedule" in told
    assert "a.yaml/destination/params/s3SecretKey belongs to the login" in told
    assert "hunter2hunter2" not in told


def test_a_good_spec_file_is_a_good_dag(folder):
    (folder / "dag.py").write_text(DAG_FILE)
    (folder / "specs").mkdir()
    (folder / "specs" / "a.yaml").write_text(json.dumps(spec()))
    bag = DagBag(dag_folder=str(folder / "dag.py"))
    assert bag.import_errors == {}
    assert bag.dags["exports"].task_ids == ["ensure"]


# ── rendering ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("native", [False, True])
def test_templates_in_a_spec_are_rendered(aep, perform, native, dag_in):
    with dag_in(render_template_as_native_obj=native):
        operator = plan(spec=spec("crm-{{ params.region }}", datasets=["{{ params.dataset }}"]))
    told = perform(operator, params={"region": "emea", "dataset": CRM})
    assert told["name"] == "crm-emea"


@pytest.mark.parametrize(
    ("native", "template"), [(True, "{{ params.spec }}"), (False, "{{ params.spec | tojson }}")]
)
def test_a_whole_spec_may_come_from_a_template(aep, perform, dag_in, native, template):
    with dag_in(render_template_as_native_obj=native):
        operator = plan(spec=template)
        several = AepPlanExportOperator(task_id="several", specs=template.replace("spec", "specs"))
    assert perform(operator, params={"spec": spec("crm's <own>")})["name"] == "crm's <own>"
    assert perform(several, params={"specs": [spec("a"), spec("b")]})[1]["name"] == "b"


def test_a_spec_that_was_rendered_to_a_text_says_what_to_do(aep, perform, dag_in):
    with dag_in():
        operator = plan(spec="{{ params.spec }}")
    with pytest.raises(AepValidationError, match=r"is not JSON: end the template with `\| tojson`"):
        perform(operator, params={"spec": spec()})


def test_native_rendering_makes_no_number_of_a_text_that_was_typed(aep, perform, dag_in):
    made = spec("2024", description="5e3", datasets=[{"id": CRM, "name": "12e456"}])
    with dag_in(render_template_as_native_obj=True):
        assert perform(ensure(spec=made))["name"] == "2024"
    (flow,) = aep.entities("flows")
    assert flow["description"].startswith("5e3 (")


def test_a_rendered_spec_is_checked_anew(aep, perform, dag_in):
    with dag_in():
        operator = ensure(spec=spec(schedule={"every": "{{ params.every }}"}))
    with pytest.raises(AepValidationError, match="schedule/every must be one of"):
        perform(operator, params={"every": "0h"})
    assert aep.log == []


def test_specs_that_render_to_none_are_an_error(aep, perform, dag_in):
    with dag_in(render_template_as_native_obj=True):
        operator = ensure(specs="{{ [] }}")
    with pytest.raises(AepValidationError, match="specs must name at least one spec"):
        perform(operator)


# ── planning ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_changes_nothing_and_says_what_would(aep, perform, ti, logged):
    told = perform(plan(spec=s3_spec()))
    assert {request.method for request in aep.log if "ims" not in request.path} == {"GET"}
    assert told["changes"] is True
    assert [step["action"] for step in told["steps"]] == ["create"] * 4
    assert ti.pushed(PLANS_KEY) == [told]
    assert "nightly in sandbox prod" in logged()
    assert "create   dataflow" in logged()


def test_a_plan_of_what_is_there_links_to_the_dataflow(aep, perform, ti):
    made = perform(ensure(spec=spec()))
    told = perform(plan(spec=spec(), on_changes="fail"))
    assert told["changes"] is False
    assert ti.pushed(AepDataflowLink.xcom_key).endswith(made["dataflow_id"])


@pytest.mark.parametrize(("word", "ends"), [("fail", AirflowFailException), ("skip", AirflowSkipException)])
def test_drift_ends_the_task_as_on_changes_says(aep, perform, ti, word, ends):
    perform(ensure(specs=[spec("a"), spec("b")]))
    specs = [spec("a", schedule={"every": "6h", "end": "2099-06-01"}), spec("b")]
    with pytest.raises(ends) as told:
        perform(plan(specs=specs, on_changes=word))
    assert str(told.value).startswith("1 export differs from the spec:\na in sandbox prod\n")
    assert "schedule.every: 3h -> 6h" in str(told.value)
    assert [each["changes"] for each in ti.pushed(PLANS_KEY)] == [True, False]


@pytest.mark.parametrize("word", ["ok", "warn"])
def test_drift_that_is_no_failure_is_told_in_the_log(aep, perform, logged, word):
    assert perform(plan(spec=spec(), on_changes=word))["changes"] is True
    lines = [line for line in logged().splitlines() if "nightly in sandbox prod" in line]
    assert any("WARN" in line.upper() for line in lines) is (word == "warn")


def test_what_cannot_be_planned_is_told_with_the_plans_of_the_others(aep, perform, ti):
    with pytest.raises(AepExportsError, match="1 of 2 exports failed") as told:
        perform(plan(specs=[spec("a", datasets=[{"name": "Nobody"}]), spec("b")]))
    assert set(told.value.errors) == {"a"}
    assert [each["name"] for each in ti.pushed(PLANS_KEY)] == ["b"]


def test_rotating_credentials_is_planned(aep, perform):
    perform(ensure(spec=s3_spec()))
    (step, *_) = perform(plan(spec=s3_spec(), rotate_credentials=True))["steps"]
    assert (step["kind"], step["action"]) == ("base connection", "update")


# ── ensuring ────────────────────────────────────────────────────────────────────────────────────────────────


def test_ensuring_makes_it_so_and_a_second_time_changes_nothing(aep, perform, ti, logged):
    told = perform(ensure(spec=s3_spec()))
    assert told["changed"] is True
    assert len(told["created"]) == 4
    (flow,) = aep.entities("flows")
    assert told["dataflow_id"] == flow["id"]
    assert ti.pushed(EXPORTS_KEY) == [told]
    assert ti.pushed(AepDataflowLink.xcom_key).endswith(flow["id"])
    assert "create   dataflow" in logged()

    aep.log.clear()
    again = perform(ensure(spec=s3_spec()))
    assert (again["changed"], again["dataflow_id"]) == (False, flow["id"])
    assert {request.method for request in aep.log} == {"GET"}
    assert "nightly: no changes" in logged()


def test_what_other_tasks_take_as_arguments_are_xcoms_of_a_single_spec(aep, perform, ti):
    told = perform(ensure(spec=spec()))
    kinds = ("source_connection", "target_connection", "base_connection", "dataflow")
    names = ("sandbox", "changed", *(f"{kind}_id" for kind in kinds))
    assert {name: ti.pushed(name) for name in names} == {name: told[name] for name in names}
    assert ti.pushed("created") is None


def test_what_a_single_spec_has_no_value_for_is_no_xcom(aep, perform, ti):
    """Airflow 3.0 answers an XCom of ``None`` with 422, after the export was made."""
    told = perform(ensure(spec=s3_spec()))
    assert told["error"] is None
    assert None not in ti.xcoms.values()


def test_several_are_ensured_in_one_task(aep, perform, ti):
    told = perform(ensure(specs=[spec("a"), s3_spec("b")]))
    assert [each["name"] for each in told] == ["a", "b"]
    assert ti.pushed(EXPORTS_KEY) == told
    assert ti.pushed(AepDataflowLink.xcom_key) is None


def test_one_that_fails_does_not_keep_the_others_and_everything_is_reported(aep, perform, ti, logged):
    specs = [spec("a", datasets=[{"name": "Nobody"}]), spec("b")]
    with pytest.raises(AepExportsError, match="1 of 2 exports failed"):
        perform(ensure(specs=specs))
    first, second = ti.pushed(EXPORTS_KEY)
    assert "names no dataset" in first["error"]
    assert (second["error"], len(second["created"])) == (None, 4)
    assert "a: FAILED" in logged()


def test_replacing_has_to_be_allowed(aep, perform, ti):
    perform(ensure(spec=spec()))
    changed = spec(datasets=[CRM, LOYALTY])
    with pytest.raises(AepUnsafePlanError, match="Set allow_replace"):
        perform(ensure(spec=changed))
    assert ti.pushed(EXPORTS_KEY)[0]["error"].startswith("the plan for export 'nightly' replaces 1 of 4")
    told = perform(ensure(spec=changed, allow_replace=True))
    assert [each["kind"] for each in told["left_behind"]] == ["source connection"]


def test_credentials_are_rotated_when_asked(aep, perform, monkeypatch):
    perform(ensure(spec=s3_spec()))
    document = {"conn_type": "aws", "login": "AKIA2345ABCDEFGH2345", "password": "AnotherKey" * 4}
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(document))
    assert perform(ensure(spec=s3_spec()))["changed"] is False
    told = perform(ensure(spec=s3_spec(), rotate_credentials=True))
    assert "base connection" in [each["kind"] for each in told["updated"]]


def test_what_a_failed_attempt_made_stays_for_the_next_one_or_is_rolled_back(aep, perform, ti, logged):
    for rollback, left in ((True, 0), (False, 3)):
        aep.fail_next(400, match="POST /flows", body={"message": "no"})
        with pytest.raises(AepApiError):
            perform(ensure(spec=spec(), rollback_on_failure=rollback))
        (told,) = ti.pushed(EXPORTS_KEY)
        assert len(told["created"]) == left
        assert len(aep.entities("connections")) == bool(left)
    assert "FAILED after it had created base connection" in logged()
    assert len(perform(ensure(spec=spec()))["created"]) == 1


def test_warnings_are_warnings_of_the_log(aep, perform, logged):
    told = perform(ensure(spec=spec(schedule="3h")))
    assert told["warnings"]
    assert any("WARN" in line.upper() and "nightly: " in line for line in logged().splitlines())


def test_a_plan_that_still_holds_is_carried_out(aep, perform):
    specs = [spec("a"), s3_spec("b")]
    planned = perform(plan(specs=specs))
    assert all(each["changed"] for each in perform(ensure(specs=specs, plan=planned)))
    one = spec("c")
    assert perform(ensure(spec=one, plan=perform(plan(spec=one))))["changed"] is True


def test_a_plan_from_before_somebody_else_changed_it_is_not_carried_out(aep, perform):
    planned = perform(plan(spec=spec()))
    perform(ensure(spec=spec(schedule="6h")))
    with pytest.raises(AepUnsafePlanError, match="has changed since the plan was made"):
        perform(ensure(spec=spec(), plan=planned))


def test_a_retry_with_the_same_plan_has_nothing_left_to_do(aep, perform):
    specs = [spec("a"), spec("b")]
    planned = perform(plan(specs=specs))
    aep.fail_next(400, match="POST /flows", times=1)
    with pytest.raises(AepExportsError):
        perform(ensure(specs=specs, plan=planned))
    (done,) = [flow["name"] for flow in aep.entities("flows")]
    again = [each for each in specs if each["name"] == done]
    assert [each["changed"] for each in perform(ensure(specs=again, plan=planned))] == [False]


@pytest.mark.parametrize("given", ["{{ none }}", "text", {}, [], [{"name": "a"}], [{}, 5]])
def test_a_plan_that_is_none_is_refused_and_nothing_is_sent(aep, perform, given):
    told = "plan (must be what AepPlanExportOperator returned|is empty)"
    with pytest.raises(AepValidationError, match=told):
        perform(ensure(spec=spec(), plan=given))
    assert aep.log == []


def test_a_connection_that_is_missing_is_told_before_anything_is_created(aep, perform, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_BUCKET")
    with pytest.raises(AepConfigError, match="Airflow connection 'bucket'"):
        perform(ensure(spec=s3_spec()))
    with pytest.raises(AepConfigError, match="Airflow connection 'bucket'"):
        perform(plan(spec=s3_spec()))
    assert not aep.entities("connections") + aep.entities("sourceConnections")


def test_a_connection_that_is_missing_stops_only_who_needs_it(aep, perform, monkeypatch):
    perform(ensure(spec=s3_spec("made")))
    monkeypatch.delenv("AIRFLOW_CONN_BUCKET")
    with pytest.raises(AepExportsError) as failed:
        perform(ensure(specs=[s3_spec("made"), s3_spec("new"), spec("landing")]))
    assert set(failed.value.errors) == {"new"}
    assert {flow["name"] for flow in aep.entities("flows")} == {"made", "landing"}


def test_failures_of_one_name_in_two_sandboxes_are_told_apart(aep, perform):
    specs = [spec("a", sandbox=one, datasets=[{"name": "Nothing"}]) for one in ("prod", "dev")]
    with pytest.raises(AepExportsError) as failed:
        perform(ensure(specs=specs))
    assert set(failed.value.errors) == {"a in sandbox prod", "a in sandbox dev"}


def test_the_sandbox_of_a_spec_comes_before_the_tasks(aep, perform):
    there = [aep.datasets("dev")[0].id]
    perform(ensure(spec=spec("task's", datasets=there), sandbox="dev"))
    perform(ensure(spec=spec("spec's", sandbox="prod"), sandbox="dev"))
    assert [flow["name"] for flow in aep.entities("flows", sandbox="prod")] == ["spec's"]
    assert [flow["name"] for flow in aep.entities("flows", sandbox="dev")] == ["task's"]


def test_no_secret_comes_to_light(aep, perform, ti, logged):
    operator = ensure(spec=s3_spec())
    told = perform(operator)
    shown = [repr(operator), *(repr(getattr(operator, field)) for field in operator.template_fields)]
    for place in (*shown, json.dumps(told), repr(ti.xcoms), logged()):
        assert SECRET_KEY not in place
        assert aep.client_secret not in place


# ── deleting ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_export_is_deleted_by_its_spec_or_by_its_name(aep, perform, logged):
    for given in ({"spec": spec(owner="crm")}, {"name": "nightly", "export_owner": "crm"}):
        perform(ensure(spec=spec(owner="crm")))
        told = perform(delete(**given))
        assert told["deleted"][0]["kind"] == "dataflow"
        assert [each["kind"] for each in told["kept"]] == ["base connection"]
        assert aep.entities("flows") == []
    assert "Kept base connection" in logged()


def test_the_base_connection_goes_only_when_asked(aep, perform):
    perform(ensure(spec=spec()))
    assert len(perform(delete(name="nightly", with_base=True))["deleted"]) == 4
    assert aep.entities("connections") == []


def test_what_is_gone_already_is_done_already(aep, perform, logged):
    assert perform(delete(name="nightly"))["deleted"] == []
    assert "nothing was deleted" in logged()


def test_only_leftovers_are_deleted_when_asked(aep, perform):
    perform(ensure(spec=spec()))
    perform(ensure(spec=spec(datasets=[LOYALTY]), allow_replace=True))
    told = perform(delete(name="nightly", leftovers_only=True))
    assert [each["kind"] for each in told["deleted"]] == ["source connection"]
    assert len(aep.entities("flows")) == 1


def test_what_belongs_to_another_owner_is_not_deleted(aep, perform):
    perform(ensure(spec=spec(owner="crm")))
    with pytest.raises(AepConflictError):
        perform(delete(name="nightly"))
    assert len(aep.entities("flows")) == 1


@pytest.mark.parametrize("name", ["", "{{ none }}"])
def test_a_name_that_is_empty_is_refused(aep, perform, dag_in, name):
    with dag_in(render_template_as_native_obj=True), pytest.raises(AepValidationError):
        perform(delete(name=name))
    assert aep.log == []


def test_the_owner_of_the_tasks_is_not_the_owner_of_the_export(aep, perform):
    with DAG("exports", schedule=None, default_args={"owner": "data-team"}):
        operator = delete(name="nightly")
    assert (operator.owner, operator.export_owner) == ("data-team", None)


def test_what_was_made_and_is_not_seen_is_not_made_again_by_a_retry(aep, perform):
    aep.enter("descriptions-not-kept")
    operator = AepEnsureExportOperator(task_id="ensure", specs=[spec("a"), spec("b")])
    with pytest.raises(AirflowFailException, match="does not hold the mark") as caught:
        perform(operator)
    assert isinstance(caught.value.__cause__, AepExportsError)
