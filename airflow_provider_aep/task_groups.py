"""Task groups: a whole export, or the watch over all, in one line of a DAG."""

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

NOT_ENSURED = "AEP export could not be ensured: {{ exception }}"


class AepExportTaskGroup(TaskGroup):
    """Ensure an export, wait for its runs, and tell somebody when they are not good.

    Of two tasks: ``ensure``, an ``AepEnsureExportOperator``, and ``wait``, an ``AepDataflowRunSensor``. The
    arguments are theirs; those that are not given come from ``default_args``, or keep their defaults.
    Arguments of every task, such as ``retries``, stand in ``default_args``.

    :param spec: one export spec, or its path.
    :param started_after: start of the window in which runs are judged. By default the start of the DAG run's
        data interval, or the moment from which the DAG run could start where it has none.
    :param alert: called when the sensor ends with a verdict, or a task fails. By default an
        ``AepRunNotifier``, which writes to the task's log; ``None`` for nobody.
    :param timeout: for how long the sensor waits, in seconds, as a ``timedelta`` or as an ISO 8601 duration.
    :param others: further arguments of the sensor, such as ``max_drop`` or ``storage_path``, and of the task
        group, such as ``tooltip`` or ``default_args``.
    :raises AepValidationError: an argument is wrong, or none of these.
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
        # Specs take modules that a DAG without them need not load when it is parsed.
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
        told = _told(alert)
        with self:
            self.ensure = AepEnsureExportOperator(task_id="ensure", spec=spec, **ensuring, **told["ensure"])
            ensured: Any = self.ensure.output
            self.wait = AepDataflowRunSensor(
                task_id="wait",
                dataflow_id=ensured["dataflow_id"],
                # The one of the spec comes before ours, and ours before the connection's.
                sandbox=ensured["sandbox"],
                **waiting,
                **of_sensor,
                **told["wait"],
            )

    @property
    def output(self) -> Any:
        """The verdict, for the tasks that follow; what was ensured is ``ensure.output``."""
        return self.wait.output


class AepExportsTaskGroup(TaskGroup):
    """Wait for all exports that were due, alert on each bad one, and fail at the end where one is ``fail``.

    Of two tasks: ``wait``, an ``AepExportsSensor`` that succeeds with its verdicts, so that its asset events
    go out for what is good; and ``require``, an ``AepRequireGoodExportsOperator`` that fails by them.

    :param alert: an ``AepRunNotifier``, told of each export that is not well soon after it ended, and when
        the sensor itself fails. By default one that writes to the task's log; ``None`` for nobody.
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
        told = {"on_failure_callback": notifier} if notifier else {}
        with self:
            self.wait = AepExportsSensor(
                task_id="wait", alert=notifier, **{"fail_on_bad": False, **told, **waiting}
            )
            found: Any = self.wait.output
            self.require = AepRequireGoodExportsOperator(task_id="require", found=found)

    @property
    def output(self) -> Any:
        """What the sensor returned, for the tasks that follow whatever came of it."""
        return self.wait.output


def _given(**arguments: Any) -> dict[str, Any]:
    """Those that are; the others would override ``default_args``."""
    return {name: value for name, value in arguments.items() if value is not None}


def _sorted(group_id: str, others: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of the task group, and those of the sensor.

    :raises AepValidationError: one is of neither.
    """
    known = {*_arguments(AepDataflowRunSensor), *_arguments(BaseSensorOperator), "outlets"}
    of_sensor = {name: value for name, value in others.items() if name in known - {"self", "dataflow_id"}}
    of_group = {name: value for name, value in others.items() if name not in of_sensor}
    rule = "is no argument of the group or its sensor alone; what belongs to all tasks stands in default_args"
    if problems := [Problem(name, rule) for name in sorted(of_group.keys() - _arguments(TaskGroup))]:
        raise AepValidationError(f"the arguments of task group {group_id!r}", problems)
    return of_group, of_sensor


def _arguments(kind: type) -> set[str]:
    return set(inspect.signature(kind.__init__).parameters)  # type: ignore[misc]


def _told(alert: Callable[[Any], object] | bool | None) -> dict[str, dict[str, Any]]:
    """The callbacks of the two tasks."""
    if not alert:
        return {"ensure": {}, "wait": {}}
    # A class would be made with the context, and tell nobody.
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
