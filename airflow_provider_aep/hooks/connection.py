"""An Airflow connection of type ``aep``, and of a destination's storage, read and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_aep.errors import AepConfigError
from airflow_provider_aep.flowservice.credentials import (
    PLATFORM_URL,
    SCOPES,
    TOKEN_URL,
    AepCredentials,
    check_url,
)
from airflow_provider_aep.flowservice.documents import mapping
from airflow_provider_aep.flowservice.validation import check_sandbox
from airflow_provider_aep.flowservice.write_guard import Writes, check_writes
from airflow_provider_aep.provider_info import (
    CONN_FIELDS,
)

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

        :raises AepConfigError: names every missing or wrong field, and no values.
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
        if problems and conn.conn_type != "aep":
            problems.insert(0, "its type is not aep, so it may be another connection, or an incomplete copy")
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
    if not os.path.exists(path):  # noqa: PTH110 - pathlib raises for a text that is too long
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
    """A field of the connection as text; empty if it is not given and not required.

    :raises AepConfigError: names place and rule, never the value.
    """
    if place == "extra.writes":  # before any default: an author who left it empty may have meant "none"
        return check_writes(place, given)
    value = given or _DEFAULTS.get(place, "")
    if not value and place in _REQUIRED:
        raise AepConfigError(f"{_REQUIRED[place]} is missing")
    if not isinstance(value, str):
        raise AepConfigError(f"{place} must be a text")
    if not value.isprintable():
        raise AepConfigError(f"{place} must not contain line breaks or control characters")
    if place in _REQUIRED and max(value) > "\xff":  # these fields are sent in headers
        raise AepConfigError(f"{place} must not contain characters outside Latin-1")
    return _RULES[place](place, value) if value and place in _RULES else value


def _writes_given(extra: Mapping[str, Any]) -> object:
    """The option ``writes`` of the extra, also if its name is spelt ``Writes``."""
    given = [value for key, value in extra.items() if str(key).strip().lower() == "writes"]
    return given[0] if len(given) == 1 else given or "all"


def _platform_url(conn: Any) -> str:
    host = str(conn.host or PLATFORM_URL)
    # a connection given as a URI holds host, port and scheme separately
    port = f":{conn.port}" if conn.port else ""
    return f"{host}{port}" if "://" in host else f"{conn.schema or 'https'}://{host}{port}"


def login_fields(conn: Any) -> dict[str, Any]:
    """The fields of a destination's connection, its extras as ``extra.<key>``."""
    fields = {"host": conn.host, "login": conn.login, "password": conn.password}
    for key, value in mapping(conn.extra_dejson).items():
        # older connections have names such as extra__wasb__tenant_id
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
        except (OSError, TypeError, ValueError) as error:  # no text, or a text that cannot be a path
            raise AepConfigError(
                f"Airflow connection {conn.conn_id!r}: extra.key_file cannot be read "
                f"({type(error).__name__}): the file must exist on each machine that uses the connection"
            ) from None
    return fields
