"""The states and XComs of all tasks of a DAG run, for a callback of the DAG or of a deadline.

Such a callback runs in the DAG processor or in the triggerer, without a task of its own. There, Airflow 3
answers the same requests for states and XComs as in a task. On Airflow 2, and in ``dag.test()`` on both, the
database is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow_provider_aep._airflow import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_1_PLUS, conf

PACKAGE = "airflow_provider_aep"
WATCHERS = r"sensors|operators\.monitoring"
# States of a task instance that will not change by themselves.
DONE = {"success", "failed", "skipped", "upstream_failed", "removed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A task instance and its state."""

    task_id: str
    map_index: int
    state: str

    def __str__(self) -> str:
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


# (key, instances of one task) -> the value that each of them pushed under the key
Xcoms = Callable[[str, Sequence[Ended]], dict[Ended, Any]]


def task_instances(dag_id: str, run_id: str, task_ids: Collection[str] = ()) -> tuple[list[Ended], Xcoms]:
    """All task instances of a DAG run, and a function that reads their XComs.

    :param task_ids: of the DAG; empty in the triggerer, which knows no DAG.
    """
    if not _may_ask():
        return _from_database(dag_id, run_id)
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
    instances = _named(states, task_ids)

    def xcoms(key: str, wanted: Sequence[Ended]) -> dict[Ended, Any]:
        from airflow_provider_aep._airflow import XCom

        where = {"key": key, "dag_id": dag_id, "run_id": run_id}
        # One request for all; its response has no map indexes, and the triggerer does not answer it.
        if len(wanted) > 1 and task_ids:
            task_id = wanted[0].task_id
            values = XCom.get_all(task_id=task_id, **where) or []
            if len(values) == len(wanted) == sum(1 for ti in instances if ti.task_id == task_id):
                return dict(zip(sorted(wanted, key=lambda ti: ti.map_index), values, strict=True))
        pushed = {ti: XCom.get_one(task_id=ti.task_id, map_index=ti.map_index, **where) for ti in wanted}
        return {ti: value for ti, value in pushed.items() if value is not None}

    return instances, xcoms


def tasks_of_ours(dag: Any) -> set[str]:
    """The ids of a DAG's tasks whose class is one of this provider, or derives from one."""
    return {task_id for task_id, task in dag.task_dict.items() if is_ours(task)}


def is_ours(task: Any) -> bool:
    """Whether the class of a task is one of this provider, or derives from one."""
    return any(re.match(rf"{PACKAGE}\b", name) for name in _modules(task))


def watches(task: Any) -> bool:
    """Whether a task waits for runs or checks them; other tasks never have a verdict."""
    return any(re.match(rf"{PACKAGE}\.({WATCHERS})\b", name) for name in _modules(task))


def by_task(instances: Iterable[Ended]) -> Mapping[str, list[Ended]]:
    """The instances of each task, by its id."""
    tasks: dict[str, list[Ended]] = {}
    for instance in instances:
        tasks.setdefault(instance.task_id, []).append(instance)
    return tasks


def without_verdict(link: str | None, why: Any) -> dict[str, Any]:
    """What is known of a task's export without a verdict, which its link tells."""
    sandbox = re.search(r"sname:([^/]+)/", link or "")
    dataflow_id = (link or "").rpartition("/")[2] or None
    code = getattr(why, "code", None)
    return {
        "sandbox": sandbox[1] if sandbox else None,
        "dataflow_id": dataflow_id,
        "dataflow_name": dataflow_id,
        "reason": str(why),
        "errors": [{"code": code, "message": getattr(why, "message", "")}] if code else [],
    }


def airflow_url(dag_id: str, run_id: str, task_id: str | None = None, map_index: int = -1) -> str:
    """The page of a DAG run, or of a task in it, in Airflow's UI."""
    if AIRFLOW_V_3_0_PLUS:
        base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
        url = f"{base.rstrip('/')}/dags/{dag_id}/runs/{quote(run_id)}"
        task = f"/tasks/{task_id}" if task_id else ""
        return f"{url}{task}{f'/mapped/{map_index}' if map_index >= 0 else ''}"
    url = f"{conf.get('webserver', 'base_url').rstrip('/')}/dags/{dag_id}/grid?dag_run_id={quote(run_id)}"
    task = f"&task_id={task_id}&tab=logs" if task_id else ""
    return f"{url}{task}{f'&map_index={map_index}' if map_index >= 0 else ''}"


def export_page_url(verdict: Mapping[str, Any]) -> str | None:
    """The page of a verdict's export in Airflow's UI; ``None`` if there is none, as before Airflow 3.1."""
    place = [verdict.get(name) for name in ("conn_id", "sandbox", "dataflow_id")]
    if not AIRFLOW_V_3_1_PLUS or not all(place):
        return None
    base = conf.get("api", "base_url", fallback="") or "http://localhost:8080"
    key = "/".join(quote(str(part), safe="") for part in place)
    return f"{base.rstrip('/')}/plugin/aep-exports?export={key}"


def _may_ask() -> bool:
    """Whether a supervisor of Airflow 3 answers requests of this process."""
    if not AIRFLOW_V_3_0_PLUS:
        return False
    from airflow.sdk.execution_time import task_runner

    return getattr(task_runner, "SUPERVISOR_COMMS", None) is not None


def _from_database(dag_id: str, run_id: str) -> tuple[list[Ended], Xcoms]:
    from airflow.models.dagrun import DagRun

    (run,) = DagRun.find(dag_id=dag_id, run_id=run_id)
    tis = {
        Ended(task_id=ti.task_id, map_index=ti.map_index, state=str(ti.state or "not started")): ti
        for ti in run.get_task_instances()
    }

    def xcoms(key: str, wanted: Sequence[Ended]) -> dict[Ended, Any]:
        pushed = {
            ended: tis[ended].xcom_pull(key=key, task_ids=ended.task_id, map_indexes=ended.map_index)
            for ended in wanted
        }
        return {ended: value for ended, value in pushed.items() if value is not None}

    return list(tis), xcoms


def _named(states: Mapping[str, Any], task_ids: Collection[str]) -> list[Ended]:
    """The instances behind the names in which Airflow reports states.

    It names the fourth instance of ``judge`` ``judge_3``, and a task ``judge_3`` as well.
    """
    instances = []
    for name, state in states.items():
        task_id, _, index = name.rpartition("_")
        if task_ids:
            mapped = name not in task_ids and task_id in task_ids
        else:
            mapped = index.isdecimal() and task_id not in states and f"{task_id}_0" in states
        task_id, map_index = (task_id, int(index)) if mapped else (name, -1)
        instances.append(Ended(task_id=task_id, map_index=map_index, state=str(state or "not started")))
    return instances


def _modules(task: Any) -> Iterator[str]:
    kind = getattr(task, "operator_class", type(task))
    classes = kind.__mro__ if isinstance(kind, type) else ()
    # In dag.test() of Airflow 3 tasks are serialized, and know only the name of their module.
    names = [*(cls.__module__ for cls in classes), getattr(task, "_task_module", None) or ""]
    return iter(names)
