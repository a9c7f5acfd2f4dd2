"""Waiting in the triggerer: how a sensor defers, and what it makes of the event that resumes it."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_aep.errors import OUTAGES, AepError, error_from_json

if TYPE_CHECKING:
    from airflow_provider_aep.sensors.roles import Deferring, Waiting

# A run takes minutes: of a window that began so lately, none has ended.
YOUNG = timedelta(minutes=5)
# Seconds in which a triggerer has taken up a trigger.
FIRST_LOOK_WITHIN = 900.0


def begin(sensor: Waiting, context: Any) -> dict[str, Any]:
    """Begin to wait: poll once, and defer where that does not end the wait.

    In a young window a poll would not end it. The trigger polls first then, and the worker does not load what
    polls, which costs half as much as its start.
    """
    # Found out once: ``look`` takes it from there.
    sensor.known_wait = wait = sensor.wait_without_asking(context)
    if wait and not wait.run_ids and datetime.now(tz=UTC) - wait.started_after < YOUNG:
        defer(sensor, new_deadline(sensor), first_look_by=first_look_by(time.time(), sensor.poke_interval))
    return execute_deferrable(sensor, context)


def execute_deferrable(sensor: Waiting, context: Any, deadline: float | None = None) -> dict[str, Any]:
    """Poll once on the worker, and defer where that does not end the wait.

    :param deadline: when to give up, in epoch seconds; by default as the sensor's timeouts say from now on.
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
    """Leave the worker until the trigger has an event, or time out where nothing is left of the wait."""
    left = deadline - time.time()
    if left <= 0:
        sensor.time_out(sensor.last_seen)
    sensor.defer(
        trigger=trigger,
        method_name=method_name,
        kwargs={"deadline": deadline},
        # The trigger ends the wait itself and says what it saw last. Airflow's own timeout, which
        # cannot, is there for a triggerer that is dead.
        timeout=timedelta(seconds=left + 60 + 2 * sensor.poke_interval),
    )
    raise AssertionError("unreachable: deferring raises")


def first_look_by(began: float, poke_interval: float) -> float:
    """Until when a trigger takes it that nobody has looked before; all in epoch seconds.

    One that starts later takes the place of one that has, as after a restart of the triggerer.
    """
    return began + FIRST_LOOK_WITHIN + 2 * poke_interval


def defer(sensor: Waiting, deadline: float, *, first_look_by: float = 0.0) -> NoReturn:
    """Go on waiting in the triggerer, for what the sensor waits for.

    Where an outage kept it from finding that out, it only waits until the service answers, and polls again.

    :param first_look_by: until when nobody has polled, where the sensor has not.
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

    :param deadline: that of the wait; ``None`` where an older version of the provider deferred.
    """
    from airflow_provider_aep.monitoring.waits import Sighting, Wait

    told = ending(sensor, event)
    if told.get("wait"):
        # Airflow has rendered the templates anew, and one may tell of the present moment.
        sensor.known_wait = Wait.from_json(sensor.dataflow_id, told["wait"])
    if told["status"] == "again":
        return execute_deferrable(sensor, context, deadline)
    if not told.get("runs"):
        raise lost(sensor)
    if (verdict := sensor.conclude(context, Sighting.from_json(told))) is not None:
        return verdict
    # Judging met an outage. The next poll finds the runs as they are.
    with suppress(*OUTAGES):
        sensor.wait_of(context)
    defer(sensor, new_deadline(sensor) if deadline is None else deadline)


def resume_polling(sensor: Waiting, context: Any, event: Any, deadline: float) -> dict[str, Any]:
    """The service answers again: find out what to wait for, and wait."""
    ending(sensor, event)
    return execute_deferrable(sensor, context, deadline)


def ending(sensor: Deferring, event: Any) -> dict[str, Any]:
    """What a trigger's event tells of a wait that came to its end; raises for any other."""
    from airflow_provider_aep.monitoring.waits import EVENT_VERSION

    told = event if isinstance(event, dict) and event.get("version") == EVENT_VERSION else {}
    if told.get("status") in ("finished", "again"):
        return told
    if told.get("status") == "timeout":
        if told.get("in_vain"):
            sensor.give_up(told.get("last_seen"))
        sensor.time_out(told.get("last_seen"))
    if told.get("status") == "error" and isinstance(told.get("error"), dict):
        raise error_from_json(told["error"])
    raise lost(sensor)


def lost(sensor: Deferring) -> AepError:
    return AepError(
        "the trigger's event is lost or not of this provider's version, so the outcome of "
        f"{sensor.what} is unknown; clear the task to look again"
    )
