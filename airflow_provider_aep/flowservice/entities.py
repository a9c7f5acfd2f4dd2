"""What connections and dataflows have in common: listing, reading, changing and deleting.

A listing is not taken on trust. Its filter is applied again on our side, its order is looked at before
reading stops early, and where the service refuses a filter, an order or a limit, it is asked without. A
filter proves that something is there; that something is *not* there is proven by who lists without one.

Source: Destinations API reference; "Sort and filter responses in the Flow Service API"; read 2026-11.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_aep.errors import (
    AepApiError,
    AepError,
    AepNotFoundError,
    AepPreconditionError,
    AepTransportError,
    AepValidationError,
    Problem,
)
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Request, Response, recall
from airflow_provider_aep.flowservice.validation import NOT_A_NAME, check_id, looks_like_a_name

Document = Mapping[str, Any]
# The body of a PATCH: [{"op": "replace", "path": "/scheduleParams", "value": {...}}], op in lower case.
Operations = list[dict[str, Any]]

# No moment of the service lies elsewhere, and spans may be added to one between these.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# Epoch numbers below this are seconds: as milliseconds they would lie in 1973.
LEAST_MILLISECONDS = 1e11
LARGEST_PAGE = 100
# So many pages in a row may bring nothing new: a store that filters what it has read gives empty pages too.
MOST_BARREN = 50
_OUR_QUERY = ("property", "orderby", "limit", "count")
# Who sorts by whole seconds, or on several machines, may put neighbours in the wrong order.
ORDER_TOLERANCE = 60.0

TRANSITIONAL = tuple(
    f"FLOW-{number}-" for number in (1409, 1416, 1417, 1420, 1421, 1422, 1444, 1456, 1457, 1458)
)
CHANGE_TRIES = 4
CHANGE_PAUSE = 5.0
# Adobe's own services move etags too, so a stale one is usual; one that stays stale is a fight.
PATCH_TRIES = 3

# What a refusal may be about, by its number in the error table; others do not say.
_ABOUT = {
    "orderby": ("1424", "1432", "1433"),
    "property": ("1423", "1440", "1441", "1442", "1443", "1448", "1449", "1450", "1452"),
    "limit": ("1401", "1454"),
}
# Of a sandbox, a header, a right: no other query would be answered either.
_ABOUT_ELSE = re.compile(r"FLOW-(2|1100-|1403-|1439-)|[^F]")
# What means something in a filter is a comma, a comparison, a quote.
_FILTERABLE = re.compile(r"[^,=<>~!\"'\\]+")


@dataclass(slots=True, kw_only=True)
class Pages:
    """How many pages of a listing may be read.

    :param read: how many were.
    :param cut_off: whether there are more.
    :param oldest: the first creation on the last page that was read, in a listing that is newest first.
    """

    most: int
    read: int = 0
    cut_off: bool = False
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Only:
    """What a listing is narrowed to: those that have one of some values at a place.

    :param path: names with dots between them; ``[]`` behind one that is an array.
    """

    path: str
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        """The filter as the service is asked; a comma between values means "or"."""
        return f"{self.path}=={','.join(self.values)}"

    @property
    def askable(self) -> bool:
        """Whether no value holds what means something in a filter, such as a comma."""
        return all(_FILTERABLE.fullmatch(value) for value in self.values)

    def fits(self, document: Document) -> bool:
        """Whether it is one of those, as far as it tells; letter case is the service's affair."""
        told = [str(value).casefold().strip() for value in values_at(document, self.path)]
        return not told or any(value.casefold() in told for value in self.values)


def only(path: str, *values: str) -> Only:
    return Only(path, values)


def list_entities(
    path: str,
    narrowed: Only | None = None,
    *,
    newest_first: bool = False,
    page_size: int = LARGEST_PAGE,
    enough: Callable[[list[Document]], bool] = lambda found: False,
    or_all: bool = True,
    pages: Pages | None = None,
) -> Exchange[list[Document]]:
    """The entities of a listing, page by page.

    :param newest_first: by the time of their creation.
    :param enough: stop when this says so of what was read up to now, whatever it was narrowed to; by default,
        and where the service does not keep to the order, read to the end.
    :param or_all: where the service refuses the filter, read all and pick; else raise its refusal.
    :param pages: how many may be read; it is told how many were. By default all.
    :raises AepError: the service repeats a page for ever; or it does not keep to the order, and has more than
        ``pages``, so that nobody can tell which are left out.
    """
    habits = yield from recall()
    askable = narrowed is not None and narrowed.askable
    asked = {"orderby": newest_first, "property": askable, "limit": True}
    plain = [part for part in asked if asked[part] and habits.holds(_refused(path, part))]
    again = False
    while True:
        shape = {part: wanted and part not in plain for part, wanted in asked.items()}
        params: list[tuple[str, str | int]] = []
        if shape["property"] and narrowed:
            params.append(("property", narrowed.text))
        if shape["orderby"]:
            params.append(("orderby", "-createdAt"))
        if shape["limit"]:
            params.append(("limit", page_size))
        try:
            found, ordered = yield from _read_pages(path, params, enough, newest_first, pages)
            break
        except AepApiError as refusal:
            if not _is_about_the_query(refusal):
                raise
            if not again:  # once is no habit
                again = True
                continue
            part = _part_to_drop(refusal, [each for each in shape if shape[each]])
            if part is None or (part == "property" and not or_all):
                raise
            plain.append(part)
    for part in plain:
        habits.note(_refused(path, part))
    if newest_first and not ordered:
        habits.note(f"the service does not list {path} newest first, so it is read to the end")
        found.sort(key=_created, reverse=True)
    return [each for each in found if narrowed is None or narrowed.fits(each)]


def _read_pages(
    path: str,
    params: Sequence[tuple[str, str | int]],
    enough: Callable[[list[Document]], bool],
    newest_first: bool,
    pages: Pages | None,
) -> Exchange[tuple[list[Document], bool]]:
    """What a listing holds, and whether it came in order."""
    found: list[Document] = []
    known: set[object] = set()
    links: list[list[tuple[str, str]]] = []
    ordered, barren = True, 0
    while True:
        # The same filters go with every page: the token alone is not documented to carry them.
        request = Request("GET", path, params=[*params, *(links[-1] if links else ())])
        reply = yield request
        page = entities_of(request, reply)
        ordered = ordered and (not newest_first or _is_descending([*found[-1:], *page]))
        found += page
        if pages is not None:
            pages.read += 1
        link = next_page(reply.json)
        if not link or (ordered and enough(found)):
            return found, ordered
        if pages is not None and pages.read >= pages.most:
            pages.cut_off, pages.oldest = True, epoch_moment(found[-1].get("createdAt")) if found else None
            if newest_first and not ordered:
                raise AepError(f"GET {path}: more than {pages.most} pages, and not newest first")
            return found, ordered
        barren = 0 if any(each["id"] not in known for each in page) else barren + 1
        known.update(each["id"] for each in page)
        if link in links:
            raise AepError(f"GET {path}: the service gives the same continuation token again")
        if barren > MOST_BARREN:
            raise AepError(f"GET {path}: {barren} pages in a row brought nothing new, and there are more")
        links.append(link)


def _is_descending(page: Sequence[Document]) -> bool:
    times = [moment for each in page if (moment := _created(each))]
    return all(later <= earlier + ORDER_TOLERANCE for earlier, later in pairwise(times))


def _created(document: Document) -> float:
    moment = epoch_moment(document.get("createdAt"))
    return moment.timestamp() if moment else 0.0


def _refused(path: str, part: str) -> str:
    return f"the service refuses {part!r} in GET {path}, so it is asked without"


def _is_about_the_query(refusal: AepApiError) -> bool:
    return refusal.status == 400 and not _ABOUT_ELSE.match(str(refusal.code or "FLOW-"))


def _part_to_drop(refusal: AepApiError, parts: Sequence[str]) -> str | None:
    number = str(refusal.code or "").removeprefix("FLOW-").partition("-")[0]
    named = [part for part in parts if number in _ABOUT[part]]
    return next(iter([*named, *parts]), None)


def values_at(document: object, path: str) -> Iterator[Any]:
    """What stands at a place of a document: several things where it leads through arrays, or none.

    :param path: as in ``Only``.
    """
    head, _, rest = path.partition(".")
    name, array, _ = head.partition("[]")
    found = mapping(document).get(name)
    for each in sequence(found) if array else (found,):
        if rest:
            yield from values_at(each, rest)
        elif each is not None:
            yield each


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
            habits = yield from recall()
            habits.deleted.add(entity_id)
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

    :return: ``None`` for what is no such number, and for what is not between ``EARLIEST`` and ``LATEST``.
    """
    if isinstance(epoch, str) and re.fullmatch(r"[0-9]{9,17}", epoch):
        epoch = int(epoch)
    if isinstance(epoch, bool) or not isinstance(epoch, int | float) or epoch <= 0:
        return None
    try:
        moment = datetime.fromtimestamp(epoch if epoch < LEAST_MILLISECONDS else epoch / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if EARLIEST <= moment <= LATEST else None


def count_of(value: object) -> int | None:
    """A count, also as text, or ``None`` for what is missing, not a number, or the service's -1."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    if isinstance(value, float) and not math.isfinite(value):  # 1e999 and NaN pass as JSON
        return None
    return int(value)


def next_page(body: Document) -> list[tuple[str, str]]:
    """What the query for the next page has beyond our own; nothing where there is no such page.

    That is the continuation token, or whatever the link has in its place: a link that is not understood must
    not pass for the end. Tokens may hold ``=`` and ``+`` and must survive both.
    """
    following = mapping(body.get("_links")).get("next")
    address = mapping(following).get("href", following)
    query = urlsplit(address if isinstance(address, str) else "").query
    pairs = [
        (unquote(name), unquote(value)) for name, _, value in (one.partition("=") for one in query.split("&"))
    ]
    link = [(name, value) for name, value in pairs if value and name not in _OUR_QUERY]
    return [one for one in link if one[0] == "continuationToken"] or link
