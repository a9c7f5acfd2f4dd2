"""Removing an export: its dataflow, its target and source connections, and on request its base connection.

Only entities with the export's mark that nothing else uses are removed. An entity that is gone already counts
as removed.

Source: "Delete destination dataflows" and "Delete destination accounts"; Flow Service error table; read
2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepApiError,
    AepConflictError,
    AepUnseenError,
    AepValidationError,
    Problem,
)
from airflow_provider_aep.exports.marks import export_key
from airflow_provider_aep.exports.outcome import Named
from airflow_provider_aep.exports.state import COLLECTIONS, State, first_id, read_state
from airflow_provider_aep.flowservice.codes import explain
from airflow_provider_aep.flowservice.entities import CHANGE_PAUSE, CHANGE_TRIES, delete_entity
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, recall
from airflow_provider_aep.flowservice.validation import nearest


@dataclass(slots=True, kw_only=True)
class Removal:
    """The result of deleting an export.

    :param deleted: the entities that this attempt removed.
    :param kept: the entities that carry the mark and stay, with the reason in ``why``.
    """

    name: str
    owner: str
    sandbox: str
    deleted: list[Named] = field(default_factory=list)
    kept: list[Named] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "owner": self.owner,
            "sandbox": self.sandbox,
            "deleted": self.deleted,
            "kept": self.kept,
        }


def delete_export(
    name: str,
    *,
    owner: str,
    sandbox: str,
    with_base: bool = False,
    leftovers_only: bool = False,
    missing_ok: bool = True,
) -> Exchange[Removal]:
    """Remove an export by its name and owner.

    :param with_base: remove its base connection too, unless another target connection needs it.
    :param leftovers_only: remove only what replacements and interrupted attempts have left behind.
    :param missing_ok: whether an export that does not exist counts as removed.
    :raises AepValidationError: it does not exist, and ``missing_ok`` is false.
    :raises AepAmbiguousNameError: several dataflows carry its mark, and only leftovers are to be removed.
    :raises AepConflictError: all dataflows with that name belong to somebody else, or to nobody.
    """
    removal = Removal(name=name, owner=owner, sandbox=sandbox)
    habits = yield from recall()
    pauses = iter(habits.pauses())
    for look in count():
        # Without filters, and once more when nothing seems to be left: an entity that a listing does not show
        # would stay unnoticed.
        state = yield from read_state(datasets=False, names=[name], whole=True)
        if look == 0 and not leftovers_only:
            _check_ours(state, name=name, owner=owner)
        if look == 0 and not missing_ok:
            _check_there(state, name=name, owner=owner)
        before = len(removal.deleted)
        ghosts = yield from _delete_all(state, removal, with_base=with_base, leftovers_only=leftovers_only)
        if len(removal.deleted) > before or look == 0:
            continue
        if not ghosts:
            return removal
        pause = next(pauses, None)
        if pause is None:
            break
        yield Pause(pause)
    named = ", ".join(f"{ghost['kind']} {ghost['id']}" for ghost in ghosts)
    raise AepUnseenError(
        f"export {name!r}: {named} was deleted, but the service still lists it. Do not ensure the export "
        "again before it is gone.",
        [ghost["id"] for ghost in ghosts],
    )


def _delete_all(
    state: State, removal: Removal, *, with_base: bool, leftovers_only: bool
) -> Exchange[list[Named]]:
    """Delete the listed entities of an export; returns those that are listed although they were deleted."""
    going = _going(state, name=removal.name, owner=removal.owner, leftovers_only=leftovers_only)
    kept = {entity["id"]: entity for entity in (*removal.kept, *_not_ours(state, going))}
    gone = {entity["id"] for entity in removal.deleted}
    # Users before what they use: the entity that was created last is deleted first.
    for kind in ("dataflow", "target connection", "source connection", "base connection"):
        for entity_id in going[kind]:
            entity = {"kind": kind, "id": entity_id}
            if entity_id in gone:  # listed late, even if somebody else deleted it
                continue
            why = needed(state, kind, entity_id, gone)
            if kind == "base connection" and not with_base and not leftovers_only:
                why = "base connections are removed only on request"
            if why:
                if not leftovers_only:  # an entity in use is no leftover
                    kept[entity_id] = {**entity, "why": why}
                continue
            yield from delete_unused(kind, entity_id)
            gone.add(entity_id)
            removal.deleted.append(entity)
    removal.kept = [entity for entity in kept.values() if entity["id"] not in gone]
    return [entity for entity in removal.deleted if state.shows(entity["kind"], entity["id"])]


def delete_unused(kind: str, entity_id: str) -> Exchange[bool]:
    """Delete an entity that nothing uses; ``False`` if it was gone already."""
    attempt = 1
    while True:
        try:
            deleted = yield from delete_entity(COLLECTIONS[kind], entity_id, field=f"{kind} id")
            return deleted
        except AepApiError as error:
            # The service says so for a while after the dataflow that used it was deleted.
            if attempt == CHANGE_TRIES or explain(error.code).about != "use":
                raise
            attempt += 1
            yield Pause(CHANGE_PAUSE)


def _going(state: State, *, name: str, owner: str, leftovers_only: bool) -> dict[str, list[str]]:
    key = export_key(owner, name)
    going = {kind: [str(entity["id"]) for entity in state.marked(kind, key)] for kind in COLLECTIONS}
    if not leftovers_only:
        return going
    flows = state.marked("dataflow", key)
    if len(flows) > 1:
        ids = [str(flow["id"]) for flow in flows]
        raise AepAmbiguousNameError(
            f"{len(ids)} dataflows carry the mark of export {name!r} of {owner}: {', '.join(ids)}. It is "
            "unknown which one is left over: delete all but one.",
            ids,
        )
    return {**going, "dataflow": []}


def _check_ours(state: State, *, name: str, owner: str) -> None:
    ours = any(state.marked(kind, export_key(owner, name)) for kind in COLLECTIONS)
    named = [str(flow["id"]) for flow in state.entities["dataflow"] if flow.get("name") == name]
    if named and not ours:
        raise AepConflictError(
            f"owner {owner} has no export {name!r}; the dataflows with that name belong to somebody else, or "
            f"to nobody: {', '.join(named)}. See whose they are with `aep list`, and name that owner",
            named,
        )


def _check_there(state: State, *, name: str, owner: str) -> None:
    if any(state.marked(kind, export_key(owner, name)) for kind in COLLECTIONS):
        return
    close = nearest(name, [str(flow.get("name")) for flow in state.entities["dataflow"]])
    rule = f"names no export of {owner} in this sandbox{close}"
    raise AepValidationError("the arguments", [Problem("NAME", rule)])


def _not_ours(state: State, going: dict[str, list[str]]) -> Iterator[Named]:
    """The connections of an adopted dataflow that it had before it was declared."""
    for flow_id in going["dataflow"]:
        flow = state.find("dataflow", flow_id)
        for kind, key in (
            ("target connection", "targetConnectionIds"),
            ("source connection", "sourceConnectionIds"),
        ):
            used = first_id(flow, key)
            if used and used not in going[kind]:
                yield {"kind": kind, "id": used, "why": "it was made without a spec and carries no mark"}


def needed(state: State, kind: str, entity_id: str, gone: Iterable[str]) -> str:
    """Why an entity has to stay, or an empty text.

    :param gone: ids of users that no longer count.
    """
    if kind == "dataflow":
        return ""
    if kind == "base connection":
        users = [
            f"target connection {target['id']}"
            for target in state.entities["target connection"]
            if target.get("baseConnectionId") == entity_id and target["id"] not in gone
        ]
    else:
        users = [f"dataflow {flow['id']}" for flow in state.users(entity_id) if flow["id"] not in gone]
    return f"{', '.join(users)} needs it" if users else ""
