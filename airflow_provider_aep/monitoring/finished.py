"""Which runs have finished since a watcher last looked: each is reported once.

Runs finish in another order than they start, and may be listed a while after they started. So a cursor is a
window, not a timestamp: the earliest time at which a run may still appear, plus the ids already reported.

The first look reports nothing: runs that finished before it are history. A run that was created more than
``REACH`` ago is never reported.
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

# How long after its creation a run may first be listed. Adobe itself calls 150 minutes late.
LOOK_BACK = timedelta(hours=3)
REACH = timedelta(days=3)
# How far Adobe's clock and ours may differ.
CLOCKS = timedelta(minutes=15)
# Beyond this number, the oldest are forgotten along with their part of the window.
MOST_TOLD = 5000
VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a watcher has come.

    :param since: runs that were created earlier do not matter any more.
    :param begun: runs that finished earlier are history, as far as clocks agree.
    :param reported: the ids of runs that must not be reported again, with the moments of their creation.
    """

    since: datetime
    begun: datetime
    reported: Mapping[str, datetime] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, in whole epoch seconds, rounded so that no run falls out of the window."""
        reported = {run_id: math.ceil(created.timestamp()) for run_id, created in self.reported.items()}
        since, begun = int(self.since.timestamp()), int(self.begun.timestamp())
        return {"version": VERSION, "since": since, "begun": begun, "told": reported}

    @classmethod
    def from_json(cls, kept: object) -> Cursor | None:
        """The cursor from ``to_json``; ``None`` for anything else."""
        if not isinstance(kept, Mapping) or kept.get("version") != VERSION:
            return None
        try:
            reported = {str(run_id): _moment(seconds) for run_id, seconds in kept["told"].items()}
            return cls(since=_moment(kept["since"]), begun=_moment(kept["begun"]), reported=reported)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRuns:
    """The runs of many dataflows.

    :param since: every run that was created from here on is listed.
    :param unread: dataflows whose runs could not be listed.
    """

    since: datetime
    runs: Sequence[DataflowRun]
    unread: Mapping[str, AepError] = field(default_factory=dict)


def look_for_finished(dataflow_ids: Collection[str], *, since: datetime) -> Exchange[ListedRuns]:
    """List the runs of many dataflows: one request for up to 100 of them, if their runs fit on one page.

    :param since: read back to the runs that were created at this moment.
    """
    ids = sorted(dataflow_ids)
    batches = [ids[start : start + LARGEST_PAGE] for start in range(0, len(ids), LARGEST_PAGE)]
    first = since - CREATED_EARLIER
    answers = yield from read_many(
        batches, lambda batch: list_runs_of(batch, started_after=first), since=dict.fromkeys(ids, since)
    )
    # A dataflow that was deleted has no runs to wait for.
    unread = {
        flow_id: answer
        for flow_id, answer in answers.items()
        if isinstance(answer, AepError) and not isinstance(answer, AepNotFoundError)
    }
    runs = [run for answer in answers.values() if not isinstance(answer, AepError) for run in answer]
    return ListedRuns(since=since, runs=runs, unread=unread)


def begin(now: datetime) -> Cursor:
    """The cursor before the first look: it reaches back to runs that are still under way."""
    return Cursor(since=now - REACH, begun=now)


def is_history(cursor: Cursor, run: DataflowRun) -> bool:
    """Whether a run had finished before the watcher began; some are only listed later."""
    return run.completed_at is not None and run.completed_at < cursor.begun - CLOCKS


def pick_news(cursor: Cursor, runs: Iterable[DataflowRun]) -> list[DataflowRun]:
    """The finished runs that have not been reported, in the order in which they finished."""
    news = {
        run.id: run
        for run in runs
        if run.finished and run.id not in cursor.reported and created_at(run) >= cursor.since
    }
    return sorted(news.values(), key=lambda run: run.completed_at or created_at(run))


def move_on(
    cursor: Cursor,
    runs: Iterable[DataflowRun],
    reported: Iterable[DataflowRun],
    *,
    now: datetime,
    whole: bool = True,
) -> Cursor:
    """The cursor after a look.

    :param runs: all runs that the look saw.
    :param reported: those of them that must not be reported again.
    :param whole: whether the look saw all dataflows; if not, the window stays for those that it missed.
    """
    known = {**cursor.reported, **{run.id: created_at(run) for run in reported}}
    # Runs that are under way, or could not be reported yet, hold the window open.
    open_since = [created_at(run) for run in runs if run.id not in known and created_at(run) >= now - REACH]
    since = cursor.since
    if whole:
        since = max(since, min([now - LOOK_BACK, *open_since]))
    since = max(since, now - REACH)
    kept = {run_id: created for run_id, created in known.items() if created >= since}
    if len(kept) > MOST_TOLD:
        newest = sorted(kept.items(), key=lambda item: item[1])[-MOST_TOLD:]
        # Begin after the newest forgotten run, which must not be reported again.
        since = newest[0][1] + timedelta(milliseconds=1)
        kept = {run_id: created for run_id, created in newest if created >= since}
    return Cursor(since=since, begun=cursor.begun, reported=kept)


def created_at(run: DataflowRun) -> datetime:
    """When a run was created, which listings are sorted by; long ago if it does not say."""
    return run.created_at or run.started_at or datetime.min.replace(tzinfo=UTC)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
