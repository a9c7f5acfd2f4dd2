"""Times as people write them: spans in words, ISO 8601 durations, and days of a time zone.

pendulum is imported only inside functions, so a DAG file loads it only if it uses one of these.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pendulum

HOUR, DAY = 3600, 86_400
SPAN_RULE = "an ISO 8601 duration such as 'PT2H'"
_NOT_FIXED = "must not be in months or years, whose length varies, as {} is: give days"
# pendulum also reads intervals, and units that come twice.
_SPAN = re.compile(r"P(?!$)({0}W)?({0}D)?(T(?!$)({0}H)?({0}M)?({0}S)?)?".format(r"[0-9]+(?:[.,][0-9]+)?"))


def span_words(span: timedelta | float, *, exact: bool = False) -> str:
    """A span in words: ``45 seconds``, ``22 hours 57 minutes``, ``3 days 4 hours``, ``30 days``.

    :param span: a number is in seconds. A negative span counts as zero.
    :param exact: to the second, for a limit and values compared with it.
    """
    import pendulum

    seconds = max(span.total_seconds() if isinstance(span, timedelta) else span, 0.0)
    if seconds < 0.995:
        return f"{seconds:.2g} seconds"
    unit = 1 if exact or seconds < 120 else 60 if seconds < DAY else HOUR
    seconds = round(seconds / unit) * unit
    # From a week on, pendulum would count in weeks.
    days, rest = divmod(seconds, DAY)
    if days < 7:
        return pendulum.duration(seconds=seconds).in_words(locale="en")
    if not exact or not rest:
        return f"{round(seconds / DAY)} days"
    return f"{days} days {pendulum.duration(seconds=rest).in_words(locale='en')}"


def read_span(text: str) -> timedelta:
    """A span from an ISO 8601 duration.

    :raises ValueError: it is no duration, or one without a fixed length; the message is the broken rule.
    """
    import pendulum

    date = text.partition("T")[0]
    if date[:1] == "P" and set("YM") & set(date):
        raise ValueError(_NOT_FIXED.format(text))
    try:
        parsed = pendulum.parse(text) if _SPAN.fullmatch(text) else None
    except (ValueError, OverflowError):
        parsed = None
    if not isinstance(parsed, pendulum.Duration):
        raise ValueError(f"must be {SPAN_RULE}")
    return parsed.as_timedelta()


def fixed_span(span: timedelta) -> timedelta:
    """The same span.

    :raises ValueError: it is a duration of pendulum in months or years; the message is the broken rule.
    """
    if type(span) is timedelta:
        return span
    import pendulum

    # An interval lies between two moments: it has a length, and tells its months all the same.
    if not isinstance(span, pendulum.Duration) or isinstance(span, pendulum.Interval):
        return span
    if span.months or span.years:
        raise ValueError(_NOT_FIXED.format(span))
    return span


def zone_names() -> tuple[str, ...]:
    """The IANA names of all time zones, without those that depend on the machine."""
    import pendulum

    return tuple(name for name in pendulum.timezones() if name not in ("Factory", "localtime"))


def zone_of(name: str) -> tzinfo | None:
    """The time zone with an IANA name; ``None`` if there is none."""
    import pendulum

    if name.casefold() == "utc":
        return UTC
    return pendulum.Timezone(name) if name in zone_names() else None


def zone_here() -> tzinfo:
    """The time zone of this machine."""
    from pendulum.tz.local_timezone import get_local_timezone

    return get_local_timezone()


def midnight(day: date, zone: tzinfo) -> datetime:
    """The first moment of a day in a time zone, in UTC."""
    # If the clocks skip midnight, the moment at which they do; if they repeat it, the earlier one.
    return datetime.combine(day, time(), zone).astimezone(UTC)


class ClockError(ValueError):
    """A time that the clocks of a time zone never show, or show twice; the message is the broken rule."""


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC, to the microsecond, as a plain datetime; pendulum's pickles differently.

    :param moment: with an offset.
    """
    there = moment.astimezone(UTC)
    return datetime.combine(there.date(), there.time(), UTC)


def in_pendulum(moment: datetime) -> pendulum.DateTime:
    """The same moment in the type that Airflow's timetables use."""
    import pendulum

    return pendulum.instance(moment)


def from_local(moment: datetime, zone: tzinfo) -> datetime:
    """A moment in UTC from the local time of a time zone.

    :param moment: without an offset.
    :raises ClockError: the clocks never show it, or twice.
    """
    both = [moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    before, after = (local.astimezone(UTC) for local in both)
    if before > after:
        raise ClockError(f"never comes in {zone}, whose clocks are put forward over it: give another time")
    if before < after:
        offsets = " or ".join(local.isoformat()[-6:] for local in both)
        raise ClockError(f"comes twice in {zone}, whose clocks are put back: add its offset, {offsets}")
    return before
