"""What connections and dataflows have in common: listing, reading, deleting, and creating only once.

Names are not unique in the Flow Service and a create call has no idempotency key, so a repeated POST makes a
twin. ``create_entity`` therefore writes a *marker* into the description, and before it repeats a POST whose
outcome it does not know it looks for the entity by name and marker, and adopts it.

Source: Destinations API reference; "Sort and filter responses in the Flow Service API"; read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepApiError,
    AepConflictError,
    AepError,
    AepNotFoundError,
    AepPreconditionError,
    AepServerError,
    AepTransportError,
    AepValidationError,
    Problem,
)
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Request, Response
from airflow_provider_aep.flowservice.validation import NOT_A_NAME, check_id, looks_like_a_name

Document = Mapping[str, Any]
# The body of a PATCH: [{"op": "replace", "path": "/scheduleParams", "value": {...}}], op in lower case.
Operations = list[dict[str, Any]]

# Epoch numbers below this are seconds: as milliseconds they would lie in 1973.
LEAST_MILLISECONDS = 1e11
LARGEST_PAGE = 100
# Before we look whether a POST without an answer did arrive: give the service time to finish it.
SETTLING_SECONDS = 5.0
CREATE_TRIES = 3

TRANSITIONAL = tuple(
    f"FLOW-{number}-" for number in (1409, 1416, 1417, 1420, 1421, 1422, 1444, 1456, 1457, 1458)
)
CHANGE_TRIES = 4
CHANGE_PAUSE = 5.0
# Adobe's own services move etags too, so a stale one is usual; one that stays stale is a fight.
PATCH_TRIES = 3

# Never compared on adoption: the description is how it was found, and secrets are not read back.
_NOT_COMPARED = frozenset({"/description", "/auth"})
_FILTERABLE = re.compile(r"\w[\w .-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """An entity that exists now.

    :param etag: with its double quotes, as ``If-Match`` wants it.
    :param adopted: it was there already, from an earlier try of the same task.
    """

    id: str
    etag: str | None
    adopted: bool = False


def list_entities(
    path: str,
    params: Sequence[tuple[str, str | int]] = (),
    *,
    page_size: int = LARGEST_PAGE,
    enough: Callable[[list[Document]], bool] = lambda found: False,
) -> Exchange[list[Document]]:
    """The entities of a listing, page by page.

    :param enough: stop when this says so of what was found up to now; by default, read to the end.
    :raises AepError: the service repeats a page for ever.
    """
    found: list[Document] = []
    tokens: list[str] = []
    while True:
        # The same filters go with every page: the token alone is not documented to carry them.
        following = [("continuationToken", tokens[-1])] if tokens else []
        request = Request("GET", path, params=[*params, ("limit", page_size), *following])
        reply = yield request
        found += entities_of(request, reply)
        token = _next_token(reply.json)
        if token is None or enough(found):
            return found
        if token in tokens:
            raise AepError(f"GET {path}: the service gives the same continuation token again")
        tokens.append(token)


def get_entity(collection: str, entity_id: str, *, field: str, keep: bool = False) -> Exchange[Document]:
    """One entity by its id.

    :param field: the argument that holds the id, for the error message.
    :param keep: it hardly ever changes; see ``Request``.
    :raises AepNotFoundError: the sandbox has no such entity.
    """
    request = Request("GET", f"/{collection}/{check_id(field, entity_id)}", keep=keep)
    reply = yield request
    # The reference wraps a single entity in "items"; the newest tutorial prints it bare.
    found = entities_of(request, reply, bare="items" not in reply.json)
    if not found:
        hint = NOT_A_NAME if collection == "flows" and looks_like_a_name(entity_id) else None
        raise AepNotFoundError(doing=str(request), status=reply.status, message="no such entity", hint=hint)
    return found[0]


def delete_entity(collection: str, entity_id: str, *, field: str) -> Exchange[bool]:
    """Delete, as soon as the service lets us; ``False`` when it was gone already."""
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
            return True
    raise AssertionError("unreachable: the last try returns or raises")


def patch_entity(
    collection: str, entity_id: str, revise: Callable[[Document], Operations], *, field: str
) -> Exchange[bool]:
    """Change an entity; ``False`` when there was nothing to change, and then nothing is sent.

    Each PATCH goes out under an etag that was read just before it. A 412 is read and revised again.

    :param revise: what to send, given the entity as it is now; no operations where it is as wanted. It is
        asked again at each try, and may raise.
    :param field: the argument that holds the id, for the error message.
    :raises AepPreconditionError: somebody else keeps changing it.
    """
    path = f"/{collection}/{check_id(field, entity_id)}"
    stale = busy = 0
    while True:
        found = yield from get_entity(collection, entity_id, field=field)
        operations = revise(found)
        if not operations:
            # After a try that was refused it is our own change, whose answer was lost and which the
            # session sent again, that makes it as wanted.
            return stale + busy > 0
        etag = found.get("etag")
        if not isinstance(etag, str) or not etag:
            raise AepApiError(
                doing=f"GET {path}",
                status=200,
                message="the answer holds no etag, and without one the service accepts no change",
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
    """Whether the service says "not in this state": an entity that is being changed passes through others."""
    return isinstance(error, AepApiError) and bool(error.code) and str(error.code).startswith(TRANSITIONAL)


def create_entity(
    collection: str,
    document: Document,
    *,
    marker: str | None = None,
    look_first: bool = False,
    volatile: Collection[str] = (),
) -> Exchange[Created]:
    """Create an entity once, also when an answer is lost on the way.

    :param marker: a text of the caller's own that goes into the description. Without one, a POST with an
        unknown outcome is not repeated, and its error is raised.
    :param look_first: an earlier attempt may have created it already.
    :param volatile: pointers to what differs from try to try, such as "now"; adoption does not compare it.
    :raises AepConflictError: the entity with this marker was created with other content.
    :raises AepAmbiguousNameError: several entities carry this marker.
    """
    marked = {**document, "description": _marked(document.get("description"), marker)} if marker else document
    if marker and look_first and (found := (yield from _find_marked(collection, marked, marker, volatile))):
        return found
    for attempt in range(1, CREATE_TRIES + 1):
        try:
            reply = yield Request("POST", f"/{collection}", json=marked)
            if not reply.json.get("id"):
                raise AepTransportError(f"POST /{collection}: the answer names no id", sent=True)
        except (AepServerError, AepTransportError) as unknown:
            refused = isinstance(unknown, AepTransportError) and not unknown.sent
            if marker is None or refused:
                raise
            yield Pause(SETTLING_SECONDS)
            if found := (yield from _find_marked(collection, marked, marker, volatile)):
                return found
            if attempt == CREATE_TRIES:
                raise
        else:
            return Created(id=str(reply.json["id"]), etag=reply.json.get("etag"))
    raise AssertionError("unreachable: the last try returns or raises")


def _find_marked(
    collection: str, wanted: Document, marker: str, volatile: Collection[str]
) -> Exchange[Created | None]:
    name, description = str(wanted["name"]), str(wanted["description"])
    if description == marker:
        narrowed = [("property", f"description=={marker}")]  # found whatever it was named at the first try
    elif _FILTERABLE.fullmatch(name):
        narrowed = [("property", f"name=={name}")]
    else:
        narrowed = []  # commas, comparisons and the like have a meaning of their own in a filter
    found = yield from list_entities(f"/{collection}", [*narrowed, ("orderby", "-createdAt")])
    ours = [item for item in found if marker in str(item.get("description"))]
    if not ours:
        return None
    # One task makes one entity; should it have been renamed since, that is a conflict, told below.
    ours = [item for item in ours if item.get("name") == name] or ours
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
    elif wanted != found:
        yield pointer


def _marked(description: object, marker: str) -> str:
    return f"{description} ({marker})" if description else marker


def entities_of(request: Request, reply: Response, *, bare: bool = False) -> list[Document]:
    """The entities of an answer, each with an id.

    :param bare: the answer is the entity itself.
    :raises AepTransportError: it holds something else, so the question is as open as without an answer.
    """
    items = [reply.json] if bare else reply.json.get("items")
    if not isinstance(items, list) or not all(mapping(item).get("id") for item in items):
        raise AepTransportError(f"{request}: the answer holds no list of entities", sent=True)
    return items


def part_of_name(name_contains: object) -> str:
    """What names are searched for, in one letter case; empty where nothing is asked for.

    :raises AepValidationError: it is no text.
    """
    # render_template_as_native_obj turns a rendered "2024" into 2024
    if isinstance(name_contains, bool) or not isinstance(name_contains, str | int | float | None):
        raise AepValidationError("the filter", [Problem("name_contains", "must be a text")])
    return "" if name_contains is None else str(name_contains).casefold()


def mapping(value: object) -> Document:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """A JSON list; an empty one in place of anything else."""
    return value if isinstance(value, list) else ()


def epoch_moment(epoch: object) -> datetime | None:
    """A moment in UTC from epoch milliseconds, or from the seconds that some samples carry in their place.

    :return: ``None`` for what is no such number.
    """
    if isinstance(epoch, bool) or not isinstance(epoch, int | float) or epoch <= 0:
        return None
    try:
        return datetime.fromtimestamp(epoch if epoch < LEAST_MILLISECONDS else epoch / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _next_token(body: Document) -> str | None:
    """The continuation token of a page; tokens may hold ``=`` and ``+`` and must survive both."""
    following = mapping(body.get("_links")).get("next")
    address = mapping(following).get("href", following)
    for pair in urlsplit(address if isinstance(address, str) else "").query.split("&"):
        name, _, value = pair.partition("=")
        if name == "continuationToken" and value:
            return unquote(value)
    return None
