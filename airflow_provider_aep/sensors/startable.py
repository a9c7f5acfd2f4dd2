"""Starting a sensor in the triggerer (Airflow 3.3): what is checked when the DAG is parsed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_aep._airflow import XComArg
from airflow_provider_aep.arguments import is_template
from airflow_provider_aep.errors import AepValidationError, Problem

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.policy import RunPolicy

# The arguments that are rendered in the trigger.
RENDERED = (
    "aep_conn_id",
    "sandbox",
    "dataflow_id",
    "started_after",
    "started_before",
    "expected_runs",
    "tick",
    "run_ids",
)
# In a template these send requests that Airflow's triggerer does not answer, so the trigger would hang until
# its timeout (seen on 3.3.2).
_ASKING = re.compile(r"xcom_pull|\bprev_\w+_success\b|\b(?:ti|task_instance)\s*\.\s*get_")
MAPPED = "is not possible for a mapped task: Airflow would start each with the same arguments"


class Times(NamedTuple):
    """When the wait ends, in seconds, as the trigger counts them.

    :param timeout: when Airflow itself ends the trigger.
    :param margin: how long before that the trigger gives up, so that it can report what it saw last.
    """

    timeout: float
    margin: float


def times_of(timeout: float, execution_seconds: float, poke_interval: float) -> Times:
    """The times of a sensor; Airflow limits its own timeout to the execution_timeout."""
    whole = timeout + 60.0 + 2 * poke_interval
    total = min(whole, execution_seconds)
    margin = whole - timeout if total == whole else min(60.0 + 2 * poke_interval, total / 2)
    return Times(timeout=whole, margin=max(total - min(timeout, total - margin), 0.0))


def check_startable(arguments: dict[str, Any]) -> None:
    """Refuse arguments that only a worker can render.

    :raises AepValidationError: one comes from another task, or from an earlier DAG run.
    """
    rule = (
        "comes from another task or an earlier DAG run, which the triggerer cannot ask: leave out "
        "start_in_triggerer, or take the value from params or dag_run.conf"
    )
    problems = [
        Problem(name, rule)
        for name, value in arguments.items()
        if any(True for _ in XComArg.iter_xcom_references(value)) or _ASKING.search(str(value))
    ]
    if problems:
        raise AepValidationError("start_in_triggerer", problems)


def start_in_triggerer_of(sensor: Any, kind: str, policy: RunPolicy) -> None:
    """Let a sensor start in the triggerer, if this Airflow supports it.

    :param kind: which of its arguments say what it waits for.
    :param policy: the run policy of its arguments.
    :raises AepValidationError: an argument comes from another task, or a literal one is invalid.
    """
    from airflow.triggers.base import StartTriggerArgs

    from airflow_provider_aep._airflow import AIRFLOW_V_3_3_PLUS

    rendered = {name: getattr(sensor, name) for name in RENDERED}
    check_startable(rendered)
    if not any(is_template(str(value)) for value in rendered.values()):
        sensor.check_wanted()
    if not AIRFLOW_V_3_3_PLUS:
        return
    times = times_of(sensor.timeout, sensor.execution_seconds, sensor.poke_interval)
    sensor.start_trigger_args = StartTriggerArgs(
        trigger_cls="airflow_provider_aep.sensors.starting.AepDataflowRunStartTrigger",
        trigger_kwargs={
            **rendered,
            "kind": kind,
            "run_policy": policy.to_json(),
            "poll_interval": sensor.poke_interval,
            "margin": times.margin,
            "longest": min(times.timeout, sensor.execution_seconds),
        },
        next_method="execute_started",
        timeout=timedelta(seconds=times.timeout),
    )
    sensor.start_from_trigger = True


def refuse_mapping() -> None:
    """:raises AepValidationError: always."""
    raise AepValidationError("the sensor", [Problem("start_in_triggerer", MAPPED)])
