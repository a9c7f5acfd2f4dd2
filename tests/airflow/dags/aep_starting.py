"""The parity matrix, started in the triggerer; and a sensor that is ended by its trigger alone."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, BaseOperator, Param
from airflow.triggers.base import StartTriggerArgs

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.sensors import AepDataflowRunSensor
from tests.airflow.kinds import KINDS, PARAMS, WAITS, arguments

callbacks = dict.fromkeys(
    ("on_failure_callback", "on_success_callback", "on_skipped_callback"), AepRunNotifier()
)

with DAG(
    "aep_starting",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    params={name: Param("", type="string") for name in PARAMS},
):
    for kind in (*KINDS, *WAITS):
        AepDataflowRunSensor(task_id=kind, start_in_triggerer=True, **callbacks, **arguments(kind))
    AepDataflowRunSensor(task_id="deferred", deferrable=True, **arguments("success"))


def note(context: Any) -> None:
    """Leave a line in whatever log there is."""
    logging.getLogger(__name__).warning("the callback was called")


class EndsInTrigger(BaseOperator):
    """Ends by an event of its trigger, without a worker."""

    start_from_trigger = True
    start_trigger_args = StartTriggerArgs(
        trigger_cls="tests.airflow.ending.EndingTrigger",
        trigger_kwargs={"how": "success"},
        next_method="execute_complete",
    )

    def __init__(self, how: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="tests.airflow.ending.EndingTrigger",
            trigger_kwargs={"how": how},
            next_method="execute_complete",
        )
        self.start_from_trigger = True

    def execute(self, context: Any) -> None:
        raise AssertionError("no worker starts")


class Take(BaseOperator):
    """Takes one of many numbers."""

    template_fields = ("number",)

    def __init__(self, number: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context: Any) -> Any:
        return self.number


with DAG("aep_ending", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    good = EndsInTrigger(
        task_id="good", how="success", outlets=[Asset("aep-ending")], on_success_callback=note
    )
    Take.partial(task_id="take").expand(number=good.output)
    EndsInTrigger(task_id="skipped", how="skip", on_skipped_callback=note)
    EndsInTrigger(task_id="bad", how="failed", retries=1, retry_delay=1)
