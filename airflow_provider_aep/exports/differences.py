"""Where an entity differs from what its spec wants, and what of that is only the service's own spelling.

Logins are not compared. What an entity has beyond the spec is no difference.
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
    :param source_id: the source connection that it should have; ``None`` for one yet to be created.
    """
    spelled = _is_as_told(flow, as_told("dataflow", flow, mark.content))
    found = read_mark(flow)
    if found is None:
        yield Change(field="owner", old=None, new=mark.owner)
    elif found != mark:
        yield Change(field="mark", old=f"{found.content}-{found.login}", new=f"{mark.content}-{mark.login}")
    old_ids = [str(one) for one in sequence(flow.get("sourceConnectionIds"))]
    if old_ids != [source_id]:
        yield Change(field="source connection", old=", ".join(old_ids), new=source_id or "new")
    if not spelled:
        yield from _value_changes(flow, spec, now)


def spelled_otherwise(flow: Document, spec: ExportSpec, mark: Mark | None, now: datetime) -> list[Change]:
    """What differs from the spec, and is left so, as it is only the service's own spelling of it."""
    if mark is None or not _is_as_told(flow, as_told("dataflow", flow, mark.content)):
        return []
    return list(_value_changes(flow, spec, now))


def as_told(kind: str, entity: Document, wanted: object) -> str:
    """A digest of what an entity should be, and of the words in which the service tells what it is.

    :param wanted: plain JSON that is another one as soon as the spec asks for anything else.
    """
    if kind == "target connection":
        return digest_of([wanted, mapping(entity.get("params"))])
    return digest_of([wanted, entity.get("name"), text_of(entity), mapping(entity.get("scheduleParams"))])


def _is_as_told(entity: Document, told: str) -> bool:
    """Whether nothing has changed since the service was seen to tell what it was sent in other words."""
    found = read_mark(entity)
    return found is not None and found.told == told


def is_spelled(entity: Document) -> bool:
    """Whether the service was ever seen to tell it in other words than it was sent."""
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
            # An end that is computed moves with the clock, and two plans of one day should be equal.
            computed = key == "end" and spec.schedule.end is None
            new_value = f"{DEFAULT_LIFE.days} days from now" if computed else value
            yield Change(field=f"schedule.{key}", old=old[key], new=new_value)


def param_changes(target: Document, wanted: Mapping[str, Any]) -> Iterator[Change]:
    """Where a target connection differs from what is wanted."""
    if _is_as_told(target, as_told("target connection", target, wanted)):
        return
    found = mapping(target.get("params"))
    for key, value in wanted.items():
        if not same_value(value, found.get(key), key=key):
            yield Change(field=key, old=found.get(key), new=value)
