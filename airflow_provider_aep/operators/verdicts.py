"""Fail a task by the verdicts of an earlier task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from airflow_provider_aep._airflow import AirflowFailException, BaseOperator
from airflow_provider_aep.arguments import Argument
from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.operators.base import Upstream
from airflow_provider_aep.operators.xcom_keys import CHECK_KEY

__all__ = ["AepRequireGoodExportsOperator"]


class AepRequireGoodExportsOperator(BaseOperator):
    """Fail if an ``AepExportsSensor`` has a verdict of ``fail``; sends no request to Adobe.

    So the sensor can succeed, and send the asset events of the good exports, while the DAG run fails. This
    task does not alert about the verdicts again.

    :param found: what the sensor returned: its ``output``. Templated.
    :return: the outcome: ``ok``, ``warn`` or ``skip``.
    """

    template_fields: Sequence[str] = ("found",)
    ui_color = "#fbe3e0"
    found = Argument()

    def __init__(self, *, found: Mapping[str, Any] | Upstream, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.found = found

    def execute(self, context: Any) -> str:
        from airflow_provider_aep.monitoring.verdict import bad_in_words

        found = self.found
        if not _is_of_a_sensor(found):
            problem = Problem("found", "must be what an AepExportsSensor returned")
            raise AepValidationError("the arguments", [problem])
        # Tells the notifier, as a callback, that there is nothing to add.
        context["ti"].xcom_push(key=CHECK_KEY, value={"quiet": True, "exports": []})
        totals = found["totals"]
        bad = [verdict for verdict in found["verdicts"] if verdict["outcome"] == "fail"]
        if found["outcome"] == "fail" or bad:
            more = max(totals.get("fail", 0) - len(bad), 0)
            raise AirflowFailException(bad_in_words(bad, sum(totals.values()), more=more))
        self.log.info("All exports are good enough: %s", dict(totals))
        return str(found["outcome"])


def _is_of_a_sensor(found: Any) -> TypeGuard[Mapping[str, Any]]:
    from airflow_provider_aep.monitoring.policy import CONCERN

    if not isinstance(found, Mapping) or found.get("outcome") not in CONCERN:
        return False
    totals, verdicts = found.get("totals"), found.get("verdicts")
    if not isinstance(totals, Mapping) or not all(isinstance(total, int) for total in totals.values()):
        return False
    if not isinstance(verdicts, list | tuple) or not all(
        isinstance(verdict, Mapping) for verdict in verdicts
    ):
        return False
    return all(verdict.get("outcome") in CONCERN for verdict in verdicts) and all(
        {"dataflow_name", "reason"} <= verdict.keys() for verdict in verdicts if verdict["outcome"] == "fail"
    )
