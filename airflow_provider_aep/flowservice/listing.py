"""Listings of connections, dataflows and runs, page by page.

A listing is not trusted. Its filter is applied again on our side, and its order is checked before reading
stops early. If the service refuses a filter, an order or a limit, the listing is read without it. A filtered
listing proves that an entity exists; only an unfiltered one proves that it does *not*.

Source: Destinations API reference; "Sort and filter responses in the Flow Service API"; read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from urllib.parse import unquote, urlsplit

from airflow_provider_aep.errors import AepApiError, AepError, AepValidationError, Problem
from airflow_provider_aep.flowservice.documents import Document, entities_of, epoch_moment, mapping, values_at
from airflow_provider_aep.flowservice.exchange import Exchange, Request, recall

LARGEST_PAGE = 100
# How many pages in a row may bring nothing new: a store that filters after reading gives empty pages too.
MOST_BARREN = 50
# A listing of more pages than this has no end: at 100 a page, these are 200,000 entities.
MOST_PAGES = 2_000
_OUR_QUERY = ("property", "orderby", "limit", "count")
# In seconds: sorting by whole seconds, or on several machines, may swap neighbours.
ORDER_TOLERANCE = 60.0

# Codes about a sandbox, a header or a permission: another query would be refused too.
_ABOUT_ELSE = re.compile(r"FLOW-(2|1100-|1403-|1439-)|[^F]")
_FILTER_WORDS = re.compile(r"\b(property|filter\w*|flowId)\b", re.IGNORECASE)
# Values without the characters that have a meaning in a filter: commas, comparisons, quotes.
_FILTERABLE = re.compile(r"[^,=<>~!\"'\\]+")


@dataclass(slots=True, kw_only=True)
class Pages:
    """How many pages of a listing may be read.

    :param read: how many were read.
    :param cut_off: whether there are more.
    :param oldest: the first creation on the last page that was read, in a listing that is newest first.
    """

    most: int
    read: int = 0
    cut_off: bool = False
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Only:
    """A filter of a listing: the entities with one of several values at a path.

    :param path: names with dots between them; ``[]`` behind one that is an array.
    """

    path: str
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        """The filter as it is sent; a comma between values means "or"."""
        return f"{self.path}=={','.join(self.values)}"

    @property
    def askable(self) -> bool:
        """Whether no value holds a character with a meaning in a filter, such as a comma."""
        return all(_FILTERABLE.fullmatch(value) for value in self.values)

    def fits(self, document: Document) -> bool:
        """Whether a document has one of the values, in any letter case, or has none at the path."""
        values = [str(value).casefold().strip() for value in values_at(document, self.path)]
        return not values or any(value.casefold() in values for value in self.values)


def only(path: str, *values: str) -> Only:
    return Only(path, values)


def list_entities(
    path: str,
    narrowed: Only | None = None,
    *,
    newest_first: bool = False,
    page_size: int = LARGEST_PAGE,
    enough: Callable[[list[Document]], bool] = lambda entities: False,
    or_all: bool = True,
    pages: Pages | None = None,
) -> Exchange[list[Document]]:
    """The entities of a listing, page by page.

    :param newest_first: by the time of their creation.
    :param enough: gets all entities read so far, and stops the reading when it returns true; by default, and
        if the service does not keep the order, read to the end.
    :param or_all: if the service refuses the filter, read all and filter here; else raise its refusal.
    :param pages: how many may be read; ``read`` is set to how many were. By default all.
    :raises AepError: the service repeats a page, or the listing has no last page, or it has more than
        ``pages`` and is not in order, so it is unknown which entities are left out.
    """
    habits = yield from recall()
    askable = narrowed is not None and narrowed.askable
    asked = {"orderby": newest_first, "property": askable, "limit": True}
    plain = [part for part in asked if asked[part] and habits.holds(_refused(path, part))]
    again, held = False, len(plain)
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
            entities, ordered = yield from _read_pages(path, params, enough, newest_first, pages)
            break
        except AepApiError as refusal:
            if not _is_about_the_query(refusal):
                raise
            if not again:  # a single refusal is no habit
                again = True
                continue
            part = _part_to_drop(refusal, [name for name, wanted in shape.items() if wanted])
            if part is None or (part == "property" and not or_all):
                raise
            plain.append(part)
    # Not the known habits again: a listing that is polled each minute would never send the full query again.
    for part in plain[held:]:
        habits.note(_refused(path, part))
    if newest_first and not ordered:
        habits.note(f"the service does not list {path} newest first, so it is read to the end")
        entities.sort(key=_created, reverse=True)
    return [entity for entity in entities if narrowed is None or narrowed.fits(entity)]


def _read_pages(
    path: str,
    params: Sequence[tuple[str, str | int]],
    enough: Callable[[list[Document]], bool],
    newest_first: bool,
    pages: Pages | None,
) -> Exchange[tuple[list[Document], bool]]:
    """The entities of a listing, and whether it came in order."""
    entities: list[Document] = []
    known: set[object] = set()
    links: list[list[tuple[str, str]]] = []
    ordered, barren = True, 0
    while True:
        # Every page request repeats the filters: no document says that the token carries them.
        request = Request("GET", path, params=[*params, *(links[-1] if links else ())])
        reply = yield request
        page = entities_of(request, reply)
        ordered = ordered and (not newest_first or _is_descending([*entities[-1:], *page]))
        entities += page
        if pages is not None:
            pages.read += 1
        link = next_page(reply.json)
        if not link or (ordered and enough(entities)):
            return entities, ordered
        if pages is not None and pages.read >= pages.most:
            pages.cut_off = True
            pages.oldest = epoch_moment(entities[-1].get("createdAt")) if entities else None
            if newest_first and not ordered:
                raise AepError(f"GET {path}: more than {pages.most} pages, and not newest first")
            return entities, ordered
        barren = 0 if any(entity["id"] not in known for entity in page) else barren + 1
        known.update(entity["id"] for entity in page)
        if link in links:
            raise AepError(f"GET {path}: the service gives the same continuation token again")
        if len(links) + 1 == MOST_PAGES:
            raise AepError(f"GET {path}: the listing has no end after {MOST_PAGES} pages")
        if barren > MOST_BARREN:
            raise AepError(f"GET {path}: {barren} pages in a row brought nothing new, and there are more")
        links.append(link)


def _is_descending(page: Sequence[Document]) -> bool:
    times = [moment for entity in page if (moment := _created(entity))]
    return all(later <= earlier + ORDER_TOLERANCE for earlier, later in pairwise(times))


def _created(document: Document) -> float:
    moment = epoch_moment(document.get("createdAt"))
    return moment.timestamp() if moment else 0.0


def _refused(path: str, part: str) -> str:
    return f"the service refuses {part!r} in GET {path}, so it is asked without"


def _is_about_the_query(refusal: AepApiError) -> bool:
    return refusal.status == 400 and not _ABOUT_ELSE.match(str(refusal.code or "FLOW-"))


def _part_to_drop(refusal: AepApiError, parts: Sequence[str]) -> str | None:
    from airflow_provider_aep.flowservice.codes import explain

    named = [part for part in parts if part == explain(refusal.code).about]
    return next(iter([*named, *parts]), None)


def names_the_filter(refusal: AepApiError) -> bool:
    """Whether a refusal is about the filter of a listing, by its code or in its words."""
    from airflow_provider_aep.flowservice.codes import explain

    is_named = explain(refusal.code).about == "property" or _FILTER_WORDS.search(refusal.message)
    return refusal.status == 400 and bool(is_named)


def part_of_name(name_contains: object) -> str:
    """The text that names must contain, casefolded; empty for all names.

    :raises AepValidationError: it is no text.
    """
    # render_template_as_native_obj turns a rendered "2024" into 2024
    if isinstance(name_contains, bool) or not isinstance(name_contains, str | int | float | None):
        raise AepValidationError("the filter", [Problem("name_contains", "must be a text")])
    return "" if name_contains is None else str(name_contains).casefold()


def next_page(body: Document) -> list[tuple[str, str]]:
    """The parameters that the query for the next page adds to ours; none on the last page.

    They are the continuation token, or whatever the link has instead: an unknown kind of link must not pass
    for the end. Tokens may hold ``=`` and ``+``, which are kept.
    """
    following = mapping(body.get("_links")).get("next")
    address = mapping(following).get("href", following)
    query = urlsplit(address if isinstance(address, str) else "").query
    pairs = [
        (unquote(name), unquote(value))
        for name, _, value in (pair.partition("=") for pair in query.split("&"))
    ]
    link = [(name, value) for name, value in pairs if value and name not in _OUR_QUERY]
    return [pair for pair in link if pair[0] == "continuationToken"] or link
