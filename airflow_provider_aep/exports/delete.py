"""Removing an export: its dataflow, then its target and source connections, and the base connection if asked.

Only what carries the export's mark is removed, and only what nothing else uses. What is gone already counts
as removed.

Source: "Delete destination dataflows" and "Delete destination accounts"; Flow Service error table; read
2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepApiError,
    AepConflictError,
    AepUnseenError,
)
from airflow_provider_aep.exports.marks import export_key
from airflow_provider_aep.exports.outcome import Named
from airflow_provider_aep.exports.sightings import see
from airflow_provider_aep.exports.state import COLLECTIONS, State, first_id, read_state
from airflow_provider_aep.flowservice.entities import CHANGE_PAUSE, CHANGE_TRIES, delete_entity
from airflow_provider_aep.flowservice.exchange import Exchange, Pause

# "In use": said for a while of what a dataflow used that is only just being deleted.
_IN_USE = ("FLOW-1418-", "FLOW-1447-")


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
    name: str, *, owner: str, sandbox: str, with_base: bool = False, leftovers_only: bool = False
) -> Exchange[Removal]:
    """Remove an export by its name and owner.

    :param with_base: remove its base connection too, where no other target connection needs it.
    :param leftovers_only: remove only what replacements and broken-off attempts have left behind.
    :raises AepAmbiguousNameError: several dataflows carry its mark, and only the leftovers are to go.
    :raises AepConflictError: the only dataflows of that name belong to somebody else, or to nobody.
    """
    # Without filters: what one does not find would be left, with nobody to know of it.
    state = yield from read_state(datasets=False, names=[name], whole=True)
    removal = Removal(name=name, owner=owner, sandbox=sandbox)
    going = _going(state, name=name, owner=owner, leftovers_only=leftovers_only)
    removal.kept += _not_ours(state, going)
    gone: set[str] = set()
    # A base connection outlives what uses it, and a dataflow what it is made of: the last made goes first.
    for kind in ("dataflow", "target connection", "source connection", "base connection"):
        for entity_id in going[kind]:
            one = {"kind": kind, "id": entity_id}
            why = needed(state, kind, entity_id, gone)
            if kind == "base connection" and not with_base and not leftovers_only:
                why = "base connections are removed only when asked"
            if why:
                if not leftovers_only:  # of leftovers, what is in use is none
                    removal.kept.append({**one, "why": why})
                continue
            yield from delete_unused(kind, entity_id)
            gone.add(entity_id)
            removal.deleted.append(one)
    yield from _see_gone(removal)
    return removal


def _see_gone(removal: Removal) -> Exchange[None]:
    """Wait until nothing that was deleted is listed: the next ensure would take it for what it needs.

    :raises AepUnseenError: it still is.
    """
    for kind in COLLECTIONS:
        ids = [one["id"] for one in removal.deleted if one["kind"] == kind]
        seen = (yield from see(kind, deleted=ids)) if ids else None
        if seen and seen.ghosts:
            named = ", ".join(sorted(seen.ghosts))
            raise AepUnseenError(
                f"{kind} {named} of export {removal.name!r} was deleted, and the service still lists it. Do "
                "not ensure the export again before it is gone.",
                sorted(seen.ghosts),
            )


def delete_unused(kind: str, entity_id: str) -> Exchange[bool]:
    """Delete an entity of which we know that nothing uses it; ``False`` when it was gone already."""
    attempt = 1
    while True:
        try:
            deleted = yield from delete_entity(COLLECTIONS[kind], entity_id, field=f"{kind} id")
            return deleted
        except AepApiError as error:
            if attempt == CHANGE_TRIES or not str(error.code).startswith(_IN_USE):
                raise
            attempt += 1
            yield Pause(CHANGE_PAUSE)


def _going(state: State, *, name: str, owner: str, leftovers_only: bool) -> dict[str, list[str]]:
    key = export_key(owner, name)
    going = {kind: [str(one["id"]) for one in state.marked(kind, key)] for kind in COLLECTIONS}
    if not leftovers_only:
        _check_ours(state, going, name=name, owner=owner)
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


def _check_ours(state: State, going: dict[str, list[str]], *, name: str, owner: str) -> None:
    named = [str(flow["id"]) for flow in state.entities["dataflow"] if flow.get("name") == name]
    if named and not any(going.values()):
        raise AepConflictError(
            f"no entity carries the mark of export {name!r} of {owner}; of that name there is only what "
            f"somebody else owns, or nobody: {', '.join(named)}",
            named,
        )


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
