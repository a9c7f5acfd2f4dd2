"""A window without exports, for tasks that must not run during an export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_aep._airflow import BaseOperator
from airflow_provider_aep.operators.base import Upstream
from airflow_provider_aep.operators.dataflow_state import (
    AepDisableDataflowOperator,
    AepEnableDataflowOperator,
)

__all__ = ["maintenance_window"]


@contextmanager
def maintenance_window(
    dataflow_id: str | Upstream, *, task_id: str = "maintenance", **kwargs: Any
) -> Iterator[AepEnableDataflowOperator]:
    """Disable a dataflow while the tasks that are defined inside run::

        with maintenance_window("{{ params.dataflow_id }}", retries=3):
            rebuild_tables()

    A setup task ``<task_id>_begin`` disables the dataflow; a teardown task ``<task_id>_end`` enables it, even
    if the work failed, but not if it was disabled before. The DAG run fails if the work (represented by
    ``<task_id>_done``) or the teardown fails.

    A run that is under way when the window opens continues; wait for it with a sensor inside, if it matters.

    :param dataflow_id: the dataflow. Templated.
    :param kwargs: arguments of both operators, such as ``aep_conn_id``, ``sandbox`` and ``retries``.
    :return: the teardown task.
    """
    begin = AepDisableDataflowOperator(task_id=f"{task_id}_begin", dataflow_id=dataflow_id, **kwargs)
    disabled: Any = begin.output
    end = AepEnableDataflowOperator(
        task_id=f"{task_id}_end", dataflow_id=dataflow_id, only_if=disabled["switched_off"], **kwargs
    )
    end.as_teardown(setups=begin, on_failure_fail_dagrun=True)
    before = set(begin.dag.task_ids)
    yield end
    inside = {task.task_id: task for task in begin.dag.tasks if task.task_id not in before}
    # Airflow itself would not connect tasks inside that also have neighbours outside: they would begin before
    # the setup, or be cut off by the teardown.
    work = []
    for task in inside.values():
        if not task.upstream_task_ids & inside.keys():
            begin.set_downstream(task)
        following = [inside[name] for name in task.downstream_task_ids & inside.keys()]
        if not following:
            end.set_upstream(task)
        if not task.is_teardown and all(other.is_teardown for other in following):
            work.append(task)
    # A teardown that can fail a DAG run decides for everything before it: without this extra leaf, failed
    # work before a good teardown would make a good DAG run.
    done = _WorkDone(task_id=f"{task_id}_done")
    done.set_upstream(work or [begin])


class _WorkDone(BaseOperator):
    """A leaf of the DAG run that represents the work of a window."""

    def execute(self, context: Any) -> None:
        self.log.info("The work of this window is done")
