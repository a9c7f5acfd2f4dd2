"""Worlds in which the pages of a listing behave differently.

Source of what is open: the two references, whose samples of a next link disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl, quote, urlsplit

from airflow_provider_aep.emulator.listing import read_token, token_of
from airflow_provider_aep.emulator.replies import flow_error
from airflow_provider_aep.emulator.world import Call
from airflow_provider_aep.emulator.worlds.deviation import NOWHERE, Answer, Deviation, Instead, Scene


def at_most(size: int) -> Callable[[Scene, Call], Call]:
    def asks(scene: Scene, call: Call) -> Call:
        given = dict(call.query)
        if not scene.lists or given.get("count") == "true":
            return call
        limit = given.get("limit", "")
        smaller = min(int(limit), size) if limit.isdigit() else size
        query = [pair for pair in call.query if pair[0] != "limit"]
        return replace(call, query=[*query, ("limit", str(smaller))])

    return asks


def _token_in(answer: Answer) -> str | None:
    """The token of the next page, if the response has one."""
    links = answer.body.get("_links") if isinstance(answer.body, dict) else None
    following = links.get("next") if isinstance(links, dict) else None
    href = following.get("href", "") if isinstance(following, dict) else ""
    return dict(parse_qsl(urlsplit(href).query)).get("continuationToken")


def _link_to(scene: Scene, answer: Answer, token: str) -> None:
    href = f"/{scene.kind}?continuationToken={quote(token)}"
    answer.body = {**answer.body, "_links": {"next": {"href": href}}}


def _with_token(call: Call, token: str) -> Call:
    return replace(
        call, query=[(name, token if name == "continuationToken" else value) for name, value in call.query]
    )


def links(base: Callable[[Scene], str]) -> Callable[[Scene, Answer], None]:
    """The same link to the next page, with a prefix before its path."""

    def answers(scene: Scene, answer: Answer) -> None:
        if scene.lists and (token := _token_in(answer)):
            href = f"{base(scene)}/{scene.kind}?continuationToken={quote(token)}"
            answer.body = {**answer.body, "_links": {"next": {"href": href}}}

    return answers


def _link_as_text(scene: Scene, answer: Answer) -> None:
    if scene.lists and _token_in(answer):
        answer.body = {**answer.body, "_links": {"next": answer.body["_links"]["next"]["href"]}}


def _no_links(scene: Scene, answer: Answer) -> None:
    if scene.lists and answer.good and not _token_in(answer):
        answer.body = {name: value for name, value in answer.body.items() if name != "_links"}


def _empty_page(scene: Scene, call: Call) -> Call:
    token = dict(call.query).get("continuationToken", "")
    if scene.lists and token.startswith("empty."):
        following = token.removeprefix("empty.")
        href = f"/{scene.kind}?continuationToken={quote(following)}"
        raise Instead(200, {"items": [], "_links": {"next": {"href": href}}})
    return call


def _to_empty_page(scene: Scene, answer: Answer) -> None:
    token = _token_in(answer)
    # The empty page itself is followed by a full one.
    if scene.lists and token and answer.body["items"]:
        _link_to(scene, answer, f"empty.{token}")


def _overlap(scene: Scene, answer: Answer) -> None:
    if scene.lists and (token := _token_in(answer)):
        place = read_token(token)
        if place["limit"] > 1:
            _link_to(scene, answer, token_of({**place, "start": place["start"] - 1}))


def _same_token(scene: Scene, answer: Answer) -> None:
    given = dict(scene.call.query).get("continuationToken")
    if scene.lists and answer.good and given and not _token_in(answer):
        _link_to(scene, answer, given)


def _token_at_the_end(scene: Scene, answer: Answer) -> None:
    if not scene.lists or not answer.good or not answer.body.get("items") or _token_in(answer):
        return
    given = dict(scene.call.query)
    filters = [value for name, value in scene.call.query if name == "property"]
    place = {"start": 10**9, "limit": 20, "property": filters, "orderby": given.get("orderby", "")}
    _link_to(scene, answer, token_of(place))


def _forgetful(scene: Scene, call: Call) -> Call:
    given = dict(call.query)
    if not scene.lists or "continuationToken" not in given:
        return call
    place = read_token(given["continuationToken"])
    asked = [value for name, value in call.query if name == "property"]
    return _with_token(call, token_of({**place, "property": asked, "orderby": given.get("orderby", "")}))


def _token_alone(scene: Scene, call: Call) -> Call:
    given = {name for name, _ in call.query}
    if scene.lists and "continuationToken" in given and given & {"property", "orderby"}:
        raise flow_error(1453, 400, "A continuationToken is given without other parameters")
    return call


def _ends_after(count: int) -> Callable[[Scene, Answer], None]:
    def answers(scene: Scene, answer: Answer) -> None:
        if scene.lists and (token := _token_in(answer)) and read_token(token)["start"] >= count:
            answer.body = {**answer.body, "_links": {}}

    return answers


def _no_items(scene: Scene, answer: Answer) -> None:
    if scene.lists and answer.good and answer.body.get("items") == []:
        answer.body = {name: value for name, value in answer.body.items() if name != "items"}


def _count_beside(scene: Scene, answer: Answer) -> None:
    if scene.lists and answer.good and "items" in answer.body:
        answer.body = {**answer.body, "count": len(answer.body["items"])}


PAGING = (
    Deviation(
        name="pages-of-ten",
        says="A page holds ten entities at most, whatever the limit says.",
        source="documented nowhere: whether a limit is kept",
        asks=at_most(10),
    ),
    Deviation(
        name="next-link-absolute",
        says="The link to the next page is a whole URL.",
        source="Destinations reference: samples are relative; no text says that they always are",
        answers=links(lambda scene: f"{scene.call.base}/data/foundation/flowservice"),
    ),
    Deviation(
        name="next-link-with-base-path",
        says="The link to the next page begins with the path of the service.",
        source="Destinations reference: samples are relative; no text says to what",
        answers=links(lambda scene: "/data/foundation/flowservice"),
    ),
    Deviation(
        name="next-link-as-text",
        says="The link to the next page is a text instead of an object with href.",
        source="documented nowhere: the samples print an object with href",
        answers=_link_as_text,
    ),
    Deviation(
        name="last-page-without-links",
        says="The last page has no _links.",
        source="documented nowhere: whether the last page has an empty one or none",
        answers=_no_links,
    ),
    Deviation(
        name="empty-page-in-the-middle",
        says="A page in the middle is empty, and has a link to the next one.",
        source=NOWHERE,
        asks=_empty_page,
        answers=_to_empty_page,
    ),
    Deviation(
        name="pages-overlap",
        says="Each page begins with the last entity of the page before.",
        source="documented nowhere: what changes between two pages may shift them",
        answers=_overlap,
    ),
    Deviation(
        name="last-page-repeats-its-token",
        says="The last page links to itself.",
        source=NOWHERE,
        answers=_same_token,
    ),
    Deviation(
        name="last-page-with-token",
        says="The last page links to a page that is empty.",
        source=NOWHERE,
        answers=_token_at_the_end,
    ),
    Deviation(
        name="token-without-filters",
        says="A continuation token does not carry filters and order: they have to be given again.",
        source="documented nowhere: what a token carries",
        asks=_forgetful,
    ),
    Deviation(
        name="token-refuses-filters",
        says="A continuation token is refused with 400 together with filters or order.",
        source="error table: 1453 refuses values, and no text says which",
        asks=_token_alone,
    ),
    Deviation(
        name="listings-end-after-100",
        says="A listing ends after a hundred entities, without a link to more.",
        source='Destinations reference: "a maximum of 100 entities"',
        answers=_ends_after(100),
    ),
    Deviation(
        name="empty-listing-without-items",
        says="A listing that finds nothing has no items.",
        source=NOWHERE,
        answers=_no_items,
    ),
    Deviation(
        name="count-beside-items",
        says="A listing also shows how many entities its page has.",
        source="Sources reference: count, items and _links in one schema",
        answers=_count_beside,
    ),
)
