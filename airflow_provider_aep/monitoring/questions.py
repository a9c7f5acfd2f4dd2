"""The question to the Catalog about a run that looks wrong, or about a tick without one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_aep.flowservice.cadences import FULL_ONCE
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.findings import Finding
from airflow_provider_aep.monitoring.owing import Question, Snapshot
from airflow_provider_aep.monitoring.policy import EMPTY_OR_SMALL
from airflow_provider_aep.monitoring.timeline import Timeline

# The kinds of findings that ingestion may explain.
EXPLAINED = frozenset({*EMPTY_OR_SMALL, "missing"})


@dataclass(frozen=True, slots=True)
class Case:
    """A run, or a tick without one, that looks wrong.

    :param what: one of ``EXPLAINED``.
    :param run: ``None`` for a missing run.
    :param at: the tick of a missing run.
    :param known_at: when it was certain to be missing.
    """

    what: str
    timeline: Timeline
    run: DataflowRun | None = None
    at: datetime | None = None
    known_at: datetime | None = None


def case_of(finding: Finding, timeline: Timeline) -> Case | None:
    """The case of a finding; ``None`` if ingestion cannot explain it."""
    if finding.kind not in EXPLAINED:
        return None
    if finding.kind == "missing":
        if finding.tick is None or not _still_owed(finding.tick, timeline):
            return None  # later runs have exported the data that it owed
        return Case(finding.kind, timeline, at=finding.tick, known_at=finding.known_at)
    run = next((run for run in timeline.runs if run.id in finding.run_ids), None)
    return Case(finding.kind, timeline, run=run) if run else None


def is_good(run: DataflowRun) -> bool:
    """Whether a run exported something, as far as its counts show."""
    return run.delivered and run.records_out != 0


def _still_owed(tick: datetime, timeline: Timeline) -> tuple[str, ...]:
    """The datasets of a tick without a run that no later run has exported."""
    datasets = _datasets_of(None, timeline)
    later = [
        run for run in timeline.runs if is_good(run) and snapshot_of(run, timeline, timedelta())[0] >= tick
    ]
    if any(not run.dataset_ids for run in later) and (timeline.learnt or 1) == 1:
        return ()
    exported = {dataset_id for run in later for dataset_id in run.dataset_ids}
    return tuple(dataset_id for dataset_id in datasets if dataset_id not in exported)


def question_of(case: Case, margin: timedelta) -> Question:
    timeline, run = case.timeline, case.run
    starts = case.at or timeline.now
    ends = case.known_at or starts
    if run is not None and run.started_at is not None:
        starts, ends = snapshot_of(run, timeline, timedelta())
    datasets = _datasets_of(run, timeline) if run else _still_owed(starts, timeline)
    before = {dataset_id: _before(dataset_id, run, starts, timeline) for dataset_id in datasets}
    return Question(
        what=case.what,
        dataset_ids=datasets,
        before={
            dataset_id: snapshot_of(previous, timeline, margin) if previous else None
            for dataset_id, previous in before.items()
        },
        delivered={
            dataset_id: previous is not None and is_good(previous) for dataset_id, previous in before.items()
        },
        starts=starts,
        ends=ends,
        under_way=_is_under_way(run, starts, timeline, before.values()),
        is_full=_is_full(run, timeline, before.values()),
    )


def _datasets_of(run: DataflowRun | None, timeline: Timeline) -> tuple[str, ...]:
    """The datasets of a run; empty if it exported one of several and does not say which."""
    if run is not None and run.dataset_ids:
        return run.dataset_ids
    datasets = tuple(dict.fromkeys(timeline.datasets or ()))
    return () if run is not None and len(datasets) > 1 and (timeline.learnt or 1) > 1 else datasets


def _before(
    dataset_id: str, run: DataflowRun | None, starts: datetime, timeline: Timeline
) -> DataflowRun | None:
    """The last export of a dataset that delivered something; otherwise the oldest known one."""
    unnamed = (timeline.learnt or 1) > 1  # one run for each dataset: one without a name may be for any
    earlier = [
        other
        for other in timeline.runs
        if other.delivered
        and other.started_at
        and (run is None or other.id != run.id)
        and other.started_at < starts
        and (dataset_id in other.dataset_ids or not (other.dataset_ids or unnamed))
    ]
    good = [other for other in earlier if is_good(other)]
    return good[-1] if good else earlier[0] if earlier else None


def _is_under_way(
    run: DataflowRun | None,
    starts: datetime,
    timeline: Timeline,
    before: Iterable[DataflowRun | None],
) -> bool:
    """Whether an earlier run of another tick, later than the previous exports, has not ended."""
    since = min((export.started_at for export in before if export and export.started_at), default=None)
    tick = timeline.tick_of.get(run.id) if run else None
    return any(
        not other.finished
        and other.started_at is not None
        and other.started_at < starts
        and (since is None or other.started_at > since)
        and (tick is None or timeline.tick_of.get(other.id) != tick)
        for other in timeline.runs
    )


def snapshot_of(run: DataflowRun, timeline: Timeline, margin: timedelta) -> Snapshot:
    started = run.started_at or timeline.now
    tick = timeline.tick_of.get(run.id)
    # Whether a late run exports the data as of its tick or of its start is not documented.
    earliest = min(started, tick.at) if tick else started
    return Snapshot(earliest, max(started + margin, run.ended_at or started))


def _is_full(run: DataflowRun | None, timeline: Timeline, before: Iterable[DataflowRun | None]) -> bool:
    if str(timeline.flow.schedule.get("exportMode")).upper() == FULL_ONCE:
        return True
    return run is not None and timeline.past.is_first(run) and not any(before)
