"""Datasets that can be exported.

This one listing pages by offset; the rest of the service pages by continuation token.

Source: "Export datasets by using the Flow Service API", "Retrieve a list of eligible datasets"; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID
from airflow_provider_aep.flowservice.entities import LARGEST_PAGE, entities_of, mapping, part_of_name
from airflow_provider_aep.flowservice.exchange import Exchange, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A dataset that may be exported."""

    id: str
    name: str
    description: str | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_api(cls, wire: Mapping[str, Any]) -> Dataset:
        return cls(
            id=str(wire["id"]),
            name=str(wire.get("name") or wire["id"]),
            description=wire.get("description"),
            raw=wire,
        )

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "description": self.description}


def list_datasets(*, name_contains: str | None = None) -> Exchange[list[Dataset]]:
    """The exportable datasets of the sandbox, in the service's order.

    :param name_contains: only those whose name holds this text, in any letter case.
    :raises AepError: the service repeats a page for ever.
    """
    part = part_of_name(name_contains)
    found: dict[str, Dataset] = {}
    start = 0
    while True:
        request = Request(
            "GET",
            f"/connectionSpecs/{DATA_LAKE_SPEC_ID}/configs",
            params={
                "outputType": "activationDatasets",
                "outputField": "datasets",
                "start": start,
                "limit": LARGEST_PAGE,
            },
        )
        page = yield request
        datasets = [Dataset.from_api(item) for item in entities_of(request, page)]
        known = len(found)
        found |= {dataset.id: dataset for dataset in datasets}
        # The reference's own sample has no pageInfo: then there is no more.
        if not datasets or not mapping(page.json.get("pageInfo")).get("hasNext"):
            return [dataset for dataset in found.values() if part in dataset.name.casefold()]
        if len(found) == known:
            raise AepError(f"{request}: the service gives the same datasets again")
        start += len(datasets)
