"""Allowances: how much may be exported in a month or a calendar year, and whether it will do. Pure.

A forecast is linear: each export goes on as on the days that are known, until its schedule or the period
ends. Its first runs are full exports, and no measure of what follows. What is not known of the period is
taken to have been like the rest, and told apart from what was counted.

Adobe's license usage dashboard has the metrics "Data Exports" and "Data Export Size": the size of datasets
that may be exported, and what dataset activations have sent, within a year. Whether that year is the calendar
year, and whether a failed run counts, is not said. Source: license usage dashboard guide, read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.schedule import parse_moment, schedule_words
from airflow_provider_aep.flowservice.validation import nearest
from airflow_provider_aep.monitoring.ledger import DAY, Account, Measure, total, year_of
from airflow_provider_aep.times import midnight

UNITS = {
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGTP", 1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGTP", 1)},
}
_INSTANT = timedelta(microseconds=1)
# Of fewer known days nothing is forecast.
LEAST_DAYS = 3
# From so much of the allowance on a finding says that it is nearly used up.
NEAR = 0.9
MOST = 10**18
_FORM = re.compile(r"(\w+)=([0-9]{1,18}(?:\.[0-9]{1,6})?) ?([A-Za-z]*)/(\w+)", re.ASCII)
_EXAMPLES = "such as exported_bytes=5TB/year or exported_records=2000000/month"

Status = Literal["ok", "near", "forecast", "used_up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """At most so much in each month or calendar year.

    :param limit: in bytes, or records.
    """

    measure: Measure
    limit: int
    period: Literal["month", "year"]

    @property
    def key(self) -> str:
        return f"exported_{self.measure}/{self.period}"

    def window(self, now: datetime, zone: tzinfo = UTC) -> tuple[datetime, datetime]:
        """The period in which a moment lies, in UTC; in the time zone it begins at midnight."""
        today = now.astimezone(zone).date()
        if self.period == "year":
            return year_of(today.year, zone)
        first = today.replace(day=1)
        return midnight(first, zone), midnight((first + DAY * 31).replace(day=1), zone)


def parse_allowances(given: object) -> tuple[Allowance, ...]:
    """Allowances as they are written: ``exported_bytes=5TB/year``; one text, or several; ``None`` is none.

    :raises AepValidationError: one cannot be read, is zero, or is given twice.
    """
    if given is None:
        return ()
    several = given if isinstance(given, list | tuple) else [given]
    found: dict[str, Allowance] = {}
    for each in several:
        one = _parse(each)
        if one.key in found:
            raise _refused(f"is given twice for {one.key}: give it once")
        found[one.key] = one
    return tuple(found.values())


def _parse(given: object) -> Allowance:
    read = _FORM.fullmatch(given.strip()) if isinstance(given, str) else None
    if read is None:
        raise _refused(f"must be a text of the form NAME=AMOUNT/PERIOD, {_EXAMPLES}")
    name, amount, unit, period = read.groups()
    names = ["exported_bytes", "exported_records"]
    if name not in names:
        raise _refused(f"must begin with exported_bytes or exported_records{nearest(name, names)}")
    if period not in ("month", "year"):
        raise _refused(f"must end with /month or /year{nearest(period, ['month', 'year'])}")
    measure: Measure = "bytes" if name == "exported_bytes" else "records"
    if measure == "records" and (unit or "." in amount):
        raise _refused(
            "of records must be a whole number without a unit, such as exported_records=2000000/year"
        )
    if measure == "bytes" and unit not in UNITS:
        raise _refused(f"of bytes needs one of the units {', '.join(UNITS)}, {_EXAMPLES}")
    limit = int(Decimal(amount) * UNITS.get(unit, 1))
    if not 1 <= limit <= MOST:
        raise _refused(f"must be at least 1 and at most {MOST:,}")
    return Allowance(measure=measure, limit=limit, period="month" if period == "month" else "year")


def _refused(rule: str) -> AepValidationError:
    return AepValidationError("the ledger", [Problem("allowance", rule)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outlook:
    """What there is to say of one export beyond what was counted.

    :param past: an estimate of what is not told or not known of the period.
    :param a_day: what it exports on a day; ``None`` where nothing can be concluded.
    :param coming: what it will export until the period ends.
    """

    past: float = 0.0
    a_day: float | None = 0.0
    coming: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an allowance stands at a moment.

    :param used: what was counted in the period.
    :param unknown: how many runs of the period do not say.
    :param known_from: from when on all exports are known; later than ``since`` where something is missing.
    :param estimated: what is not told or not known of the period, taken to be like the rest.
    :param forecast: at the end of the period; ``None`` where no export tells enough.
    :param without: how many exports the forecast leaves out, as too little is known of them.
    :param unread: how many exports could not be read.
    :param reached_at: when the allowance will be used up, if it will in this period.
    :param zone: where the days are that it tells.
    """

    allowance: Allowance
    since: datetime
    until: datetime
    used: int
    unknown: int
    known_from: datetime
    estimated: int
    forecast: int | None
    without: int
    unread: int
    reached_at: datetime | None
    zone: tzinfo = UTC

    @property
    def share(self) -> float:
        return self.used / self.allowance.limit

    @property
    def status(self) -> Status:
        if self.used >= self.allowance.limit:
            return "used_up"
        if self.forecast is not None and self.forecast > self.allowance.limit:
            return "forecast"
        return "near" if self.share >= NEAR else "ok"

    @property
    def series(self) -> str:
        """The same for one allowance and period, whatever its status."""
        return f"allowance:{self.allowance.key}:{self.allowance.limit}:{self._day(self.since):%Y-%m}"

    @property
    def key(self) -> str:
        """The same for one allowance, period and status, whenever it is found."""
        return f"{self.series}:{self.status}"

    @property
    def told(self) -> str:
        """The same in one sentence, with the numbers."""
        limit, period = amount(self.allowance.limit, self.allowance.measure), self.allowance.period
        used = amount(self.used, self.allowance.measure)
        at_least = "at least " if self.unknown or self.unread or self.known_from > self.since else ""
        told = f"{at_least}{used} of the {limit} for this {period} are exported ({self.share:.0%})"
        if self.known_from > self.since:
            told += f", known from {self._day(self.known_from)} on"
        if self.unknown:
            told += f", {self.unknown} run{'' if self.unknown == 1 else 's'} without a count"
        if self.unread:
            told += f", {self.unread} export{'' if self.unread == 1 else 's'} not readable"
        return f"{told}; {self._told_forecast()}"

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def _told_forecast(self) -> str:
        if self.forecast is None:
            return f"no forecast: no export is known for {LEAST_DAYS} days"
        told = f"a linear forecast to {self._day(self.until - _INSTANT)} says "
        told += amount(self.forecast, self.allowance.measure)
        if self.estimated:
            estimated = amount(self.estimated, self.allowance.measure)
            told += f", with {estimated} estimated for what is not known"
        if self.without:
            told += f", without {self.without} export{'' if self.without == 1 else 's'} known too short"
        if self.status == "used_up":
            return f"{told}; it is used up"
        if self.used + self.estimated >= self.allowance.limit:
            return f"{told}; it may be used up already"
        return f"{told}; it is used up on {self._day(self.reached_at)}" if self.reached_at else told

    def to_json(self) -> dict[str, Any]:
        return {
            "allowance": self.allowance.key,
            "limit": self.allowance.limit,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "used": self.used,
            "share": round(self.share, 4),
            "unknown_runs": self.unknown,
            "unread_exports": self.unread,
            "known_from": self.known_from.isoformat(),
            "estimated": self.estimated,
            "forecast": self.forecast,
            "forecast_without": self.without,
            "reached_at": self.reached_at.isoformat() if self.reached_at else None,
            "status": self.status,
            "told": self.told,
        }


def standing_of(
    allowance: Allowance, accounts: Sequence[Account], now: datetime, zone: tzinfo = UTC
) -> Standing:
    """How an allowance stands.

    :param accounts: of the year in which ``now`` lies.
    :param zone: that of the accounts.
    """
    since, until = allowance.window(now, zone)
    counted = total(accounts, since, until)
    used, unknown = counted.of(allowance.measure)
    outlooks = [_outlook(one, allowance.measure, since, until, now) for one in accounts if not one.why]
    told = [one for one in outlooks if one.a_day is not None]
    past = sum(one.past for one in outlooks)
    a_day, coming = sum(one.a_day or 0.0 for one in told), sum(one.coming for one in told)
    forecast = used + past + coming if told or not accounts else None
    reached_at = None
    if forecast is not None and used < allowance.limit < forecast:
        days = max(allowance.limit - used - past, 0.0) / a_day if a_day else 0.0
        reached_at = min(now + DAY * min(days, 366), until - timedelta(seconds=1))
    known_from = max((one.known_from for one in accounts if one.missing), default=since)
    return Standing(
        allowance=allowance,
        since=since,
        until=until,
        used=used,
        unknown=unknown,
        known_from=max(known_from, since),
        estimated=round(past),
        forecast=None if forecast is None else round(forecast),
        without=len(outlooks) - len(told),
        unread=sum(bool(one.why) for one in accounts),
        reached_at=reached_at,
        zone=zone,
    )


def _outlook(one: Account, measure: Measure, since: datetime, until: datetime, now: datetime) -> _Outlook:
    first = _first_runs(one)
    counted = [
        (run, run.records_out if measure == "records" else run.bytes_out)
        for run in one.runs
        if run.id not in first
    ]
    # A run that failed and tells no count has hardly exported as much as the others.
    usual = [(run, count) for run, count in counted if run.delivered or count is not None]
    told = [count for _, count in usual if count is not None]
    # What is known whole may have begun long after it was created.
    begun = one.known_from if one.missing or not one.runs else one.runs[0].started_at or one.known_from
    days = (now - max(one.known_from, begun)) / DAY
    ends = _goes_on_until(one, until, now)
    if not usual and ends <= now:
        return _Outlook()
    if days < LEAST_DAYS or not told:
        return _Outlook(a_day=None)
    mean = sum(told) / len(told)
    a_day = mean * len(usual) / days
    untold = sum(
        count is None and run.started_at is not None and since <= run.started_at < until
        for run, count in usual
    )
    missing = max((one.known_from - max(one.since, since)) / DAY, 0.0)
    going = a_day if ends > now else 0.0
    return _Outlook(past=mean * untold + a_day * missing, a_day=going, coming=a_day * (ends - now) / DAY)


def _first_runs(one: Account) -> set[str]:
    """The first, full exports, where they are among what is known: one for each dataset that is named."""
    created_at = one.flow.created_at
    if one.missing or created_at is None:
        return set()
    start = schedule_words(one.flow.schedule)["start"]
    # It may have been made in December, to begin in January.
    if one.since > max(created_at, parse_moment("start", start) if start else created_at):
        return set()
    first: dict[tuple[str, ...], str] = {}
    for run in one.runs:
        if run.delivered:
            first.setdefault(run.dataset_ids, run.id)
    return set(first.values())


def _goes_on_until(one: Account, until: datetime, now: datetime) -> datetime:
    """Until when it will export in the period; ``now`` where it no longer does."""
    flow = one.flow
    # One that exports once may still be run on demand.
    if flow.state != "enabled" or (not flow.step and len(one.runs) < 2):
        return now
    end = schedule_words(flow.schedule)["end"]
    return max(min(until, parse_moment("end", end)) if end else until, now)


def amount(number: int, measure: str) -> str:
    """A number as people read it: "1.2 TB", in thousands as Adobe counts; "12,400 records"."""
    if measure == "records":
        return f"{number:,} record{'' if number == 1 else 's'}"
    value, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{value:,.0f} B" if unit == "B" else f"{value:,.1f} {unit}"


def worst_of(standings: Iterable[Standing]) -> Status:
    """The worst status; ``ok`` of none."""
    order: Sequence[Status] = ("ok", "near", "forecast", "used_up")
    return max((one.status for one in standings), key=order.index, default="ok")
