"""An audit: every export dataflow of a sandbox over a window, and what became known in it.

A finding belongs to the window in which it *became known*: a run ended, a deadline passed, a run became
stuck. So consecutive windows report everything once, whatever their length and however late they are
audited. Windows end a while before now, because the service shows the end of a run some time after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import list_dataflows
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.monitoring.allowance import Allowance
from airflow_provider_aep.monitoring.audited_export import AuditedExport, Window, audited_export
from airflow_provider_aep.monitoring.causes import Cause
from airflow_provider_aep.monitoring.explaining import read_causes
from airflow_provider_aep.monitoring.handover import KEPT_FOR, Handover, since_kept
from airflow_provider_aep.monitoring.policy import AuditPolicy, Choice, worst_choice
from airflow_provider_aep.monitoring.questions import case_of
from airflow_provider_aep.monitoring.reading import Known, Read, read_timelines
from airflow_provider_aep.monitoring.selection import Selection
from airflow_provider_aep.monitoring.usage import CheckedAllowance, check_allowances, told_by

# How far a first check looks back for standing problems, such as a run that hangs.
STANDING_REACH = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The findings of a window, export by export, the worst first.

    :param allowances: how each allowance stands, by the selected exports.
    :param listed: how many export dataflows there are, selected or not.
    :param handover: for the next check, which continues where this one ends.
    """

    since: datetime
    until: datetime
    exports: tuple[AuditedExport, ...]
    listed: int
    policy: AuditPolicy
    selection: Selection
    handover: Handover
    allowances: tuple[CheckedAllowance, ...] = ()

    @property
    def outcome(self) -> Choice:
        """The worst of all; ``skip`` only if no export is better."""
        if not self.exports:
            return self.policy.on_nothing
        outcomes = [export.outcome for export in self.exports]
        minded = [allowance.outcome for allowance in self.allowances if allowance.outcome != "ok"]
        return worst_choice([*outcomes, *minded])

    def told_nothing(self) -> str:
        """A sentence that no export was selected, and from how many."""
        return self.selection.told_nothing(self.listed)

    def to_json(self) -> dict[str, Any]:
        outcomes = [export.outcome for export in self.exports]
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "outcome": self.outcome,
            "totals": {choice: outcomes.count(choice) for choice in ("fail", "warn", "skip", "ok")},
            "exports": [export.to_json() for export in self.exports],
            "allowances": [allowance.to_json() for allowance in self.allowances],
        }


def audit_exports(
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    policy: AuditPolicy | None = None,
    selection: Selection | None = None,
    before: Handover | None = None,
    standing_reach: timedelta = STANDING_REACH,
    allowances: Sequence[Allowance] = (),
    zone: tzinfo = UTC,
) -> Exchange[Audit]:
    """Audit the export dataflows of the sandbox: what became known from ``since`` on and before ``until``.

    :param before: the handover of the previous check. Without it, and for a dataflow that it does not know,
        standing problems count as new.
    :param standing_reach: how far before the window a first check looks for standing problems.
    :param zone: the time zone of the allowances' days.
    :param allowances: compared with the runs of the year, for a limited number of additional requests.
    :raises AepValidationError: the window ends before it begins.
    """
    if until <= since:
        raise AepValidationError("the window", [Problem("until", "must be later than since")])
    policy, selection = policy or AuditPolicy(), selection or Selection()
    listed = yield from list_dataflows()
    if before and before.reported.keys() - {flow.id for flow in listed}:
        # A known dataflow was deleted, or the filter missed it: read all, to tell the two apart.
        listed = yield from list_dataflows(whole=True)
    selection.check(listed)
    # Pages overlap when something is created meanwhile.
    flows = [flow for flow in {flow.id: flow for flow in listed}.values() if selection.holds(flow)]
    begins = {flow.id: _begins(flow, since, before) for flow in flows}
    read, datasets = yield from read_timelines(
        flows,
        {
            flow.id: begins[flow.id] - (timedelta() if before and before.knows(flow.id) else standing_reach)
            for flow in flows
        },
        now=now,
        policy=policy.runs,
        known=Known(
            datasets=before.datasets, open_since=before.open_since, runs_per_tick=before.runs_per_tick
        )
        if before
        else Known(),
    )
    audited = [audited_export(item, Window(begins[item.flow.id], until), policy, before) for item in read]
    audited = yield from _explained(read, audited, begins, until, policy, before, now)
    reported = before.allowances if before else ()
    checked = yield from check_allowances(allowances, flows, now=now, policy=policy, zone=zone, told=reported)
    audited.sort(key=lambda export: (_ORDER.index(export.outcome), export.dataflow.name, export.dataflow.id))
    return Audit(
        since=since,
        until=until,
        exports=tuple(audited),
        listed=len({flow.id for flow in listed}),
        policy=policy,
        selection=selection,
        handover=replace(
            _handover(read, audited, begins, since, until, before, datasets),
            allowances=told_by(checked, reported),
        ),
        allowances=checked,
    )


def _explained(
    read: Sequence[Read],
    audited: list[AuditedExport],
    begins: Mapping[str, datetime],
    until: datetime,
    policy: AuditPolicy,
    before: Handover | None,
    now: datetime,
) -> Exchange[list[AuditedExport]]:
    """The same exports; those whose problems ingestion may explain are judged again."""
    cases = {
        (item.flow.id, finding.key): case
        for item, export in zip(read, audited, strict=True)
        if item.timeline
        for finding in export.findings
        if (case := case_of(finding, item.timeline))
    }
    causes = yield from read_causes(cases, margin=policy.runs.margin, now=now)
    by_flow: dict[str, dict[str, Cause]] = {}
    for (flow_id, key), cause in causes.items():
        by_flow.setdefault(flow_id, {})[key] = cause
    return [
        audited_export(item, Window(begins[item.flow.id], until), policy, before, by_flow[item.flow.id])
        if item.flow.id in by_flow
        else export
        for item, export in zip(read, audited, strict=True)
    ]


_ORDER: Sequence[Choice] = ("fail", "warn", "ok", "skip")


def _begins(flow: Dataflow, since: datetime, before: Handover | None) -> datetime:
    """From when on nothing was reported about a dataflow; earlier if it could not be read lately."""
    return min(since, before.unread_since.get(flow.id, since)) if before else since


def _handover(
    read: Sequence[Read],
    audited: Sequence[AuditedExport],
    begins: Mapping[str, datetime],
    since: datetime,
    until: datetime,
    before: Handover | None,
    datasets: Mapping[str, tuple[str, ...]],
) -> Handover:
    timelines = {item.flow.id: item.timeline for item in read if item.timeline}
    reported: dict[str, dict[str, datetime]] = {}
    for export in audited:
        flow_id = export.dataflow.id
        if flow_id not in timelines and not (before and before.knows(flow_id)):
            continue  # it has never been read
        kept = dict(before.reported[flow_id]) if before and before.knows(flow_id) else {}
        kept |= {finding.key: finding.known_at for finding in export.findings if finding.known_at}
        kept |= {finding.key: until for finding in export.standing}  # for as long as it stands
        reported[flow_id] = kept
    first = max(before.since if before else since, until - KEPT_FOR, since_kept(reported))
    under_way = {
        flow_id: [
            run.started_at
            for run in timeline.runs
            if run.started_at and run.started_at < until and (run.ended_at is None or run.ended_at >= until)
        ]
        for flow_id, timeline in timelines.items()
    }
    still = {
        flow_id: at
        for flow_id, at in (before.open_since if before else {}).items()
        if flow_id not in timelines
    }
    named = {source_id for item in read for source_id in item.flow.source_connection_ids}
    return Handover(
        since=first,
        until=until,
        reported={
            flow_id: {key: at for key, at in keys.items() if at >= first}
            for flow_id, keys in reported.items()
        },
        first_seen={
            flow_id: at
            for flow_id in reported
            if (at := before.watched_from(flow_id) if before and before.knows(flow_id) else begins[flow_id])
            > first
        },
        unread_since={item.flow.id: begins[item.flow.id] for item in read if item.timeline is None},
        open_since=still | {flow_id: min(starts) for flow_id, starts in under_way.items() if starts},
        open={export.dataflow.id: export.recovery.open for export in audited if export.recovery.open},
        datasets={source_id: ids for source_id, ids in datasets.items() if source_id in named},
        runs_per_tick={
            flow_id: (timeline.learnt, len(timeline.datasets or ()))
            for flow_id, timeline in timelines.items()
            if timeline.learnt
        },
    )
