"""What all tests share: the emulator in process, and a clock that waits in no time.

Airflow reads its configuration and creates files while it is imported, so its home is set here, before
any test imports it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

_home = tempfile.mkdtemp(prefix="aep-tests-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
for name in [name for name in os.environ if name.startswith(("AIRFLOW", "_AIRFLOW"))]:
    del os.environ[name]
os.environ.update(
    AIRFLOW_HOME=_home,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    # Tests must not find one another's tokens; those of sharing have directories of their own.
    AIRFLOW__AEP__SHARE_TOKENS="False",
    AIRFLOW__CORE__DAGS_FOLDER=f"{_home}/dags",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_home}/airflow.db",
)
Path(_home, "dags").mkdir()

from hypothesis import settings  # noqa: E402

from airflow_provider_aep.emulator import Clock, Emulator  # noqa: E402
from airflow_provider_aep.flowservice.driving import drive  # noqa: E402
from airflow_provider_aep.flowservice.exchange import Exchange  # noqa: E402
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession  # noqa: E402
from tests import older_compat  # noqa: E402

older_compat.stand_in()

T = TypeVar("T")

# No test fails because the machine is busy.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture
def clock() -> Clock:
    """Time that moves only when it is told to, or when somebody pauses; it starts at today's.

    Operators ask the real clock what "now" is, so the emulator's must agree with it.
    """
    return Clock(float(int(time.time())))


@pytest.fixture
def emulator(clock: Clock) -> Emulator:
    return Emulator(clock=clock)


@dataclass
class Conversation:
    """``run(exchange)``: carries it out against the emulator, and notes the pauses in place of sleeping."""

    emulator: Emulator
    session: AepSession
    sandbox: str = "prod"
    pauses: list[float] = field(default_factory=list)

    def __call__(self, exchange: Exchange[T]) -> T:
        return drive(self.session.conduct(exchange, sandbox=self.sandbox), self.emulator, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.emulator.clock.advance(seconds)


@pytest.fixture
def credentials(emulator: Emulator) -> AepCredentials:
    return AepCredentials(
        client_id=emulator.client_id, client_secret=emulator.client_secret, org_id=emulator.org_id
    )


@pytest.fixture
def tokens() -> list[str]:
    """Every token that was handed out for masking."""
    return []


@pytest.fixture
def run(emulator: Emulator, credentials: AepCredentials, clock: Clock, tokens: list[str]) -> Conversation:
    session = AepSession(credentials, now=clock, jitter=lambda: 0.0, on_token=tokens.append)
    return Conversation(emulator, session)


@pytest.fixture
def aep(emulator: Emulator, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """``aep_default`` is a connection to the emulator, with no socket between and no sleep in a pause.

    It is put where the transport would be, the one seam that a hook has to the outside.
    """
    from airflow_provider_aep.emulator.server import airflow_connection
    from airflow_provider_aep.hooks import sessions

    def unslept(exchange: Exchange[Any], transport: Any) -> Any:
        return drive(exchange, transport, clock.advance)

    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", airflow_connection(emulator, "http://127.0.0.1:1"))
    monkeypatch.setattr(sessions, "RequestsTransport", lambda *_, **__: emulator)
    monkeypatch.setattr(sessions, "AepSession", partial(AepSession, now=clock))
    monkeypatch.setattr(sessions, "drive", unslept)
    sessions._sessions.clear()
    yield emulator
    sessions._sessions.clear()
