"""Drives exchanges in one thread, request by request, on the emulator's clock.

Several may be on their way at once: they take turns after each request, which is how two writers collide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.exchange import Done, Exchange, Pause, Request, Response

# No conversation of the story asks so often or waits so long; whoever does is in a loop.
MOST_REQUESTS = 3000
MOST_SECONDS = 3 * 86_400.0


class InALoop(Exception):
    """An exchange that does not come to its end."""


class _Parsed(Response):
    """An answer whose JSON is parsed once: the story asks hundreds of thousands of times for it."""

    @classmethod
    def of(cls, answer: Response) -> _Parsed:
        parsed = cls(answer.status, answer.headers, answer.body)
        object.__setattr__(parsed, "parsed", answer.json)
        return parsed

    @property
    def json(self) -> Any:
        return self.parsed  # type: ignore[attr-defined]


@dataclass
class Conversation:
    """One exchange on its way.

    :param ready_at: when its pause is over, by the emulator's clock.
    """

    exchange: Exchange[Any]
    ready_at: float = 0.0
    ending: Done[Any] | BaseException | None = None
    _next: Any = None
    _children: list[Conversation] = field(default_factory=list)

    def step(self, emulator: Emulator) -> None:
        """Carry it on by one request, or into its next pause."""
        if self._children:
            open_ones = [each for each in self._children if each.ending is None]
            ready = [each for each in open_ones if each.ready_at <= emulator.clock()]
            if ready:
                ready[0].step(emulator)
            elif open_ones:
                self.ready_at = min(each.ready_at for each in open_ones)
            else:
                self._next = [_end_of(each) for each in self._children]
                self._children = []
            return
        try:
            if isinstance(self._next, Exception):
                step = self.exchange.throw(self._next)
            else:
                step = self.exchange.send(self._next)
        except StopIteration as end:
            self.ending = Done(end.value)
            return
        except Exception as error:
            self.ending = error
            return
        self._next = None
        if isinstance(step, Request):
            try:
                self._next = _Parsed.of(emulator.handle(step))
            except AepError as error:
                self._next = error
        elif isinstance(step, Pause):
            self.ready_at = emulator.clock() + step.seconds
        else:
            self._children = [Conversation(each) for each in step.exchanges]
            self._next = []


def _end_of(conversation: Conversation) -> Done[Any] | AepError:
    ending = conversation.ending
    if isinstance(ending, Done | AepError):
        return ending
    assert ending is not None
    raise ending


def take_turns(exchanges: Sequence[Exchange[Any]], emulator: Emulator) -> list[Any]:
    """How each exchange ended: its value, or the error that it raised."""
    conversations = [Conversation(each) for each in exchanges]
    began, steps, turn = emulator.clock(), 0, 0
    while open_ones := [each for each in conversations if each.ending is None]:
        now = emulator.clock()
        ready = [each for each in open_ones if each.ready_at <= now]
        if not ready:
            emulator.clock.advance(min(each.ready_at for each in open_ones) - now)
            continue
        turn += 1
        ready[turn % len(ready)].step(emulator)
        steps += 1
        if steps > MOST_REQUESTS * len(conversations) or emulator.clock() - began > MOST_SECONDS:
            raise InALoop(f"{steps} steps in {emulator.clock() - began:g} seconds of the clock")
    return [each.ending.value if isinstance(each.ending, Done) else each.ending for each in conversations]


def carry_out(exchange: Exchange[Any], emulator: Emulator) -> Any:
    """Run one exchange to its end; raises what it raises."""
    (ending,) = take_turns([exchange], emulator)
    if isinstance(ending, BaseException):
        raise ending
    return ending
