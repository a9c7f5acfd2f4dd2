"""What exists in a sandbox: its export dataflows and the connections they may be made of, read by listing.

Four listings tell the same about one export and about a hundred. Logins are taken out as they arrive.

Source: "Sort and filter responses in the Flow Service API"; Destinations API reference; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from airflow_provider_aep.errors import AepAmbiguousNameError, AepValidationError, Problem
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.exports.spec import DatasetRef
from airflow_provider_aep.flowservice.datasets import Dataset, list_datasets
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID, DESTINATIONS
from airflow_provider_aep.flowservice.entities import Document, list_entities, mapping, sequence
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.validation import nearest

# What people call an entity -> the collection it is in, in the order in which they are created.
COLLECTIONS: Mapping[str, str] = {
    "base connection": "connections",
    "source connection": "sourceConnections",
    "target connection": "targetConnections",
    "dataflow": "flows",
}
_DESTINATION_SPECS = ",".join(one.connection_spec_id for one in DESTINATIONS.values())
_FILTERS = {
    "base connection": f"connectionSpec.id=={_DESTINATION_SPECS}",
    "source connection": f"connectionSpec.id=={DATA_LAKE_SPEC_ID}",
    "target connection": f"connectionSpec.id=={_DESTINATION_SPECS}",
    "dataflow": "flowSpec.id==" + ",".join(one.flow_spec_id for one in DESTINATIONS.values()),
}


@dataclass(frozen=True, kw_only=True)
class State:
    """The entities of a sandbox by what they are, each kind oldest first.

    :param datasets: those that can be exported; empty where nobody asked for names.
    """

    entities: Mapping[str, Sequence[Document]] = field(repr=False)
    datasets: Sequence[Dataset] = field(default=(), repr=False)

    def find(self, kind: str, entity_id: object) -> Document | None:
        return self._by_id.get((kind, entity_id))

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
                    problems.append(Problem(place, f"names no dataset that can be exported{close}"))
                    continue
                dataset_id = ids[0]
            if dataset_id in found:
                problems.append(Problem(place, "is a dataset that the list holds already"))
            found[dataset_id] = ref.name
        if problems:
            raise AepValidationError("the datasets", problems)
        return found


def read_state(*, datasets: bool) -> Exchange[State]:
    """Everything that plans are made from.

    :param datasets: read the exportable datasets too; needed where a spec names one by its name.
    """
    entities: dict[str, Sequence[Document]] = {}
    # Dataflows first: what one refers to was created before it, so the later listings hold it.
    for kind in reversed(tuple(COLLECTIONS)):
        entities[kind] = yield from read_kind(kind)
    return State(entities=entities, datasets=(yield from list_datasets()) if datasets else ())


def read_kind(kind: str) -> Exchange[list[Document]]:
    """The entities of one kind that exports are made of, oldest first."""
    found = yield from list_entities(
        f"/{COLLECTIONS[kind]}", [("property", _FILTERS[kind]), ("orderby", "-createdAt")]
    )
    # A login has no business in a plan, and a listing may show it.
    return sorted(({**item, "auth": None} for item in found), key=age)


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
