"""Two writers at once: how each finds the other's entity, and which of them gives way.

The service cannot exclude that two writers create the same entity at the same moment. So after each kind of
entity was created it is listed once more: who finds an older one of the same mark keeps that one, and removes
its own. Of any two writers at least the later one sees both.

That holds as soon as a listing shows what was created before it was asked for, so each waits until it shows
its own.
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

# How long a younger twin has to go away, look by look, in seconds.
PATIENCE = (5.0, 10.0, 20.0)


def settle(outcomes: Sequence[Outcome], kind: str) -> Exchange[tuple[list[Outcome], Sequence[Document]]]:
    """Look whether somebody else made the same, and give way to who was earlier.

    :return: those that another writer has overtaken, and what was listed.
    """
    replaced = {each["id"] for one in outcomes for each in one.deleted if each["kind"] == kind}
    seen = yield from see(kind, created=[one.ids[kind] for one in outcomes], deleted=replaced)
    there = seen.there
    overtaken, older = [], []
    for one in outcomes:
        if one.ids[kind] in seen.unseen | seen.unmarked:
            one.error = _unseen(one, kind, listed=one.ids[kind] in seen.unmarked)
            continue
        one.warnings += [
            f"{kind} {each['id']} was deleted and is still listed: do not ensure again before it is gone"
            for each in one.deleted
            if each["id"] in seen.ghosts
        ]
        twins = _twins(one, kind, there)
        if twins and twins[0]["id"] == one.ids[kind]:
            older += [one] if len(twins) > 1 else []
        elif twins and (yield from _give_way(one, kind, twins[0])):
            overtaken.append(one)
    if older:
        # The service's clocks need not agree. Who saw ours gives way now; who looked before it came, or
        # died before looking, does not, and then we do. Not soon: it may only be slow.
        for patience in PATIENCE:
            yield Pause(patience)
            there = yield from read_present(kind)
            older = [one for one in older if len(_twins(one, kind, there)) > 1]
            if not older:
                break
    for one in older:
        others = [each for each in _twins(one, kind, there) if each["id"] != one.ids[kind]]
        yield from _give_way(one, kind, others[0])
        if not one.error:
            overtaken.append(one)  # to be planned anew in any case, should that one have gone as well
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
    """Remove our own entity in favour of another writer's; whether to plan anew because of it."""
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
    """What serves the purpose of the entity that was just created, itself among them; oldest first."""
    found = [one for one in there if _is_twin(outcome, kind, one) and not _deleted(outcome, one)]
    return sorted(found, key=age)


def _is_twin(outcome: Outcome, kind: str, entity: Document) -> bool:
    mark, own = read_mark(entity), outcome.step(kind).mark
    if mark is None or own is None or mark.export != own.export:
        return False
    if kind == "target connection":
        # One mark for one content: the service may tell the parameters in other words than it was sent.
        same = mark.content == own.content or not any(
            param_changes(entity, full_params(outcome.spec.target_params))
        )
        return same and entity.get("baseConnectionId") == outcome.ids["base connection"]
    if kind == "base connection":
        return (mark.content, mark.login) == (own.content, own.login)
    return kind == "dataflow" or mark.content == own.content


def _deleted(outcome: Outcome, entity: Document) -> bool:
    """A dataflow that was replaced may be listed until the service has really removed it."""
    replaced = outcome.step("dataflow").replaces
    return entity["id"] == replaced or any(one["id"] == entity["id"] for one in outcome.deleted)
