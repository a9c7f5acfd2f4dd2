"""Operators that change a dataflow, export it now, or keep it quiet for a while."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_aep.errors import AepApiError, AepNotFoundError, AepValidationError
from airflow_provider_aep.operators.dataflows import (
    AepDisableDataflowOperator,
    AepEnableDataflowOperator,
    AepRunExportOperator,
    AepUpdateDataflowOperator,
)
from airflow_provider_aep.operators.links import AepDataflowLink
from airflow_provider_aep.operators.maintenance import maintenance_window
from tests.unit.task_instance import FakeTaskInstance, context_of

try:
    from airflow.sdk import TaskGroup, task_group
except ImportError:  # Airflow 2.11
    from airflow.decorators import task_group
    from airflow.utils.task_group import TaskGroup


@pytest.fixture
def logged(capfd, caplog) -> Callable[[], str]:
    """All that was logged: on Airflow 3 it goes past the standard library."""
    return lambda: "".join([*capfd.readouterr(), caplog.text])


@pytest.fixture
def dataflow_id(aep, make_dataflow) -> str:
    return make_dataflow()


def perform(operator: Any, ti: FakeTaskInstance, **more: Any) -> Any:
    result = operator.execute(context_of(ti, **more))
    assert json.loads(json.dumps(result)) == result
    return result


def state_of(aep) -> str:
    (flow,) = aep.entities("flows")
    return flow["state"]


# Updating


def test_an_update_says_what_was_and_what_is(aep, dataflow_id, logged):
    ti, end = FakeTaskInstance(), datetime.now(tz=UTC).replace(microsecond=0) + timedelta(days=300)
    schedule = {"every": "6h", "end": end.isoformat()}
    operator = AepUpdateDataflowOperator(task_id="update", dataflow_id=dataflow_id, schedule=schedule)
    assert perform(operator, ti) == dataflow_id
    assert dataflow_id in ti.pushed(AepDataflowLink.xcom_key)
    told = logged()
    assert f"Dataflow {dataflow_id} exported every 3h from " in told
    assert ", and now exports every 6h from " in told
    assert f" to {end:%Y-%m-%dT%H:%M:%SZ}" in told
    perform(operator, ti)
    assert f"Dataflow {dataflow_id} has this schedule already" in logged()
    assert len(aep.requests("PATCH")) == 1


def test_an_update_warns_of_what_is_probably_not_meant(aep, dataflow_id, logged):
    operator = AepUpdateDataflowOperator(
        task_id="update", dataflow_id=dataflow_id, schedule={"folder_template": "%DATASETID%"}
    )
    perform(operator, FakeTaskInstance())
    assert "macros that Adobe does not list: DATASETID" in logged()


def test_an_update_to_a_cadence_that_no_document_names_warns_and_is_sent(aep, dataflow_id, logged):
    operator = AepUpdateDataflowOperator(task_id="update", dataflow_id=dataflow_id, schedule="8h")
    perform(operator, FakeTaskInstance())
    assert "the flow spec does not say whether every: 8h is allowed" in logged()
    aep.log.clear()
    perform(operator, FakeTaskInstance())
    assert [each.path for each in aep.log if each.method != "GET" or "flowSpecs" in each.path] == []


def test_an_update_of_no_dataflow_fails(aep):
    operator = AepUpdateDataflowOperator(task_id="update", dataflow_id="none", schedule="6h")
    with pytest.raises(AepNotFoundError):
        perform(operator, FakeTaskInstance())


# Running now


def test_an_export_now_returns_its_run_ids(aep, dataflow_id, logged):
    aep.clock.advance(600)
    ti = FakeTaskInstance()
    operator = AepRunExportOperator(task_id="now", dataflow_id=dataflow_id)
    ids = perform(operator, ti)
    assert ids == [run["id"] for run in aep.entities("runs")]
    assert dataflow_id in ti.pushed(AepDataflowLink.xcom_key)
    assert f"Run {ids[0]} of dataset {aep.datasets()[0].id} has begun" in logged()
    assert perform(operator, ti) == ids
    assert "was under way already: adopted" in logged()


def test_a_young_dataflow_is_waited_for_as_long_as_one_likes(aep, dataflow_id):
    operator = AepRunExportOperator(task_id="now", dataflow_id=dataflow_id, ready_timeout=120)
    with pytest.raises(AepApiError, match="Waited 2 minutes"):
        perform(operator, FakeTaskInstance())
    patient = AepRunExportOperator(task_id="now", dataflow_id=dataflow_id)
    assert len(perform(patient, FakeTaskInstance())) == 1


# The maintenance window: its two operators


def begin(dataflow_id: str, ti: FakeTaskInstance, run: Any = None) -> Any:
    more = {"dag_run": run} if run else {}
    perform(AepDisableDataflowOperator(task_id="begin", dataflow_id=dataflow_id), ti, **more)
    return ti.pushed("switched_off")


def end(dataflow_id: str, only_if: Any) -> str:
    operator = AepEnableDataflowOperator(task_id="end", dataflow_id=dataflow_id, only_if=only_if)
    return perform(operator, FakeTaskInstance(task_id="end"))


@pytest.mark.parametrize("as_rendered", [bool, str], ids=["native", "text"])
def test_what_the_setup_disabled_is_enabled_again(aep, dataflow_id, as_rendered):
    switched_off = begin(dataflow_id, FakeTaskInstance())
    assert (switched_off, state_of(aep)) == (True, "disabled")
    end(dataflow_id, as_rendered(switched_off))
    assert state_of(aep) == "enabled"


@pytest.mark.parametrize("as_rendered", [bool, str], ids=["native", "text"])
def test_what_a_human_had_disabled_stays_disabled(aep, dataflow_id, logged, as_rendered):
    begin(dataflow_id, FakeTaskInstance())
    switched_off = begin(dataflow_id, FakeTaskInstance(run_id="next"))
    assert switched_off is False
    assert end(dataflow_id, as_rendered(switched_off)) == dataflow_id
    assert state_of(aep) == "disabled"
    assert "is left as it is" in logged()


def test_a_setup_that_was_killed_after_its_work_owns_up_to_it_in_the_next_try(aep, dataflow_id, now):
    run = SimpleNamespace(run_after=now, start_date=now)
    begin(dataflow_id, FakeTaskInstance(), run)
    aep.clock.advance(3600)
    assert begin(dataflow_id, FakeTaskInstance(try_number=2), run) is True


@pytest.mark.parametrize("known", ["run_after", "data_interval_end"])
def test_a_later_try_leaves_alone_what_was_disabled_before_its_dag_run(aep, dataflow_id, now, known):
    begin(dataflow_id, FakeTaskInstance())
    run = SimpleNamespace(**{known: now + timedelta(hours=1)}, start_date=now + timedelta(hours=2))
    assert begin(dataflow_id, FakeTaskInstance(try_number=2), run) is False


def test_a_later_try_in_doubt_takes_a_disabled_dataflow_for_its_own_work(aep, dataflow_id, now):
    begin(dataflow_id, FakeTaskInstance())
    assert begin(dataflow_id, FakeTaskInstance(try_number=2)) is True
    clocks_differ = SimpleNamespace(run_after=now + timedelta(minutes=4), start_date=None)
    assert begin(dataflow_id, FakeTaskInstance(try_number=2), clocks_differ) is True


@pytest.mark.parametrize("only_if", [None, "None", "", "yes", 1])
def test_an_answer_that_is_neither_yes_nor_no_fails(aep, dataflow_id, only_if):
    with pytest.raises(AepValidationError, match=r"only_if (must be true or false|is missing)"):
        end(dataflow_id, only_if)


# The maintenance window: how its tasks hang together


class Work(BaseOperator):
    template_fields = ("after",)

    def __init__(self, *, after: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.after = after


def upstream(dag: Any) -> dict[str, set[str]]:
    return {task.task_id: task.upstream_task_ids for task in dag.tasks}


def test_the_tasks_inside_run_between_setup_and_teardown():
    with DAG("d", schedule=None) as dag, maintenance_window("f", task_id="quiet", retries=3) as window:
        Work(task_id="a") >> Work(task_id="b")
        Work(task_id="c")
    assert upstream(dag) == {
        "quiet_begin": set(),
        "a": {"quiet_begin"},
        "b": {"a"},
        "c": {"quiet_begin"},
        "quiet_end": {"quiet_begin", "b", "c"},
        "quiet_done": {"b", "c"},
    }
    assert (dag.get_task("quiet_begin").is_setup, window.task_id) == (True, "quiet_end")
    assert (window.is_teardown, window.on_failure_fail_dagrun, window.retries) == (True, True, 3)
    assert window.trigger_rule == "all_done_setup_success"


def test_neighbours_outside_let_no_task_slip_out_of_the_window():
    with DAG("d", schedule=None) as dag:
        before, after = Work(task_id="before"), Work(task_id="after")
        with maintenance_window("f"):
            a, b = Work(task_id="a", after=before.output), Work(task_id="b", after=before.output)
            a >> after
    found = upstream(dag)
    assert found["a"] == found["b"] == {"before", "maintenance_begin"}
    assert found["maintenance_end"] == {"maintenance_begin", "a", "b"}
    assert found["maintenance_done"] == {"a", "b"}
    assert found["after"] == {"a"}
    assert b.downstream_task_ids == {"maintenance_end", "maintenance_done"}


def test_a_window_in_a_group_around_a_group():
    with DAG("d", schedule=None) as dag, TaskGroup("g"), maintenance_window("f"), TaskGroup("h"):
        Work(task_id="a") >> Work(task_id="b")
    found = upstream(dag)
    assert found["g.h.a"] == {"g.maintenance_begin"}
    assert found["g.maintenance_end"] == {"g.maintenance_begin", "g.h.b"}


def test_a_mapped_group_has_a_window_for_each_dataflow():
    @task_group
    def rebuild(dataflow_id):
        with maintenance_window(dataflow_id):
            Work(task_id="a")

    with DAG("d", schedule=None) as dag:
        rebuild.expand(dataflow_id=["f", "g"])
    found = upstream(dag)
    assert found["rebuild.maintenance_end"] == {"rebuild.maintenance_begin", "rebuild.a"}


def test_windows_may_lie_in_one_another_and_failed_work_still_fails_both():
    with (
        DAG("d", schedule=None) as dag,
        maintenance_window("f", task_id="outer"),
        maintenance_window("g", task_id="inner"),
    ):
        Work(task_id="a")
    found = upstream(dag)
    assert found["inner_begin"] == {"outer_begin"}
    assert found["a"] == {"inner_begin"}
    assert found["outer_end"] == {"outer_begin", "inner_end", "inner_done"}
    assert found["outer_done"] == {"inner_done"}


def test_work_with_a_teardown_of_its_own_still_counts_as_work():
    with DAG("d", schedule=None) as dag, maintenance_window("f"):
        work = Work(task_id="work")
        work >> Work(task_id="clean").as_teardown()
    found = upstream(dag)
    assert found["maintenance_done"] == {"work"}
    assert found["maintenance_end"] == {"maintenance_begin", "clean"}


def test_an_empty_window_is_no_error():
    with DAG("d", schedule=None) as dag, maintenance_window("f"):
        pass
    assert upstream(dag)["maintenance_done"] == {"maintenance_begin"}
