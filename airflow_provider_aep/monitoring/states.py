"""The present state of each tick, in words for people.

A finding is reported once, at its moment; a state is the result of a tick so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.attribution import Served
from airflow_provider_aep.monitoring.findings import late_words, told_of
from airflow_provider_aep.monitoring.policy import AuditPolicy, Choice, RunPolicy, worst_choice
from airflow_provider_aep.monitoring.timeline import Timeline
from airflow_provider_aep.monitoring.usual import usual_duration
from airflow_provider_aep.monitoring.verdict import Verdict, judge_runs
from airflow_provider_aep.times import span_words

# The status of a verdict -> the kind of state of its tick.
KINDS: Mapping[str, str] = {
    "success": "good",
    "zero_records": "empty",
    "unknown_records": "good",
    "partial": "partial",
    "low_records": "low",
    "slow": "slow",
    "failed": "failed",
    "unknown": "failed",
}
# The worst first, as lists of exports are sorted.
SEVERITY = (
    *("failed", "missing", "stuck", "incomplete", "empty", "partial", "low", "doubled", "late", "slow"),
    *("running", "waiting", "good"),
)
UNDECIDED = frozenset({"running", "waiting"})


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One tick of a schedule, or one run that belongs to no tick.

    :param kind: ``good``, ``empty``, ``partial``, ``low``, ``slow``, ``failed``, ``late``, ``missing``,
        ``incomplete``, ``doubled``, ``stuck``, ``running`` or ``waiting`` (no run yet, and not late).
    :param told: a sentence about it.
    :param verdict: on its runs, once they have finished.
    :param is_first: whether it is the first, full export, with which others must not be compared.
    """

    at: datetime
    kind: str
    told: str
    runs: tuple[DataflowRun, ...]
    verdict: Verdict | None = None
    is_first: bool = False

    @property
    def records(self) -> int | None:
        return self.verdict.records_out if self.verdict else None


def states_of(timeline: Timeline, policy: RunPolicy, since: datetime) -> list[State]:
    """The ticks from a moment on, and the runs that belong to no tick, oldest first.

    Ticks whose state is unknown are left out, and so are runs without a start.
    """
    shown = [served for served in timeline.attribution.served if served.tick.at >= since]
    states = [state for served in shown if (state := state_of(served, timeline, policy))]
    states += [
        _of_runs((run,), run.started_at, timeline, policy)
        for run in timeline.attribution.unowned
        if run.started_at and since <= run.started_at <= timeline.now
    ]
    return sorted(states, key=lambda state: state.at)


def choice_of(state: State, policy: AuditPolicy) -> Choice:
    """The outcome by the policy for a state that is decided."""
    choices = [state.verdict.outcome] if state.verdict else []
    if state.kind in ("missing", "incomplete", "late", "doubled"):
        choices.append(policy.of_gap(state.kind))
    elif state.kind == "stuck":
        choices.append(policy.runs.on_stuck)
    elif not choices:
        choices.append(policy.runs.on_failed)
    return worst_choice(choices)


def state_of(served: Served, timeline: Timeline, policy: RunPolicy) -> State | None:
    """The state of one tick; ``None`` if it is not known."""
    tick, now = served.tick, timeline.now
    runs = tuple(served.standing())
    events = {event.kind: event for event in timeline.events if event.tick.at == tick.at}
    gap = events.get("missing") or events.get("incomplete")
    if not runs:
        if gap is not None and served.gap:
            return State(at=tick.at, kind="missing", told=told_of(gap), runs=())
        if served.known and not served.gap:
            sentence = f"no run {span_words(now - tick.at)} after {tick}"
            return State(at=tick.at, kind="waiting", told=sentence, runs=())
        return None
    state = _of_runs(runs, tick.at, timeline, policy)
    # An extra run may have failed beside a good one.
    states = [state, *(_of_runs((run,), tick.at, timeline, policy) for run in served.extra)]
    if gap is not None and gap.kind == "incomplete" and served.count < gap.owed:
        states.append(replace(state, kind="incomplete", told=told_of(gap)))
    if doubled := events.get("doubled"):
        states.append(replace(state, kind="doubled", told=told_of(doubled)))
    started = runs[0].started_at
    if state.verdict and started and started > tick.deadline:
        sentence = f"the run for {tick} started {late_words(tick, started)}"
        states.append(replace(state, kind="late", told=sentence))
    return min(states, key=lambda state: SEVERITY.index(state.kind))


def _of_runs(runs: tuple[DataflowRun, ...], at: datetime, timeline: Timeline, policy: RunPolicy) -> State:
    finished = tuple(run for run in runs if run.finished)
    is_first = timeline.past.is_first(runs[0])
    verdict = judge_runs(finished, policy) if finished else None
    if len(finished) == len(runs) and verdict:
        kind = KINDS.get(verdict.status, "failed")
        return State(at=at, kind=kind, told=verdict.reason, runs=runs, verdict=verdict, is_first=is_first)
    if verdict and verdict.status in ("failed", "unknown"):
        return State(at=at, kind="failed", told=verdict.reason, runs=runs, is_first=is_first)
    for run in runs:
        if not run.finished and timeline.stuck_at(run, policy):
            return State(
                at=at, kind="stuck", told=told_running((run,), timeline), runs=runs, is_first=is_first
            )
    return State(at=at, kind="running", told=told_running(runs, timeline), runs=runs, is_first=is_first)


def told_running(runs: tuple[DataflowRun, ...], timeline: Timeline) -> str:
    """A sentence about how long a run has been under way, and how long it usually takes."""
    run = next(run for run in runs if not run.finished)
    if run.started_at is None:
        return f"run {run.id} is under way"
    usual = usual_duration(timeline.past.before(run))
    beside = f"; usually it takes {span_words(usual)}" if usual is not None else ""
    return f"run {run.id} has been under way for {span_words(timeline.now - run.started_at)}{beside}"
