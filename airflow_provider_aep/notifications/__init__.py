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
    LONGEST_TEXT,
    MESSAGES,
    USUAL,
    check_messages,
    check_statuses,
    lent,
    text_of,
)
from airflow_provider_aep.operators.xcom_keys import CHECK_KEY, LINK_KEY, VERDICT_KEY

__all__ = ["LONGEST_TEXT", "MESSAGES", "USUAL", "AepRunNotifier"]

# States of a task in which a callback without a verdict and without an exception is no news.
_WELL = {"success", "skipped", "running", "deferred"}


class AepRunNotifier(BaseNotifier):
    """Tell somebody what became of the runs that tasks waited for.

    As ``on_failure_callback``, ``on_success_callback`` and ``on_skipped_callback`` of an
    ``AepDataflowRunSensor`` it tells of that task. As ``on_failure_callback`` and ``on_success_callback`` of
    a DAG it tells of all tasks of the DAG run, in one message for each sandbox. As the callback of a deadline
    alert (Airflow 3) it tells which are not done. What is not in ``on`` stays silent.

    :param on: the statuses to tell: those of a verdict, such as ``failed``, ``stuck`` or ``zero_records``;
        ``recovered`` for the first good run of an export after one that was told; ``success``, which is also
        every other verdict that the run policy finds ok; ``error`` for a task that
        failed without a verdict (timeout, credential refused); ``late`` for a deadline; of a check also
        ``gaps`` (missing, late and doubled runs), ``warning`` (a dataflow that is disabled, ends, or cannot
        be read), ``allowance`` (it is used up, nearly, or will be) and ``nothing`` (it selected no dataflow).
    :param messages: status -> your own text, in place of the usual one. Jinja, with the task's context and
        ``verdict``, a dict as the sensor returns it.
    :param channels: where it goes: ``"log"``, the default, or dicts with ``type`` (``email``, ``slack``,
        ``teams``, ``webhook``) and the fields of that channel. Plain JSON, as a deadline alert needs it.
    :param send: called with the text and a dict; for one task ``status``, ``verdict``, ``link``, ``dag_id``,
        ``run_id``, ``task_id`` and ``map_index``, for several exports ``title``, ``sandbox``, ``counts``,
        ``alerts`` and more. Without ``channels`` it takes the place of the log.
    :raises AepConfigError: ``on`` or ``messages`` names a status that no verdict has, ``on`` names none, a
        message is no Jinja template, or the provider that a channel goes through is not installed.
    :raises AepValidationError: a channel is not well described, or given twice, or there is none.
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
        # All is found out when the DAG is parsed, and not by an alert that never comes.
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
        """Nothing, unless a subclass has template fields: the messages are rendered one by one."""
        # A DAG's callback has no environment in Airflow 3.3's dag.test(), and a deadline has no DAG.
        if self.template_fields:
            super().render_template_fields(context, jinja_env)

    async def async_notify(self, context: Any) -> None:
        """The same from the triggerer, whose loop it does not block."""
        from asgiref.sync import sync_to_async

        # In a thread of its own: the one that is shared would keep all triggers waiting for the channels.
        await sync_to_async(self._notify, thread_sensitive=False)(context, may_ask=True)

    def notify(self, context: Any) -> None:
        """Tell what became of the task, or of all tasks of the DAG run, that ``context`` is about.

        Never raises: what cannot be told is in the log.
        """
        # Only a synchronous callback of a deadline comes here with one. Its supervisor answers questions
        # about connections alone; to any other it never answers at all, and the callback would hang.
        self._notify(context, may_ask="deadline" not in context)

    def tell(self, context: Any, check: Mapping[str, Any]) -> None:
        """Tell what a task has found so far, while it goes on. Never raises.

        :param check: in the shape of what ``AepCheckExportsOperator`` returns.
        """
        try:
            ti = context["ti"]
            place = {"dag_id": ti.dag_id, "run_id": ti.run_id}
            where = airflow_url(**place, task_id=ti.task_id, map_index=ti.map_index)
            alerts = list(alerts_of(self, context, check, where, ti.task_id))
            self._deliver_all(alerts, airflow_url=where, **place)
        except Exception as error:
            self._tell_the_least(context, error)

    def _notify(self, context: Any, *, may_ask: bool) -> None:
        try:
            if "deadline" in context:
                self._tell_of_deadline(context, may_ask=may_ask)
            elif "reason" in context:
                self._tell_of_dag(context)
            else:
                self._tell_of_task(context)
        except Exception as error:
            self._tell_the_least(context, error)

    def _tell_of_task(self, context: Any) -> None:
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
            unread = f"; what it found cannot be read: {without_words(error)}"
        where = airflow_url(**about)
        if isinstance(check, Mapping):
            alerts = alerts_of(self, context, check, where, ti.task_id, again=False)
            self._deliver_all(alerts, airflow_url=where, **place)
            if not check.get("waits_for"):
                return
        if not verdict and task is not None and not is_ours(task):
            # As with default_args, which give the notifier to every task of a DAG.
            self.log.info("Task %s is none of this provider's: nothing is told of it", ti.task_id)
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
                # Airflow tells no error where it found out by itself, in the DAG processor.
                why = f"task {named} failed without a verdict; its worker may have been lost{unread}"
            found = {**without_verdict(link, why), "task": named}
        else:
            found = verdict
        if status not in self.on:
            return
        with lent(context, exception=why) if not verdict else nullcontext():
            alert = self.alert(context, status, found, link, where, ti.task_id, watching=watching)
        told = {"status": status, "verdict": verdict or {}, "link": link, **about}
        message = Message(sandbox=alert.sandbox, alerts=(alert,), **place)
        self._deliver([(message, told)])

    def _tell_of_dag(self, context: Any) -> None:
        dag_id, run_id = context["dag"].dag_id, context["run_id"]
        alerts = alerts_of_dag_run(self, context)
        self._deliver_all(alerts, dag_id=dag_id, run_id=run_id, airflow_url=airflow_url(dag_id, run_id))

    def _tell_of_deadline(self, context: Any, *, may_ask: bool) -> None:
        if "late" not in self.on:
            return
        run = context["dag_run"]
        place = {"dag_id": run["dag_id"], "run_id": run["dag_run_id"]}
        alerts = alerts_of_deadline(self, context, may_ask=may_ask)
        self._deliver_all(alerts, airflow_url=airflow_url(**place), **place)

    def _tell_the_least(self, context: Any, error: Exception) -> None:
        """An alert although the context is unlike all that we know: somebody has to hear."""
        why = without_words(error)
        self.log.error("An alert says the least: %s", why)
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

    def general(self, context: Any, status: str, found: Mapping[str, Any], why: str) -> Iterator[Alert]:
        """An alert about no export in particular."""
        if status in self.on:
            with lent(context, exception=why):
                yield self.alert(context, status, {**found, "reason": why}, None, None, None)

    def status_of(self, verdict: Mapping[str, Any]) -> str:
        """Under which status a verdict is told: what the policy finds ok is no bad news."""
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
            # What nobody was told of does not end either.
            verdict = {**verdict, "recovered": heard(verdict.get("recovered"), self.on)}
        urls = {"dataflow_url": link, "task_url": task_url, "page_url": export_page_url(verdict)}
        return Alert.from_verdict(verdict, status=status, text=text, task=task, **urls)

    def _deliver_all(self, alerts: Iterator[Alert] | list[Alert], **about: Any) -> None:
        self._deliver([(message, message.to_json()) for message in digest(alerts, **about)])

    def _deliver(self, told: Sequence[tuple[Message, Mapping[str, Any]]]) -> list[Outcome]:
        """To every channel at once; what one does not take is in the log at least."""
        messages = [message for message, _ in told]
        if not messages:
            return []
        # First, so that it is there whatever happens to the process.
        for message in messages if LogChannel() in self.channels else ():
            LogChannel().write(message, self.log)
        routes: list[Any] = [channel for channel in self.channels if not isinstance(channel, LogChannel)]
        if self.send is not None:
            routes.append(_Send(send=self.send, told=told))
        outcomes = deliver(routes, messages)
        log_undelivered(outcomes, self.log)
        return outcomes


@dataclass(frozen=True, kw_only=True)
class _Send:
    """The function that a notifier was given, as a channel."""

    send: Callable[[str, Mapping[str, Any]], object]
    told: Sequence[tuple[Message, Mapping[str, Any]]]
    label = "send"

    def deliver(self, message: Message, *, seconds: float) -> None:
        (told,) = [about for one, about in self.told if one is message]
        self.send(_text_of(message), told)


def _own_xcom(ti: Any, key: str) -> Any:
    """What this very task instance pushed; ``map_index`` keeps its mapped siblings out."""
    return ti.xcom_pull(key=key, task_ids=ti.task_id, map_indexes=ti.map_index)


def _state(ti: Any) -> str:
    """Where a task instance stands; in the DAG processor that is not known."""
    state = getattr(ti, "state", None)
    return str(getattr(state, "value", state) or "")


def _text_of(message: Message) -> str:
    from airflow_provider_aep.monitoring.alert_formats import as_text

    return message.title if len(message.alerts) == 1 else as_text(message)
