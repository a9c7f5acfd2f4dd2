"""Moments that are templates: what can be checked when the DAG is parsed."""

from __future__ import annotations

from typing import Any

from airflow_provider_aep.arguments import is_template


def check_moments(task: Any, *names: str) -> None:
    """Reject a template that Airflow renders in UTC, and that would be read in another zone.

    :raises AepValidationError: when the DAG is parsed.
    """
    templates = {name: given for name in names if is_template(given := getattr(task, name))}
    if templates:
        from airflow_provider_aep.hooks.days import refuse_utc_texts

        refuse_utc_texts(templates)
