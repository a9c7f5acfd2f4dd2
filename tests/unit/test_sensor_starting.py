"""A sensor that starts in the triggerer: what it may be given, and when it gives up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, XCom
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.sensors import AepDataflowRunSensor, conclusion
from airflow_provider_aep.sensors.startable import times_of
from tests.unit.task_instance import FakeTaskInstance

FLOW = "9b1b2c4e-0000-4000-8000-000000000000"
only_3_3 = pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="Airflow starts in the triggerer from 3.3 on")


def sensor(**given: Any) -> Any:
    return AepDataflowRunSensor(**{"task_id": "t", "start_in_triggerer": True, "dataflow_id": FLOW, **given})


@only_3_3
def test_what_the_triggerer_gets_is_plain_and_the_class_keeps_nothing():
    made = sensor(
        max_duration=timedelta(hours=1), dataflow_id="{{ params.flow }}", poke_interval=10, timeout=600
    )
    args = made.start_trigger_args
    assert (made.start_from_trigger, args.next_method) == (True, "execute_started")
    assert json.loads(json.dumps(args.trigger_kwargs)) == args.trigger_kwargs
    assert args.trigger_kwargs["dataflow_id"] == "{{ params.flow }}"
    assert args.timeout == timedelta(seconds=600 + 60 + 20)
    assert AepDataflowRunSensor.start_trigger_args is None
    assert not AepDataflowRunSensor.start_from_trigger
    assert not AepDataflowRunSensor(task_id="t", dataflow_id=FLOW, deferrable=True).start_from_trigger


def test_before_airflow_3_3_it_defers_as_usual():
    assert sensor().deferrable
    assert bool(getattr(sensor(), "start_from_trigger", False)) == AIRFLOW_V_3_3_PLUS


@pytest.mark.parametrize("field", ["dataflow_id", "sandbox", "started_after", "tick", "run_ids"])
def test_what_another_task_returns_is_refused_when_the_dag_is_parsed(field):
    with DAG("d", schedule=None):
        before: Any = BaseOperator(task_id="before")
        values = [before.output, "{{ ti.xcom_pull(task_ids='before') }}"]
        values += [[before.output]] if field == "run_ids" else []
        for at, value in enumerate(values):
            with pytest.raises(AepValidationError, match=field):
                sensor(task_id=f"t{at}", **{field: value})


@pytest.mark.parametrize(
    "asks",
    [
        "prev_start_date_success",
        "prev_end_date_success",
        "prev_data_interval_start_success",
        "prev_data_interval_end_success",
        "ti.xcom_pull('other')",
        "ti.get_first_reschedule_date(none)",
        "task_instance . get_previous_dagrun()",
    ],
)
def test_what_the_triggerer_never_answers_is_refused_when_the_dag_is_parsed(asks):
    told = "comes from another task or an earlier DAG run"
    for field in ("started_after", "sandbox"):
        given = {"dataflow_id": "f-1", field: f"{{{{ {asks} }}}}"}
        with pytest.raises(AepValidationError, match=f"{field} {told}"):
            AepDataflowRunSensor(task_id="wait", start_in_triggerer=True, **given)


def test_a_mapped_sensor_is_refused_when_the_dag_is_parsed():
    with DAG("d", schedule=None), pytest.raises(AepValidationError, match="mapped"):
        AepDataflowRunSensor.partial(task_id="t", start_in_triggerer=True).expand(dataflow_id=[FLOW])
    with DAG("d", schedule=None):
        AepDataflowRunSensor.partial(task_id="t", deferrable=True).expand(dataflow_id=[FLOW])


@pytest.mark.parametrize(
    "given", [{"on_failed": "fial"}, {"expected_runs": 0}, {"run_ids": ["a/b"]}, {"tick": "noon"}]
)
def test_what_is_literal_is_checked_when_the_dag_is_parsed(given):
    with pytest.raises(AepValidationError, match=next(iter(given))):
        sensor(**given)


@only_3_3
@pytest.mark.parametrize("given", [{"tick": "{{ params.tick }}"}, {"run_ids": "{{ dag_run.conf['ids'] }}"}])
def test_what_is_a_template_is_checked_in_the_triggerer_and_fails_as_on_a_worker(watch, given):
    (name,) = given
    rendered = {name: "no such thing/"}
    made = sensor(**given)
    assert made.start_trigger_args.trigger_kwargs[name] == given[name]
    ends = []
    for mode in ("poke", "deferrable"):
        ends.append(watch(mode, dataflow_id=FLOW, **rendered))
    trigger_kwargs = {**made.start_trigger_args.trigger_kwargs, **rendered}
    made.start_trigger_args.trigger_kwargs.update(trigger_kwargs)
    assert watch.begin(made, {})["status"] == "again"
    assert len({end.told for end in ends}) == 1


@pytest.mark.parametrize(
    ("timeout", "execution", "waits"),
    [(600.0, float("inf"), 600.0), (600.0, 10_000.0, 600.0), (600.0, 600.0, 520.0), (600.0, 60.0, 30.0)],
)
def test_it_gives_up_before_airflow_ends_the_trigger(timeout, execution, waits):
    times = times_of(timeout, execution, 10.0)
    # So Airflow counts: its own timeout, cut to the execution_timeout.
    ends = min(times.timeout, execution)
    assert ends - times.margin == waits
    assert times.margin > 0


@only_3_3
def test_the_deadline_is_that_of_the_start_also_after_a_restart_of_the_triggerer(watch, clock, nightly):
    made = sensor(
        dataflow_id=nightly("in_progress"), timeout=3600.0, started_after=watch.now(), poke_interval=600
    )
    began = clock()
    told = watch.begin(made, {})
    assert told["deadline"] == pytest.approx(began + 3600, abs=1)
    assert told["status"] == "timeout"
    assert datetime.fromtimestamp(clock(), tz=UTC).timestamp() == pytest.approx(began + 3600, abs=60)


@pytest.mark.parametrize(("attempt", "forgotten"), [(1, []), (2, ["aep_verdict", "return_value"])])
def test_what_an_earlier_try_left_is_taken_away_where_there_was_one(monkeypatch, attempt, forgotten):
    deleted = []
    monkeypatch.setattr(XCom, "delete", lambda *, key, **place: deleted.append(key), raising=False)
    conclusion.forget_earlier_try({"ti": FakeTaskInstance(try_number=attempt)})
    assert deleted == forgotten
