"""From an HTTP response to a typed error: Adobe's errors have four shapes, its token endpoint's a fifth.

Sources: "Experience Platform FAQ and troubleshooting" (the gateway), "Flow Service errors", "Access labels"
(the current shape), the Destinations API reference (the legacy shape), "Server-to-server authentication"
(the token endpoint); read 2026-11.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus

from airflow_provider_aep.errors import (
    AepApiError,
    AepAuthError,
    AepNotFoundError,
    AepPreconditionError,
    AepRateLimitError,
    AepServerError,
    AepTransportError,
)
from airflow_provider_aep.flowservice.exchange import Request, Response
from airflow_provider_aep.flowservice.validation import NOT_A_NAME, looks_like_a_name

LONGEST_MESSAGE = 300
SHORTEST_SECRET = 4  # masking shorter ones would hide parts of ordinary words

_ONE_DATAFLOW = re.compile(r"/flows/([^/?]+)")
_KINDS: dict[int, type[AepApiError]] = {
    401: AepAuthError,
    403: AepAuthError,
    404: AepNotFoundError,
    410: AepNotFoundError,
    # The request arrived too late or too early: a retry may succeed.
    408: AepServerError,
    425: AepServerError,
    412: AepPreconditionError,
    429: AepRateLimitError,
}


def failure_of(
    request: Request, answer: Response, *, secrets: Collection[str], now: float
) -> AepApiError | None:
    """The error that a response stands for, or ``None`` for a good one.

    :param secrets: texts that a refusal could quote and no message may repeat.
    :param now: epoch seconds, for a ``Retry-After`` that is a date.
    :raises AepTransportError: a good status with a body that is no JSON document.
    """
    if answer.status < 300:
        if answer.body and not isinstance(answer.json, dict):
            # A login page, or a body cut short: the outcome is as unknown as without a response.
            raise AepTransportError(f"{request}: the response is not a JSON document", sent=True)
        return None
    # Imported here, so that only a failure loads the table of codes.
    from airflow_provider_aep.flowservice.codes import number_of

    body: dict[str, Any] = answer.json if isinstance(answer.json, dict) else {}
    report: dict[str, Any] = body["report"] if isinstance(body.get("report"), dict) else {}
    code = _code(body)
    kind = _KINDS.get(answer.status, AepServerError if answer.status >= 500 else AepApiError)
    if request.form is not None and answer.status == 400:
        kind = AepAuthError  # the token endpoint refuses a wrong secret with 400
    if kind is AepApiError and number_of(code) == "1439":
        kind = AepNotFoundError  # the error table says 400 for it, the printed responses say 404
    return kind(
        doing=str(request),
        status=answer.status,
        message=_message(answer, body, report, secrets),
        code=code,
        request_id=report.get("request-id") or answer.headers.get("x-request-id"),
        retry_after=seconds_to_wait(answer.headers.get("retry-after"), now),
        hint=_hint(request, answer.status, code),
    )


def _hint(request: Request, status: int, code: str | None) -> str | None:
    """What to do about a refusal."""
    from airflow_provider_aep.flowservice.codes import PERMISSIONS, UNKNOWN, explain, number_of

    asked = _ONE_DATAFLOW.search(request.path)
    if asked and (status == 404 or number_of(code) == "1439") and looks_like_a_name(asked[1]):
        return NOT_A_NAME
    if (known := explain(code)) is not UNKNOWN:
        return known.advice
    return PERMISSIONS if status == 403 else None


def token_was_refused(refusal: AepApiError) -> bool:
    """Whether a fresh token could help."""
    from airflow_provider_aep.flowservice.codes import explain

    # The service refuses with a 400 a token that its gateway accepted.
    return refusal.status == 401 or explain(refusal.code).about == "token"


def _code(body: dict[str, Any]) -> str | None:
    """Adobe's code: gateway, Flow Service or token endpoint; a number or a text, depending on the source."""
    named = body.get("error_code") or body.get("error")
    if named is not None:
        return str(named)
    kind = str(body.get("type") or "")
    return kind.rsplit("/", 1)[-1] if "/errors/" in kind else None


def _message(
    response: Response, body: dict[str, Any], report: dict[str, Any], secrets: Collection[str]
) -> str:
    if 300 <= response.status < 400:
        return "the address redirects; redirects are never followed, because they would receive the token"
    candidates = (
        report.get("detailed-message"),
        *(body.get(key) for key in ("errorMessage", "detail", "message", "error_description", "title")),
        body.get("error"),
        response.body[:2000].decode(errors="replace"),
    )
    text = next((str(candidate) for candidate in candidates if candidate), "no message")
    # Masked first: cut in two, or with other blanks, a secret would not be recognized.
    text = " ".join(_without(text, secrets).split())
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."


def _without(text: str, secrets: Collection[str]) -> str:
    forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST_SECRET}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return text


def _forms(secret: str) -> Iterator[str]:
    """The forms in which a service may quote a secret: plain, inside JSON or a URL, decoded, or in part."""
    yield from (secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret))
    for part in secret.split(";"):  # a connection string: AccountName=...;AccountKey=...
        yield part.partition("=")[2]
    with suppress(ValueError):
        yield from base64.b64decode(secret, validate=True).decode().split("\n")


def seconds_to_wait(header: str | None, now: float) -> float | None:
    """Seconds to wait, from either form of a ``Retry-After`` header; ``None`` if it is unusable."""
    if not header:
        return None
    try:
        return max(0.0, float(int(header)))
    except (ValueError, OverflowError):
        pass  # the other form is a date
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except ValueError:
        return None
