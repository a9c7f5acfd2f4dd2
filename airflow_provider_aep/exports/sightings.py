"""Whether the listings show the writes: created entities are listed, and deleted ones no longer are.

The writer knows the ids. If a listing does not show a created entity, the listing is late or its filter does
not find it; the entity is never taken for absent. So an ensure ends only when every later listing will show
its writes.

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
    """The last state of the listings of one kind.

    :param there: the entities of that kind, without those that this process has deleted.
    :param unseen: created entities that are not listed.
    :param unmarked: created entities that are listed without the mark that they were sent with.
    :param ghosts: deleted entities that are still listed.
    """

    there: Sequence[Document]
    unseen: frozenset[str] = frozenset()
    unmarked: frozenset[str] = frozenset()
    ghosts: frozenset[str] = frozenset()


def see(kind: str, *, created: Collection[str] = (), deleted: Collection[str] = ()) -> Exchange[Sighting]:
    """Poll until the listings show all creations and deletions, or for as long as they may lag behind."""
    habits = yield from recall()
    waited = 0.0
    for pause in (0.0, *habits.pauses()):
        if pause:
            yield Pause(pause)
            waited += pause
        for whole in (False, True):
            there = yield from read_kind(kind, whole=whole)
            listed = {str(entity["id"]) for entity in there}
            present = [entity for entity in there if entity["id"] not in habits.deleted]
            unseen, ghosts = frozenset(created) - listed, frozenset(deleted) & listed
            if not unseen and not ghosts:
                if waited:
                    habits.note_lag(waited)
                if whole and not waited:
                    habits.note(f"a filter does not find every {kind}, so all are read")
                return (yield from _with_marks(kind, present, created))
    return Sighting(there=present, unseen=unseen, ghosts=ghosts)


def read_present(kind: str) -> Exchange[list[Document]]:
    """The entities of one kind, without those that are still listed although this process deleted them."""
    habits = yield from recall()
    there = yield from read_kind(kind)
    return [entity for entity in there if entity["id"] not in habits.deleted]


def _with_marks(kind: str, there: Sequence[Document], created: Collection[str]) -> Exchange[Sighting]:
    if any(read_mark(entity) is None for entity in there if str(entity["id"]) in created):
        habits = yield from recall()
        habits.note(f"listings leave out the description of a {kind}, so it is read by id")
        there = yield from described(kind, there, names=None)
    unmarked = {
        str(entity["id"]) for entity in there if str(entity["id"]) in created and read_mark(entity) is None
    }
    return Sighting(there=there, unmarked=frozenset(unmarked))
