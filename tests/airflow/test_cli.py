"""The command line as it is typed: `airflow aep` and our own program, over HTTP, with a real database."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow

OWN = ("-m", "airflow_provider_aep.cli")
AIRFLOWS = ("-m", "airflow", "aep")
S3_SECRET = "S3SecretKeyS3SecretKeyS3SecretKey0123456"
SPEC = {
    "name": "crm-nightly",
    "owner": "crm-team",
    "datasets": [{"name": "Loyalty Profiles"}],
    "destination": {
        "type": "s3",
        "credentials_conn_id": "crm_bucket",
        "params": {"bucketName": "acme-exports", "path": "aep", "datasetFileType": "PARQUET"},
    },
    "schedule": {"every": "3h", "end": "2099-06-01"},
}


@pytest.fixture
def typed(
    airflow_db: Path, aep_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``typed(OWN, "plan", "spec.json")``: what a shell sees of it. No secret is in what it printed."""
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    login = {"conn_type": "aws", "login": "AKIA2345ABCDEFGH2345", "password": S3_SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_CRM_BUCKET", json.dumps(login))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))

    def type_in(door: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *door, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
            check=False,
        )
        for secret in (S3_SECRET, aep_server.emulator.client_secret):
            assert secret not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return type_in


@pytest.fixture
def in_the_database(airflow_db: Path, aep_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of a connection that is in Airflow's database, and nowhere else."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection.from_json(aep_server.connection, conn_id="aep_kept"))
    monkeypatch.delenv("AIRFLOW_CONN_AEP_DEFAULT")
    yield "aep_kept"
    # Other tests look for secrets in this database.
    with create_session() as session:
        session.query(Connection).filter(Connection.conn_id == "aep_kept").delete()


def test_our_own_program_sees_the_connections_of_the_database(typed, in_the_database, aep_server):
    done = typed(OWN, "ensure", "spec.json", "--conn-id", in_the_database)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "1 changed, 0 unchanged, 0 failed"
    assert len(aep_server.emulator.entities("flows")) == 1
    done = typed(OWN, "plan", "spec.json", "--conn-id", in_the_database, "--json")
    assert (done.returncode, json.loads(done.stdout)["summary"]["unchanged"]) == (0, 1)


@pytest.mark.airflow3
def test_airflows_command_line_does_the_same(typed, in_the_database):
    done = typed(AIRFLOWS, "plan", "spec.json", "--conn-id", in_the_database, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["summary"]["create"] == 1
    done = typed(AIRFLOWS, "doctor", "--conn-id", "nobody")
    assert done.returncode == 1
    assert done.stdout.startswith("fail")


def test_a_pipe_that_is_closed_early_is_harmless(typed, tmp_path):
    many = {"exports": [{**SPEC, "name": f"export-{index}", "schedule": "3h"} for index in range(90)]}
    (tmp_path / "many.json").write_text(json.dumps(many))
    validate = f"{shlex.quote(sys.executable)} -m airflow_provider_aep.cli validate many.json"
    done = subprocess.run(
        f"{validate} | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("warn   export-0: schedule: no end is given")


def test_ctrl_c_ends_it_with_130(typed, aep_server, tmp_path):
    aep_server.emulator.stall_next(60, match="GET /flows")
    process = subprocess.Popen(
        [sys.executable, *OWN, "plan", "spec.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        # pytest may run in the background, where interrupts are ignored and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        waited = time.monotonic() + 60
        while not aep_server.emulator.requests("GET", "/flows"):
            assert time.monotonic() < waited
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (130, "", "aep: interrupted\n")


def test_a_probe_over_http_leaves_nothing(typed, aep_server):
    done = typed(OWN, "probe", "--write", "--sandbox", "dev", "--json")
    assert done.stderr == ""
    assert done.returncode == 0
    assert json.loads(done.stdout)["summary"]["differs"] == 0
    assert aep_server.emulator.requests("POST", "/flows")
    assert probes_of(aep_server.emulator) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_probe_that_is_stopped_removes_what_it_made(typed, aep_server, tmp_path, number):
    emulator = aep_server.emulator
    emulator.stall_next(2, match="PATCH /flows/")
    process = subprocess.Popen(
        [sys.executable, *OWN, "probe", "--write", "--sandbox", "dev"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        waited = time.monotonic() + 60
        while not emulator.entities("flows", "dev"):
            assert time.monotonic() < waited
            time.sleep(0.02)
        assert probes_of(emulator)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[0].startswith("aep: removing what the probe created")
    assert err.splitlines()[-1] == "aep: interrupted"
    assert "left behind" not in err
    assert probes_of(emulator) == []


def probes_of(emulator):
    kinds = ("flows", "connections", "sourceConnections", "targetConnections")
    return [one for kind in kinds for one in emulator.entities(kind, "dev") if "aep-probe-" in str(one)]
