"""The parts of a story: each run or tick, each batch, and data that were ingested and not exported.

This module judges nothing: ``findings`` and ``states`` judge runs and ticks, and ``causes`` finds causes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_aep.flowservice.codes import UNKNOWN, explain
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.ingestion import Batch
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.findings import Finding, judgement_of
from airflow_provider_aep.monitoring.owing import Ingested
from airflow_provider_aep.monitoring.policy import AuditPolicy, worst_choice
from airflow_provider_aep.monitoring.states import KINDS, UNDECIDED, states_of, told_running
from airflow_provider_aep.monitoring.timeline import Timeline

# The kinds of findings that are about a tick, and are reported with its runs.
_OF_TICKS = frozenset({"late", "doubled", "incomplete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The material of a story.

    :param timeline: ``None`` if the runs could not be read, for the reason ``why``.
    :param findings: all known problems, with their causes.
    :param ingested: what was read of each dataset.
    :param unasked: how many datasets of the export were not read, because there are too many.
    :param conn_id: the Airflow connection, for the commands.
    """

    flow: Dataflow
    timeline: Timeline | None
    findings: Sequence[Finding]
    ingested: Mapping[str, Ingested]
    since: datetime
    now: datetime
    policy: AuditPolicy
    conn_id: str
    sandbox: str
    why: str = ""
    unasked: int = 0

    def name_of(self, dataset_id: str) -> str:
        ingested = self.ingested.get(dataset_id)
        return ingested.name if ingested else dataset_id


# What went out


def exports_of(facts: Facts) -> list[dict[str, Any]]:
    timeline = facts.timeline
    if timeline is None:
        return []
    by_run: dict[str, list[Finding]] = {}
    by_tick: dict[str, Finding] = {}
    for finding in facts.findings:
        for run_id in finding.run_ids:
            by_run.setdefault(run_id, []).append(finding)
        if not finding.run_ids and finding.tick:
            by_tick[f"{finding.kind}:{finding.tick.isoformat()}"] = finding
    runs = [run for run in timeline.runs if _moment_of(run, facts.now) >= facts.since]
    exports = [_run_entry(run, timeline, facts, by_run.get(run.id, []), by_tick) for run in runs]
    for state in states_of(timeline, facts.policy.runs, facts.since):
        if state.runs:
            continue
        gap = by_tick.get(f"missing:{state.at.isoformat()}")
        exports.append(
            {
                **_EMPTY,
                "at": state.at.isoformat(),
                "tick": state.at.isoformat(),
                "status": state.kind,
                "outcome": gap.outcome if gap else None,
                "told": state.told,
                "cause": gap.cause.to_json() if gap and gap.cause else None,
            }
        )
    return sorted(exports, key=lambda export: (export["at"], export["run_id"] or ""))


_EMPTY: Mapping[str, Any] = {
    "run_id": None,
    "started": None,
    "ended": None,
    "records": None,
    "dataset_ids": [],
    "errors": [],
    "also": [],
    "is_first": False,
}


def _run_entry(
    run: DataflowRun,
    timeline: Timeline,
    facts: Facts,
    findings: Sequence[Finding],
    by_tick: Mapping[str, Finding],
) -> dict[str, Any]:
    tick = timeline.tick_of.get(run.id)
    cause = next((finding.cause for finding in findings if finding.cause), None)
    stuck = next((finding for finding in findings if finding.kind == "stuck"), None)
    if run.finished:
        judged = judgement_of(run, timeline, facts.policy, cause)
        status, outcome, words = KINDS.get(judged.status, "failed"), judged.choice, judged.told
    elif stuck:
        status, outcome, words = "stuck", stuck.outcome, stuck.told
    else:
        status, outcome, words = "running", None, told_running((run,), timeline)
    beside = [finding for finding in findings if finding.kind in _OF_TICKS]
    if tick:
        keys = (f"{kind}:{tick.at.isoformat()}" for kind in sorted(_OF_TICKS))
        beside += [by_tick[key] for key in keys if key in by_tick]
    return {
        **_EMPTY,
        "at": _moment_of(run, facts.now).isoformat(),
        "tick": tick.at.isoformat() if tick else None,
        "run_id": run.id,
        "started": iso(run.started_at),
        "ended": iso(run.ended_at),
        "status": status,
        "outcome": worst_choice([outcome, *(finding.outcome for finding in beside)]) if outcome else None,
        "told": words,
        "records": run.records_out,
        "dataset_ids": list(run.dataset_ids),
        "cause": cause.to_json() if cause else None,
        "errors": [error_told(error.code, error.message) for error in run.errors],
        "also": [finding.told for finding in beside],
        "is_first": timeline.past.is_first(run),
    }


def error_told(code: str, message: str) -> dict[str, str | None]:
    """One of Adobe's errors, with its meaning, if that is public, and what to do."""
    known = explain(code)
    meaning = None if known is UNKNOWN else known.meaning
    return {"code": code, "told": message, "meaning": meaning, "advice": known.advice}


def _moment_of(run: DataflowRun, now: datetime) -> datetime:
    return run.started_at or run.ended_at or now


def latest_of(exports: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The last runs whose result is known, all of one tick; or the last tick without a run."""
    decided = [export for export in exports if export["status"] not in UNDECIDED]
    if not decided:
        return []
    last = decided[-1]
    same = [export for export in decided if last["tick"] and export["tick"] == last["tick"]]
    return same or [last]


# What came in


def ingestion_of(facts: Facts, lost: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The batches of the window, by the moment at which they ended.

    :param lost: entries of ``lost_of``, by the id of the batch.
    """
    entries = {}
    for dataset_id, ingested in facts.ingested.items():
        for batch in ingested.batches:
            at = batch.ended_at or batch.created_at
            if at is None or not facts.since <= at <= facts.now:
                continue
            owed = lost.get(batch.id)
            entries[batch.id, dataset_id] = {
                "at": at.isoformat(),
                "dataset_id": dataset_id,
                "dataset": ingested.name,
                "batch_id": batch.id,
                "opened": iso(batch.created_at),
                "completed": iso(batch.ended_at),
                "status": str(batch.status),
                "records": batch.records,
                "codes": list(batch.codes),
                "lost": owed is not None and not owed["later_run"],
                "later_run": owed["later_run"] if owed else None,
            }
    return sorted(entries.values(), key=lambda entry: (entry["at"], entry["dataset_id"], entry["batch_id"]))


def lost_of(facts: Facts) -> list[dict[str, Any]]:
    """Data that were ingested and not exported: each batch once, by the first run or tick that owed it."""
    seen: set[str] = set()
    losses = []
    for finding in facts.findings:
        if finding.cause is None or finding.cause.kind != "not_exported":
            continue
        owed = [batch for batch in finding.cause.owed if batch.id not in seen]
        seen |= {batch.id for batch in owed}
        if not owed or (finding.known_at and finding.known_at < facts.since):
            continue
        ids = sorted({key for batch in owed for key in batch.dataset_ids if key in facts.ingested})
        ends = [batch.ended_at for batch in owed if batch.ended_at]
        losses.append(
            {
                "dataset_ids": ids,
                "datasets": [facts.name_of(dataset_id) for dataset_id in ids],
                "batches": len(owed),
                "records": sum_of(batch.records for batch in owed),
                "since": iso(min(ends, default=None)),
                "until": iso(max(ends, default=None)),
                "batch_ids": [batch.id for batch in owed],
                "told": finding.cause.told,
                "tick": iso(finding.tick),
                "run_id": finding.run_ids[0] if finding.run_ids else None,
                "later_run": _later(facts, finding, owed),
            }
        )
    return losses


def _later(facts: Facts, finding: Finding, owed: Sequence[Batch]) -> dict[str, Any] | None:
    """A later run that may have delivered the owed batches.

    The run after a missing one goes back to the last export. After an empty one, only an export on demand
    does, which belongs to no tick.
    """
    timeline = facts.timeline
    ends = [batch.ended_at for batch in owed if batch.ended_at]
    if timeline is None or not ends or not finding.known_at:
        return None
    after = finding.tick if finding.kind == "missing" and finding.tick else finding.known_at
    datasets = {dataset_id for batch in owed for dataset_id in batch.dataset_ids}
    of_ticks = {run.id for served in timeline.attribution.served for run in served.runs}
    for run in timeline.runs:
        if not (run.delivered and run.records_out and run.started_at):
            continue
        if run.started_at <= max(after, max(ends) + facts.policy.runs.margin):
            continue
        if run.dataset_ids and not datasets <= set(run.dataset_ids):
            continue
        if finding.kind == "missing" or run.id not in of_ticks:
            return {"run_id": run.id, "started": iso(run.started_at), "records": run.records_out}
    return None


def sum_of(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(filter(None, known))


def iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
