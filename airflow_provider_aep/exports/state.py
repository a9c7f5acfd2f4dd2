"""What exists in a sandbox: its export dataflows and the connections they may be made of, read by listing.

Four listings tell the same about one export and about a hundred. Logins are taken out as they arrive.

Source: "Sort and filter responses in the Flow Service API"; Destinations API reference; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from airflow_provider_aep.errors import AepAmbiguousNameError, AepValidationError, Problem
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.exports.spec import DatasetRef
from airflow_provider_aep.flowservice.dataflow_record import Dataflow, exports_datasets
from airflow_provider_aep.flowservice.dataflows import flows_to_destinations
from airflow_provider_aep.flowservice.datasets import UNLISTED, Dataset, list_datasets
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID, DESTINATIONS
from airflow_provider_aep.flowservice.documents import Document, mapping, sequence
from airflow_provider_aep.flowservice.entities import get_entity
from airflow_provider_aep.flowservice.exchange import Done, Exchange, recall, together
from airflow_provider_aep.flowservice.listing import list_entities, only
from airflow_provider_aep.flowservice.spelling import same_text
from airflow_provider_aep.flowservice.validation import nearest

# What people call an entity -> the collection it is in, in the order in which they are created.
COLLECTIONS: Mapping[str, str] = {
    "base connection": "connections",
    "source connection": "sourceConnections",
    "target connection": "targetConnections",
    "dataflow": "flows",
}
_DESTINATION_SPECS = tuple(one.connection_spec_id for one in DESTINATIONS.values())
_SPECS = {
    "base connection": _DESTINATION_SPECS,
    "source connection": (DATA_LAKE_SPEC_ID,),
    "target connection": _DESTINATION_SPECS,
}
AT_MOST = 8


@dataclass(frozen=True, kw_only=True)
class State:
    """The entities of a sandbox by what they are, each kind oldest first.

    :param datasets: those that can be exported; empty where nobody asked for names.
    :param destination_flows: how many dataflows to destinations there are, those of audiences included.
    :param ghosts: kind and id of what is listed although this process has deleted it; it is no entity here.
    """

    entities: Mapping[str, Sequence[Document]] = field(repr=False)
    datasets: Sequence[Dataset] = field(default=(), repr=False)
    destination_flows: int = 0
    ghosts: Collection[tuple[str, str]] = field(default=(), repr=False)

    def find(self, kind: str, entity_id: object) -> Document | None:
        return self._by_id.get((kind, entity_id))

    def shows(self, kind: str, entity_id: str) -> bool:
        """Whether it is listed, deleted or not."""
        return self.find(kind, entity_id) is not None or (kind, entity_id) in self.ghosts

    def marked(self, kind: str, export: str) -> list[Document]:
        """The entities of one export, by the mark that they carry."""
        return self._by_export.get((kind, export), [])

    @cached_property
    def _by_id(self) -> Mapping[tuple[str, object], Document]:
        return {(kind, each["id"]): each for kind, some in self.entities.items() for each in some}

    @cached_property
    def _by_export(self) -> Mapping[tuple[str, str], list[Document]]:
        found: dict[tuple[str, str], list[Document]] = {}
        for kind, some in self.entities.items():
            for each in some:
                if mark := read_mark(each):
                    found.setdefault((kind, mark.export), []).append(each)
        return found

    def users(self, connection_id: str) -> list[Document]:
        """The dataflows that a source or target connection serves."""
        return [
            flow
            for flow in self.entities["dataflow"]
            if connection_id in sequence(flow.get("sourceConnectionIds"))
            or connection_id in sequence(flow.get("targetConnectionIds"))
        ]

    def dataset_ids(self, wanted: Iterable[DatasetRef]) -> dict[str, str | None]:
        """The ids of datasets, each with its name where the spec or the listing told it.

        :raises AepValidationError: a name that no exportable dataset carries, or one dataset named twice.
        :raises AepAmbiguousNameError: several datasets carry the name.
        """
        found: dict[str, str | None] = {}
        problems = []
        for index, ref in enumerate(wanted):
            place = f"/datasets/{index}"
            dataset_id = ref.id
            if dataset_id is None:
                ids = [one.id for one in self.datasets if one.name == ref.name]
                if len(ids) > 1:
                    raise AepAmbiguousNameError(
                        f"{len(ids)} datasets are named {ref.name!r}: {', '.join(ids)}. Give the id instead.",
                        ids,
                    )
                if not ids:
                    close = nearest(ref.name, [one.name for one in self.datasets])
                    rule = f"names no dataset that can be exported{close}: {UNLISTED}"
                    problems.append(Problem(place, rule))
                    continue
                dataset_id = ids[0]
            if dataset_id in found:
                problems.append(Problem(place, "is a dataset that the list holds already"))
            found[dataset_id] = ref.name
        if problems:
            raise AepValidationError("the datasets", problems)
        return found


def read_state(*, datasets: bool, names: Collection[str] = (), whole: bool = False) -> Exchange[State]:
    """Everything that plans are made from.

    :param datasets: read the exportable datasets too; needed where a spec names one by its name.
    :param names: the exports that it is read for: what has their name is recognized by its mark even where
        listings leave descriptions out.
    :param whole: list without filters; see ``read_kind``.
    """
    flows = yield from flows_to_destinations(whole=whole)
    entities: dict[str, Sequence[Document]] = {"dataflow": _exports_among(flows)}
    # Dataflows first: what one refers to was created before it, so the later listings hold it.
    for kind in ("target connection", "source connection", "base connection"):
        found = yield from read_kind(kind, whole=whole)
        if not whole and _referred(kind, entities) - {str(one["id"]) for one in found}:
            found = yield from read_kind(kind, whole=True)
        entities[kind] = found
    habits = yield from recall()
    ghosts = {
        (kind, str(one["id"])) for kind in entities for one in entities[kind] if one["id"] in habits.deleted
    }
    for kind, some in entities.items():
        left = [one for one in some if one["id"] not in habits.deleted]
        entities[kind] = yield from described(kind, left, names=names)
    listed = (yield from list_datasets()) if datasets else ()
    return State(entities=entities, datasets=listed, destination_flows=len(flows), ghosts=ghosts)


def read_kind(kind: str, *, whole: bool = False) -> Exchange[list[Document]]:
    """The entities of one kind that exports are made of, each once, oldest first.

    :param whole: list without a filter, and pick. A filter with several values is documented nowhere for
        these members, so what it finds is there, and what it does not find may be there all the same.
    """
    if kind == "dataflow":
        return _exports_among((yield from flows_to_destinations(whole=whole)))
    specs = only("connectionSpec.id", *_SPECS[kind])
    found = yield from list_entities(f"/{COLLECTIONS[kind]}", None if whole else specs)
    return _in_order(one for one in found if spec_id_of(one) in specs.values)


def described(
    kind: str, entities: Sequence[Document], *, names: Collection[str] | None
) -> Exchange[list[Document]]:
    """The same entities; where a listing has left out a description, it is read by id.

    :param names: only of those that have one of these names; ``None`` for all.
    """
    wanted = [
        one
        for one in entities
        if not one.get("description")
        and (names is None or any(same_text(one.get("name"), name) for name in names))
    ]
    if not wanted:
        return list(entities)
    reads = [get_entity(COLLECTIONS[kind], str(one["id"]), field=f"{kind} id") for one in wanted]
    ends = yield from together(reads, at_most=AT_MOST)
    told = {end.value["id"]: end.value.get("description") for end in ends if isinstance(end, Done)}
    return [{**one, "description": told[one["id"]]} if told.get(one["id"]) else one for one in entities]


def _exports_among(flows: Iterable[Document]) -> list[Document]:
    return _in_order(flow for flow in flows if exports_datasets(flow))


def _in_order(entities: Iterable[Document]) -> list[Document]:
    # A login has no business in a plan, and a listing may show it. Pages may overlap: the later word counts.
    once = {one["id"]: {**one, "auth": None} for one in entities}
    return sorted(once.values(), key=age)


def _referred(kind: str, entities: Mapping[str, Sequence[Document]]) -> set[str]:
    """What the entities that were read refer to, so that it must be there too."""
    if kind == "base connection":
        return {
            str(one["baseConnectionId"])
            for one in entities["target connection"]
            if one.get("baseConnectionId")
        }
    key = {"source connection": "sourceConnectionIds", "target connection": "targetConnectionIds"}[kind]
    ours = [flow for flow in entities["dataflow"] if Dataflow.from_api(flow).destination]
    return {str(each) for flow in ours for each in sequence(flow.get(key))}


def age(entity: Document) -> tuple[float, str]:
    """What puts entities in the order of their creation, the same for everybody who looks."""
    created = entity.get("createdAt")
    return (created if isinstance(created, int | float) else 0.0, str(entity["id"]))


def first_id(flow: Document | None, key: str) -> str | None:
    """The one id in a dataflow's list of connections; ``None`` where there is no dataflow."""
    ids = sequence(flow.get(key)) if flow else ()
    return str(ids[0]) if ids else None


def spec_id_of(connection: Document) -> str | None:
    return mapping(connection.get("connectionSpec")).get("id")
