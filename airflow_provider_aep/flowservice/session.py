"""What every request needs: token, headers, retries, and judging the status.

One session serves a whole process for one credential, in any number of threads and sandboxes. It opens no
socket and never waits: like any exchange it yields requests and pauses. It shares small local files with
other processes; they are read in the thread that drives it, which is never an event loop's.

Units: seconds.

Sources: "Authenticate and access Experience Platform APIs" for the headers, "Experience Platform FAQ and
troubleshooting" for gateway codes; read 2026-11.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from airflow_provider_aep.errors import (
    AepApiError,
    AepRateLimitError,
    AepServerError,
    AepTooLargeError,
    AepTransportError,
)
from airflow_provider_aep.flowservice.credentials import AepCredentials
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Request, Response, conduct
from airflow_provider_aep.flowservice.failures import failure_of, token_was_refused
from airflow_provider_aep.flowservice.habits import Habits, steady_time
from airflow_provider_aep.flowservice.host_files import HostFiles
from airflow_provider_aep.flowservice.kept import Kept
from airflow_provider_aep.flowservice.tokens import Tokens
from airflow_provider_aep.flowservice.write_guard import Writes, check_may_send
from airflow_provider_aep.times import span_words

__all__ = ["AepCredentials", "AepSession"]

T = TypeVar("T")

TRIES = 5
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 60.0
# For at most this many seconds a 429 holds back other requests too; some gateways ask for hours.
LONGEST_CLOSED = 600.0


class AepSession:
    """A logged-in conversation for one credential.

    :param writes: in which sandboxes anything but a GET is sent; see ``write_guard``.
    :param now: the clock, in epoch seconds; it must never go back, because it measures pauses.
    :param jitter: a number from 0 to 1 that stretches each pause, so that many callers spread out.
    :param files: shared by the processes of this host; by default none.
    :param on_token: called with each token that this process begins to use, so that logs can mask it.
    :param on_event: called with ``rate_limited`` at each 429 and ``token_fetches`` at each fetched token, for
        metrics.
    """

    def __init__(
        self,
        credentials: AepCredentials,
        *,
        writes: Writes = "all",
        now: Callable[[], float] = steady_time,
        jitter: Callable[[], float] = random.random,
        files: HostFiles | None = None,
        on_token: Callable[[str], object] = lambda token: None,
        on_event: Callable[[str], object] = lambda event: None,
    ) -> None:
        self.credentials, self._writes = credentials, writes
        self._now, self._jitter, self._on_event = now, jitter, on_event
        # Re-entrant: an exchange may be garbage-collected in the thread that holds the lock.
        self._lock = threading.RLock()
        self._tokens = Tokens(
            _token_request(credentials),
            self._persist,
            files=files,
            now=now,
            on_token=on_token,
            on_event=on_event,
        )
        self._kept = Kept(files, now)
        self._habits: dict[str, Habits] = {}
        self._not_before = 0.0
        self._closed_until = 0.0

    def conduct(self, exchange: Exchange[T], *, sandbox: str, conn_id: str | None = None) -> Exchange[T]:
        """The exchange, with each request authenticated, its status judged, and repeated if that is safe.

        :param conn_id: the Airflow connection that errors name.

        :raises AepWriteRefusedError: inside the exchange, for a request that ``writes`` does not allow.
        :raises AepApiError: inside the exchange, for a refusal that no retry could fix.
        :raises AepTransportError: inside the exchange, if no response came.
        """
        habits = self._habits.setdefault(sandbox, Habits(self._now))
        return conduct(exchange, lambda request: self._ask_named(request, sandbox, conn_id), habits)

    def _ask_named(self, request: Request, sandbox: str, conn_id: str | None) -> Exchange[Response]:
        try:
            return (yield from self._ask(request, sandbox))
        except AepApiError as error:
            from airflow_provider_aep.flowservice.codes import CONNECTION

            if conn_id is None or CONNECTION not in (error.hint or ""):
                raise
            named = str(error.hint).replace(CONNECTION, f"Airflow connection {conn_id!r}")
            raise error.with_hint(named) from error.__cause__

    def _ask(self, request: Request, sandbox: str) -> Exchange[Response]:
        yield from self.conduct(check_may_send(request, self._writes, sandbox), sandbox=sandbox)
        if (kept := self._kept.find(request, sandbox)) is not None:
            return kept
        token = yield from self._tokens.valid()
        try:
            response = yield from self._persist(self._signed(request, sandbox, token))
        except AepApiError as refusal:
            if not token_was_refused(refusal):
                raise
            self._tokens.forget(token)
            token = yield from self._tokens.valid()
            response = yield from self._persist(self._signed(request, sandbox, token))
        self._kept.add(request, sandbox, response)
        return response

    def _signed(self, request: Request, sandbox: str, token: str) -> Request:
        headers = {
            "Accept": "application/json",
            "Authorization": f"Bearer {token}",
            "x-api-key": self.credentials.client_id,
            "x-gw-ims-org-id": self.credentials.org_id,
            # Always sent: some documents call it optional, others refuse requests without it. x-sandbox-id is
            # never sent: the service refuses it together with a user token.
            "x-sandbox-name": sandbox,
        }
        if request.json is not None:
            headers["Content-Type"] = "application/json"
        given = {name: value for name, value in request.headers.items() if name.lower() != "x-sandbox-name"}
        return replace(request, headers={**headers, **given})

    def _persist(self, request: Request) -> Exchange[Response]:
        """Send a request until it succeeds, as often as retries are safe and polite."""
        for attempt in range(1, TRIES + 1):
            yield from self._wait_for_all_clear(request)
            try:
                response = yield request
                failure = failure_of(request, response, secrets=self._secrets_of(request), now=self._now())
            except AepTooLargeError:
                raise
            except AepTransportError as error:
                if attempt == TRIES or (error.sent and not _repeatable(request)):
                    raise
                yield Pause(self._backoff(attempt))
                continue
            if failure is None:
                return response
            if isinstance(failure, AepRateLimitError):
                self._on_event("rate_limited")
            pause = self._pause_before_repeat(request, failure, attempt)
            if pause is None and isinstance(failure, AepRateLimitError) and request.form is None:
                asked = min(failure.retry_after or 0.0, LONGEST_CLOSED)
                with self._lock:
                    self._closed_until = max(self._closed_until, self._now() + asked)
            if pause is None or attempt == TRIES:
                raise failure
            if isinstance(failure, AepRateLimitError):
                with self._lock:
                    self._not_before = max(self._not_before, self._now() + pause)
            yield Pause(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    def _wait_for_all_clear(self, request: Request) -> Exchange[None]:
        """Wait while a 429 holds back all requests of this credential, because they share its quota.

        :raises AepRateLimitError: the service asked for a longer wait than we allow.
        """
        if request.form is not None:  # the token comes from another service
            return
        for pauses_left in reversed(range(TRIES + 1)):
            self._check_open(request)
            left = self._not_before - self._now()
            if left <= 0 or not pauses_left:
                return
            yield Pause(left * (1 + self._jitter() / 2))

    def _check_open(self, request: Request) -> None:
        left = self._closed_until - self._now()
        if left > 0:
            raise AepRateLimitError(
                doing=str(request),
                status=429,
                message=f"not sent: after an earlier request the service asked to wait {span_words(left)}",
                retry_after=left,
            )

    def _pause_before_repeat(self, request: Request, failure: AepApiError, attempt: int) -> float | None:
        if isinstance(failure, AepRateLimitError):  # the gateway refused it: even a POST did nothing
            asked = failure.retry_after
            # Zero, or a date that is past on a clock ahead of Adobe's, must not skip the pause.
            if asked is None or asked < FIRST_PAUSE * 2 ** (attempt - 1):
                return self._backoff(attempt)
            # Too long to hold a worker: the error carries the number to a caller that can wait.
            return asked if asked <= LONGEST_PAUSE else None
        if isinstance(failure, AepServerError) and _repeatable(request):
            return max(self._backoff(attempt), min(failure.retry_after or 0.0, LONGEST_PAUSE))
        return None

    def _backoff(self, attempt: int) -> float:
        pause: float = FIRST_PAUSE * 2 ** (attempt - 1) * (1 + self._jitter() / 2)
        return min(pause, LONGEST_PAUSE)

    def _secrets_of(self, request: Request) -> list[str]:
        """Texts that a refusal could quote and no message may repeat."""
        secrets = [self.credentials.client_secret, request.headers.get("Authorization", "").split(" ")[-1]]
        if isinstance(request.json, dict):
            auth = {**(request.json.get("auth") or {}), "specName": None}
            return [*secrets, *_texts_in(auth)]
        for operation in request.json or ():  # a PATCH
            if operation["path"].startswith("/auth"):
                secrets += _texts_in(operation.get("value"))
        return secrets


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts_in(item)
    elif value is not None:
        yield str(value)


def _repeatable(request: Request) -> bool:
    """Whether a request may be sent twice: all but a POST that creates."""
    return request.method != "POST" or request.form is not None


def _token_request(credentials: AepCredentials) -> Request:
    return Request(
        "POST",
        credentials.token_url,
        headers={"Accept": "application/json"},
        # In the body, not the query: queries end up in access logs.
        form={
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
            "scope": credentials.scopes,
        },
    )
