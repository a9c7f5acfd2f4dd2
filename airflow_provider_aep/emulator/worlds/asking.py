"""Worlds in which filters, order and limits work differently.

Source of what is open: "Sort and filter" guide (operators, orderby, count), Destinations and Sources
references (the parameters of each listing), Flow Service error table (the refusals).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlencode

from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.listing import FILTER
from airflow_provider_aep.emulator.replies import Refusal, flow_error
from airflow_provider_aep.emulator.world import Call
from airflow_provider_aep.emulator.worlds.deviation import Deviation, Scene

NOTHING = "id==00000000-0000-4000-8000-000000000000"
LONGEST_QUERY = 2048
FILTER_GUIDE = "filter guide: shows it for some members, and says nothing of this one"
COMMA = "filter guide: a comma means OR; no sample has one for these members"
# Whether a deviation affects a filter, by its collection, path and values.
Concerns = Callable[[str, str, list[str]], bool]


def several(kind: str, path: str, values: list[str]) -> bool:
    return len(values) > 1


def several_flows(kind: str, path: str, values: list[str]) -> bool:
    return kind == "runs" and path == "flowId" and len(values) > 1


def on(*paths: str) -> Concerns:
    return lambda kind, path, values: path in paths


def nested(kind: str, path: str, values: list[str]) -> bool:
    return "." in path and kind != "runs"


def in_array(kind: str, path: str, values: list[str]) -> bool:
    return "[]" in path


def inherited(kind: str, path: str, values: list[str]) -> bool:
    return path.startswith("inheritedAttributes")


def anything(kind: str, path: str, values: list[str]) -> bool:
    return True


def filters(
    concerns: Concerns, become: Callable[[str, list[str]], str | None]
) -> Callable[[Scene, Call], Call]:
    """Rewrite the filters that a deviation affects; None removes one."""

    def asks(scene: Scene, call: Call) -> Call:
        if not scene.lists:
            return call
        query: list[tuple[str, str]] = []
        for name, value in call.query:
            parts = FILTER.fullmatch(value) if name == "property" else None
            if parts is None or not concerns(scene.kind, parts["path"], parts["value"].split(",")):
                query.append((name, value))
            elif (
                rewritten := become(f"{parts['path']}{parts['operator']}", parts["value"].split(","))
            ) is not None:
                query.append((name, rewritten))
        return replace(call, query=query)

    return asks


def nothing(head: str, values: list[str]) -> str:
    return NOTHING


def first(head: str, values: list[str]) -> str:
    return head + values[0]


def last(head: str, values: list[str]) -> str:
    return head + values[-1]


def first_ten(head: str, values: list[str]) -> str:
    return head + ",".join(values[:10])


def taken_away(head: str, values: list[str]) -> None:
    return None


def refused(number: int, words: str) -> Callable[[str, list[str]], str]:
    def become(head: str, values: list[str]) -> str:
        raise flow_error(number, 400, words)

    return become


def _long_query(scene: Scene, call: Call) -> Call:
    if len(urlencode(call.query)) > LONGEST_QUERY:
        raise Refusal(414, {"error_code": "414000", "message": "Request-URI Too Long"})
    return call


def named(matches: Callable[[str, str], bool]) -> Callable[[Scene, list[Document]], list[Document]]:
    """The result of a filter on names that compares differently; the exact filter is removed."""

    def lists(scene: Scene, documents: list[Document]) -> list[Document]:
        for name, value in scene.call.query:
            parts = FILTER.fullmatch(value) if name == "property" else None
            if parts is not None and parts["path"] == "name":
                wanted = parts["value"]
                documents = [document for document in documents if matches(wanted, str(document.get("name")))]
        return documents

    return lists


def order(become: str | None) -> Callable[[Scene, Call], Call]:
    """Replace the requested order; None for the default order, without ``orderby``."""

    def asks(scene: Scene, call: Call) -> Call:
        if not scene.lists:
            return call
        query = [pair for pair in call.query if pair[0] != "orderby"]
        return replace(call, query=query if become is None else [*query, ("orderby", become)])

    return asks


def _order_refused(scene: Scene, call: Call) -> Call:
    if scene.lists and "orderby" in dict(call.query):
        raise flow_error(1432, 400, "orderby is not supported")
    return call


def _limit_refused(scene: Scene, call: Call) -> Call:
    limit = dict(call.query).get("limit", "")
    if scene.lists and limit.isdigit() and int(limit) > 20:
        raise flow_error(1454, 400, "limit must be a whole number between 1 and 20")
    return call


def _one_408(scene: Scene, call: Call) -> Call:
    batch = any("flowId==" in value and "," in value for _, value in call.query)
    if scene.kind == "runs" and scene.lists and batch and not scene.memory:
        scene.memory["struck"] = True
        raise Refusal(408, {"error_code": "408000", "message": "Request Timeout"})
    return call


ASKING = (
    Deviation(
        name="several-values-find-nothing",
        says="A filter with several values finds nothing.",
        source=COMMA,
        asks=filters(several, nothing),
    ),
    Deviation(
        name="several-values-first-only",
        says="Of several values in a filter, only the first one counts.",
        source=COMMA,
        asks=filters(several, first),
    ),
    Deviation(
        name="several-values-last-only",
        says="Of several values in a filter, only the last one counts.",
        source=COMMA,
        asks=filters(several, last),
    ),
    Deviation(
        name="several-values-ten-at-most",
        says="Of several values in a filter, only the first ten count.",
        source="documented nowhere: no document says how many values a filter takes",
        asks=filters(several, first_ten),
    ),
    Deviation(
        name="several-values-refused",
        says="A filter with several values is refused with 400.",
        source="error table: 1443 refuses several values for some operators",
        asks=filters(several, refused(1443, "The operator takes one value")),
    ),
    Deviation(
        name="several-flows-find-nothing",
        says="Runs of several dataflows cannot be asked for at once: the filter finds nothing.",
        source=COMMA,
        asks=filters(several_flows, nothing),
    ),
    Deviation(
        name="several-flows-first-only",
        says="Runs of several dataflows cannot be asked for at once: only the first dataflow counts.",
        source=COMMA,
        asks=filters(several_flows, first),
    ),
    Deviation(
        name="several-flows-refused",
        says="Runs of several dataflows cannot be asked for at once: the filter is refused with 400.",
        source="error table: 1443 refuses several values for some operators",
        asks=filters(several_flows, refused(1443, "The operator takes one value")),
    ),
    Deviation(
        name="description-filter-finds-nothing",
        says="A filter on the description finds nothing.",
        source=FILTER_GUIDE,
        asks=filters(on("description"), nothing),
    ),
    Deviation(
        name="description-filter-refused",
        says="A filter on the description is refused with 400.",
        source="error table: 1449 refuses fields, and no table says which",
        asks=filters(on("description"), refused(1449, "The field description is not supported in filters")),
    ),
    Deviation(
        name="name-filter-finds-nothing",
        says="A filter on the name finds nothing.",
        source=FILTER_GUIDE,
        asks=filters(on("name"), nothing),
    ),
    Deviation(
        name="name-filter-refused",
        says="A filter on the name is refused with 400.",
        source="error table: 1449 refuses fields, and no table says which",
        asks=filters(on("name"), refused(1449, "The field name is not supported in filters")),
    ),
    Deviation(
        name="name-filter-finds-parts",
        says="A filter on the name also finds names that contain it.",
        source="filter guide: == is not said to be exact",
        asks=filters(on("name"), taken_away),
        lists=named(lambda wanted, name: wanted in name),
    ),
    Deviation(
        name="name-filter-any-case",
        says="A filter on the name finds it in any letter case.",
        source="filter guide: == is not said to be exact",
        asks=filters(on("name"), taken_away),
        lists=named(lambda wanted, name: wanted.casefold() == name.casefold()),
    ),
    Deviation(
        name="nested-filter-finds-nothing",
        says="A filter on a member of a member, such as connectionSpec.id, finds nothing.",
        source=FILTER_GUIDE,
        asks=filters(nested, nothing),
    ),
    Deviation(
        name="nested-filter-refused",
        says="A filter on a member of a member, such as connectionSpec.id, is refused with 400.",
        source="error table: 1449 refuses fields, and no table says which",
        asks=filters(nested, refused(1449, "The field is not supported in filters")),
    ),
    Deviation(
        name="array-filter-finds-nothing",
        says="A filter on a member of an array, such as targetConnectionIds[], finds nothing.",
        source=FILTER_GUIDE,
        asks=filters(in_array, nothing),
    ),
    Deviation(
        name="inherited-filter-finds-nothing",
        says="A filter on inheritedAttributes finds nothing.",
        source="tutorial: filters by data.outputType there, which no sample of the references shows",
        asks=filters(inherited, nothing),
    ),
    Deviation(
        name="filters-ignored",
        says="Filters are ignored, and everything comes back.",
        source="references: describe property as a list of fields to show",
        asks=filters(anything, taken_away),
    ),
    Deviation(
        name="filters-refused",
        says="Every filter is refused with 400.",
        source="error table: 1451 refuses parameters, and no table says which",
        asks=filters(anything, refused(1451, "The query parameter property is not supported")),
    ),
    Deviation(
        name="long-query-refused",
        says="A query of more than 2,048 characters is refused with 414.",
        source="documented nowhere: no document says how long a filter may be",
        asks=_long_query,
    ),
    Deviation(
        name="orderby-ignored",
        says="orderby is ignored, and the oldest come first.",
        source="filter guide: shows orderby for few members, and does not promise it for all listings",
        asks=order("createdAt"),
    ),
    Deviation(
        name="orderby-refused",
        says="orderby is refused with 400.",
        source="error table: 1432 and 1433 refuse orders, and no table says which",
        asks=_order_refused,
    ),
    Deviation(
        name="listings-unordered",
        says="Listings come in no order, whatever orderby says.",
        source="filter guide: shows orderby for few members, and does not promise it for all listings",
        asks=order("id"),
    ),
    Deviation(
        name="listings-by-update",
        says="Listings are ordered by their last change, whatever orderby says.",
        source='Destinations reference: "most recently created or updated first"',
        asks=order("-updatedAt"),
    ),
    Deviation(
        name="limit-above-20-refused",
        says="A limit above 20 is refused with 400.",
        source="Destinations reference: 100 at most; no default is documented",
        asks=_limit_refused,
    ),
    Deviation(
        name="one-408-for-a-batch",
        says="The first request for the runs of several dataflows is answered once with 408.",
        source="documented nowhere: any gateway may time out once",
        asks=_one_408,
    ),
)
