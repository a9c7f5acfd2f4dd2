"""The end of an export, reported while there is still time to extend it.

``scheduleParams`` counts epoch *seconds* in UTC; the time left is given in days, or in hours below two days.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from airflow_provider_aep.flowservice.schedule import schedule_words
from airflow_provider_aep.times import span_words

ENDS_SOON = timedelta(days=14)


class Expiry(NamedTuple):
    """The end of an export that is over, or soon will be.

    :param days: until the end; zero or less if it has passed.
    :param words: a predicate for a sentence, such as ``ended on 2026-12-01 00:00 UTC``.
    """

    days: float
    words: str


def expiry_of(
    schedule_params: Mapping[str, Any], *, now: datetime, within: timedelta = ENDS_SOON
) -> Expiry | None:
    """How near the end of an export is; ``None`` if it is far, or there is none, or it exports once.

    :param schedule_params: Adobe's; an unreadable end counts as none.
    :param within: an end further away than this is far.
    """
    words = schedule_words(schedule_params)
    if words["every"] == "once" or words["end"] is None:
        return None
    end = datetime.fromisoformat(words["end"])
    if end - now > within:
        return None
    days = (end - now) / timedelta(days=1)
    on = f"on {end:%Y-%m-%d %H:%M} UTC"
    return Expiry(days, f"ended {on}" if days <= 0 else f"ends in {span_words(end - now)}, {on}")
