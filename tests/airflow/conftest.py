"""A real Airflow without a running one: its database, the example DAGs, and the emulator behind HTTP."""

from __future__ import annotations

import json
import logging
import os
import runpy
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_aep.emulator import Clock
from airflow_provider_aep.emulator.pytest_plugin import aep_emulator, aep_server, aep_worlds

__all__ = ["aep_emulator", "aep_server", "aep_worlds"]

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = sorted((CHECKOUT / "dags_examples").glob("*.py"))
HOME = Path(os.environ["AIRFLOW_HOME"])

SSH_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nVmVyeVByaXZhdGVLZXk\n-----END OPENSSH PRIVATE KEY-----\n"
STORAGES: dict[str, dict[str, Any]] = {
    "aep_s3": {
        "conn_type": "aws",
        "login": "AKIA2345ABCDEFGH2345",
        "password": "S3SecretKey" * 3 + "0123456",
    },
    "aep_blob": {"conn_type": "wasb", "login": "acme", "password": "QmxvYlNlY3JldEtleQ=="},
    "aep_adls": {
        "conn_type": "adls",
        "host": "acme",
        "login": "principal",
        "password": "AdlsSecretKey",
        "extra": {"tenant_id": "tenant-1"},
    },
    "aep_gcs": {"conn_type": "generic", "login": "GOOG1EHMACACCESS", "password": "GcsSecretKey"},
    "aep_sftp": {"conn_type": "sftp", "host": "files.example", "login": "aep", "password": "SftpPassword"},
    "aep_sftp_key": {
        "conn_type": "sftp",
        "host": "files.example",
        "login": "aep",
        "extra": {"private_key": SSH_KEY},
    },
}
SECRETS = [
    *(each["password"] for each in STORAGES.values() if "password" in each),
    "VmVyeVByaXZhdGVLZXk",
]


@pytest.fixture
def aep_emulator_options(tmp_path: Path) -> dict[str, Any]:
    """A clock that runs, and hours of four seconds: a run takes a fifth of a second."""
    return {"clock": Clock(source=time.time), "hour": 4.0, "root": tmp_path / "storage"}


@pytest.fixture(scope="session")
def airflow_db() -> Path:
    """An empty database, and the examples in the folder where Airflow looks for DAGs."""
    from airflow.utils import db

    db.initdb()
    logging.getLogger().setLevel(logging.INFO)  # Airflow 2's migrations leave a higher one behind
    for file in [*EXAMPLES, Path(__file__).with_name("dags") / "aep_parity.py"]:
        shutil.copy(file, HOME / "dags")
    shutil.copytree(CHECKOUT / "dags_examples" / "exports", HOME / "dags" / "exports")
    return HOME / "airflow.db"


@pytest.fixture
def storages(monkeypatch: pytest.MonkeyPatch) -> None:
    for conn_id, fields in STORAGES.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """All that was logged up to now, by whatever way."""
    seen: list[str] = []
    tasks = logging.getLogger("airflow.task")
    for handler in tasks.handlers[:]:  # Airflow 2 leaves one behind that writes to the last test's terminal
        if type(handler) is logging.StreamHandler:
            tasks.removeHandler(handler)

    def read() -> str:
        seen.extend(capfd.readouterr())
        records = [record for phase in ("setup", "call") for record in caplog.get_records(phase)]
        files = [file.read_text() for file in (HOME / "logs").rglob("*.log")]
        return "\n".join([*seen, *map(caplog.handler.format, records), *files])

    return read


@pytest.fixture
def run_dag(
    airflow_db: Path,
    aep_server: Any,
    storages: None,
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Any]]:
    """``run_dag("aep_provision_s3", name=...)``: the finished run of that DAG.

    When the test is over, no secret may have come to light: not in a log, and nowhere in the database, which
    holds XComs, rendered templates and triggers.
    """
    monkeypatch.setenv("AIRFLOW__AEP__POLL_INTERVAL", "0.3")
    tokens: list[str] = []
    gateway = aep_server.emulator._gateway
    answer = gateway.token

    def remembered(form: Any) -> Any:
        reply = answer(form)
        tokens.append(reply.json.get("access_token", ""))
        return reply

    monkeypatch.setattr(gateway, "token", remembered)

    def run(
        dag_id: str,
        *,
        at: datetime | None = None,
        prepare: Callable[[dict[str, Any]], object] = lambda names: None,
        **params: Any,
    ) -> Any:
        names = runpy.run_path(str(HOME / "dags" / f"{dag_id}.py"))
        prepare(names)
        date = "logical_date" if AIRFLOW_V_3_0_PLUS else "execution_date"
        return names["dag"].test(run_conf=params, **({date: at} if at else {}))

    yield run
    assert tokens
    told = logged()
    kept = "\n".join(sqlite3.connect(airflow_db).iterdump())
    for secret in [*SECRETS, aep_server.emulator.client_secret, *tokens]:
        assert secret not in told
        assert secret not in kept
        assert secret.encode().hex() not in kept.lower()  # as a blob is dumped


@pytest.fixture
def pulled() -> Callable[..., Any]:
    """``pulled(run, "task", "key")``: an XCom of a finished run."""

    def pull(run: Any, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        (ti,) = [
            each
            for each in run.get_task_instances()
            if (each.task_id, each.map_index) == (task_id, map_index)
        ]
        return ti.xcom_pull(task_ids=task_id, key=key, map_indexes=map_index)

    return pull


@pytest.fixture
def states() -> Callable[[Any], dict[str, str]]:
    """The states of a run's tasks; mapped ones by ``task/index``."""

    def of(run: Any) -> dict[str, str]:
        return {
            ti.task_id if ti.map_index < 0 else f"{ti.task_id}/{ti.map_index}": str(ti.state)
            for ti in run.get_task_instances()
        }

    return of
