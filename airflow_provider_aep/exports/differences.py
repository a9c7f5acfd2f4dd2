"""Differences between an entity and its spec, apart from those that are only the service's own spelling.

Logins are not compared. Members of an entity that the spec does not name are no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from airflow_provider_aep.exports.marks import Mark, digest_of, read_mark, text_of
from airflow_provider_aep.exports.plan import Change
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.flowservice.documents import Document, mapping, sequence
from airflow_provider_aep.flowservice.schedule import DEFAULT_LIFE, schedule_words
from airflow_provider_aep.flowservice.spelling import same_text, same_value


def flow_changes(
    flow: Document, spec: ExportSpec, *, mark: Mark, source_id: str | None, now: datetime
) -> Iterator[Change]:
    """Where a dataflow differs from its spec.

    :param mark: the mark that it should carry.
    :param source_id: the source connection that it should have; ``None`` if that does not exist yet.
    """
    spelled = _is_recorded(flow, spelling_digest("dataflow", flow, mark.content))
    current = read_mark(flow)
    if current is None:
        yield Change(field="owner", old=None, new=mark.owner)
    elif current != mark:
        yield Change(
            field="mark", old=f"{current.content}-{current.login}", new=f"{mark.content}-{mark.login}"
        )
    old_ids = [str(connection_id) for connection_id in sequence(flow.get("sourceConnectionIds"))]
    if old_ids != [source_id]:
        yield Change(field="source connection", old=", ".join(old_ids), new=source_id or "new")
    if not spelled:
        yield from _value_changes(flow, spec, now)


def spelled_otherwise(flow: Document, spec: ExportSpec, mark: Mark | None, now: datetime) -> list[Change]:
    """The differences from the spec that are left alone, because they are only the service's own spelling."""
    if mark is None or not _is_recorded(flow, spelling_digest("dataflow", flow, mark.content)):
        return []
    return list(_value_changes(flow, spec, now))


def spelling_digest(kind: str, entity: Document, wanted: object) -> str:
    """A digest of what an entity should be and of how the service spells it.

    :param wanted: plain JSON that differs as soon as the spec wants anything else.
    """
    if kind == "target connection":
        return digest_of([wanted, mapping(entity.get("params"))])
    return digest_of([wanted, entity.get("name"), text_of(entity), mapping(entity.get("scheduleParams"))])


def _is_recorded(entity: Document, digest: str) -> bool:
    """Whether nothing has changed since the service's own spelling was recorded in the mark."""
    mark = read_mark(entity)
    return mark is not None and mark.told == digest


def is_spelled(entity: Document) -> bool:
    """Whether the service was ever seen to spell it differently from what was sent."""
    mark = read_mark(entity)
    return mark is not None and bool(mark.told)


def _value_changes(flow: Document, spec: ExportSpec, now: datetime) -> Iterator[Change]:
    if not same_text(flow.get("name"), spec.name):
        yield Change(field="name", old=flow.get("name"), new=spec.name)
    if spec.description is not None and not same_text(text_of(flow), spec.description):
        yield Change(field="description", old=text_of(flow), new=spec.description)
    wire = mapping(flow.get("scheduleParams"))
    wanted = spec.wanted_schedule(wire, now=now)
    mode = wire.get("exportMode")
    if mode is not None and not same_value(wanted.get("exportMode"), mode, key="exportMode"):
        yield Change(field="schedule.exportMode", old=wire["exportMode"], new=wanted.get("exportMode"))
    old, new = schedule_words(wire), schedule_words(wanted)
    for key, value in new.items():
        if old[key] != value:
            # A computed end moves with the clock, but two plans of one day should be equal.
            computed = key == "end" and spec.schedule.end is None
            new_value = f"{DEFAULT_LIFE.days} days from now" if computed else value
            yield Change(field=f"schedule.{key}", old=old[key], new=new_value)


def param_changes(target: Document, wanted: Mapping[str, Any]) -> Iterator[Change]:
    """Where a target connection differs from the wanted parameters."""
    if _is_recorded(target, spelling_digest("target connection", target, wanted)):
        return
    params = mapping(target.get("params"))
    for key, value in wanted.items():
        if not same_value(value, params.get(key), key=key):
            yield Change(field=key, old=params.get(key), new=value)
