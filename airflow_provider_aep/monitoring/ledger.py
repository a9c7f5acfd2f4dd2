"""The ledger: records and bytes that exports have exported, by day, month and calendar year. Pure.

Days are those of a time zone, and a run belongs to the day on which it started. Counts are those of the runs,
which Adobe calls indicative. A run without a count counts as unknown, never as zero. Runs that are no longer
listed are missing: an account says from when on it is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal

from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.run_counts import DatasetCount
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.schedule import is_readable
from airflow_provider_aep.monitoring.ticks import DEADLINE, SKEW
from airflow_provider_aep.times import midnight

Measure = Literal["records", "bytes"]
Period = Literal["day", "month", "year"]
Subject = Literal["export", "dataset", "destination", "sandbox"]

# Clocks differ by less; a start that lies further ahead is a wrong number, and the run belongs to no day.
AHEAD = timedelta(minutes=15)
DAY = timedelta(days=1)
# After the id of a dataflow: the counts that its runs do not report by dataset.
UNTOLD = " (not told apart)"
# No run exports so many records or bytes: such a number would drown those of all others.
BEYOND_BELIEF = 10**18
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The finished runs of one dataflow in a year.

    :param runs: those that started in the year, oldest first, without their documents.
    :param since: from when on it could have exported: the start of the year, or its creation.
    :param known_from: from when on all its runs are known; later than ``since`` if some may be missing. If
        they could not be read, this is the moment of the attempt.
    :param datasets: the datasets that it exports, if they are known.
    :param undated: how many runs belong to no day, because their times are missing or cannot be right.
    :param under_way: how many have not finished; they count once they have.
    :param why: why its runs could not be read; empty if they could.
    :param zone: the time zone of its days.
    """

    flow: Dataflow
    runs: Sequence[DataflowRun]
    since: datetime
    known_from: datetime
    zone: tzinfo = UTC
    datasets: Sequence[str] = ()
    undated: int = 0
    under_way: int = 0
    why: str = ""

    @property
    def missing(self) -> timedelta:
        """How much of the year is not listed, or was not read because of a limit."""
        return timedelta() if self.why else max(self.known_from - self.since, timedelta())

    @property
    def unknown_until(self) -> datetime | None:
        """Until when runs may be missing from the sums; ``None`` if all are known."""
        return self.known_from if self.missing or (self.why and self.known_from > self.since) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one run exported on a day, in all or of one dataset.

    :param runs: 1, or 0 for the remainder of a run that its counts by dataset leave.
    """

    subject: str
    day: date
    records: int | None
    bytes: int | None
    runs: int = 1
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """The sum of entries.

    :param records_unknown: how many runs have no count of records.
    :param bytes_unknown: how many runs have no count of bytes.
    """

    runs: int = 0
    failed: int = 0
    records: int = 0
    records_unknown: int = 0
    bytes: int = 0
    bytes_unknown: int = 0

    def plus(self, entry: Entry) -> Sum:
        return Sum(
            runs=self.runs + entry.runs,
            failed=self.failed + entry.failed,
            records=self.records + (entry.records or 0),
            records_unknown=self.records_unknown + (entry.records is None),
            bytes=self.bytes + (entry.bytes or 0),
            bytes_unknown=self.bytes_unknown + (entry.bytes is None),
        )

    def of(self, measure: Measure) -> tuple[int, int]:
        """The sum of the known counts, and how many runs have none."""
        if measure == "records":
            return self.records, self.records_unknown
        return self.bytes, self.bytes_unknown

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def year_of(year: int, zone: tzinfo) -> tuple[datetime, datetime]:
    """A calendar year in a time zone: its first moment, and that of the next, in UTC."""
    return midnight(date(year, 1, 1), zone), midnight(date(year + 1, 1, 1), zone)


def account_of(
    flow: Dataflow,
    runs: Iterable[DataflowRun],
    *,
    year: int,
    known_from: datetime,
    now: datetime,
    zone: tzinfo = UTC,
    datasets: Sequence[str] = (),
    why: str = "",
) -> Account:
    """The account of a dataflow, from runs as the service lists them.

    :param known_from: from when on all its runs are listed.
    """
    first, end = year_of(year, zone)
    since = max(first, flow.created_at) if flow.created_at else first
    # A dataflow that was created a tick ago and has its first run is known as a whole.
    begins = since + max(flow.step, DAY) if since > first else since
    if known_from <= begins or not _may_have_run(flow, since, known_from):
        known_from = since
    runs = list(runs)
    finished = [run for run in runs if run.finished]
    dated = [run for run in finished if run.started_at and run.started_at <= now + AHEAD]
    return Account(
        flow=flow,
        runs=sorted((_lean(run) for run in dated if first <= _started(run)[0] < end), key=_started),
        since=min(since, end),
        known_from=min(known_from, end),
        zone=zone,
        datasets=datasets,
        undated=len(finished) - len(dated),
        under_way=len(runs) - len(finished),
        why=why,
    )


def _lean(run: DataflowRun) -> DataflowRun:
    """A run without its document, which would be too much for a year, and without incredible counts."""
    counts = [
        count._replace(records=_credible(count.records), bytes=_credible(count.bytes))
        for count in run.dataset_counts
    ]
    return replace(
        run,
        records_out=_credible(run.records_out),
        bytes_out=_credible(run.bytes_out),
        dataset_counts=tuple(counts),
        raw={},
    )


def _credible(count: int | None) -> int | None:
    return count if count is not None and count < BEYOND_BELIEF else None


def _may_have_run(flow: Dataflow, since: datetime, first_run: datetime) -> bool:
    """Whether its schedule may have had a tick before that of its first listed run.

    After a change of the schedule, this cannot be ruled out.
    """
    if not is_readable(flow.schedule) or flow.changed_at is None or flow.changed_at > first_run:
        return True
    return bool(flow.ticks(since, first_run - (flow.step or DEADLINE) + SKEW))


def _started(run: DataflowRun) -> tuple[datetime, str]:
    return run.started_at or datetime.min.replace(tzinfo=UTC), run.id


def entries_of(account: Account, subject: Subject) -> Iterator[Entry]:
    """The entries of an account, each under the name of its subject."""
    for run in account.runs:
        if subject == "dataset":
            yield from _by_dataset(run, account)
        else:
            yield _entry(_name(account, subject), run, account, run.records_out, run.bytes_out)


def _name(account: Account, subject: Subject) -> str:
    flow = account.flow
    return {"export": flow.id, "destination": flow.destination or "(unknown)"}.get(subject, "sandbox")


def is_incomplete(
    accounts: Iterable[Account], subject: Subject, period: Period
) -> Callable[[str, str], bool]:
    """A function of subject and period, such as ``("s3", "2026-11")``: whether runs may be missing from the
    sum there.
    """
    gaps: dict[str, list[tuple[str, str]]] = {}
    for account in accounts:
        if account.unknown_until is None:
            continue
        names = {entry.subject for entry in entries_of(account, subject)}
        # It may have exported these as well, although no known run did.
        names |= {*account.datasets} if subject == "dataset" else {_name(account, subject)}
        last = account.unknown_until - _INSTANT
        gap = period_of(account.since, period, account.zone), period_of(last, period, account.zone)
        for name in names:
            gaps.setdefault(name, []).append(gap)
    return lambda name, when: any(first <= when <= last for first, last in gaps.get(name, ()))


def _entry(
    subject: str, run: DataflowRun, account: Account, records: int | None, bytes_: int | None
) -> Entry:
    day = _started(run)[0].astimezone(account.zone).date()
    return Entry(subject=subject, day=day, records=records, bytes=bytes_, failed=int(not run.delivered))


def _by_dataset(run: DataflowRun, account: Account) -> Iterator[Entry]:
    named, not_apart = run.dataset_ids or tuple(account.datasets), account.flow.id + UNTOLD
    if len(named) == 1:
        yield _entry(named[0], run, account, run.records_out, run.bytes_out)
        return
    counts = {count.dataset_id: count for count in run.dataset_counts}
    records = [counts[dataset_id].records for dataset_id in named if dataset_id in counts]
    bytes_ = [counts[dataset_id].bytes for dataset_id in named if dataset_id in counts]
    rest_records, rest_bytes = _rest(run.records_out, records), _rest(run.bytes_out, bytes_)
    if not counts:
        yield _entry(not_apart, run, account, run.records_out, run.bytes_out)
        return
    for dataset_id in named:
        count = counts.get(dataset_id) or DatasetCount(dataset_id=dataset_id)
        yield _entry(dataset_id, run, account, count.records, count.bytes)
    if rest_records or rest_bytes:
        day = _started(run)[0].astimezone(account.zone).date()
        yield Entry(subject=not_apart, day=day, records=rest_records, bytes=rest_bytes, runs=0)


def _rest(total: int | None, parts: Iterable[int | None]) -> int:
    """What a run exported beyond its counts by dataset."""
    return max((total or 0) - sum(filter(None, parts)), 0)


_KEYS: dict[Period, Callable[[date], str]] = {
    "day": lambda day: day.isoformat(),
    "month": lambda day: f"{day:%Y-%m}",
    "year": lambda day: f"{day:%Y}",
}


def period_of(moment: datetime, period: Period, zone: tzinfo) -> str:
    """The name of the period in which a moment lies: "2026-11-28", "2026-11" or "2026"."""
    return _KEYS[period](moment.astimezone(zone).date())


def sums(entries: Iterable[Entry], period: Period) -> dict[tuple[str, str], Sum]:
    """The sums of entries by subject and period, such as ``("s3", "2026-11")``; no key without an entry."""
    totals: dict[tuple[str, str], Sum] = {}
    for entry in entries:
        key = entry.subject, _KEYS[period](entry.day)
        totals[key] = totals.get(key, Sum()).plus(entry)
    return dict(sorted(totals.items()))


def total(accounts: Iterable[Account], since: datetime, until: datetime) -> Sum:
    """The sum of all exports from ``since`` on and before ``until``; both are the start of a day."""
    whole = Sum()
    for account in accounts:
        first, end = since.astimezone(account.zone).date(), until.astimezone(account.zone).date()
        for entry in entries_of(account, "sandbox"):
            if first <= entry.day < end:
                whole = whole.plus(entry)
    return whole
