"""Alerts about dataflow runs, as a callback of any task that ends in a verdict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.links import AepDataflowLink
from airflow_provider_aep.sensors import VERDICT_KEY

# status of the verdict -> what to say. "error" is a task that failed without a verdict.
MESSAGES: Mapping[str, str] = {
    "failed": "AEP export {{ verdict.dataflow_name }} failed: {{ verdict.reason }}",
    "unknown": "AEP export {{ verdict.dataflow_name }} ended in an unknown way: {{ verdict.reason }}",
    "partial": "AEP export {{ verdict.dataflow_name }} is incomplete: {{ verdict.reason }}",
    "zero_records": "AEP export {{ verdict.dataflow_name }} is empty: {{ verdict.reason }}",
    "low_records": "AEP export {{ verdict.dataflow_name }} is smaller than usual: {{ verdict.reason }}",
    "slow": "AEP export {{ verdict.dataflow_name }} was slow: {{ verdict.reason }}",
    "success": "AEP export {{ verdict.dataflow_name }} is fine: {{ verdict.reason }}",
    "error": "AEP export could not be watched: {{ exception }}",
}
USUAL = ("failed", "unknown", "partial", "zero_records", "low_records", "slow", "error")


class AepRunNotifier(BaseNotifier):
    """Tell somebody what became of the runs that a task waited for.

    Use it as ``on_failure_callback``, ``on_success_callback`` and ``on_skipped_callback`` of an
    ``AepDataflowRunSensor``: a verdict that is not in ``on`` stays silent.

    :param on: the statuses of a verdict to tell: ``failed``, ``unknown``, ``partial``, ``zero_records``,
        ``low_records``, ``slow``, ``success``; and ``error`` for a task that failed without a verdict
        (timeout, credential refused).
    :param messages: status -> your own text, in place of the usual one. Jinja, with the task's context and
        ``verdict``, a dict as the sensor returns it.
    :param send: called with the text and a dict (``status``, ``verdict``, ``link``, ``dag_id``, ``run_id``,
        ``task_id``, ``map_index``); by default the text goes to the task's log.
    :raises AepConfigError: ``on`` or ``messages`` names a status that no verdict has.
    """

    def __init__(
        self,
        *,
        on: Collection[str] = USUAL,
        messages: Mapping[str, str] | None = None,
        send: Callable[[str, Mapping[str, Any]], object] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if unknown := sorted({*on, *(messages or ())} - set(MESSAGES)):
            # Found out when the DAG is parsed, and not by an alert that never comes.
            raise AepConfigError(f"on and messages know {', '.join(MESSAGES)}, not {', '.join(unknown)}")
        self.on = tuple(on)
        self.messages = {**MESSAGES, **(messages or {})}
        self.send = send

    def notify(self, context: Any) -> None:
        """Tell what became of the task in ``context``, if it is among what we tell."""
        ti = context["ti"]
        verdict = _own_xcom(ti, VERDICT_KEY) or {}
        status = str(verdict.get("status") or "error")
        if status not in self.on or (status == "error" and not context.get("exception")):
            return
        # Into the context itself: a copy would evaluate all that Airflow 2 keeps lazy in there.
        context["verdict"] = verdict
        environment = self.get_template_env(dag=context.get("dag"))
        text = self.render_template(self.messages[status], context, environment)
        about = {
            "status": status,
            "verdict": verdict,
            "link": _own_xcom(ti, AepDataflowLink.xcom_key),
            "dag_id": ti.dag_id,
            "run_id": ti.run_id,
            "task_id": ti.task_id,
            "map_index": ti.map_index,
        }
        if self.send is not None:
            self.send(text, about)
        else:
            log = self.log.info if status == "success" else self.log.error
            log("%s | %s", text, about["link"] or "no link")


def _own_xcom(ti: Any, key: str) -> Any:
    """What this very task instance pushed; ``map_index`` keeps its mapped siblings out."""
    return ti.xcom_pull(key=key, task_ids=ti.task_id, map_indexes=ti.map_index)
