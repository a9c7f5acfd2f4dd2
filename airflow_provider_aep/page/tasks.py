"""The tasks of exports, from Airflow's database."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from airflow_provider_aep.flowservice.exchange import whole
from airflow_provider_aep.operators.xcom_keys import CHECK_KEY, LINK_KEY, VERDICT_KEY

# How many links are searched for the task of an export; older tasks are not found.
MOST_LINKS = 200
MOST_JUDGES = 20
# A DAG that has not linked to an export for this long no longer counts as one of its DAGs.
LINKED_WITHIN = timedelta(days=90)
MOST_LINKS_OF_ALL = 20_000
_DATAFLOW = re.compile(r"/browse/([0-9A-Za-z_.-]+)")


def verdict_of(session: Any, **instance: Any) -> dict[str, Any] | None:
    """The verdict that the last attempt of a task instance pushed; ``None`` if there is none.

    :param instance: ``dag_id``, ``run_id``, ``task_id`` and ``map_index``.
    """
    verdict = _pushed(session, VERDICT_KEY, **instance)
    return verdict if verdict and "status" in verdict else None


def check_of(session: Any, **instance: Any) -> dict[str, Any] | None:
    """The result that a check, or a sensor for many exports, pushed, likewise."""
    check = _pushed(session, CHECK_KEY, **instance)
    return check if check and "exports" in check else None


def _pushed(
    session: Any, key: str, *, dag_id: str, run_id: str, task_id: str, map_index: int
) -> dict[str, Any] | None:
    from airflow.models.xcom import XComModel

    query = XComModel.get_many(
        key=key, dag_ids=dag_id, run_id=run_id, task_ids=task_id, map_indexes=map_index, limit=1
    )
    xcom = session.scalars(query).first()
    return _plain(xcom.value) if xcom else None


def tasks_of(session: Any, dataflow_id: str) -> list[tuple[str, str]]:
    """DAG and task ids of the tasks that linked to a dataflow; those that create it before sensors."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from sqlalchemy import String, and_, cast, select

    same = and_(
        TaskInstance.dag_id == XComModel.dag_id,
        TaskInstance.task_id == XComModel.task_id,
        TaskInstance.run_id == XComModel.run_id,
        TaskInstance.map_index == XComModel.map_index,
    )
    query = (
        select(XComModel.dag_id, XComModel.task_id, TaskInstance.operator)
        .join(TaskInstance, same)
        .where(
            XComModel.key == LINK_KEY,
            cast(XComModel.value, String).contains(f"/{dataflow_id}", autoescape=True),
        )
        .order_by(XComModel.timestamp.desc())
        .limit(MOST_LINKS)
    )
    rows = [(dag_id, task_id, str(operator)) for dag_id, task_id, operator in session.execute(query)]
    makers_first = sorted(rows, key=lambda row: row[2].endswith("Sensor"))
    return list(dict.fromkeys((dag_id, task_id) for dag_id, task_id, _ in makers_first))


def judges_of(session: Any, run_id: str, *, since: datetime) -> list[dict[str, Any]]:
    """The task instances whose verdict or check names a dataflow run, the newest first.

    :param since: when the run started; what was pushed earlier cannot be about it.
    """
    from airflow.models.xcom import XComModel
    from sqlalchemy import String, cast, select

    place = (XComModel.dag_id, XComModel.run_id, XComModel.task_id, XComModel.map_index)
    query = (
        select(*place)
        .where(
            XComModel.key.in_((VERDICT_KEY, CHECK_KEY)),
            XComModel.timestamp >= since,
            cast(XComModel.value, String).contains(run_id, autoescape=True),
        )
        .order_by(XComModel.timestamp.desc())
        .limit(MOST_JUDGES)
    )
    names = ("dag_id", "run_id", "task_id", "map_index")
    return [dict(zip(names, row, strict=True)) for row in session.execute(query)]


def dags_of_exports(session: Any) -> dict[str, set[str]]:
    """The DAGs whose tasks have linked to a dataflow lately, by the id of the dataflow."""
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    query = (
        select(XComModel.dag_id, XComModel.value)
        .where(
            XComModel.key == LINK_KEY,
            XComModel.timestamp >= datetime.now(tz=UTC) - LINKED_WITHIN,
        )
        .order_by(XComModel.timestamp.desc())
        .limit(MOST_LINKS_OF_ALL)
    )
    dags: dict[str, set[str]] = {}
    for dag_id, value in session.execute(query):
        if linked := _DATAFLOW.search(str(value)):
            dags.setdefault(linked[1], set()).add(dag_id)
    return dags


def task_path(dag_id: str, task_id: str) -> str:
    """The page of a task, below Airflow's address."""
    return f"dags/{quote(dag_id, safe='')}/tasks/{quote(task_id, safe='')}"


def instance_path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """The page of a task instance, which opens with its log."""
    dag, run, task = (quote(name, safe="") for name in (dag_id, run_id, task_id))
    return f"dags/{dag}/runs/{run}/tasks/{task}" + (f"/mapped/{map_index}" if map_index >= 0 else "")


def _plain(value: Any) -> dict[str, Any] | None:
    """The value in the database; a reference of a custom XCom backend is not followed."""
    # The column holds JSON, which contains what the task sent, which is JSON again.
    while isinstance(value, str):
        try:
            value = whole(json.loads(value))
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None
