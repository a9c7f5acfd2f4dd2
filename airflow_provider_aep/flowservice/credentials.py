"""As whom we ask, and where: what a connection holds, apart from all that asking takes.

A task that only defers reads its connection and asks nothing, so this loads little.
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
    """Who is asking. Equal credentials share one token.

    :param scopes: comma-separated.
    """

    client_id: str
    client_secret: str = field(repr=False)
    org_id: str
    scopes: str = SCOPES
    token_url: str = TOKEN_URL


def check_url(field: str, url: str) -> str:
    """``url`` without a trailing slash if tokens may travel to it: ``https``, or ``http`` on loopback.

    :raises AepConfigError: it is something else.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.username or parts.password or parts.query or parts.fragment:
        raise AepConfigError(f"{field} must be a URL such as {PLATFORM_URL}, without login or query")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise AepConfigError(f"{field} must use https; http is accepted for the loopback address alone")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
