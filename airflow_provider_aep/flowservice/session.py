"""Everything around a request that every request needs: token, headers, repeats, and judging the status.

One session serves a whole process for one credential, in as many threads and sandboxes as ask. It does no
I/O: like any exchange it yields requests and pauses.

Units: seconds. The token's ``expires_in`` is in seconds too (the retired JWT exchange gave milliseconds).

Sources: "Server-to-server authentication" and "Authenticate and access Experience Platform APIs" for the
token and the headers, "Experience Platform FAQ and troubleshooting" for gateway codes; read 2026-11.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from airflow_provider_aep.errors import (
    AepApiError,
    AepAuthError,
    AepNotFoundError,
    AepPreconditionError,
    AepRateLimitError,
    AepServerError,
    AepTransportError,
)
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Request, Response, conduct

T = TypeVar("T")

TOKEN_URL = "https://ims-na1.adobelogin.com/ims/token/v3"
SCOPES = "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session"

TRIES = 5
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
RENEW_EARLY = 600.0
# How long one caller may hold the right to fetch the token before another one tries.
CLAIM = 120.0
LONGEST_MESSAGE = 300

PERMISSIONS = (
    "The credential needs View Destinations, View Datasets and Manage and Activate Dataset Destinations "
    "in this sandbox."
)
# code -> what to do about it
HINTS = {
    "403000": "Check the login (client id) of the Airflow connection.",
    "403003": "Check the login (client id) of the Airflow connection.",
    "400003": "Check org_id in the Airflow connection's extra.",
    "403025": "The credential is not entitled for that org_id.",
    "403027": "Check org_id in the extra, and that the credential has a Platform product profile.",
    "invalid_client": "Check login (client id) and password (client secret) of the Airflow connection.",
    "invalid_scope": "Check scopes in the extra: only scopes granted to the credential are accepted.",
    "2000": "Check org_id in the Airflow connection's extra.",
    "2100": "Check the sandbox: the organization has none of that name.",
    "1418": "Delete the dataflows that use it first.",
    "1447": "Delete the dataflows that use it first.",
}


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


@dataclass(slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float


class AepSession:
    """A logged-in conversation for one credential.

    :param now: the clock, in epoch seconds.
    :param jitter: a number from 0 to 1 that stretches each pause, so that many callers spread.
    :param on_token: told each fetched token, to have it masked in logs.
    """

    def __init__(
        self,
        credentials: AepCredentials,
        *,
        now: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
        on_token: Callable[[str], object] = lambda token: None,
    ) -> None:
        self.credentials = credentials
        self._now, self._jitter, self._on_token = now, jitter, on_token
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._claimed_until = 0.0
        self._kept: dict[tuple[str, str], Response] = {}

    def conduct(self, exchange: Exchange[T], *, sandbox: str) -> Exchange[T]:
        """The exchange, each of its requests authenticated, repeated where that is safe, and judged.

        :raises AepApiError: inside the exchange, for an answer that no repeat could mend.
        :raises AepTransportError: inside the exchange, when no answer came.
        """
        return conduct(exchange, lambda request: self._ask(request, sandbox))

    def _ask(self, request: Request, sandbox: str) -> Exchange[Response]:
        key = (sandbox, request.path)
        if request.keep and key in self._kept:
            return self._kept[key]
        token = yield from self._valid_token()
        try:
            answer = yield from self._persist(self._signed(request, sandbox, token))
        except AepApiError as refusal:
            if not _token_was_refused(refusal):
                raise
            self._forget(token)
            token = yield from self._valid_token()
            answer = yield from self._persist(self._signed(request, sandbox, token))
        if request.keep:
            self._kept[key] = answer
        return answer

    def _signed(self, request: Request, sandbox: str, token: str) -> Request:
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {token}",
            "x-api-key": self.credentials.client_id,
            "x-gw-ims-org-id": self.credentials.org_id,
            # Always sent, as some documents call it optional and others refuse without it. Its sibling
            # x-sandbox-id is never sent: the service refuses it together with a user token.
            "x-sandbox-name": sandbox,
        }
        if request.json is not None:
            headers["Content-Type"] = "application/json"
        return replace(request, headers={**headers, **request.headers})

    def _valid_token(self) -> Exchange[str]:
        """The current token; when there is none, one caller fetches it and the others wait."""
        while True:
            with self._lock:
                now = self._now()
                if self._token is not None and now < self._token.renew_at:
                    return self._token.value
                if claimed := now >= self._claimed_until:
                    self._claimed_until = now + CLAIM
            if claimed:
                break
            yield Pause(0.05)
        try:
            token = yield from self._fetch_token()
            self._on_token(token.value)
            with self._lock:
                self._token = token
            return token.value
        finally:
            self._claimed_until = 0.0

    def _fetch_token(self) -> Exchange[_Token]:
        asked_at = self._now()
        request = Request(
            "POST",
            self.credentials.token_url,
            headers={"Accept": "application/json"},
            # In the body, not the query: queries end up in access logs.
            form={
                "grant_type": "client_credentials",
                "client_id": self.credentials.client_id,
                "client_secret": self.credentials.client_secret,
                "scope": self.credentials.scopes,
            },
        )
        answer = (yield from self._persist(request)).json
        value, lasts = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(value, str) or not value or not isinstance(lasts, int | float):
            raise AepAuthError(
                doing=str(request), status=200, message="the answer holds no access_token and expires_in"
            )
        # A token that lives shorter than we renew early is used for half of its life.
        return _Token(value, asked_at + max(lasts - RENEW_EARLY, lasts / 2))

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token is not None and self._token.value == token:
                self._token = None

    def _persist(self, request: Request) -> Exchange[Response]:
        """Send until there is an answer worth returning, as often as it is safe and polite."""
        for attempt in range(1, TRIES + 1):
            try:
                answer = yield request
                failure = self._failure(request, answer)
            except AepTransportError as error:
                if attempt == TRIES or (error.sent and not _repeatable(request)):
                    raise
                yield Pause(self._backoff(attempt))
                continue
            if failure is None:
                return answer
            pause = self._pause_before_repeat(request, failure, attempt)
            if pause is None or attempt == TRIES:
                raise failure
            yield Pause(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    def _pause_before_repeat(self, request: Request, failure: AepApiError, attempt: int) -> float | None:
        if isinstance(failure, AepRateLimitError):  # refused at the door: even a POST did nothing
            asked = failure.retry_after
            if asked is None:
                return self._backoff(attempt)
            # Longer than we may hold a worker: the error carries the number to whoever can wait.
            return asked if asked <= LONGEST_PAUSE else None
        if isinstance(failure, AepServerError) and _repeatable(request):
            return max(self._backoff(attempt), min(failure.retry_after or 0.0, LONGEST_PAUSE))
        return None

    def _backoff(self, attempt: int) -> float:
        pause: float = FIRST_PAUSE * 2 ** (attempt - 1) * (1 + self._jitter() / 2)
        return min(pause, LONGEST_PAUSE)

    def _failure(self, request: Request, answer: Response) -> AepApiError | None:
        if answer.status < 300:
            if answer.body and not isinstance(answer.json, dict):
                # A login page, or a body cut short: what the service did is as unknown as without an answer.
                raise AepTransportError(f"{request}: the answer is not a JSON document", sent=True)
            return None
        body: dict[str, Any] = answer.json if isinstance(answer.json, dict) else {}
        report: dict[str, Any] = body["report"] if isinstance(body.get("report"), dict) else {}
        code = _code(body)
        kind = _KINDS.get(answer.status, AepServerError if answer.status >= 500 else AepApiError)
        if request.form is not None and answer.status in (400, 401):
            kind = AepAuthError  # the token endpoint refuses a wrong secret with 400
        number = code.split("-")[1] if code and code.startswith("FLOW-") else code
        hint = HINTS.get(number or "")
        if hint is None and answer.status == 403:
            hint = PERMISSIONS
        return kind(
            doing=str(request),
            status=answer.status,
            message=_message(answer, body, report, self._secrets_of(request)),
            code=code,
            request_id=report.get("request-id") or answer.headers.get("x-request-id"),
            retry_after=_retry_after(answer.headers.get("retry-after"), self._now()),
            hint=hint,
        )

    def _secrets_of(self, request: Request) -> list[str]:
        """What a refusal could quote back to us and no message may repeat."""
        secrets = [self.credentials.client_secret, request.headers.get("Authorization", "").split(" ")[-1]]
        body = request.json if isinstance(request.json, dict) else {}
        login = body.get("auth") or {}
        return [*secrets, *map(str, login.get("params", {}).values())]


_KINDS: dict[int, type[AepApiError]] = {
    401: AepAuthError,
    403: AepAuthError,
    404: AepNotFoundError,
    412: AepPreconditionError,
    429: AepRateLimitError,
}


def _repeatable(request: Request) -> bool:
    """Whether sending it twice does no more than sending it once: all but a POST that creates."""
    return request.method != "POST" or request.form is not None


def _token_was_refused(refusal: AepApiError) -> bool:
    # 2114 and 2115 are the service's own words, in a 400, for a token that its gateway let pass.
    return refusal.status == 401 or bool(refusal.code and refusal.code.startswith(("FLOW-2114", "FLOW-2115")))


def _code(body: dict[str, Any]) -> str | None:
    """Adobe's code: gateway, Flow Service or token endpoint; a number or a text, depending on the source."""
    named = body.get("error_code") or body.get("error")
    if named is not None:
        return str(named)
    kind = str(body.get("type") or "")
    return kind.rsplit("/", 1)[-1] if "/errors/" in kind else None


def _message(answer: Response, body: dict[str, Any], report: dict[str, Any], secrets: list[str]) -> str:
    if 300 <= answer.status < 400:
        return "the address redirects; a redirect is never followed, as it would carry the token away"
    candidates = (
        report.get("detailed-message"),
        *(body.get(key) for key in ("errorMessage", "detail", "message", "error_description", "title")),
        body.get("error"),
        answer.body[:2000].decode(errors="replace"),
    )
    text = next((str(found) for found in candidates if found), "no message")
    # Blotted out first: cut in two, or with other blanks, a secret would not be recognized.
    text = " ".join(_without(text, secrets).split())
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."


def _without(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        if len(secret) >= 4:  # shorter ones would blot out ordinary words
            text = text.replace(secret, "***")
    return text


def _retry_after(header: str | None, now: float) -> float | None:
    """Seconds to wait, from either form of the header; ``None`` when it says nothing usable."""
    if not header:
        return None
    try:
        return max(0.0, float(int(header)))
    except ValueError:
        pass  # the other form is a date
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except ValueError:
        return None
