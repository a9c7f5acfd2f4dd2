"""A whole export in one line of a DAG."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, TaskGroup, task_group

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.task_groups import NOT_ENSURED, AepExportTaskGroup

try:
    from airflow.serialization.serialized_objects import DagSerialization as SerializedDAG
except ImportError:  # Airflow 2.11
    from airflow.serialization.serialized_objects import SerializedDAG

SPEC = {
    "name": "nightly",
    "datasets": ["5ef3e3259ad2a1191ab7dd7d"],
    "destination": {"type": "data_landing_zone", "params": {"path": "a", "datasetFileType": "JSON"}},
    "schedule": {"every": "1d", "end": "2099-06-01"},
}


def callbacks(task: Any, end: str) -> list[Any]:
    found = getattr(task, f"on_{end}_callback") or []
    return list(found) if isinstance(found, list | tuple) else [found]


def test_an_export_is_ensured_and_then_waited_for():
    with DAG("exports", schedule=None) as dag:
        export = AepExportTaskGroup("nightly", spec=SPEC)
    assert set(dag.task_ids) == {"nightly.ensure", "nightly.wait"}
    assert export.wait.upstream_task_ids == {"nightly.ensure"}
    assert export.ensure.spec == SPEC
    waited: Any = export.wait
    assert (waited.dataflow_id.operator, waited.dataflow_id.key) == (export.ensure, "dataflow_id")
    assert (waited.sandbox.operator, waited.sandbox.key) == (export.ensure, "sandbox")
    assert waited.started_after is None


def test_its_output_is_the_verdict():
    with DAG("exports", schedule=None):
        export = AepExportTaskGroup("nightly", spec=SPEC)
    assert export.output.operator is export.wait


def test_the_arguments_reach_the_task_that_they_belong_to():
    with DAG("exports", schedule=None):
        export = AepExportTaskGroup(
            "nightly",
            spec=SPEC,
            allow_replace=True,
            rotate_credentials=True,
            rollback_on_failure=True,
            plan={"name": "nightly", "steps": []},
            started_after="{{ ds }}",
            started_before="{{ next_ds }}",
            expected_runs=2,
            on_failed="warn",
            on_partial="fail",
            on_zero_records="fail",
            deferrable=True,
            poke_interval=7,
            timeout=99,
            aep_conn_id="other",
            sandbox="dev",
            tooltip="CRM, every night",
            default_args={"retries": 5},
        )
    for name in ("allow_replace", "rotate_credentials", "rollback_on_failure"):
        assert getattr(export.ensure, name) is True
    assert export.ensure.plan == {"name": "nightly", "steps": []}
    wanted = {
        "started_after": "{{ ds }}",
        "started_before": "{{ next_ds }}",
        "expected_runs": 2,
        "deferrable": True,
        "poke_interval": 7,
        "timeout": 99,
    }
    choices = {"on_failed": "warn", "on_partial": "fail", "on_zero_records": "fail"}
    assert {name: getattr(export.wait.run_policy(), name) for name in choices} == choices
    assert {name: getattr(export.wait, name) for name in wanted} == wanted
    assert export.ensure.sandbox == "dev"
    assert export.tooltip == "CRM, every night"
    for task in (export.ensure, export.wait):
        assert (task.aep_conn_id, task.retries) == ("other", 5)


@pytest.mark.parametrize("of", ["dag", "group"])
def test_arguments_that_are_not_given_come_from_the_default_args(of):
    defaults = {
        "aep_conn_id": "aep_stage",
        "sandbox": "dev",
        "allow_replace": True,
        "rotate_credentials": True,
        "rollback_on_failure": True,
        "expected_runs": 3,
        "on_partial": "fail",
        "started_after": "{{ ds }}",
        "deferrable": True,
    }
    given: dict[str, Any] = {"default_args": defaults}
    with DAG("exports", schedule=None, **(given if of == "dag" else {})):
        export = AepExportTaskGroup("nightly", spec=SPEC, **(given if of == "group" else {}))
        other = AepExportTaskGroup("other", spec=SPEC, aep_conn_id="aep_other", expected_runs=1, **given)
    for name in ("aep_conn_id", "sandbox", "allow_replace", "rotate_credentials", "rollback_on_failure"):
        assert getattr(export.ensure, name) == defaults[name]
    for name in ("aep_conn_id", "expected_runs", "started_after", "deferrable"):
        assert getattr(export.wait, name) == defaults[name]
    assert export.wait.run_policy().on_partial == "fail"
    waited: Any = export.wait
    assert (waited.sandbox.operator, waited.sandbox.key) == (export.ensure, "sandbox")
    assert (other.ensure.aep_conn_id, other.wait.aep_conn_id) == ("aep_other", "aep_other")
    assert other.wait.expected_runs == 1


def test_the_sensors_other_arguments_reach_it_as_well():
    with DAG("exports", schedule=None):
        export = AepExportTaskGroup(
            "nightly",
            spec=SPEC,
            max_drop=0.5,
            on_low_records="fail",
            storage_path="s3://bucket/aep/crm",
            on_missing_files="warn",
            mode="reschedule",
        )
    policy = export.wait.run_policy()
    assert (policy.max_drop, policy.on_low_records) == (0.5, "fail")
    assert (export.wait.storage_path, export.wait.on_missing_files) == ("s3://bucket/aep/crm", "warn")
    assert export.wait.mode == "reschedule"


@pytest.mark.parametrize("name", ["max_drpo", "retries", "dataflow_id", "task_id"])
def test_an_argument_that_belongs_to_neither_task_alone_is_refused_by_its_name(name):
    wrong: dict[str, Any] = {name: 3}
    with (
        DAG("exports", schedule=None),
        pytest.raises(AepValidationError, match=f"group 'nightly'.*{name} is .*default_args"),
    ):
        AepExportTaskGroup("nightly", spec=SPEC, **wrong)


def test_what_is_false_was_given():
    with DAG("exports", schedule=None, default_args={"allow_replace": True, "deferrable": True}):
        export = AepExportTaskGroup("nightly", spec=SPEC, allow_replace=False, deferrable=False)
    assert (export.ensure.allow_replace, export.wait.deferrable) == (False, False)


def test_bad_ends_are_told_by_default():
    with DAG("exports", schedule=None):
        export = AepExportTaskGroup("nightly", spec=SPEC)
    for end in ("failure", "success", "skipped"):
        (told,) = callbacks(export.wait, end)
        assert isinstance(told, AepRunNotifier)
    (told,) = callbacks(export.ensure, "failure")
    assert (told.on, told.messages["error"]) == (("error",), NOT_ENSURED)


def test_somebody_else_or_nobody_may_be_told():
    def tell(context: Any) -> None: ...

    with DAG("exports", schedule=None):
        one = AepExportTaskGroup("one", spec=SPEC, alert=tell)
        none = AepExportTaskGroup("none", spec=SPEC, alert=None)
    assert callbacks(one.wait, "success") == callbacks(one.ensure, "failure") == [tell]
    assert callbacks(none.wait, "failure") == callbacks(none.ensure, "failure") == []


def test_a_mistake_in_the_spec_is_told_when_the_dag_is_parsed():
    with DAG("exports", schedule=None), pytest.raises(AepValidationError, match="schedule"):
        AepExportTaskGroup("nightly", spec={**SPEC, "schedule": "0h"})


def test_it_stands_among_other_tasks_and_inside_other_groups():
    with DAG("exports", schedule=None) as dag:
        before, after = BaseOperator(task_id="before"), BaseOperator(task_id="after")
        with TaskGroup("crm"):
            export = AepExportTaskGroup("nightly", spec=SPEC)
        before >> export >> after
    assert set(dag.task_ids) == {"before", "after", "crm.nightly.ensure", "crm.nightly.wait"}
    assert export.ensure.upstream_task_ids == {"before"}
    assert after.upstream_task_ids == {"crm.nightly.wait"}


def test_it_stands_inside_a_mapped_group():
    with DAG("exports", schedule=None) as dag:

        @task_group
        def one(spec: dict[str, Any]) -> None:
            AepExportTaskGroup("export", spec=spec)

        one.expand(spec=[SPEC, {**SPEC, "name": "hourly"}])
    assert set(dag.task_ids) == {"one.export.ensure", "one.export.wait"}


def test_airflow_keeps_a_dag_that_has_one():
    with DAG("exports", schedule=None) as dag:
        AepExportTaskGroup("nightly", spec=SPEC)
    kept = SerializedDAG.deserialize_dag(SerializedDAG.serialize_dag(dag))
    assert set(kept.task_ids) == {"nightly.ensure", "nightly.wait"}
    assert set(kept.task_group.children) == {"nightly"}
