"""This provider: the exports of each sandbox, declared and ensured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

# The provider imports these when it first needs them; here, so that they count as start and not as work.
import jsonschema  # noqa: F401
import requests  # noqa: F401

from airflow_provider_aep.exports.apply import ensure_exports
from airflow_provider_aep.exports.spec import parse_specs
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession
from airflow_provider_aep.flowservice.transport import RequestsTransport
from benchmarks.rivals.job import S3_ACCESS_KEY, S3_SECRET_KEY, Document, Export, Job, perform

BUCKET_CONN_ID = "crm_bucket"
LOGIN: Document = {
    "specName": "Access Key",
    "params": {"s3AccessKey": S3_ACCESS_KEY, "s3SecretKey": S3_SECRET_KEY},
}


def ensure(job: Job) -> list[str]:
    failed = []
    credentials = AepCredentials(
        client_id=job.client_id,
        client_secret=job.client_secret,
        org_id=job.org_id,
        token_url=job.login_url,
    )
    session, transport = AepSession(credentials), RequestsTransport(job.url)
    for sandbox, exports in job.by_sandbox().items():
        specs = parse_specs([document(job, export) for export in exports])
        ensuring = ensure_exports(
            specs, sandbox=sandbox, now=datetime.now(UTC), logins={("s3", BUCKET_CONN_ID): LOGIN}
        )
        outcomes = drive(session.conduct(ensuring, sandbox=sandbox), transport)
        failed += [f"{outcome.spec.name}: {outcome.error}" for outcome in outcomes if outcome.error]
    return failed


def document(job: Job, export: Export) -> dict[str, Any]:
    return {
        "name": export.name,
        "datasets": [export.dataset_id],
        "destination": {
            "type": "s3",
            "credentials_conn_id": BUCKET_CONN_ID,
            "params": export.target_params(),
        },
        "schedule": {"every": "3h", "start": moment(job.start), "end": moment(job.end)},
    }


def moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()


if __name__ == "__main__":
    perform(ensure)
