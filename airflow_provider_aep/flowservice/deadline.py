"""HTTP connections with a deadline for the whole response, headers included.

A socket's timeout applies to each read: a server that sends a byte now and then would hold its reader, and
with it the poll of a whole triggerer, for ever.

Units: seconds.
"""

from __future__ import annotations

import io
import time
from contextlib import suppress
from functools import cache
from http.client import HTTPResponse
from typing import Any


class TooLateError(TimeoutError):
    """The deadline of the response has passed."""


@cache
def with_deadline(connection: type[Any], seconds: float) -> type[Any]:
    """The same class of HTTP connections, with a deadline for each response.

    It counts from the end of the request. A later read raises ``TooLateError``.
    """

    class ResponseUntil(HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            raw = _RawUntil(self.fp.detach(), sock, time.monotonic() + seconds)
            self.fp = io.BufferedReader(raw)

    return type(connection.__name__, (connection,), {"response_class": ResponseUntil})


class _RawUntil(io.RawIOBase):
    """Reads from a socket until a deadline on the clock of ``time.monotonic``."""

    def __init__(self, raw: Any, sock: Any, deadline: float) -> None:
        self._raw, self._sock, self._deadline = raw, sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left, usual = self._deadline - time.monotonic(), self._sock.gettimeout()
        if left <= 0:
            raise TooLateError
        if usual is not None and usual <= left:
            count: int | None = self._raw.readinto(buffer)
            return count
        self._sock.settimeout(left)
        try:
            return self._raw.readinto(buffer)  # type: ignore[no-any-return]
        except TimeoutError:
            raise TooLateError from None
        finally:
            with suppress(OSError):  # closed meanwhile
                self._sock.settimeout(usual)  # the next request on this connection has its own deadline

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
