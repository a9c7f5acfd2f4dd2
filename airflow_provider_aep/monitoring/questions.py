"""What to ask of the Catalog about a run that looks wrong, or about a tick without one."""

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

# What looks wrong in a way that ingestion may explain.
EXPLAINED = frozenset({*EMPTY_OR_SMALL, "missing"})


@dataclass(frozen=True, slots=True)
class Case:
    """A run, or a tick without one, that looks wrong.

    :param what: one of ``EXPLAINED``.
    :param run: ``None`` for a run that is missing.
    :param at: the tick of a run that is missing.
    :param known_at: when it was certain that it is missing.
    """

    what: str
    timeline: Timeline
    run: DataflowRun | None = None
    at: datetime | None = None
    known_at: datetime | None = None


def case_of(finding: Finding, timeline: Timeline) -> Case | None:
    """What to ask about a finding; ``None`` where ingestion cannot explain it."""
    if finding.kind not in EXPLAINED:
        return None
    if finding.kind == "missing":
        if finding.tick is None or not _still_owed(finding.tick, timeline):
            return None  # later runs have exported what it owed
        return Case(finding.kind, timeline, at=finding.tick, known_at=finding.known_at)
    run = next((one for one in timeline.runs if one.id in finding.run_ids), None)
    return Case(finding.kind, timeline, run=run) if run else None


def is_good(run: DataflowRun) -> bool:
    """Whether a run exported something, as far as it tells."""
    return run.delivered and run.records_out != 0


def _still_owed(tick: datetime, timeline: Timeline) -> tuple[str, ...]:
    """The datasets that no later run has exported, of a tick without a run."""
    datasets = _datasets_of(None, timeline)
    later = [
        one for one in timeline.runs if is_good(one) and snapshot_of(one, timeline, timedelta())[0] >= tick
    ]
    if any(not one.dataset_ids for one in later) and (timeline.learnt or 1) == 1:
        return ()
    exported = {each for one in later for each in one.dataset_ids}
    return tuple(each for each in datasets if each not in exported)


def question_of(case: Case, margin: timedelta) -> Question:
    timeline, run = case.timeline, case.run
    starts = case.at or timeline.now
    ends = case.known_at or starts
    if run is not None and run.started_at is not None:
        starts, ends = snapshot_of(run, timeline, timedelta())
    datasets = _datasets_of(run, timeline) if run else _still_owed(starts, timeline)
    before = {each: _before(each, run, starts, timeline) for each in datasets}
    return Question(
        what=case.what,
        dataset_ids=datasets,
        before={each: snapshot_of(one, timeline, margin) if one else None for each, one in before.items()},
        delivered={each: one is not None and is_good(one) for each, one in before.items()},
        starts=starts,
        ends=ends,
        under_way=_is_under_way(run, starts, timeline, before.values()),
        is_full=_is_full(run, timeline, before.values()),
    )


def _datasets_of(run: DataflowRun | None, timeline: Timeline) -> tuple[str, ...]:
    """The datasets of a run; none where one of several is meant and it does not say which."""
    if run is not None and run.dataset_ids:
        return run.dataset_ids
    datasets = tuple(dict.fromkeys(timeline.datasets or ()))
    return () if run is not None and len(datasets) > 1 and (timeline.learnt or 1) > 1 else datasets


def _before(
    dataset_id: str, run: DataflowRun | None, starts: datetime, timeline: Timeline
) -> DataflowRun | None:
    """The last export of a dataset that delivered something; else the oldest that is known."""
    unnamed = (timeline.learnt or 1) > 1  # one run for each dataset, so one without a name may be any
    earlier = [
        one
        for one in timeline.runs
        if one.delivered
        and one.started_at
        and (run is None or one.id != run.id)
        and one.started_at < starts
        and (dataset_id in one.dataset_ids or not (one.dataset_ids or unnamed))
    ]
    good = [one for one in earlier if is_good(one)]
    return good[-1] if good else earlier[0] if earlier else None


def _is_under_way(
    run: DataflowRun | None,
    starts: datetime,
    timeline: Timeline,
    before: Iterable[DataflowRun | None],
) -> bool:
    """Whether an earlier run has not ended, of another tick and later than the exports before."""
    since = min((one.started_at for one in before if one and one.started_at), default=None)
    tick = timeline.tick_of.get(run.id) if run else None
    return any(
        not one.finished
        and one.started_at is not None
        and one.started_at < starts
        and (since is None or one.started_at > since)
        and (tick is None or timeline.tick_of.get(one.id) != tick)
        for one in timeline.runs
    )


def snapshot_of(run: DataflowRun, timeline: Timeline, margin: timedelta) -> Snapshot:
    started = run.started_at or timeline.now
    tick = timeline.tick_of.get(run.id)
    # Whether a late run exports what there was at its tick, or at its start, is not documented.
    earliest = min(started, tick.at) if tick else started
    return Snapshot(earliest, max(started + margin, run.ended_at or started))


def _is_full(run: DataflowRun | None, timeline: Timeline, before: Iterable[DataflowRun | None]) -> bool:
    if str(timeline.flow.schedule.get("exportMode")).upper() == FULL_ONCE:
        return True
    return run is not None and timeline.past.is_first(run) and not any(before)
