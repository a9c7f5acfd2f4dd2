"""Removing an export: its dataflow, then its target and source connections, and the base connection if asked.

Only what carries the export's mark is removed, and only what nothing else uses. What is gone already counts
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
    """What deleting an export has led to.

    :param deleted: what this attempt removed.
    :param kept: what carries the mark and stays, with the reason in ``why``.
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

    :param with_base: remove its base connection too, where no other target connection needs it.
    :param leftovers_only: remove only what replacements and broken-off attempts have left behind.
    :param missing_ok: whether an export that is not there counts as removed.
    :raises AepValidationError: it is not there, and that is not fine.
    :raises AepAmbiguousNameError: several dataflows carry its mark, and only the leftovers are to go.
    :raises AepConflictError: the only dataflows of that name belong to somebody else, or to nobody.
    """
    removal = Removal(name=name, owner=owner, sandbox=sandbox)
    habits = yield from recall()
    pauses = iter(habits.pauses())
    for look in count():
        # Without filters, and once more when nothing seems to be left: what a listing does not show would
        # stay, with nobody to know of it.
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
    named = ", ".join(f"{one['kind']} {one['id']}" for one in ghosts)
    raise AepUnseenError(
        f"export {name!r}: {named} was deleted, and the service still lists it. Do not ensure the export "
        "again before it is gone.",
        [one["id"] for one in ghosts],
    )


def _delete_all(
    state: State, removal: Removal, *, with_base: bool, leftovers_only: bool
) -> Exchange[list[Named]]:
    """Delete what is listed and has to go; what is listed although it was deleted."""
    going = _going(state, name=removal.name, owner=removal.owner, leftovers_only=leftovers_only)
    kept = {one["id"]: one for one in (*removal.kept, *_not_ours(state, going))}
    gone = {one["id"] for one in removal.deleted}
    # A base connection outlives what uses it, and a dataflow what it is made of: the last made goes first.
    for kind in ("dataflow", "target connection", "source connection", "base connection"):
        for entity_id in going[kind]:
            one = {"kind": kind, "id": entity_id}
            if entity_id in gone:  # listed late, also where somebody else was faster to delete it
                continue
            why = needed(state, kind, entity_id, gone)
            if kind == "base connection" and not with_base and not leftovers_only:
                why = "base connections are removed only when asked"
            if why:
                if not leftovers_only:  # of leftovers, what is in use is none
                    kept[entity_id] = {**one, "why": why}
                continue
            yield from delete_unused(kind, entity_id)
            gone.add(entity_id)
            removal.deleted.append(one)
    removal.kept = [one for one in kept.values() if one["id"] not in gone]
    return [one for one in removal.deleted if state.shows(one["kind"], one["id"])]


def delete_unused(kind: str, entity_id: str) -> Exchange[bool]:
    """Delete an entity of which we know that nothing uses it; ``False`` when it was gone already."""
    attempt = 1
    while True:
        try:
            deleted = yield from delete_entity(COLLECTIONS[kind], entity_id, field=f"{kind} id")
            return deleted
        except AepApiError as error:
            # Said for a while of what a dataflow used that is only just being deleted.
            if attempt == CHANGE_TRIES or explain(error.code).about != "use":
                raise
            attempt += 1
            yield Pause(CHANGE_PAUSE)


def _going(state: State, *, name: str, owner: str, leftovers_only: bool) -> dict[str, list[str]]:
    key = export_key(owner, name)
    going = {kind: [str(one["id"]) for one in state.marked(kind, key)] for kind in COLLECTIONS}
    if not leftovers_only:
        return going
    flows = state.marked("dataflow", key)
    if len(flows) > 1:
        ids = [str(flow["id"]) for flow in flows]
        raise AepAmbiguousNameError(
            f"{len(ids)} dataflows carry the mark of export {name!r} of {owner}: {', '.join(ids)}. Which one "
            "is left over is not ours to say: delete all but one.",
            ids,
        )
    return {**going, "dataflow": []}


def _check_ours(state: State, *, name: str, owner: str) -> None:
    ours = any(state.marked(kind, export_key(owner, name)) for kind in COLLECTIONS)
    named = [str(flow["id"]) for flow in state.entities["dataflow"] if flow.get("name") == name]
    if named and not ours:
        raise AepConflictError(
            f"no entity carries the mark of export {name!r} of {owner}; of that name there is only what "
            f"somebody else owns, or nobody: {', '.join(named)}",
            named,
        )


def _check_there(state: State, *, name: str, owner: str) -> None:
    if any(state.marked(kind, export_key(owner, name)) for kind in COLLECTIONS):
        return
    close = nearest(name, [str(flow.get("name")) for flow in state.entities["dataflow"]])
    rule = f"names no export of {owner} in this sandbox{close}"
    raise AepValidationError("the arguments", [Problem("NAME", rule)])


def _not_ours(state: State, going: dict[str, list[str]]) -> Iterator[Named]:
    """What an adopted dataflow was made of before anybody declared it."""
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

    :param gone: what does not count any more.
    """
    if kind == "dataflow":
        return ""
    if kind == "base connection":
        users = [
            f"target connection {one['id']}"
            for one in state.entities["target connection"]
            if one.get("baseConnectionId") == entity_id and one["id"] not in gone
        ]
    else:
        users = [f"dataflow {flow['id']}" for flow in state.users(entity_id) if flow["id"] not in gone]
    return f"{', '.join(users)} needs it" if users else ""
