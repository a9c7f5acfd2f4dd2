"""An exchange: a conversation with the service, written as a generator that does no I/O.

It yields a ``Request`` and is sent the ``Response``, or yields a ``Pause`` and is resumed when that time
has passed. Login, retry and status codes are wrapped around any exchange by ``session``; ``drive`` and
``adrive`` run one, over the network or straight into the emulator.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import urlsplit

from airflow_provider_aep.errors import AepApiError, AepError

T = TypeVar("T")

BASE_PATH = "/data/foundation/flowservice"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    :param path: relative to the Flow Service (``/flows``), or a whole URL (the token endpoint).
    :param params: the query; a sequence of pairs where a name repeats, as ``property`` does.
    :param json: the body, for requests that carry JSON.
    :param form: the body, for the token request.
    :param keep: the answer hardly ever changes; the session may hand out the one that it has.
    """

    method: str
    path: str
    params: Mapping[str, str | int] | Sequence[tuple[str, str | int]] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    keep: bool = False

    @property
    def query(self) -> list[tuple[str, str]]:
        pairs = self.params.items() if isinstance(self.params, Mapping) else self.params
        return [(name, str(value)) for name, value in pairs]

    def __str__(self) -> str:
        """Method and path, which is what logs and errors may show."""
        return f"{self.method} {urlsplit(self.path).path}"


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def json(self) -> Any:
        """The body as JSON; ``{}`` when it is empty, ``None`` when it is a proxy's page or cut short."""
        try:
            return json.loads(self.body or b"{}")
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Pause:
    """Resume me after so many seconds."""

    seconds: float


Step = Request | Pause
Exchange = Generator[Step, Response, T]


class Transport(Protocol):
    """What carries a request. Raises ``AepTransportError`` when no answer came."""

    def send(self, request: Request) -> Response: ...


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The end of an exchange, with its result."""

    value: T


def advance(exchange: Exchange[T], transport: Transport) -> Pause | Done[T]:
    """Run an exchange up to its next pause, or to its end. Blocks while requests are on their way."""
    try:
        step = next(exchange)
        while isinstance(step, Request):
            try:
                answer = transport.send(step)
            except Exception as error:  # the exchange knows which requests can be repeated
                step = exchange.throw(error)
            else:
                step = exchange.send(answer)
        return step
    except StopIteration as end:
        return Done(end.value)


def conduct(exchange: Exchange[T], ask: Callable[[Request], Exchange[Response]]) -> Exchange[T]:
    """The same exchange, with each of its requests carried out by ``ask``, which may pause and repeat.

    An error that ``ask`` raises surfaces in the exchange at the request that caused it.

    :raises AepApiError: the exchange cannot read an answer.
    """
    try:
        step = next(exchange)
        while True:
            if isinstance(step, Pause):
                yield step
                step = next(exchange)
                continue
            try:
                answer = yield from ask(step)
            except AepError as error:
                step = exchange.throw(error)
            else:
                step = _hand_over(exchange, step, answer)
    except StopIteration as end:
        result: T = end.value
        return result


def _hand_over(exchange: Exchange[T], request: Request, answer: Response) -> Step:
    try:
        return exchange.send(answer)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # What we sent was checked before it was sent, so it is the answer that differs from all we have seen.
        raise AepApiError(
            doing=str(request), status=answer.status, message="the answer has an unexpected shape"
        ) from error


def drive(exchange: Exchange[T], transport: Transport, sleep: Callable[[float], object] = time.sleep) -> T:
    """Run an exchange to its end in this thread."""
    while isinstance(stop := advance(exchange, transport), Pause):
        sleep(stop.seconds)
    return stop.value


async def adrive(exchange: Exchange[T], transport: Transport) -> T:
    """Run an exchange to its end without holding up the event loop.

    Everything but the pauses happens in a small pool of threads of our own: a stalled answer must not
    use up the loop's default executor, which the rest of the triggerer shares.
    """
    loop = asyncio.get_running_loop()
    while isinstance(
        stop := await loop.run_in_executor(
            _threads(), contextvars.copy_context().run, advance, exchange, transport
        ),
        Pause,
    ):
        await asyncio.sleep(stop.seconds)
    return stop.value


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=8, thread_name_prefix="aep")


os.register_at_fork(after_in_child=_threads.cache_clear)  # threads do not survive a fork
