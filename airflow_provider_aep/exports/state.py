"""The entities of a sandbox: its export dataflows and the connections that they may use, read by listing.

Four listings serve one export or a hundred. Logins are removed as they arrive.

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

# Kind of entity, for people -> its collection, in the order of creation.
COLLECTIONS: Mapping[str, str] = {
    "base connection": "connections",
    "source connection": "sourceConnections",
    "target connection": "targetConnections",
    "dataflow": "flows",
}
_DESTINATION_SPECS = tuple(destination.connection_spec_id for destination in DESTINATIONS.values())
_SPECS = {
    "base connection": _DESTINATION_SPECS,
    "source connection": (DATA_LAKE_SPEC_ID,),
    "target connection": _DESTINATION_SPECS,
}
AT_MOST = 8


@dataclass(frozen=True, kw_only=True)
class State:
    """The entities of a sandbox by kind, each kind oldest first.

    :param datasets: those that can be exported; empty if no names are needed.
    :param destination_flows: the number of dataflows to destinations, audience dataflows included.
    :param ghosts: kind and id of entities that are listed although this process deleted them; they are not
        in ``entities``.
    """

    entities: Mapping[str, Sequence[Document]] = field(repr=False)
    datasets: Sequence[Dataset] = field(default=(), repr=False)
    destination_flows: int = 0
    ghosts: Collection[tuple[str, str]] = field(default=(), repr=False)

    def find(self, kind: str, entity_id: object) -> Document | None:
        return self._by_id.get((kind, entity_id))

    def shows(self, kind: str, entity_id: str) -> bool:
        """Whether an entity is listed, deleted or not."""
        return self.find(kind, entity_id) is not None or (kind, entity_id) in self.ghosts

    def marked(self, kind: str, export: str) -> list[Document]:
        """The entities of one export, by the mark that they carry."""
        return self._by_export.get((kind, export), [])

    @cached_property
    def _by_id(self) -> Mapping[tuple[str, object], Document]:
        return {(kind, entity["id"]): entity for kind, listed in self.entities.items() for entity in listed}

    @cached_property
    def _by_export(self) -> Mapping[tuple[str, str], list[Document]]:
        marked: dict[tuple[str, str], list[Document]] = {}
        for kind, listed in self.entities.items():
            for entity in listed:
                if mark := read_mark(entity):
                    marked.setdefault((kind, mark.export), []).append(entity)
        return marked

    def users(self, connection_id: str) -> list[Document]:
        """The dataflows that a source or target connection serves."""
        return [
            flow
            for flow in self.entities["dataflow"]
            if connection_id in sequence(flow.get("sourceConnectionIds"))
            or connection_id in sequence(flow.get("targetConnectionIds"))
        ]

    def dataset_ids(self, wanted: Iterable[DatasetRef]) -> dict[str, str | None]:
        """The ids of datasets, each with its name if the spec gives it.

        :raises AepValidationError: no exportable dataset has a name, or a dataset is named twice.
        :raises AepAmbiguousNameError: several datasets have the name.
        """
        names: dict[str, str | None] = {}
        problems = []
        for index, ref in enumerate(wanted):
            place = f"/datasets/{index}"
            dataset_id = ref.id
            if dataset_id is None:
                ids = [dataset.id for dataset in self.datasets if dataset.name == ref.name]
                if len(ids) > 1:
                    raise AepAmbiguousNameError(
                        f"{len(ids)} datasets are named {ref.name!r}: {', '.join(ids)}. Give the id instead.",
                        ids,
                    )
                if not ids:
                    close = nearest(ref.name, [dataset.name for dataset in self.datasets])
                    rule = f"names no dataset that can be exported{close}: {UNLISTED}"
                    problems.append(Problem(place, rule))
                    continue
                dataset_id = ids[0]
            if dataset_id in names:
                problems.append(Problem(place, "is a dataset that the list holds already"))
            names[dataset_id] = ref.name
        if problems:
            raise AepValidationError("the datasets", problems)
        return names


def read_state(*, datasets: bool, names: Collection[str] = (), whole: bool = False) -> Exchange[State]:
    """Everything that plans are made from.

    :param datasets: read the exportable datasets too; needed if a spec gives a dataset by its name.
    :param names: of the exports: entities with these names are recognized by their mark even if listings
        leave out descriptions.
    :param whole: list without filters; see ``read_kind``.
    """
    flows = yield from flows_to_destinations(whole=whole)
    entities: dict[str, Sequence[Document]] = {"dataflow": _exports_among(flows)}
    # Dataflows first: their connections were created before them, so the later listings hold those.
    for kind in ("target connection", "source connection", "base connection"):
        listed = yield from read_kind(kind, whole=whole)
        if not whole and _referred(kind, entities) - {str(entity["id"]) for entity in listed}:
            listed = yield from read_kind(kind, whole=True)
        entities[kind] = listed
    habits = yield from recall()
    ghosts = {
        (kind, str(entity["id"]))
        for kind, of_kind in entities.items()
        for entity in of_kind
        if entity["id"] in habits.deleted
    }
    for kind, of_kind in entities.items():
        present = [entity for entity in of_kind if entity["id"] not in habits.deleted]
        entities[kind] = yield from described(kind, present, names=names)
    exportable = (yield from list_datasets()) if datasets else ()
    return State(entities=entities, datasets=exportable, destination_flows=len(flows), ghosts=ghosts)


def read_kind(kind: str, *, whole: bool = False) -> Exchange[list[Document]]:
    """The entities of one kind that exports can use, each once, oldest first.

    :param whole: list without a filter, and select. No document shows a filter with several values for these
        members, so an entity that it does not find may exist all the same.
    """
    if kind == "dataflow":
        return _exports_among((yield from flows_to_destinations(whole=whole)))
    specs = only("connectionSpec.id", *_SPECS[kind])
    listed = yield from list_entities(f"/{COLLECTIONS[kind]}", None if whole else specs)
    return _in_order(entity for entity in listed if spec_id_of(entity) in specs.values)


def described(
    kind: str, entities: Sequence[Document], *, names: Collection[str] | None
) -> Exchange[list[Document]]:
    """The same entities; a description that the listing left out is read by id.

    :param names: only for entities with one of these names; ``None`` for all.
    """
    wanted = [
        entity
        for entity in entities
        if not entity.get("description")
        and (names is None or any(same_text(entity.get("name"), name) for name in names))
    ]
    if not wanted:
        return list(entities)
    reads = [get_entity(COLLECTIONS[kind], str(entity["id"]), field=f"{kind} id") for entity in wanted]
    ends = yield from together(reads, at_most=AT_MOST)
    texts = {end.value["id"]: end.value.get("description") for end in ends if isinstance(end, Done)}
    return [
        {**entity, "description": texts[entity["id"]]} if texts.get(entity["id"]) else entity
        for entity in entities
    ]


def _exports_among(flows: Iterable[Document]) -> list[Document]:
    return _in_order(flow for flow in flows if exports_datasets(flow))


def _in_order(entities: Iterable[Document]) -> list[Document]:
    # A listing may show a login, which does not belong in a plan. Pages may overlap: the later one counts.
    once = {entity["id"]: {**entity, "auth": None} for entity in entities}
    return sorted(once.values(), key=age)


def _referred(kind: str, entities: Mapping[str, Sequence[Document]]) -> set[str]:
    """The ids to which the entities read so far refer, so that the listing must hold them."""
    if kind == "base connection":
        return {
            str(target["baseConnectionId"])
            for target in entities["target connection"]
            if target.get("baseConnectionId")
        }
    key = {"source connection": "sourceConnectionIds", "target connection": "targetConnectionIds"}[kind]
    ours = [flow for flow in entities["dataflow"] if Dataflow.from_api(flow).destination]
    return {str(connection_id) for flow in ours for connection_id in sequence(flow.get(key))}


def age(entity: Document) -> tuple[float, str]:
    """The sort key for the order of creation, the same for every writer."""
    created = entity.get("createdAt")
    return (created if isinstance(created, int | float) else 0.0, str(entity["id"]))


def first_id(flow: Document | None, key: str) -> str | None:
    """The one id in a dataflow's list of connections; ``None`` if there is no dataflow."""
    ids = sequence(flow.get(key)) if flow else ()
    return str(ids[0]) if ids else None


def spec_id_of(connection: Document) -> str | None:
    return mapping(connection.get("connectionSpec")).get("id")
