"""Which runs have finished since somebody last looked: each is told once.

Runs finish in another order than they start, and may be listed a while after they started. So a cursor
is no moment but a window, which begins where a run could still come to light, and the ids of what was told
of it.
The first look tells nothing: what has finished before it is history. No run that was created more than
``REACH`` ago is told.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_aep.errors import AepError, AepNotFoundError
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.runs import list_runs_of
from airflow_provider_aep.monitoring.listings import CREATED_EARLIER, read_many

# How much later than it was created a run may come to light. Adobe itself calls 150 minutes late.
LOOK_BACK = timedelta(hours=3)
REACH = timedelta(days=3)
# So far may Adobe's clock and ours differ.
CLOCKS = timedelta(minutes=15)
# Of more, the oldest are forgotten along with the part of the window that they lie in.
MOST_TOLD = 5000
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far somebody has been told.

    :param since: runs that were created earlier are of no concern any more.
    :param begun: what finished earlier is history, as far as clocks agree.
    :param told: what is not to be told again, with the moment at which it was created.
    """

    since: datetime
    begun: datetime
    told: Mapping[str, datetime] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, in epoch seconds: whole ones, rounded so that nothing falls out of the window."""
        told = {run_id: math.ceil(created.timestamp()) for run_id, created in self.told.items()}
        since, begun = int(self.since.timestamp()), int(self.begun.timestamp())
        return {"version": VERSION, "since": since, "begun": begun, "told": told}

    @classmethod
    def from_json(cls, kept: object) -> Cursor | None:
        """What ``to_json`` made; ``None`` where it is something else."""
        if not isinstance(kept, Mapping) or kept.get("version") != VERSION:
            return None
        try:
            told = {str(run_id): _moment(seconds) for run_id, seconds in kept["told"].items()}
            return cls(since=_moment(kept["since"]), begun=_moment(kept["begun"]), told=told)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRuns:
    """The runs of many dataflows.

    :param since: it lists every run that was created from here on.
    :param unread: dataflows whose runs could not be listed.
    """

    since: datetime
    runs: Sequence[DataflowRun]
    unread: Mapping[str, AepError] = field(default_factory=dict)


def look_for_finished(dataflow_ids: Collection[str], *, since: datetime) -> Exchange[ListedRuns]:
    """List the runs of many dataflows: one request for up to 100 of them, where that is one page.

    :param since: read back to the runs that were created at this moment.
    """
    ids = sorted(dataflow_ids)
    batches = [ids[start : start + LARGEST_PAGE] for start in range(0, len(ids), LARGEST_PAGE)]
    first = since - CREATED_EARLIER
    found = yield from read_many(
        batches, lambda some: list_runs_of(some, started_after=first), since=dict.fromkeys(ids, since)
    )
    # A dataflow that was deleted has no runs to wait for.
    unread = {
        each: one
        for each, one in found.items()
        if isinstance(one, AepError) and not isinstance(one, AepNotFoundError)
    }
    runs = [run for one in found.values() if not isinstance(one, AepError) for run in one]
    return ListedRuns(since=since, runs=runs, unread=unread)


def begin(now: datetime) -> Cursor:
    """The cursor of somebody who has never looked: it reaches back to runs that are still under way."""
    return Cursor(since=now - REACH, begun=now)


def is_history(cursor: Cursor, run: DataflowRun) -> bool:
    """Whether a run had finished before anybody began to look; some only come to light later."""
    return run.completed_at is not None and run.completed_at < cursor.begun - CLOCKS


def pick_news(cursor: Cursor, runs: Iterable[DataflowRun]) -> list[DataflowRun]:
    """The finished runs that have not been told, in the order in which they finished."""
    news = {
        run.id: run
        for run in runs
        if run.finished and run.id not in cursor.told and created_at(run) >= cursor.since
    }
    return sorted(news.values(), key=lambda run: run.completed_at or created_at(run))


def move_on(
    cursor: Cursor,
    runs: Iterable[DataflowRun],
    told: Iterable[DataflowRun],
    *,
    now: datetime,
    whole: bool = True,
) -> Cursor:
    """The cursor after a look.

    :param runs: all that the look saw.
    :param told: what of them is not to be told again.
    :param whole: the look saw all dataflows; otherwise the window stays, for the sake of those it did not.
    """
    known = {**cursor.told, **{run.id: created_at(run) for run in told}}
    # What is under way, or could not be told yet, holds the window open.
    open_since = [created_at(run) for run in runs if run.id not in known and created_at(run) >= now - REACH]
    since = cursor.since
    if whole:
        since = max(since, min([now - LOOK_BACK, *open_since]))
    since = max(since, now - REACH)
    kept = {run_id: created for run_id, created in known.items() if created >= since}
    if len(kept) > MOST_TOLD:
        newest = sorted(kept.items(), key=lambda one: one[1])[-MOST_TOLD:]
        # From behind the newest that is forgotten: it must not be told again.
        since = newest[0][1] + timedelta(milliseconds=1)
        kept = {run_id: created for run_id, created in newest if created >= since}
    return Cursor(since=since, begun=cursor.begun, told=kept)


def created_at(run: DataflowRun) -> datetime:
    """When a run was created, which is what listings are sorted by; long ago where it does not say."""
    return run.created_at or run.started_at or datetime.min.replace(tzinfo=UTC)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
