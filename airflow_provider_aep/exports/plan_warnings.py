"""The warnings of a plan: ends, switched-off dataflows, changes by others, and leftovers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from airflow_provider_aep.exports.differences import spelled_otherwise
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.exports.plan import Step
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.exports.spec_rules import places_of
from airflow_provider_aep.flowservice.dataflow_record import state_of
from airflow_provider_aep.flowservice.documents import Document, mapping
from airflow_provider_aep.flowservice.expiry import expiry_of


def plan_warnings(
    spec: ExportSpec,
    flow: Document | None,
    steps: Sequence[Step],
    left: Sequence[Mapping[str, str]],
    *,
    now: datetime,
) -> Iterator[str]:
    """What a plan says beside its steps: present and coming troubles that no step corrects.

    :param flow: the existing dataflow; ``None`` if there is none yet.
    :param left: the entities that carry the mark of the export and no longer serve it.
    """
    yield from spec.warnings()
    base, *_, dataflow = steps
    if flow is None and base.action == "keep" and base.mark and spec.credentials_conn_id:
        yield (
            f"base connection {base.id} exists without a dataflow (an attempt was interrupted, or the "
            "dataflow was deleted) and is used; its login is not sent again unless rotate_credentials is set"
        )
    if left:
        named = ", ".join(f"{change['kind']} {change['id']}" for change in left)
        yield f"left behind by earlier changes: {named}. AepDeleteExportOperator can remove them"
    if flow is None:
        return
    mark = read_mark(flow)
    if mark and base.mark and base.action == "keep" and mark.login != base.mark.login:
        yield (
            f"the login of base connection {base.id} was sent from another connection than "
            f"{spec.credentials_conn_id}: set rotate_credentials once to send it again"
        )
    if state_of(flow) == "unknown":
        yield f"the service does not say whether dataflow {flow['id']} is switched on"
    elif state_of(flow) != "enabled":
        yield f"dataflow {flow['id']} is {state_of(flow)}: it exports nothing until it is enabled"
    yield from _move_warnings(spec, steps)
    if dataflow.action == "replace":
        return
    yield from _start_warnings(dataflow, now)
    yield from _end_warnings(spec, flow, now)
    for change in spelled_otherwise(flow, spec, dataflow.mark, now):
        yield f"dataflow: the service keeps {change.field} as {change.old!r}; {change.new!r} was sent"
    if mark and dataflow.mark and mark.content == dataflow.mark.content:
        for step in steps[1:]:
            fields = [
                change.field for change in step.changes if change.field not in ("mark", "source connection")
            ]
            if fields:
                yield (
                    f"{step.kind}: changed by someone else since the last ensure: {', '.join(fields)} (or, "
                    "if this warning comes each time, the service spells it differently from what was sent)"
                )


def _move_warnings(spec: ExportSpec, steps: Sequence[Step]) -> Iterator[str]:
    """If the files go to another place: what stays in the old one, and how the new one gets all data."""
    _, _, target, dataflow = steps
    places = {*places_of(spec.destination), "base connection"} - {"datasetFileType", "compression"}
    moved = [change for change in target.changes if change.field in places and target.action != "keep"]
    if dataflow.action == "update":
        moved += [change for change in dataflow.changes if change.field == "schedule.folder_template"]
    if not moved:
        return
    old = ", ".join(f"{change.field} {change.old}" for change in moved if change.old is not None)
    stays = f"the export moves: what was delivered so far stays in {old or 'the old place'}, and"
    if dataflow.action == "replace":
        yield f"{stays} the new dataflow begins with a full export"
    else:
        yield (
            f"{stays} the new place gets only new data from now on. For a full export there, delete the "
            "export (AepDeleteExportOperator, aep delete) and ensure it again: a new dataflow begins with one"
        )


def _start_warnings(dataflow: Step, now: datetime) -> Iterator[str]:
    """A past start that is the only change was rendered from the time of a DAG run."""
    changes = {change.field: change for change in dataflow.changes if change.field != "mark"}
    if set(changes) != {"schedule.start"}:
        return
    old, new = changes["schedule.start"].old, changes["schedule.start"].new
    if old and datetime.fromisoformat(old) <= now:
        yield (
            f"schedule.start moves from {old} to {new}, and nothing else changes: a template such as "
            "data_interval_start moves it at every ensure. Give a fixed moment, or leave start out"
        )


def _end_warnings(spec: ExportSpec, flow: Document, now: datetime) -> Iterator[str]:
    wanted = spec.wanted_schedule(mapping(flow.get("scheduleParams")), now=now)
    if expiry := expiry_of(wanted, now=now):
        advice = "to go on, set" if expiry.days <= 0 else "set"
        yield f"the export {expiry.words}: {advice} a later schedule.end"
