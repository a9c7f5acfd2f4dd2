"""Settings of ``[aep]`` that are spans, read by the same rule as arguments."""

from __future__ import annotations

from contextlib import suppress

from airflow_provider_aep._airflow import conf
from airflow_provider_aep.arguments import Span
from airflow_provider_aep.errors import AepConfigError

_ABOVE_ZERO = Span(least=None, above=0)


def poll_interval() -> float:
    """``poll_interval``, in seconds.

    :raises AepConfigError: the setting is no span above zero.
    """
    return span_setting("poll_interval", default="60")


def span_setting(name: str, *, default: str) -> float:
    """A span above zero, in seconds; the setting is a number of seconds or an ISO 8601 duration.

    :raises AepConfigError: the setting is neither.
    """
    given: str | float = conf.get("aep", name, fallback=default).strip()
    with suppress(ValueError):  # a duration, or a text that the rule refuses
        given = float(given)
    if rule := _ABOVE_ZERO.broken(given):
        raise AepConfigError(f"[aep] {name} {rule}")
    return _ABOVE_ZERO.kept(given).total_seconds()
