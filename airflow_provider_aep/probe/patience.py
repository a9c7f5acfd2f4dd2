"""Requests for the probe's export: retried with patience, but not if the service cannot be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

from airflow_provider_aep.errors import (
    AepApiError,
    AepError,
    AepNotFoundError,
    AepRateLimitError,
    AepServerError,
    AepTransportError,
    AepWriteRefusedError,
)
from airflow_provider_aep.flowservice.documents import Document, values_at
from airflow_provider_aep.flowservice.entities import is_transitional
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Response
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.probe import asking
from airflow_provider_aep.probe.asking import Filters, Listing
from airflow_provider_aep.probe.written import Shown

T = TypeVar("T")
Clock = Callable[[], datetime]

# How long to wait until something shows, or until the service accepts what it refused.
PATIENCE = 120.0
LONGEST_PAUSE = 15.0
# What shows this often in a row is there to stay.
STREAK = 3
MOST_PAGES = 50


def pauses() -> Iterator[float | None]:
    """Growing pauses that add up to ``PATIENCE``; then ``None``: there is no further attempt."""
    pause, left = 1.0, PATIENCE
    while left > 0:
        yield min(pause, left)
        left -= pause
        pause = min(pause * 2, LONGEST_PAUSE)
    yield None


def since(began: datetime, clock: Clock) -> float:
    return round((clock() - began).total_seconds(), 1)


def ask(path: str, params: Filters = (), **given: Any) -> Exchange[Response | AepError]:
    return unless_cut_off((yield from asking.ask(path, params, **given)))


def read_one(kind: str, entity_id: str) -> Exchange[tuple[Document, bool, Response] | AepError]:
    return unless_cut_off((yield from asking.read_one(kind, entity_id)))


def read_listing(kind: str, filters: Filters = (), **given: Any) -> Exchange[Listing]:
    listing = yield from asking.read_listing(kind, filters, most=MOST_PAGES, **given)
    unless_cut_off(listing.error)
    return listing


def read_whole(kind: str, *, until: str | None = None) -> Exchange[Listing]:
    """A plain listing, with whatever page size is accepted; with an id, up to that entity."""
    listing = Listing()
    for limit in (LARGEST_PAGE, 20, None):
        listing = yield from read_listing(kind, limit=limit, until=until)
        if listing.pages:
            break
    return listing


def unless_cut_off(result: T) -> T:
    """Return a result, but raise an error after which further requests would fail too."""
    if isinstance(result, AepTransportError | AepServerError | AepRateLimitError | AepWriteRefusedError):
        raise result
    return result


def until_shown(
    kind: str, entity_id: str, is_so: Callable[[Document], bool], narrow: tuple[str, str], clock: Clock
) -> Exchange[Shown]:
    """Poll by id, listing and filtered listing until all show the entity, several times in a row.

    :param narrow: path and value of the filter.
    """
    began, shown, streak = clock(), Shown(), 0
    for pause in pauses():
        read = yield from read_one(kind, entity_id)
        plain = yield from read_whole(kind, until=entity_id)
        filtered = yield from read_listing(kind, [narrow], orderby="-createdAt", limit=20, until=entity_id)
        there = not isinstance(read, AepError) and is_so(read[0])
        listed = any(item["id"] == entity_id and is_so(item) for item in plain.items)
        narrowed = any(item["id"] == entity_id and is_so(item) for item in filtered.items)
        seconds = since(began, clock)
        if (shown.listed is not None and not listed) or (shown.filtered is not None and not narrowed):
            shown.steady = False
        shown.by_id = seconds if there and shown.by_id is None else shown.by_id
        shown.listed = seconds if listed and shown.listed is None else shown.listed
        shown.filtered = seconds if narrowed and shown.filtered is None else shown.filtered
        shown.filterable = not _is_deaf(filtered, plain, entity_id, narrow)
        everywhere = there and listed and (narrowed or not shown.filterable)
        streak = streak + 1 if everywhere else 0
        if streak == STREAK or pause is None:
            return shown
        if not everywhere:
            yield Pause(pause)
    return shown


def _is_deaf(filtered: Listing, plain: Listing, entity_id: str, narrow: tuple[str, str]) -> bool:
    """Whether a filter finds nothing, although it should find entities that have long existed."""
    path, value = narrow
    others = [item for item in plain.items if item["id"] != entity_id and value in values_at(item, path)]
    return bool(filtered.error) or (not filtered.items and bool(others))


def is_bad_request(error: object) -> bool:
    """Whether a refusal may be temporary, as the entity is not ready."""
    return isinstance(error, AepApiError) and error.status in (400, 404, 409, 412, 422)


def may_pass(error: object) -> bool:
    """Whether a refusal says that it is temporary; an error without a code may be that too."""
    if not is_bad_request(error) or not isinstance(error, AepApiError):
        return False
    return error.status != 400 or not error.code or is_transitional(error)


def says_gone(error: object) -> bool:
    return isinstance(error, AepNotFoundError) or (
        isinstance(error, AepApiError) and (error.status == 410 or str(error.code).startswith("FLOW-1439"))
    )


def etag_of(document: Document, reply: Response) -> object:
    return document.get("etag") or reply.headers.get("etag")
