"""Moments as DAG authors, templates and Adobe write them, and windows between two of them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.validation import nearest
from airflow_provider_aep.times import ClockError, from_local, in_utc, midnight, zone_names, zone_of

# Epoch seconds of an export lie between these: 1973 and the year 5138.
EARLIEST, LATEST = 1e8, 1e11
NO_WIDTH = (
    'On Airflow 3 both ends of a data interval are the same moment if the schedule is "@hourly" or another '
    "cron expression: schedule the DAG by a CronDataIntervalTimetable (docs/sensor.md)."
)


def parse_window(due_from: Any, due_until: Any, zone: tzinfo = UTC) -> tuple[datetime, datetime]:
    """The two ends of a window of ticks; ``due_until`` itself is not in it.

    :param zone: of ends without an offset.
    :raises AepValidationError: an end is no moment, or the window has no width.
    """
    start, end = parse_moment("due_from", due_from, zone), parse_moment("due_until", due_until, zone)
    if end <= start:
        raise AepValidationError(
            "the window", [Problem("due_until", "must be later than due_from")], NO_WIDTH
        )
    return start, end


def check_zone(field: str, name: object) -> tzinfo:
    """The time zone with an IANA name.

    :raises AepValidationError: there is none with that name.
    """
    zone = zone_of(name) if isinstance(name, str) else None
    if zone is None:
        meant = nearest(name, zone_names()) if isinstance(name, str) else ""
        rule = f"must be the name of a time zone, such as Europe/Berlin{meant}"
        raise AepValidationError("the times", [Problem(field, rule)])
    return zone


def parse_moment(field: str, given: object, zone: tzinfo = UTC) -> datetime:
    """A moment in UTC from ISO 8601, a ``datetime``, or epoch seconds.

    :param zone: the zone of a time without an offset, and of the midnight at which a date begins.
    :raises AepValidationError: it is none of these.
    """
    problems: list[Problem] = []
    moment = moment_of(field, given, problems, zone)
    if moment is None:
        raise AepValidationError("the times", problems or [Problem(field, "is missing")])
    return moment


def moment_of(field: str, given: object, problems: list[Problem], zone: tzinfo = UTC) -> datetime | None:
    """``parse_moment`` that adds to ``problems``; ``None`` if nothing was given, or no moment."""
    if given is None or given == "":
        return None
    try:
        if isinstance(given, int) and not isinstance(given, bool):
            given = str(given)
        # eight digits are a date, as {{ ds_nodash }} renders it
        if isinstance(given, str) and not re.fullmatch(r"\d{1,7}|\d{9,17}(\.\d+)?", given):
            given = _day_or_moment(given)
        if isinstance(given, datetime):
            return in_utc(given) if given.tzinfo else from_local(given, zone)
        if isinstance(given, date):
            return midnight(given, zone)
        if isinstance(given, float | str):
            seconds = float(given)
            if seconds > LATEST:
                problems.append(
                    Problem(
                        field, "must be in epoch seconds; this looks like milliseconds: divide it by 1000"
                    )
                )
                return None
            if seconds >= EARLIEST:
                return datetime.fromtimestamp(seconds, tz=UTC)
    except ClockError as error:
        problems.append(Problem(field, str(error)))
        return None
    except (ValueError, OverflowError, OSError):
        pass  # reported below, with all other unreadable values
    rule = "must be a moment such as 2026-12-01T00:00:00Z (ISO 8601), a datetime, or epoch seconds"
    problems.append(Problem(field, rule))
    return None


def _day_or_moment(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)
