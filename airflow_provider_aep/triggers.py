"""The trigger that waits for dataflow runs. It only reads; nothing is ever created or cancelled here."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_aep.errors import AepError, error_to_json

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.poll import Sighting

# The layout of the event. A worker that meets another one fails the task instead of guessing.
EVENT_VERSION = 1
LOOKS_UNTIL_WHY = 10
# The look at the deadline itself may take this long; Airflow's own timeout of the task comes later.
LAST_LOOK_SECONDS = 30.0


class AepDataflowRunTrigger(BaseTrigger):
    """Waits until the runs of a dataflow that started in a window have finished.

    :param dataflow_id: the dataflow.
    :param started_after: the window's start, ISO 8601.
    :param started_before: its end, ISO 8601; ``None`` leaves it open.
    :param expected_runs: how many runs there must be.
    :param deadline: when to give up, in epoch seconds; absolute, so that a triggerer's restart
        does not start it anew.
    :param poll_interval: seconds between two looks, give or take a tenth.
    :param aep_conn_id: the Airflow connection.
    :param sandbox: overrides the connection's.
    :param asked_to_wait: how long the service asked the sensor, which has just looked, to leave it alone.
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
    ) -> None:
        super().__init__()
        self.dataflow_id = dataflow_id
        self.started_after = started_after
        self.started_before = started_before
        self.asked_to_wait = asked_to_wait
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
                "expected_runs": self.expected_runs,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
                "aep_conn_id": self.aep_conn_id,
                "sandbox": self.sandbox,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent({"version": EVENT_VERSION, **await self._wait()})

    async def _wait(self) -> dict[str, Any]:
        """Look until the runs have finished, the deadline passes, or waiting cannot help any more."""
        told, asked = "nothing yet", self.asked_to_wait
        for look in count(1):
            if (left := self.deadline - time.time()) <= 0:
                break
            # Pausing comes first: the sensor has just looked, and a trigger that fires while its task is
            # still being put to sleep can confuse the scheduler.
            pause = max(self.poll_interval * random.uniform(0.9, 1.1), asked)
            await asyncio.sleep(min(pause, left))
            try:
                # Now and then, and at the last look, it also asks why there is no run: a dataflow that was
                # deleted ends the wait, and a disabled one is what the timeout will tell of.
                ask_why = pause >= left or look % LOOKS_UNTIL_WHY == 0
                patience = max(self.deadline - time.time(), LAST_LOOK_SECONDS)
                sighting = await asyncio.wait_for(self._look(ask_why=ask_why), patience)
            except TimeoutError:
                told = "the service gave no answer in time"
                continue
            except AepError as error:
                return {"status": "error", "error": error_to_json(error)}
            except Exception as error:  # e.g. a connection that the triggerer cannot read
                told = f"{type(error).__name__}: {error}"
                return {"status": "error", "error": error_to_json(AepError(told))}
            if sighting.finished:
                return {"status": "finished", "runs": [dict(run.raw) for run in sighting.runs]}
            told, asked = sighting.told, sighting.wait_seconds
            self.log.info("Dataflow %s: %s", self.dataflow_id, told)
        return {"status": "timeout", "last_seen": told}

    async def _look(self, *, ask_why: bool) -> Sighting:
        from airflow_provider_aep.flowservice.schedule import parse_moment
        from airflow_provider_aep.hooks import AepHook
        from airflow_provider_aep.monitoring.poll import look_for_runs

        before = self.started_before
        exchange = look_for_runs(
            self.dataflow_id,
            now=datetime.now(tz=UTC),
            started_after=parse_moment("started_after", self.started_after),
            started_before=parse_moment("started_before", before) if before else None,
            expected=self.expected_runs,
            ask_why=ask_why,
        )
        return await AepHook(self.aep_conn_id, sandbox=self.sandbox).arun(exchange)
