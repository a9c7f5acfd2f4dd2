"""Two writers at once: how each finds the other's entity, and which of them yields.

The service cannot prevent two writers from creating the same entity at the same time. So each writer lists a
kind of entity again after creating one: if it sees an older one with the same mark, it keeps that one and
removes its own. Of any two writers, at least the later one sees both.

This requires that a listing shows everything created before its request, so each writer waits until the
listing shows its own entity.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_aep.errors import AepError, AepUnseenError
from airflow_provider_aep.exports.delete import delete_unused
from airflow_provider_aep.exports.differences import param_changes
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.sightings import read_present, see
from airflow_provider_aep.exports.state import age
from airflow_provider_aep.flowservice.connections import full_params
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.exchange import Exchange, Pause

# Pauses between the lookups that wait for a younger twin to be removed, in seconds.
PATIENCE = (5.0, 10.0, 20.0)


def settle(outcomes: Sequence[Outcome], kind: str) -> Exchange[tuple[list[Outcome], Sequence[Document]]]:
    """Check whether another writer created the same entities, and yield to an earlier writer.

    :return: the outcomes that another writer has overtaken, and the listing.
    """
    replaced = {gone["id"] for outcome in outcomes for gone in outcome.deleted if gone["kind"] == kind}
    seen = yield from see(kind, created=[outcome.ids[kind] for outcome in outcomes], deleted=replaced)
    there = seen.there
    overtaken, older = [], []
    for outcome in outcomes:
        if outcome.ids[kind] in seen.unseen | seen.unmarked:
            outcome.error = _unseen(outcome, kind, listed=outcome.ids[kind] in seen.unmarked)
            continue
        outcome.warnings += [
            f"{kind} {gone['id']} was deleted and is still listed: do not ensure again before it is gone"
            for gone in outcome.deleted
            if gone["id"] in seen.ghosts
        ]
        twins = _twins(outcome, kind, there)
        if twins and twins[0]["id"] == outcome.ids[kind]:
            older += [outcome] if len(twins) > 1 else []
        elif twins and (yield from _give_way(outcome, kind, twins[0])):
            overtaken.append(outcome)
    if older:
        # The service's clocks need not agree. A writer that saw ours yields now. One that looked too early,
        # or died, will not, so we yield, after waiting in case it is only slow.
        for patience in PATIENCE:
            yield Pause(patience)
            there = yield from read_present(kind)
            older = [outcome for outcome in older if len(_twins(outcome, kind, there)) > 1]
            if not older:
                break
    for outcome in older:
        others = [twin for twin in _twins(outcome, kind, there) if twin["id"] != outcome.ids[kind]]
        yield from _give_way(outcome, kind, others[0])
        if not outcome.error:
            overtaken.append(outcome)  # planned again in any case, because that writer may have yielded too
    return overtaken, there


def _unseen(outcome: Outcome, kind: str, *, listed: bool) -> AepUnseenError:
    own = outcome.ids[kind]
    what = (
        "its description does not hold the mark that it was sent with"
        if listed
        else "the service does not list it, with a filter or without"
    )
    return AepUnseenError(
        f"export {outcome.spec.name!r}: {kind} {own} was created, and {what}. Another ensure would not find "
        "it and create it again: look for it in Adobe, and delete it, before you ensure this export again.",
        [own],
    )


def _give_way(outcome: Outcome, kind: str, other: Document) -> Exchange[bool]:
    """Remove our own entity in favour of another writer's; returns whether to plan again."""
    own = {"kind": kind, "id": outcome.ids[kind]}
    kept = str(other["id"])
    try:
        yield from delete_unused(kind, own["id"])
    except AepError as error:
        outcome.error = error
        return False
    outcome.created.remove(own)
    outcome.ids[kind] = kept
    outcome.warnings.append(
        f"another writer had created {kind} {kept} at the same time: kept it, removed our {own['id']}"
    )
    return kind == "dataflow"


def _twins(outcome: Outcome, kind: str, there: Sequence[Document]) -> list[Document]:
    """The entities equivalent to the one just created, itself included; oldest first."""
    twins = [entity for entity in there if _is_twin(outcome, kind, entity) and not _deleted(outcome, entity)]
    return sorted(twins, key=age)


def _is_twin(outcome: Outcome, kind: str, entity: Document) -> bool:
    mark, own = read_mark(entity), outcome.step(kind).mark
    if mark is None or own is None or mark.export != own.export:
        return False
    if kind == "target connection":
        # The same mark means the same content, even if the service spells the parameters differently.
        same = mark.content == own.content or not any(
            param_changes(entity, full_params(outcome.spec.target_params))
        )
        return same and entity.get("baseConnectionId") == outcome.ids["base connection"]
    if kind == "base connection":
        return (mark.content, mark.login) == (own.content, own.login)
    return kind == "dataflow" or mark.content == own.content


def _deleted(outcome: Outcome, entity: Document) -> bool:
    """Whether an entity was replaced or deleted; it may be listed until the service has removed it."""
    replaced = outcome.step("dataflow").replaces
    return entity["id"] == replaced or any(gone["id"] == entity["id"] for gone in outcome.deleted)
