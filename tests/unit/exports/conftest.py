"""What the tests of declared exports share: a desk at which exports are planned, ensured and deleted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_aep.emulator import Clock, Emulator
from airflow_provider_aep.exports.apply import EnsureOptions, ensure_exports, plan_exports
from airflow_provider_aep.exports.delete import Removal, delete_export
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.plan import Plan
from airflow_provider_aep.exports.spec import ExportSpec, parse_spec
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Exchange, Request, Response, Transport
from tests.unit.exports.documents import changed_document
from tools.provisioning import session_of

SECRET = "Zq9+/secret" * 3 + "Abcdefg"
# What the emulator's connection specs accept; each value is a secret that nothing may ever show.
PARAMS: Mapping[str, Mapping[str, str]] = {
    "s3": {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": SECRET},
    "azure_blob": {"connectionString": f"AccountName=acme;AccountKey={SECRET}"},
    "adls_gen2": {
        "url": "https://acme.example",
        "tenant": SECRET,
        "servicePrincipalId": "app",
        "servicePrincipalKey": SECRET,
    },
    "gcs": {"accessKeyId": "GOOG1" + "E" * 56, "secretAccessKey": SECRET},
    "sftp": {"domain": "sftp.example", "username": "acme", "password": SECRET},
}
COLLECTIONS = {
    "base connection": "connections",
    "source connection": "sourceConnections",
    "target connection": "targetConnections",
    "dataflow": "flows",
}


class EveryLogin(Mapping[Any, Any]):
    """A good login for whatever Airflow connection is named."""

    def __getitem__(self, key: tuple[str, str | None]) -> Any:
        destination, conn_id = key
        if conn_id is None or destination not in PARAMS:
            return None
        name = DESTINATIONS[destination].logins[-1].spec_name
        return {"specName": name, "params": dict(PARAMS[destination])}

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 1


@dataclass
class Desk:
    """``ensure``, ``plan`` and ``delete`` against an emulator, and a look at what came of it.

    :param transport: what stands between us and the emulator, if anything does.
    """

    emulator: Emulator
    clock: Clock
    sandbox: str = "prod"
    transport: Transport | None = None
    logins: Any = field(default_factory=EveryLogin)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began = self.now
        self.session = session_of(self.emulator, now=self.clock, jitter=lambda: 0.0)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), tz=UTC)

    def in_days(self, days: float) -> str:
        """A moment, counted from when the desk opened."""
        return (self.began + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def spec(self, **changes: Any) -> ExportSpec:
        """The nightly export, otherwise: ``a__b`` is the key b of a, and ``...`` takes a key away."""
        document: dict[str, Any] = {
            "name": "crm-nightly",
            "owner": "crm",
            "datasets": ["5ef3e3259ad2a1191ab7dd7d"],
            "destination": {
                "type": "s3",
                "credentials_conn_id": "crm_bucket",
                "params": {"bucketName": "acme-exports", "path": "aep/crm", "datasetFileType": "PARQUET"},
            },
            "schedule": {"every": "3h", "start": "2026-01-01T00:00:00Z", "end": self.in_days(100)},
        }
        return parse_spec(changed_document(document, **changes))

    def carry_out(self, exchange: Exchange[Any]) -> Any:
        conducted = self.session.conduct(exchange, sandbox=self.sandbox)
        return drive(conducted, self.transport or self.emulator, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)

    def ensure_all(
        self, *specs: ExportSpec, planned: Any = None, progress: Any = lambda outcome: None, **options: bool
    ) -> list[Outcome]:
        self.emulator.log.clear()
        exchange = ensure_exports(
            specs,
            sandbox=self.sandbox,
            now=self.now,
            logins=self.logins,
            options=EnsureOptions(**options),
            planned=planned,
            progress=progress,
        )
        outcomes: list[Outcome] = self.carry_out(exchange)
        for one in outcomes:
            json.dumps(one.to_json())
            assert SECRET not in f"{one} {one!r} {one.to_json()}"
        return outcomes

    def ensure(self, spec: ExportSpec, **options: Any) -> Outcome:
        """Ensure one export, which has to work."""
        (outcome,) = self.ensure_all(spec, **options)
        if outcome.error:
            raise outcome.error
        return outcome

    def plan(self, spec: ExportSpec, **options: bool) -> Plan:
        """Plan one export, which has to work and sends only GETs."""
        self.emulator.log.clear()
        (outcome,) = self.carry_out(plan_exports([spec], sandbox=self.sandbox, now=self.now, **options))
        assert self.methods() <= {"GET"}
        if outcome.error:
            raise outcome.error
        plan: Plan = outcome.plan
        json.dumps(plan.to_json())
        assert SECRET not in f"{plan} {plan!r} {plan.to_json()}"
        return plan

    def delete(self, name: str = "crm-nightly", *, owner: str = "crm", **options: bool) -> Removal:
        self.emulator.log.clear()
        removal: Removal = self.carry_out(delete_export(name, owner=owner, sandbox=self.sandbox, **options))
        json.dumps(removal.to_json())
        return removal

    def methods(self) -> set[str]:
        """What was sent beyond the login."""
        return {each.method for each in self.emulator.log if not each.path.startswith("/ims")}

    def writes(self) -> list[str]:
        """The POSTs, PATCHes and DELETEs by their collection, in their order."""
        return [
            f"{each.method} {each.path.split('/')[1]}"
            for each in self.emulator.log
            if each.method != "GET" and not each.path.startswith("/ims")
        ]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return self.emulator.entities(COLLECTIONS[kind], self.sandbox)

    def get(self, kind: str, entity_id: str | None) -> dict[str, Any]:
        return next(one for one in self.all(kind) if one["id"] == entity_id)

    def counts(self) -> Counter[str]:
        return Counter({kind: len(self.all(kind)) for kind in COLLECTIONS})

    def snapshot(self) -> dict[str, Any]:
        """Every entity as it is, etag and all."""
        return {one["id"]: json.loads(json.dumps(one)) for kind in COLLECTIONS for one in self.all(kind)}

    def patch(self, kind: str, entity_id: str | None, path: str, value: Any, op: str = "replace") -> None:
        """A change behind our back."""
        etag = self.get(kind, entity_id)["etag"]
        operations = [{"op": op, "path": path, "value": value}]
        self.send("PATCH", f"/{COLLECTIONS[kind]}/{entity_id}", operations, {"If-Match": etag})

    def send(self, method: str, path: str, json: Any = None, headers: Any = ()) -> Response:
        """A request of somebody else's, through the same door."""

        def asked() -> Exchange[Response]:
            return (yield Request(method, path, json=json, headers=dict(headers)))

        response: Response = drive(
            self.session.conduct(asked(), sandbox=self.sandbox), self.emulator, self._sleep
        )
        return response

    def copy(self, kind: str, entity_id: str | None, **changes: Any) -> str:
        """Somebody else's entity that is like one of ours but for ``changes``; its id."""
        kept = self.get(kind, entity_id)
        body = {
            key: kept[key]
            for key in (
                *("name", "description", "connectionSpec", "params", "baseConnectionId"),
                *("flowSpec", "sourceConnectionIds", "targetConnectionIds", "scheduleParams"),
            )
            if key in kept
        }
        if kind == "source connection":
            del body["baseConnectionId"]
        if kind == "base connection":
            body["auth"] = {"specName": "Access Key", "params": dict(PARAMS["s3"])}
        body |= changes
        return str(self.send("POST", f"/{COLLECTIONS[kind]}", body).json["id"])


@pytest.fixture
def new_desk() -> Callable[..., Desk]:
    """``new_desk()``: a desk with an emulator of its own."""

    def made(**options: Any) -> Desk:
        clock = options.pop("clock", None) or Clock(1_795_000_000.0)
        return Desk(Emulator(clock=clock, **options), clock)

    return made


@pytest.fixture
def desk(new_desk) -> Desk:
    return new_desk()


@pytest.fixture
def secret() -> str:
    """What every login at the desk holds."""
    return SECRET
