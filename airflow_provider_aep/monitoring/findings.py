"""The problems of an export, each with the moment at which it became known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.flowservice.expiry import expiry_of
from airflow_provider_aep.flowservice.moments import parse_moment
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.schedule import is_readable, schedule_words
from airflow_provider_aep.monitoring.attribution import Event
from airflow_provider_aep.monitoring.causes import Cause
from airflow_provider_aep.monitoring.judgement import Judgement, judge_run
from airflow_provider_aep.monitoring.policy import EMPTY_OR_SMALL, AuditPolicy, Choice
from airflow_provider_aep.monitoring.ticks import DEADLINE, OFF, Tick
from airflow_provider_aep.monitoring.timeline import Timeline
from airflow_provider_aep.monitoring.usual import History, alike, usual_records
from airflow_provider_aep.monitoring.verdict import Verdict
from airflow_provider_aep.times import span_words

# Clocks differ by less; an end that lies further ahead is a wrong number.
AHEAD = timedelta(minutes=15)
# How long a dataflow may be in a passing state.
PASSING = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One problem of an export.

    :param key: identifies the problem within its export, whenever it is found.
    :param kind: the status of a verdict, such as ``failed`` or ``zero_records``; or ``stuck``, ``missing``,
        ``incomplete``, ``late``, ``doubled``, ``disabled``, ``ended``, ``ends_soon``, ``unreadable``,
        ``unread``.
    :param outcome: by the policy.
    :param told: a sentence about it.
    :param known_at: when it became known; ``None`` if that is not known, and then every check reports it.
    :param tick: the tick that it is about.
    :param cause: why the run is empty, small or missing, if the Catalog was asked.
    """

    key: str
    kind: str
    outcome: Choice
    told: str
    known_at: datetime | None
    tick: datetime | None = None
    run_ids: tuple[str, ...] = ()
    cause: Cause | None = None

    @property
    def in_full(self) -> str:
        """The sentence, with the cause."""
        return f"{self.told}; {self.cause.told}" if self.cause else self.told

    def may_be_late(self, policy: AuditPolicy) -> bool:
        """Whether it may be reported late, after the service listed the run too late.

        A finding that depends on earlier runs or ticks may not: they may not have been read. Nor may one that
        depends on the schedule, which may have changed since, such as that a tick owed a run.
        """
        alone = {"failed", "unknown", "partial", "incomplete"}
        return self.kind in alone or (self.kind == "zero_records" and policy.runs.zero_streak == 1)

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "key": self.key,
            "kind": self.kind,
            "outcome": self.outcome,
            "told": self.told,
            "known_at": self.known_at.isoformat() if self.known_at else None,
            "tick": self.tick.isoformat() if self.tick else None,
            "run_ids": list(self.run_ids),
        }
        return {**document, "cause": self.cause.to_json()} if self.cause else document


def findings_of(
    timeline: Timeline,
    policy: AuditPolicy,
    since: datetime | None = None,
    causes: Mapping[str, Cause] | None = None,
) -> list[Finding]:
    """All known problems of an export, in the order in which they became known.

    :param since: leave out those that became known earlier.
    :param causes: why runs look wrong, by the key of the finding, as far as the Catalog was asked.
    """
    causes = causes or {}
    findings = [
        *_of_runs(timeline, policy, since, causes),
        *(_of_event(event, policy, causes) for event in timeline.events),
        *of_dataflow(timeline, policy),
    ]
    findings = [
        finding for finding in findings if finding.known_at is None or finding.known_at <= timeline.now
    ]
    if since is not None:
        findings = [finding for finding in findings if finding.known_at is None or finding.known_at >= since]
    return sorted(findings, key=lambda finding: (str(finding.known_at), finding.key))


def _of_runs(
    timeline: Timeline, policy: AuditPolicy, since: datetime | None, causes: Mapping[str, Cause]
) -> Iterator[Finding]:
    for run in timeline.runs:
        if (at := timeline.stuck_at(run, policy.runs)) is not None:
            yield _about(run, timeline, "stuck", policy.runs.on_stuck, at, told_stuck(run, at))
        if not run.finished:
            if run.started_at is None:
                sentence = f"run {run.id} is under way, and has no start time"
                yield _about(run, timeline, "stuck", policy.runs.on_stuck, None, sentence)
            continue
        ended = run.ended_at
        if since is not None and ended is not None and ended < since:
            continue
        judged = judgement_of(run, timeline, policy, cause_of_run(run, causes))
        if judged.status == "success":
            continue
        known_at = None if ended is None or ended > timeline.now + AHEAD else ended
        sentence = judged.told if known_at else f"{judged.told} (its times cannot be right)"
        finding = _about(run, timeline, judged.status, judged.choice, known_at, sentence)
        yield replace(finding, cause=judged.cause) if judged.cause else finding


def judgement_of(
    run: DataflowRun, timeline: Timeline, policy: AuditPolicy, cause: Cause | None = None
) -> Judgement:
    """The policy's judgement on one finished run of a timeline."""
    return judge_run(run, policy.runs, history_of(run, timeline, policy), cause)


def cause_of_run(run: DataflowRun, causes: Mapping[str, Cause]) -> Cause | None:
    """Why a run looks wrong, from causes by the key of the finding."""
    keys = [f"{kind}:{run.id}" for kind in EMPTY_OR_SMALL]
    return next((causes[key] for key in keys if key in causes), None)


def history_of(run: DataflowRun, timeline: Timeline, policy: AuditPolicy) -> History | None:
    """The runs before a run, as far back as the policy needs."""
    if not policy.runs.needs_history:
        return None
    return timeline.past.before(run, reach=policy.runs.reach(timeline.flow.step))


def beside_the_usual(verdict: Verdict, timeline: Timeline | None, policy: AuditPolicy) -> Verdict:
    """A verdict on one run; if it is not good, with the usual records of the runs that were read anyway."""
    run = next((run for run in timeline.runs if (run.id,) == verdict.run_ids), None) if timeline else None
    if timeline is None or run is None or verdict.status == "success" or verdict.usual_records is not None:
        return verdict
    usual, count = usual_records(alike(timeline.past.before(run), run), policy.runs)
    return replace(verdict, usual_records=usual, usual_runs=count)


def _about(
    run: DataflowRun, timeline: Timeline, kind: str, choice: Choice, at: datetime | None, sentence: str
) -> Finding:
    tick = timeline.tick_of.get(run.id)
    return Finding(
        key=f"{kind}:{run.id}",
        kind=kind,
        outcome=choice,
        told=sentence,
        known_at=at,
        tick=tick.at if tick else None,
        run_ids=(run.id,),
    )


def told_stuck(run: DataflowRun, at: datetime) -> str:
    """A sentence that a run became stuck at a moment."""
    span = at - run.started_at if run.started_at else timedelta()
    since = f" at {run.started_at:%Y-%m-%d %H:%M} UTC" if run.started_at else ""
    return f"run {run.id} was still under way {span_words(span)} after it started{since}"


def _of_event(event: Event, policy: AuditPolicy, causes: Mapping[str, Cause]) -> Finding:
    about = event.run.id if event.run else event.tick.at.isoformat()
    key = f"{event.kind}:{about}"
    cause = causes.get(key)
    return Finding(
        key=key,
        kind=event.kind,
        outcome=policy.of_gap(event.kind),
        told=told_of(event),
        known_at=event.at,
        tick=event.tick.at,
        run_ids=(event.run.id,) if event.run else (),
        cause=cause,
    )


def told_of(event: Event) -> str:
    """A sentence about an event of a tick."""
    if event.kind == "missing":
        return f"no run started within {span_words(DEADLINE)} after {event.tick}"
    if event.kind == "late":
        started = event.run.started_at if event.run else None
        return f"the run for {event.tick} started {late_words(event.tick, started)}"
    named = f"dataset {', '.join(event.lacking)}" if event.lacking else ""
    if event.kind == "incomplete":
        lacking = f"; {named} is lacking" if named else ""
        return f"{event.came} of {event.owed} runs for {event.tick}{lacking}"
    twice = f", {named} twice" if named else f", which owes {event.owed}"
    return f"{event.came} runs delivered for {event.tick}{twice}"


def late_words(tick: Tick, started: datetime | None) -> str:
    """How long after its tick a run started."""
    return f"{span_words((started or tick.at) - tick.at)} after it"


def of_dataflow(timeline: Timeline, policy: AuditPolicy) -> Iterator[Finding]:
    """The present and coming problems of the dataflow itself: its state, and its end."""
    flow, changed = timeline.flow, timeline.flow.changed_at
    if flow.state != "enabled":
        off = flow.state in OFF
        sentence = f"it is {flow.state} and exports nothing until it is enabled"
        yield Finding(
            key=f"disabled:{changed.isoformat() if changed else flow.state}",
            kind="disabled",
            outcome=policy.on_disabled,
            told=sentence if off else f"its state is {flow.state!r}, and it has not become enabled",
            # A dataflow that is being created or changed passes through other states.
            known_at=changed if off or changed is None else changed + PASSING,
        )
    elif not is_readable(flow.schedule):
        yield Finding(
            key=f"unreadable:{changed.isoformat() if changed else flow.id}",
            kind="unreadable",
            outcome=policy.on_unreadable,
            told="its ticks cannot be computed from its schedule, so a missing run would not be noticed",
            known_at=changed,
        )
    soon = timedelta(days=policy.ends_soon_days)  # type: ignore[arg-type]
    expiry = expiry_of(flow.schedule, now=timeline.now, within=soon)
    end = schedule_words(flow.schedule)["end"]
    if expiry is None or end is None:
        return
    ends = parse_moment("end", end)
    kind = "ended" if expiry.days <= 0 else "ends_soon"
    known_at = ends if kind == "ended" else ends - soon
    yield Finding(
        key=f"{kind}:{end}",
        kind=kind,
        outcome=policy.on_ends_soon,
        told=f"its schedule {expiry.words}",
        # An end was not known before it was set.
        known_at=max(known_at, changed) if changed else known_at,
    )


def unread(why: str, policy: AuditPolicy) -> Finding:
    """The finding that the runs of an export could not be read."""
    sentence = f"its runs could not be read: {why}"
    return Finding(key="unread", kind="unread", outcome=policy.on_unread, told=sentence, known_at=None)


def listed_late(finding: Finding) -> Finding:
    """A finding that could not be reported in time, because the service listed the run too late."""
    return replace(finding, told=f"{finding.told} (listed late)")


def window_of(
    findings: Iterable[Finding], since: datetime, until: datetime
) -> tuple[list[Finding], list[Finding]]:
    """The findings that became known in a window, and those that had become known before it."""
    known = [finding for finding in findings if finding.known_at is None or finding.known_at < until]
    new = [finding for finding in known if finding.known_at is None or finding.known_at >= since]
    return new, [finding for finding in known if finding.known_at and finding.known_at < since]


def standing_of(timeline: Timeline, before: Iterable[Finding]) -> list[Finding]:
    """The earlier findings that still hold: an export that hangs, is disabled, or has ended.

    A missing run stands as long as no run has started since.
    """
    running = {run.id for run in timeline.runs if not run.finished}
    last_run = max((run.started_at for run in timeline.runs if run.started_at), default=None)
    standing = []
    missing = None
    for finding in before:
        if finding.kind in ("disabled", "ended", "ends_soon", "unreadable") or (
            finding.kind == "stuck" and set(finding.run_ids) & running
        ):
            standing.append(finding)
        elif finding.kind == "missing" and finding.tick and (last_run is None or last_run < finding.tick):
            missing = missing or finding  # the first of them: no run has come since
    return [*standing, *([missing] if missing else [])]
