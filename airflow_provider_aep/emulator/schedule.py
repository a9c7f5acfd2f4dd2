"""Schedules of dataset exports: which are allowed, and when they tick.

``scheduleParams`` carry epoch *seconds*. A setting of the emulator says how many seconds of the clock an
"hour" of the schedule lasts, so that a three-hourly export can tick every six seconds in a demo.

Source: export datasets tutorial, the table of export modes, time units and intervals.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_aep.emulator.replies import undocumented

INCREMENTAL, FULL = "FIRST_FULL_THEN_INCREMENTAL", "DAILY_FULL_EXPORT"

# Source: July 2026 release notes: hourly exports. Hour 8 is only in the guide to the user interface; hour 24
# is an older value of the tutorial and is still accepted; a one-time export has the interval 0.
# Assumed: undocumented combinations are refused, unless `any_cadence` is set.
ALLOWED = {
    (INCREMENTAL, "hour"): {1, 3, 6, 8, 9, 12, 24},
    (INCREMENTAL, "day"): {1},
    (FULL, "day"): {0},
}

HOURS = {"minute": 1 / 60, "hour": 1, "day": 24, "week": 168}

# Epoch seconds stay below this until the year 5138; a larger number is milliseconds by mistake.
MILLISECONDS = 100_000_000_000


@dataclass(frozen=True, slots=True)
class Cadence:
    """When a dataflow exports. ``hours`` is the step between two exports, or None for a one-time export."""

    start: int
    end: int
    hours: float | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Cadence:
        interval = int(params["interval"])
        hours = interval * HOURS[str(params["timeUnit"])]
        return cls(int(params["startTime"]), int(params["endTime"]), hours or None)


def checked_schedule(params: object, *, created: float, any_cadence: bool) -> dict[str, Any]:
    """The schedule as the service stores it, or a refusal.

    :param any_cadence: accept any interval of a known unit.
    """
    if not isinstance(params, Mapping):
        raise undocumented("scheduleParams is required")
    unit, interval = params.get("timeUnit"), _whole_number(params, "interval")
    # Assumed: without an exportMode (added in September 2024), the interval decides which one is meant.
    mode = str(params.get("exportMode", FULL if (unit, interval) == ("day", 0) else INCREMENTAL))
    known = interval in ALLOWED.get((mode, str(unit)), set())
    if not known and not (any_cadence and unit in HOURS):
        raise undocumented(
            f"The combination of exportMode {mode}, timeUnit {unit} and interval {interval} is not supported"
        )
    for key in ("foldernameTemplate", "folderNameTemplate"):
        if not isinstance(params.get(key, ""), str):
            raise undocumented(f"scheduleParams.{key} must be a text")
    start = _whole_number(params, "startTime")
    # Source: export datasets tutorial: a missing end time becomes six months after creation.
    end = _whole_number(params, "endTime") if "endTime" in params else _six_months_after(created)
    if max(start, end) >= MILLISECONDS:
        raise undocumented("startTime and endTime are epoch seconds, not milliseconds")
    if "endTime" in params and end <= start:
        raise undocumented("endTime must be after startTime")
    return {**params, "endTime": end}


def _whole_number(params: Mapping[str, Any], key: str) -> int:
    value = params.get(key)
    # Assumed: numbers as text are accepted, as Adobe's Python client sends the interval like this.
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise undocumented(f"scheduleParams.{key} must be a whole number")


def _six_months_after(seconds: float) -> int:
    then = datetime.fromtimestamp(int(seconds), UTC)
    year, month = divmod(then.month - 1 + 6, 12)
    year, month = then.year + year, month + 1
    day = min(then.day, calendar.monthrange(year, month)[1])
    return int(then.replace(year=year, month=month, day=day).timestamp())
