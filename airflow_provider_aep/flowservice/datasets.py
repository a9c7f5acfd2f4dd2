"""Datasets that can be exported.

This one listing pages by offset; the rest of the service pages by continuation token.

Source: "Export datasets by using the Flow Service API", "Retrieve a list of eligible datasets"; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.errors import AepAuthError, AepError, AepValidationError, Problem
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID
from airflow_provider_aep.flowservice.documents import entities_of, mapping
from airflow_provider_aep.flowservice.exchange import Exchange, Request
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE, MOST_PAGES, part_of_name
from airflow_provider_aep.flowservice.validation import nearest

__all__ = ["list_datasets", "list_for_names"]

_UNLISTED = (
    "Adobe requires the names of datasets beside their ids: let the credential list datasets, or give each "
    "dataset with its id and its name."
)


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
    :raises AepError: the service repeats a page, or the listing has no last page.
    """
    part = part_of_name(name_contains)
    by_id: dict[str, Dataset] = {}
    start = 0
    for _ in range(MOST_PAGES):
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
        known = len(by_id)
        by_id |= {dataset.id: dataset for dataset in datasets}
        # The reference's own sample has no pageInfo; then this is the last page.
        if not datasets or not mapping(page.json.get("pageInfo")).get("hasNext"):
            return [dataset for dataset in by_id.values() if part in dataset.name.casefold()]
        if len(by_id) == known:
            raise AepError(f"{request}: the service gives the same datasets again")
        start += len(datasets)
    raise AepError(f"{request}: the listing has no end after {MOST_PAGES} pages")


def list_for_names() -> Exchange[list[Dataset]]:
    """The exportable datasets, for callers that must send a name with each id.

    A refusal is an error and not a reason to leave the names out: Adobe's reference requires them, and a
    credential that may not list datasets can hardly export them. So it fails before anything is created.

    :raises AepAuthError: the credential may not list them; says what to do.
    """
    try:
        return (yield from list_datasets())
    except AepAuthError as error:
        if error.status != 403 or "/configs" not in error.doing:
            raise  # the token was refused, not the listing
        raise error.with_hint(f"{error.hint} {_UNLISTED}" if error.hint else _UNLISTED) from error


def names_of(wanted: Mapping[str, str], datasets: Sequence[Dataset]) -> dict[str, str]:
    """The names of datasets, by id.

    :param wanted: the place of each id in the input, for the error -> the id.
    :param datasets: the exportable ones.
    :raises AepValidationError: some of the ids are not among them.
    """
    names = {dataset.id: dataset.name for dataset in datasets}
    problems = [
        Problem(place, _unknown(dataset_id, names))
        for place, dataset_id in wanted.items()
        if dataset_id not in names
    ]
    if problems:
        raise AepValidationError("the datasets", problems)
    return {dataset_id: names[dataset_id] for dataset_id in wanted.values()}


# Why a dataset that a spec names may not be listed, by its id or by its name.
UNLISTED = (
    "it is misspelt, or Adobe does not export that dataset, or an access label hides it from the credential"
)


def _unknown(dataset_id: str, names: Mapping[str, str]) -> str:
    if dataset_id in names.values():
        return "is the name of a dataset, where its id is expected"
    return f"is the id of no dataset that can be exported{nearest(dataset_id, names)}: {UNLISTED}"
