"""The sensor from its start to its end, in each mode, on the emulator's clock; see the fixture ``watch``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pkgutil import resolve_name
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_3_PLUS

from airflow_provider_aep.sensors import AepDataflowRunSensor, starting
from tests.unit.task_instance import FakeTaskInstance, context_of

# The modes that every sensor knows.
PLAIN = ("poke", "reschedule", "deferrable")
MODES = (*PLAIN, "triggerer") if AIRFLOW_V_3_3_PLUS else PLAIN
each_mode = pytest.mark.parametrize("mode", MODES)
each_plain_mode = pytest.mark.parametrize("mode", PLAIN)
HOUR = 3600.0


class OutletEvents(dict[str, Any]):
    """``outlet_events`` of a context; an asset of Airflow 3.0 has no hash."""

    def __getitem__(self, asset: Any) -> SimpleNamespace:
        return self.setdefault(asset.uri, SimpleNamespace(extra={}))


@dataclass
class Outcome:
    """How a sensor ended: its state, the exception or the value, and what it left."""

    state: str
    error: Exception | None = None
    value: Any = None
    deferrals: list[TaskDeferred] = field(default_factory=list)

    @property
    def told(self) -> str:
        return str(self.error)


@dataclass
class Watch:
    """``watch("deferrable", dataflow_id=...)``: the sensor from its start to its end."""

    ti: FakeTaskInstance
    clock: Any
    base: Any
    kind: type[Any] = AepDataflowRunSensor
    between: list[Callable[[], object]] = field(default_factory=list)

    def __call__(self, mode: str, *, between: Iterable[Callable[[], object]] = (), **given: Any) -> Outcome:
        """:param between: what happens during the first, second ... wait."""
        self.between = list(between)
        self.ti.first_look = None
        context = given.pop("context", None) or context_of(self.ti)
        event: Any = None
        outcome = Outcome("running")
        while True:
            try:
                # Each time on another worker: nothing survives but the arguments.
                sensor = self.sensor(mode, **given)
                if mode == "triggerer" and not outcome.deferrals:
                    outcome.value = sensor.execute_started(context, self.begin(sensor, context))
                elif event is None:
                    outcome.value = sensor.execute(context)
                else:
                    deferral = outcome.deferrals[-1]
                    kept = json.loads(json.dumps(deferral.kwargs or {}))
                    outcome.value = sensor.resume_execution(
                        deferral.method_name, {**kept, "event": event}, context
                    )
            except self.base.AirflowRescheduleException as pause:
                self.ti.first_look = self.ti.first_look or self.now()
                self.pass_time(pause.reschedule_date.timestamp() - self.clock())
            except TaskDeferred as deferral:
                outcome.deferrals.append(deferral)
                event = fire(deferral.trigger)
            except AirflowSkipException as error:
                outcome.state, outcome.error = "skipped", error
                return outcome
            except Exception as error:
                outcome.state, outcome.error = "failed", error
                return outcome
            else:
                outcome.state = "success"
                assert json.loads(json.dumps(outcome.value)) == outcome.value
                return outcome

    def sensor(self, mode: str = "poke", **given: Any) -> Any:
        settings = {"task_id": "task", "poke_interval": 600.0, "timeout": 3 * HOUR, **given}
        if mode == "deferrable":
            return self.kind(deferrable=True, **settings)
        if mode == "triggerer":
            return self.kind(start_in_triggerer=True, **settings)
        return self.kind(mode=mode, deferrable=False, **settings)

    def begin(self, sensor: Any, context: Any, *, ago: float = 0.0) -> Any:
        """What the trigger tells in which Airflow starts the sensor.

        :param ago: so many seconds ago another triggerer began it, which is gone.
        """
        args = sensor.start_trigger_args
        trigger = resolve_name(args.trigger_cls)(**json.loads(json.dumps(args.trigger_kwargs, default=str)))
        seconds = min(args.timeout.total_seconds(), sensor.execution_seconds)
        trigger.timeout_after = starting.datetime.fromtimestamp(self.clock() - ago + seconds, tz=UTC)
        trigger.render_template_fields(context)
        return told_by(trigger)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), tz=UTC)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if self.between:
            self.between.pop(0)()


def fire(trigger: Any) -> Any:
    """The payload of the one event of a trigger that went to the triggerer and back as JSON."""
    path, arguments = json.loads(json.dumps(trigger.serialize()))
    return told_by(resolve_name(path)(**arguments))


def told_by(trigger: Any) -> Any:
    """The payload of the one event of a trigger."""

    async def events() -> list[Any]:
        return [event async for event in trigger.run()]

    (event,) = asyncio.run(events())
    return json.loads(json.dumps(event.payload))
