"""What a plan warns of: ends, switched-off dataflows, changes by others, and what is left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from airflow_provider_aep.exports.differences import spelled_otherwise
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.exports.plan import Step
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.flowservice.dataflows import state_of
from airflow_provider_aep.flowservice.entities import Document, mapping
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
    if dataflow.action == "replace":
        return
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


def _end_warnings(spec: ExportSpec, flow: Document, now: datetime) -> Iterator[str]:
    wanted = spec.wanted_schedule(mapping(flow.get("scheduleParams")), now=now)
    if expiry := expiry_of(wanted, now=now):
        advice = "to go on, set" if expiry.days <= 0 else "set"
        yield f"the export {expiry.words}: {advice} a later schedule.end"
