"""What all sensors of this provider share: the connection, and being lenient alike in every mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    conf,
)

from airflow_provider_aep.errors import AepError

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_aep.hooks import AepHook


class AepSensor(BaseSensorOperator):
    """Base of the sensors.

    :param poke_interval: seconds between two looks; by default ``[aep] poll_interval``, 60.
    :param deferrable: wait in the triggerer.
    :param aep_conn_id: the Airflow connection, of type ``aep``. Templated.
    :param sandbox: overrides the connection's sandbox. Templated.
    """

    ui_color = "#fbe3e0"

    def __init__(
        self,
        *,
        poke_interval: float | timedelta | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        aep_conn_id: str = "aep_default",
        sandbox: str | None = None,
        **kwargs: Any,
    ) -> None:
        if poke_interval is None:  # neither given nor in default_args
            poke_interval = conf.getfloat("aep", "poll_interval", fallback=60.0)
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.deferrable = deferrable
        self.aep_conn_id = aep_conn_id
        self.sandbox = sandbox
        self.asked_to_wait = 0.0

    @cached_property
    def hook(self) -> AepHook:
        from airflow_provider_aep.hooks import AepHook

        return AepHook(self.aep_conn_id, sandbox=self.sandbox)

    @property
    def execution_seconds(self) -> float:
        return self.execution_timeout.total_seconds() if self.execution_timeout else float("inf")

    @contextmanager
    def _lenient(self) -> Iterator[None]:
        """``soft_fail`` and ``never_fail`` as in poke mode, in which alone all Airflow versions agree."""
        try:
            yield
        except (AirflowFailException, AirflowSensorTimeout, AepError) as error:
            if self.never_fail or (self.soft_fail and not isinstance(error, AepError)):
                # Airflow puts words of its own in the place of these when a deferred task resumes.
                self.log.warning("%s", error)
                raise AirflowSkipException(str(error)) from error
            raise

    def _get_next_poke_interval(self, started_at: Any, run_duration: Any, poke_count: int) -> float:
        # A service that asks to be left alone is, also when Airflow's own loop does the waiting.
        usual = float(super()._get_next_poke_interval(started_at, run_duration, poke_count))
        left = float(self.timeout - run_duration())
        return max(usual, min(self.asked_to_wait, left))
