"""Checks of pages: their size, the links between them, and their end.

Source: Destinations API reference, the listings; Flow Service error table; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import urlsplit

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID
from airflow_provider_aep.flowservice.documents import Document, mapping, sequence, values_at
from airflow_provider_aep.flowservice.exchange import Exchange, Response
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.probe.asking import Listing, Params, address_of, ask, page_of, read_listing
from airflow_provider_aep.probe.sample import KINDS, Sample
from airflow_provider_aep.probe.words import Seen, assumed, count, differs, either, fails, untold, words_of

SMALL_PAGES = "a kind of entity of which there are at least three"


def judge_limit(sample: Sample) -> Seen:
    if sample.limit != LARGEST_PAGE:
        size = "no limit at all" if sample.limit is None else f"a limit of {sample.limit}"
        return differs(f"a limit of {LARGEST_PAGE} is {sample.limit_refused}; {size} is accepted")
    listings = (*sample.kinds.values(), sample.runs)
    pages = [page for listing in listings for page in listing.pages]
    # A page with a non-empty successor should be full.
    followed = [
        page for listing in listings for page, after in pairwise(listing.pages) if page.items and after.items
    ]
    cut = [len(page.items) for page in followed if len(page.items) < LARGEST_PAGE]
    if cut:
        return differs(f"accepted, but pages hold at most {max(cut)}")
    largest = max((len(page.items) for page in pages), default=0)
    if largest <= 20:
        return untold("more than 20 entities of a kind")
    return assumed(f"accepted; the largest page held {largest}")


def judge_link(sample: Sample) -> Seen:
    """The form of the link to the next page."""
    linked = [
        (kind, page.link)
        for kind, listing in _listings(sample)
        for page in listing.pages
        if page.token is not None
    ]
    if not linked:
        return untold(SMALL_PAGES)
    kind, link = linked[0]
    if isinstance(link, str):
        return differs("the link is a text, not an object with href")
    parts = urlsplit(address_of(link))
    if parts.netloc:
        return differs("the link is a whole URL")
    if parts.path != f"/{kind}":
        return differs("the link has another path than the listing")
    return assumed("an object with a relative href")


def judge_end(sample: Sample) -> Seen:
    """The form of the last page."""
    if sample.walk is None:
        return untold(SMALL_PAGES)
    listing = sample.walk[2]
    if listing.repeated:
        return fails("the last page links to itself, or to an earlier one")
    if not listing.complete:
        return untold("a listing that ends within a few pages")
    last = listing.pages[-1]
    if len(listing.pages) > 1 and not last.items:
        return differs("the last page is empty")
    if "_links" not in last.body:
        return differs("the last page has no _links")
    return assumed("the last page has no link to a next one")


def judge_pages(sample: Sample) -> Seen:
    """Whether pages contain each entity exactly once."""
    if sample.walk is None:
        return untold(SMALL_PAGES)
    kind, limit, listing = sample.walk
    if listing.error:
        return fails(f"a following page is {words_of(listing.error)}")
    middle = listing.pages[:-1]
    if any(not page.items for page in middle):
        return differs("a page in the middle is empty")
    if len(listing.all_items) > len(listing.items):
        return differs("pages overlap")
    if any(len(page.items) > limit for page in listing.pages):
        return differs("pages are larger than the limit")
    if listing.complete and sample.kinds[kind].complete and sample.kinds[kind].ids - listing.ids:
        return fails("pages leave out entities that one large page shows")
    return assumed(f"{count(len(listing.pages), 'page')}, each entity once")


def look_at_token(sample: Sample) -> Exchange[Seen]:
    """What a token carries: read with a filter and an order, then with only the token."""
    second = yield from _second_page(sample)
    if isinstance(second, Seen):
        return second
    kind, _, token, expected = second
    reply = yield from ask(f"/{kind}", [("continuationToken", token), ("limit", 1)])
    if isinstance(reply, AepError):
        reply = yield from ask(f"/{kind}", [("continuationToken", token)])
    if isinstance(reply, AepError):
        return differs(f"a token alone is {words_of(reply)}")
    ids = [item["id"] for item in (yield from _first_items(kind, reply))]
    return either(
        ids[:1] == [expected],
        "a token alone continues with filter and order",
        "a token alone forgets filter or order",
    )


def look_at_token_and_filters(sample: Sample) -> Exchange[Seen]:
    second = yield from _second_page(sample)
    if isinstance(second, Seen):
        return second
    kind, params, token, expected = second
    reply = yield from ask(f"/{kind}", [*params, ("continuationToken", token)])
    if isinstance(reply, AepError):
        return differs(f"filters with a token are {words_of(reply)}")
    ids = [item["id"] for item in (yield from _first_items(kind, reply))]
    return either(
        expected in ids[:2],
        "the same filters may go with the token",
        "filters with a token lead to another page",
    )


def _first_items(kind: str, reply: Response) -> Exchange[Sequence[Document]]:
    """The entities of a page, or of the next one if it is empty."""
    page = page_of(reply)
    if page.items or page.token is None:
        return page.items
    following = yield from ask(f"/{kind}", [("continuationToken", page.token)])
    return () if isinstance(following, AepError) else page_of(following).items


def _second_page(sample: Sample) -> Exchange[tuple[str, list[tuple[str, str | int]], str, str] | Seen]:
    """A listing with one entity per page: its parameters, its token, and its second entity."""
    needs = untold("three entities with one connection or flow spec that were created at different times")
    for kind, path in (
        ("flows", "flowSpec.id"),
        ("sourceConnections", "connectionSpec.id"),
        ("targetConnections", "connectionSpec.id"),
    ):
        values = [value for entity in sample.of(kind) for value in values_at(entity, path)]
        often = max(set(values), key=values.count, default=None)
        # Oldest first, which no listing is by default.
        ordered = yield from read_listing(
            kind, [(path, str(often))], orderby="createdAt", limit=sample.limit, most=1
        )
        items = ordered.items
        if often is None or len(items) < 3 or len({item.get("createdAt") for item in items[:3]}) < 3:
            continue
        params: list[tuple[str, str | int]] = [
            ("property", f"{path}=={often}"),
            ("orderby", "createdAt"),
            ("limit", 1),
        ]
        reply = yield from ask(f"/{kind}", params)
        if isinstance(reply, AepError):
            return untold("filters and an order that the service accepts")
        page = page_of(reply)
        if page.token is None or [item["id"] for item in page.items] != [items[0]["id"]]:
            continue
        return kind, params, page.token, str(items[1]["id"])
    return needs


def look_at_long_listing(sample: Sample) -> Exchange[Seen]:
    """Whether a listing continues after a hundred entities."""
    longest = max(len(listing.items) for _, listing in _listings(sample))
    if longest > LARGEST_PAGE:
        return assumed("a listing went on")
    for kind in ("runs", *KINDS):
        if not (sample.runs if kind == "runs" else sample.kinds[kind]).complete:
            continue
        counted = yield from ask(f"/{kind}", [("count", "true")])
        if isinstance(counted, AepError):
            continue
        total = counted.json.get("count")
        if isinstance(total, int) and total > LARGEST_PAGE:
            return fails(f"it ends after {len(sample.of(kind))} of {total}, without a link to more")
    return untold("more than a hundred entities of a kind, runs for instance")


def judge_count(sample: Sample) -> Seen:
    pages = [page for _, listing in _listings(sample) for page in listing.pages]
    counted = any("count" in page.body for page in pages)
    return either(not counted, "a page has items and links, and no count", "a page also has a count")


def look_at_datasets(sample: Sample) -> Exchange[Seen]:
    """The listing of exportable datasets, which has its own way of paging."""
    path = f"/connectionSpecs/{DATA_LAKE_SPEC_ID}/configs"
    asked: Params = [("outputType", "activationDatasets"), ("outputField", "datasets")]
    first = yield from ask(path, [*asked, ("start", 0), ("limit", LARGEST_PAGE)])
    if isinstance(first, AepError):
        smaller = yield from ask(path, [*asked, ("start", 0), ("limit", 20)])
        if isinstance(smaller, AepError):
            return fails(f"the listing is {words_of(smaller)}")
        return fails(f"a limit of {LARGEST_PAGE} is {words_of(first)}")
    items = [mapping(item) for item in sequence(first.json.get("items"))]
    info = mapping(first.json.get("pageInfo"))
    if not items:
        return untold("a dataset that can be exported")
    if not all(item.get("id") for item in items):
        return fails("datasets without an id")
    if not all(item.get("name") for item in items):
        return differs("datasets without a name")
    if not isinstance(info.get("hasNext"), bool):
        return differs("pageInfo.hasNext is not there")
    if len(items) < 2:
        return untold("two datasets that can be exported")
    pages = []
    for start in (0, 1):
        reply = yield from ask(path, [*asked, ("start", start), ("limit", 1)])
        if isinstance(reply, AepError):
            return fails(f"a page of one is {words_of(reply)}")
        pages.append(reply.json)
    ids = [[str(mapping(item).get("id")) for item in sequence(page.get("items"))] for page in pages]
    if not ids[0] or not ids[1]:
        return differs("a page has less than was asked for, although there is more")
    if ids[0] == ids[1]:
        return fails("start is ignored: each page is the first one")
    if set(ids[1]) - set(ids[0]) and mapping(pages[0].get("pageInfo")).get("hasNext") is not True:
        return fails("hasNext is not true although there are more")
    if [dataset_id for page in ids for dataset_id in page] != [str(item["id"]) for item in items[:2]]:
        return differs("pages of one come in another order, or another size")
    if len(items) < LARGEST_PAGE and info["hasNext"]:
        behind = yield from ask(path, [*asked, ("start", len(items)), ("limit", LARGEST_PAGE)])
        more = not isinstance(behind, AepError) and sequence(behind.json.get("items"))
        return differs("pages hold less than the limit" if more else "hasNext is true on the last page too")
    return assumed(f"{count(len(items), 'dataset')} with id and name, pages by start, hasNext shows more")


def _listings(sample: Sample) -> list[tuple[str, Listing]]:
    walked = [(sample.walk[0], sample.walk[2])] if sample.walk else []
    return [*walked, *sample.kinds.items(), ("runs", sample.runs)]
