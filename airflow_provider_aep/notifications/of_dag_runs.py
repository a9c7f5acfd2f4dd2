"""What became of the tasks of a DAG run, as alerts: when it ends, and at a deadline."""

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
    """What the tasks of a DAG run ended with."""
    dag, run_id = context["dag"], context["run_id"]
    try:
        instances, xcoms = task_instances(dag.dag_id, run_id, dag.task_dict.keys())
        return list(_of_tasks(notifier, context, by_task(instances), xcoms))
    except Exception as error:
        # Of what we cannot read, somebody must hear all the more.
        run = f"DAG run {run_id} of {dag.dag_id}"
        why = f"what the tasks of {run} ended with cannot be read: {without_words(error)}"
        return list(notifier.general(context, "error", {}, why))


def alerts_of_deadline(notifier: Any, context: Any, *, may_ask: bool) -> list[Alert]:
    """Which tasks of a DAG run are not done at a deadline.

    :param may_ask: whether Airflow answers here what the tasks have come to.
    """
    run, until = context["dag_run"], (context["deadline"] or {}).get("deadline_time")
    dag_id, run_id = run["dag_id"], run["dag_run_id"]
    alerts = []
    why = f"DAG run {run_id} of {dag_id} was not done by {until}"
    try:
        instances, xcoms = task_instances(dag_id, run_id) if may_ask else _no_instances()
        left = [one for one in instances if one.state not in DONE]
        links: dict[Ended, Any] = {}
        for siblings in by_task(left).values():
            links.update(xcoms(LINK_KEY, siblings))
        for one, link in links.items():
            found = without_verdict(link, f"task {one} was still {one.state} at the deadline, {until}")
            where = airflow_url(dag_id, run_id, one.task_id, one.map_index)
            alerts.append(notifier.alert(context, "late", found, link, where, str(one)))
        if left and not links:
            why = f"{why}: {len(left)} of {len(instances)} tasks were not"
        if not may_ask:
            why = f"{why}; how far its tasks are, a synchronous callback cannot ask"
    except Exception as error:
        why = f"{why}; how far its tasks are cannot be read: {without_words(error)}"
    return alerts or list(notifier.general(context, "late", {"dataflow_name": f"of {dag_id}"}, why))


def _of_tasks(notifier: Any, context: Any, tasks: Mapping[str, list[Ended]], xcoms: Any) -> Iterator[Alert]:
    dag, run_id, stopped = context["dag"], context["run_id"], context["reason"] == "timed_out"
    bad = {"failed", "skipped"} if stopped else {"failed"}
    for task_id in sorted(tasks_of_ours(dag) & tasks.keys()):
        instances = tasks[task_id]
        verdicts = xcoms(VERDICT_KEY, instances)
        checks = xcoms(CHECK_KEY, [one for one in instances if one not in verdicts and one.map_index < 0])
        mute = [
            one
            for one in instances
            if one.state in bad
            and (one not in checks or checks[one].get("waits_for"))
            and (one not in verdicts or notifier.status_of(verdicts[one]) in GOOD)
            and "error" in notifier.on
        ]
        told = [
            one for one in verdicts if one not in mute and notifier.status_of(verdicts[one]) in notifier.on
        ]
        links = xcoms(LINK_KEY, [*told, *mute])
        for one in checks:
            where = airflow_url(dag.dag_id, run_id, one.task_id, one.map_index)
            yield from alerts_of(notifier, context, checks[one], where, str(one))
        for one in (*told, *mute):
            where = airflow_url(dag.dag_id, run_id, one.task_id, one.map_index)
            status, found = "error", verdicts.get(one)
            if found and one not in mute:
                status = notifier.status_of(found)
            else:
                how = "was stopped when the DAG run timed out" if stopped else "failed; its log says why"
                found = {**without_verdict(links.get(one), f"task {one} {how}"), "task": str(one)}
            watching = watches(dag.task_dict[one.task_id])
            with lent(context, exception=found.get("reason")):
                yield notifier.alert(
                    context, status, found, links.get(one), where, str(one), watching=watching
                )


def _no_instances() -> tuple[list[Ended], Callable[..., dict[Ended, Any]]]:
    return [], lambda key, wanted: {}
