"""Delivery: every message through every channel, in parallel, each within a time limit.

Each channel runs in its own thread, so that none waits for another. Python cannot stop a thread: a channel
that is not done at its limit is abandoned and reported as such. The threads are daemons, so they keep no
process alive. A DAG's callback has 50 seconds in all (``[dag_processor] dag_file_processor_timeout``), which
include parsing the DAG file and reading the XComs of the tasks.

A refused or broken connection, 429 and 5xx are retried within the limit: a message that arrives twice is
better than one that is lost. A missing response is final, as is any other status.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_aep.errors import AepError, without_words
from airflow_provider_aep.times import span_words

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.alert_messages import Message

SECONDS = 15.0  # for one message through one channel, with all attempts
SECONDS_IN_ALL = 30.0  # for all messages through all channels
PAUSES = (1.0, 2.0, 4.0)  # seconds between attempts; the last one again and again


class AepUndeliveredError(AepError):
    """A channel did not take a message.

    :param status: the HTTP status, or the code of the SMTP server; ``None`` if there was no response.
    :param again: whether another attempt may help.
    :param wait_seconds: how long the channel asked to wait.
    """

    def __init__(
        self, message: str, *, status: int | None = None, again: bool = False, wait_seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status, self.again, self.wait_seconds = status, again, wait_seconds


class Route(Protocol):
    """Something that delivers messages."""

    @property
    def label(self) -> str:
        """Its name in logs, such as ``slack (connection slack_default)``; never an address."""
        ...

    def deliver(self, message: Message, *, seconds: float) -> None:
        """Make one attempt to deliver the message.

        :param seconds: how long this attempt may take.
        :raises AepUndeliveredError: it was not taken.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one message in one channel.

    :param error: why it was not sent, without addresses or words that may quote a secret; ``None`` if sent.
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
        attempts = f" ({self.attempts} attempts in {span_words(self.seconds)})" if self.attempts > 1 else ""
        return f"{self.label}: {self.error}{attempts}"


def deliver(
    routes: Sequence[Route],
    messages: Sequence[Message],
    *,
    seconds: float = SECONDS,
    in_all: float = SECONDS_IN_ALL,
) -> list[Outcome]:
    """Send messages through all routes at once; return the outcome of each.

    :param seconds: for one message through one route.
    :param in_all: for everything; ``deliver`` returns by then.
    """
    end = time.monotonic() + in_all
    for route in routes:
        _load(getattr(route, "modules", ()))
    runners = [_Runner(route, messages, seconds=seconds, end=end) for route in routes]
    for runner in runners:
        runner.start()
    return [outcome for runner in runners for outcome in runner.wait()]


def _load(modules: Iterable[str]) -> None:
    """Import in the calling thread what the threads need: Airflow's modules import each other in circles, and
    threads that enter a circle at different points deadlock (seen on Airflow 2.11).
    """
    for name in modules:
        with suppress(Exception):  # the channel reports why it cannot do without it
            import_module(name)


class _Runner:
    """One route in its own thread, which sends the messages one after the other."""

    def __init__(self, route: Route, messages: Sequence[Message], *, seconds: float, end: float) -> None:
        self._route, self._messages, self._seconds, self._end = route, messages, seconds, end
        self._label = route.label
        self._done: list[Outcome] = []
        self._began = self._until = time.monotonic()
        self._attempts = 0
        self._refusal: AepUndeliveredError | None = None  # of the attempt before
        self._news = threading.Condition()
        self._abandoned = False

    def start(self) -> None:
        self._bound()
        # Airflow's loggers and its masking of secrets need the context.
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(self._run,), daemon=True, name=f"aep-{self._label}").start()

    def wait(self) -> list[Outcome]:
        """The outcome of each message, at the latest when its time is over."""
        with self._news:
            while len(self._done) < len(self._messages):
                left = self._until - time.monotonic()
                if left <= 0:
                    self._abandoned = True
                    break
                self._news.wait(left)
            outcomes = list(self._done)
            for message in self._messages[len(outcomes) :]:
                outcomes.append(self._unfinished(message, first=len(outcomes) == len(self._done)))
        return outcomes

    def _unfinished(self, message: Message, *, first: bool) -> Outcome:
        if not first:
            why = "not tried, as an earlier message is still waiting for a response"
            return Outcome(label=self._label, message=message, error=why)
        seconds = time.monotonic() - self._began
        why = f"no answer within {span_words(seconds)}; it was abandoned"
        if self._refusal is None:
            return self._outcome(message, error=why)
        why = f"{self._refusal}, and the last attempt got no answer in time"
        return self._outcome(message, error=why, status=self._refusal.status)

    def _bound(self) -> None:
        self._began, self._attempts, self._refusal = time.monotonic(), 0, None
        self._until = min(self._began + self._seconds, self._end)

    def _run(self) -> None:
        for message in self._messages:
            outcome = self._send(message)
            with self._news:
                if self._abandoned:
                    return
                self._done.append(outcome)
                self._bound()
                self._news.notify_all()

    def _send(self, message: Message) -> Outcome:
        while True:
            self._attempts += 1
            try:
                # A little less than the time left, so that the channel itself reports a late response.
                self._route.deliver(message, seconds=max(0.1, 0.9 * (self._until - time.monotonic())))
            except AepUndeliveredError as error:
                self._refusal = error
                pause = max(PAUSES[min(self._attempts, len(PAUSES)) - 1], error.wait_seconds)
                if error.again and time.monotonic() + pause < self._until:
                    time.sleep(pause)
                    continue
                asked = f", and asked to wait {span_words(error.wait_seconds)}" if error.wait_seconds else ""
                return self._outcome(message, error=f"{error}{asked}", status=error.status)
            except Exception as error:
                return self._outcome(message, error=without_words(error))
            return self._outcome(message)

    def _outcome(self, message: Message, *, error: str | None = None, status: int | None = None) -> Outcome:
        return Outcome(
            label=self._label,
            message=message,
            attempts=self._attempts,
            seconds=time.monotonic() - self._began,
            status=status,
            error=error,
        )


def log_undelivered(outcomes: Sequence[Outcome], log: Any) -> None:
    """Log one line for each failure; then, once each, the whole messages that a channel did not get."""
    from airflow_provider_aep.monitoring.alert_formats import SHOWN, as_text

    failed = [outcome for outcome in outcomes if outcome.error is not None]
    for outcome in failed:
        log.error("An alert could not go out by %s", outcome)
    for message in dict.fromkeys(id(outcome.message) for outcome in failed):
        whole = next(outcome.message for outcome in failed if id(outcome.message) == message)
        for start in range(0, len(whole.alerts), SHOWN):
            part = replace(whole, alerts=whole.alerts[start : start + SHOWN])
            log.error("%s", as_text(part))
