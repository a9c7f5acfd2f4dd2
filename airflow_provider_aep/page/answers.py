"""The responses to the browser, field by field: no document of the service leaves the server whole."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.locations import Location, location_of
from airflow_provider_aep.flowservice.run_record import DataflowRun, RunStatus
from airflow_provider_aep.flowservice.schedule import schedule_words
from airflow_provider_aep.monitoring.findings import Finding
from airflow_provider_aep.monitoring.overview import Overviewed, usual_range
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.states import KINDS, State, told_running
from airflow_provider_aep.monitoring.story_parts import error_told
from airflow_provider_aep.monitoring.usual import usual_duration
from airflow_provider_aep.monitoring.verdict import judge_runs
from airflow_provider_aep.page.reading import Facts, Snapshot
from airflow_provider_aep.times import span_words

MOST_RUNS = 100
MOST_FINDINGS = 50
MOST_FOLDERS = 10
LONGEST_TEXT = 2000
# A schedule whose next tick is further away than this is treated as if it had ended.
FURTHEST_AHEAD = timedelta(days=400)
_RUN_ID = re.compile(r"\b([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_DEFAULT_POLICY = RunPolicy()


def export_row(
    export: Overviewed, facts: Facts, *, conn_id: str, sandbox: str, now: datetime
) -> dict[str, Any]:
    """One export, as a row of the table."""
    flow, words = export.flow, schedule_words(export.flow.schedule)
    destination = DESTINATIONS.get(flow.destination or "")
    ends_at = words["end"]
    left = datetime.fromisoformat(ends_at) - now if ends_at else None
    current = export.states[-1] if export.states else None
    return {
        "conn_id": conn_id,
        "sandbox": sandbox,
        "id": flow.id,
        "name": _short(flow.name),
        "datasets": [
            {"id": dataset_id, "name": name and _short(name)}
            for source_id in flow.source_connection_ids
            for dataset_id, name in facts.datasets.get(source_id, ())
        ],
        "destination": flow.destination,
        "destination_title": destination.title if destination else flow.destination,
        "state": flow.state,
        "every": words["every"],
        "next_tick": iso(_next_tick(flow, now)),
        "ends_at": ends_at,
        "days_left": None if left is None else left.days,
        "ends_in": None if left is None or left <= timedelta() else span_words(left),
        "owner": owner_of(export),
        "lands_in": location.url or None if (location := location_in(facts, flow)) else None,
        "warnings": [_sentence(finding.told) for finding in export.warnings],
        "outcome": export.outcome,
        "severity": export.severity,
        # The state of the last tick, and of the last decided one if that is another.
        "current": _state(current) if current and current is not export.decided else None,
        "decided": _state(export.decided) if export.decided else None,
        "bad": export.bad,
        "last_good_at": iso(export.last_good_at),
        "ticks": [_tick(state) for state in export.states],
    }


def _next_tick(flow: Dataflow, now: datetime) -> datetime | None:
    if flow.state != "enabled":
        return None
    # Once a schedule has begun, the next tick is at most one step away.
    for ahead in (flow.step, FURTHEST_AHEAD):
        if coming := flow.ticks(now, now + ahead):
            return coming[0]
    return None


def _state(state: State) -> dict[str, Any]:
    return {"at": iso(state.at), "kind": state.kind, "told": _sentence(state.told)}


def _tick(state: State) -> list[Any]:
    """Time, kind and records; and ``True`` for the first, full export, which does not compare with others."""
    fields: list[Any] = [iso(state.at), state.kind, state.records]
    return [*fields, True] if state.is_first else fields


def _finding(finding: Finding) -> dict[str, Any]:
    """A finding in the words of a check."""
    return {
        "key": finding.key,
        "kind": finding.kind,
        "outcome": finding.outcome,
        "told": _short(finding.told),
        "known_at": iso(finding.known_at),
        "tick": iso(finding.tick),
    }


def location_in(facts: Facts, flow: Dataflow) -> Location | None:
    """Where an export delivers; ``None`` if its target connection cannot be read."""
    ids = (target_id for target_id in flow.target_connection_ids if target_id in facts.targets)
    target = next((facts.targets[target_id] for target_id in ids), None)
    if target is None:
        return None
    datasets = (facts.datasets.get(source_id, ()) for source_id in flow.source_connection_ids)
    dataset_ids = [dataset_id for of_source in datasets for dataset_id, _ in of_source]
    return location_of(flow, target, dataset_ids=dataset_ids)


def _folders(run: DataflowRun, tick: datetime | None, location: Location | None) -> list[str]:
    """The folders of a run's files, if it wrote any and the folders are known exactly."""
    if location is None or not run.finished or not run.records_out:
        return []
    at, sure = location.folder_time(run.started_at, tick)
    folders = location.folders(at, run.dataset_ids)
    return [_short(folder.url) for folder in folders if sure and folder.exact][:MOST_FOLDERS]


def run_row(run: DataflowRun, export: Overviewed, facts: Facts) -> dict[str, Any]:
    """One run, with the verdict of the default policy, what Adobe's errors mean, and where its files are.

    For a run that is under way, ``usual_seconds`` is how long earlier runs took.
    """
    timeline = export.timeline
    usual = None if run.finished else usual_duration(timeline.past.before(run))
    verdict = judge_runs([run], _DEFAULT_POLICY) if run.finished else None
    is_stuck = timeline.stuck_at(run, _DEFAULT_POLICY) is not None
    tick = timeline.tick_of.get(run.id)
    return {
        "id": run.id,
        "started_at": iso(run.started_at),
        "completed_at": iso(run.completed_at),
        "status": run.status_word,
        "tick": iso(tick.at) if tick else None,
        "is_first": timeline.past.is_first(run),
        "kind": KINDS.get(verdict.status, "failed") if verdict else "stuck" if is_stuck else "running",
        "outcome": verdict.outcome if verdict else _DEFAULT_POLICY.on_stuck if is_stuck else None,
        "reason": _sentence(verdict.reason if verdict else told_running((run,), timeline)),
        "records": run.records_out,
        "bytes": run.bytes_out,
        "files": run.files_out,
        "duration_seconds": _seconds(run),
        "usual_seconds": usual.total_seconds() if usual else None,
        "folders": _folders(run, tick.at if tick else None, location_in(facts, export.flow)),
        "errors": [
            {name: text and _short(text) for name, text in error_told(error.code, error.message).items()}
            for error in run.errors
        ],
    }


def export_detail(export: Overviewed, snapshot: Snapshot) -> dict[str, Any]:
    """The runs, findings and entities of one export."""
    runs = export.runs[:MOST_RUNS]
    # The first, full export does not compare with the others.
    good = [run for run in runs if run.status is RunStatus.SUCCESS and not export.timeline.past.is_first(run)]
    return {
        "runs": [run_row(run, export, snapshot.facts) for run in runs],
        "lands": _lands(location_in(snapshot.facts, export.flow)),
        "usual": {
            # An empty run is legitimate, but does not compare with the others.
            "records": usual_range([run.records_out for run in good if run.records_out]),
            "bytes": usual_range([run.bytes_out for run in good if run.bytes_out]),
            "duration_seconds": usual_range([took for run in good if (took := _seconds(run)) is not None]),
        },
        "findings": [_finding(finding) for finding in export.findings[::-1][:MOST_FINDINGS]],
        "entities": _entities(export, snapshot.facts),
    }


def _lands(location: Location | None) -> dict[str, Any] | None:
    if location is None or not location.url:
        return None
    return {
        "url": _short(location.url),
        "template": _short(location.folder_template),
        "format": location.file_type,
    }


def owner_of(export: Overviewed) -> str | None:
    """Who declared the export, by the mark in its description."""
    mark = read_mark(export.flow.raw)
    return mark.owner if mark else None


def _entities(export: Overviewed, facts: Facts) -> list[dict[str, Any]]:
    flow = export.flow
    entities: list[tuple[str, str | None, str | None]] = [("dataflow", flow.id, flow.name)]
    for source_id in flow.source_connection_ids:
        entities.append(("source connection", source_id, facts.sources.get(source_id)))
        entities += [("dataset", dataset_id, name) for dataset_id, name in facts.datasets.get(source_id, ())]
    for target_id in flow.target_connection_ids:
        target = facts.targets.get(target_id, {})
        entities.append(("target connection", target_id, target.get("name")))
        entities.append(("base connection", target.get("baseConnectionId"), None))
    return [
        {"kind": kind, "id": entity_id, "name": name and _short(name)}
        for kind, entity_id, name in entities
        if entity_id
    ]


def _seconds(run: DataflowRun) -> float | None:
    if run.started_at is None or run.completed_at is None:
        return None
    return max(0.0, (run.completed_at - run.started_at).total_seconds())


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, in whole seconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None


def _sentence(sentence: str) -> str:
    """A sentence with short run ids: the full id is shown beside it."""
    return _RUN_ID.sub(r"\1", _short(sentence))


def _short(text: object) -> str:
    words = str(text)
    return words if len(words) <= LONGEST_TEXT else f"{words[:LONGEST_TEXT]}…"
