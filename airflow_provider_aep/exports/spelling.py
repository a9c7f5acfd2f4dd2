"""The service's own spelling of values, where it differs by more than ``same_value`` allows for.

Such a difference would be sent again at every ensure, and never go away. So after a write the entity is
compared once more: a difference right then is the service's own spelling, and a digest of it is stored in the
mark. The next ensure takes exactly that spelling for the same. Any other difference, above all a change by
hand, is corrected as usual.

Assumed: no document says in which form values come back.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from datetime import datetime

from airflow_provider_aep.errors import AepError, AepUnseenError
from airflow_provider_aep.exports.differences import flow_changes, param_changes, spelling_digest
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
    """After entities were written: find values that the service spells differently, and record that.

    :param there: the entities as listed after their creation; ``None`` to list them.
    """
    if kind not in KINDS or not outcomes:
        return
    if there is None:
        there = yield from _listing(kind, {outcome.ids[kind] for outcome in outcomes})
    listed = {str(entity["id"]): entity for entity in there}
    for outcome in outcomes:
        entity = listed.get(outcome.ids.get(kind, ""))
        if entity is None or not _differing(outcome, kind, entity, now):
            continue
        try:
            yield from _record(outcome, kind, entity, now)
        except AepError as error:
            outcome.warnings.append(
                f"{kind} {entity['id']}: the service spells values differently from what was sent, and that "
                f"could not be recorded, so the next ensure sends them again: {error}"
            )


def _listing(kind: str, ids: Set[str]) -> Exchange[Sequence[Document]]:
    """A listing that shows these entities, if any does."""
    there = yield from read_kind(kind)
    if not ids <= {str(entity["id"]) for entity in there}:
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
    return [change for change in changes if change.field not in ("owner", "mark", "source connection")]


def _unmoved(outcome: Outcome, kind: str, whole: Document, now: datetime) -> list[Change]:
    """The changes of an update that the service accepted although it still shows all the old values.

    Old values are no spelling of the new ones, unless the service was seen to spell differently before, or an
    interrupted attempt has not checked: then a connection has no dataflow yet, and the values of a dataflow
    are alike.
    """
    step = outcome.step(kind)
    before = {change.field: change.old for change in step.changes}
    changes = _differing(outcome, kind, whole, now)
    asked = set(before) - {"owner", "mark"}
    if step.action != "update" or step.spelled or {change.field for change in changes} != asked:
        return []
    old = [change for change in changes if change.old is not None and change.old == before[change.field]]
    if kind == "dataflow":
        spelled = any(map(_is_alike, changes))
    else:
        spelled = outcome.step("dataflow").action == "create"
    return [] if spelled or len(old) < len(changes) else old


def _is_alike(change: Change) -> bool:
    old, new = ("".join(filter(str.isalnum, str(value).casefold())) for value in (change.old, change.new))
    return old in new or new in old


def _not_taken(outcome: Outcome, kind: str, entity_id: str, changes: Sequence[Change]) -> AepUnseenError:
    fields = ", ".join(change.field for change in changes)
    return AepUnseenError(
        f"export {outcome.spec.name!r}: the service accepted another {fields} for {kind} {entity_id}, but "
        "still shows the old. Look at it in Adobe. If it is right there, delete the export and ensure it "
        "again.",
        [entity_id],
    )


def _is_as_new(kind: str, listed: Document, whole: Document) -> bool:
    """Whether a listed entity is no older than one read by id after it; some listings have no etags."""
    alike = spelling_digest(kind, listed, None) == spelling_digest(kind, whole, None)
    return alike or listed.get("etag") == whole.get("etag")


def _record(outcome: Outcome, kind: str, entity: Document, now: datetime) -> Exchange[None]:
    entity_id, mark = str(entity["id"]), outcome.step(kind).mark
    assert mark is not None  # entities without a mark are not compared
    habits = yield from recall()
    for pause in (*habits.pauses(), 0.0):
        whole = yield from get_entity(COLLECTIONS[kind], entity_id, field=f"{kind} id")
        unmoved = _unmoved(outcome, kind, whole, now)
        if not unmoved and _is_as_new(kind, entity, whole):
            break
        yield Pause(pause)
        again = yield from _listing(kind, {entity_id})
        entity = next((item for item in again if item["id"] == entity_id), entity)
    if unmoved:
        outcome.error = _not_taken(outcome, kind, entity_id, unmoved)
        return
    changes = _differing(outcome, kind, entity, now)
    if not changes:
        return
    wanted = full_params(outcome.spec.target_params) if kind == "target connection" else mark.content
    new_mark = replace(mark, told=spelling_digest(kind, entity, wanted))

    def revise(current: Document) -> Operations:
        return [{"op": "replace", "path": "/description", "value": described(text_of(current), new_mark)}]

    yield from patch_entity(COLLECTIONS[kind], entity_id, revise, field=f"{kind} id")
    fields = "; ".join(
        f"{change.field}, sent as {change.new!r} and shown as {change.old!r}" for change in changes
    )
    outcome.warnings.append(
        f"{kind} {entity_id}: the service spells values differently from what was sent: {fields}. They are "
        "taken for the same from now on"
    )
