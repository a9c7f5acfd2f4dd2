"""Reads the timelines of many dataflows, with few requests.

Runs are listed for up to 100 dataflows at a time, as far back as judging needs. A second look goes further
back for the few dataflows with a long run: only earlier runs show how long is too long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.flowservice.connections import read_source_datasets
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.validation import is_id
from airflow_provider_aep.monitoring.listings import AT_MOST
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.runs_per_tick import LEARNT_FROM
from airflow_provider_aep.monitoring.stuck import LEAST, stuck_reach
from airflow_provider_aep.monitoring.ticks import DEADLINE, SKEW, reach_of
from airflow_provider_aep.monitoring.timeline import Timeline, timeline_of
from airflow_provider_aep.monitoring.waits import Wait
from airflow_provider_aep.monitoring.watch import look_for_many

# Adobe does not document how long it lists runs; they are assumed to be listed for this long.
LISTED_FOR = timedelta(days=30)

Datasets = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One dataflow as it was read: its timeline, or why its runs could not be read."""

    flow: Dataflow
    timeline: Timeline | None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The runs of a dataflow, and from when on they are complete; or why they cannot be read just now."""

    since: datetime
    runs: Sequence[DataflowRun] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known before anything is read.

    :param datasets: of source connections, by their id.
    :param open_since: when runs started that were under way at the last look, by dataflow.
    :param runs_per_tick: how many runs a tick makes, by dataflow, and for how many datasets that was learnt.
    """

    datasets: Datasets = field(default_factory=dict)
    open_since: Mapping[str, datetime] = field(default_factory=dict)
    runs_per_tick: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def per_tick(self, flow: Dataflow, datasets: Sequence[str] | None) -> int | None:
        """How many runs a tick of a dataflow makes, if that was learnt for as many datasets as it has now."""
        learnt, of = self.runs_per_tick.get(flow.id, (0, 0))
        return learnt or None if of == len(datasets or ()) else None


def read_timelines(
    flows: Sequence[Dataflow],
    since: Mapping[str, datetime],
    *,
    now: datetime,
    policy: RunPolicy,
    known: Known,
) -> Exchange[tuple[list[Read], Datasets]]:
    """The timelines of dataflows; and the datasets of their source connections.

    :param since: from when on the results of each dataflow are needed, by its id.
    """
    nameless = [flow for flow in flows if not is_id(flow.id)]
    if nameless:
        # A malformed id would spoil the request for the others.
        good = [flow for flow in flows if is_id(flow.id)]
        read, datasets = yield from read_timelines(good, since, now=now, policy=policy, known=known)
        return [
            *read,
            *(Read(flow=flow, timeline=None, why="its id is malformed") for flow in nameless),
        ], datasets
    datasets = yield from read_datasets(flows, known.datasets)
    first = {
        flow.id: since[flow.id] - _reach(flow, since[flow.id], policy, datasets_of(flow, datasets), known)
        for flow in flows
    }
    listed = yield from list_each(flows, first, now)
    deeper: dict[str, datetime] = {}
    for flow in flows:
        starts = [*_long_under_way(listed[flow.id], now, policy)]
        if flow.id in known.open_since and known.open_since[flow.id] < listed[flow.id].since:
            starts.append(known.open_since[flow.id])
        if starts:
            step = flow.step
            deeper[flow.id] = min(min(starts) - stuck_reach(step) - SKEW, listed[flow.id].since)
    listed |= yield from list_each([flow for flow in flows if flow.id in deeper], deeper, now)
    return [_read(flow, listed[flow.id], now, datasets_of(flow, datasets), known) for flow in flows], datasets


def read_datasets(flows: Sequence[Dataflow], known: Datasets) -> Exchange[Datasets]:
    """The datasets of all source connections of dataflows, without those that cannot be read.

    :param known: datasets that need not be read again: those of a source connection never change.
    """
    source_ids = {source_id for flow in flows for source_id in flow.source_connection_ids}
    new = sorted(source_id for source_id in source_ids if source_id not in known and is_id(source_id))
    batches = [new[start : start + LARGEST_PAGE] for start in range(0, len(new), LARGEST_PAGE)]
    datasets, alone = dict(known), []
    for batch, end in zip(batches, (yield from _read_sources(batches)), strict=True):
        if isinstance(end, Done):
            datasets |= end.value
            alone += [[source_id] for source_id in batch if source_id not in datasets]  # the list left it out
        elif isinstance(end, AepApiError) and end.status in (400, 403, 404) and len(batch) > 1:
            alone += [[source_id] for source_id in batch]  # one of them may be at fault
    for end in (yield from _read_sources(alone)) if alone else []:
        if isinstance(end, Done):
            datasets |= end.value
    return datasets


def _read_sources(
    batches: Sequence[Sequence[str]],
) -> Exchange[list[Done[dict[str, tuple[str, ...]]] | AepError]]:
    return (yield from together([read_source_datasets(batch) for batch in batches], at_most=AT_MOST))


def datasets_of(flow: Dataflow, datasets: Datasets) -> tuple[str, ...] | None:
    """The datasets that a dataflow exports; ``None`` if one of its source connections could not be read."""
    if not flow.source_connection_ids or not set(flow.source_connection_ids) <= datasets.keys():
        return None
    return tuple(key for source_id in flow.source_connection_ids for key in datasets[source_id]) or None


def reach_to_judge(flow: Dataflow, datasets: Sequence[str] | None, *, learnt: bool = False) -> timedelta:
    """How far before a tick the runs of a dataflow must be known, to judge the tick.

    :param learnt: whether it is known how many runs a tick makes.
    """
    reach = reach_of(flow)
    if (datasets is None or len(datasets) > 1) and not learnt:
        reach += LEARNT_FROM * flow.step  # to learn it from the ticks before
    return reach


def _reach(
    flow: Dataflow, since: datetime, policy: RunPolicy, datasets: Sequence[str] | None, known: Known
) -> timedelta:
    """How far before a moment the runs of a dataflow are read."""
    # What was learnt as one run for all datasets may be one dataset, while the other was missing for a time.
    reach = reach_to_judge(flow, datasets, learnt=(known.per_tick(flow, datasets) or 1) > 1)
    if flow.changed_at is not None and flow.changed_at > since - reach:
        reach += 3 * flow.step  # the ticks before show whether the schedule was in force then
    return max(reach, policy.reach(flow.step) + DEADLINE + SKEW)


def list_each(
    flows: Sequence[Dataflow], since: Mapping[str, datetime], now: datetime
) -> Exchange[dict[str, Listed]]:
    """The runs of each dataflow from a moment on, by its id.

    :param since: the moment, by the id of the dataflow.
    """
    # Dataflows with a similar reach share a request, which reads as far as the one that needs most.
    ordered = sorted(flows, key=lambda flow: (since[flow.id], flow.id))
    waits = [
        Wait(dataflow_id=flow.id, started_after=since[flow.id], whole=True, step=flow.step)
        for flow in ordered
    ]
    due = [at for at, flow in enumerate(ordered) if _is_due(flow, since[flow.id], now)]
    look = yield from look_for_many(waits, now=now, doubt=due)
    listed = {}
    for flow, seen in zip(ordered, look, strict=True):
        if isinstance(seen, AepError):
            listed[flow.id] = Listed(since=since[flow.id], why=str(seen))
        elif not seen.answered:
            listed[flow.id] = Listed(since=since[flow.id], why=seen.told)
        else:
            listed[flow.id] = Listed(since=since[flow.id], runs=seen.runs)
    return listed


def _is_due(flow: Dataflow, since: datetime, now: datetime) -> bool:
    """Whether a dataflow should have run, so that a missing run would matter."""
    return flow.state == "enabled" and bool(flow.ticks(since, now))


def _long_under_way(listed: Listed, now: datetime, policy: RunPolicy) -> list[datetime]:
    """The starts of runs that may have taken, or take, too long, which depends on earlier runs."""
    if policy.longest is not None:
        return []
    return [
        run.started_at
        for run in listed.runs
        if run.started_at and (run.ended_at or now) - run.started_at >= LEAST
    ]


def _read(
    flow: Dataflow, listed: Listed, now: datetime, datasets: Sequence[str] | None, known: Known
) -> Read:
    if listed.why:
        return Read(flow=flow, timeline=None, why=listed.why)
    timeline = timeline_of(
        flow,
        listed.runs,
        now=now,
        known_from=known_since(listed.runs, listed.since, now),
        datasets=datasets,
        runs_per_tick=known.per_tick(flow, datasets),
    )
    return Read(flow=flow, timeline=timeline)


def known_since(runs: Sequence[DataflowRun], read_from: datetime, now: datetime) -> datetime:
    """From when on all runs of a dataflow are known.

    Beyond the time for which Adobe surely lists runs, that is from the oldest listed run on.
    """
    if read_from >= now - LISTED_FOR:
        return read_from
    oldest = min((run.started_at for run in runs if run.started_at), default=now)
    return max(read_from, min(oldest, now - LISTED_FOR))
