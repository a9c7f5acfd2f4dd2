"""Create an entity once, even if a response is lost.

Names are not unique in the Flow Service and a create call has no idempotency key, so a repeated POST makes a
twin. ``create_entity`` therefore writes a *marker* into the description. Before it repeats a POST whose
outcome it does not know, it looks for the entity and adopts it. It takes the entity for missing only after
lookups with a filter and without one, for as long as a listing may lag behind.

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
# Never compared on adoption: the entity was found by its description, and secrets are not read back.
_NOT_COMPARED = frozenset({"/description", "/auth"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """An entity that exists now.

    :param etag: with its double quotes, as ``If-Match`` wants it.
    :param adopted: an earlier attempt of the same task had created it.
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
    :param volatile: pointers to values that differ between attempts, such as "now"; adoption ignores them.
    :raises AepConflictError: the entity with this marker was created with other content.
    :raises AepAmbiguousNameError: several entities carry this marker.
    :raises AepUnseenError: the POST had to be repeated, and no listing shows the entity.
    """
    marked = {**document, "description": _marked(document.get("description"), marker)} if marker else document
    if (
        marker
        and look_first
        and (existing := (yield from _find_marked(collection, marked, marker, volatile)))
    ):
        return existing
    for attempt in range(1, CREATE_TRIES + 1):
        try:
            reply = yield Request("POST", f"/{collection}", json=marked)
            if not (entity := _entity_of(reply.json)).get("id"):
                raise AepTransportError(f"POST /{collection}: the response names no id", sent=True)
        except (AepServerError, AepTransportError) as unknown:
            refused = isinstance(unknown, AepTransportError) and not unknown.sent
            if marker is None or refused:
                raise
            if existing := (yield from _find_marked(collection, marked, marker, volatile, at_once=False)):
                return existing
            if attempt == CREATE_TRIES:
                raise
        else:
            created = Created(id=str(entity["id"]), etag=entity.get("etag"))
            if marker and attempt > 1:
                created = yield from _without_twin(collection, marked, marker, created)
            return created
    raise AssertionError("unreachable: the last try returns or raises")


def _entity_of(body: Any) -> Mapping[str, Any]:
    """The new entity in a response; one reference wraps it in ``items``."""
    items = body.get("items")
    entity = items[0] if isinstance(items, list) and len(items) == 1 else body
    return entity if isinstance(entity, Mapping) else {}


def _find_marked(
    collection: str, wanted: Document, marker: str, volatile: Collection[str], *, at_once: bool = True
) -> Exchange[Created | None]:
    """The entity that an earlier attempt created; ``None`` if there certainly is none.

    :param at_once: look before the first pause.
    """
    habits = yield from recall()
    ours = (yield from _look_for(collection, wanted, marker)) if at_once else []
    waited = 0.0
    if not ours:
        most = sum(habits.pauses())
        log.info("AEP: looking for up to %s for an entity of an earlier attempt", span_words(most))
        look = partial(_look_for, collection, wanted, marker)
        late, waited = yield from look_until(look, at_once=False)
        ours = late or []
    if not ours:
        return None
    if waited > habits.pauses()[0]:
        habits.note_lag(waited)
    # One task makes one entity; if it was renamed since, the conflict is raised below.
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
            f"an earlier attempt of this task created {ours[0].get('name')!r} in {collection} as {ids[0]}, "
            f"and this one asks for other {', '.join(changed)}. Delete {ids[0]}, or choose another name, or "
            "start a new DAG run.",
            ids,
        )
    return Created(id=ids[0], etag=ours[0].get("etag"), adopted=True)


def _look_for(collection: str, wanted: Document, marker: str) -> Exchange[list[Document]]:
    """The entities with the marker: by the narrowest filter or, if that finds none, in the whole listing."""
    description = str(wanted["description"])
    # The marker finds it whatever name the first attempt gave it.
    narrow = only("description", marker) if description == marker else only("name", str(wanted["name"]))
    for narrowed in (narrow, None):
        documents = yield from list_entities(f"/{collection}", narrowed)
        if ours := (yield from _with_marker(collection, documents, wanted, marker)):
            return ours
    return []


def _with_marker(
    collection: str, documents: Sequence[Document], wanted: Document, marker: str
) -> Exchange[list[Document]]:
    ours = [item for item in documents if carries(item, marker)]
    if ours:
        return ours
    # A listing may leave descriptions out; a read by id has them.
    for item in documents:
        if not item.get("description") and same_text(item.get("name"), wanted["name"]):
            try:
                whole = yield from get_entity(collection, str(item["id"]), field=f"{collection} id")
            except AepNotFoundError:
                continue
            ours += [whole] if carries(whole, marker) else []
    return ours


def _without_twin(collection: str, wanted: Document, marker: str, created: Created) -> Exchange[Created]:
    """After a repeated POST: the entity that it made, or the one that an earlier POST had made after all.

    The POST was repeated because no lookup found an entity, for longer than a listing was ever seen to lag.
    If it lags even longer, the older entity shows up at the latest along with the newer one.
    """
    habits = yield from recall()
    before = sum(habits.pauses())  # spent on looking for the first entity
    # Once the newer entity is listed, an older one would be as well.
    listed, waited = yield from look_until(partial(_look_for, collection, wanted, marker))
    if not listed:
        raise AepUnseenError(
            f"{collection} {created.id} was created, and no listing shows it. Look for it in Adobe before "
            "you create it again.",
            [created.id],
        )
    others = [item for item in listed if str(item["id"]) != created.id]
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
    """Whether the description holds a marker, in any letter case."""
    return marker.casefold() in str(entity.get("description") or "").casefold()


def differences(wanted: Any, actual: Any, pointer: str = "") -> Iterator[str]:
    """Pointers to values that differ from the wanted ones; additions of the service do not count."""
    if pointer in _NOT_COMPARED or (wanted in ([], None) and actual in ([], None)):
        return
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        for key, value in wanted.items():
            yield from differences(value, actual.get(key), f"{pointer}/{key}")
    elif isinstance(wanted, list) and isinstance(actual, list) and len(wanted) == len(actual):
        for index, (item, other) in enumerate(zip(wanted, actual, strict=True)):
            yield from differences(item, other, f"{pointer}/{index}")
    elif not same_value(wanted, actual, key=pointer.rpartition("/")[2]):
        yield pointer


def _marked(description: object, marker: str) -> str:
    return f"{description} ({marker})" if description else marker
