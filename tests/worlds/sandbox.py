"""The sandbox of the story: thirty dataflows of other people, nine days of runs, and a way to copy it all.

It is built once, and each act gets a copy, so that an act cannot spoil the next one.
"""

from __future__ import annotations

import copy
import marshal
import threading
from datetime import UTC, datetime
from functools import cache
from typing import Any

from airflow_provider_aep.emulator import Clock, Emulator
from airflow_provider_aep.emulator.run_documents import Exported, Frame, finished
from airflow_provider_aep.exports.apply import ensure_exports
from airflow_provider_aep.exports.spec import ExportSpec, parse_spec
from airflow_provider_aep.flowservice.exchange import Exchange, Request, Response
from airflow_provider_aep.flowservice.session import AepSession
from tests.worlds.driving import carry_out
from tools import provisioning

NOW = 1_795_000_000.0
DAY = 86_400.0
HOUR = 3600.0
S3_LOGIN = {
    "specName": "Access Key",
    "params": {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": "made/up+" * 5},
}
BLOB_LOGIN = {
    "specName": "ConnectionString",
    "params": {"connectionString": "AccountName=acme;AccountKey=made up"},
}
LOGINS = {("s3", "crm_bucket"): S3_LOGIN, ("azure_blob", "crm_blob"): BLOB_LOGIN}
CRM, LOYALTY = "5ef3e3259ad2a1191ab7dd7d", "5ef3e324ab7dd7d3259a1191"
S3_SPEC, S3_FLOWS = "4fce964d-3f37-408f-9778-e597338a21ee", "269ba276-16fc-47db-92b0-c1049a3c131f"
LAKE_SPEC = "23598e46-f560-407b-88d5-ea6207e49db0"
S3_AUDIENCES = "1a0514a6-33d4-4c7f-aff8-594799c47549"
ELSEWHERE = "0b4b4b1e-8b6f-4a53-9b0c-5f2f8d1c7a55"
# One of the dataflows that have run every three hours for nine days.
OLD = "CRM nightly to bucket 1 of others"
UNCHANGED, UNCHANGED_BLOB = "CRM Unchanged", "CRM Unchanged Blob"
RESCHEDULED, MORE_DATASETS, SWITCHED_OFF = "CRM rescheduled", "CRM more datasets", "CRM switched off"
LONG_LIVED, FAILED = "CRM long lived", ("CRM failed", "CRM failed to blob")
DAILY, THREE_HOURLY, AUDIENCES, RUNNING = 18, 4, 8, 3


def session_of(emulator: Emulator) -> AepSession:
    return provisioning.session_of(emulator, now=emulator.clock, jitter=lambda: 0.0)


def send(
    emulator: Emulator, session: AepSession, method: str, path: str, json: Any = None, **params: str
) -> Response:
    """A request of somebody else's."""

    def asked() -> Exchange[Response]:
        return (yield Request(method, path, json=json, params=params))

    return carry_out(session.conduct(asked(), sandbox="prod"), emulator)


def sandbox() -> Emulator:
    """A copy of the sandbox, with a clock of its own."""
    return copied(_built())


def copied(built: Emulator) -> Emulator:
    """An emulator like another one, with a clock of its own."""
    entities, lifecycle = built._world.entities, built._world.lifecycle
    # Locks cannot be copied; what is plain JSON can be copied faster, and a finished run never changes again.
    memo: dict[int, Any] = {id(built._lock): threading.RLock()}
    for (kind, _), kept in entities._kept.items():
        for document in kept.values():
            over = kind == "runs" and "completedAtUTC" in document["metrics"]["durationSummary"]
            memo[id(document)] = document if over else _plain(document)
        memo[id(kept)] = {key: memo[id(document)] for key, document in kept.items()}
    for plain in (
        entities._came,
        built._lake._grown,
        *(each.minutes for each in lifecycle._courses.values()),
    ):
        memo[id(plain)] = _plain(plain)
    return copy.deepcopy(built, memo)


def _plain(value: Any) -> Any:
    return marshal.loads(marshal.dumps(value))


@cache
def _built() -> Emulator:
    emulator = Emulator(clock=Clock(NOW - 9 * DAY), seed=5)
    for dataset in emulator.datasets():
        dataset.hourly = max(dataset.hourly, 3)
    session = session_of(emulator)

    def post(path: str, body: Any) -> str:
        return str(send(emulator, session, "POST", path, body).json["id"])

    base = post(
        "/connections", {"name": "bucket of others", "auth": S3_LOGIN, "connectionSpec": _spec(S3_SPEC)}
    )
    source = post(
        "/sourceConnections",
        {
            "name": "loyalty of others",
            "connectionSpec": _spec(LAKE_SPEC),
            "params": {"datasets": [{"dataSetId": LOYALTY, "name": "Loyalty Profiles"}]},
        },
    )
    flows = []
    for number in range(DAILY + THREE_HOURLY):
        params = {"bucketName": "others", "path": f"exports/{number}", "datasetFileType": "PARQUET"}
        target = post(
            "/targetConnections",
            {
                "name": f"target {number} of others",
                "baseConnectionId": base,
                "connectionSpec": _spec(S3_SPEC),
                "params": {"mode": "Server-to-server", "compression": "GZIP", **params},
            },
        )
        often = number < THREE_HOURLY
        flows.append(
            post(
                "/flows",
                {
                    "name": f"CRM nightly to bucket {number} of others",
                    "flowSpec": _spec(S3_FLOWS),
                    "sourceConnectionIds": [source],
                    "targetConnectionIds": [target],
                    "scheduleParams": {
                        "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
                        "timeUnit": "hour" if often else "day",
                        "interval": 3 if often else 1,
                        # All come due at some moment of the next hour or so.
                        "startTime": int(emulator.clock()) + 300 + 60 * number,
                        "endTime": int(NOW + 90 * DAY),
                    },
                },
            )
        )
    for _ in range(9):
        emulator.clock.advance(DAY)
        emulator.tick()
    _add_audiences(emulator, source, target)
    _add_ours(emulator, session)
    for flow in flows[-RUNNING:]:
        emulator.script_runs(flow, ["in_progress"])
        emulator.run_now(flow)
    emulator.clock.advance(HOUR)
    emulator.tick()
    emulator.log.clear()
    # All of it is long ago: no world shows how it was before.
    emulator._world.entities._versions.clear()
    return emulator


def _add_ours(emulator: Emulator, session: AepSession) -> None:
    """Our exports that the story changes: made six hours ago, with a failed run here and there."""
    specs = [
        *(
            export(name)
            for name in (UNCHANGED, RESCHEDULED, MORE_DATASETS, SWITCHED_OFF, LONG_LIVED, FAILED[0])
        ),
        *(export(name, blob=True) for name in (UNCHANGED_BLOB, FAILED[1])),
    ]
    for name in FAILED:
        emulator.script_runs(name, ["success", "failed", "success"])
    made = ensure_exports(
        specs, sandbox="prod", now=datetime.fromtimestamp(emulator.clock(), tz=UTC), logins=LOGINS
    )
    for one in carry_out(session.conduct(made, sandbox="prod"), emulator):
        assert not one.error, one
        assert not one.warnings, one
    emulator.clock.advance(6 * HOUR)
    emulator.tick()
    (off,) = [each["id"] for each in emulator.entities("flows") if each["name"] == SWITCHED_OFF]
    send(emulator, session, "POST", f"/flows/{off}/action", op="disable")


def export(name: str, *, blob: bool = False, every: str = "3h", **changes: Any) -> ExportSpec:
    """The spec of an export to a bucket, or to a container with another way to name its dataset."""
    params = {"container": "acme-exports"} if blob else {"bucketName": "acme-exports"}
    return parse_spec(
        {
            "name": name,
            "owner": "crm",
            "description": "Rows of the CRM",
            "datasets": [{"name": "CRM Profiles"}] if blob else [CRM],
            "destination": {
                "type": "azure_blob" if blob else "s3",
                "credentials_conn_id": "crm_blob" if blob else "crm_bucket",
                "params": {**params, "path": "aep/CRM", "datasetFileType": "PARQUET"},
            },
            "schedule": {"every": every, "start": "2026-01-01T00:00:00Z", "end": "2027-06-30T00:00:00Z"},
            **changes,
        }
    )


def _add_audiences(emulator: Emulator, source: str, target: str) -> None:
    """Dataflows that the emulator itself does not make, with two runs on each day."""
    entities = emulator._world.entities
    for number in range(AUDIENCES):
        flow = entities.add(
            "flows",
            "prod",
            {
                "name": f"audiences {number} of others",
                "flowSpec": _spec(S3_AUDIENCES if number else ELSEWHERE),
                "sourceConnectionIds": [source],
                "targetConnectionIds": [target],
                "state": "enabled",
                "transformations": [],
                "scheduleParams": {"timeUnit": "day", "interval": 1, "startTime": int(NOW - 9 * DAY)},
            },
            at=NOW - 9 * DAY,
        )
        for half_day in range(18):
            started = int((NOW - 9 * DAY + half_day * DAY / 2 + 60 * number) * 1000)
            done = finished(
                "success", Frame(source, target, started, started + 60_000), [Exported(LOYALTY, 9, 9, 1, 900)]
            )
            run = {"flowId": flow["id"], "flowSpec": flow["flowSpec"], **done}
            entities.add("runs", "prod", run, by="aep_activation_batch", at=started / 1000)


def _spec(spec_id: str) -> dict[str, str]:
    return {"id": spec_id, "version": "1.0"}
