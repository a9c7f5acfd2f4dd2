"""Alerts about dataflow runs, as a callback of a task, of a DAG, or of a deadline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.notifier import BaseNotifier

from airflow_provider_aep.errors import AepConfigError, without_words
from airflow_provider_aep.links import AepDataflowLink
from airflow_provider_aep.monitoring.alerts import Alert, Message, digest
from airflow_provider_aep.monitoring.incidents import heard, kind_of
from airflow_provider_aep.monitoring.words import cut
from airflow_provider_aep.notifications.channels import LogChannel, parse_channels
from airflow_provider_aep.notifications.delivery import deliver
from airflow_provider_aep.notifications.gathering import (
    DONE,
    Ended,
    airflow_url,
    by_task,
    export_page_url,
    has_failed,
    is_ours,
    task_instances,
    tasks_of_ours,
    without_verdict,
)
from airflow_provider_aep.notifications.templates import check_template
from airflow_provider_aep.operators.monitoring import CHECK_KEY
from airflow_provider_aep.sensors import VERDICT_KEY

# status of the verdict -> what to say. "error" is a task that failed without a verdict, "late" one that a
# deadline found unfinished; "gaps" and "warning" come from an audit.
MESSAGES: Mapping[str, str] = {
    "failed": "AEP export {{ verdict.dataflow_name }} failed: {{ verdict.reason }}",
    "unknown": "AEP export {{ verdict.dataflow_name }} ended in an unknown way: {{ verdict.reason }}",
    "partial": "AEP export {{ verdict.dataflow_name }} is incomplete: {{ verdict.reason }}",
    "zero_records": "AEP export {{ verdict.dataflow_name }} is empty: {{ verdict.reason }}",
    "low_records": "AEP export {{ verdict.dataflow_name }} is small: {{ verdict.reason }}",
    "missing_files": "AEP export {{ verdict.dataflow_name }} lacks files: {{ verdict.reason }}",
    "unchecked_files": "AEP export {{ verdict.dataflow_name }} was not counted: {{ verdict.reason }}",
    "unknown_records": "AEP export {{ verdict.dataflow_name }} is of unknown size: {{ verdict.reason }}",
    "incomplete": "AEP export {{ verdict.dataflow_name }} lacks a dataset: {{ verdict.reason }}",
    "stuck": "AEP export {{ verdict.dataflow_name }} is stuck: {{ verdict.reason }}",
    "slow": "AEP export {{ verdict.dataflow_name }} is slow: {{ verdict.reason }}",
    "recovered": "AEP export {{ verdict.dataflow_name }} has recovered: {{ verdict.reason }}",
    "success": "AEP export {{ verdict.dataflow_name }} is fine: {{ verdict.reason }}",
    "late": "AEP export {{ verdict.dataflow_name }} is late: {{ verdict.reason }}",
    "gaps": "AEP export {{ verdict.dataflow_name }} missed runs: {{ verdict.reason }}",
    "warning": "AEP export {{ verdict.dataflow_name }}: {{ verdict.reason }}",
    "nothing": "AEP exports were not checked: {{ verdict.reason }}",
    "error": "AEP export could not be watched: {{ exception }}",
}
# What is longer is cut: channels have limits, and nobody reads it.
LONGEST_TEXT = 3_000
USUAL = tuple(status for status in MESSAGES if status != "success")


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
        be read) and ``nothing`` (it selected no dataflow).
    :param messages: status -> your own text, in place of the usual one. Jinja, with the task's context and
        ``verdict``, a dict as the sensor returns it.
    :param channels: where it goes: ``"log"``, the default, or dicts with ``type`` (``email``, ``slack``,
        ``webhook``) and the fields of that channel. Plain JSON, as a deadline alert needs it.
    :param send: called with the text and a dict; for one task ``status``, ``verdict``, ``link``, ``dag_id``,
        ``run_id``, ``task_id`` and ``map_index``, for several exports ``title``, ``sandbox``, ``counts``,
        ``alerts`` and more. Without ``channels`` it takes the place of the log.
    :raises AepConfigError: ``on`` or ``messages`` names a status that no verdict has, a message is no
        template, or the provider that a channel goes through is not installed.
    :raises AepValidationError: a channel is not well described.
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
        if unknown := sorted({*on, *(messages or ())} - set(MESSAGES)):
            # Found out when the DAG is parsed, and not by an alert that never comes.
            raise AepConfigError(f"on and messages know {', '.join(MESSAGES)}, not {', '.join(unknown)}")
        for status, text in (messages or {}).items():
            check_template(status, text)
        self.on = tuple(on)
        self.messages = {**MESSAGES, **(messages or {})}
        self.channels = parse_channels(channels if channels is not None else [] if send else ["log"])
        self.send = send

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Nothing, unless a subclass has template fields: the messages are rendered one by one."""
        # A DAG's callback has no environment in Airflow 3.3's dag.test(), and a deadline has no DAG.
        if self.template_fields:
            super().render_template_fields(context, jinja_env)

    async def async_notify(self, context: Any) -> None:
        """The same from the triggerer, whose loop it does not block."""
        from asgiref.sync import sync_to_async

        await sync_to_async(self.notify)(context)

    def notify(self, context: Any) -> None:
        """Tell what became of the task, or of all tasks of the DAG run, that ``context`` is about."""
        try:
            if "deadline" in context:
                self._tell_of_deadline(context)
            elif "reason" in context:
                self._tell_of_dag(context)
            else:
                self._tell_of_task(context)
        except Exception as error:
            # An alert that says little is better than none.
            text = f"An alert about AEP exports could not be put together: {without_words(error)}"
            message = Message(sandbox=None, alerts=(Alert(status="error", text=text),))
            self._deliver([(message, message.to_json())])

    def _tell_of_task(self, context: Any) -> None:
        ti = context["ti"]
        task = context.get("task") or getattr(ti, "task", None)
        if task is not None and not is_ours(task):
            return  # it stands in default_args
        place = {"dag_id": ti.dag_id, "run_id": ti.run_id}
        about = {**place, "task_id": ti.task_id, "map_index": ti.map_index}
        verdict, check, link, unread = None, None, None, ""
        try:
            verdict = _own_xcom(ti, VERDICT_KEY)
            check = None if verdict else _own_xcom(ti, CHECK_KEY)
            link = _own_xcom(ti, AepDataflowLink.xcom_key)
        except Exception as error:
            unread = f"what it found cannot be read: {without_words(error)}"
        if isinstance(check, Mapping):
            where = airflow_url(**about)
            self._deliver_all(self._of_check(context, check, where, ti.task_id), airflow_url=where, **place)
            return
        if not isinstance(verdict, Mapping):
            verdict = None
        status = self._status(verdict or {})
        why = context.get("exception")
        if not verdict and not why and has_failed(ti):
            why = f"task {ti.task_id} failed without a verdict; its worker may have been lost"
        if not verdict and unread:
            why = f"{why or f'task {ti.task_id} has ended'}; {unread}"
        if status == "error" and not why:
            return
        if status not in self.on:
            return
        found = verdict or without_verdict(link, why)
        if not verdict:
            context["exception"] = why
        alert = self._alert(context, status, found, link, airflow_url(**about), ti.task_id)
        told = {"status": status, "verdict": verdict or {}, "link": link, **about}
        self._deliver([(Message(sandbox=alert.sandbox, alerts=(alert,), **place), told)])

    def _tell_of_dag(self, context: Any) -> None:
        dag, run_id = context["dag"], context["run_id"]
        try:
            instances, xcoms = task_instances(dag.dag_id, run_id, dag.task_dict.keys())
            alerts = list(self._of_tasks(context, by_task(instances), xcoms))
        except Exception as error:
            # Of what we cannot read, somebody must hear all the more.
            run = f"DAG run {run_id} of {dag.dag_id}"
            why = f"what the tasks of {run} ended with cannot be read: {without_words(error)}"
            alerts = list(self._general(context, "error", {}, why))
        self._deliver_all(
            alerts, dag_id=dag.dag_id, run_id=run_id, airflow_url=airflow_url(dag.dag_id, run_id)
        )

    def _of_tasks(self, context: Any, tasks: Mapping[str, list[Ended]], xcoms: Any) -> Iterator[Alert]:
        dag, run_id, stopped = context["dag"], context["run_id"], context["reason"] == "timed_out"
        bad = {"failed", "skipped"} if stopped else {"failed"}
        for task_id in sorted(tasks_of_ours(dag) & tasks.keys()):
            instances = tasks[task_id]
            verdicts = xcoms(VERDICT_KEY, instances)
            checks = xcoms(CHECK_KEY, [one for one in instances if one not in verdicts and one.map_index < 0])
            mute = [
                one
                for one in instances
                if one.state in bad and one not in verdicts and one not in checks and "error" in self.on
            ]
            told = [one for one in verdicts if self._status(verdicts[one]) in self.on]
            links = xcoms(AepDataflowLink.xcom_key, [*told, *mute])
            for one in (*told, *checks, *mute):
                where = airflow_url(dag.dag_id, run_id, one.task_id, one.map_index)
                if one in checks:
                    yield from self._of_check(context, checks[one], where, str(one))
                    continue
                status, found = "error", verdicts.get(one)
                if found:
                    status = self._status(found)
                else:
                    how = "was stopped when the DAG run timed out" if stopped else "failed; its log says why"
                    why = f"task {one} {how}"
                    found = without_verdict(links.get(one), why)
                context["exception"] = found.get("reason")
                yield self._alert(context, status, found, links.get(one), where, str(one))

    def _tell_of_deadline(self, context: Any) -> None:
        run, until = context["dag_run"], context["deadline"].get("deadline_time")
        dag_id, run_id = run["dag_id"], run["dag_run_id"]
        context.setdefault("dag", None)
        if "late" not in self.on:
            return
        alerts = []
        why = f"DAG run {run_id} of {dag_id} was not done by {until}"
        try:
            instances, xcoms = task_instances(dag_id, run_id)
            left = [one for one in instances if one.state not in DONE]
            links: dict[Ended, Any] = {}
            for siblings in by_task(left).values():
                links.update(xcoms(AepDataflowLink.xcom_key, siblings))
            for one, link in links.items():
                found = without_verdict(link, f"task {one} was still {one.state} at the deadline, {until}")
                where = airflow_url(dag_id, run_id, one.task_id, one.map_index)
                alerts.append(self._alert(context, "late", found, link, where, str(one)))
            if left and not links:
                why = f"{why}: {len(left)} of {len(instances)} tasks were not"
        except Exception as error:
            why = f"{why}; how far its tasks are cannot be read: {without_words(error)}"
        alerts = alerts or list(self._general(context, "late", {"dataflow_name": f"of {dag_id}"}, why))
        self._deliver_all(alerts, dag_id=dag_id, run_id=run_id, airflow_url=airflow_url(dag_id, run_id))

    def _general(self, context: Any, status: str, found: Mapping[str, Any], why: str) -> Iterator[Alert]:
        """An alert about no export in particular."""
        if status in self.on:
            context["exception"] = why
            yield self._alert(context, status, {**found, "reason": why}, None, None, None)

    def _of_check(
        self, context: Any, check: Mapping[str, Any], where: str | None, task: str | None
    ) -> Iterator[Alert]:
        """What a check found, export by export: what the policy minds of it, each kind in one alert."""
        if check.get("quiet"):
            return
        if not check.get("exports") and check.get("outcome") in _MINDED and "nothing" in self.on:
            found = {
                "sandbox": check.get("sandbox"),
                "reason": check.get("told"),
                "outcome": check["outcome"],
            }
            yield self._alert(context, "nothing", found, None, where, task)
        for note in check.get("notes") or () if "nothing" in self.on else ():
            untold = {"sandbox": check.get("sandbox"), "reason": note, "outcome": "warn"}
            yield self._alert(context, "nothing", untold, None, where, task)
        for export in check.get("exports") or ():
            known = {
                "sandbox": check.get("sandbox"),
                "dataflow_id": export.get("dataflow_id"),
                "dataflow_name": export.get("dataflow_name") or export.get("dataflow_id"),
                "conn_id": check.get("conn_id"),
                "location": export.get("location"),
                "open": export.get("open"),
            }
            recovered = export.get("recovered") or {}
            well = [("recovered", recovered)] if heard(recovered.get("recovered"), self.on) else []
            for status, minded in (*_found_by_status(export), *well):
                if status in self.on:
                    link = export.get("dataflow_url")
                    yield self._alert(context, status, {**minded, **known}, link, where, task)

    def _status(self, verdict: Mapping[str, Any]) -> str:
        """Under which status a verdict is told: what the policy finds ok is no bad news."""
        if verdict.get("outcome") == "ok":
            return "recovered" if heard(verdict.get("recovered"), self.on) else "success"
        status = str(verdict.get("status") or "error")
        return status if status in MESSAGES else "unknown"

    def _alert(
        self,
        context: Any,
        status: str,
        verdict: Mapping[str, Any],
        link: str | None,
        task_url: str | None,
        task: str | None,
    ) -> Alert:
        # Into the context itself: a copy would evaluate all that Airflow 2 keeps lazy in there.
        context["verdict"] = verdict
        dag = context.get("dag")
        environment = self.get_template_env(dag=dag if hasattr(dag, "get_template_env") else None)
        text = ""
        try:
            given = self.messages[status]
            template = _usual(status, context) if given == MESSAGES[status] else given
            text = str(self.render_template(template, context, environment)).strip()
        except Exception as error:
            self.log.error("The message for %s cannot be rendered: %s", status, without_words(error))
        if not text:
            text = str(self.render_template(_usual(status, context), context, self.get_template_env()))
        text = cut(text, LONGEST_TEXT)
        if status == "recovered":
            # What nobody was told of does not end either.
            verdict = {**verdict, "recovered": heard(verdict.get("recovered"), self.on)}
        urls = {"dataflow_url": link, "task_url": task_url, "page_url": export_page_url(verdict)}
        return Alert.from_verdict(verdict, status=status, text=text, task=task, **urls)

    def _deliver_all(self, alerts: Iterator[Alert] | list[Alert], **about: Any) -> None:
        self._deliver([(message, message.to_json()) for message in digest(alerts, **about)])

    def _deliver(self, messages: Sequence[tuple[Message, Mapping[str, Any]]]) -> None:
        """To every channel; one that fails keeps the messages from none of the others, nor from the log."""
        routes = [channel for channel in self.channels if not isinstance(channel, LogChannel)]
        log = LogChannel()
        logged = log in self.channels
        if logged:
            for message, _ in messages:
                log.write(message, self.log)
        outcomes = deliver(routes, [message for message, _ in messages]) if messages else []
        for outcome in outcomes:
            if outcome.error is not None:
                self.log.error("An alert could not go out by %s", outcome)
        failed = {id(outcome.message) for outcome in outcomes if outcome.error is not None}
        for message, told in messages:
            if self.send is not None:
                try:
                    self.send(_text_of(message), told)
                except Exception as error:
                    failed.add(id(message))
                    self.log.error("An alert could not go out by send: %s", without_words(error))
            if id(message) in failed and not logged:
                log.write(message, self.log)


def _usual(status: str, context: Any) -> str:
    """The usual text; of a task that waits for no run, in words that fit it."""
    task = context.get("task")
    if status == "error" and task is not None and not hasattr(task, "poke_interval"):
        return "AEP task {{ ti.task_id }} failed: {{ exception }}"
    return MESSAGES[status]


def _own_xcom(ti: Any, key: str) -> Any:
    """What this very task instance pushed; ``map_index`` keeps its mapped siblings out."""
    return ti.xcom_pull(key=key, task_ids=ti.task_id, map_indexes=ti.map_index)


_MINDED = ("fail", "warn")


def _found_by_status(export: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the policy minds of an export, by the status under which it is told, as a verdict says it."""
    by_status: dict[str, list[Mapping[str, Any]]] = {}
    for finding in (*(export.get("findings") or ()), *(export.get("standing") or ())):
        if finding.get("outcome") in _MINDED:
            by_status.setdefault(kind_of(str(finding.get("kind"))), []).append(finding)
    verdicts = {tuple(each.get("run_ids") or ()): each for each in export.get("verdicts") or ()}
    for status, findings in by_status.items():
        outcomes = [finding["outcome"] for finding in findings]
        told = "; ".join(str(finding.get("told")) for finding in findings)
        # The numbers and the tick are those of the last one.
        last = findings[-1]
        cause = next((finding["cause"] for finding in reversed(findings) if finding.get("cause")), None)
        run_ids = tuple(last.get("run_ids") or ())
        about = {
            "run_ids": list(run_ids),
            **verdicts.get(run_ids, {}),
            "tick": last.get("tick"),
            "cause": cause,
            "known_at": min(
                (str(each["known_at"]) for each in findings if each.get("known_at")), default=None
            ),
            "outcome": "fail" if "fail" in outcomes else "warn",
            "reason": told,
        }
        yield status if status in MESSAGES else "unknown", about


def _text_of(message: Message) -> str:
    from airflow_provider_aep.monitoring.alert_formats import as_text

    return message.title if len(message.alerts) == 1 else as_text(message)
