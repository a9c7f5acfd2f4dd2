"""Times as people say them: spans in words, ISO 8601 durations, and days of a time zone.

pendulum is imported inside functions alone, so a DAG file pays for it only where it uses one of these.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pendulum

HOUR, DAY = 3600, 86_400
SPAN_RULE = "an ISO 8601 duration such as 'PT2H'"


def span_words(span: timedelta | float, *, exact: bool = False) -> str:
    """A span in words: ``45 seconds``, ``22 hours 57 minutes``, ``3 days 4 hours``, ``30 days``.

    :param span: a number is one of seconds. What is negative counts as nothing.
    :param exact: to the second, for a limit and what is compared with it.
    """
    import pendulum

    seconds = max(span.total_seconds() if isinstance(span, timedelta) else span, 0.0)
    if seconds < 0.995:
        return f"{seconds:.2g} seconds"
    unit = 1 if exact or seconds < 120 else 60 if seconds < DAY else HOUR
    seconds = round(seconds / unit) * unit
    # From a week on pendulum counts in weeks.
    days, rest = divmod(seconds, DAY)
    if days < 7:
        return pendulum.duration(seconds=seconds).in_words(locale="en")
    if not exact or not rest:
        return f"{round(seconds / DAY)} days"
    return f"{days} days {pendulum.duration(seconds=rest).in_words(locale='en')}"


def read_span(text: str) -> timedelta:
    """A span from an ISO 8601 duration.

    :raises ValueError: it is none, or has no fixed length; the message is the rule that it breaks.
    """
    import pendulum

    date = text.partition("T")[0]
    if date[:1] == "P" and set("YM") & set(date):
        raise ValueError(f"must not be in months or years, whose length varies, as {text} is: give days")
    try:
        found = pendulum.parse(text) if date[:1] == "P" and text[-1] not in "PT" else None
    except (ValueError, OverflowError):
        found = None
    if not isinstance(found, pendulum.Duration):
        raise ValueError(f"must be {SPAN_RULE}")
    return found.as_timedelta()


def zone_names() -> tuple[str, ...]:
    """The names of all time zones, as IANA gives them."""
    import pendulum

    return tuple(pendulum.timezones())


def zone_of(name: str) -> tzinfo | None:
    """The time zone of an IANA name, or the machine's for ``system``; ``None`` where there is none."""
    import pendulum
    from pendulum.tz.local_timezone import get_local_timezone

    if name.casefold() == "utc":
        return UTC
    if name == "system":
        return get_local_timezone()
    return pendulum.Timezone(name) if name in zone_names() else None


def midnight(day: date, zone: tzinfo) -> datetime:
    """The first moment of a day in a time zone, in UTC."""
    # Where clocks skip midnight that is the moment at which they do; where they repeat it, the earlier one.
    return datetime.combine(day, time(), zone).astimezone(UTC)


class ClockError(ValueError):
    """A time that the clocks of a time zone do not show exactly once; the message is the rule it breaks."""


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC, to the microsecond, as a plain datetime: pendulum's pickles otherwise.

    :param moment: with an offset.
    """
    there = moment.astimezone(UTC)
    return datetime.combine(there.date(), there.time(), UTC)


def in_pendulum(moment: datetime) -> pendulum.DateTime:
    """The same moment, as Airflow's timetables count."""
    import pendulum

    return pendulum.instance(moment)


def from_local(moment: datetime, zone: tzinfo) -> datetime:
    """A moment in UTC from what the clocks of a time zone show.

    :param moment: without an offset.
    :raises ClockError: the clocks never show it, or twice.
    """
    both = [moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1)]
    before, after = (each.astimezone(UTC) for each in both)
    if before > after:
        raise ClockError(f"never comes in {zone}, whose clocks are put forward over it: give another time")
    if before < after:
        offsets = " or ".join(each.isoformat()[-6:] for each in both)
        raise ClockError(f"comes twice in {zone}, whose clocks are put back: add its offset, {offsets}")
    return before
