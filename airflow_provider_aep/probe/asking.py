"""Requests of the probe. Unlike the client's, they accept every response, and keep its form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.errors import AepError, AepNotFoundError
from airflow_provider_aep.flowservice.documents import Document, mapping, sequence
from airflow_provider_aep.flowservice.exchange import Exchange, Request, Response
from airflow_provider_aep.flowservice.listing import next_page

Filters = Sequence[tuple[str, str]]
Params = Sequence[tuple[str, str | int]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing, as it was received.

    :param link: the raw value at ``_links.next``.
    """

    body: Document
    items: Sequence[Document]
    link: object
    token: str | None


@dataclass(slots=True)
class Listing:
    """The pages of a listing that were read.

    :param error: why reading ended early.
    :param complete: there is no further page.
    :param repeated: the service repeated a token.
    :param alone: a token was refused together with the filters of its first page.
    """

    pages: list[Page] = field(default_factory=list)
    error: AepError | None = None
    complete: bool = False
    repeated: bool = False
    alone: bool = False

    @property
    def items(self) -> list[Document]:
        """Each entity once, in the order of the listing."""
        return list({str(item["id"]): item for page in self.pages for item in page.items}.values())

    @property
    def all_items(self) -> list[Document]:
        return [item for page in self.pages for item in page.items]

    @property
    def ids(self) -> set[str]:
        return {str(item["id"]) for item in self.items}


def ask(
    path: str, params: Params = (), *, method: str = "GET", **given: Any
) -> Exchange[Response | AepError]:
    """The response, or the error that the client raises for it."""
    try:
        return (yield Request(method, path, params=params, **given))
    except AepError as error:
        return error


def read_listing(
    kind: str,
    filters: Filters = (),
    *,
    orderby: str | None = None,
    limit: int | None,
    most: int = 3,
    until: str | None = None,
) -> Exchange[Listing]:
    """A listing, page by page, however the service links the pages.

    :param filters: pairs of a path and a value, or of values joined by commas.
    :param most: the maximum number of pages.
    :param until: the id of an entity at which reading ends.
    """
    params: list[tuple[str, str | int]] = [("property", f"{path}=={value}") for path, value in filters]
    if orderby:
        params.append(("orderby", orderby))
    sized: list[tuple[str, str | int]] = [*params, *([("limit", limit)] if limit else [])]
    listing, tokens = Listing(), list[str]()
    while len(listing.pages) < most:
        following: list[tuple[str, str | int]] = [("continuationToken", tokens[-1])] if tokens else []
        reply = yield from ask(f"/{kind}", [*sized, *following])
        if isinstance(reply, AepError) and following and params and not listing.alone:
            alone = yield from ask(f"/{kind}", following)
            listing.alone = not isinstance(alone, AepError)
            reply, sized = (alone, []) if listing.alone else (reply, sized)
        if isinstance(reply, AepError):
            listing.error = reply
            return listing
        page = page_of(reply)
        listing.pages.append(page)
        if until is not None and until in {str(item["id"]) for item in page.items}:
            return listing
        if page.token is None:
            listing.complete = True
            return listing
        if page.token in tokens:
            listing.repeated = True
            return listing
        tokens.append(page.token)
    return listing


def page_of(reply: Response) -> Page:
    body = mapping(reply.json)
    link = mapping(body.get("_links")).get("next")
    items = [item for item in sequence(body.get("items")) if mapping(item).get("id")]
    return Page(body=body, items=items, link=link, token=dict(next_page(body)).get("continuationToken"))


def address_of(link: object) -> str:
    address = mapping(link).get("href", link)
    return address if isinstance(address, str) else ""


def read_one(kind: str, entity_id: str) -> Exchange[tuple[Document, bool, Response] | AepError]:
    """An entity by its id, whether it was wrapped in ``items``, and the response."""
    reply = yield from ask(f"/{kind}/{entity_id}")
    if isinstance(reply, AepError):
        return reply
    wrapped = "items" in reply.json
    entity = mapping(next(iter(sequence(reply.json.get("items"))), None)) if wrapped else mapping(reply.json)
    if not entity.get("id"):
        return AepNotFoundError(doing=f"GET /{kind}", status=reply.status, message="no such entity")
    return entity, wrapped, reply
