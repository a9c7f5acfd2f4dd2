"""An audit: every export dataflow of a sandbox over a window, with verdicts, gaps, and ends to come.

Costs one listing of dataflows and, for up to 100 of them at a time, one of runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.errors import AepError, AepValidationError, Problem
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.flowservice.dataflows import Dataflow, list_dataflows
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.entities import part_of_name
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.expiry import expiry_of
from airflow_provider_aep.flowservice.runs import DataflowRun
from airflow_provider_aep.flowservice.schedule import schedule_words, step_of
from airflow_provider_aep.flowservice.validation import nearest
from airflow_provider_aep.monitoring.gaps import SKEW, Kind, Tick, gaps_of, judge_ticks
from airflow_provider_aep.monitoring.verdict import (
    Choice,
    History,
    RunPolicy,
    Verdict,
    check_choice,
    judge_runs,
    run_policy,
    worst,
)
from airflow_provider_aep.monitoring.watch import Wait, look_for_many

FURTHEST_BACK = timedelta(days=45)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPolicy:
    """What each finding means: ``fail``, ``warn``, ``skip`` or ``ok``.

    :param runs: the run policy, for the runs of each tick.
    :param on_unread: the runs of a dataflow could not be read.
    :param on_ends_soon: a schedule ends within ``ends_soon_days``, or has ended.
    """

    runs: RunPolicy = field(default_factory=RunPolicy)
    on_missing: Choice = "fail"
    on_late: Choice = "warn"
    on_doubled: Choice = "warn"
    on_disabled: Choice = "warn"
    on_ends_soon: Choice = "warn"
    on_unread: Choice = "fail"
    ends_soon_days: int = 14

    def __post_init__(self) -> None:
        for name in ("on_missing", "on_late", "on_doubled", "on_disabled", "on_ends_soon", "on_unread"):
            check_choice(name, getattr(self, name))
        days: object = self.ends_soon_days
        if not isinstance(days, int) or isinstance(days, bool) or days < 0:
            problem = Problem("ends_soon_days", "must be a whole number, 0 or more")
            raise AepValidationError("the audit", [problem])

    def of_gap(self, kind: Kind) -> Choice:
        choices: dict[Kind, Choice] = {
            "missing": self.on_missing,
            "late": self.on_late,
            "doubled": self.on_doubled,
        }
        return choices.get(kind, "ok")


def audit_policy(given: Mapping[str, Any]) -> AuditPolicy:
    """An audit's policy from one dict, which holds parts of the run policy too.

    :raises AepValidationError: it breaks a rule, or holds what neither policy knows.
    """
    own = {each.name for each in fields(AuditPolicy)} - {"runs"}
    runs = run_policy({name: value for name, value in given.items() if name not in own}, beside=own)
    return AuditPolicy(runs=runs, **{name: value for name, value in given.items() if name in own})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dataflows to audit; by default all that export datasets.

    :param name_contains: in whatever letter case.
    :param destinations: our names, such as ``s3``.
    :param owner: only those that this owner declared, by the mark in their description.
    """

    name_contains: str | None = None
    destinations: Collection[str] = ()
    owner: str | None = None

    def __post_init__(self) -> None:
        part_of_name(self.name_contains)
        for name in self.destinations:
            if name not in DESTINATIONS:
                problem = Problem(
                    "destinations", f"must hold names of destinations{nearest(name, DESTINATIONS)}"
                )
                raise AepValidationError("the selection", [problem])

    def holds(self, flow: Dataflow) -> bool:
        mark = read_mark(flow.raw)
        return (
            part_of_name(self.name_contains) in flow.name.casefold()
            and (not self.destinations or flow.destination in self.destinations)
            and (self.owner is None or (mark is not None and mark.owner == self.owner))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedExport:
    """What an audit says of one dataflow.

    :param outcome: the worst of all that was found.
    :param verdicts: one for each tick whose runs have finished, oldest first.
    :param warnings: what is or will be wrong with the dataflow itself.
    """

    dataflow: Dataflow
    outcome: Choice
    ticks: tuple[Tick, ...]
    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...]

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
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "gaps": [tick.to_json() for tick in gaps_of(self.ticks)],
            "ticks": len(self.ticks),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was found in a window, export by export, the worst first."""

    since: datetime
    until: datetime
    exports: tuple[AuditedExport, ...]

    @property
    def outcome(self) -> Choice:
        """The worst of all; ``skip`` only where no export is any better."""
        return _worst_choice([export.outcome for export in self.exports])

    def to_json(self) -> dict[str, Any]:
        outcomes = [export.outcome for export in self.exports]
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "outcome": self.outcome,
            "totals": {choice: outcomes.count(choice) for choice in ("fail", "warn", "skip", "ok")},
            "exports": [export.to_json() for export in self.exports],
        }


def audit_exports(
    *,
    since: datetime,
    until: datetime,
    now: datetime,
    policy: AuditPolicy | None = None,
    selection: Selection | None = None,
) -> Exchange[Audit]:
    """Audit the export dataflows of the sandbox: the ticks from ``since`` on and earlier than ``until``.

    :raises AepValidationError: the window ends before it begins.
    """
    if until <= since:
        raise AepValidationError("the window", [Problem("until", "must be later than since")])
    policy, selection = policy or AuditPolicy(), selection or Selection()
    flows = [flow for flow in (yield from list_dataflows()) if selection.holds(flow)]
    # Of like cadence next to each other: together they are read as far back as the one that needs most.
    flows.sort(key=lambda flow: (_reach(flow, policy.runs), flow.name, flow.id))
    waits = [
        Wait(dataflow_id=flow.id, started_after=since - SKEW - _reach(flow, policy.runs), whole=True)
        for flow in flows
    ]
    look = yield from look_for_many(waits, now=now)
    audited = []
    for flow, wait, seen in zip(flows, waits, look.seen, strict=True):
        unread = str(seen) if isinstance(seen, AepError) else ""
        if not isinstance(seen, AepError) and not seen.answered:
            unread = seen.told
        runs = () if isinstance(seen, AepError) else seen.runs
        window = _Window(since=since, until=until, now=now, read_from=wait.started_after)
        audited.append(_audit(flow, runs, unread, window, policy))
    audited.sort(key=lambda export: (-_RANK[export.outcome], export.dataflow.name, export.dataflow.id))
    return Audit(since=since, until=until, exports=tuple(audited))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    since: datetime
    until: datetime
    now: datetime
    read_from: datetime


def _reach(flow: Dataflow, policy: RunPolicy) -> timedelta:
    """How far before the window runs are read, to know what is usual."""
    if not policy.needs_history:
        return timedelta()
    step = timedelta(seconds=step_of(flow.schedule) or 86400)
    return min(step * (max(policy.history, policy.zero_streak) + 1), FURTHEST_BACK)


def _audit(
    flow: Dataflow, runs: Sequence[DataflowRun], unread: str, window: _Window, policy: AuditPolicy
) -> AuditedExport:
    warnings = dict(_warnings(flow, window.now, policy))
    if unread:
        warnings[f"its runs could not be read: {unread}"] = policy.on_unread
        ticks: list[Tick] = []
    else:
        owed = flow.ticks(window.since, max(window.until, window.now))
        ticks = judge_ticks(owed, runs, until=window.until, now=window.now)
    if flow.state != "enabled":
        # Nobody knows since when: what is missing may not have been owed.
        ticks = [tick for tick in ticks if tick.kind != "missing"]
    verdicts = [_verdict(tick, runs, flow, window, policy.runs) for tick in ticks if _is_over(tick)]
    choices: list[Choice] = [
        *(verdict.outcome for verdict in verdicts),
        *(policy.of_gap(tick.kind) for tick in gaps_of(ticks)),
        *warnings.values(),
    ]
    return AuditedExport(
        dataflow=flow,
        outcome=_worst_choice(choices),
        ticks=tuple(ticks),
        verdicts=tuple(verdicts),
        warnings=tuple(warnings),
    )


def _is_over(tick: Tick) -> bool:
    return bool(tick.runs) and all(run.finished for run in tick.runs)


def _verdict(
    tick: Tick, runs: Sequence[DataflowRun], flow: Dataflow, window: _Window, policy: RunPolicy
) -> Verdict:
    first = tick.runs[0].started_at or tick.at
    earlier = sorted(
        (run for run in runs if run.started_at and run.started_at < first and run.finished),
        key=lambda run: str(run.started_at),
        reverse=True,
    )
    created = flow.raw.get("createdAt")
    whole = isinstance(created, int | float) and created / 1000 >= window.read_from.timestamp()
    history = History(runs=tuple(earlier), complete=whole) if policy.needs_history else None
    return judge_runs(tick.runs, policy, history)


def _warnings(flow: Dataflow, now: datetime, policy: AuditPolicy) -> Mapping[str, Choice]:
    found: dict[str, Choice] = {}
    if flow.state != "enabled":
        found[f"it is {flow.state} and exports nothing until it is enabled"] = policy.on_disabled
    expiry = expiry_of(flow.schedule, now=now, within=timedelta(days=policy.ends_soon_days))
    if expiry:
        found[f"its schedule {expiry.words}"] = policy.on_ends_soon
    return found


_RANK: Mapping[Choice, int] = {"fail": 3, "warn": 2, "ok": 1, "skip": 0}


def _worst_choice(choices: Sequence[Choice]) -> Choice:
    return max(choices, key=_RANK.__getitem__, default="ok")


TABLE = ("outcome", "export", "destination", "every", "ticks", "records", "what was found")


def rows_of(audit: Audit) -> list[tuple[str, ...]]:
    """The audit as rows under ``TABLE``: for each export all that is not well, or its last verdict."""
    return [
        (
            export.outcome,
            export.dataflow.name,
            export.dataflow.destination or "?",
            str(schedule_words(export.dataflow.schedule)["every"]),
            str(len(export.ticks)),
            _records(export.verdicts),
            "; ".join(found_in(export)),
        )
        for export in audit.exports
    ]


def _records(verdicts: Sequence[Verdict]) -> str:
    counts = [verdict.records_out for verdict in verdicts]
    return "-" if not counts else "?" if None in counts else f"{sum(filter(None, counts)):,}"


def found_in(export: AuditedExport) -> list[str]:
    """All that is not well with an export; of one that is well, the last that is known."""
    told = [verdict.reason for verdict in export.verdicts if verdict.status != "success"]
    told += [tick.told for tick in gaps_of(export.ticks)]
    told += export.warnings
    if told:
        return told
    if export.verdicts:
        return [export.verdicts[-1].reason]
    return [export.ticks[-1].told if export.ticks else "no tick in this window"]
