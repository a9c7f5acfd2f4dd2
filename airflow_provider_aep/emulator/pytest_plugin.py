"""Fixtures for your own tests: ``pytest_plugins = ["airflow_provider_aep.emulator.pytest_plugin"]``.

Override ``aep_emulator_options`` to set the arguments of ``Emulator``, for instance ``{"root": tmp_path}``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.server import airflow_connection, serve
from airflow_provider_aep.emulator.service import Emulator
from airflow_provider_aep.emulator.task_instance import FakeTaskInstance, context_of

__all__ = ["ServedEmulator"]


@dataclass(frozen=True)
class ServedEmulator:
    """An emulator behind HTTP, and the Airflow connection to it as JSON."""

    url: str
    emulator: Emulator
    connection: str


@pytest.fixture
def aep_emulator_options() -> dict[str, Any]:
    """Arguments of ``Emulator`` for ``aep_emulator``."""
    return {}


@pytest.fixture
def aep_worlds() -> Sequence[str]:
    """Names of worlds for ``aep_emulator``; override it, or parametrize a test with it."""
    return ()


@pytest.fixture
def aep_emulator(aep_emulator_options: dict[str, Any], aep_worlds: Sequence[str]) -> Emulator:
    """An emulator whose time stands still until ``aep_emulator.clock.advance(seconds)``.

    It shows the time at which the test began, because operators use the real clock for the start of a
    schedule.
    """
    return Emulator(**{"clock": Clock(time.time()), "worlds": aep_worlds, **aep_emulator_options})


@pytest.fixture
def aep_context() -> dict[str, Any]:
    """A context for ``execute``; ``aep_context["ti"].pushed("key")`` is what the task pushed to XCom.

    Its DAG run was triggered manually when the test began.
    """
    context = context_of(FakeTaskInstance())
    # Schedules count whole seconds, so a dataflow that starts "now" may start a fraction of one earlier.
    context["dag_run"].run_after = datetime.now(tz=UTC).replace(microsecond=0)
    return context


@pytest.fixture
def aep_server(aep_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedEmulator]:
    """``aep_emulator`` on a free port; ``aep_default`` is the Airflow connection to it."""
    with serve(aep_emulator) as url:
        connection = airflow_connection(aep_emulator, url)
        monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", connection)
        yield ServedEmulator(url, aep_emulator, connection)
