"""Every body that we send fits Adobe's own OpenAPI, save where the notes on the Flow Service say why.

``openapi/destinations.json`` restates what Adobe's OpenAPI says of dataset exports, and names its source. The
client talks to the emulator, and each request is taken down before it is sent.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from airflow_provider_aep.emulator import Clock, Emulator
from airflow_provider_aep.exports.apply import EnsureOptions, ensure_exports
from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.flowservice.adhoc import run_export
from airflow_provider_aep.flowservice.connections import (
    create_base_connection,
    create_source_connection,
    create_target_connection,
)
from airflow_provider_aep.flowservice.dataflows import create_dataflow, set_dataflow_state, update_schedule
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.encryption import PublicKey
from airflow_provider_aep.flowservice.exchange import Exchange, Request, Response
from airflow_provider_aep.flowservice.schedule import parse_schedule
from tools.provisioning import session_of

HERE = Path(__file__).parent
NOTES = HERE.parents[1] / "docs" / "flow-service-notes.md"
ADOBE = json.loads((HERE / "openapi" / "destinations.json").read_text())
HOUR = 3600

# Request, pointer and broken rule -> the row of the notes that says why: its number and words in it.
# "unlisted" is a member, or a path of a PATCH, that the reference does not name.
Deviation = tuple[str, str, str]
DEVIATIONS: Mapping[Deviation, tuple[int, str]] = {
    ("POST /connections", "/connectionSpec/id", "enum"): (69, "S3 and SFTP alone"),
    ("POST /targetConnections", "/connectionSpec/id", "enum"): (69, "S3 and SFTP alone"),
    ("POST /connections", "/auth", "unlisted"): (69, "S3 and SFTP alone"),
    ("POST /connections", "/auth/specName", "enum"): (76, "`Assumed Role`"),
    ("POST /connections", "/auth/params/s3AccessKey", "required"): (76, "`s3Role`"),
    ("POST /connections", "/auth/params/s3SecretKey", "required"): (76, "`s3Role`"),
    ("POST /connections", "/auth/params/s3Role", "unlisted"): (76, "`s3Role`"),
    ("POST /connections", "/encryption", "unlisted"): (84, "`encryption`"),
    ("POST /targetConnections", "/params/bucketName", "unlisted"): (69, "S3 and SFTP alone"),
    ("POST /targetConnections", "/params/container", "unlisted"): (69, "S3 and SFTP alone"),
    ("POST /targetConnections", "/params/path", "unlisted"): (69, "S3 and SFTP alone"),
    ("POST /targetConnections", "/params/mode", "unlisted"): (35, "`mode`"),
    ("POST /flows", "/flowSpec/version", "unlisted"): (70, "`flowSpec.version`"),
    ("POST /flows", "/transformations", "unlisted"): (70, "`transformations`"),
    ("POST /flows", "/scheduleParams/interval", "enum"): (41, "has no 0"),
    ("POST /flows", "/scheduleParams/foldernameTemplate", "unlisted"): (48, "`foldernameTemplate`"),
    ("PATCH /flows/{id}", "/scheduleParams/foldernameTemplate", "unlisted"): (48, "`foldernameTemplate`"),
    ("PATCH /flows/{id}", "/name", "unlisted"): (71, "`/name`"),
    ("PATCH /flows/{id}", "/description", "unlisted"): (71, "`/description`"),
    ("PATCH /flows/{id}", "/sourceConnectionIds", "unlisted"): (71, "`/sourceConnectionIds`"),
    ("PATCH /connections/{id}", "", "type"): (72, "one operation"),
    ("PATCH /connections/{id}", "/description", "unlisted"): (71, "`/description`"),
    ("PATCH /targetConnections/{id}", "", "unlisted"): (73, "no PATCH"),
    ("POST /adhocrun", "/activationInfo/destinations/0", "type"): (74, "audiences"),
}

# What a parameter of a login holds, where anything will not do.
VALUES = {
    "s3AccessKey": "AKIA2345ABCDEFGH2345",
    "s3SecretKey": "Zq9+/secret" * 3 + "Abcdefg",
    "connectionString": "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=bWFkZSB1cA==",
    "url": "https://acme.dfs.core.windows.net/exports",
    "accessKeyId": "GOOG1" + "E" * 56,
    "secretAccessKey": "made+up/" * 5,
    "s3Role": "arn:aws:iam::800873819705:role/destinations-role-customer",
}


KEY = PublicKey(conn_id="crm_key", encoded="bWFkZSB1cA==", algorithm="PGP/GPG")


@dataclass
class Desk:
    """Carries exchanges out against an emulator, and takes down what is sent."""

    emulator: Emulator
    clock: Clock
    sent: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = session_of(self.emulator, now=self.clock, jitter=lambda: 0.0)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), tz=UTC)

    def send(self, request: Request) -> Response:
        if request.json is not None:
            self.sent.append(copy.deepcopy(request))
        return self.emulator.send(request)

    def __call__(self, exchange: Exchange[Any]) -> Any:
        return drive(self.session.conduct(exchange, sandbox="prod"), self, self.clock.advance)

    def ensure(self, document: Mapping[str, Any], login: Any, **options: bool) -> Mapping[str, str]:
        """Ensure one export; its ids."""
        spec = parse_spec(document)
        logins = {(spec.destination.slug, spec.credentials_conn_id): login, ("encryption", "crm_key"): KEY}
        (outcome,) = self(
            ensure_exports(
                [spec], sandbox="prod", now=self.now, logins=logins, options=EnsureOptions(**options)
            )
        )
        if outcome.error:
            raise outcome.error
        return dict(outcome.ids)

    def rename(self, flow_id: str, name: str) -> None:
        """A change by hand, which is none of what the provider sends."""

        def asked() -> Exchange[None]:
            flow = yield Request("GET", f"/flows/{flow_id}")
            (found,) = flow.json["items"]
            operations = [{"op": "replace", "path": "/name", "value": name}]
            yield Request("PATCH", f"/flows/{flow_id}", headers={"If-Match": found["etag"]}, json=operations)

        Desk(emulator=self.emulator, clock=self.clock)(asked())


@pytest.fixture
def desk() -> Desk:
    clock = Clock()
    return Desk(emulator=Emulator(clock=clock), clock=clock)


def logins() -> Iterator[Any]:
    """Every way to log in to every destination, as the live specs offer it."""
    emulator = Emulator()
    for slug, destination in DESTINATIONS.items():
        offered = emulator.spec(destination.connection_spec_id)["authSpec"]
        if not offered:
            yield pytest.param(slug, None, id=slug)
        for auth in offered:
            params = {name: VALUES.get(name, "bWFkZSB1cA==") for name in auth["spec"]["properties"]}
            yield pytest.param(
                slug, {"specName": auth["name"], "params": params}, id=f"{slug}, {auth['name']}"
            )


PLACES: Mapping[str, Mapping[str, str]] = {
    "s3": {"bucketName": "acme-exports", "path": "aep/crm"},
    "azure_blob": {"container": "acme-exports", "path": "aep/crm"},
    "adls_gen2": {"path": "aep/crm"},
    "data_landing_zone": {"path": "aep/crm"},
    "gcs": {"bucketName": "acme_exports", "path": "aep/crm"},
    "sftp": {"remotePath": "aep/crm"},
}


def declared(slug: str, login: Any, **changes: Any) -> dict[str, Any]:
    """A declared export; ``conn`` is the Airflow connection that its login comes from."""
    conn = {"credentials_conn_id": changes.pop("conn", "crm_storage")} if login else {}
    if "encryption_conn_id" in changes:
        conn["encryption_conn_id"] = changes.pop("encryption_conn_id")
    params = {**PLACES[slug], "datasetFileType": "PARQUET", **changes.pop("params", {})}
    return {
        "name": "crm-nightly",
        "owner": "crm",
        "description": "for people",
        "datasets": [{"name": "CRM Profiles"}],
        "destination": {"type": slug, **conn, "params": params},
        "schedule": {
            "every": "3h",
            "start": "2099-01-01T00:00:00Z",
            "end": "2099-12-31T00:00:00Z",
            "folder_template": "%DATASET_ID%/%DATETIME(YYYYMMdd_HHmmss)%",
        },
        **changes,
    }


def declare_and_change(desk: Desk, slug: str, login: Any) -> None:
    """All that an ensure may send: create, change by the spec, and put right what somebody changed."""
    first, second, *_ = [dataset.name for dataset in desk(list_datasets())]
    nightly = declared(slug, login, datasets=[{"name": first}])
    desk.ensure(nightly, login)
    for every in ("once", "1h", "6h", "9h", "12h", "1d"):
        desk.ensure({**nightly, "name": f"crm-{every}", "schedule": {"every": every}}, login)
    desk.ensure(declared(slug, login, datasets=[{"name": first}], params={"datasetFileType": "JSON"}), login)
    later = {**nightly["schedule"], "every": "12h"}
    ids = desk.ensure({**nightly, "schedule": later}, login)
    desk.rename(ids["dataflow"], "by hand")
    desk.ensure({**nightly, "datasets": [{"name": second}]}, login, allow_replace=True)
    if login:
        desk.ensure(nightly, login, allow_replace=True, rotate_credentials=True)
        encrypted = declared(slug, login, name="crm-encrypted", encryption_conn_id="crm_key")
        desk.ensure(encrypted, login)
        elsewhere = declared(slug, login, datasets=[{"name": first}], conn="crm_storage_2")
        desk.ensure(elsewhere, login, allow_replace=True, rotate_credentials=True)


def go_step_by_step(desk: Desk, slug: str, login: Any) -> None:
    """What the operators for single steps send."""
    destination, (dataset, *_) = DESTINATIONS[slug], desk(list_datasets())
    named = {"name": "step", "description": "for people", "marker": "made by a task"}
    source = desk(create_source_connection(datasets=[dataset.to_json()], **named))
    base = desk(create_base_connection(destination=destination, login=login, **named))
    target = desk(
        create_target_connection(
            destination=destination,
            base_connection_id=base.id,
            target_params={**PLACES[slug], "datasetFileType": "JSON"},
            **named,
        )
    )
    flow = desk(
        create_dataflow(
            destination=destination,
            source_connection_id=source.id,
            target_connection_id=target.id,
            schedule=parse_schedule("3h", now=desk.now),
            now=desk.now,
            **named,
        )
    )
    desk(update_schedule(flow.id, {"every": "6h", "end": "2099-01-01T00:00:00Z"}, now=desk.now))
    desk(set_dataflow_state(flow.id, "disabled"))
    desk(set_dataflow_state(flow.id, "enabled"))
    desk.clock.advance(HOUR)
    desk(run_export(flow.id, ready_within=HOUR))


def all_that_is_sent(desk: Desk, slug: str, login: Any) -> list[Request]:
    declare_and_change(desk, slug, login)
    go_step_by_step(desk, slug, login)
    return desk.sent


@pytest.mark.parametrize(("slug", "login"), list(logins()))
def test_every_body_fits_adobes_openapi_save_where_the_notes_say_why(desk, slug, login):
    sent = all_that_is_sent(desk, slug, login)
    unexplained = {each for request in sent for each in deviations(request)} - DEVIATIONS.keys()
    assert not unexplained


def test_the_story_sends_all_that_the_provider_can_send_with_a_body():
    kinds, told = set(), set()
    for param in logins():
        clock = Clock()
        desk = Desk(emulator=Emulator(clock=clock), clock=clock)
        for request in all_that_is_sent(desk, *param.values):
            kinds.add(kind_of(request))
            told |= set(deviations(request))
    assert kinds == {*ADOBE["requests"], "PATCH /targetConnections/{id}"}
    assert told == DEVIATIONS.keys(), "a deviation that has gone has no business in the table"


@pytest.mark.parametrize(("row", "words"), sorted(set(DEVIATIONS.values())))
def test_each_deviation_is_in_the_notes(row, words):
    line = next((line for line in NOTES.read_text().splitlines() if line.startswith(f"| {row} |")), "")
    assert words in line


def test_datasets_given_as_ids_are_sent_with_their_names(desk):
    dataset, *_ = desk(list_datasets())
    desk.ensure(declared("data_landing_zone", None, datasets=[dataset.id]), None)
    assert not {each for request in desk.sent for each in deviations(request)} - DEVIATIONS.keys()


def test_a_body_that_breaks_the_openapi_is_told():
    body = {"name": "s", "connectionSpec": {"id": "23598e46-f560-407b-88d5-ea6207e49db0", "version": 1}}
    body["params"] = {"datasets": [{"dataSetId": "5ef3e3259ad2a1191ab7dd7d", "colour": "red"}]}
    assert set(deviations(Request("POST", "/sourceConnections", json=body))) == {
        ("POST /sourceConnections", "/connectionSpec/version", "type"),
        ("POST /sourceConnections", "/params/datasets/0/name", "required"),
        ("POST /sourceConnections", "/params/datasets/0/colour", "unlisted"),
    }


# Comparing with the reference


def kind_of(request: Request) -> str:
    """``PATCH /flows/{id}``: as Adobe's OpenAPI names a request."""
    if request.path.endswith("/adhocrun"):
        return "POST /adhocrun"
    _, collection, *rest = request.path.split("/")
    return f"{request.method} /{collection}" + ("/{id}" if rest else "")


def deviations(request: Request) -> list[Deviation]:
    """Where a body does not fit the alternative that it comes closest to."""
    kind = kind_of(request)
    known = ADOBE["requests"].get(kind)
    if known is None:
        return [(kind, "", "unlisted")]
    if "values" in known:
        return [(kind, *each) for each in _of_patch(known, request.json)]
    found = min((_errors(name, request.json) for name in known["alternatives"]), key=len)
    strange = ("/connectionSpec/id", "enum")
    if strange in found and "undescribed" in known:
        found = [strange, *_errors(known["undescribed"], request.json)]
    return [(kind, *each) for each in found]


def _of_patch(known: Mapping[str, Any], operations: Any) -> Iterator[tuple[str, str]]:
    """Where the operations of a PATCH do not fit; each by the path that it changes."""
    if known["body"] == "one operation":
        yield "", "type"
    for each in operations:
        path = each["path"]
        yield from _errors("operation", each)
        if path not in known["values"]:
            yield path, "unlisted"
            continue
        for at, rule in _errors(known["values"][path], each["value"]):
            yield path + at, rule


def _errors(name: str, body: Any) -> list[tuple[str, str]]:
    schema = {**_closed(ADOBE["schemas"][name]), "schemas": _closed(ADOBE["schemas"])}
    found = []
    for error in Draft202012Validator(schema).iter_errors(body):
        at = "".join(f"/{part}" for part in error.absolute_path)
        if error.validator == "additionalProperties":
            extra = set(error.instance) - set(error.schema["properties"])
            found += [(f"{at}/{each}", "unlisted") for each in sorted(extra)]
        elif error.validator == "required":
            (lacking,) = re.findall(r"^'(.+)' is a required property$", error.message)
            found.append((f"{at}/{lacking}", "required"))
        else:
            found.append((at, str(error.validator)))
    return found


def _closed(schema: Any) -> Any:
    """The same schema, in which a member that it does not list is an error."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in schema else closed
