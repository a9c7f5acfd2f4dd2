"""What a plan warns of: ends, switched-off dataflows, changes by others, and what is left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.exports.plan import Step
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.flowservice.entities import Document, mapping
from airflow_provider_aep.flowservice.schedule import DEFAULT_LIFE, merge_schedule, schedule_words

ENDS_SOON_DAYS = 14


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
    if flow.get("state") != "enabled":
        yield f"dataflow {flow['id']} is {flow.get('state')}: it exports nothing until it is enabled"
    if dataflow.action == "replace":
        return
    yield from _end_warnings(spec, flow, now)
    if mark and dataflow.mark and mark.content == dataflow.mark.content:
        for step in steps[1:]:
            fields = [one.field for one in step.changes if one.field not in ("mark", "source connection")]
            if fields:
                yield f"{step.kind}: changed by someone else since the last ensure: {', '.join(fields)}"


def _end_warnings(spec: ExportSpec, flow: Document, now: datetime) -> Iterator[str]:
    words = schedule_words(wanted_schedule(flow, spec, now=now))
    if words["every"] == "once" or not words["end"]:
        return
    end = datetime.fromisoformat(words["end"])
    days = (end - now).total_seconds() / 86400
    if days <= 0:
        yield f"the export ended on {end:%Y-%m-%d %H:%M} UTC: to go on, set a later schedule.end"
    elif days <= ENDS_SOON_DAYS:
        yield f"the export ends in {days:.0f} days, on {end:%Y-%m-%d %H:%M} UTC: set a later schedule.end"


def wanted_schedule(flow: Document, spec: ExportSpec, *, now: datetime) -> dict[str, Any]:
    """Whole ``scheduleParams`` as the spec wants them, upon those that are there."""
    there = dict(mapping(flow.get("scheduleParams")))
    end = schedule_words(there)["end"]
    start = spec.schedule.start
    if spec.schedule.end is None and (not end or (start and datetime.fromisoformat(end) <= start)):
        there.pop("endTime", None)  # unreadable, or computed from an earlier start
    wire = merge_schedule(there, spec.schedule)
    if not wire.get("endTime"):  # Adobe would end it six months after its creation, without a word
        wire["endTime"] = int((max(spec.schedule.start or now, now) + DEFAULT_LIFE).timestamp())
    return wire
