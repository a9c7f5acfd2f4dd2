"""Operator that lists the datasets that can be exported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_aep.arguments import Text
from airflow_provider_aep.operators.base import AepOperator

__all__ = ["AepListDatasetsOperator"]


class AepListDatasetsOperator(AepOperator):
    """List the datasets of the sandbox that can be exported.

    :param name_contains: only those whose name contains this text, in any letter case. Templated.
    :return: a list of dicts with ``id``, ``name`` and ``description``, for
        ``AepCreateSourceConnectionOperator(datasets=...)``.
    """

    template_fields: Sequence[str] = (*AepOperator.template_fields, "name_contains")
    name_contains = Text(optional=True)

    def __init__(self, *, name_contains: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name_contains = name_contains

    def execute(self, context: Any) -> list[dict[str, Any]]:
        from airflow_provider_aep.flowservice.datasets import list_datasets

        datasets = self.hook.run(list_datasets(name_contains=self.name_contains))
        self.log.info("Datasets found in sandbox %s: %d", self.hook.sandbox, len(datasets))
        return [dataset.to_json() for dataset in datasets]
