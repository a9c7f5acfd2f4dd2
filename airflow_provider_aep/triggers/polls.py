"""The polls that triggers share: in each event loop, one of a kind for each connection and sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.exchange import Exchange
    from airflow_provider_aep.monitoring.watch import Sightings

T = TypeVar("T")

# By event loop, because Airflow runs some triggers in loops of their own.
_polls: dict[asyncio.AbstractEventLoop, dict[tuple[Any, ...], Any]] = {}


def poll_of(make: Callable[[str, str | None], T], aep_conn_id: str, sandbox: str | None) -> T:
    """The poll of a connection and sandbox in this event loop; ``make`` creates it for the first caller."""
    for ended in [loop for loop in list(_polls) if loop.is_closed()]:
        _polls.pop(ended, None)
    polls = _polls.setdefault(asyncio.get_running_loop(), {})
    key = (make, aep_conn_id, sandbox)
    if key not in polls:
        polls[key] = make(aep_conn_id, sandbox)
    poll: T = polls[key]
    return poll


async def converse(exchange: Exchange[T], aep_conn_id: str, sandbox: str | None) -> T:
    """Carry out one exchange of a poll."""
    from airflow_provider_aep.hooks import AepHook

    # A new hook each time reads the connection again, which may have been corrected.
    return await AepHook(aep_conn_id, sandbox=sandbox).arun(exchange)


async def look(exchange: Exchange[Sightings], aep_conn_id: str, sandbox: str | None) -> Sightings:
    """Carry out a look; what has come to its end brings the sandbox, in which it is to be judged."""
    from airflow_provider_aep.hooks import AepHook
    from airflow_provider_aep.monitoring.waits import Sighting

    hook = AepHook(aep_conn_id, sandbox=sandbox)
    return [
        seen._replace(sandbox=hook.sandbox) if isinstance(seen, Sighting) and seen.finished else seen
        for seen in await hook.arun(exchange)
    ]
