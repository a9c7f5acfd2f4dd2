"""When a dataflow should have run: the ticks of its schedule, and how late a run may be.

Sources: "Destinations guardrails" and "Alert rules" (Adobe itself calls a run late after 150 minutes); read
2026-11.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from airflow_provider_aep.flowservice.dataflow_record import Dataflow

# Adobe's own alert on delays.
DEADLINE = timedelta(minutes=150)
# A run may seem to start before its tick: clocks differ by minutes.
SKEW = timedelta(minutes=5)
# If ticks are closer together than the deadline, their late runs overlap. Whether a run is missing is clear
# only when the late ones have caught up.
SETTLING = timedelta(hours=5)
# Only a dataflow in one of these states need not run.
OFF = frozenset({"disabled"})
_ANY = datetime(2026, 1, 1, tzinfo=UTC)


class Tick(NamedTuple):
    """A moment at which a dataflow should run.

    :param following: the next tick; ``None`` after the last one, and for a schedule that exports once.
    """

    at: datetime
    following: datetime | None

    @property
    def opens(self) -> datetime:
        """A run that starts from here on may belong to this tick."""
        return self.at - SKEW

    @property
    def deadline(self) -> datetime:
        """A run that starts later is late."""
        return self.at + DEADLINE

    @property
    def settled(self) -> datetime:
        """When it is clear whether a run is missing, whatever runs of other ticks came in between."""
        close = self.following is not None and self.following - self.at < DEADLINE + SKEW
        return self.deadline + SETTLING if close else self.deadline

    @property
    def given_up(self) -> datetime:
        """A run that starts later does not belong to this tick."""
        step = self.following - self.at if self.following else timedelta()
        return max(self.settled, self.at + step + DEADLINE)

    def __str__(self) -> str:
        return f"the tick of {self.at:%Y-%m-%d %H:%M} UTC"


def ticks_of(flow: Dataflow, since: datetime, until: datetime) -> list[Tick]:
    """The ticks from ``since`` on and before ``until``; empty if the schedule cannot be read."""
    moments = flow.ticks(since, until)
    if not moments:
        return []
    last = moments[-1] + flow.step
    coming = flow.ticks(last, last + timedelta(seconds=1)) if flow.step else []
    following = [*moments[1:], coming[0] if coming else None]
    return [Tick(at, after) for at, after in zip(moments, following, strict=True)]


def reach_of(flow: Dataflow) -> timedelta:
    """How far before a moment runs must be known, to judge the ticks around it."""
    tick = Tick(_ANY, _ANY + flow.step if flow.step else None)
    return tick.given_up - tick.opens
