"""Moments that are templates: what can be checked when the DAG is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_aep.arguments import is_template
from airflow_provider_aep.errors import AepValidationError, Problem

# The arguments that are moments, or contain some, of whatever operator or sensor.
MOMENTS = (
    *("started_after", "started_before", "tick", "ticks", "ingested_after"),
    *("due_from", "due_until", "since", "until"),
)
# The names in a template of dates and times that Airflow renders in UTC without an offset.
_UTC_TEXT = re.compile(r"(?<![\w.'\"])((?:(?:yesterday|tomorrow|prev|next)_)?ds(?:_nodash)?|ts_nodash)\b")
# A moment that a template itself writes, without the offset that it has. In between it may be moved, but not
# to another time zone: then the author has thought of it.
_CUT_OFF = re.compile(
    r"(?<!['\"])\b(?:(data_interval_(?:start|end)|(?:logical|execution)_date|run_after)"
    r"(?s:(?!\}\}|%\}|in_timezone|in_tz|astimezone).)*?"
    r"(\.(?:strftime|format|date|naive|to_date_string|to_datetime_string))\b(?!\([^)]*(?:%:?z|Z))"
    r"|(ts)(?=\[))"
)
_OFFSET_AT_END = re.compile(r"(?:Z|[+-]\d\d:?\d\d|T\d[\d:.]*[+-]\d\d)(?:['\"]\s*-?\}\})?\s*$")


def check_moments(given: Mapping[str, Any]) -> None:
    """Reject a template that Airflow renders in UTC, and that would be read in another zone.

    It would shift a window by some hours, so that an earlier run might pass for the right one.

    :param given: arguments of a task, or of the ``partial`` of a mapped one, by name.
    :raises AepValidationError: when the DAG is parsed.
    """
    templates = dict(each for name in MOMENTS for each in _templates(name, given.get(name)))
    utc_words = {
        name: "".join(filter(None, written.groups()))
        for name, text in templates.items()
        if not _OFFSET_AT_END.search(text)
        if (written := _UTC_TEXT.search(text) or _CUT_OFF.search(text))
    }
    if not utc_words:
        return
    # Imported here: most DAG files have no such template.
    from airflow_provider_aep.hooks.days import zone_of_days

    zone = str(zone_of_days())
    if zone.endswith("UTC"):
        return
    rule = (
        "takes {{{{ {} }}}}, which Airflow writes in UTC and without an offset, and [aep] timezone is {}: "
        "give {{{{ data_interval_start }}}}, or add an offset at the end"
    )
    raise AepValidationError(
        "the times", [Problem(name, rule.format(word, zone)) for name, word in utc_words.items()]
    )


def _templates(name: str, given: Any) -> Iterable[tuple[str, str]]:
    if is_template(given):
        yield name, given
    elif isinstance(given, Mapping):
        for key, each in given.items():
            yield from _templates(f"{name}/{key}", each)
    elif isinstance(given, list | tuple):
        for at, each in enumerate(given):
            yield from _templates(f"{name}/{at}", each)
