"""Moments that are templates: what can be checked when the DAG is parsed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_aep.arguments import is_template

# The arguments that are moments, or contain some, of whatever operator or sensor.
MOMENTS = (
    *("started_after", "started_before", "tick", "ticks", "ingested_after"),
    *("due_from", "due_until", "since", "until"),
)


def check_moments(given: Mapping[str, Any]) -> None:
    """Reject a template that Airflow renders in UTC, and that would be read in another zone.

    :param given: arguments of a task, or of the ``partial`` of a mapped one, by name.
    :raises AepValidationError: when the DAG is parsed.
    """
    templates = dict(each for name in MOMENTS for each in _templates(name, given.get(name)))
    if templates:
        from airflow_provider_aep.hooks.days import refuse_utc_texts

        refuse_utc_texts(templates)


def _templates(name: str, given: Any) -> Iterable[tuple[str, str]]:
    if is_template(given):
        yield name, given
    elif isinstance(given, Mapping):
        for key, each in given.items():
            yield from _templates(f"{name}/{key}", each)
    elif isinstance(given, list | tuple):
        for at, each in enumerate(given):
            yield from _templates(f"{name}/{at}", each)
