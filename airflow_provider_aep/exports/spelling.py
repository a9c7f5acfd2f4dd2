"""What the service made of what it was sent, where it tells it back in other words than ``same_value`` knows.

Such a difference would be sent again at every ensure, and never go away. So after a write the listing is
compared once more; what differs right then is the service's own spelling, and a digest of it goes into the
mark. The next ensure takes exactly that for the same. Anything else, a change by hand above all, is put right
as ever.

Assumed: no document says in which words values come back.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime

from airflow_provider_aep.errors import AepError, AepUnseenError
from airflow_provider_aep.exports.differences import as_told, flow_changes, param_changes
from airflow_provider_aep.exports.marks import described, read_mark, text_of
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.plan import Change
from airflow_provider_aep.exports.state import COLLECTIONS, read_kind
from airflow_provider_aep.flowservice.connections import full_params
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.entities import Operations, get_entity, patch_entity
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
    if there is None:
        there = yield from _listing(kind, {outcome.ids[kind] for outcome in outcomes})
    listed = {str(one["id"]): one for one in there}
    for outcome in outcomes:
        entity = listed.get(outcome.ids.get(kind, ""))
        if entity is None or not _differing(outcome, kind, entity, now):
            continue
        try:
            yield from _write_down(outcome, kind, entity, now)
        except AepError as error:
            outcome.warnings.append(
                f"{kind} {entity['id']}: the service tells in other words than it was sent, and that could "
                f"not be written down, so the next ensure sends it again: {error}"
            )


def _listing(kind: str, ids: Set[str]) -> Exchange[Sequence[Document]]:
    """A listing that shows these entities, if any does."""
    there = yield from read_kind(kind)
    if not ids <= {str(one["id"]) for one in there}:
        there = yield from read_kind(kind, whole=True)
    return there


def _differing(outcome: Outcome, kind: str, entity: Document, now: datetime) -> list[Change]:
    mark = outcome.step(kind).mark
    if mark is None or read_mark(entity) is None:
        return []
    if kind == "target connection":
        return list(param_changes(entity, full_params(outcome.spec.target_params)))
    source_id = outcome.ids["source connection"]
    changes = flow_changes(entity, outcome.spec, mark=mark, source_id=source_id, now=now)
    return [one for one in changes if one.field not in ("owner", "mark", "source connection")]


def _unmoved(outcome: Outcome, kind: str, whole: Document, now: datetime) -> list[Change]:
    """What was to be changed, where the service has accepted that and tells everything as it did before.

    That is no spelling of what was sent, unless the service was seen to spell before, or an attempt that was
    broken off has not looked: then a connection has no dataflow yet, and the words of a dataflow are alike.
    """
    step = outcome.step(kind)
    before = {one.field: one.old for one in step.changes}
    changes = _differing(outcome, kind, whole, now)
    asked = set(before) - {"owner", "mark"}
    if step.action != "update" or step.spelled or {one.field for one in changes} != asked:
        return []
    old = [one for one in changes if one.old is not None and one.old == before[one.field]]
    if kind == "dataflow":
        spelled = any(map(_is_alike, changes))
    else:
        spelled = outcome.step("dataflow").action == "create"
    return [] if spelled or len(old) < len(changes) else old


def _is_alike(change: Change) -> bool:
    one, other = ("".join(filter(str.isalnum, str(each).casefold())) for each in (change.old, change.new))
    return one in other or other in one


def _not_taken(outcome: Outcome, kind: str, entity_id: str, changes: Sequence[Change]) -> AepUnseenError:
    fields = ", ".join(one.field for one in changes)
    return AepUnseenError(
        f"export {outcome.spec.name!r}: {kind} {entity_id} was to get another {fields}, and the service has "
        "accepted that and goes on telling the old. Look at it in Adobe. If it is right there, delete the "
        "export and ensure it again.",
        [entity_id],
    )


def _is_as_new(kind: str, listed: Document, whole: Document) -> bool:
    """Whether a listing is no older than what was read by id after it; some listings have no etags."""
    alike = as_told(kind, listed, None) == as_told(kind, whole, None)
    return alike or listed.get("etag") == whole.get("etag")


def _write_down(outcome: Outcome, kind: str, entity: Document, now: datetime) -> Exchange[None]:
    entity_id, mark = str(entity["id"]), outcome.step(kind).mark
    assert mark is not None  # or nothing would have been found to differ
    habits = yield from recall()
    for pause in (*habits.pauses(), 0.0):
        whole = yield from get_entity(COLLECTIONS[kind], entity_id, field=f"{kind} id")
        unmoved = _unmoved(outcome, kind, whole, now)
        if not unmoved and _is_as_new(kind, entity, whole):
            break
        yield Pause(pause)
        again = yield from _listing(kind, {entity_id})
        entity = next((one for one in again if one["id"] == entity_id), entity)
    if unmoved:
        outcome.error = _not_taken(outcome, kind, entity_id, unmoved)
        return
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
