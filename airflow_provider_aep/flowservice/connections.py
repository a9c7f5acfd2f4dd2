"""Source, base and target connections, and the connection specs that say what they must hold.

A base connection holds the login to a storage, a target connection the place in it, a source connection
the datasets. Logins never appear in a result, a log line or an error of this module.

Source: "Export datasets by using the Flow Service API"; Destinations API reference; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.creation import Created, create_entity
from airflow_provider_aep.flowservice.datasets import list_for_names, names_of
from airflow_provider_aep.flowservice.destinations import (
    DATA_LAKE_SPEC_ID,
    DESTINATIONS,
    SPEC_VERSION,
    Destination,
)
from airflow_provider_aep.flowservice.documents import Document, mapping, sequence
from airflow_provider_aep.flowservice.encryption import PublicKey, resolve_encryption
from airflow_provider_aep.flowservice.entities import get_entity
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.held_logins import Held
from airflow_provider_aep.flowservice.listing import list_entities, only
from airflow_provider_aep.flowservice.logins import resolve_login
from airflow_provider_aep.flowservice.patterns import misplaced
from airflow_provider_aep.flowservice.validation import check_id, check_name, schema_problems, unknown

__all__ = [
    "create_base_connection",
    "create_source_connection",
    "create_target_connection",
    "dataset_ids_of",
    "get_connection_spec",
    "read_source_datasets",
]

# Every documented request has it; no spec lists it.
MODE = "Server-to-server"
# Keys that Adobe's own requests carry although the printed specs do not list them.
UNLISTED_PARAMS = ("mode", "includeFileManifest")
# Listed as required in all six target specs and "not applicable to dataset destinations" by their comment.
SEGMENT_PARAMS = ("fileType", "csvOptions")


def get_connection_spec(destination: Destination) -> Exchange[Document]:
    """Adobe's spec of a destination: ``authSpec`` (a list) and ``targetSpec``, both holding JSON schemas."""
    spec = yield from get_entity(
        "connectionSpecs", destination.connection_spec_id, field="connection_spec_id", keep=True
    )
    return spec


def create_source_connection(
    *,
    name: str,
    datasets: Sequence[str | Mapping[str, Any]],
    description: str | None = None,
    marker: str | None = None,
    look_first: bool = False,
) -> Exchange[Created]:
    """Say which datasets to export. They cannot be changed afterwards.

    :param datasets: ids, or dicts with ``id`` and ``name`` as ``list_datasets`` gives them. Names that are
        left out are looked up in one listing.
    :raises AepValidationError: no dataset, one without a proper id, one given twice, or one without a name
        that is not among those that can be exported; nothing was created.
    """
    described, items = _described(name, description), _dataset_items(datasets)
    nameless = {
        f"datasets/{index}": item["dataSetId"] for index, item in enumerate(items) if "name" not in item
    }
    if nameless:
        names = names_of(nameless, (yield from list_for_names()))
        items = [{**item, "name": item.get("name") or names[item["dataSetId"]]} for item in items]
    document = {
        **described,
        "connectionSpec": {"id": DATA_LAKE_SPEC_ID, "version": SPEC_VERSION},
        "params": {"datasets": items},
    }
    created = yield from create_entity(
        "sourceConnections",
        document,
        marker=marker,
        look_first=look_first,
        # Somebody may rename a dataset between two attempts.
        volatile=[f"/params/{place}/name" for place in nameless],
    )
    return created


def read_source_datasets(source_connection_ids: Sequence[str]) -> Exchange[dict[str, tuple[str, ...]]]:
    """The dataset ids of up to 100 source connections, by the id of each; omits those that do not exist.

    They never change: to export other datasets, a dataflow gets another source connection.
    """
    wanted = only(
        "id", *(check_id("source_connection_id", connection_id) for connection_id in source_connection_ids)
    )
    documents = yield from list_entities("/sourceConnections", wanted)
    return {str(document["id"]): dataset_ids_of(document) for document in documents}


def dataset_ids_of(source_connection: Document) -> tuple[str, ...]:
    """The datasets that a source connection names, each once."""
    return tuple(datasets_named_in(source_connection))


def datasets_named_in(source_connection: Document) -> dict[str, object]:
    """The dataset names in a source connection, by id; names may be missing or outdated."""
    listed = map(mapping, sequence(mapping(source_connection.get("params")).get("datasets")))
    return {str(dataset["dataSetId"]): dataset.get("name") for dataset in listed if dataset.get("dataSetId")}


def create_base_connection(
    *,
    name: str,
    destination: Destination,
    login: Held | Document | None,
    encryption: PublicKey | None = None,
    description: str | None = None,
    advice: str = "",
    marker: str | None = None,
    look_first: bool = False,
) -> Exchange[Created]:
    """Store the login to a cloud storage, after checking it against the live spec.

    :param login: what ``hold_login`` made of an Airflow connection, or ``{"specName": ..., "params": ...}``;
        ``None`` for Data Landing Zone.
    :param encryption: the public key that files are to be encrypted with.
    :param advice: where to correct a wrong login, for the error message.
    :raises AepValidationError: the live spec takes no such login; nothing was created.
    """
    document = {
        **_described(name, description),
        "connectionSpec": {"id": destination.connection_spec_id, "version": SPEC_VERSION},
    }
    if login is not None:
        document["auth"] = yield from live_login(destination, login, advice=advice)
    if encryption is not None:
        spec = yield from get_connection_spec(destination)
        document["encryption"] = resolve_encryption(encryption, spec, title=destination.title)
    created = yield from create_entity("connections", document, marker=marker, look_first=look_first)
    return created


def live_login(destination: Destination, login: Held | Document, *, advice: str = "") -> Exchange[Document]:
    """A login as the live spec wants it: ``{"specName": ..., "params": {...}}``. Its one GET is kept.

    :raises AepValidationError: the live spec takes no such login.
    """
    spec = yield from get_connection_spec(destination)
    return resolve_login(login, spec, title=destination.title, advice=advice)


def create_target_connection(
    *,
    name: str,
    destination: Destination,
    base_connection_id: str,
    target_params: Mapping[str, Any],
    description: str | None = None,
    marker: str | None = None,
    look_first: bool = False,
) -> Exchange[Created]:
    """Say where in the storage the files go and in which format, after checking it against the live spec.

    :param target_params: Adobe's names, such as ``bucketName``, ``path``, ``datasetFileType``.
        ``compression`` is ``GZIP`` unless given.
    :raises AepValidationError: the parameters break the spec; nothing was created.
    """
    described = _described(name, description)
    check_id("base_connection_id", base_connection_id)
    _check_params(target_params)
    spec = yield from get_connection_spec(destination)
    params = full_params(target_params)
    listed = mapping(mapping(mapping(spec.get("targetSpec")).get("spec")).get("properties"))
    if destination.slug not in DESTINATIONS and "compression" not in {**listed, **target_params}:
        del params["compression"]  # our default, which this destination does not know
    if problems := target_problems(spec, params):
        raise AepValidationError(f"the {destination.title} target_params", problems)
    document = {
        **described,
        "baseConnectionId": base_connection_id,
        "connectionSpec": {"id": destination.connection_spec_id, "version": SPEC_VERSION},
        "params": params,
    }
    created = yield from create_entity("targetConnections", document, marker=marker, look_first=look_first)
    return created


def full_params(target_params: Mapping[str, Any]) -> dict[str, Any]:
    """Target parameters with our defaults."""
    return {"mode": MODE, "compression": "GZIP", **target_params}


def target_warnings(target_params: Mapping[str, Any]) -> list[str]:
    """Warnings about values that are allowed but probably not meant.

    :raises AepValidationError: the target parameters are no dict.
    """
    _check_params(target_params)
    if (target_params.get("datasetFileType"), target_params.get("compression")) == ("JSON", "NONE"):
        return [
            "target_params: Adobe documents JSON exports as compressed only; compression NONE is sent as "
            "asked, but GZIP is the documented choice"
        ]
    return []


def target_problems(spec: Document, params: Mapping[str, Any]) -> list[Problem]:
    """Where target parameters break the live ``targetSpec``."""
    schema = (spec.get("targetSpec") or {}).get("spec") or {}
    listed = schema.get("properties") or {}
    problems = [
        Problem(f"/{key}", "applies to audience exports, not to datasets; leave it out")
        for key in params
        if key in SEGMENT_PARAMS
    ]
    known = [*(key for key in listed if key not in SEGMENT_PARAMS), *UNLISTED_PARAMS]
    problems += [
        Problem(f"/{key}", unknown(key, known, "a parameter of this destination"))
        for key in params
        if key not in known and key not in SEGMENT_PARAMS and listed
    ]
    places = [Problem(f"/{key}", rule) for key, value in params.items() if (rule := misplaced(key, value))]
    reported = {problem.pointer for problem in places}
    for_datasets = {
        **schema,
        "required": [key for key in schema.get("required", ()) if key not in SEGMENT_PARAMS],
    }
    broken = schema_problems(for_datasets, params)
    return problems + places + [problem for problem in broken if problem.pointer not in reported]


def _check_params(target_params: object) -> None:
    if not isinstance(target_params, Mapping) or not all(isinstance(key, str) for key in target_params):
        problem = Problem("target_params", "must be a dict with texts as keys")
        raise AepValidationError("the target_params", [problem])


def _described(name: str, description: str | None) -> dict[str, Any]:
    document: dict[str, Any] = {"name": check_name(name)}
    if description:
        document["description"] = description
    return document


def _dataset_items(datasets: Sequence[str | Mapping[str, Any]]) -> list[dict[str, str]]:
    if not isinstance(datasets, list | tuple) or not datasets:
        problem = Problem("datasets", "must be a list with at least one dataset id, or dict with id and name")
        raise AepValidationError("the datasets", [problem])
    items: list[dict[str, str]] = []
    for index, given in enumerate(datasets):
        known = given if isinstance(given, Mapping) else {"id": given}
        item = {"dataSetId": check_id(f"datasets/{index}", known.get("id"))}
        if known.get("name"):
            item["name"] = str(known["name"])
        items.append(item)
    ids = [item["dataSetId"] for item in items]
    if len(set(ids)) < len(ids):
        raise AepValidationError("the datasets", [Problem("datasets", "names a dataset twice")])
    return items
