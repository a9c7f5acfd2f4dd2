"""What the sensors share: the connection, and how a wait ends in each mode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_aep._airflow import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
)
from airflow_provider_aep._settings import poll_interval
from airflow_provider_aep.arguments import Span, Switch, Text, check_partial, problems_of
from airflow_provider_aep.errors import AepError, AepValidationError, Problem
from airflow_provider_aep.operators.links import leave_links
from airflow_provider_aep.operators.moments import check_moments
from airflow_provider_aep.times import span_words

if TYPE_CHECKING:
    from airflow_provider_aep.hooks import AepHook

# Raised as an AirflowSensorTimeout, which Airflow does not retry: another wait could not succeed either.
IN_VAIN = "This wait can no longer succeed."
_AIRFLOWS_SPANS = ("poke_interval", "timeout", "max_wait")
_SPAN = Span()


class AepSensor(BaseSensorOperator):
    """Base of the sensors.

    :param poke_interval: time between two polls: seconds, a ``timedelta`` or, as for ``timeout``, an ISO 8601
        duration; ``None`` if neither the author nor ``default_args`` set it.
    :param deferrable: wait in the triggerer.
    :param aep_conn_id: the Airflow connection, of type ``aep``. Templated.
    :param sandbox: overrides the connection's sandbox. Templated.
    """

    template_fields: Sequence[str] = ("aep_conn_id", "sandbox")
    ui_color = "#fbe3e0"
    aep_conn_id = Text()
    sandbox = Text(optional=True)
    deferrable = Switch()

    def __init__(
        self,
        *,
        poke_interval: Any,
        deferrable: bool,
        aep_conn_id: str,
        sandbox: str | None,
        **kwargs: Any,
    ) -> None:
        if poke_interval is None:
            poke_interval = poll_interval()
        spans = {"poke_interval": poke_interval, **kwargs}
        # Airflow itself accepts no text here. With a float, it may wait for ever.
        ours = {
            name: spans[name]
            for name in _AIRFLOWS_SPANS
            if isinstance(spans.get(name), str | int | timedelta)
        }
        if problems := list(problems_of(dict.fromkeys(ours, _SPAN), ours)):
            raise AepValidationError("the sensor", problems)
        spans |= {name: _SPAN.kept(span) for name, span in ours.items()}
        super().__init__(**spans)
        if self.poke_interval <= 0:
            # Airflow accepts zero, with which a worker or a triggerer would poll without a pause.
            problem = Problem("poke_interval", "must be a number of seconds above 0")
            raise AepValidationError("the sensor", [problem])
        self.deferrable = deferrable
        self.aep_conn_id = aep_conn_id
        self.sandbox = sandbox
        self.last_seen = "nothing yet"
        self.asked_to_wait = 0.0

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        check_partial(cls, kwargs)
        check_moments(kwargs)
        return super().partial(**kwargs)

    def pre_execute(self, context: Any) -> None:
        super().pre_execute(context)
        leave_links(self)

    @cached_property
    def hook(self) -> AepHook:
        from airflow_provider_aep.hooks import AepHook

        return AepHook(self.aep_conn_id, sandbox=self.sandbox)

    def wait_on_worker(self, context: Any) -> Any:
        """Poke or reschedule in Airflow's own loop; a timeout also says what was seen last."""
        try:
            return super().execute(context)
        except (AirflowSensorTimeout, AirflowTaskTimeout) as error:
            raise type(error)(f"{error} Last seen: {self.last_seen}.") from None

    @contextmanager
    def _lenient(self) -> Iterator[None]:
        """Handle ``soft_fail`` and ``never_fail`` as poke mode does: Airflow's versions agree on no other."""
        try:
            yield
        except (AirflowFailException, AirflowSensorTimeout, AepError) as error:
            if self.never_fail or (self.soft_fail and not isinstance(error, AepError)):
                # When a deferred task resumes, Airflow replaces the message of the exception with its own.
                self.log.warning("%s", error)
                raise AirflowSkipException(str(error)) from error
            raise

    def _get_next_poke_interval(self, started_at: Any, run_duration: Any, poke_count: int) -> float:
        # The service's Retry-After also holds while Airflow's own loop waits.
        usual = float(super()._get_next_poke_interval(started_at, run_duration, poke_count))
        left = float(self.timeout - run_duration())
        return max(usual, min(self.asked_to_wait, left))

    def _first_start(self, context: Any) -> datetime | None:
        """When the task first polled, in reschedule mode; ``None`` if it has not yet."""
        ti = context["ti"]
        first_start: datetime | None
        if hasattr(ti, "get_first_reschedule_date"):
            first_start = ti.get_first_reschedule_date(context)
        else:  # on Airflow 2, as its own loop does
            first_try = (ti.max_tries or 0) - (self.retries or 0) + 1
            place = (ti.dag_id, ti.task_id, ti.run_id, ti.map_index)
            first_start = import_module("airflow.sensors.base")._orig_start_date(*place, first_try)
        return first_start

    @property
    def execution_seconds(self) -> float:
        return self.execution_timeout.total_seconds() if self.execution_timeout else float("inf")

    def time_out(self, last_seen: object) -> NoReturn:
        """End the wait at its timeout; the message says what was seen last."""
        if self.execution_seconds < self.timeout:
            raise AirflowTaskTimeout(
                f"The execution_timeout of {span_words(self.execution_seconds, exact=True)} is over. "
                f"Last seen: {last_seen}."
            )
        raise AirflowSensorTimeout(
            f"Sensor has timed out after {span_words(self.timeout, exact=True)}. Last seen: {last_seen}."
        )

    def give_up(self, last_seen: object) -> NoReturn:
        """End a wait that can no longer succeed; the message says what was seen last."""
        raise AirflowSensorTimeout(f"{IN_VAIN} Last seen: {last_seen}.")
