"""The triggers of the sensors. They only read; they never create or cancel anything."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import AsyncIterator, Hashable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_aep._airflow import BaseEventTrigger
from airflow_provider_aep.errors import AepAuthError, AepConfigError, AepError, error_to_json, without_words
from airflow_provider_aep.triggers.polls import converse, look, poll_of

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.arrivals import IngestionSighting, IngestionWait
    from airflow_provider_aep.monitoring.shared_poll import SharedPoll

# No dataflow has this id: any response to it shows that the service responds.
NO_DATAFLOW = "00000000-0000-0000-0000-000000000000"
# The poll at the deadline may take this long; Airflow's own timeout of the task comes later.
LAST_LOOK_SECONDS = 30.0


class _Written(BaseTrigger):
    """A trigger that keeps its arguments under their names."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        cls = type(self)
        names = [name for name in inspect.signature(cls.__init__).parameters if name != "self"]
        # Airflow stores this path. It names the package, so that a class may move to another module of it.
        module = __package__ if cls.__module__ == __name__ else cls.__module__
        return f"{module}.{cls.__qualname__}", {name: getattr(self, name) for name in names}


class _AepTrigger(_Written, BaseEventTrigger):
    """Waits in the poll that all waiters of a connection and sandbox share; fires once."""

    # Airflow's event triggers have no queue; these defer a task, and so have one.
    supports_triggerer_queue = True
    aep_conn_id: str
    sandbox: str | None

    def shared_stream_key(self) -> Hashable:
        """All waiters of one connection and sandbox share one poll (Airflow 3.3 and later)."""
        return ("aep-dataflow-runs", self.aep_conn_id, self.sandbox)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """Poll for as long as Airflow knows of a waiter. Nothing is broadcast.

        A broadcast would wake a thousand waiters for one result; the poll wakes the waiter concerned itself.
        """
        await poll_of(_new_poll, kwargs["aep_conn_id"], kwargs["sandbox"]).run()
        yield  # never reached; it makes this function a generator

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        poll = poll_of(_new_poll, self.aep_conn_id, self.sandbox)
        yield self._event(await self._first() or await self._wait(poll))

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same where Airflow shares no streams: before 3.3, and in ``dag.test()``."""
        poll = poll_of(_new_poll, self.aep_conn_id, self.sandbox)
        yield self._event(await self._first() or await poll.run_while_waiting(self._wait(poll)))

    def _event(self, ending: dict[str, Any]) -> TriggerEvent:
        from airflow_provider_aep.monitoring.waits import EVENT_VERSION

        return TriggerEvent({"version": EVENT_VERSION, **ending})

    async def _first(self) -> dict[str, Any]:
        """The event of a trigger that ends before it waits in the poll; empty if it has to wait."""
        return {}

    async def _wait(self, poll: SharedPoll) -> dict[str, Any]:
        raise NotImplementedError


class AepDataflowRunTrigger(_AepTrigger):
    """Waits until the runs of a dataflow that started in a window have finished.

    All waiters of one connection and sandbox in a triggerer share one poll.

    :param dataflow_id: the dataflow.
    :param started_after: the window's start, ISO 8601.
    :param started_before: its end, ISO 8601; ``None`` leaves it open.
    :param expected_runs: how many runs there must be.
    :param deadline: when to give up, in epoch seconds; absolute, so that a restart of the triggerer
        does not extend it.
    :param poll_interval: seconds between two polls, at most.
    :param aep_conn_id: the Airflow connection.
    :param sandbox: overrides the connection's.
    :param asked_to_wait: seconds that the service asked to wait when the sensor polled.
    :param wait: a wait for more than a window, in the form of ``Wait.to_json``: a tick, given runs, or an
        end of runs that are stuck. It takes precedence over the window.
    :param first_look_by: the sensor did not poll before it deferred, and until this moment, in epoch seconds,
        no poll of a trigger has been answered either.
    """

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
        first_look_by: float = 0.0,
    ) -> None:
        super().__init__()
        self.first_look_by = first_look_by
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

    async def on_kill(self) -> None:
        """End the wait only; Adobe schedules the dataflow and its runs, which go on."""
        self.log.info("The wait for dataflow %s was ended; its runs go on at Adobe", self.dataflow_id)

    async def _wait(self, poll: SharedPoll) -> dict[str, Any]:
        from airflow_provider_aep.monitoring.waits import Wait

        # A trigger that an older version stored has only a window.
        window = {
            "started_after": self.started_after,
            "started_before": self.started_before,
            "expected": self.expected_runs,
        }
        try:
            wait = Wait.from_json(self.dataflow_id, self.wait or window)
        except AepError as error:
            return {"status": "error", "error": error_to_json(error)}
        ended = await poll.wait(
            wait,
            deadline=self.deadline,
            interval=self.poll_interval,
            first_pause=self.asked_to_wait,
            tell=lambda message: self.log.info("Dataflow %s: %s", self.dataflow_id, message),
            with_flow=True,
            fresh=time.time() < self.first_look_by,
        )
        return {**ended, "wait": self.wait} if self.wait else ended


class AepExportsTrigger(_AepTrigger):
    """Waits for the ticks of many dataflows, until all have ended or one has news to report.

    Its event only says that it is time to poll: the worker reads and judges the runs.

    :param dues: the ticks, in the form of ``dues_to_json``; if empty, it waits until the service responds.
    :param run_policy: the arguments of a ``RunPolicy``, which decides what is news.
    :param tells_soon: whether to fire for an export that is not plainly good while others are under way.
    :param deadline: when to give up, in epoch seconds.
    :param poll_interval: seconds between two polls, at most.
    :param pause: the trigger does not fire in its first so many seconds. News that arrives in them is
        reported together.
    :param asked_to_wait: seconds that the service asked to wait when the sensor polled.
    :param aep_conn_id: the Airflow connection.
    :param sandbox: overrides the connection's.
    """

    def __init__(
        self,
        *,
        dues: list[dict[str, Any]],
        run_policy: dict[str, Any],
        tells_soon: bool,
        deadline: float,
        poll_interval: float,
        pause: float,
        aep_conn_id: str,
        sandbox: str | None,
        asked_to_wait: float = 0.0,
    ) -> None:
        super().__init__()
        self.dues = dues
        self.run_policy = run_policy
        self.tells_soon = tells_soon
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.pause = pause
        self.asked_to_wait = asked_to_wait
        self.aep_conn_id = aep_conn_id
        self.sandbox = sandbox

    async def on_kill(self) -> None:
        """End the wait only; Adobe schedules the dataflows and their runs, which go on."""
        self.log.info("The wait for the exports was ended; their runs go on at Adobe")

    async def _wait(self, poll: SharedPoll) -> dict[str, Any]:
        from airflow_provider_aep.monitoring.dues import dues_from_json, is_news
        from airflow_provider_aep.monitoring.policy import RunPolicy
        from airflow_provider_aep.monitoring.waits import Wait

        began = time.monotonic()
        try:
            policy = RunPolicy(**self.run_policy)
            waits = [due.wait(policy) for due in dues_from_json(self.dues)]
        except AepError as error:
            return {"status": "error", "error": error_to_json(error)}
        if not waits:
            waits = [Wait(dataflow_id=NO_DATAFLOW, started_after=datetime.now(tz=UTC), expected=0)]
        waiting = [
            asyncio.ensure_future(
                poll.wait(
                    wait,
                    deadline=self.deadline,
                    interval=self.poll_interval,
                    first_pause=self.asked_to_wait,
                )
            )
            for wait in waits
        ]
        try:
            left = set(waiting)
            while left:
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                if self.tells_soon and any(is_news(task.result(), policy) for task in done):
                    break
            self.log.info("%d of %d exports have come to an end", len(waiting) - len(left), len(waiting))
            if (rest := self.pause - (time.monotonic() - began)) > 0:
                await _pause(rest)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        return {"status": "finished", "deadline": self.deadline}


def _new_poll(aep_conn_id: str, sandbox: str | None) -> SharedPoll:
    from airflow_provider_aep.hooks import metrics
    from airflow_provider_aep.monitoring.shared_poll import SharedPoll

    return SharedPoll(
        partial(look, aep_conn_id=aep_conn_id, sandbox=sandbox),
        observe=metrics.observer((aep_conn_id, sandbox)),
    )


class AepDatasetIngestedTrigger(_Written):
    """Waits until data were ingested into datasets.

    :param wait: the wait, in the form of ``IngestionWait.to_json``.
    :param deadline: when to give up, in epoch seconds; absolute, so that a restart of the triggerer
        does not extend it.
    :param poll_interval: seconds between two polls.
    :param aep_conn_id: the Airflow connection.
    :param sandbox: overrides the connection's.
    :param asked_to_wait: seconds that the service asked to wait when the sensor polled.
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

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow_provider_aep.monitoring.waits import EVENT_VERSION

        yield TriggerEvent({"version": EVENT_VERSION, **await self._wait()})

    async def _wait(self) -> dict[str, Any]:
        from airflow_provider_aep.monitoring.arrivals import IngestionWait

        wait, logged, asked = IngestionWait.from_json(self.wait), "", self.asked_to_wait
        while True:
            pause = max(self.poll_interval * random.uniform(0.9, 1.0), asked)
            await _pause(max(0.0, min(pause, self.deadline - time.time())))
            # A timer of the event loop may fire a little early.
            is_last = time.time() >= self.deadline - 0.05
            try:
                seen = await self._look(wait)
            except Exception as error:
                if ends_the_wait(error):
                    return {"status": "error", "error": error_to_json(error)}
                now, asked = f"the service gave no answer: {without_words(error)}", 0.0
            else:
                if seen.finished:
                    return {"status": "finished", "result": seen.result, "told": seen.told}
                wait, now, asked = seen.wait, seen.told, seen.wait_seconds
            if is_last:
                return {"status": "timeout", "last_seen": now}
            if now != logged:
                self.log.info("%s", now)
            logged = now

    async def _look(self, wait: IngestionWait) -> IngestionSighting:
        from airflow_provider_aep.hooks import metrics
        from airflow_provider_aep.monitoring.arrivals import look_for_ingestion

        began, answered = time.time(), False
        exchange = look_for_ingestion(wait, now=datetime.fromtimestamp(began, tz=UTC))
        patience = max(self.deadline - began, LAST_LOOK_SECONDS)
        try:
            seen = await asyncio.wait_for(converse(exchange, self.aep_conn_id, self.sandbox), patience)
            answered = seen.answered
        finally:
            metrics.polled(time.time() - began, failed=not answered)
        return seen


def ends_the_wait(error: Exception) -> TypeGuard[AepError]:
    """Whether another poll would fail in the same way.

    A refused login does not end a wait: one rotated secret must not fail all waiting tasks.
    """
    if isinstance(error, AepAuthError):
        return error.status == 403
    return isinstance(error, AepError) and not isinstance(error, AepConfigError)


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)
