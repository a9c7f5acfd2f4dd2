"""The time zone of days and of moments without an offset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from airflow_provider_aep._airflow import conf
from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem
from airflow_provider_aep.flowservice.schedule import check_zone, parse_moment

# The names in a template of dates and times that Airflow renders in UTC without an offset.
_UTC_TEXT = re.compile(r"(?<![\w.'\"])((?:(?:yesterday|tomorrow|prev|next)_)?ds(?:_nodash)?|ts_nodash)\b")
# The same of a moment that a template writes itself, without the offset that it has.
_CUT_OFF = re.compile(
    r"(?<!['\"])\b((?:data_interval_(?:start|end)|(?:logical|execution)_date|run_after)"
    r"\.(?:strftime|format|date|naive|to_date_string|to_datetime_string)\b(?!\([^)]*(?:%:?z|Z))"
    r"|ts(?=\[))"
)
_OFFSET_AT_END = re.compile(r"(?:Z|[+-]\d\d:?\d\d)(?:['\"]\s*-?\}\})?\s*$")


def zone_of_days() -> tzinfo:
    """The time zone in ``[aep] timezone``, by default in Airflow's ``[core] default_timezone``.

    :raises AepConfigError: the setting names no time zone.
    """
    name = conf.get("aep", "timezone", fallback="") or conf.get("core", "default_timezone", fallback="utc")
    try:
        return check_zone("timezone", name)
    except AepValidationError as error:
        raise AepConfigError(f"[aep] {error.problems[0]}") from None


def moment_in_zone(field: str, given: object) -> datetime:
    """A moment in UTC; one without an offset is taken to be in ``[aep] timezone``.

    :raises AepValidationError: it is no moment, or the clocks of that zone never show it, or twice.
    :raises AepConfigError: the setting names no time zone.
    """
    return parse_moment(field, given, zone_of_days())


def refuse_utc_texts(templates: Mapping[str, Any]) -> None:
    """Refuse ``{{ ds }}`` and the like as moments if they would be read in another zone than UTC.

    They would shift a window by some hours, so that an earlier run might pass for the right one.

    :param templates: the arguments, before they are rendered.
    :raises AepValidationError: names every such argument.
    """
    utc_words = {
        name: written[1]
        for name, text in templates.items()
        if isinstance(text, str) and "{" in text and not _OFFSET_AT_END.search(text)
        if (written := _UTC_TEXT.search(text) or _CUT_OFF.search(text))
    }
    if not utc_words or (zone := str(zone_of_days())).endswith("UTC"):
        return
    rule = (
        "takes {{{{ {} }}}}, which Airflow writes in UTC and without an offset, and [aep] timezone is {}: "
        "give {{{{ data_interval_start }}}}, or add an offset at the end"
    )
    raise AepValidationError(
        "the times", [Problem(name, rule.format(word, zone)) for name, word in utc_words.items()]
    )
