"""Allowances: how much may be exported in a month or a calendar year, and whether that will be enough. Pure.

A forecast is linear: each export goes on as on the known days, until its schedule or the period ends. Its
first runs are full exports, and no measure of later ones. Unknown parts of the period are assumed to be like
the rest, and are reported apart from what was counted.

Adobe's license usage dashboard has the metrics "Data Exports" and "Data Export Size": the size of datasets
that may be exported, and the size that dataset activations have sent, within a year. It does not say whether
that is the calendar year, or whether failed runs count. Source: license usage dashboard guide, read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Literal

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.moments import parse_moment
from airflow_provider_aep.flowservice.schedule import schedule_words
from airflow_provider_aep.flowservice.validation import nearest
from airflow_provider_aep.monitoring.ledger import DAY, Account, Measure, total, year_of
from airflow_provider_aep.times import midnight

UNITS = {
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGTP", 1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGTP", 1)},
}
_INSTANT = timedelta(microseconds=1)
# With fewer known days than this, there is no forecast.
LEAST_DAYS = 3
# From this share on, an allowance is nearly used up.
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
        """The period that contains a moment, in UTC; it begins at midnight of the time zone."""
        today = now.astimezone(zone).date()
        if self.period == "year":
            return year_of(today.year, zone)
        first = today.replace(day=1)
        return midnight(first, zone), midnight((first + DAY * 31).replace(day=1), zone)


def parse_allowances(given: object) -> tuple[Allowance, ...]:
    """Allowances from texts such as ``exported_bytes=5TB/year``: one text, several, or ``None``.

    :raises AepValidationError: one is malformed, is zero, or is given twice.
    """
    if given is None:
        return ()
    several = given if isinstance(given, list | tuple) else [given]
    allowances: dict[str, Allowance] = {}
    for text in several:
        allowance = _parse(text)
        if allowance.key in allowances:
            raise _refused(f"is given twice for {allowance.key}: give it once")
        allowances[allowance.key] = allowance
    return tuple(allowances.values())


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
    """Estimates for one export, beyond what was counted.

    :param past: an estimate for the runs without a count and the unknown days of the period.
    :param a_day: how much it exports in a day; ``None`` if too little is known.
    :param coming: how much it will export until the period ends.
    """

    past: float = 0.0
    a_day: float | None = 0.0
    coming: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an allowance stands at a moment.

    :param used: the amount counted in the period.
    :param unknown: how many runs of the period have no count.
    :param known_from: from when on all exports are known; later than ``since`` if something is missing.
    :param estimated: an estimate for the runs without a count and the unknown days of the period.
    :param forecast: at the end of the period; ``None`` if too little is known of every export.
    :param without: how many exports the forecast leaves out, because too little is known of them.
    :param unread: how many exports could not be read.
    :param reached_at: when the allowance will be used up, if that is in this period.
    :param zone: the time zone of the days in its texts.
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
        """Identifies an allowance and its period, whatever the status."""
        return f"allowance:{self.allowance.key}:{self.allowance.limit}:{self._day(self.since):%Y-%m}"

    @property
    def key(self) -> str:
        """Identifies an allowance, its period and the status, whenever it is found."""
        return f"{self.series}:{self.status}"

    @property
    def told(self) -> str:
        """A sentence with the numbers."""
        limit, period = amount(self.allowance.limit, self.allowance.measure), self.allowance.period
        used = amount(self.used, self.allowance.measure)
        at_least = "at least " if self.unknown or self.unread or self.known_from > self.since else ""
        sentence = f"{at_least}{used} of the {limit} for this {period} are exported ({self.share:.0%})"
        if self.known_from > self.since:
            sentence += f", known from {self._day(self.known_from)} on"
        if self.unknown:
            sentence += f", {self.unknown} run{'' if self.unknown == 1 else 's'} without a count"
        if self.unread:
            sentence += f", {self.unread} export{'' if self.unread == 1 else 's'} not readable"
        return f"{sentence}; {self._told_forecast()}"

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def _told_forecast(self) -> str:
        if self.forecast is None:
            return f"no forecast: no export is known for {LEAST_DAYS} days"
        sentence = f"a linear forecast to {self._day(self.until - _INSTANT)} says "
        sentence += amount(self.forecast, self.allowance.measure)
        if self.estimated:
            estimated = amount(self.estimated, self.allowance.measure)
            sentence += f", with {estimated} estimated for what is not known"
        if self.without:
            sentence += f", without {self.without} export{'' if self.without == 1 else 's'} known too briefly"
        if self.status == "used_up":
            return f"{sentence}; it is used up"
        if self.used + self.estimated >= self.allowance.limit:
            return f"{sentence}; it may be used up already"
        return f"{sentence}; it is used up on {self._day(self.reached_at)}" if self.reached_at else sentence

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
    """How an allowance stands at ``now``.

    :param accounts: of the year that contains ``now``.
    :param zone: that of the accounts.
    """
    since, until = allowance.window(now, zone)
    counted = total(accounts, since, until)
    used, unknown = counted.of(allowance.measure)
    readable = [account for account in accounts if not account.why]
    outlooks = [_outlook(account, allowance.measure, since, until, now) for account in readable]
    known = [outlook for outlook in outlooks if outlook.a_day is not None]
    past = sum(outlook.past for outlook in outlooks)
    a_day = sum(outlook.a_day or 0.0 for outlook in known)
    coming = sum(outlook.coming for outlook in known)
    forecast = used + past + coming if known or not accounts else None
    reached_at = None
    if forecast is not None and used < allowance.limit < forecast:
        days = max(allowance.limit - used - past, 0.0) / a_day if a_day else 0.0
        reached_at = min(now + DAY * min(days, 366), until - timedelta(seconds=1))
    known_from = max((account.known_from for account in accounts if account.missing), default=since)
    return Standing(
        allowance=allowance,
        since=since,
        until=until,
        used=used,
        unknown=unknown,
        known_from=max(known_from, since),
        estimated=round(past),
        forecast=None if forecast is None else round(forecast),
        without=len(outlooks) - len(known),
        unread=len(accounts) - len(readable),
        reached_at=reached_at,
        zone=zone,
    )


def _outlook(account: Account, measure: Measure, since: datetime, until: datetime, now: datetime) -> _Outlook:
    first = _first_runs(account)
    counted = [
        (run, run.records_out if measure == "records" else run.bytes_out)
        for run in account.runs
        if run.id not in first
    ]
    # A failed run without a count has hardly exported as much as the others.
    usual = [(run, count) for run, count in counted if run.delivered or count is not None]
    counts = [count for _, count in usual if count is not None]
    # An export whose runs are all known may have begun long after it was created.
    begun = account.runs[0].started_at if account.runs and not account.missing else None
    days = (now - max(account.known_from, begun or account.known_from)) / DAY
    ends = _goes_on_until(account, until, now)
    if not usual and ends <= now:
        return _Outlook()
    if days < LEAST_DAYS or not counts:
        return _Outlook(a_day=None)
    mean = sum(counts) / len(counts)
    a_day = mean * len(usual) / days
    uncounted = sum(
        count is None and run.started_at is not None and since <= run.started_at < until
        for run, count in usual
    )
    missing = max((account.known_from - max(account.since, since)) / DAY, 0.0)
    going = a_day if ends > now else 0.0
    return _Outlook(past=mean * uncounted + a_day * missing, a_day=going, coming=a_day * (ends - now) / DAY)


def _first_runs(account: Account) -> set[str]:
    """The ids of the first, full exports among the known runs: one for each combination of datasets."""
    created_at = account.flow.created_at
    if account.missing or created_at is None:
        return set()
    start = schedule_words(account.flow.schedule)["start"]
    # It may have been created in December, to begin in January.
    if account.since > max(created_at, parse_moment("start", start) if start else created_at):
        return set()
    first: dict[tuple[str, ...], str] = {}
    for run in account.runs:
        if run.delivered:
            first.setdefault(run.dataset_ids, run.id)
    return set(first.values())


def _goes_on_until(account: Account, until: datetime, now: datetime) -> datetime:
    """Until when it will export in the period; ``now`` if it no longer exports."""
    flow = account.flow
    # A dataflow that exports once may still be run on demand.
    if flow.state != "enabled" or (not flow.step and len(account.runs) < 2):
        return now
    end = schedule_words(flow.schedule)["end"]
    return max(min(until, parse_moment("end", end)) if end else until, now)


def amount(number: int, measure: str) -> str:
    """A number in words: "1.2 TB", in powers of 1000 as Adobe counts; "12,400 records"."""
    if measure == "records":
        return f"{number:,} record{'' if number == 1 else 's'}"
    value, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{value:,.0f} B" if unit == "B" else f"{value:,.1f} {unit}"


def worst_of(standings: Iterable[Standing]) -> Status:
    """The worst status; ``ok`` if there is no standing."""
    order: Sequence[Status] = ("ok", "near", "forecast", "used_up")
    return max((standing.status for standing in standings), key=order.index, default="ok")
