"""One export in a check: what became known in a window, and what still stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from airflow_provider_aep.errors import without_words
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.schedule import schedule_words
from airflow_provider_aep.monitoring.attribution import Served
from airflow_provider_aep.monitoring.causes import Cause
from airflow_provider_aep.monitoring.findings import (
    Finding,
    beside_the_usual,
    cause_of_run,
    findings_of,
    history_of,
    listed_late,
    of_dataflow,
    standing_of,
    unread,
    window_of,
)
from airflow_provider_aep.monitoring.handover import Handover
from airflow_provider_aep.monitoring.policy import AuditPolicy, Choice, worst_choice
from airflow_provider_aep.monitoring.reading import Read
from airflow_provider_aep.monitoring.recovery import Recovery, recovery_of
from airflow_provider_aep.monitoring.timeline import Timeline
from airflow_provider_aep.monitoring.verdict import Verdict, judge_runs, worst


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedExport:
    """The result of an audit for one dataflow.

    :param outcome: the worst of all findings and verdicts.
    :param findings: those that became known in the window.
    :param standing: those that had become known before it, and still hold.
    :param verdicts: one for each run that ended in the window, in the order of their ends.
    :param ticks: those of the window.
    :param recovery: the incidents that are open, and those that are over.
    """

    dataflow: Dataflow
    outcome: Choice
    findings: tuple[Finding, ...] = ()
    standing: tuple[Finding, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    ticks: tuple[Served, ...] = ()
    recovery: Recovery = field(default_factory=lambda: Recovery({}, {}, None))

    def to_json(self) -> dict[str, Any]:
        gravest = worst(self.verdicts)
        return {
            "dataflow_id": self.dataflow.id,
            "dataflow_name": self.dataflow.name,
            "destination": self.dataflow.destination,
            "state": self.dataflow.state,
            "every": schedule_words(self.dataflow.schedule)["every"],
            "ends_at": schedule_words(self.dataflow.schedule)["end"],
            "outcome": self.outcome,
            "verdict": gravest.to_json() if gravest else None,
            # Plainly good verdicts are only counted: hundreds of them would fill an XCom.
            "verdicts": [verdict.to_json() for verdict in self.verdicts if verdict.status != "success"],
            "runs": len(self.verdicts),
            "findings": [finding.to_json() for finding in self.findings],
            "standing": [finding.to_json() for finding in self.standing],
            "ticks": len(self.ticks),
            **self.recovery.to_json(self.verdicts),
        }


@dataclass(frozen=True, slots=True)
class Window:
    """The window of one dataflow, which may begin earlier than that of the check."""

    since: datetime
    until: datetime


def audited_export(
    read: Read,
    window: Window,
    policy: AuditPolicy,
    before: Handover | None,
    causes: Mapping[str, Cause] | None = None,
) -> AuditedExport:
    try:
        return _judged(read, window, policy, before, causes or {})
    except Exception as error:
        # One dataflow with unexpected data must not hide the others.
        why = f"it could not be judged: {without_words(error)}"
        return _judged(replace(read, timeline=None, why=why), window, policy, before, {})


def _judged(
    read: Read,
    window: Window,
    policy: AuditPolicy,
    before: Handover | None,
    causes: Mapping[str, Cause],
) -> AuditedExport:
    timeline = read.timeline
    if timeline is None:
        bare = Timeline(flow=read.flow, runs=(), now=window.until, known_from=window.until)
        found = [*of_dataflow(bare, policy), unread(read.why, policy)]
    else:
        found = findings_of(timeline, policy, causes=causes)
    new, earlier = window_of(found, window.since, window.until)
    reported: Mapping[str, datetime] = {}
    if before is not None and before.knows(read.flow.id):
        reported, watched_from = before.reported[read.flow.id], before.watched_from(read.flow.id)
        late = [
            finding
            for finding in earlier
            if finding.may_be_late(policy)
            and finding.key not in reported
            and finding.known_at
            and watched_from <= finding.known_at < before.until
        ]
        # The usual may change as old runs leave the listing, and with it the moment of a finding.
        new = [*map(listed_late, late), *(finding for finding in new if finding.key not in reported)]
        earlier = [finding for finding in earlier if finding not in late]
    standing = [
        replace(finding, outcome=policy.on_standing) if finding.key in reported else finding
        for finding in (standing_of(timeline, earlier) if timeline else earlier)
    ]
    ended = [
        run
        for run in (timeline.runs if timeline else ())
        if run.finished and run.ended_at and window.since <= run.ended_at < window.until
    ]
    verdicts = [
        judge_runs(
            [run],
            policy.runs,
            history_of(run, timeline, policy),
            {run.id: cause} if (cause := cause_of_run(run, causes)) else None,
        )
        for run in ended
        if timeline
    ]
    # The end of a run may have moved since it was reported.
    verdicts = [verdict for verdict in verdicts if f"{verdict.status}:{verdict.run_ids[0]}" not in reported]
    verdicts = [beside_the_usual(verdict, timeline, policy) for verdict in verdicts]
    verdicts.sort(key=lambda verdict: str(verdict.completed_at))
    ticks = [
        served
        for served in (timeline.attribution.served if timeline else ())
        if window.since <= served.tick.at < window.until
    ]
    outcomes = [verdict.outcome for verdict in verdicts]
    outcomes += [finding.outcome for finding in (*new, *standing)]
    return AuditedExport(
        dataflow=read.flow,
        outcome=worst_choice(outcomes),
        findings=tuple(new),
        standing=tuple(standing),
        verdicts=tuple(verdicts),
        ticks=tuple(ticks),
        recovery=recovery_of(
            timeline,
            new,
            standing,
            open_before=before.open.get(read.flow.id, {}) if before else {},
            told=reported,
            ended=ended,
            policy=policy,
            until=window.until,
        ),
    )
