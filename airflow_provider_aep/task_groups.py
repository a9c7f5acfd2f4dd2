"""Task groups: one export, or the watch over all exports, in one line of a DAG."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_aep._airflow import BaseSensorOperator, TaskGroup
from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.operators.base import Moment, Upstream
from airflow_provider_aep.operators.verdicts import AepRequireGoodExportsOperator
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepExportsSensor

if TYPE_CHECKING:
    from airflow_provider_aep.operators.exports import AepEnsureExportOperator, Spec

__all__ = ["AepExportTaskGroup", "AepExportsTaskGroup"]

NOT_ENSURED = "AEP export could not be ensured: {{ exception }}"


class AepExportTaskGroup(TaskGroup):
    """Ensure an export, wait for its runs, and alert if they are not good.

    It has two tasks: ``ensure``, an ``AepEnsureExportOperator``, and ``wait``, an ``AepDataflowRunSensor``.
    The arguments are theirs; those that are not given come from ``default_args``, or keep their defaults. Put
    arguments of every task, such as ``retries``, into ``default_args``.

    :param spec: one export spec, or its path.
    :param started_after: start of the window in which runs are judged. By default the start of the DAG run's
        data interval, or if it has none, the time from which the DAG run could start.
    :param alert: called when the sensor ends with a verdict, or a task fails. By default an
        ``AepRunNotifier``, which writes to the task's log; ``None`` for nobody.
    :param timeout: how long the sensor waits: seconds, a ``timedelta``, or an ISO 8601 duration.
    :param others: further arguments of the sensor, such as ``max_drop`` or ``storage_path``, and of the task
        group, such as ``tooltip`` or ``default_args``.
    :raises AepValidationError: an argument is wrong or unknown.
    """

    ensure: AepEnsureExportOperator
    wait: AepDataflowRunSensor

    def __init__(
        self,
        group_id: str,
        *,
        spec: Spec | Upstream,
        allow_replace: bool | None = None,
        rotate_credentials: bool | None = None,
        rollback_on_failure: bool | None = None,
        plan: Mapping[str, Any] | Upstream | None = None,
        started_after: Moment | Upstream = None,
        started_before: Moment | Upstream = None,
        expected_runs: int | Upstream | None = None,
        run_policy: Mapping[str, Any] | None = None,
        alert: Callable[[Any], object] | bool | None = True,
        deferrable: bool | None = None,
        poke_interval: float | timedelta | str | None = None,
        timeout: float | timedelta | str | None = None,
        aep_conn_id: str | None = None,
        sandbox: str | None = None,
        **others: Any,
    ) -> None:
        # Imported here, so that parsing a DAG without specs does not load their modules.
        from airflow_provider_aep.operators.exports import AepEnsureExportOperator

        of_group, of_sensor = _sorted(group_id, others)
        super().__init__(group_id, **of_group)
        ensuring = _given(
            allow_replace=allow_replace,
            rotate_credentials=rotate_credentials,
            rollback_on_failure=rollback_on_failure,
            plan=plan,
            aep_conn_id=aep_conn_id,
            sandbox=sandbox,
        )
        waiting = _given(
            started_after=started_after,
            started_before=started_before,
            expected_runs=expected_runs,
            run_policy=run_policy,
            deferrable=deferrable,
            poke_interval=poke_interval,
            timeout=timeout,
            aep_conn_id=aep_conn_id,
        )
        callbacks = _callbacks(alert)
        with self:
            self.ensure = AepEnsureExportOperator(
                task_id="ensure", spec=spec, **ensuring, **callbacks["ensure"]
            )
            ensured: Any = self.ensure.output
            self.wait = AepDataflowRunSensor(
                task_id="wait",
                dataflow_id=ensured["dataflow_id"],
                # The spec's sandbox comes before ours, and ours before the connection's.
                sandbox=ensured["sandbox"],
                **waiting,
                **of_sensor,
                **callbacks["wait"],
            )

    @property
    def output(self) -> Any:
        """The verdict, for downstream tasks; the outcome of ensuring is ``ensure.output``."""
        return self.wait.output


class AepExportsTaskGroup(TaskGroup):
    """Wait for all exports that were due, alert on each bad one, and fail at the end if one is ``fail``.

    It has two tasks: ``wait``, an ``AepExportsSensor`` that succeeds with its verdicts, and so sends asset
    events for the good exports; and ``require``, an ``AepRequireGoodExportsOperator`` that fails by them.

    :param alert: an ``AepRunNotifier``, called for each bad export soon after it ended, and when the sensor
        itself fails. By default one that writes to the task's log; ``None`` for nobody.
    :param group: further arguments of the task group, such as ``tooltip`` or ``default_args``.
    :param waiting: the arguments of the sensor.
    """

    wait: AepExportsSensor
    require: AepRequireGoodExportsOperator

    def __init__(
        self,
        group_id: str,
        *,
        alert: AepRunNotifier | bool | None = True,
        group: Mapping[str, Any] | None = None,
        **waiting: Any,
    ) -> None:
        super().__init__(group_id, **(group or {}))
        notifier = AepRunNotifier() if alert is True else alert or None
        callbacks = {"on_failure_callback": notifier} if notifier else {}
        with self:
            self.wait = AepExportsSensor(
                task_id="wait", alert=notifier, **{"fail_on_bad": False, **callbacks, **waiting}
            )
            verdicts: Any = self.wait.output
            self.require = AepRequireGoodExportsOperator(task_id="require", found=verdicts)

    @property
    def output(self) -> Any:
        """What the sensor returned, for downstream tasks that run whether or not the exports are good."""
        return self.wait.output


def _given(**arguments: Any) -> dict[str, Any]:
    """The arguments that are given; ``None`` would override ``default_args``."""
    return {name: value for name, value in arguments.items() if value is not None}


def _sorted(group_id: str, others: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of the task group, and those of the sensor.

    :raises AepValidationError: an argument belongs to neither.
    """
    known = {*_arguments(AepDataflowRunSensor), *_arguments(BaseSensorOperator), "outlets"}
    of_sensor = {name: value for name, value in others.items() if name in known - {"self", "dataflow_id"}}
    of_group = {name: value for name, value in others.items() if name not in of_sensor}
    rule = "is not an argument of only the group or its sensor; put arguments of all tasks into default_args"
    if problems := [Problem(name, rule) for name in sorted(of_group.keys() - _arguments(TaskGroup))]:
        raise AepValidationError(f"the arguments of task group {group_id!r}", problems)
    return of_group, of_sensor


def _arguments(kind: type) -> set[str]:
    return set(inspect.signature(kind.__init__).parameters)  # type: ignore[misc]


def _callbacks(alert: Callable[[Any], object] | bool | None) -> dict[str, dict[str, Any]]:
    """The callbacks of the two tasks."""
    if not alert:
        return {"ensure": {}, "wait": {}}
    # Airflow would instantiate a class with the context, and nobody would be alerted.
    if alert is not True and (isinstance(alert, type) or not callable(alert)):
        raise AepConfigError(
            "alert must be a function such as AepRunNotifier(), True for the task's log, or None for nobody"
        )
    about_ensuring = about_runs = alert
    if alert is True:
        about_runs = AepRunNotifier()
        about_ensuring = AepRunNotifier(on=["error"], messages={"error": NOT_ENSURED})
    return {
        "ensure": {"on_failure_callback": about_ensuring},
        "wait": {f"on_{end}_callback": about_runs for end in ("failure", "success", "skipped")},
    }
