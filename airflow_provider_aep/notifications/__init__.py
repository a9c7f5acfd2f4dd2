"""Alerts about dataflow runs, as a callback of a task, of a DAG, or of a deadline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from airflow_provider_aep._airflow import BaseNotifier
from airflow_provider_aep.errors import AepConfigError, without_words
from airflow_provider_aep.monitoring.alert_messages import Message, digest
from airflow_provider_aep.monitoring.alerts import Alert
from airflow_provider_aep.monitoring.incidents import heard
from airflow_provider_aep.notifications.channels import LogChannel, parse_channels
from airflow_provider_aep.notifications.delivery import Outcome, deliver, log_undelivered
from airflow_provider_aep.notifications.gathering import (
    airflow_url,
    export_page_url,
    is_ours,
    watches,
    without_verdict,
)
from airflow_provider_aep.notifications.of_checks import alerts_of
from airflow_provider_aep.notifications.of_dag_runs import alerts_of_dag_run, alerts_of_deadline
from airflow_provider_aep.notifications.words import (
    GOOD,
    MESSAGES,
    USUAL,
    check_messages,
    check_statuses,
    lent,
    text_of,
)
from airflow_provider_aep.operators.xcom_keys import CHECK_KEY, LINK_KEY, VERDICT_KEY

__all__ = ["AepRunNotifier"]

# A callback of a task in one of these states, without a verdict or an exception, has nothing to report.
_WELL = {"success", "skipped", "running", "deferred"}


class AepRunNotifier(BaseNotifier):
    """Send alerts about the runs that tasks waited for.

    As ``on_failure_callback``, ``on_success_callback`` and ``on_skipped_callback`` of an
    ``AepDataflowRunSensor`` it reports on that task. As ``on_failure_callback`` and ``on_success_callback``
    of a DAG it reports on all tasks of the DAG run, in one message for each sandbox. As the callback of a
    deadline alert (Airflow 3) it reports the tasks that are not done. Statuses that are not in ``on`` are
    not reported.

    :param on: the statuses to report: those of a verdict, such as ``failed``, ``stuck`` or ``zero_records``;
        ``recovered`` for the first good run of an export after a reported one; ``success``, which includes
        every other verdict that the run policy finds ok; ``error`` for a task that
        failed without a verdict (timeout, credential refused); ``late`` for a deadline; for a check also
        ``gaps`` (missing, late and doubled runs), ``warning`` (a dataflow that is disabled, ends, or cannot
        be read), ``allowance`` (it is used up, nearly, or will be) and ``nothing`` (it selected no dataflow).
    :param messages: status -> your own text, which replaces the usual one. Jinja, with the task's context and
        ``verdict``, a dict as the sensor returns it.
    :param channels: where alerts go: ``"log"``, the default, or dicts with ``type`` (``email``, ``slack``,
        ``teams``, ``webhook``) and the fields of that channel. Plain JSON, as a deadline alert needs it.
    :param send: called with the text and a dict; for one task ``status``, ``verdict``, ``link``, ``dag_id``,
        ``run_id``, ``task_id`` and ``map_index``, for several exports ``title``, ``sandbox``, ``counts``,
        ``alerts`` and more. Without ``channels`` it replaces the log.
    :raises AepConfigError: ``on`` or ``messages`` names a status that no verdict has, ``on`` is empty, a
        message is not a Jinja template, or the provider that a channel needs is not installed.
    :raises AepValidationError: a channel is malformed or given twice, or there is none.
    """

    def __init__(
        self,
        *,
        on: Collection[str] = USUAL,
        messages: Mapping[str, str] | None = None,
        channels: Sequence[str | Mapping[str, Any]] | None = None,
        send: Callable[[str, Mapping[str, Any]], object] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Reject mistakes when the DAG is parsed; otherwise the only sign would be an alert that never comes.
        self.on = check_statuses(on)
        check_messages(messages or {})
        if send is not None and not callable(send):
            raise AepConfigError("send must be a function, which is called with the text and a dict")
        self.messages = dict(messages or {})
        self.channels = (
            () if send and not channels else parse_channels(["log"] if channels is None else channels)
        )
        self.send = send

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Do nothing unless a subclass has template fields; the messages are rendered when they are sent."""
        # A DAG's callback has no environment in Airflow 3.3's dag.test(), and a deadline has no DAG.
        if self.template_fields:
            super().render_template_fields(context, jinja_env)

    async def async_notify(self, context: Any) -> None:
        """The same in the triggerer, without blocking its event loop."""
        from asgiref.sync import sync_to_async

        # Not thread-sensitive: in the shared thread, all triggers would wait for the channels.
        await sync_to_async(self._notify, thread_sensitive=False)(context, may_ask=True)

    def notify(self, context: Any) -> None:
        """Report on the task, or on all tasks of the DAG run, that ``context`` is about.

        Never raises: an alert that cannot be sent is in the log.
        """
        # Only a synchronous callback of a deadline has one here. Its supervisor answers requests for
        # connections only; it never answers any other, and the callback would hang.
        self._notify(context, may_ask="deadline" not in context)

    def tell(self, context: Any, check: Mapping[str, Any]) -> None:
        """Report what a task has found so far, while it goes on. Never raises.

        :param check: in the shape of what ``AepCheckExportsOperator`` returns.
        """
        try:
            ti = context["ti"]
            place = {"dag_id": ti.dag_id, "run_id": ti.run_id}
            where = airflow_url(**place, task_id=ti.task_id, map_index=ti.map_index)
            alerts = list(alerts_of(self, context, check, where, ti.task_id))
            self._deliver_all(alerts, airflow_url=where, **place)
        except Exception as error:
            self._send_minimal_alert(context, error)

    def _notify(self, context: Any, *, may_ask: bool) -> None:
        try:
            if "deadline" in context:
                self._report_deadline(context, may_ask=may_ask)
            elif "reason" in context:
                self._report_dag_run(context)
            else:
                self._report_task(context)
        except Exception as error:
            self._send_minimal_alert(context, error)

    def _report_task(self, context: Any) -> None:
        ti = context["ti"]
        place = {"dag_id": ti.dag_id, "run_id": ti.run_id}
        about = {**place, "task_id": ti.task_id, "map_index": ti.map_index}
        task, exception = context.get("task"), context.get("exception")
        verdict = check = link = None
        unread = ""
        try:
            verdict = _own_xcom(ti, VERDICT_KEY)
            check = None if verdict else _own_xcom(ti, CHECK_KEY)
            link = _own_xcom(ti, LINK_KEY)
        except Exception as error:
            unread = f"; its result cannot be read: {without_words(error)}"
        where = airflow_url(**about)
        if isinstance(check, Mapping):
            alerts = alerts_of(self, context, check, where, ti.task_id, again=False)
            self._deliver_all(alerts, airflow_url=where, **place)
            if not check.get("waits_for"):
                return
        if not verdict and task is not None and not is_ours(task):
            # default_args, for instance, give the notifier to every task of a DAG.
            self.log.info("Task %s is not one of this provider: it is not reported", ti.task_id)
            return
        watching = task is None or watches(task)
        status = self.status_of(verdict) if verdict else "error"
        if exception and status in GOOD:
            status, verdict = "error", None  # it failed after its verdict
        if not verdict:
            state = _state(ti)
            if not exception and state in _WELL and not (unread and watching):
                return
            named = ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"
            if exception:
                why = f"{exception}{unread}" if unread else exception
            elif state in _WELL:
                why = f"task {named} ended as {state}{unread}"
            else:
                # Airflow passes no error if it noticed the failure itself, in the DAG processor.
                why = f"task {named} failed without a verdict; its worker may have been lost{unread}"
            values = {**without_verdict(link, why), "task": named}
        else:
            values = verdict
        if status not in self.on:
            return
        with lent(context, exception=why) if not verdict else nullcontext():
            alert = self.alert(context, status, values, link, where, ti.task_id, watching=watching)
        details = {"status": status, "verdict": verdict or {}, "link": link, **about}
        message = Message(sandbox=alert.sandbox, alerts=(alert,), **place)
        self._deliver([(message, details)])

    def _report_dag_run(self, context: Any) -> None:
        dag_id, run_id = context["dag"].dag_id, context["run_id"]
        alerts = alerts_of_dag_run(self, context)
        self._deliver_all(alerts, dag_id=dag_id, run_id=run_id, airflow_url=airflow_url(dag_id, run_id))

    def _report_deadline(self, context: Any, *, may_ask: bool) -> None:
        if "late" not in self.on:
            return
        run = context["dag_run"]
        place = {"dag_id": run["dag_id"], "run_id": run["dag_run_id"]}
        alerts = alerts_of_deadline(self, context, may_ask=may_ask)
        self._deliver_all(alerts, airflow_url=airflow_url(**place), **place)

    def _send_minimal_alert(self, context: Any, error: Exception) -> None:
        """Send an alert even if the context has an unknown shape, so that the failure is noticed."""
        why = without_words(error)
        self.log.error("A minimal alert is sent instead of the usual one: %s", why)
        if not set(self.on) - GOOD:
            return
        try:
            of = " ".join(str(context[name]) for name in ("run_id", "dag") if context.get(name))
        except Exception:
            of = ""
        text = f"An alert about AEP exports could not be put together: {why}{f' ({of})' if of else ''}"
        alert = Alert.from_verdict({"reason": why}, status="error", text=text)
        try:
            self._deliver_all([alert])
        except Exception as failure:
            self.log.error("An alert could not go out: %s: %s", without_words(failure), text)

    def general(self, context: Any, status: str, values: Mapping[str, Any], why: str) -> Iterator[Alert]:
        """An alert about no export in particular."""
        if status in self.on:
            with lent(context, exception=why):
                yield self.alert(context, status, {**values, "reason": why}, None, None, None)

    def status_of(self, verdict: Mapping[str, Any]) -> str:
        """The status under which a verdict is reported; one that the policy finds ok is not bad news."""
        if verdict.get("outcome") == "ok":
            return "recovered" if heard(verdict.get("recovered"), self.on) else "success"
        status = str(verdict.get("status") or "error")
        return status if status in MESSAGES else "unknown"

    def alert(
        self,
        context: Any,
        status: str,
        verdict: Mapping[str, Any],
        link: str | None,
        task_url: str | None,
        task: str | None,
        *,
        watching: bool = True,
    ) -> Alert:
        """An alert in the words of this notifier."""
        text = text_of(self, status, verdict, context, watches=watching)
        if status == "recovered":
            # An incident that was not reported is not reported as over either.
            verdict = {**verdict, "recovered": heard(verdict.get("recovered"), self.on)}
        urls = {"dataflow_url": link, "task_url": task_url, "page_url": export_page_url(verdict)}
        return Alert.from_verdict(verdict, status=status, text=text, task=task, **urls)

    def _deliver_all(self, alerts: Iterator[Alert] | list[Alert], **about: Any) -> None:
        self._deliver([(message, message.to_json()) for message in digest(alerts, **about)])

    def _deliver(self, details: Sequence[tuple[Message, Mapping[str, Any]]]) -> list[Outcome]:
        """Send the messages to all channels at once; a message that a channel does not take is logged."""
        messages = [message for message, _ in details]
        if not messages:
            return []
        # The log comes first, so that the alert is there even if the process dies.
        for message in messages if LogChannel() in self.channels else ():
            LogChannel().write(message, self.log)
        routes: list[Any] = [channel for channel in self.channels if not isinstance(channel, LogChannel)]
        if self.send is not None:
            routes.append(_Send(send=self.send, details=details))
        outcomes = deliver(routes, messages)
        log_undelivered(outcomes, self.log)
        return outcomes


@dataclass(frozen=True, kw_only=True)
class _Send:
    """The ``send`` function of a notifier, as a channel."""

    send: Callable[[str, Mapping[str, Any]], object]
    details: Sequence[tuple[Message, Mapping[str, Any]]]
    label = "send"

    def deliver(self, message: Message, *, seconds: float) -> None:
        (details,) = [about for sent, about in self.details if sent is message]
        self.send(_text_of(message), details)


def _own_xcom(ti: Any, key: str) -> Any:
    """The XCom of this task instance; ``map_index`` keeps its mapped siblings out."""
    return ti.xcom_pull(key=key, task_ids=ti.task_id, map_indexes=ti.map_index)


def _state(ti: Any) -> str:
    """The state of a task instance; empty in the DAG processor, which does not know it."""
    state = getattr(ti, "state", None)
    return str(getattr(state, "value", state) or "")


def _text_of(message: Message) -> str:
    from airflow_provider_aep.monitoring.alert_formats import as_text

    return message.title if len(message.alerts) == 1 else as_text(message)
