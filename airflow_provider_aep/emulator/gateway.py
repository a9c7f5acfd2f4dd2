"""Adobe's front door: access tokens, and the headers that every call needs.

``expires_in`` is in seconds.

Source: OAuth Server-to-Server guide (the token request), Platform troubleshooting guide (the gateway's
codes and exact words), Flow Service error table (the sandbox header's codes).
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.replies import Refusal, flow_error, gateway_error, reply
from airflow_provider_aep.flowservice.exchange import Response

ORG_ID = re.compile(r"[0-9A-Za-z]+@AdobeOrg")
# Source: Query Service guide and the authentication guide: the scopes on an Experience Platform credential.
SCOPES = {
    "openid",
    "AdobeID",
    "read_organizations",
    "additional_info.projectedProductContext",
    "additional_info.roles",
    "session",
}
DEFAULT_SANDBOX = "prod"


class Gateway:
    """Issues tokens, and refuses calls without one or without a required header."""

    def __init__(
        self,
        *,
        clock: Clock,
        dice: random.Random,
        org_id: str,
        client_id: str,
        client_secret: str,
        token_seconds: float,
        sandboxes: Mapping[str, str],
    ) -> None:
        self._clock, self._dice = clock, dice
        self._org_id, self._client_id, self._client_secret = org_id, client_id, client_secret
        self._token_seconds, self._sandboxes = token_seconds, sandboxes
        self._tokens: dict[str, float] = {}

    def token(self, form: Mapping[str, str]) -> Response:
        # Source: OAuth Server-to-Server guide. Assumed: 400, as other clients report; the standard would
        # also allow 401.
        if form.get("grant_type") != "client_credentials":
            raise _login_error("invalid_request", "grant_type must be client_credentials")
        if form.get("client_id") != self._client_id:
            raise _login_error("invalid_client", "invalid client_id parameter")
        if form.get("client_secret") != self._client_secret:
            raise _login_error("invalid_client", "invalid client_secret parameter")
        # The parameter is "scope"; the "scopes" of older documents is ignored.
        wanted = {scope.strip() for scope in form.get("scope", "").split(",")}
        if not wanted <= SCOPES:
            raise _login_error("invalid_scope", "the scopes are not on the credential")
        token = f"emulated.{self._dice.getrandbits(160):040x}"
        now = self._clock()
        self._tokens = {held: until for held, until in self._tokens.items() if until > now}
        self._tokens[token] = now + self._token_seconds
        return reply(
            200, {"access_token": token, "token_type": "bearer", "expires_in": int(self._token_seconds)}
        )

    def expire_tokens(self) -> None:
        self._tokens.clear()

    def check(self, headers: Mapping[str, str]) -> None:
        """Refuse a call without login, key or organization.

        Assumed: the order of the checks; the guide lists the codes without one.
        """
        kind, _, token = headers.get("authorization", "").partition(" ")
        if not token.strip() or kind.lower() != "bearer":
            raise gateway_error("403010", "Oauth token is missing.")
        if not headers.get("x-api-key"):
            raise gateway_error("403000", "Api Key is required")
        if not headers.get("x-gw-ims-org-id"):
            raise gateway_error("400003", "Missing header")
        if headers["x-api-key"] != self._client_id:
            raise gateway_error("403003", "Api Key is invalid")
        if self._tokens.get(token.strip(), 0) <= self._clock():
            # Source: Platform troubleshooting guide: one code for a bad and for an expired token.
            raise gateway_error("401013", "Oauth token is not valid")
        if not ORG_ID.fullmatch(headers["x-gw-ims-org-id"]):
            raise gateway_error("403027", "User region is missing")
        if headers["x-gw-ims-org-id"] != self._org_id:
            raise gateway_error("403025", "Profile is not valid")

    def sandbox(self, headers: Mapping[str, str]) -> str:
        if "x-sandbox-id" in headers:
            # Source: Flow Service error table.
            raise flow_error(2110, 400, "The x-sandbox-id header is not allowed with a user token")
        # Source: "Update destination dataflows" guide: without the header, the sandbox is prod.
        name = headers.get("x-sandbox-name") or DEFAULT_SANDBOX
        if name == "*":
            raise flow_error(2111, 403, "A query across sandboxes is not allowed with a user token")
        if name not in self._sandboxes:
            raise flow_error(2100, 404, f"The sandbox {name} is not found")
        return name


def _login_error(error: str, description: str) -> Refusal:
    return Refusal(400, {"error": error, "error_description": description})
