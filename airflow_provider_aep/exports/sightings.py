"""Whether the service shows what was done: what was created is listed, and what was deleted is not any more.

Who created something knows its id. A listing that does not show it is late, or its filter does not find it;
it is never taken for an absence. Therefore an ensure ends only when every later look will see what it did.

Assumed: no document says how soon a listing shows a write, or that a description comes back as it was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.exports.state import described, read_kind
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, recall


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What the listings of one kind showed in the end.

    :param there: what there is of that kind, without what this process has deleted.
    :param unseen: what was created and is not shown.
    :param unmarked: what was created and is shown without the mark that it was sent with.
    :param ghosts: what was deleted and is still shown.
    """

    there: Sequence[Document]
    unseen: frozenset[str] = frozenset()
    unmarked: frozenset[str] = frozenset()
    ghosts: frozenset[str] = frozenset()


def see(kind: str, *, created: Collection[str] = (), deleted: Collection[str] = ()) -> Exchange[Sighting]:
    """Look until the listings show what was created and deleted, or for as long as they may lag behind."""
    habits = yield from recall()
    waited = 0.0
    for pause in (0.0, *habits.pauses()):
        if pause:
            yield Pause(pause)
            waited += pause
        for whole in (False, True):
            there = yield from read_kind(kind, whole=whole)
            listed = {str(one["id"]) for one in there}
            present = [one for one in there if one["id"] not in habits.deleted]
            unseen, ghosts = frozenset(created) - listed, frozenset(deleted) & listed
            if not unseen and not ghosts:
                if waited:
                    habits.note_lag(waited)
                if whole and not waited:
                    habits.note(f"a filter does not find every {kind} that there is, so all are read")
                return (yield from _with_marks(kind, present, created))
    return Sighting(there=present, unseen=unseen, ghosts=ghosts)


def read_present(kind: str) -> Exchange[list[Document]]:
    """The entities of one kind, without those that this process has deleted and that are listed still."""
    habits = yield from recall()
    there = yield from read_kind(kind)
    return [one for one in there if one["id"] not in habits.deleted]


def _with_marks(kind: str, there: Sequence[Document], created: Collection[str]) -> Exchange[Sighting]:
    if any(read_mark(one) is None for one in there if str(one["id"]) in created):
        habits = yield from recall()
        habits.note(f"listings leave out the description of a {kind}, so it is read by id")
        there = yield from described(kind, there, names=None)
    unmarked = {str(one["id"]) for one in there if str(one["id"]) in created and read_mark(one) is None}
    return Sighting(there=there, unmarked=frozenset(unmarked))
