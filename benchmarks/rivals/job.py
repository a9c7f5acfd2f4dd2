"""The job that every rival is given, and how it is measured.

Standard library only: one rival runs in an environment that has nothing else of ours.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

DATA_LAKE = "23598e46-f560-407b-88d5-ea6207e49db0"
S3_CONNECTION = "4fce964d-3f37-408f-9778-e597338a21ee"
S3_FLOW = "269ba276-16fc-47db-92b0-c1049a3c131f"
S3_ACCESS_KEY = "AKIA2345ABCDEFGH2345"
S3_SECRET_KEY = "benchmark2" * 4
BUCKET = "acme-exports"
SCOPES = "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session"

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Export:
    """One export that shall exist; its four entities carry its name."""

    sandbox: str
    name: str
    dataset_id: str

    def source(self) -> Document:
        return {
            "name": self.name,
            "connectionSpec": {"id": DATA_LAKE, "version": "1.0"},
            "params": {"datasets": [{"dataSetId": self.dataset_id}]},
        }

    def base(self) -> Document:
        return {
            "name": self.name,
            "auth": {
                "specName": "Access Key",
                "params": {"s3AccessKey": S3_ACCESS_KEY, "s3SecretKey": S3_SECRET_KEY},
            },
            "connectionSpec": {"id": S3_CONNECTION, "version": "1.0"},
        }

    def target_params(self) -> Document:
        return {
            "bucketName": BUCKET,
            "path": f"aep/{self.name}",
            "datasetFileType": "PARQUET",
            "compression": "GZIP",
        }

    def target(self, base_id: str) -> Document:
        return {
            "name": self.name,
            "baseConnectionId": base_id,
            "connectionSpec": {"id": S3_CONNECTION, "version": "1.0"},
            "params": {"mode": "Server-to-server", **self.target_params()},
        }

    def flow(self, job: Job, source_id: str, target_id: str) -> Document:
        return {
            "name": self.name,
            "flowSpec": {"id": S3_FLOW, "version": "1.0"},
            "sourceConnectionIds": [source_id],
            "targetConnectionIds": [target_id],
            "transformations": [],
            "scheduleParams": {
                "interval": 3,
                "timeUnit": "hour",
                "startTime": job.start,
                "endTime": job.end,
                "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
            },
        }


@dataclass(frozen=True, kw_only=True)
class Job:
    """Where to have which exports.

    :param start: of every export's schedule, in epoch seconds; ``end`` likewise.
    """

    url: str
    login_url: str
    org_id: str
    client_id: str
    client_secret: str
    start: int
    end: int
    exports: tuple[Export, ...]

    def by_sandbox(self) -> dict[str, list[Export]]:
        found: dict[str, list[Export]] = {}
        for export in self.exports:
            found.setdefault(export.sandbox, []).append(export)
        return found

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        document = json.loads(text)
        return cls(**{**document, "exports": tuple(Export(**each) for each in document["exports"])})


def perform(ensure: Callable[[Job], list[str]]) -> None:
    """Do the job that is on stdin; the last line of stdout tells what it took.

    ``start_cpu`` is the interpreter and the imports, ``cpu`` and ``wall`` the work; all in seconds.

    :param ensure: gives one line for each export that failed.
    """
    job = Job.from_json(sys.stdin.read())
    start_cpu, begun = time.process_time(), time.perf_counter()
    failed = ensure(job)
    cpu, wall = time.process_time() - start_cpu, time.perf_counter() - begun
    print(json.dumps({"start_cpu": start_cpu, "cpu": cpu, "wall": wall, "failed": failed}))
