"""Parsing a DAG file, which Airflow does all the time, costs next to nothing and asks nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

EXAMPLES = sorted((Path(__file__).parents[2] / "dags_examples").glob("*.py"))
# These pay for the check of their specs, which makes a mistake an import error of the DAG.
DECLARED = [file for file in EXAMPLES if "operators.exports" in file.read_text()]
# These hand a trigger to an asset.
WATCHING = [file for file in EXAMPLES if "airflow_provider_aep.triggers" in file.read_text()]
PLAIN = [file for file in EXAMPLES if file not in (*DECLARED, *WATCHING)]
PARSE = """
import runpy, socket, sys, time

def closed(*_, **__):
    raise AssertionError("the network was asked")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = closed
from airflow.providers.common.compat.sdk import DAG, Param, BaseOperator, BaseSensorOperator, XCom
from airflow.providers.common.compat.notifier import BaseNotifier
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow import settings

def no_database(*_, **__):
    raise AssertionError("the database was asked")

if getattr(settings, "engine", None) is not None:
    from sqlalchemy import event
    event.listen(settings.engine, "connect", no_database)
before, started = set(sys.modules), time.process_time()
for file in sys.argv[1:]:
    assert len(runpy.run_path(file)["dag"].tasks) > 0
spent = time.process_time() - started
for name in sorted(set(sys.modules) - before):
    print(name)
assert spent < 1, f"{spent:.2f} s"
"""
NOT_FOR_PARSING = (
    "requests",
    "urllib3",
    "airflow_provider_aep.hooks",
    "airflow_provider_aep.emulator",
    "airflow_provider_aep.hooks.declared",
    "airflow_provider_aep.exports.apply",
    "airflow_provider_aep.flowservice.session",
    "airflow_provider_aep.flowservice.transport",
)
NOT_WITHOUT_SPECS = ("airflow_provider_aep.flowservice", "airflow_provider_aep.exports.")
NOT_WITHOUT_WATCHERS = ("airflow_provider_aep.triggers",)


@pytest.mark.parametrize(
    ("files", "forbidden"),
    [
        (PLAIN, (*NOT_FOR_PARSING, *NOT_WITHOUT_SPECS, *NOT_WITHOUT_WATCHERS)),
        (DECLARED, (*NOT_FOR_PARSING, *NOT_WITHOUT_WATCHERS)),
        (WATCHING, (*NOT_FOR_PARSING, *NOT_WITHOUT_SPECS)),
    ],
    ids=["plain", "declared", "watching"],
)
def test_examples_are_parsed_without_network_database_or_a_heavy_import(tmp_path, files, forbidden):
    assert files
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/never.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", PARSE, *map(str, files)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "never.db").exists()
    heavy = [name for name in done.stdout.split() if name.startswith(forbidden)]
    assert heavy == []
