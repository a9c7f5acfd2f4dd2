"""Waiting in the triggerer: how a sensor defers, and what it makes of the event that resumes it."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_aep.errors import OUTAGES, AepError, error_from_json

if TYPE_CHECKING:
    from airflow_provider_aep.sensors.roles import Deferring, Waiting

# A run takes minutes, so no run of a window that began this recently has ended.
YOUNG = timedelta(minutes=5)
# Seconds within which a triggerer starts a trigger.
FIRST_LOOK_WITHIN = 900.0


def begin(sensor: Waiting, context: Any) -> dict[str, Any]:
    """Begin the wait: poll once, and defer unless that ends the wait.

    In a young window it would not. So the trigger makes the first poll, and the worker does not load the
    modules that poll, which costs half as much as its start.
    """
    # Determined once; ``look`` uses it.
    sensor.known_wait = wait = sensor.wait_without_asking(context)
    if wait and not wait.run_ids and datetime.now(tz=UTC) - wait.started_after < YOUNG:
        defer(sensor, new_deadline(sensor), first_look_by=first_look_by(time.time(), sensor.poke_interval))
    return execute_deferrable(sensor, context)


def execute_deferrable(sensor: Waiting, context: Any, deadline: float | None = None) -> dict[str, Any]:
    """Poll once on the worker, and defer unless that ends the wait.

    :param deadline: when to give up, in epoch seconds; by default the sensor's timeouts count from now.
    """
    deadline = new_deadline(sensor) if deadline is None else deadline
    sighting = sensor.look(context)
    if sighting.finished and (verdict := sensor.conclude(context, sighting)) is not None:
        return verdict
    if sighting.in_vain:
        sensor.give_up(sighting.told)
    defer(sensor, deadline)


def new_deadline(sensor: Deferring) -> float:
    # Airflow 3 does not count the time in the triggerer towards the execution_timeout.
    return time.time() + min(sensor.timeout, sensor.execution_seconds)


def suspend(sensor: Deferring, trigger: Any, method_name: str, *, deadline: float) -> NoReturn:
    """Leave the worker until the trigger has an event, or time out if the deadline has passed."""
    left = deadline - time.time()
    if left <= 0:
        sensor.time_out(sensor.last_seen)
    sensor.defer(
        trigger=trigger,
        method_name=method_name,
        kwargs={"deadline": deadline},
        # The trigger ends the wait itself and says what it saw last. Airflow's own timeout cannot say
        # that; it is for a dead triggerer.
        timeout=timedelta(seconds=left + 60 + 2 * sensor.poke_interval),
    )
    raise AssertionError("unreachable: deferring raises")


def first_look_by(began: float, poke_interval: float) -> float:
    """Until when a trigger that starts may assume that nobody has polled yet; all in epoch seconds.

    A trigger that starts later replaces one that has polled, as after a restart of the triggerer.
    """
    return began + FIRST_LOOK_WITHIN + 2 * poke_interval


def defer(sensor: Waiting, deadline: float, *, first_look_by: float = 0.0) -> NoReturn:
    """Go on waiting in the triggerer.

    If an outage kept the sensor from finding out what to wait for, the trigger only waits until the service
    responds, and the sensor polls again.

    :param first_look_by: until when the trigger may assume that nobody has polled; zero if the sensor has.
    """
    from airflow_provider_aep.flowservice.validation import check_id
    from airflow_provider_aep.monitoring.waits import Wait
    from airflow_provider_aep.triggers import AepDataflowRunTrigger

    known = sensor.known_wait
    wait = known or Wait(
        dataflow_id=check_id("dataflow_id", sensor.dataflow_id),
        started_after=datetime.now(tz=UTC),
        expected=0,
    )
    suspend(
        sensor,
        AepDataflowRunTrigger(
            dataflow_id=sensor.dataflow_id,
            started_after=wait.started_after.isoformat(),
            started_before=wait.started_before.isoformat() if wait.started_before else None,
            asked_to_wait=sensor.asked_to_wait,
            expected_runs=wait.expected,
            deadline=deadline,
            poll_interval=sensor.poke_interval,
            aep_conn_id=sensor.aep_conn_id,
            sandbox=sensor.sandbox,
            wait=wait.to_json(),
            first_look_by=first_look_by,
        ),
        "execute_complete" if known else "execute_again",
        deadline=deadline,
    )


def resume(sensor: Waiting, context: Any, event: Any, deadline: float | None) -> dict[str, Any]:
    """Judge what the trigger saw; anything but a well-formed event fails the task.

    :param deadline: the deadline of the wait; ``None`` if an older version of the provider deferred the task.
    """
    from airflow_provider_aep.monitoring.waits import Sighting, Wait

    payload = ending(sensor, event)
    if payload.get("wait"):
        # Airflow has rendered the templates again, and one of them may depend on the current time.
        sensor.known_wait = Wait.from_json(sensor.dataflow_id, payload["wait"])
    if payload["status"] == "again":
        return execute_deferrable(sensor, context, deadline)
    if not payload.get("runs"):
        raise lost(sensor)
    if (verdict := sensor.conclude(context, Sighting.from_json(payload))) is not None:
        return verdict
    # An outage prevented the verdict. The next poll reads the runs again.
    with suppress(*OUTAGES):
        sensor.wait_of(context)
    defer(sensor, new_deadline(sensor) if deadline is None else deadline)


def resume_polling(sensor: Waiting, context: Any, event: Any, deadline: float) -> dict[str, Any]:
    """Find out what to wait for, now that the service responds again, and wait."""
    ending(sensor, event)
    return execute_deferrable(sensor, context, deadline)


def ending(sensor: Deferring, event: Any) -> dict[str, Any]:
    """The event, if the task can go on with it; raises for a timeout, an error, or a malformed event."""
    from airflow_provider_aep.monitoring.waits import EVENT_VERSION

    payload = event if isinstance(event, dict) and event.get("version") == EVENT_VERSION else {}
    if payload.get("status") in ("finished", "again"):
        return payload
    if payload.get("status") == "timeout":
        if payload.get("in_vain"):
            sensor.give_up(payload.get("last_seen"))
        sensor.time_out(payload.get("last_seen"))
    if payload.get("status") == "error" and isinstance(payload.get("error"), dict):
        raise error_from_json(payload["error"])
    raise lost(sensor)


def lost(sensor: Deferring) -> AepError:
    return AepError(
        "the trigger's event is lost or comes from another version of this provider, so the outcome of "
        f"{sensor.what} is unknown; clear the task to poll again"
    )
