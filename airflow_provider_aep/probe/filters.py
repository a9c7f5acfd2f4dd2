"""Checks of filters and order: their results are compared with plain listings.

Source: "Sort and filter responses in the Flow Service API"; read 2026-11.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.documents import Document, values_at
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.probe.asking import Listing, ask, read_listing
from airflow_provider_aep.probe.assumption import Look
from airflow_provider_aep.probe.sample import KINDS, Sample
from airflow_provider_aep.probe.words import Seen, assumed, count, differs, either, fails, untold, words_of

# Values that have no special meaning in a filter.
PLAIN = re.compile(r"\w[\w .-]*")


def look_at_filter(path: str, *kinds: str) -> Look:
    """A filter with one value, on the first of ``kinds`` with a usable value."""

    def look(sample: Sample) -> Exchange[Seen]:
        for kind in kinds:
            if chosen := rarest(sample.of(kind), path):
                listing = yield from read_listing(kind, [(path, chosen[1])], limit=sample.limit)
                return judge_filter(listing, path, *chosen)
        return untold(f"an entity that has {path}")

    return look


def rarest(documents: Sequence[Document], path: str) -> tuple[Document, str] | None:
    """An entity, and its value at a path: the value that the fewest entities have."""
    values = [(document, _text(value)) for document in documents for value in values_at(document, path)]
    usable = [(document, value) for document, value in values if PLAIN.fullmatch(value)]
    if not usable:
        return None
    often = Counter(value for _, value in usable)
    return min(usable, key=lambda pair: often[pair[1]])


def judge_filter(listing: Listing, path: str, entity: Document, value: str) -> Seen:
    if listing.error and not listing.pages:
        return differs(words_of(listing.error))
    items = listing.items
    strangers = [item for item in items if value not in map(_text, values_at(item, path))]
    if entity["id"] not in listing.ids:
        return differs("finds nothing of what is there" if not items else "finds others instead")
    if strangers:
        return differs(f"finds {count(len(strangers), 'other')} too")
    return assumed(f"finds {len(items)} {'entity' if len(items) == 1 else 'entities'}, and no other")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def look_at_name(sample: Sample) -> Exchange[Seen]:
    """A filter on the name: whether it also finds parts, or other letter case."""
    for kind in KINDS:
        fit = [entity for entity in sample.of(kind) if len(str(entity.get("name"))) > 3]
        if not (chosen := rarest(fit, "name")):
            continue
        entity, name = chosen
        listing = yield from read_listing(kind, [("name", name)], limit=sample.limit)
        seen = judge_filter(listing, "name", entity, name)
        if seen.level != "as assumed":
            return seen
        for variant, words in (
            (name[:-1].rstrip(), "also finds longer names"),
            (name.swapcase(), "finds it in any letter case"),
        ):
            if variant == name:
                continue
            other = yield from read_listing(kind, [("name", variant)], limit=sample.limit)
            if entity["id"] in other.ids:
                return differs(words)
        return seen
    return untold("an entity with a name of letters and digits")


def look_at_values(number: int) -> Look:
    """This many values in one filter; the existing ones are at its ends and in its middle."""

    def look(sample: Sample) -> Exchange[Seen]:
        for kind in KINDS:
            there = [str(entity["id"]) for entity in sample.of(kind)[: min(number, 3)]]
            if len(there) < 2:
                continue
            nobody = [str(uuid.uuid4()) for _ in range(number - len(there))]
            half = len(nobody) // 2
            ids = [there[0], *nobody[:half], *there[2:], *nobody[half:], there[1]]
            listing = yield from read_listing(kind, [("id", ",".join(ids))], limit=sample.limit)
            return _judge_several(listing, there)
        return untold("two entities of a kind")

    return look


def look_at_several_flows(sample: Sample) -> Exchange[Seen]:
    """The runs of two dataflows in one listing."""
    ids = list(sample.runs_of)[:2]
    if len(ids) < 2:
        return untold("two export dataflows that have run")
    wanted = [("flowId", ",".join(ids))]
    listing = yield from read_listing("runs", wanted, orderby="-createdAt", limit=sample.limit, most=20)
    if listing.error and not listing.pages:
        return differs(words_of(listing.error))
    listed = {str(run.get("flowId")) for run in listing.items}
    if listed - set(ids):
        return differs("finds runs of other dataflows too")
    missing = len(set(ids) - listed)
    return either(
        not missing, "finds the runs of both", f"finds no run of {missing} of 2 dataflows that have run"
    )


def _judge_several(listing: Listing, ids: Sequence[str]) -> Seen:
    if listing.error and not listing.pages:
        return differs(words_of(listing.error))
    missing = [entity_id for entity_id in ids if entity_id not in listing.ids]
    if missing:
        return differs(f"leaves out {len(missing)} of {len(ids)} entities that are there")
    if listing.ids - set(ids):
        return differs("finds others too")
    return assumed(f"finds all {len(ids)} that are there")


def look_at_order(sample: Sample) -> Exchange[Seen]:
    """``orderby=-createdAt``, on every kind with enough entities."""
    seen = []
    for kind in ("flows", "sourceConnections", "targetConnections", "runs"):
        moments = {
            entity["createdAt"]
            for entity in sample.of(kind)
            if isinstance(entity.get("createdAt"), int | float)
        }
        if len(moments) < 3:
            continue
        listing = yield from read_listing(kind, orderby="-createdAt", limit=sample.limit, most=1)
        if listing.error and not listing.pages:
            return differs(words_of(listing.error))
        if (problem := _judge_order(listing.items)) is not None:
            return differs(f"{kind}: {problem}")
        seen.append(kind)
    if not seen:
        return untold("three entities of a kind that were created at different times")
    return assumed(f"newest first: {', '.join(seen)}")


def look_at_order_of_changed(sample: Sample) -> Exchange[Seen]:
    """Whether a change moves an entity up: needs one that was changed after a newer one was created."""
    for kind in ("flows", "sourceConnections", "targetConnections", "connections", "runs"):
        if not any(_overtaken(*pair) for pair in pairwise(_by_creation(sample.of(kind)))):
            continue
        listing = yield from read_listing(kind, orderby="-createdAt", limit=sample.limit, most=1)
        if listing.error:
            return untold("an order that the service accepts")
        if _judge_order(listing.items) is None:
            return assumed(f"{kind} stay in the order of their creation")
        return differs(f"{kind} come in another order")
    return untold("an entity that was changed after a newer one had been created")


def judge_default_order(sample: Sample) -> Seen:
    for kind in ("flows", "runs"):
        documents = sample.of(kind)
        last = [max(_number(entity, "createdAt"), _number(entity, "updatedAt")) for entity in documents]
        made = [_number(entity, "createdAt") for entity in documents]
        if len(set(made)) < 3:
            continue
        for moments, what in ((last, "last created or changed first"), (made, "last created first")):
            if all(earlier >= later for earlier, later in pairwise(moments)):
                return assumed(f"{kind}: {what}")
        return differs(f"{kind}: in another order")
    return untold("three dataflows or runs")


def _by_creation(documents: Sequence[Document]) -> list[Document]:
    dated = [entity for entity in documents if _number(entity, "createdAt") and _number(entity, "updatedAt")]
    return sorted(dated, key=lambda entity: _number(entity, "createdAt"))


def _overtaken(older: Document, newer: Document) -> bool:
    created = _number(older, "createdAt") < _number(newer, "createdAt")
    return created and _number(older, "updatedAt") > _number(newer, "updatedAt")


def _judge_order(documents: Sequence[Document]) -> str | None:
    made = [_number(entity, "createdAt") for entity in documents]
    changed = [max(_number(entity, "createdAt"), _number(entity, "updatedAt")) for entity in documents]
    if all(first >= second for first, second in pairwise(made)):
        return None
    if all(first <= second for first, second in pairwise(made)):
        return "the oldest come first"
    if all(first >= second for first, second in pairwise(changed)):
        return "the last changed come first"
    return "in no order that could be made out"


def _number(document: Document, key: str) -> float:
    value = document.get(key)
    return value if isinstance(value, int | float) else 0.0


def look_at_nothing_found(sample: Sample) -> Exchange[Seen]:
    """The form of a listing without results."""
    reply = yield from ask("/flows", [("property", f"id=={uuid.uuid4()}"), *sized(sample)])
    if isinstance(reply, AepError):
        return untold("a filter on id that the service accepts")
    items = reply.json.get("items")
    if items:
        return untold("a filter on id that counts")
    return assumed("items is an empty list") if items == [] else fails("there are no items at all")


def sized(sample: Sample) -> list[tuple[str, str | int]]:
    return [("limit", sample.limit)] if sample.limit else []
