"""The usual of a dataflow: how much its runs export, and how long they take.

A run is only compared with runs that had ended before it began, so its usual never changes afterwards. The
first, full export is not compared with later ones.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.policy import LEAST_HISTORY, RunPolicy

# How many runs determine the usual duration.
DURATIONS = 7


class History(NamedTuple):
    """The runs of a dataflow before a run.

    :param runs: finished runs, newest first.
    :param complete: whether the service lists no older one.
    """

    runs: tuple[DataflowRun, ...] = ()
    complete: bool = False

    @property
    def delivered(self) -> list[DataflowRun]:
        """Those that delivered their data, newest first."""
        return [run for run in self.runs if run.delivered]


class Past:
    """The finished runs of a dataflow, which finds the runs before any of them.

    :param runs: in any order.
    :param known_from: runs that started earlier are not in ``runs``.
    :param created_at: when the dataflow was created; ``runs`` are complete if known from then on.
    """

    def __init__(
        self, runs: Sequence[DataflowRun], *, known_from: datetime, created_at: datetime | None
    ) -> None:
        ended = [(at, run) for run in runs if (at := run.ended_at) is not None and run.started_at is not None]
        ended.sort(key=lambda item: (item[0], item[1].id))
        self._ends = [at for at, _ in ended]
        self._runs = [run for _, run in ended]
        self._whole = created_at is not None and known_from <= created_at
        self._first_end = next((at for at, run in ended if run.delivered), None)

    def before(self, run: DataflowRun, *, reach: timedelta | None = None) -> History:
        """The runs that had ended before a run began.

        :param reach: how far back, at most, so that the result does not depend on how much was read.
        """
        if run.started_at is None:
            return History(runs=(), complete=False)
        last = bisect_right(self._ends, run.started_at)
        since = run.started_at - reach if reach is not None else None
        first = bisect_left(self._ends, since) if since is not None else 0
        kept = [
            earlier
            for earlier in self._runs[first:last]
            if since is None or (earlier.started_at is not None and earlier.started_at >= since)
        ]
        kept.sort(key=lambda earlier: (earlier.started_at or run.started_at, earlier.id), reverse=True)
        return History(runs=tuple(kept), complete=self._whole and len(kept) == last)

    def is_first(self, run: DataflowRun) -> bool:
        """Whether a run is, or should have been, the first, full export."""
        if not self._whole or run.started_at is None:
            return False
        return self._first_end is None or run.started_at < self._first_end


def alike(history: History | None, run: DataflowRun) -> History | None:
    """The part of a history with which a run is compared: the same datasets, if both name them."""
    if history is None or not run.dataset_ids:
        return history
    own = frozenset(run.dataset_ids)
    kept = [run for run in history.runs if not run.dataset_ids or frozenset(run.dataset_ids) == own]
    return History(runs=tuple(kept), complete=history.complete)


def usual_records(before: History | None, policy: RunPolicy) -> tuple[int | None, int]:
    """The median of the records of earlier runs that exported something, and the number of these runs."""
    if before is None:
        return None, 0
    counts = [run.records_out for run in before.delivered if run.records_out]
    if before.complete:
        counts = counts[:-1]  # the first one was full
    counts = counts[: policy.history]
    from statistics import median

    return (round(median(counts)), len(counts)) if len(counts) >= LEAST_HISTORY else (None, 0)


def usual_duration(before: History) -> timedelta | None:
    """The median duration of earlier runs that ended well; ``None`` if there are too few."""
    runs = before.delivered
    if before.complete:
        runs = runs[:-1]
    took = [
        (run.completed_at - run.started_at).total_seconds()
        for run in runs
        if run.completed_at and run.started_at
    ][:DURATIONS]
    from statistics import median

    return timedelta(seconds=max(median(took), 0)) if len(took) >= LEAST_HISTORY else None
