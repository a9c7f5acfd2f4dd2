"""Source, base and target connections, and the connection specs that say what they must hold.

A base connection holds the login to a storage, a target connection the place in it, a source connection
the datasets. Logins never appear in a result, a log line or an error of this module.

Source: "Export datasets by using the Flow Service API"; Destinations API reference; read 2026-11.
"""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem
from airflow_provider_aep.flowservice.destinations import (
    DATA_LAKE_SPEC_ID,
    SPEC_VERSION,
    Destination,
    Login,
)
from airflow_provider_aep.flowservice.entities import Created, Document, create_entity, get_entity
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.validation import check_id, check_name, nearest, schema_problems

# In every documented request, in no spec.
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

    :param datasets: ids, or dicts with ``id`` and ``name`` as ``list_datasets`` gives them.
    :raises AepValidationError: no dataset, one without a proper id, or one given twice.
    """
    document = {
        **_described(name, description),
        "connectionSpec": {"id": DATA_LAKE_SPEC_ID, "version": SPEC_VERSION},
        "params": {"datasets": _dataset_items(datasets)},
    }
    created = yield from create_entity("sourceConnections", document, marker=marker, look_first=look_first)
    return created


def create_base_connection(
    *,
    name: str,
    destination: Destination,
    login: Document | None,
    description: str | None = None,
    advice: str = "",
    marker: str | None = None,
    look_first: bool = False,
) -> Exchange[Created]:
    """Store the login to a cloud storage, after checking it against the live spec.

    :param login: ``{"specName": ..., "params": {...}}`` as ``login_from_fields`` makes it; ``None`` for
        Data Landing Zone.
    :param advice: where to mend a wrong login, for the error message.
    :raises AepValidationError: the login breaks the spec; nothing was created.
    """
    document = {
        **_described(name, description),
        "connectionSpec": {"id": destination.connection_spec_id, "version": SPEC_VERSION},
    }
    if login is not None:
        spec = yield from get_connection_spec(destination)
        if problems := login_problems(spec, login):
            raise AepValidationError(f"the {destination.title} login", problems, advice)
        document["auth"] = login
    created = yield from create_entity("connections", document, marker=marker, look_first=look_first)
    return created


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
    spec = yield from get_connection_spec(destination)
    params = {"mode": MODE, "compression": "GZIP", **target_params}
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


def target_warnings(target_params: Mapping[str, Any]) -> list[str]:
    """What is allowed but probably not meant."""
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
        Problem(f"/{key}", f"is not a parameter of this destination{nearest(key, known)}")
        for key in params
        if key not in known and key not in SEGMENT_PARAMS and listed
    ]
    for_datasets = {
        **schema,
        "required": [key for key in schema.get("required", ()) if key not in SEGMENT_PARAMS],
    }
    return problems + schema_problems(for_datasets, params)


def login_problems(spec: Document, login: Document) -> list[Problem]:
    """Where a login breaks the live ``authSpec`` that it names."""
    specs = {auth["name"]: auth.get("spec") or {} for auth in spec.get("authSpec") or ()}
    if login.get("specName") not in specs:
        return [Problem("specName", f"must be one of {', '.join(specs) or 'none: send no login'}")]
    return schema_problems(specs[login["specName"]], login.get("params") or {})


def login_from_fields(
    destination: Destination, fields: Mapping[str, Any], *, conn_id: str
) -> dict[str, Any] | None:
    """The login for a destination out of an ordinary Airflow connection.

    :param fields: ``host``, ``login``, ``password`` and ``extra.<key>`` of the connection.
    :param conn_id: its name, for the error message.
    :raises AepConfigError: the destination takes no login.
    :raises AepValidationError: the connection lacks something; the message names Adobe's parameter and
        the Airflow field.
    """
    if not destination.logins:
        raise AepConfigError(
            f"{destination.title} takes no credentials_conn_id: Adobe owns the storage. Leave it out."
        )
    if free := fields.get("extra.aep_auth"):
        # A way to log in that we do not know yet, such as S3's assumed role: passed on as it is.
        return dict(free)
    tried = [(login, dict(_found(login, fields))) for login in destination.logins]
    login, params = max(tried, key=lambda one: len(one[1]) / len(one[0].params))
    missing = [
        Problem(f"/{name}", f"is missing (it is taken from {' or '.join(map(_place, places))})")
        for name, places in login.params.items()
        if name not in params
    ]
    encoded = {name: _base64(params[name]) for name in login.base64 if name in params}
    missing += [
        Problem(f"/{name}", "must be a PEM private key, or one encoded as base64")
        for name, value in encoded.items()
        if value is None
    ]
    if missing:
        advice = f"Check Airflow connection {conn_id!r}."
        raise AepValidationError(f"the {destination.title} login", missing, advice)
    return {"specName": login.spec_name, "params": {**params, **encoded}}


def _found(login: Login, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, places in login.params.items():
        for place in places:
            if value := _value(place, fields):
                yield name, value
                break


def _value(place: str, fields: Mapping[str, Any]) -> str:
    parts = [field for _, field, _, _ in string.Formatter().parse(place) if field]
    if not parts:
        return str(fields.get(place) or "")
    if "://" not in str(fields.get("host") or "") and all(fields.get(part) for part in parts):
        return place.format(**{part: fields[part] for part in parts})
    # a host that is a whole URL already
    return str(fields["host"]) if parts == ["host"] and fields.get("host") else ""


def _place(place: str) -> str:
    parts = [field for _, field, _, _ in string.Formatter().parse(place) if field]
    return f"its {' and '.join(parts or [place])}"


def _base64(value: str) -> str | None:
    if value.lstrip().startswith("-----BEGIN"):
        return base64.b64encode(value.encode()).decode()
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        return None
    return value


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
        # Adobe's reference wants a name, its own client sends none, and we do not invent one.
        if known.get("name"):
            item["name"] = str(known["name"])
        items.append(item)
    ids = [item["dataSetId"] for item in items]
    if len(set(ids)) < len(ids):
        raise AepValidationError("the datasets", [Problem("datasets", "names a dataset twice")])
    return items
