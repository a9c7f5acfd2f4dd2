"""What a plan warns of: ends, switched-off dataflows, changes by others, and what is left behind."""

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
    """What a plan says beside its steps: what is odd, or will be soon, and no step of it mends.

    :param flow: the dataflow as it is; ``None`` where there is none yet.
    :param left: what carries the mark of the export and serves it no longer.
    """
    yield from spec.warnings()
    base, *_, dataflow = steps
    if flow is None and base.action == "keep" and base.mark and spec.credentials_conn_id:
        yield (
            f"base connection {base.id} is there without a dataflow (an attempt was broken off, or the "
            "dataflow was deleted) and is used; its login stays as it was sent, unless rotate_credentials "
            "is set"
        )
    if left:
        named = ", ".join(f"{one['kind']} {one['id']}" for one in left)
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
        yield f"whether dataflow {flow['id']} is switched on is not told"
    elif state_of(flow) != "enabled":
        yield f"dataflow {flow['id']} is {state_of(flow)}: it exports nothing until it is enabled"
    yield from _move_warnings(spec, steps)
    if dataflow.action == "replace":
        return
    yield from _start_warnings(dataflow, now)
    yield from _end_warnings(spec, flow, now)
    for one in spelled_otherwise(flow, spec, dataflow.mark, now):
        yield f"dataflow: the service keeps {one.field} as {one.old!r}, where {one.new!r} was sent"
    if mark and dataflow.mark and mark.content == dataflow.mark.content:
        for step in steps[1:]:
            fields = [one.field for one in step.changes if one.field not in ("mark", "source connection")]
            if fields:
                yield (
                    f"{step.kind}: changed by someone else since the last ensure: {', '.join(fields)} (or, "
                    "if this comes each time, the service tells it in other words than it was sent)"
                )


def _move_warnings(spec: ExportSpec, steps: Sequence[Step]) -> Iterator[str]:
    """What stays in the old place where the files go to another one, and how that gets all of the data."""
    _, _, target, dataflow = steps
    places = {*places_of(spec.destination), "base connection"} - {"datasetFileType", "compression"}
    moved = [one for one in target.changes if one.field in places]
    if target.action == "keep" or not moved:
        return
    old = ", ".join(f"{one.field} {one.old}" for one in moved if one.old is not None)
    stays = f"the export moves: what was delivered up to now stays in {old or 'the old place'}, and"
    if dataflow.action == "replace":
        yield f"{stays} the new dataflow begins with a full export"
    else:
        yield (
            f"{stays} the new place gets only what is new from now on. For a full export there, delete the "
            "export (AepDeleteExportOperator, aep delete) and ensure it again: a new dataflow begins with one"
        )


def _start_warnings(dataflow: Step, now: datetime) -> Iterator[str]:
    """A start that has passed, and is all that changes, was rendered from the time of a DAG run."""
    changes = {one.field: one for one in dataflow.changes if one.field != "mark"}
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
