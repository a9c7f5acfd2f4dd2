"""The checks of a body before anything is created or changed.

No refusal quotes a value, as a value may be a secret.

Source: Destinations API reference (createBaseConnection and its neighbours), export datasets tutorial
(the specs), Flow Service error table. Adobe does not say how much it checks at creation: checks of
parameters against the spec, and of ids of other sandboxes, are assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.replies import (
    flow_error,
    invalid_spec_id,
    missing_spec_version,
    undocumented,
)
from airflow_provider_aep.emulator.schedule import checked_schedule
from airflow_provider_aep.emulator.specs import DATA_LAKE
from airflow_provider_aep.emulator.world import World

# The tutorial lists fileType as required, but says that it does not apply to dataset destinations.
NOT_ENFORCED = frozenset({"fileType"})

# The spec's own pattern for S3 and Google paths takes exponential time on some inputs; this one matches
# the same texts in linear time.
PATH_PATTERN = r"^[0-9a-zA-Z\/\!\-_\.\*\''\(\)]*((\%SEGMENT_(NAME|ID)\%)?\/?)+$"
SAME_LANGUAGE = {PATH_PATTERN: r"^[0-9a-zA-Z/!\-_.*'()]*(?:%SEGMENT_(?:NAME|ID)%/*)*$"}


def check_base_connection(world: World, body: Document, sandbox: str) -> Document:
    """The base connection as it is kept, or a refusal."""
    _check_name(body)
    spec = _connection_spec(world, body)
    if spec["id"] == DATA_LAKE:
        raise invalid_spec_id()
    auth = body.get("auth")
    if not spec.get("authSpec") and auth is None:
        # The Data Landing Zone has no login: the tutorial leaves auth out, Adobe's client sends null.
        return {**body, "auth": None} if "auth" in body else dict(body)
    auth = auth if isinstance(auth, Mapping) else {}
    auth_spec = next(
        (offered for offered in spec.get("authSpec") or () if offered["name"] == auth.get("specName")), None
    )
    if auth_spec is None:
        raise flow_error(1415, 400, "The auth spec name is not part of the connection spec")
    params = _check_params(auth_spec["spec"], auth.get("params"), "/auth/params")
    # Source: Destinations API reference: the read adds the day on which access was granted.
    day = datetime.fromtimestamp(world.clock(), UTC).strftime("%Y-%m-%d")
    return {**body, "auth": {**auth, "params": {**params, "authorizedDate": day}}}


def check_source_connection(world: World, body: Document, sandbox: str) -> Document:
    _check_name(body)
    if _connection_spec(world, body)["id"] != DATA_LAKE:
        raise invalid_spec_id()
    params = body.get("params")
    datasets = params.get("datasets") if isinstance(params, Mapping) else None
    if not isinstance(datasets, list) or not datasets:
        raise undocumented("params.datasets must list at least one dataset")
    for position, item in enumerate(datasets):
        wanted = item.get("dataSetId") if isinstance(item, Mapping) else None
        if world.lake.find(wanted, sandbox) is None:
            raise undocumented(f"params.datasets[{position}].dataSetId is not a dataset of this sandbox")
    return dict(body)


def check_target_connection(world: World, body: Document, sandbox: str) -> Document:
    _check_name(body)
    spec = _connection_spec(world, body)
    if spec["id"] == DATA_LAKE:
        raise invalid_spec_id()
    base = world.entities.find("connections", sandbox, body.get("baseConnectionId"))
    if base is None:
        raise undocumented("baseConnectionId is not a base connection of this sandbox")
    if base["connectionSpec"]["id"] != spec["id"]:
        raise undocumented("The base connection belongs to another connection spec")
    params = _check_params(spec["targetSpec"]["spec"], body.get("params"), "/params")
    uncompressed = params.get("datasetFileType") == "JSON" and params.get("compression") == "NONE"
    if uncompressed and world.settings.reject_uncompressed_json:
        # Source: export datasets tutorial: JSON only compressed. Its samples send JSON with NONE.
        raise undocumented("JSON files can only be exported in a compressed format")
    return dict(body)


def check_flow(world: World, body: Document, sandbox: str, *, created: float) -> Document:
    _check_name(body)
    flow_spec = body.get("flowSpec")
    spec = world.specs.flow.get(str(flow_spec.get("id"))) if isinstance(flow_spec, Mapping) else None
    if spec is None:
        # This also refuses a flow spec of audience exports, which is not one for datasets.
        raise invalid_spec_id()
    sources = _one_of(world, sandbox, body, "sourceConnectionIds", "sourceConnections")
    targets = _one_of(world, sandbox, body, "targetConnectionIds", "targetConnections")
    for kind, connection in (("source", sources), ("target", targets)):
        if connection["connectionSpec"]["id"] not in spec[f"{kind}ConnectionSpecIds"]:
            raise undocumented(f"The {kind} connection does not fit the flow spec")
    schedule = checked_schedule(
        body.get("scheduleParams"), created=created, any_cadence=world.settings.any_cadence
    )
    return {"transformations": [], **body, "scheduleParams": schedule}


def _check_name(body: Document) -> None:
    # Source: Destinations API reference: required on all four entities. Nothing says that it is unique.
    if not isinstance(body.get("name"), str) or not body["name"]:
        raise undocumented("name is required")


def _connection_spec(world: World, body: Document) -> Document:
    wanted = body.get("connectionSpec")
    spec = world.specs.connection.get(str(wanted.get("id"))) if isinstance(wanted, Mapping) else None
    if spec is None:
        raise invalid_spec_id()
    if not isinstance(wanted, Mapping) or not wanted.get("version"):
        raise missing_spec_version()
    return spec


def _one_of(world: World, sandbox: str, body: Document, key: str, kind: str) -> Document:
    # Source: Destinations API reference, createFlow: "add one" id each.
    ids = body.get(key)
    if not isinstance(ids, list) or len(ids) != 1:
        raise undocumented(f"{key} must hold one id")
    entity = world.entities.find(kind, sandbox, ids[0])
    if entity is None:
        raise undocumented(f"{key} names an entity that is not in this sandbox")
    return entity


def _check_params(schema: Mapping[str, Any], params: object, pointer: str) -> Document:
    params = dict(params) if isinstance(params, Mapping) else {}
    for name in schema.get("required", ()):
        if name not in params and name not in NOT_ENFORCED:
            raise undocumented(f"{pointer}/{name} is required")
    for name, rule in schema.get("properties", {}).items():
        if name not in params:
            continue
        value = params[name]
        if rule.get("type") == "string" and not isinstance(value, str):
            raise undocumented(f"{pointer}/{name} must be a text")
        if "enum" in rule and value not in rule["enum"]:
            raise undocumented(f"{pointer}/{name} must be one of {', '.join(rule['enum'])}")
        if "pattern" in rule and not _fits(rule["pattern"], value):
            raise undocumented(f"{pointer}/{name} does not match the pattern of the connection spec")
    return params


def _fits(pattern: str, text: str) -> bool:
    # "$" means the very end in JSON Schema; in Python it also matches before a last line break.
    return not text.endswith("\n") and re.search(SAME_LANGUAGE.get(pattern, pattern), text) is not None
