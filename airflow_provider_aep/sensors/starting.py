"""Starting a sensor in the triggerer (Airflow 3.3): which arguments allow it, and the trigger that begins.

The first start of a worker is saved: the trigger renders the templates, finds out what is waited for, looks
at once, and then waits as any other. Whatever goes wrong before it waits, the worker repeats, so that the
task ends with the same error as without.
"""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_aep._airflow import XComArg
from airflow_provider_aep.arguments import is_later, is_nothing
from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.sensors.deferring import first_look_by
from airflow_provider_aep.triggers import AepDataflowRunTrigger
from airflow_provider_aep.triggers.dataflow_runs import ends_the_wait

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.shared_poll import SharedPoll
    from airflow_provider_aep.monitoring.waits import Wait

# The arguments that the trigger gets, rendered there.
RENDERED = (
    "aep_conn_id",
    "sandbox",
    "dataflow_id",
    "started_after",
    "started_before",
    "expected_runs",
    "tick",
    "run_ids",
)
# In a template they ask what Airflow's triggerer does not answer: the trigger would hang until its timeout
# (seen on 3.3.2).
_ASKING = re.compile(r"xcom_pull|\bprev_\w+_success\b|\b(?:ti|task_instance)\s*\.\s*get_")
MAPPED = "is not possible for a mapped task: Airflow would start each with the same arguments"


class Times(NamedTuple):
    """When the wait ends, as the trigger counts it.

    :param timeout: after so long Airflow itself ends the trigger.
    :param margin: so many seconds before that the trigger gives up, and says what it saw last.
    """

    timeout: float
    margin: float


def times_of(timeout: float, execution_seconds: float, poke_interval: float) -> Times:
    """The times of a sensor; Airflow cuts its own timeout to the execution_timeout."""
    whole = timeout + 60.0 + 2 * poke_interval
    total = min(whole, execution_seconds)
    margin = whole - timeout if total == whole else min(60.0 + 2 * poke_interval, total / 2)
    return Times(timeout=whole, margin=max(total - min(timeout, total - margin), 0.0))


def check_startable(arguments: dict[str, Any]) -> None:
    """Refuse arguments that only a worker can render.

    :raises AepValidationError: one comes from another task, or from an earlier DAG run.
    """
    rule = (
        "comes from another task or an earlier DAG run, which the triggerer cannot ask: leave out "
        "start_in_triggerer, or take the value from params or dag_run.conf"
    )
    problems = [
        Problem(name, rule)
        for name, value in arguments.items()
        if any(True for _ in XComArg.iter_xcom_references(value)) or _ASKING.search(str(value))
    ]
    if problems:
        raise AepValidationError("start_in_triggerer", problems)


def is_literal(arguments: dict[str, Any]) -> bool:
    """Whether nothing of these is a template."""
    return not any(mark in str(value) for value in arguments.values() for mark in ("{{", "{%"))


class AepDataflowRunStartTrigger(AepDataflowRunTrigger):
    """Begins the wait of an ``AepDataflowRunSensor`` in the triggerer.

    :param kind: ``tick``, ``run_ids`` or ``window``.
    :param run_policy: the arguments of a ``RunPolicy``.
    :param margin: how many seconds before Airflow's own timeout of the trigger it gives up.
    :param longest: the seconds until that timeout, where Airflow does not tell it.
    """

    def __init__(
        self,
        *,
        kind: str,
        run_policy: dict[str, Any],
        margin: float,
        longest: float,
        dataflow_id: str,
        started_after: Any = None,
        started_before: Any = None,
        expected_runs: Any = 1,
        tick: Any = None,
        run_ids: Any = None,
        poll_interval: float,
        aep_conn_id: str,
        sandbox: str | None,
    ) -> None:
        super().__init__(
            dataflow_id=dataflow_id,
            started_after=started_after,
            started_before=started_before,
            expected_runs=expected_runs,
            deadline=float("inf"),
            poll_interval=poll_interval,
            aep_conn_id=aep_conn_id,
            sandbox=sandbox,
        )
        self.kind = kind
        self.run_policy = run_policy
        self.margin = margin
        self.longest = longest
        self.tick = tick
        self.run_ids = run_ids
        self.context: Any = None
        self.known: Wait | None = None
        self.emptied = False

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Airflow calls it with the context of the task, which says when the DAG run is about."""
        self.context = context
        before = {name: getattr(self, name) for name in RENDERED}
        super().render_template_fields(context, jinja_env)
        # The worker refuses it, in its own words.
        self.emptied = any(
            is_later(given) and is_nothing(getattr(self, name)) for name, given in before.items()
        )

    async def _first(self) -> dict[str, Any]:
        from airflow_provider_aep.errors import OUTAGES, AepError, without_words

        ends = getattr(self, "timeout_after", None)
        last = ends.timestamp() if isinstance(ends, datetime) else time.time() + self.longest
        self.deadline = last - self.margin
        self.first_look_by = first_look_by(last - self.longest, self.poll_interval)
        told: dict[str, Any] = {"deadline": self.deadline}
        if self.emptied:
            return {"status": "again", **told}
        try:
            self.known = await self._find_out()
        except Exception as error:
            is_first = time.time() < self.first_look_by
            if not isinstance(error, OUTAGES) and (is_first or ends_the_wait(error)):
                # A refused argument, or a connection that is not there: the worker meets it, too.
                self.log.info("The wait begins on a worker: %s", without_words(error))
                return {"status": "again", **told}
            words = error if isinstance(error, AepError) else without_words(error)
            self.log.info("Dataflow %s: there is no answer: %s", self.dataflow_id, words)
        return {}

    async def _wait(self, poll: SharedPoll) -> dict[str, Any]:
        from airflow_provider_aep.monitoring.waits import Wait

        # Where an outage kept it from finding out what to wait for, it waits until the service answers.
        answer = Wait(dataflow_id=self.dataflow_id, started_after=datetime.now(tz=UTC), expected=0)
        ending = await poll.wait(
            self.known or answer,
            deadline=self.deadline,
            interval=self.poll_interval,
            tell=lambda told: self.log.info("Dataflow %s: %s", self.dataflow_id, told),
            with_flow=self.known is not None,
            fresh=self.known is not None and time.time() < self.first_look_by,
            soon=self.known is not None,
        )
        if self.known is None and ending["status"] == "finished":
            ending = {"status": "again"}
        return {**ending, "deadline": self.deadline, "wait": self.known and self.known.to_json()}

    async def _find_out(self) -> Wait:
        """What is waited for."""
        from airflow_provider_aep.hooks import AepHook
        from airflow_provider_aep.monitoring.policy import run_policy
        from airflow_provider_aep.sensors.wanted import Wanted, read_wait, wait_without_asking

        wanted = Wanted(
            started_after=self.started_after,
            started_before=self.started_before,
            expected_runs=self.expected_runs,
            tick=self.tick,
            run_ids=self.run_ids,
        )
        given = (self.dataflow_id, wanted, self.kind, self.context or {}, run_policy(self.run_policy))
        now = datetime.now(tz=UTC)
        if wait := wait_without_asking(*given, now=now):
            return wait
        return await AepHook(self.aep_conn_id, sandbox=self.sandbox).arun(read_wait(*given, now=now))


def start_in_triggerer_of(sensor: Any, kind: str) -> None:
    """Let a sensor start in the triggerer, where this Airflow can do so.

    :param kind: which of its arguments say what it waits for.
    :raises AepValidationError: an argument comes from another task, or one that is no template is wrong.
    """
    from airflow.triggers.base import StartTriggerArgs

    from airflow_provider_aep._airflow import AIRFLOW_V_3_3_PLUS

    rendered = {name: getattr(sensor, name) for name in RENDERED}
    check_startable(rendered)
    if is_literal(rendered):
        sensor.check_wanted()
    if not AIRFLOW_V_3_3_PLUS:
        return
    times = times_of(sensor.timeout, sensor.execution_seconds, sensor.poke_interval)
    sensor.start_trigger_args = StartTriggerArgs(
        trigger_cls="airflow_provider_aep.sensors.starting.AepDataflowRunStartTrigger",
        trigger_kwargs={
            **rendered,
            "kind": kind,
            "run_policy": asdict(sensor.run_policy()),
            "poll_interval": sensor.poke_interval,
            "margin": times.margin,
            "longest": min(times.timeout, sensor.execution_seconds),
        },
        next_method="execute_started",
        timeout=timedelta(seconds=times.timeout),
    )
    sensor.start_from_trigger = True


def refuse_mapping() -> None:
    """:raises AepValidationError: always."""
    raise AepValidationError("the sensor", [Problem("start_in_triggerer", MAPPED)])
