"""Alerts about the tasks of a DAG run: when it ends, and at a deadline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_provider_aep.errors import without_words
from airflow_provider_aep.monitoring.alerts import Alert
from airflow_provider_aep.notifications.gathering import (
    DONE,
    Ended,
    airflow_url,
    by_task,
    task_instances,
    tasks_of_ours,
    watches,
    without_verdict,
)
from airflow_provider_aep.notifications.of_checks import alerts_of
from airflow_provider_aep.notifications.words import GOOD, lent
from airflow_provider_aep.operators.xcom_keys import CHECK_KEY, LINK_KEY, VERDICT_KEY


def alerts_of_dag_run(notifier: Any, context: Any) -> list[Alert]:
    """Alerts about the tasks of a DAG run that has ended."""
    dag, run_id = context["dag"], context["run_id"]
    try:
        instances, xcoms = task_instances(dag.dag_id, run_id, dag.task_dict.keys())
        return list(_of_tasks(notifier, context, by_task(instances), xcoms))
    except Exception as error:
        # Results that cannot be read need an alert all the more.
        run = f"DAG run {run_id} of {dag.dag_id}"
        why = f"the results of the tasks of {run} cannot be read: {without_words(error)}"
        return list(notifier.general(context, "error", {}, why))


def alerts_of_deadline(notifier: Any, context: Any, *, may_ask: bool) -> list[Alert]:
    """Alerts about the tasks of a DAG run that are not done at a deadline.

    :param may_ask: whether Airflow answers requests for the states of tasks here.
    """
    run, until = context["dag_run"], (context["deadline"] or {}).get("deadline_time")
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    alerts = []
    why = f"DAG run {run_id} of {dag_id} was not done by {until}"
    try:
        instances, xcoms = task_instances(dag_id, run_id) if may_ask else _no_instances()
        left = [ti for ti in instances if ti.state not in DONE]
        links: dict[Ended, Any] = {}
        for siblings in by_task(left).values():
            links.update(xcoms(LINK_KEY, siblings))
        for ti, link in links.items():
            values = without_verdict(link, f"task {ti} was still {ti.state} at the deadline, {until}")
            where = airflow_url(dag_id, run_id, ti.task_id, ti.map_index)
            alerts.append(notifier.alert(context, "late", values, link, where, str(ti)))
        if left and not links:
            why = f"{why}: {len(left)} of {len(instances)} tasks were not"
        if not may_ask:
            why = f"{why}; a synchronous callback cannot request the states of its tasks"
    except Exception as error:
        why = f"{why}; the states of its tasks cannot be read: {without_words(error)}"
    return alerts or list(notifier.general(context, "late", {"dataflow_name": f"of {dag_id}"}, why))


def _of_tasks(notifier: Any, context: Any, tasks: Mapping[str, list[Ended]], xcoms: Any) -> Iterator[Alert]:
    dag, run_id, stopped = context["dag"], context["run_id"], context["reason"] == "timed_out"
    bad = {"failed", "skipped"} if stopped else {"failed"}
    for task_id in sorted(tasks_of_ours(dag) & tasks.keys()):
        instances = tasks[task_id]
        verdicts = xcoms(VERDICT_KEY, instances)
        checks = xcoms(CHECK_KEY, [ti for ti in instances if ti not in verdicts and ti.map_index < 0])
        mute = [
            ti
            for ti in instances
            if ti.state in bad
            and (ti not in checks or checks[ti].get("waits_for"))
            and (ti not in verdicts or notifier.status_of(verdicts[ti]) in GOOD)
            and "error" in notifier.on
        ]
        reported = [
            ti for ti in verdicts if ti not in mute and notifier.status_of(verdicts[ti]) in notifier.on
        ]
        links = xcoms(LINK_KEY, [*reported, *mute])
        for ti in checks:
            where = airflow_url(dag.dag_id, run_id, ti.task_id, ti.map_index)
            yield from alerts_of(notifier, context, checks[ti], where, str(ti))
        for ti in (*reported, *mute):
            where = airflow_url(dag.dag_id, run_id, ti.task_id, ti.map_index)
            status, values = "error", verdicts.get(ti)
            if values and ti not in mute:
                status = notifier.status_of(values)
            else:
                how = "was stopped when the DAG run timed out" if stopped else "failed; its log says why"
                values = {**without_verdict(links.get(ti), f"task {ti} {how}"), "task": str(ti)}
            watching = watches(dag.task_dict[ti.task_id])
            with lent(context, exception=values.get("reason")):
                yield notifier.alert(
                    context, status, values, links.get(ti), where, str(ti), watching=watching
                )


def _no_instances() -> tuple[list[Ended], Callable[..., dict[Ended, Any]]]:
    return [], lambda key, wanted: {}
