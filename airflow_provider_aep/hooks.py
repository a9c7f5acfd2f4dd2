"""From an Airflow connection to a conversation with the Flow Service.

``AepHook().run(exchange)`` carries out any function of ``flowservice``, with login, sandbox and repeats::

    from airflow_provider_aep.flowservice.dataflows import list_dataflows

    AepHook("aep_default").run(list_dataflows())
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.providers.common.compat.sdk import BaseHook, conf, mask_secret

from airflow_provider_aep import stats
from airflow_provider_aep.errors import AepConfigError, AepError
from airflow_provider_aep.flowservice.destinations import Destination
from airflow_provider_aep.flowservice.encryption import PublicKey, hold_public_key
from airflow_provider_aep.flowservice.entities import list_entities, mapping
from airflow_provider_aep.flowservice.exchange import Exchange, adrive, drive
from airflow_provider_aep.flowservice.host_files import HostFiles
from airflow_provider_aep.flowservice.logins import Held, hold_login
from airflow_provider_aep.flowservice.private_directory import PARENTS
from airflow_provider_aep.flowservice.session import SCOPES, TOKEN_URL, AepCredentials, AepSession
from airflow_provider_aep.flowservice.transport import PLATFORM_URL, RequestsTransport, check_url
from airflow_provider_aep.flowservice.validation import check_id
from airflow_provider_aep.flowservice.write_guard import Writes, check_writes
from airflow_provider_aep.provider_info import (
    CONN_FIELDS,
    HIDDEN_FIELDS,
    INTEGRATION,
    PLACEHOLDERS,
    RELABELING,
)

T = TypeVar("T")

_SANDBOX = re.compile(r"[a-z0-9][a-z0-9-]{0,255}")
_TENANT = re.compile(r"[@_]*[0-9A-Za-z][0-9A-Za-z._-]{0,255}")
_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True, kw_only=True)
class AepConnection:
    """An Airflow connection of type ``aep``, read and checked."""

    credentials: AepCredentials
    platform_url: str
    sandbox: str
    tenant: str | None
    proxy: str | None = field(repr=False)  # it may hold a login
    ca_bundle: str | None
    writes: Writes

    @classmethod
    def from_airflow(cls, conn: Any, extra: Mapping[str, Any]) -> AepConnection:
        """Read a connection.

        :raises AepConfigError: naming every field that is missing or wrong, and none of the values.
        """
        extra = mapping(extra)
        given = {"login": conn.login, "password": conn.password, "host": _platform_url(conn)}
        given |= {f"extra.{key}": extra.get(key) for key in CONN_FIELDS}
        given["extra.writes"] = _writes_given(extra)
        texts: dict[str, str] = {}
        problems = []
        for place, value in given.items():
            try:
                texts[place] = _checked(place, value)
            except AepConfigError as error:
                problems.append(str(error))
        if problems and conn.conn_type != AepHook.conn_type:
            problems.insert(
                0, f"its type is not {AepHook.conn_type}, so it may be another one, or not copied whole"
            )
        if problems:
            raise AepConfigError(f"Airflow connection {conn.conn_id!r}: {'; '.join(problems)}.")
        return cls(
            credentials=AepCredentials(
                client_id=texts["login"],
                client_secret=texts["password"],
                org_id=texts["extra.org_id"],
                scopes=texts["extra.scopes"].replace(" ", ""),
                token_url=texts["extra.token_url"],
            ),
            platform_url=texts["host"],
            sandbox=texts["extra.sandbox"],
            tenant=texts["extra.tenant"] or None,
            proxy=texts["extra.proxy"] or None,
            ca_bundle=texts["extra.ca_bundle"] or None,
            writes=check_writes("extra.writes", texts["extra.writes"]),
        )


class AepHook(BaseHook):
    """Talks to the Flow Service as the credential of an Airflow connection.

    :param aep_conn_id: the Airflow connection, of type ``aep``.
    :param sandbox: overrides the connection's sandbox.
    """

    conn_name_attr = "aep_conn_id"
    default_conn_name = "aep_default"
    conn_type = "aep"
    hook_name = INTEGRATION

    def __init__(self, aep_conn_id: str = default_conn_name, *, sandbox: str | None = None) -> None:
        super().__init__()
        self.aep_conn_id = aep_conn_id
        # An empty name is refused, as it must not stand for another sandbox.
        self._sandbox = sandbox
        self._connection: AepConnection | None = None

    def get_conn(self) -> AepConnection:
        """The connection, read once.

        :raises AepConfigError: it is incomplete or wrong.
        """
        if self._connection is None:
            conn = self.get_connection(self.aep_conn_id)
            self._connection = AepConnection.from_airflow(conn, conn.extra_dejson)
        return self._connection

    async def aget_conn(self) -> AepConnection:
        """``get_conn`` for the event loop."""
        if self._connection is None:
            conn = await get_async_connection(self.aep_conn_id, hook=self)
            extra = await get_async_extra_dejson(conn)
            self._connection = AepConnection.from_airflow(conn, extra)
        return self._connection

    @property
    def sandbox(self) -> str:
        """The sandbox that every request names."""
        return check_sandbox("sandbox", self.get_conn().sandbox if self._sandbox is None else self._sandbox)

    def in_sandbox(self, sandbox: str) -> AepHook:
        """A hook with the same connection, which is not read again, for another sandbox.

        :raises AepConfigError: the connection is incomplete or wrong.
        """
        there = type(self)(self.aep_conn_id, sandbox=sandbox)
        there._connection = self.get_conn()
        return there

    def run(self, exchange: Exchange[T]) -> T:
        """Carry out an exchange.

        :raises AepError: what the service, the network or the check of an argument said.
        """
        session, transport = _shared(self.get_conn())
        conducted = session.conduct(exchange, sandbox=self.sandbox, conn_id=self.aep_conn_id)
        return drive(conducted, transport)

    async def arun(self, exchange: Exchange[T]) -> T:
        """Carry out an exchange without holding up the event loop."""
        session, transport = _shared(await self.aget_conn())
        conducted = session.conduct(exchange, sandbox=self.sandbox, conn_id=self.aep_conn_id)
        return await adrive(conducted, transport)

    def dataflow_url(self, dataflow_id: str) -> str:
        """The page of a dataflow in the Platform UI."""
        # Assumed: Adobe documents the address up to /platform/; the rest is what its UI showed.
        tenant = self.get_conn().tenant
        organization = f"@{tenant.lstrip('@_')}/" if tenant else ""
        return (
            f"https://experience.adobe.com/#/{organization}sname:{self.sandbox}"
            f"/platform/destination/browse/{check_id('dataflow_id', dataflow_id)}"
        )

    def destination_login(self, destination: Destination, credentials_conn_id: str | None) -> Held | None:
        """What a second Airflow connection holds to log in to a destination; ``None`` where none is taken.

        Adobe's live spec is asked where the login is sent.

        :raises AepConfigError: the destination needs a connection and got none, or the other way round.
        :raises AepValidationError: the connection holds two logins, or one that can never work.
        """
        if not credentials_conn_id:
            if not destination.takes_login:
                return None
            raise AepConfigError(
                f"{destination.title} needs credentials_conn_id: a connection with its login"
            )
        conn = self.get_connection(credentials_conn_id)
        return hold_login(destination, _fields(conn), conn_id=credentials_conn_id)

    def public_key(self, encryption_conn_id: str) -> PublicKey:
        """The public key that an Airflow connection holds, for the encryption of files.

        :raises AepValidationError: it holds none, or a private one.
        """
        conn = self.get_connection(encryption_conn_id)
        extra = {f"extra.{key}": value for key, value in mapping(conn.extra_dejson).items()}
        return hold_public_key(extra, conn_id=encryption_conn_id)

    def test_connection(self) -> tuple[bool, str]:
        """Log in and read one page of dataflows, which needs org, sandbox and permissions to be right."""
        try:
            self.run(list_entities("/flows", page_size=1, enough=lambda found: True))
        except AepError as error:
            return False, str(error)
        return True, f"Logged in; sandbox {self.sandbox!r} answers."

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """The standard fields of the connection form, for Airflow before 3.2."""
        return {"hidden_fields": HIDDEN_FIELDS, "relabeling": RELABELING, "placeholders": PLACEHOLDERS}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The further fields of the connection form, for Airflow before 3.2."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import StringField

        return {
            name: StringField(
                field["label"],
                description=field["description"],
                default=field["schema"].get("default"),
                widget=BS3TextFieldWidget(),
            )
            for name, field in CONN_FIELDS.items()
        }


def check_sandbox(field: str, name: object) -> str:
    """``name`` if it can be a sandbox's.

    :raises AepConfigError: it cannot.
    """
    if not isinstance(name, str) or not _SANDBOX.fullmatch(name):
        raise AepConfigError(f"{field} must be a sandbox name: lower-case letters, digits and hyphens")
    return name


def _check_org_id(field: str, org_id: str) -> str:
    if not org_id.endswith("@AdobeOrg") or any(map(str.isspace, org_id)):
        raise AepConfigError(f"{field} must end in @AdobeOrg")
    return org_id


def _check_tenant(field: str, tenant: str) -> str:
    if not _TENANT.fullmatch(tenant):
        raise AepConfigError(f"{field} must be a tenant name: letters, digits, '-', '_' and '.'")
    return tenant


def _check_proxy(field: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in _PROXY_SCHEMES or any(map(str.isspace, url)):
        raise AepConfigError(f"{field} must be a URL such as http://proxy.example:3128")
    return url


def _check_ca_bundle(field: str, path: str) -> str:
    if not os.path.exists(path):  # noqa: PTH110 - its sibling in pathlib raises for a text that is too long
        raise AepConfigError(f"{field} names a file that does not exist on this machine")
    return path


_REQUIRED = {
    "login": "login (client id)",
    "password": "password (client secret)",
    "extra.org_id": "extra.org_id",
}
_DEFAULTS = {"extra.sandbox": "prod", "extra.scopes": SCOPES, "extra.token_url": TOKEN_URL}
_RULES: Mapping[str, Callable[[str, str], str]] = {
    "host": check_url,
    "extra.token_url": check_url,
    "extra.org_id": _check_org_id,
    "extra.sandbox": check_sandbox,
    "extra.tenant": _check_tenant,
    "extra.proxy": _check_proxy,
    "extra.ca_bundle": _check_ca_bundle,
}


def _checked(place: str, given: object) -> str:
    """A field of the connection as text, empty where nothing is given and nothing needed.

    :raises AepConfigError: naming place and rule, and never the value.
    """
    if place == "extra.writes":  # before any default: whoever left it empty may have meant "none"
        return check_writes(place, given)
    value = given or _DEFAULTS.get(place, "")
    if not value and place in _REQUIRED:
        raise AepConfigError(f"{_REQUIRED[place]} is missing")
    if not isinstance(value, str):
        raise AepConfigError(f"{place} must be a text")
    if not value.isprintable():
        raise AepConfigError(f"{place} must not contain line breaks or control characters")
    if place in _REQUIRED and max(value) > "\xff":  # they travel in headers
        raise AepConfigError(f"{place} must not contain characters outside Latin-1")
    return _RULES[place](place, value) if value and place in _RULES else value


def _writes_given(extra: Mapping[str, Any]) -> object:
    """What the extra says of ``writes``, also where the name of the option is spelt ``Writes``."""
    given = [value for key, value in extra.items() if str(key).strip().lower() == "writes"]
    return given[0] if len(given) == 1 else given or "all"


# A session that nobody has asked for in so many seconds goes when a new one comes: its secret may have been
# rotated.
IDLE = 600.0


@dataclass(slots=True)
class _Shared:
    session: AepSession
    transport: RequestsTransport
    used_at: float


_sessions: dict[tuple[Any, ...], _Shared] = {}
_sessions_lock = threading.Lock()


def _start_afresh() -> None:
    """A forked task must not share its parent's sockets, nor wait for what only the parent's threads do."""
    global _sessions_lock
    _sessions.clear()
    _sessions_lock = threading.Lock()


os.register_at_fork(after_in_child=_start_afresh)


def _shared(connection: AepConnection) -> tuple[AepSession, RequestsTransport]:
    """One session, hence one token, and one pool of sockets for a process and credential."""
    # Each field that shapes session or transport; without ``writes`` one connection would lend its leave.
    key = (
        connection.credentials,
        connection.platform_url,
        connection.proxy,
        connection.ca_bundle,
        connection.writes,
    )
    # Without the lock: Airflow may suspend a trigger in its functions, and the next caller, in the same
    # thread, would wait for the lock for good.
    shared = _sessions.get(key) or _new_session(connection)
    now = time.monotonic()
    with _sessions_lock:
        if key not in _sessions:
            for old in [each for each, held in _sessions.items() if now - held.used_at > IDLE]:
                del _sessions[old]
        shared = _sessions.setdefault(key, shared)
        shared.used_at = now
    return shared.session, shared.transport


def _new_session(connection: AepConnection) -> _Shared:
    # Airflow masks the password and what is called a secret; a proxy's login is neither.
    if proxy_password := urlsplit(connection.proxy or "").password:
        mask_secret(proxy_password)
    session = AepSession(
        connection.credentials,
        writes=connection.writes,
        files=_host_files(connection),
        on_token=mask_secret,
        on_event=stats.counted,
    )
    transport = RequestsTransport(
        connection.platform_url, proxy=connection.proxy, ca_bundle=connection.ca_bundle
    )
    return _Shared(session, transport, time.monotonic())


def _host_files(connection: AepConnection) -> HostFiles | None:
    """What the processes of this host share of a credential; ``None`` where that is switched off.

    :raises AepConfigError: the directory that Airflow's configuration names cannot be one.
    """
    if not conf.getboolean("aep", "share_tokens", fallback=True):
        return None
    place = conf.get("aep", "share_directory", fallback="")
    if place and not Path(place).is_absolute():
        raise AepConfigError("[aep] share_directory must be an absolute path, as processes start anywhere")
    who = connection.credentials
    return HostFiles(
        who.client_secret,
        (who.token_url, who.client_id, who.scopes, who.org_id),
        platform_url=connection.platform_url,
        parents=(place,) if place else PARENTS,
    )


def _platform_url(conn: Any) -> str:
    host = str(conn.host or PLATFORM_URL)
    # a connection given as a URI holds host, port and scheme apart
    port = f":{conn.port}" if conn.port else ""
    return f"{host}{port}" if "://" in host else f"{conn.schema or 'https'}://{host}{port}"


def _fields(conn: Any) -> dict[str, Any]:
    """The fields of a destination's connection, its extras as ``extra.<key>``."""
    fields = {"host": conn.host, "login": conn.login, "password": conn.password}
    for key, value in mapping(conn.extra_dejson).items():
        # older connections say extra__wasb__tenant_id
        name = f"extra.{key.split('__')[-1]}"
        fields[name] = value
        fields |= {f"{name}.{inner}": held for inner, held in mapping(value).items()}
    if conn.port and conn.port != 22 and conn.conn_type in ("sftp", "ssh"):
        raise AepConfigError(
            f"Airflow connection {conn.conn_id!r}: port must be 22 or left out: Adobe's SFTP destination "
            "knows no other"
        )
    if fields.get("extra.private_key_passphrase"):
        raise AepConfigError(
            f"Airflow connection {conn.conn_id!r}: extra.private_key_passphrase: Adobe cannot use a private "
            "key with a passphrase: give a key without one"
        )
    key_file = fields.get("extra.key_file")
    if key_file and not fields.get("extra.private_key"):
        try:
            fields["extra.private_key"] = Path(key_file).read_text()
        except (OSError, TypeError, ValueError) as error:  # no text, or a text that can be no path
            raise AepConfigError(
                f"Airflow connection {conn.conn_id!r}: extra.key_file cannot be read "
                f"({type(error).__name__}): the file must exist on each machine that uses the connection"
            ) from None
    return fields
