"""A caller with a token, and the bodies of the tutorial, for talking to the emulator as a client would."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from airflow_provider_aep.emulator import Clock, Emulator
from airflow_provider_aep.flowservice.exchange import Request, Response

IMS = "https://ims-na1.adobelogin.com/ims/token/v3"
DATA_LAKE = "23598e46-f560-407b-88d5-ea6207e49db0"
CRM = "5ef3e3259ad2a1191ab7dd7d"
HOUR = 3600

# Source: export datasets tutorial: connection spec, flow spec, login and place of the six destinations.
SIX = {
    "s3": {
        "connection_spec": "4fce964d-3f37-408f-9778-e597338a21ee",
        "flow_spec": "269ba276-16fc-47db-92b0-c1049a3c131f",
        "name": "Amazon S3",
        "auth": {
            "specName": "Access Key",
            "params": {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": "abcd" * 10},
        },
        "place": {"bucketName": "acme-exports", "path": "aep/crm"},
        "lands": "acme-exports/aep/crm",
    },
    "azure_blob": {
        "connection_spec": "6d6b59bf-fb58-4107-9064-4d246c0e5bb2",
        "flow_spec": "95bd8965-fc8a-4119-b9c3-944c2c2df6d2",
        "name": "Azure Blob Storage",
        "auth": {"specName": "ConnectionString", "params": {"connectionString": "made up"}},
        "place": {"container": "acme-exports", "path": "aep/crm"},
        "lands": "acme-exports/aep/crm",
    },
    "adls_gen2": {
        "connection_spec": "be2c3209-53bc-47e7-ab25-145db8b873e1",
        "flow_spec": "17be2013-2549-41ce-96e7-a70363bec293",
        "name": "Azure Data Lake Gen2",
        "auth": {
            "specName": "Azure Service Principal Auth",
            "params": {
                "url": "https://acme.dfs.core.windows.net/exports",
                "tenant": "made up",
                "servicePrincipalId": "made up",
                "servicePrincipalKey": "made up",
            },
        },
        "place": {"path": "aep/crm"},
        "lands": "acme.dfs.core.windows.net/aep/crm",
    },
    "data_landing_zone": {
        "connection_spec": "10440537-2a7b-4583-ac39-ed38d4b848e8",
        "flow_spec": "cd2fc47e-e838-4f38-a581-8fff2f99b63a",
        "name": "Data Landing Zone",
        "auth": None,
        "place": {"path": "aep/crm"},
        "lands": "dlz-destination/aep/crm",
    },
    "gcs": {
        "connection_spec": "c5d93acb-ea8b-4b14-8f53-02138444ae99",
        "flow_spec": "585c15c4-6cbf-4126-8f87-e26bff78b657",
        "name": "Google Cloud Storage",
        "auth": {
            "specName": "Google Cloud Storage authentication credentials",
            "params": {"accessKeyId": "made up", "secretAccessKey": "made up"},
        },
        "place": {"bucketName": "acme_exports", "path": "aep/crm"},
        "lands": "acme_exports/aep/crm",
    },
    "sftp": {
        "connection_spec": "36965a81-b1c6-401b-99f8-22508f1e6a26",
        "flow_spec": "354d6aad-4754-46e4-a576-1b384561c440",
        "name": "SFTP",
        "auth": {
            "specName": "SFTP with Password",
            "params": {"domain": "sftp.example.com", "username": "acme", "password": "made up"},
        },
        "place": {"remotePath": "aep/crm"},
        "lands": "sftp.example.com/aep/crm",
    },
}


class Caller:
    """Somebody with a valid token: ``call`` answers the response, the verbs its JSON."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.clock = emulator.clock
        self.headers = {
            "x-api-key": emulator.client_id,
            "x-gw-ims-org-id": emulator.org_id,
            "x-sandbox-name": "prod",
            "Accept": "application/json",
        }
        self.log_in()

    def form(self, **changes: str) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.emulator.client_id,
            "client_secret": self.emulator.client_secret,
            "scope": "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session",
            **changes,
        }

    def ask_token(self, **changes: str) -> Response:
        return self.emulator.handle(Request("POST", IMS, form=self.form(**changes)))

    def log_in(self) -> None:
        self.headers["Authorization"] = f"Bearer {self.ask_token().json['access_token']}"

    def wait(self, *, days: int) -> None:
        """Let days pass, and log in again: a token lasts less than one."""
        self.clock.advance(days * 24 * HOUR)
        self.log_in()

    def call(self, method: str, path: str, json: Any = None, params: Any = (), **headers: str) -> Response:
        given = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        kept = {name: value for name, value in given.items() if value is not None}
        return self.emulator.handle(Request(method, path, params=params, headers=kept, json=json))

    def get(self, path: str, *params: tuple[str, Any]) -> Any:
        answer = self.call("GET", path, params=params)
        assert answer.status == 200, answer.json
        return answer.json

    def one(self, path: str) -> Any:
        (item,) = self.get(path)["items"]
        return item

    def post(self, path: str, body: Any) -> Any:
        answer = self.call("POST", path, json=body)
        assert answer.status == 201, answer.json
        return answer.json

    def patch(self, path: str, *operations: Any, if_match: str | None = None) -> Response:
        etag = if_match if if_match is not None else self.one(path)["etag"]
        return self.call("PATCH", path, json=list(operations), if_match=etag)

    def runs(self, flow_id: str) -> list[Any]:
        """The runs of a dataflow, oldest first."""
        items = self.get("/runs", ("property", f"flowId=={flow_id}"), ("orderby", "createdAt"))["items"]
        return list(items)

    # The tutorial's bodies

    def source_body(self, *dataset_ids: str, name: str = "crm-src") -> dict[str, Any]:
        datasets = [{"dataSetId": each, "name": "CRM Profiles"} for each in dataset_ids or (CRM,)]
        spec = {"id": DATA_LAKE, "version": "1.0"}
        return {"name": name, "connectionSpec": spec, "params": {"datasets": datasets}}

    def base_body(self, slug: str = "s3", name: str = "crm-account") -> dict[str, Any]:
        spec = {"id": SIX[slug]["connection_spec"], "version": "1.0"}
        auth = SIX[slug]["auth"]
        return {"name": name, "connectionSpec": spec, **({"auth": copy.deepcopy(auth)} if auth else {})}

    def target_body(self, base_id: str, slug: str = "s3", **params: str) -> dict[str, Any]:
        formats = {"mode": "Server-to-server", "compression": "GZIP", "datasetFileType": "PARQUET"}
        return {
            "name": "crm-target",
            "baseConnectionId": base_id,
            "connectionSpec": {"id": SIX[slug]["connection_spec"], "version": "1.0"},
            "params": {**formats, **SIX[slug]["place"], **params},
        }

    def schedule(self, **changes: Any) -> dict[str, Any]:
        every_three_hours = {
            "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
            "timeUnit": "hour",
            "interval": 3,
            "startTime": int(self.clock.now) + HOUR,
            "endTime": int(self.clock.now) + 90 * 24 * HOUR,
        }
        return {key: value for key, value in {**every_three_hours, **changes}.items() if value is not None}

    def flow_body(self, source_id: str, target_id: str, slug: str = "s3", **schedule: Any) -> dict[str, Any]:
        return {
            "name": "crm-nightly",
            "flowSpec": {"id": SIX[slug]["flow_spec"], "version": "1.0"},
            "sourceConnectionIds": [source_id],
            "targetConnectionIds": [target_id],
            "transformations": [],
            "scheduleParams": self.schedule(**schedule),
        }

    def export(
        self, *dataset_ids: str, slug: str = "s3", params: dict[str, str] | None = None, **schedule: Any
    ) -> Any:
        """Create the four entities of an export; their ids, and the flow's etag."""
        source = self.post("/sourceConnections", self.source_body(*dataset_ids))["id"]
        base = self.post("/connections", self.base_body(slug))["id"]
        target = self.post("/targetConnections", self.target_body(base, slug, **(params or {})))["id"]
        flow = self.post("/flows", self.flow_body(source, target, slug, **schedule))
        return {"source": source, "base": base, "target": target, "flow": flow["id"], "etag": flow["etag"]}


@pytest.fixture
def six() -> dict[str, Any]:
    return SIX


@pytest.fixture
def make_caller() -> Any:
    """A caller of an emulator with other settings."""
    return lambda **options: Caller(Emulator(**{"clock": Clock(), **options}))


@pytest.fixture
def api(make_caller: Any) -> Caller:
    return make_caller()


@pytest.fixture
def emulator(api: Caller) -> Emulator:
    return api.emulator


@pytest.fixture
def code() -> Any:
    """Adobe's code of a refusal, as ``FLOW-1439-404``, with the check that status and shape agree."""

    def read(answer: Response) -> str:
        document = answer.json
        assert document["status"] == answer.status
        words = document["report"]["detailed-message"]
        assert words == document["errorMessage"] == document["errorDetails"]
        return str(document["type"]).removeprefix("https://ns.adobe.com/aep/errors/")

    return read
