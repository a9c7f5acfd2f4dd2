"""One connection or dataflow, by its id: reading, changing and deleting it.

Source: Destinations API reference; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_provider_aep.errors import AepApiError, AepNotFoundError, AepPreconditionError
from airflow_provider_aep.flowservice.documents import Document, entities_of
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Request, recall
from airflow_provider_aep.flowservice.validation import NOT_A_NAME, check_id, looks_like_a_name

# The body of a PATCH: [{"op": "replace", "path": "/scheduleParams", "value": {...}}], op in lower case.
Operations = list[dict[str, Any]]

CHANGE_TRIES = 4
CHANGE_PAUSE = 5.0
# Adobe's own services move etags too, so a stale etag is usual; repeated ones mean competing writers.
PATCH_TRIES = 3


def get_entity(collection: str, entity_id: str, *, field: str, keep: bool = False) -> Exchange[Document]:
    """One entity by its id.

    :param field: the argument that holds the id, for the error message.
    :param keep: it hardly ever changes and holds no secret, so this host may keep it; see ``Request``.
    :raises AepNotFoundError: the sandbox has no such entity.
    """
    request = Request("GET", f"/{collection}/{check_id(field, entity_id)}", keep="host" if keep else None)
    reply = yield request
    # The reference wraps a single entity in "items"; the newest tutorial prints it bare.
    entities = entities_of(request, reply, bare="items" not in reply.json)
    if not entities:
        hint = NOT_A_NAME if collection == "flows" and looks_like_a_name(entity_id) else None
        raise AepNotFoundError(doing=str(request), status=reply.status, message="no such entity", hint=hint)
    return entities[0]


def delete_entity(collection: str, entity_id: str, *, field: str) -> Exchange[bool]:
    """Delete an entity as soon as the service allows it; ``False`` if it was gone already."""
    request = Request("DELETE", f"/{collection}/{check_id(field, entity_id)}")
    for attempt in range(1, CHANGE_TRIES + 1):
        try:
            yield request
        except AepNotFoundError:
            return False
        except AepApiError as error:
            if attempt == CHANGE_TRIES or not is_transitional(error):
                raise
            yield Pause(CHANGE_PAUSE)
        else:
            habits = yield from recall()
            habits.deleted.add(entity_id)
            return True
    raise AssertionError("unreachable: the last try returns or raises")


def patch_entity(
    collection: str, entity_id: str, revise: Callable[[Document], Operations], *, field: str
) -> Exchange[bool]:
    """Change an entity; ``False``, and nothing is sent, if there is nothing to change.

    Each PATCH carries an etag that was read just before it. After a 412 the entity is read and revised again.

    :param revise: gets the current entity and returns the operations to send; none if nothing has to change.
        It is called again at each attempt, and may raise.
    :param field: the argument that holds the id, for the error message.
    :raises AepPreconditionError: somebody else keeps changing it.
    """
    path = f"/{collection}/{check_id(field, entity_id)}"
    stale = busy = 0
    while True:
        entity = yield from get_entity(collection, entity_id, field=field)
        operations = revise(entity)
        if not operations:
            # After a refused attempt, the change is our own: its response was lost, and the session's retry
            # was refused.
            return stale + busy > 0
        etag = entity.get("etag")
        if not isinstance(etag, str) or not etag:
            raise AepApiError(
                doing=f"GET {path}",
                status=200,
                message="the response holds no etag, and without one the service accepts no change",
            )
        try:
            # The quotes around an etag are a part of it.
            yield Request("PATCH", path, headers={"If-Match": etag}, json=operations)
        except AepPreconditionError as error:
            stale += 1
            if stale == PATCH_TRIES:
                hint = "Somebody else keeps changing it. Try again when they are done."
                raise error.with_hint(hint) from error
        except AepApiError as error:
            busy += 1
            if busy == CHANGE_TRIES or not is_transitional(error):
                raise
            yield Pause(CHANGE_PAUSE)
        else:
            return True


def is_transitional(error: Exception) -> bool:
    """Whether the service refuses a request in the present state, as it does while an entity is changing."""
    from airflow_provider_aep.flowservice.codes import explain

    return isinstance(error, AepApiError) and explain(error.code).about == "state"
