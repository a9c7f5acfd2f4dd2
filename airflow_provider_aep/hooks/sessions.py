"""The sessions of a process: one token and one pool of sockets for each credential."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from airflow_provider_aep._airflow import conf
from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.flowservice.driving import adrive, drive
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.host_files import HostFiles
from airflow_provider_aep.flowservice.private_directory import PARENTS
from airflow_provider_aep.flowservice.session import AepSession
from airflow_provider_aep.flowservice.transport import RequestsTransport
from airflow_provider_aep.hooks import metrics
from airflow_provider_aep.hooks.connection import AepConnection
from airflow_provider_aep.hooks.masking import mask

T = TypeVar("T")

# A session unused for this many seconds is dropped when a new one is made: its secret may have been rotated.
IDLE = 600.0


@dataclass(slots=True)
class _Shared:
    session: AepSession
    transport: RequestsTransport
    used_at: float


_sessions: dict[tuple[Any, ...], _Shared] = {}
_sessions_lock = threading.Lock()


def _start_afresh() -> None:
    """A forked task must not share its parent's sockets, nor wait for a lock that a parent's thread holds."""
    global _sessions_lock
    _sessions.clear()
    _sessions_lock = threading.Lock()


os.register_at_fork(after_in_child=_start_afresh)


def shared_session(connection: AepConnection) -> tuple[AepSession, RequestsTransport]:
    """The session, and so the token, and the pool of sockets of a credential in this process."""
    # Every field that shapes session or transport; without ``writes`` a connection could use the permission
    # of another.
    key = (
        connection.credentials,
        connection.platform_url,
        connection.proxy,
        connection.ca_bundle,
        connection.writes,
    )
    # Outside the lock: Airflow's functions may suspend a trigger, and the next caller, in the same thread,
    # would then wait for the lock for ever.
    shared = _sessions.get(key) or _new_session(connection)
    now = time.monotonic()
    with _sessions_lock:
        if key not in _sessions:
            for idle in [other for other, held in _sessions.items() if now - held.used_at > IDLE]:
                del _sessions[idle]
        shared = _sessions.setdefault(key, shared)
        shared.used_at = now
    return shared.session, shared.transport


def converse(exchange: Exchange[T], connection: AepConnection, *, sandbox: str, conn_id: str) -> T:
    """Carry out an exchange in this thread.

    :param conn_id: the id of the connection, which errors name.
    """
    session, transport = shared_session(connection)
    return drive(session.conduct(exchange, sandbox=sandbox, conn_id=conn_id), transport)


async def aconverse(exchange: Exchange[T], connection: AepConnection, *, sandbox: str, conn_id: str) -> T:
    """``converse`` without holding up the event loop."""
    session, transport = shared_session(connection)
    return await adrive(session.conduct(exchange, sandbox=sandbox, conn_id=conn_id), transport)


def _new_session(connection: AepConnection) -> _Shared:
    # Airflow masks passwords and extras named like a secret, but not the login in a proxy's URL.
    if proxy_password := urlsplit(connection.proxy or "").password:
        mask(proxy_password)
    session = AepSession(
        connection.credentials,
        writes=connection.writes,
        files=_host_files(connection),
        on_token=mask,
        on_event=metrics.counted,
    )
    transport = RequestsTransport(
        connection.platform_url, proxy=connection.proxy, ca_bundle=connection.ca_bundle
    )
    return _Shared(session, transport, time.monotonic())


def _host_files(connection: AepConnection) -> HostFiles | None:
    """The files that the processes of this host share for a credential; ``None`` if sharing is switched off.

    :raises AepConfigError: Airflow's configuration names a directory that is not absolute.
    """
    if not conf.getboolean("aep", "share_tokens", fallback=True):
        return None
    place = conf.get("aep", "share_directory", fallback="")
    if place and not Path(place).is_absolute():
        raise AepConfigError(
            "[aep] share_directory must be an absolute path, because processes start in different directories"
        )
    credentials = connection.credentials
    return HostFiles(
        credentials.client_secret,
        (credentials.token_url, credentials.client_id, credentials.scopes, credentials.org_id),
        platform_url=connection.platform_url,
        parents=(place,) if place else PARENTS,
    )
