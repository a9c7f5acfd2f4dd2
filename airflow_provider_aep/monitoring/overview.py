"""The exports of a sandbox for the exports page: the last ticks of each, and what became of them.

The first look reads as far back as the ticks go; later ones read only runs that are new or were under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import list_dataflows
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.findings import Finding, findings_of, of_dataflow, unread
from airflow_provider_aep.monitoring.policy import FURTHEST_BACK, AuditPolicy, worst_choice
from airflow_provider_aep.monitoring.reading import (
    Datasets,
    datasets_of,
    known_since,
    list_each,
    read_datasets,
)
from airflow_provider_aep.monitoring.states import SEVERITY, UNDECIDED, State, choice_of, states_of
from airflow_provider_aep.monitoring.stuck import stuck_reach
from airflow_provider_aep.monitoring.ticks import SKEW, reach_of
from airflow_provider_aep.monitoring.timeline import Timeline, timeline_of

TICKS = 30
# Runs are listed a little late, and clocks differ.
OVERLAP = timedelta(minutes=30)
_AS_USUAL = AuditPolicy()
# Outcomes, the worst first.
_OUTCOMES = ("fail", "warn", "skip", "none", "ok")


@dataclass(frozen=True, kw_only=True)
class Overviewed:
    """One export.

    :param timeline: without the documents of its runs.
    :param read_at: up to when its runs are known; ``None`` if they were never read.
    :param unread: why its runs could not be read just now; empty if they could.
    """

    timeline: Timeline
    read_at: datetime | None
    unread: str = ""

    @property
    def flow(self) -> Dataflow:
        return self.timeline.flow

    @property
    def runs(self) -> Sequence[DataflowRun]:
        """Newest first."""
        return self.timeline.runs[::-1]

    @cached_property
    def states(self) -> Sequence[State]:
        """Its last ticks, oldest first."""
        # Before the first successful read, it is not known whether runs are missing.
        since = self.timeline.now - _shown(self.flow)
        return states_of(self.timeline, _AS_USUAL.runs, since)[-TICKS:] if self.read_at else []

    @cached_property
    def findings(self) -> Sequence[Finding]:
        """The findings of a check with the default policy, from the first shown tick on."""
        not_read = [unread(self.unread, _AS_USUAL)] if self.unread else []
        if self.read_at is None:
            return [*of_dataflow(self.timeline, _AS_USUAL), *not_read]
        since = self.timeline.now - _shown(self.flow)
        return [*findings_of(self.timeline, _AS_USUAL, since), *not_read]

    @cached_property
    def warnings(self) -> list[Finding]:
        """The problems of the dataflow itself, however long ago they became known, and findings without a
        moment.
        """
        now = self.timeline.now
        of_it = [
            finding
            for finding in of_dataflow(self.timeline, _AS_USUAL)
            if not finding.known_at or finding.known_at <= now
        ]
        keys = {finding.key for finding in of_it}
        timeless = [finding for finding in self.findings if finding.known_at is None]
        return [*of_it, *(finding for finding in timeless if finding.key not in keys)]

    @cached_property
    def decided(self) -> State | None:
        """The last tick whose result is known."""
        return next((state for state in reversed(self.states) if state.kind not in UNDECIDED), None)

    @property
    def bad(self) -> int:
        """How many of the shown ticks have a bad result."""
        return sum(state.kind != "good" and state.kind not in UNDECIDED for state in self.states)

    @property
    def last_good_at(self) -> datetime | None:
        """When a run last delivered records."""
        ends = [run.ended_at for run in self.timeline.runs if run.delivered and run.records_out != 0]
        return max((end for end in ends if end), default=None)

    @property
    def severity(self) -> int:
        """Its rank in a list that begins with the worst."""
        kind = SEVERITY.index(self.decided.kind if self.decided else "waiting")
        worst = _OUTCOMES.index(self.outcome) * len(SEVERITY) + kind
        # An export with a bad tick ranks above one without, if they are alike otherwise.
        return 2 * worst - (self.bad > 0)

    @property
    def outcome(self) -> str:
        """``fail``, ``warn``, ``skip`` or ``ok``, or ``none`` if nothing is known yet."""
        choices = [finding.outcome for finding in self.warnings]
        if self.decided:
            choices.append(choice_of(self.decided, _AS_USUAL))
        return worst_choice(choices) if choices else "none"


def read_overview(
    *, now: datetime, known: Mapping[str, Overviewed] | None = None, datasets: Datasets | None = None
) -> Exchange[tuple[list[Overviewed], Datasets]]:
    """The export dataflows of the sandbox, by name, with their last ticks; and the datasets that they export.

    :param known: the previous overview, by dataflow id.
    :param datasets: of source connections, as far as they are known.
    :raises AepError: the dataflows cannot be listed. Runs that cannot be read are a warning of the export.
    """
    known = known or {}
    flows = yield from list_dataflows()
    datasets = yield from read_datasets(flows, datasets or {})
    first_unread = {flow.id: _unread_from(flow, known.get(flow.id), now) for flow in flows}
    listed = yield from list_each(flows, first_unread, now)
    exports = []
    for flow in flows:
        before, seen = known.get(flow.id), listed[flow.id]
        runs = before.timeline.runs if before else ()
        read_at = before.read_at if before else None
        first = now - _kept(flow)
        if not seen.why:
            runs, read_at = _merged(runs, seen.runs, since=first), now
        timeline = timeline_of(
            flow,
            runs,
            now=now,
            known_from=known_since(runs, first, now),
            datasets=datasets_of(flow, datasets),
        )
        exports.append(Overviewed(timeline=timeline, read_at=read_at, unread=seen.why))
    return sorted(exports, key=lambda export: (export.flow.name.casefold(), export.flow.id)), datasets


def _shown(flow: Dataflow) -> timedelta:
    """How far back the ticks of an export are shown."""
    return min(flow.step * TICKS, FURTHEST_BACK) if flow.step else FURTHEST_BACK


def _kept(flow: Dataflow) -> timedelta:
    """How far back its runs are kept, to know the result of the first shown tick.

    Whether the run of that tick took too long depends on the runs before it.
    """
    return _shown(flow) + max(reach_of(flow), stuck_reach(flow.step) + SKEW)


def _unread_from(flow: Dataflow, before: Overviewed | None, now: datetime) -> datetime:
    reach = now - _kept(flow)
    if before is None or before.read_at is None:
        return reach
    under_way = [run.started_at for run in before.runs if not run.finished and run.started_at]
    return max(reach, min([before.read_at - OVERLAP, *under_way]))


def _merged(
    earlier: Sequence[DataflowRun], seen: Sequence[DataflowRun], *, since: datetime
) -> tuple[DataflowRun, ...]:
    runs = {run.id: run for run in earlier} | {run.id: replace(run, raw={}) for run in seen}
    return tuple(run for run in runs.values() if run.started_at is None or run.started_at >= since)


def usual_range(values: Sequence[float]) -> dict[str, Any] | None:
    """The usual range of a number: ``low``, ``median`` and ``high``, the middle four fifths of the values.

    :return: ``None`` for fewer than five values, which prove nothing.
    """
    if len(values) < 5:
        return None
    ranked = sorted(values)
    at = [round(share * (len(ranked) - 1)) for share in (0.1, 0.5, 0.9)]
    return dict(zip(("low", "median", "high"), (ranked[place] for place in at), strict=True))
