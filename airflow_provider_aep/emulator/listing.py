"""Listings: filters, order and pages of every ``GET`` of a collection.

``property=<path><operator><value>``, repeated for AND, a comma for OR, ``[]`` where the path goes through
an array. The continuation token is opaque and contains an ``=``, because real ones do and some clients cut
them off there.

Source: "Sort and filter" guide of the Flow Service; Flow Service error table (the numbers).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from airflow_provider_aep.emulator.replies import Refusal, flow_error

Document = dict[str, Any]
Query = Sequence[tuple[str, str]]

AUDIT = {
    *("id", "name", "description", "state", "version", "etag", "labels", "policy", "inheritedAttributes"),
    *("createdAt", "createdBy", "createdClient", "updatedAt", "updatedBy", "updatedClient"),
    *("sandboxId", "sandboxName", "imsOrgId"),
}
SPEC = {"id", "name", "providerId", "version", "attributes"}
CONNECTION = AUDIT | {"connectionSpec", "baseConnectionId", "params", "data"}
# The fields that a filter or an order may start with.
# Assumed: any path below them is allowed, and matches nothing if it does not exist.
FIELDS = {
    "connectionSpecs": SPEC | {"authSpec", "targetSpec"},
    "flowSpecs": SPEC | {"sourceConnectionSpecIds", "targetConnectionSpecIds"},
    "connections": AUDIT | {"connectionSpec", "auth", "encryption"},
    "sourceConnections": CONNECTION,
    "targetConnections": CONNECTION,
    "flows": AUDIT
    | {"flowSpec", "sourceConnectionIds", "targetConnectionIds", "scheduleParams", "transformations"}
    | {"lastOperation", "lastRunDetails", "runs"},
    "runs": AUDIT | {"flowId", "flowSpec", "providerRefId", "metrics", "activities", "predecessors"},
}

PARAMETERS = {"property", "orderby", "limit", "continuationToken", "count"}
FILTER = re.compile(r"(?P<path>[\w.\-@]+(?:\[\][\w.\-@]*)*)(?P<operator>[=!<>~]+)(?P<value>.*)", re.DOTALL)


def listed(kind: str, documents: Iterable[Document], query: Query, *, page_size: int) -> Document:
    """One page of a collection, or its count."""
    for name, _ in query:
        if name not in PARAMETERS:
            raise flow_error(1451, 400, f"The query parameter {name} is not supported")
    single = dict(query)
    filters = [value for name, value in query if name == "property"]
    counting = single.get("count", "false").lower() == "true"
    if counting and "limit" in single:
        raise flow_error(1401, 400, "limit and count cannot be given together")
    start, limit = 0, _limit(single["limit"]) if "limit" in single else page_size
    orderby = single.get("orderby", "")
    if "continuationToken" in single:
        place = read_token(single["continuationToken"])
        # Assumed: a token goes with the filters and order of its first page. They may be left out
        # (the link as it was given) or repeated (as Adobe's own client does), but not changed.
        if (filters and filters != place["property"]) or (orderby and orderby != place["orderby"]):
            raise flow_error(1453, 400, "The continuationToken belongs to another query")
        start, filters, orderby = place["start"], place["property"], place["orderby"]
        limit = limit if "limit" in single else place["limit"]
    matching = list(documents)
    for filter_text in filters:
        matches = _filter(kind, filter_text)
        matching = [document for document in matching if matches(document)]
    if counting:
        # Source: "Sort and filter" guide: only the count is returned.
        return {"count": len(matching)}
    page = _ordered(kind, matching, orderby)[start : start + limit]
    links = {}
    if start + limit < len(matching):
        token = token_of({"start": start + limit, "limit": limit, "property": filters, "orderby": orderby})
        # Source: Destinations API reference: relative to the Flow Service, absent on the last page.
        links = {"next": {"href": f"/{kind}?continuationToken={quote(token)}"}}
    return {"items": page, "_links": links}


def values_at(document: object, path: str) -> Iterator[Any]:
    """Every value at a dotted path; ``name[]`` walks into each member of an array."""
    head, _, rest = path.partition(".")
    name, array, _ = head.partition("[]")
    if not isinstance(document, Mapping) or name not in document:
        return
    members = document[name]
    for value in (members if isinstance(members, list) else ()) if array else (members,):
        if rest:
            yield from values_at(value, rest)
        else:
            yield value


def _limit(text: str) -> int:
    # Source: Destinations API reference: at most 100. Assumed: more is refused, not capped.
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 100:
        raise flow_error(1454, 400, "limit must be a whole number between 1 and 100")
    return int(text)


class _filter:
    """One ``property`` filter, checked when made, applied when called."""

    def __init__(self, kind: str, text: str) -> None:
        parts = FILTER.fullmatch(text)
        if parts is None:
            raise flow_error(1423, 400, "A property filter has the form <path><operator><value>")
        self.path, self.operator = parts["path"], parts["operator"]
        self.values = parts["value"].split(",")
        if self.path.replace("[", ".").split(".")[0] not in FIELDS[kind]:
            raise flow_error(1449, 400, f"The field {self.path} is not supported in filters of {kind}")
        if self.operator == "~":
            raise flow_error(1440, 400, "The operator ~ is not implemented")
        if self.operator not in ("==", ">", ">=", "<", "<="):
            raise flow_error(1450, 400, f"The operator {self.operator} is not valid")
        if self.operator == "==":
            return
        if len(self.values) > 1:
            raise flow_error(1443, 400, f"The operator {self.operator} takes one value")
        if self.path == "id":
            raise flow_error(1448, 400, f"The operator {self.operator} is not supported on id")
        self.bound = _number(self.values[0])

    def __call__(self, document: Document) -> bool:
        values = values_at(document, self.path)
        if self.operator == "==":
            return any(_text(value) in self.values for value in values)
        return any(
            {
                ">": value > self.bound,
                ">=": value >= self.bound,
                "<": value < self.bound,
                "<=": value <= self.bound,
            }[self.operator]
            for value in values
            if isinstance(value, (int, float))
        )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise flow_error(1452, 400, "An ordering operator needs a number") from None


def _text(value: object) -> str:
    # Assumed: equality is exact and case-sensitive.
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ordered(kind: str, documents: list[Document], orderby: str) -> list[Document]:
    if not orderby:
        # Source: Destinations API reference: "most recently created or updated first".
        newest = reversed(documents)
        return sorted(
            newest, key=lambda document: -max(document.get("createdAt", 0), document.get("updatedAt", 0))
        )
    for key in reversed(orderby.split(",")):
        path = key.strip().lstrip("+-")
        if path.split(".")[0] not in FIELDS[kind]:
            raise flow_error(1432, 400, "orderby must be a comma list of fields, each with an optional sign")
        documents = sorted(documents, key=lambda document: _rank(document, path), reverse=key.startswith("-"))
    return documents


def _rank(document: Document, path: str) -> tuple[bool, float, str]:
    value = next(values_at(document, path), None)
    if isinstance(value, (int, float)):
        return (True, value, "")
    return (value is not None, 0, str(value))


def token_of(place: Document) -> str:
    text = json.dumps(place, separators=(",", ":"))
    text += " " * (len(text) % 3 == 0)  # so that base64 adds padding: every token must contain "="
    return base64.urlsafe_b64encode(text.encode()).decode()


def read_token(token: str) -> Document:
    refusal: Refusal = flow_error(1453, 400, "The continuationToken is not valid")
    try:
        place = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError):
        raise refusal from None
    if not isinstance(place, dict) or set(place) != {"start", "limit", "property", "orderby"}:
        raise refusal
    return place
