"""Starting a sensor in the triggerer (Airflow 3.3): the trigger that begins the wait.

This saves the first start of a worker: the trigger renders the templates, finds out what to wait for, polls
at once, and then waits like any other trigger. If something fails before it waits, a worker repeats it, so
that the task ends with the same error as otherwise.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.arguments import is_later, is_nothing
from airflow_provider_aep.sensors.deferring import first_look_by
from airflow_provider_aep.sensors.startable import RENDERED
from airflow_provider_aep.triggers import AepDataflowRunTrigger
from airflow_provider_aep.triggers.dataflow_runs import ends_the_wait

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.shared_poll import SharedPoll
    from airflow_provider_aep.monitoring.waits import Wait

__all__ = ["AepDataflowRunStartTrigger"]


class AepDataflowRunStartTrigger(AepDataflowRunTrigger):
    """Begins the wait of an ``AepDataflowRunSensor`` in the triggerer.

    :param kind: ``tick``, ``run_ids`` or ``window``.
    :param run_policy: the arguments of a ``RunPolicy``.
    :param margin: how many seconds before Airflow's own timeout of the trigger it gives up.
    :param longest: the seconds until that timeout, in case Airflow does not pass it.
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
        """Airflow calls this with the context of the task, which has the data interval of the DAG run."""
        self.context = context
        before = {name: getattr(self, name) for name in RENDERED}
        super().render_template_fields(context, jinja_env)
        # A worker refuses such an argument with its own message.
        self.emptied = any(
            is_later(given) and is_nothing(getattr(self, name)) for name, given in before.items()
        )

    async def _first(self) -> dict[str, Any]:
        from airflow_provider_aep.errors import OUTAGES, AepError, without_words

        ends = getattr(self, "timeout_after", None)
        last = ends.timestamp() if isinstance(ends, datetime) else time.time() + self.longest
        self.deadline = last - self.margin
        self.first_look_by = first_look_by(last - self.longest, self.poll_interval)
        event: dict[str, Any] = {"deadline": self.deadline}
        if self.emptied:
            return {"status": "again", **event}
        try:
            self.known = await self._find_out()
        except Exception as error:
            is_first = time.time() < self.first_look_by
            if not isinstance(error, OUTAGES) and (is_first or ends_the_wait(error)):
                # An invalid argument or a missing connection, for example, fails on the worker as well.
                self.log.info("The wait begins on a worker: %s", without_words(error))
                return {"status": "again", **event}
            words = error if isinstance(error, AepError) else without_words(error)
            self.log.info("Dataflow %s: cannot find out what to wait for: %s", self.dataflow_id, words)
        return {}

    async def _wait(self, poll: SharedPoll) -> dict[str, Any]:
        from airflow_provider_aep.monitoring.waits import Wait

        # If an outage kept it from finding out what to wait for, it waits until the service responds.
        answer = Wait(dataflow_id=self.dataflow_id, started_after=datetime.now(tz=UTC), expected=0)
        ending = await poll.wait(
            self.known or answer,
            deadline=self.deadline,
            interval=self.poll_interval,
            tell=lambda message: self.log.info("Dataflow %s: %s", self.dataflow_id, message),
            with_flow=self.known is not None,
            fresh=self.known is not None and time.time() < self.first_look_by,
            soon=self.known is not None,
        )
        if self.known is None and ending["status"] == "finished":
            ending = {"status": "again"}
        return {**ending, "deadline": self.deadline, "wait": self.known and self.known.to_json()}

    async def _find_out(self) -> Wait:
        """What to wait for."""
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
