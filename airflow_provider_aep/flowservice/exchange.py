"""An exchange: a conversation with the service, written as a generator that does no I/O.

It yields a ``Request`` and is sent the ``Response``; a ``Pause``, to be resumed after that time; several
exchanges to run ``Together``; or ``Recall``, to get the ``Habits`` seen of the service so far. ``session``
adds login, retries and status codes to any exchange; ``drive`` and ``adrive`` run one, over the network or
straight into the emulator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, Protocol, TypeVar, cast
from urllib.parse import urlsplit

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.flowservice.habits import Habits

T = TypeVar("T")

BASE_PATH = "/data/foundation/flowservice"
_ODD = re.compile("[\\ud800-\\udfff\\x00]")
# The bytes of such characters; those of a few valid letters match too.
_ODD_BYTES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])|\xed")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    :param path: relative to the Flow Service (``/flows``), or of another service on the same host
        (``/data/...``), or a whole URL (the token endpoint).
    :param params: the query; a sequence of pairs if a name repeats, as ``property`` does.
    :param json: the body, for requests that carry JSON.
    :param form: the body, for the token request.
    :param keep: the response hardly ever changes, so the session may return a copy that it has (``process``),
        or one that another process of this host has stored (``host``; it must hold no secret).
    """

    method: str
    path: str
    params: Mapping[str, str | int] | Sequence[tuple[str, str | int]] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    keep: Literal["process", "host"] | None = None

    @property
    def query(self) -> list[tuple[str, str]]:
        pairs = self.params.items() if isinstance(self.params, Mapping) else self.params
        return [(name, str(value)) for name, value in pairs]

    def __str__(self) -> str:
        """Method and path: the parts that logs and errors may show."""
        return f"{self.method} {urlsplit(self.path).path}"


@dataclass(frozen=True)
class Response:
    """One HTTP response; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @cached_property
    def json(self) -> Any:
        """The body as JSON; ``{}`` if it is empty, ``None`` if it is no JSON or cut short.

        Lone surrogates and NULs, which no database and no encoder accepts, are replaced.
        """
        try:
            document = json.loads(self.body or b"{}")
            return whole(document) if _ODD_BYTES.search(self.body) else document
        except (ValueError, RecursionError):
            return None


def whole(value: Any) -> Any:
    """JSON without lone surrogates and NULs, which no database and no encoder accepts."""
    if isinstance(value, str):
        return _ODD.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {whole(name): whole(item) for name, item in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class Pause:
    """Resume the exchange after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Together:
    """Run these exchanges side by side, ``at_most`` at a time; ``together`` yields it."""

    exchanges: Sequence[Generator[Any, Any, Any]]
    at_most: int


@dataclass(frozen=True, slots=True)
class Recall:
    """Send the ``Habits`` of the service; ``recall`` yields it."""


Step = Request | Pause | Together | Recall
Exchange = Generator[Step, Response, T]


def together(exchanges: Sequence[Exchange[T]], *, at_most: int) -> Exchange[list[Done[T] | AepError]]:
    """Run several exchanges side by side; the result or error of each, in their order.

    An ``AepError`` ends one of them; the others go on.
    """
    ends = yield Together(exchanges, at_most)
    return cast("list[Done[T] | AepError]", ends)


def recall() -> Exchange[Habits]:
    """The habits of the service, to read and to add to; none are kept if no session runs the exchange."""
    habits = yield Recall()
    return cast("Habits", habits)


def look_until(
    look: Callable[[], Exchange[T | None]], *, at_once: bool = True
) -> Exchange[tuple[T | None, float]]:
    """Call ``look`` with growing pauses until it returns a value, or for as long as a listing may lag.

    :param at_once: look before the first pause too.
    :return: the value, or ``None``, and the seconds waited.
    """
    habits = yield from recall()
    waited = 0.0
    for pause in (*((0.0,) if at_once else ()), *habits.pauses()):
        if pause:
            yield Pause(pause)
            waited += pause
        if value := (yield from look()):
            return value, waited
    return None, waited


class Transport(Protocol):
    """Sends a request. Raises ``AepTransportError`` if no response came."""

    def send(self, request: Request) -> Response: ...


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The end of an exchange, with its result."""

    value: T


def conduct(
    exchange: Exchange[T], ask: Callable[[Request], Exchange[Response]], habits: Habits
) -> Exchange[T]:
    """The same exchange, with each of its requests sent by ``ask``, which may pause and retry.

    An error that ``ask`` raises surfaces in the exchange at the request that caused it.

    :param habits: those seen of the service so far.
    :raises AepApiError: the exchange cannot read a response.
    """
    try:
        step = next(exchange)
        while True:
            if isinstance(step, Pause):
                yield step
                step = next(exchange)
                continue
            if isinstance(step, Recall):
                step = exchange.send(cast("Any", habits))
                continue
            if isinstance(step, Together):
                exchanges = [conduct(branch, ask, habits) for branch in step.exchanges]
                step = exchange.send((yield Together(exchanges, step.at_most)))
                continue
            try:
                response = yield from ask(step)
            except AepError as error:
                step = exchange.throw(error)
            else:
                step = _hand_over(exchange, step, response)
    except StopIteration as end:
        result: T = end.value
        return result


def going_on(exchange: Exchange[T], step: Step) -> Exchange[T]:
    """An exchange that has begun and waits for the response to its first step.

    :param step: that first step.
    """
    try:
        while True:
            try:
                response = yield step
            except Exception as error:
                step = exchange.throw(error)
            else:
                step = exchange.send(response)
    except StopIteration as end:
        result: T = end.value
        return result


def _hand_over(exchange: Exchange[T], request: Request, response: Response) -> Step:
    try:
        return exchange.send(response)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        # The request was checked before it was sent, so the response is what differs from all known ones.
        raise AepApiError(
            doing=str(request), status=response.status, message="the response has an unexpected shape"
        ) from error
