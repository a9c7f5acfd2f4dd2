"""Delivery: every message through every channel, side by side, each within a bound.

A channel runs in a thread of its own, so that none waits for another. A thread cannot be stopped in Python: a
channel that is not done at its bound is abandoned, and told as such. The threads are daemons, so they keep no
process alive. A DAG's callback has 50 seconds in all (``[dag_processor] dag_file_processor_timeout``), of
which parsing the DAG file and reading what the tasks left have their share.

A refused or broken connection, 429 and 5xx are asked again within the bound: a message that arrives twice is
better than one that is lost. No answer in time is final, as is any other status.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_aep.errors import AepError, without_words

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.alerts import Message

SECONDS = 15.0  # for one message through one channel, with all attempts
SECONDS_IN_ALL = 30.0  # for all messages through all channels
PAUSES = (1.0, 2.0, 4.0)  # seconds between attempts; the last one again and again


class AepUndeliveredError(AepError):
    """A channel did not take a message.

    :param status: the HTTP status, or the code of the SMTP server; ``None`` where there was no answer.
    :param again: whether another attempt may help.
    :param wait_seconds: how long the channel asked to wait.
    """

    def __init__(
        self, message: str, *, status: int | None = None, again: bool = False, wait_seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status, self.again, self.wait_seconds = status, again, wait_seconds


class Route(Protocol):
    """What a message can be given to; what it imports is named in ``modules``."""

    @property
    def modules(self) -> Sequence[str]: ...
    @property
    def label(self) -> str:
        """How it is told, as in ``slack (connection slack_default)``; never an address."""
        ...

    def deliver(self, message: Message, *, seconds: float) -> None:
        """Give it the message, once.

        :param seconds: how long this attempt may take.
        :raises AepUndeliveredError: it was not taken.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one message through one channel.

    :param error: why it was not sent, without addresses or words that may quote a secret; ``None``: sent.
    """

    label: str
    message: Message
    attempts: int = 0
    seconds: float = 0.0
    status: int | None = None
    error: str | None = None

    def __str__(self) -> str:
        if self.error is None:
            return f"{self.label}: sent"
        attempts = f" ({self.attempts} attempts in {self.seconds:.0f} s)" if self.attempts > 1 else ""
        return f"{self.label}: {self.error}{attempts}"


def deliver(
    routes: Sequence[Route],
    messages: Sequence[Message],
    *,
    seconds: float = SECONDS,
    in_all: float = SECONDS_IN_ALL,
) -> list[Outcome]:
    """Send messages through all routes at once, and tell what came of each.

    :param seconds: for one message through one route.
    :param in_all: for everything; ``deliver`` returns by then.
    """
    end = time.monotonic() + in_all
    _load(name for route in routes for name in route.modules)
    runners = [_Runner(route, messages, seconds=seconds, end=end) for route in routes]
    for runner in runners:
        runner.start()
    return [outcome for runner in runners for outcome in runner.wait()]


def _load(modules: Iterable[str]) -> None:
    """Import here what the threads need, and not in each of them.

    Airflow's modules import each other in circles: threads that enter one at different points may wait for
    each other for ever.
    """
    for name in modules:
        with suppress(Exception):  # the channel itself tells why it cannot do without
            import_module(name)


class _Runner:
    """One route in its thread, which takes the messages one after the other."""

    def __init__(self, route: Route, messages: Sequence[Message], *, seconds: float, end: float) -> None:
        self._route, self._messages, self._seconds, self._end = route, messages, seconds, end
        self._label = route.label
        self._done: list[Outcome] = []
        self._began = self._until = time.monotonic()
        self._news = threading.Condition()
        self._abandoned = False

    def start(self) -> None:
        self._bound()
        # Airflow keeps in the context what its loggers and its masking need.
        run: Callable[[], Any] = contextvars.copy_context().run  # type: ignore[assignment]
        threading.Thread(target=run, args=(self._run,), daemon=True, name=f"aep-{self._label}").start()

    def wait(self) -> list[Outcome]:
        """What came of each message, at the latest when its time is over."""
        with self._news:
            while len(self._done) < len(self._messages):
                left = self._until - time.monotonic()
                if left <= 0:
                    self._abandoned = True
                    break
                self._news.wait(left)
            outcomes = list(self._done)
        why = (
            f"no answer within {time.monotonic() - self._began:.0f} seconds; it was not waited for any longer"
        )
        for message in self._messages[len(outcomes) :]:
            outcomes.append(Outcome(label=self._label, message=message, attempts=1, error=why))
            why = "not tried, as an earlier message is still waiting for an answer"
        return outcomes

    def _bound(self) -> None:
        self._began = time.monotonic()
        self._until = min(self._began + self._seconds, self._end)

    def _run(self) -> None:
        for message in self._messages:
            outcome = _send(self._route, self._label, message, until=self._until)
            with self._news:
                if self._abandoned:
                    return
                self._done.append(outcome)
                self._bound()
                self._news.notify_all()


def _send(route: Route, label: str, message: Message, *, until: float) -> Outcome:
    began, attempts = time.monotonic(), 0
    while True:
        attempts += 1
        try:
            # A little less than there is: an answer that is late by then is told by the channel itself.
            route.deliver(message, seconds=max(0.1, 0.9 * (until - time.monotonic())))
        except AepUndeliveredError as error:
            pause = max(PAUSES[min(attempts, len(PAUSES)) - 1], error.wait_seconds)
            if error.again and time.monotonic() + pause < until:
                time.sleep(pause)
                continue
            told = str(error)
            if error.again and error.wait_seconds > pause - 0.001 and error.wait_seconds:
                told = f"{told}, and asked to wait {error.wait_seconds:g} seconds"
            return Outcome(
                label=label,
                message=message,
                attempts=attempts,
                seconds=time.monotonic() - began,
                status=error.status,
                error=told,
            )
        except Exception as error:
            return Outcome(
                label=label,
                message=message,
                attempts=attempts,
                seconds=time.monotonic() - began,
                error=without_words(error),
            )
        return Outcome(label=label, message=message, attempts=attempts, seconds=time.monotonic() - began)
