"""A world: exports and their runs, and the truth about each tick and each run.

Two clocks: what a document carries is told by the clock of the service, which may be minutes off; what the
listing shows at which moment is told by ours. Documents count milliseconds, schedules seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Document = Mapping[str, Any]
# What became of a tick. A run that failed and was tried again delivered after all, yet it has to be told.
Fate = Literal["good", "failed", "zero_records", "stuck", "retried", "missing", "incomplete"]
LACKING = ("missing", "incomplete")

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run.

    :param started_at: by the clock of the service, as ``ended_at``; one that never ends has none.
    :param listed_at: from when on the listing shows it; by our clock, as ``end_listed_at``.
    :param wrong: what is wrong with it, in words of findings; one that hung for days and then failed has two.
    :param under_way: the document until its end is listed, as JSON; ``over`` is the one from then on.
    """

    id: str
    dataflow_id: str
    started_at: datetime
    ended_at: datetime | None
    created_at: datetime
    listed_at: datetime
    end_listed_at: datetime | None
    wrong: frozenset[str]
    under_way: bytes = field(repr=False)
    over: bytes = field(repr=False)

    def document_at(self, now: datetime) -> bytes:
        return self.over if self.end_listed_at and self.end_listed_at <= now else self.under_way


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One tick that the schedule owed, by the clock of the service, and what became of it."""

    at: datetime
    step: timedelta
    fate: Fate
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One dataflow and all that became of it.

    :param versions: its document from a moment on, oldest first; ``None`` once it was deleted.
    :param ad_hoc: the runs that no tick owns.
    :param learnt_at: from this tick on it can be known how many runs a tick has.
    """

    id: str
    versions: tuple[tuple[datetime, Document | None], ...] = field(repr=False)
    source_connection: Document = field(repr=False)
    ticks: tuple[Tick, ...] = field(repr=False)
    ad_hoc: tuple[Run, ...] = field(repr=False)
    learnt_at: datetime

    @property
    def runs(self) -> list[Run]:
        return [*(run for tick in self.ticks for run in tick.runs), *self.ad_hoc]

    def document_at(self, now: datetime) -> Document | None:
        """The dataflow as it is listed, or ``None`` before it was made and after it was deleted."""
        seen = [document for since, document in self.versions if since <= now]
        return seen[-1] if seen else None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A history with a known truth.

    :param began: midnight UTC of the first day; ``ends`` is when the last check happens.
    :param checked_from: where the window of the first check begins.
    :param missed_checks: the share of checks that do not happen.
    :param listed_for: how long the listing shows a run.
    :param within_lag: every end is listed within the lag of the checks; where not, it may be told twice.
    """

    name: str
    exports: tuple[Export, ...] = field(repr=False)
    began: datetime
    ends: datetime
    checked_from: datetime
    missed_checks: float = 0.0
    listed_for: timedelta = timedelta(days=90)
    within_lag: bool = True

    @property
    def ticks(self) -> list[Tick]:
        return [tick for export in self.exports for tick in export.ticks]
