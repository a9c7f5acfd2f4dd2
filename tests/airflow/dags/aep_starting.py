"""Sensors that start in the triggerer, beside one that defers; and a sensor ended by its trigger alone."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, BaseOperator
from airflow.triggers.base import StartTriggerArgs

from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.sensors import AepDataflowRunSensor

with DAG("aep_starting", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):
    common: dict[str, Any] = {
        "dataflow_id": "{{ dag_run.conf['dataflow_id'] }}",
        "started_after": "{{ dag_run.conf['started_after'] }}",
        "on_zero_records": "ok",
        "on_zero_when_ingested": "ok",
        "timeout": 60,
        "on_failure_callback": AepRunNotifier(),
    }
    AepDataflowRunSensor(task_id="deferred", deferrable=True, **common)
    AepDataflowRunSensor(task_id="started", start_in_triggerer=True, **common)


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
