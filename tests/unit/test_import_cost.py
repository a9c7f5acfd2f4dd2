"""What a DAG file pays for: importing our classes brings in little that Airflow has not imported already."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

# Names that an older Airflow's own compat provider lacks.
COMPAT = "from tests import older_compat; older_compat.stand_in()"
# What every DAG with a hook, an operator, a sensor, a trigger or a notifier of any provider imports.
AIRFLOWS_OWN = """
import airflow
from airflow.providers.common.compat.sdk import (
    AirflowException, BaseHook, BaseNotifier, BaseOperator, BaseOperatorLink, BaseSensorOperator,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent
"""
FACES = (
    "operators.datasets",
    "operators.connections",
    "operators.dataflows",
    "operators.exports",
    "operators.maintenance",
    "operators.monitoring",
    "assets",
    "retry_policy",
    "task_groups",
    "sensors",
    "notifications",
    "operators.links",
    "triggers",
)
PRICE = """
import json, sys
{compat}
{before}
before = set(sys.modules)
{after}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def brought_in(after: str, before: str = "") -> set[str]:
    """The modules that some imports add to those that other ones have brought in, in a fresh process."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            PRICE.format(compat=COMPAT if "compat.sdk" in before else "", before=before, after=after),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def added() -> set[str]:
    """What the faces together add to Airflow's own."""
    every = ", ".join(f"airflow_provider_aep.{face}" for face in FACES)
    return brought_in(f"import {every}", before=AIRFLOWS_OWN)


def test_a_dag_file_pays_for_no_socket_and_no_schema(added):
    heavy = {"requests", "urllib3", "jsonschema", "aiohttp", "httpx", "pandas", "pyarrow"}
    assert {name for name in added if name.partition(".")[0] in heavy} == set()


def test_a_dag_file_loads_neither_the_hook_nor_what_is_behind_it(added):
    behind = ("hooks", "flowservice.transport", "flowservice.session", "emulator")
    assert [name for name in behind if f"airflow_provider_aep.{name}" in added] == []


def test_each_start_of_a_worker_that_waits_loads_only_what_most_waits_need():
    asked_for = ("hooks", "sensors.wanted", "monitoring.poll", "monitoring.judging")
    loaded = brought_in(
        f"import {', '.join(f'airflow_provider_aep.{each}' for each in asked_for)}",
        # Airflow 2.11 itself loads the triggers with it.
        before="from airflow.providers.common.compat.sdk import BaseHook, BaseOperator, BaseSensorOperator",
    )
    of_some = {
        "flowservice": ("catalogue", "creation", "encryption", "held_logins", "ingestion", "logins"),
        "monitoring": ("attribution", "causes", "explaining", "findings", "history", "timeline"),
    }
    names = {f"airflow_provider_aep.{floor}.{name}" for floor, some in of_some.items() for name in some}
    assert names & loaded == set()
    assert "airflow.triggers.base" not in loaded  # a resumed task has no use for triggers


def test_what_was_measured_are_the_faces(added):
    assert {f"airflow_provider_aep.{face}" for face in FACES} <= added


@pytest.mark.parametrize(
    "light",
    [
        "errors",
        "arguments",
        "times",
        "provider_info",
        "flowservice.exchange",
        "flowservice.transport",
        "monitoring.verdict",
    ],
)
def test_below_the_line_neither_airflow_nor_requests_is_loaded(light):
    loaded = brought_in(f"import airflow_provider_aep.{light}")
    assert {name.partition(".")[0] for name in loaded} & {
        "airflow",
        "requests",
        "jsonschema",
        "pendulum",
    } == set()


def test_provider_info_loads_nothing_at_all():
    loaded = brought_in("import airflow_provider_aep.provider_info", before="import __future__, typing")
    assert loaded == {"airflow_provider_aep", "airflow_provider_aep.provider_info"}


def test_the_transport_loads_requests_only_to_send():
    loaded = brought_in(
        "from airflow_provider_aep.flowservice.transport import RequestsTransport\nRequestsTransport()"
    )
    assert "requests" not in loaded
