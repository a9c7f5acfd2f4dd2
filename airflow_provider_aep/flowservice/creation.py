"""Creating an entity once, also when an answer is lost on the way.

Names are not unique in the Flow Service and a create call has no idempotency key, so a repeated POST makes a
twin. ``create_entity`` therefore writes a *marker* into the description, and before it repeats a POST whose
outcome it does not know it looks for the entity, and adopts it. That it is *not* there is believed only after
it was looked for with a filter and without one, for as long as a listing may lag behind.

Source: Destinations API reference; "Sort and filter responses in the Flow Service API"; read 2026-11.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepConflictError,
    AepNotFoundError,
    AepServerError,
    AepTransportError,
    AepUnseenError,
)
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.entities import delete_entity, get_entity
from airflow_provider_aep.flowservice.exchange import Exchange, Request, look_until, recall
from airflow_provider_aep.flowservice.listing import list_entities, only
from airflow_provider_aep.flowservice.spelling import same_text, same_value
from airflow_provider_aep.times import span_words

CREATE_TRIES = 3
# As ``task_marker`` writes it, alone or behind a description.
_TASK_MARKER = re.compile(r"^airflow [0-9a-f]{20}$|\(airflow [0-9a-f]{20}\)", re.IGNORECASE)
# Never compared on adoption: the description is how it was found, and secrets are not read back.
_NOT_COMPARED = frozenset({"/description", "/auth"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """An entity that exists now.

    :param etag: with its double quotes, as ``If-Match`` wants it.
    :param adopted: it was there already, from an earlier try of the same task.
    """

    id: str
    etag: str | None
    adopted: bool = False


def create_entity(
    collection: str,
    document: Document,
    *,
    marker: str | None = None,
    look_first: bool = False,
    volatile: Collection[str] = (),
) -> Exchange[Created]:
    """Create an entity once.

    :param marker: a text of the caller's own that goes into the description. Without one, a POST with an
        unknown outcome is not repeated, and its error is raised.
    :param look_first: an earlier attempt may have created it already.
    :param volatile: pointers to what differs from try to try, such as "now"; adoption does not compare it.
    :raises AepConflictError: the entity with this marker was created with other content.
    :raises AepAmbiguousNameError: several entities carry this marker.
    :raises AepUnseenError: it had to be created again, and no listing shows what came of it.
    """
    marked = {**document, "description": _marked(document.get("description"), marker)} if marker else document
    if marker and look_first and (found := (yield from _find_marked(collection, marked, marker, volatile))):
        return found
    for attempt in range(1, CREATE_TRIES + 1):
        try:
            reply = yield Request("POST", f"/{collection}", json=marked)
            if not (told := _told(reply.json)).get("id"):
                raise AepTransportError(f"POST /{collection}: the answer names no id", sent=True)
        except (AepServerError, AepTransportError) as unknown:
            refused = isinstance(unknown, AepTransportError) and not unknown.sent
            if marker is None or refused:
                raise
            if found := (yield from _find_marked(collection, marked, marker, volatile, at_once=False)):
                return found
            if attempt == CREATE_TRIES:
                raise
        else:
            created = Created(id=str(told["id"]), etag=told.get("etag"))
            if marker and attempt > 1:
                created = yield from _without_twin(collection, marked, marker, created)
            return created
    raise AssertionError("unreachable: the last try returns or raises")


def _told(answer: Any) -> Mapping[str, Any]:
    """What an answer says of a new entity; one reference wraps such answers in ``items``."""
    items = answer.get("items")
    told = items[0] if isinstance(items, list) and len(items) == 1 else answer
    return told if isinstance(told, Mapping) else {}


def _find_marked(
    collection: str, wanted: Document, marker: str, volatile: Collection[str], *, at_once: bool = True
) -> Exchange[Created | None]:
    """The entity that an earlier try has created; ``None`` when it is certain that there is none.

    :param at_once: look before the first pause.
    """
    habits = yield from recall()
    ours = (yield from _look_for(collection, wanted, marker)) if at_once else []
    waited = 0.0
    if not ours:
        most = sum(habits.pauses())
        log.info("AEP: looking for up to %s for what an earlier try may have created", span_words(most))
        look = partial(_look_for, collection, wanted, marker)
        late, waited = yield from look_until(look, at_once=False)
        ours = late or []
    if not ours:
        return None
    if waited > habits.pauses()[0]:
        habits.note_lag(waited)
    # One task makes one entity; should it have been renamed since, that is a conflict, told below.
    name = str(wanted["name"])
    ours = [item for item in ours if same_text(item.get("name"), name)] or ours
    ids = [str(item["id"]) for item in ours]
    if len(ours) > 1:
        raise AepAmbiguousNameError(
            f"{len(ours)} {collection} carry the mark of the task that creates {name!r}: {', '.join(ids)}. "
            "Delete all but one.",
            ids,
        )
    if changed := sorted(set(differences(wanted, ours[0])) - set(volatile)):
        raise AepConflictError(
            f"an earlier try of this task created {ours[0].get('name')!r} in {collection} as {ids[0]}, and "
            f"now asks for other {', '.join(changed)}. Delete {ids[0]}, or choose another name, or start a "
            "new DAG run.",
            ids,
        )
    return Created(id=ids[0], etag=ours[0].get("etag"), adopted=True)


def _look_for(collection: str, wanted: Document, marker: str) -> Exchange[list[Document]]:
    """Those that carry the mark: by the narrowest filter, and where that finds none, among all there are."""
    description = str(wanted["description"])
    # By the mark it is found whatever it was named at the first try.
    narrow = only("description", marker) if description == marker else only("name", str(wanted["name"]))
    for narrowed in (narrow, None):
        found = yield from list_entities(f"/{collection}", narrowed)
        if ours := (yield from _of_mark(collection, found, wanted, marker)):
            return ours
    return []


def _of_mark(
    collection: str, found: Sequence[Document], wanted: Document, marker: str
) -> Exchange[list[Document]]:
    ours = [item for item in found if carries(item, marker)]
    if ours:
        return ours
    # A listing may leave descriptions out; a read by id has them.
    for item in found:
        if not item.get("description") and same_text(item.get("name"), wanted["name"]):
            try:
                whole = yield from get_entity(collection, str(item["id"]), field=f"{collection} id")
            except AepNotFoundError:
                continue
            ours += [whole] if carries(whole, marker) else []
    return ours


def _without_twin(collection: str, wanted: Document, marker: str, created: Created) -> Exchange[Created]:
    """After a POST that was sent again: what it made, or what an earlier one had made after all.

    It was sent again as nothing was found, for longer than a listing was ever seen to lag. Should it lag even
    longer, the older one shows up at the latest along with the newer.
    """
    habits = yield from recall()
    before = sum(habits.pauses())  # that the first one was looked for
    # As soon as the newer one is listed, an older one would be as well.
    ours, waited = yield from look_until(partial(_look_for, collection, wanted, marker))
    if not ours:
        raise AepUnseenError(
            f"{collection} {created.id} was created, and no listing shows it. Look for it in Adobe before "
            "you create it again.",
            [created.id],
        )
    others = [item for item in ours if str(item["id"]) != created.id]
    if not others:
        return created
    habits.note_lag(before + waited)
    yield from delete_entity(collection, created.id, field=f"{collection} id")
    return Created(id=str(others[0]["id"]), etag=others[0].get("etag"), adopted=True)


def task_marker(identity: str) -> str:
    """The marker of a task instance, which all its attempts share."""
    return f"airflow {hashlib.sha256(identity.encode()).hexdigest()[:20]}"


def without_task_marker(description: str) -> str:
    """A description as somebody wrote it, without the marker of the task that created the entity."""
    before, *rest = _TASK_MARKER.split(description, maxsplit=1)
    return "".join([before.rstrip(), *rest]).strip() if rest else description


def carries(entity: Document, marker: str) -> bool:
    """Whether the description holds a mark, in whatever letter case."""
    return marker.casefold() in str(entity.get("description") or "").casefold()


def differences(wanted: Any, found: Any, pointer: str = "") -> Iterator[str]:
    """Pointers to what is wanted and is not so; what the service added of its own does not count."""
    if pointer in _NOT_COMPARED or (wanted in ([], None) and found in ([], None)):
        return
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, value in wanted.items():
            yield from differences(value, found.get(key), f"{pointer}/{key}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{pointer}/{index}")
    elif not same_value(wanted, found, key=pointer.rpartition("/")[2]):
        yield pointer


def _marked(description: object, marker: str) -> str:
    return f"{description} ({marker})" if description else marker
