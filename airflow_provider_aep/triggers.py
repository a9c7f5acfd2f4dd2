"""The triggers of the sensors. They only read; nothing is ever created or cancelled here."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Hashable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeGuard
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_aep.errors import AepAuthError, AepConfigError, AepError, error_to_json, without_words

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.exchange import Exchange
    from airflow_provider_aep.monitoring.arrivals import IngestionWait, Seen
    from airflow_provider_aep.monitoring.shared_poll import Look, SharedPoll

# The layout of the event. A worker that meets another one fails the task instead of guessing.
EVENT_VERSION = 1
# The poll at a deadline itself may take this long; Airflow's own timeout of the task comes later.
LAST_LOOK_SECONDS = 30.0


class AepDataflowRunTrigger(BaseEventTrigger):
    """Waits until the runs of a dataflow that started in a window have finished.

    All that wait in one connection and sandbox share one poll of their triggerer.

    :param dataflow_id: the dataflow.
    :param started_after: the window's start, ISO 8601.
    :param started_before: its end, ISO 8601; ``None`` leaves it open.
    :param expected_runs: how many runs there must be.
    :param deadline: when to give up, in epoch seconds; absolute, so that a triggerer's restart
        does not start it anew.
    :param poll_interval: seconds between two looks, at most.
    :param aep_conn_id: the Airflow connection.
    :param sandbox: overrides the connection's.
    :param asked_to_wait: how long the service asked the sensor, which has just looked, to leave it alone.
    :param wait: what is waited for beyond a window, as ``Wait.to_json`` says it: a tick, given runs, or an
        end of runs that are stuck. It wins over the window.
    """

    # Airflow's event triggers have no queue; this one waits for a task, as any other trigger of a task.
    supports_triggerer_queue = True

    def __init__(
        self,
        *,
        dataflow_id: str,
        started_after: str,
        expected_runs: int,
        deadline: float,
        poll_interval: float,
        aep_conn_id: str,
        sandbox: str | None,
        started_before: str | None = None,
        asked_to_wait: float = 0.0,
        wait: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.dataflow_id = dataflow_id
        self.started_after = started_after
        self.started_before = started_before
        self.asked_to_wait = asked_to_wait
        self.wait = wait
        self.expected_runs = expected_runs
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.aep_conn_id = aep_conn_id
        self.sandbox = sandbox

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_aep.triggers.AepDataflowRunTrigger",
            {
                "dataflow_id": self.dataflow_id,
                "started_after": self.started_after,
                "started_before": self.started_before,
                "asked_to_wait": self.asked_to_wait,
                "wait": self.wait,
                "expected_runs": self.expected_runs,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
                "aep_conn_id": self.aep_conn_id,
                "sandbox": self.sandbox,
            },
        )

    def shared_stream_key(self) -> Hashable:
        """All who wait in one connection and sandbox share one poll (Airflow 3.3 and later)."""
        return ("aep-dataflow-runs", self.aep_conn_id, self.sandbox)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Poll for as long as Airflow sees anybody wait. Nothing is broadcast.

        A broadcast would wake a thousand who wait for the sake of one: the poll wakes that one itself.
        """
        await _shared_poll(kwargs["aep_conn_id"], kwargs["sandbox"]).run()
        yield  # never reached, and yet what makes this a stream

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        poll = _shared_poll(self.aep_conn_id, self.sandbox)
        yield self._event(await self._wait(poll))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same where Airflow shares no streams: before 3.3, and in ``dag.test()``."""
        poll = _shared_poll(self.aep_conn_id, self.sandbox)
        yield self._event(await poll.run_while_waiting(self._wait(poll)))

    async def on_kill(self) -> None:
        """The wait ends; the dataflow and its run, which Adobe schedules, are left alone."""
        self.log.info("The wait for dataflow %s was ended; its runs go on at Adobe", self.dataflow_id)

    def _event(self, ending: dict[str, Any]) -> TriggerEvent:
        return TriggerEvent({"version": EVENT_VERSION, **ending})

    async def _wait(self, poll: SharedPoll) -> dict[str, Any]:
        from airflow_provider_aep.monitoring.waits import Wait

        # A trigger that an older version stored has a window alone.
        window = {
            "started_after": self.started_after,
            "started_before": self.started_before,
            "expected": self.expected_runs,
        }
        try:
            wait = Wait.from_json(self.dataflow_id, self.wait or window)
        except AepError as error:
            return {"status": "error", "error": error_to_json(error)}
        return await poll.wait(
            wait,
            deadline=self.deadline,
            interval=self.poll_interval,
            first_pause=self.asked_to_wait,
            tell=lambda told: self.log.info("Dataflow %s: %s", self.dataflow_id, told),
        )


# By event loop, as Airflow runs some triggers in loops of their own.
_polls: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str | None], SharedPoll]]
_polls = WeakKeyDictionary()


def _shared_poll(aep_conn_id: str, sandbox: str | None) -> SharedPoll:
    """The one poll of a connection and sandbox in this event loop."""
    from airflow_provider_aep import stats
    from airflow_provider_aep.monitoring.shared_poll import SharedPoll

    def converse(exchange: Exchange[Look]) -> Awaitable[Look]:
        from airflow_provider_aep.hooks import AepHook

        # A new hook for each look: a connection that was mended is read anew.
        return AepHook(aep_conn_id, sandbox=sandbox).arun(exchange)

    polls = _polls.setdefault(asyncio.get_running_loop(), {})
    key = (aep_conn_id, sandbox)
    if key not in polls:
        polls[key] = SharedPoll(converse, observe=stats.observer(key))
    return polls[key]


class AepDatasetIngestedTrigger(BaseTrigger):
    """Waits until something was ingested into datasets.

    :param wait: what is waited for, as ``IngestionWait.to_json`` says it.
    :param deadline: when to give up, in epoch seconds; absolute, so that a triggerer's restart
        does not start it anew.
    :param poll_interval: seconds between two polls.
    :param aep_conn_id: the Airflow connection.
    :param sandbox: overrides the connection's.
    :param asked_to_wait: how long the service asked the sensor, which has just polled, to leave it alone.
    """

    def __init__(
        self,
        *,
        wait: dict[str, Any],
        deadline: float,
        poll_interval: float,
        aep_conn_id: str,
        sandbox: str | None,
        asked_to_wait: float = 0.0,
    ) -> None:
        super().__init__()
        self.wait = wait
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.aep_conn_id = aep_conn_id
        self.sandbox = sandbox
        self.asked_to_wait = asked_to_wait

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_aep.triggers.AepDatasetIngestedTrigger",
            {
                "wait": self.wait,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
                "aep_conn_id": self.aep_conn_id,
                "sandbox": self.sandbox,
                "asked_to_wait": self.asked_to_wait,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent({"version": EVENT_VERSION, **await self._wait()})

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_aep.monitoring.arrivals import IngestionWait

        wait, told, asked = IngestionWait.from_json(self.wait), "", self.asked_to_wait
        while True:
            pause = max(self.poll_interval * random.uniform(0.9, 1.0), asked)
            await _pause(max(0.0, min(pause, self.deadline - time.time())))
            # A loop's timer may ring a little early.
            is_last = time.time() >= self.deadline - 0.05
            try:
                seen = await self._look(wait)
            except Exception as error:
                if _ends_the_wait(error):
                    return {"status": "error", "error": error_to_json(error)}
                now, asked = f"the service gave no answer: {without_words(error)}", 0.0
            else:
                if seen.finished:
                    return {"status": "finished", "result": seen.result, "told": seen.told}
                wait, now, asked = seen.wait, seen.told, seen.wait_seconds
            if is_last:
                return {"status": "timeout", "last_seen": now}
            if now != told:
                self.log.info("%s", now)
            told = now

    async def _look(self, wait: IngestionWait) -> Seen:
        from airflow_provider_aep import stats
        from airflow_provider_aep.hooks import AepHook
        from airflow_provider_aep.monitoring.arrivals import look_for_ingestion

        began, answered = time.time(), False
        # A new hook for each poll: a connection that was mended is read anew.
        exchange = look_for_ingestion(wait, now=datetime.fromtimestamp(began, tz=UTC))
        patience = max(self.deadline - began, LAST_LOOK_SECONDS)
        try:
            converse = AepHook(self.aep_conn_id, sandbox=self.sandbox).arun(exchange)
            seen = await asyncio.wait_for(converse, patience)
            answered = seen.answered
        finally:
            stats.polled(time.time() - began, failed=not answered)
        return seen


def _ends_the_wait(error: Exception) -> TypeGuard[AepError]:
    """Whether another poll would come to the same.

    A login that is refused is not: one rotated secret must not fail all tasks that wait.
    """
    if isinstance(error, AepAuthError):
        return error.status == 403
    return isinstance(error, AepError) and not isinstance(error, AepConfigError)


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)
