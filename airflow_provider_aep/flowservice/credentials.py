"""Who sends requests, and where to: what a connection holds, apart from the code that sends them.

A task that only defers reads its connection and sends nothing, so this module imports little.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from airflow_provider_aep.errors import AepConfigError

PLATFORM_URL = "https://platform.adobe.io"
TOKEN_URL = "https://ims-na1.adobelogin.com/ims/token/v3"
SCOPES = "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session"


@dataclass(frozen=True, slots=True, kw_only=True)
class AepCredentials:
    """Who sends requests. Equal credentials share one token.

    :param scopes: comma-separated.
    """

    client_id: str
    client_secret: str = field(repr=False)
    org_id: str
    scopes: str = SCOPES
    token_url: str = TOKEN_URL


def check_url(field: str, url: str) -> str:
    """``url`` without a trailing slash, if tokens may be sent to it: ``https``, or ``http`` on loopback.

    :raises AepConfigError: it is any other URL.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.username or parts.password or parts.query or parts.fragment:
        raise AepConfigError(f"{field} must be a URL such as {PLATFORM_URL}, without login or query")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise AepConfigError(f"{field} must use https; http is accepted for the loopback address only")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
