"""One token for a credential: fetched by one caller while the others wait, and shared by all on this host.

Units: seconds. The token's ``expires_in`` is in seconds too (the retired JWT exchange gave milliseconds).

Source: "Server-to-server authentication"; read 2026-11.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.errors import AepAuthError, AepError
from airflow_provider_aep.flowservice.documents import mapping
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Request, Response
from airflow_provider_aep.flowservice.host_files import TOKEN, HostFiles, is_fresh

RENEW_EARLY = 600.0
# Adobe's tokens last a day. A longer life is in milliseconds, or wrong.
LONGEST_LIFE = 86400.0
# A token that claims to have expired already is used for this long, not fetched anew for each request.
SHORTEST_USE = 30.0
# How long one caller may hold the right to fetch the token before another may take it.
CLAIM = 400.0
# How often waiters check for the token, at first and at last.
FIRST_GLANCE, LONGEST_GLANCE = 0.05, 1.0
# How long to wait for another process that fetches the token: its lock may never be released.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Token:
    """A token, the time of its request (epoch seconds), and its life (seconds)."""

    value: str = field(repr=False)
    since: float
    lasts: float

    def is_good(self, now: float) -> bool:
        # A token whose life is too short to renew it early is used for at least half of its life.
        return is_fresh(self.since, max(self.lasts - RENEW_EARLY, self.lasts / 2, SHORTEST_USE), now)


def read_token(request: Request, answer: Response, asked_at: float) -> Token:
    """The token in the response of the token endpoint.

    :raises AepAuthError: there is none, or its life is no number.
    """
    body = mapping(answer.json)
    value, lasts = body.get("access_token"), _seconds(body.get("expires_in"))
    if not isinstance(value, str) or not value or lasts is None:
        raise AepAuthError(
            doing=str(request), status=200, message="the response holds no access_token and expires_in"
        )
    return Token(value, asked_at, lasts)


def _seconds(given: object) -> float | None:
    if isinstance(given, str):
        try:
            given = float(given)
        except ValueError:
            return None
    if not isinstance(given, int | float) or isinstance(given, bool):
        return None
    return float(min(given, LONGEST_LIFE)) if given > 0 else 0.0  # NaN is not above 0 either


class Tokens:
    """The token of one credential, for all threads of this process.

    :param request: the request for a token.
    :param send: sends it, with retries.
    :param files: where processes of this host share it; ``None`` to share nothing.
    :param now: the clock, in epoch seconds.
    :param on_token: called with each token that this process begins to use, so that logs can mask it.
    :param on_event: called with ``token_fetches`` at each fetched token.
    """

    def __init__(
        self,
        request: Request,
        send: Callable[[Request], Exchange[Response]],
        *,
        files: HostFiles | None,
        now: Callable[[], float],
        on_token: Callable[[str], object],
        on_event: Callable[[str], object],
    ) -> None:
        self._request, self._send = request, send
        self._files, self._now = files, now
        self._on_token, self._on_event = on_token, on_event
        # Re-entrant: an exchange gives up its claim in whatever thread, and line, it is garbage-collected.
        self._lock = threading.RLock()
        self._token: Token | None = None
        self._claim: tuple[object, float] | None = None
        self._trouble: AepError | None = None
        self._refused: deque[str] = deque(maxlen=8)

    def valid(self) -> Exchange[str]:
        """The current token; if there is none, one caller fetches it and the others wait.

        :raises AepError: why there is none; the waiters get the error of the caller that tried, instead of
            trying in vain one after the other.
        """
        mine = object()
        pause, waited = FIRST_GLANCE, False
        while True:
            with self._lock:
                now, token, claim = self._now(), self._token, self._claim
                if token is not None and token.is_good(now):
                    return token.value
                if waited and self._trouble is not None:
                    raise copy(self._trouble)
                if claim is None or now >= claim[1]:
                    self._claim, self._trouble = (mine, now + CLAIM), None
                    break
            yield Pause(pause)
            pause, waited = min(pause * 2, LONGEST_GLANCE), True
        try:
            token, fetched = yield from self._get()
            # Called here, without the lock or the file's claim, because a callback may suspend us.
            self._on_token(token.value)
            if fetched:
                self._on_event("token_fetches")
            if self._files is not None:
                self._files.report()
            with self._lock:
                self._token = token
            return token.value
        except AepError as error:
            with self._lock:
                self._trouble = error
            raise
        finally:
            self._release(mine)

    def forget(self, value: str) -> None:
        """Never use this token again: the service has refused it."""
        with self._lock:
            self._refused.append(value)
            if self._token is not None and self._token.value == value:
                self._token = None

    def _release(self, claim: object) -> None:
        with self._lock:
            if self._claim is not None and self._claim[0] is claim:
                self._claim = None

    def _get(self) -> Exchange[tuple[Token, bool]]:
        """The token of this host, and whether it was fetched now. One process fetches it, the others wait."""
        if self._files is None:
            return (yield from self._fetch()), True
        pause, waited = FIRST_GLANCE, 0.0
        while True:
            if (shared := self._shared()) is not None:
                return shared, False
            claim = self._files.claim(TOKEN)
            if not claim.busy or waited >= PATIENCE:
                break
            yield Pause(pause)
            waited, pause = waited + pause, min(pause * 2, LONGEST_GLANCE)
        try:
            if (shared := self._shared()) is not None:  # stored between the lookup and the claim
                return shared, False
            token = yield from self._fetch()
            self._files.write(TOKEN, {"value": token.value, "since": token.since, "lasts": token.lasts})
            return token, True
        finally:
            claim.release()

    def _fetch(self) -> Exchange[Token]:
        asked_at = self._now()
        return read_token(self._request, (yield from self._send(self._request)), asked_at)

    def _shared(self) -> Token | None:
        token = _token_of(self._files.read(TOKEN)) if self._files is not None else None
        if token is None or not token.is_good(self._now()):
            return None
        with self._lock:
            return None if token.value in self._refused else token


def _token_of(content: Any) -> Token | None:
    stored = mapping(content)
    value, since, lasts = stored.get("value"), stored.get("since"), _seconds(stored.get("lasts"))
    if not isinstance(value, str) or not isinstance(since, int | float) or lasts is None:
        return None
    return Token(value, since, lasts)
