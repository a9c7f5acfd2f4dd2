"""What the service made of what it was sent, where it tells it back in other words than ``same_value`` knows.

Such a difference would be sent again at every ensure, and never go away. So after a write the listing is
compared once more; what differs right then is the service's own spelling, and a digest of it goes into the
mark. The next ensure takes exactly that for the same. Anything else, a change by hand above all, is put right
as ever.

Assumed: no document says in which words values come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from airflow_provider_aep.exports.marks import described, read_mark, text_of
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.plan import Change
from airflow_provider_aep.exports.planner import as_told, flow_changes, param_changes
from airflow_provider_aep.exports.state import COLLECTIONS, read_kind
from airflow_provider_aep.flowservice.connections import full_params
from airflow_provider_aep.flowservice.entities import Document, Operations, get_entity, patch_entity
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, recall

# The kinds that are compared with their specs, value by value.
KINDS = ("target connection", "dataflow")


def accept_spelling(
    outcomes: Sequence[Outcome], kind: str, there: Sequence[Document] | None, *, now: datetime
) -> Exchange[None]:
    """After entities were written: find what the service tells otherwise, and write down that it does.

    :param there: the entities as they were listed after they were created; ``None`` to list them.
    """
    if kind not in KINDS or not outcomes:
        return
    found = there if there is not None else (yield from read_kind(kind))
    listed = {str(one["id"]): one for one in found}
    for outcome in outcomes:
        entity = listed.get(outcome.ids.get(kind, ""))
        if entity is not None and _differing(outcome, kind, entity, now):
            yield from _write_down(outcome, kind, entity, now)


def _differing(outcome: Outcome, kind: str, entity: Document, now: datetime) -> list[Change]:
    mark = outcome.step(kind).mark
    if mark is None or read_mark(entity) is None:
        return []
    if kind == "target connection":
        return list(param_changes(entity, full_params(outcome.spec.target_params)))
    source_id = outcome.ids["source connection"]
    changes = flow_changes(entity, outcome.spec, mark=mark, source_id=source_id, now=now)
    return [one for one in changes if one.field not in ("owner", "mark", "source connection")]


def _write_down(outcome: Outcome, kind: str, entity: Document, now: datetime) -> Exchange[None]:
    entity_id, mark = str(entity["id"]), outcome.step(kind).mark
    assert mark is not None  # or nothing would have been found to differ
    habits = yield from recall()
    for pause in (*habits.pauses(), 0.0):
        whole = yield from get_entity(COLLECTIONS[kind], entity_id, field=f"{kind} id")
        if whole.get("etag") == entity.get("etag"):
            break  # the listing is no older than the write
        yield Pause(pause)
        again = yield from read_kind(kind)
        entity = next((one for one in again if one["id"] == entity_id), entity)
    changes = _differing(outcome, kind, entity, now)
    if not changes:
        return
    wanted = full_params(outcome.spec.target_params) if kind == "target connection" else mark.content
    told = replace(mark, told=as_told(kind, entity, wanted))

    def revise(found: Document) -> Operations:
        return [{"op": "replace", "path": "/description", "value": described(text_of(found), told)}]

    yield from patch_entity(COLLECTIONS[kind], entity_id, revise, field=f"{kind} id")
    fields = "; ".join(f"{one.field}, sent as {one.new!r} and told as {one.old!r}" for one in changes)
    outcome.warnings.append(
        f"{kind} {entity_id}: the service tells in other words than it was sent: {fields}. It is taken for "
        "the same from now on"
    )
