"""The triggers that are compared, each as a user's deferred task would create it.

What a peer's API wants is plain HTTP here, for all alike, unless TLS is asked for: two of them insist on
HTTPS and are told otherwise, which spares them a handshake for each connection.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from airflow.triggers.base import BaseTrigger, TriggerEvent

from benchmarks.monitor.job import OURS, SLEEPING, Job
from benchmarks.monitor.service import TOKEN_PATH, flow_id

CONN_ID = "benchmark"
FAR = 86_400.0

Kwargs = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rival:
    """One trigger class, and how to wait with it.

    :param classpath: as the trigger serializes itself.
    :param kwargs: of the trigger that waits for a run, given the run's number.
    :param connection: the Airflow connection, given the service's URL.
    :param succeeded: whether an event's payload tells of the success of its run.
    :param adapt: what must be done to its package before it talks to the service, given its URL.
    :param waits: whether it waits for anything.
    """

    classpath: str
    kwargs: Callable[[Job, int], Kwargs]
    connection: Callable[[str], Mapping[str, Any]]
    succeeded: Callable[[Any], bool]
    adapt: Callable[[str], None] = lambda url: None
    waits: bool = True

    def prepare(self, url: str) -> None:
        """Lead it to the service, in this process and its children."""
        os.environ[f"AIRFLOW_CONN_{CONN_ID.upper()}"] = json.dumps(self.connection(url))
        self.adapt(url)


class SleepingTrigger(BaseTrigger):
    """What any trigger costs that looks at intervals, without the look; only the first of them ends."""

    def __init__(self, *, interval: float, number: int) -> None:
        super().__init__()
        self.interval, self.number = interval, number

    def serialize(self) -> tuple[str, Kwargs]:
        return (
            "benchmarks.monitor.rivals.SleepingTrigger",
            {"interval": self.interval, "number": self.number},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(self.interval)
        while self.number:
            await asyncio.sleep(self.interval)
        yield TriggerEvent(True)


def _ours(job: Job, number: int) -> Kwargs:
    return {
        "dataflow_id": flow_id(number),
        "started_after": (datetime.now(UTC) - timedelta(hours=1)).isoformat(),
        "expected_runs": 1,
        "deadline": time.time() + FAR,
        "poll_interval": job.interval,
        "aep_conn_id": CONN_ID,
        "sandbox": None,
    }


def _our_connection(url: str) -> Mapping[str, Any]:
    extra = {"org_id": "0123456789ABCDEF01234567@AdobeOrg", "token_url": url + TOKEN_PATH}
    if url.startswith("https:"):
        extra["ca_bundle"] = os.environ["SSL_CERT_FILE"]
    secret = "benchmark-secret"
    return {"conn_type": "aep", "host": url, "login": "benchmark", "password": secret, "extra": extra}


def _dbt(job: Job, number: int) -> Kwargs:
    return {
        "conn_id": CONN_ID,
        "run_id": number,
        "end_time": time.time() + FAR,
        "poll_interval": job.interval,
        "account_id": 1,
    }


def _plain_dbt(url: str) -> None:
    hook = import_module("airflow.providers.dbt.cloud.hooks.dbt").DbtCloudHook

    def plain(tenant: str, endpoint: str, *_: object, **__: object) -> tuple[str, dict[str, Any]]:
        return f"{urlsplit(url).scheme}://{tenant}/api/v2/accounts/{endpoint}", {}

    hook.get_request_url_params = staticmethod(plain)


def _databricks(job: Job, number: int) -> Kwargs:
    # The limits are those of its operators.
    wait = {"polling_period_seconds": job.interval, "retry_limit": 3, "retry_delay": 1}
    return {"run_id": number, "databricks_conn_id": CONN_ID, **wait}


def _fivetran(job: Job, number: int) -> Kwargs:
    return {
        "task_id": "benchmark",
        "connector_id": str(number),
        "fivetran_conn_id": CONN_ID,
        "xcom": "2025-01-01T00:00:00Z",
        "poke_interval": job.interval,
    }


def _plain_fivetran(url: str) -> None:
    hook = import_module("fivetran_provider_async.hooks").FivetranHook
    hook.api_protocol, hook.api_host = urlsplit(url).scheme, urlsplit(url).netloc


def _airbyte(job: Job, number: int) -> Kwargs:
    end = time.time() + FAR
    return {"job_id": number, "conn_id": CONN_ID, "end_time": end, "poll_interval": job.interval}


def _http_sensor(job: Job, number: int) -> Kwargs:
    return {"endpoint": f"http/{number}", "http_conn_id": CONN_ID, "poke_interval": job.interval}


def _http_event(job: Job, number: int) -> Kwargs:
    return {
        "response_check_path": "benchmarks.monitor.response_check.is_done",
        "endpoint": f"http-event/{number}",
        "http_conn_id": CONN_ID,
        "poll_interval": job.interval,
    }


def _says_success(payload: Any) -> bool:
    return isinstance(payload, Mapping) and payload.get("status") in ("success", "finished")


def _databricks_success(payload: Any) -> bool:
    return bool(json.loads(payload["run_state"]).get("result_state") == "SUCCESS")


RIVALS: Mapping[str, Rival] = {
    SLEEPING: Rival(
        classpath="benchmarks.monitor.rivals.SleepingTrigger",
        kwargs=lambda job, number: {"interval": job.interval, "number": number},
        connection=lambda url: {"conn_type": "http"},
        succeeded=lambda payload: True,
        waits=False,
    ),
    OURS: Rival(
        classpath="airflow_provider_aep.triggers.AepDataflowRunTrigger",
        kwargs=_ours,
        connection=_our_connection,
        succeeded=_says_success,
    ),
    "dbt Cloud": Rival(
        classpath="airflow.providers.dbt.cloud.triggers.dbt.DbtCloudRunJobTrigger",
        kwargs=_dbt,
        connection=lambda url: {"conn_type": "dbt_cloud", "host": urlsplit(url).netloc, "password": "t" * 40},
        succeeded=_says_success,
        adapt=_plain_dbt,
    ),
    "Databricks": Rival(
        classpath="airflow.providers.databricks.triggers.databricks.DatabricksExecutionTrigger",
        kwargs=_databricks,
        connection=lambda url: {
            "conn_type": "databricks",
            "schema": urlsplit(url).scheme,
            "host": urlsplit(url).hostname,
            "port": urlsplit(url).port,
            "password": "t" * 40,
        },
        succeeded=_databricks_success,
    ),
    "HTTP sensor": Rival(
        classpath="airflow.providers.http.triggers.http.HttpSensorTrigger",
        kwargs=_http_sensor,
        connection=lambda url: {"conn_type": "http", "host": url},
        succeeded=lambda payload: payload is True,
    ),
    "HTTP event": Rival(
        classpath="airflow.providers.http.triggers.http.HttpEventTrigger",
        kwargs=_http_event,
        connection=lambda url: {"conn_type": "http", "host": url},
        succeeded=_says_success,
    ),
    "Fivetran": Rival(
        classpath="fivetran_provider_async.triggers.FivetranTrigger",
        kwargs=_fivetran,
        connection=lambda url: {"conn_type": "fivetran", "login": "key", "password": "t" * 40},
        succeeded=_says_success,
        adapt=_plain_fivetran,
    ),
    "Airbyte": Rival(
        classpath="airflow.providers.airbyte.triggers.airbyte.AirbyteSyncTrigger",
        kwargs=_airbyte,
        connection=lambda url: {"conn_type": "airbyte", "host": f"{url}/airbyte"},
        succeeded=_says_success,
    ),
}
