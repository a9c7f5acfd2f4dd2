"""The poll that all asset watchers of a connection and sandbox share in one event loop.

It requests what its watchers want, at the shortest of their intervals, and gives all of them the same look.
Any error is logged and the poll is repeated; it never ends by itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from airflow_provider_aep.errors import OUTAGES, AepError
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import list_dataflows
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.locations import Location, read_location
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.finished import Cursor, ListedRuns, look_for_finished
from airflow_provider_aep.triggers.polls import converse

T = TypeVar("T")

# Seconds after which dataflows and their target connections, which hardly change, are read again.
FLOWS_EVERY = 600.0
# Seconds to wait after a watcher joins, so that one look serves many that start together.
SETTLE = 0.5

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Want:
    """The runs that one watcher waits for, from its cursor on: those of one dataflow, one name, or all."""

    dataflow_id: str | None
    dataflow_name: str | None
    cursor: Cursor
    interval: float

    def covers(self, dataflow_id: str, names: Mapping[str, str]) -> bool:
        """Whether a dataflow is one of them.

        :param names: the name of each dataflow, by its id.
        """
        return self.dataflow_id in (None, dataflow_id) and self.dataflow_name in (
            None,
            names.get(dataflow_id),
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Look:
    """What one look saw, for all watchers that had joined when it began."""

    at: datetime
    since: datetime
    wants: frozenset[Want]
    runs: Sequence[DataflowRun]
    unread: frozenset[str]
    names: Mapping[str, str]
    _keepers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def serves(self, want: Want) -> bool:
        return want in self.wants

    def runs_for(self, want: Want) -> list[DataflowRun]:
        return [run for run in self.runs if want.covers(run.dataflow_id, self.names)]

    def is_whole_for(self, want: Want) -> bool:
        """Whether the look saw every run that matters to a watcher."""
        return not any(want.covers(dataflow_id, self.names) for dataflow_id in self.unread)

    def when_stored(self, keep: Callable[[], Awaitable[None]]) -> None:
        """Call ``keep`` once Airflow has stored every event of this look."""
        self._keepers.append(keep)

    async def stored(self) -> None:
        for keep in self._keepers:
            with suppress(Exception):  # a cursor that cannot be kept must not affect the others
                await keep()


class Feed:
    """The poll of one connection and sandbox; belongs to one event loop."""

    def __init__(self, aep_conn_id: str, sandbox: str | None) -> None:
        self._at = (aep_conn_id, sandbox)
        self._wants: set[Want] = set()
        self._joined = asyncio.Event()
        self._flows: dict[str, Dataflow] = {}
        self._flows_due = float("-inf")
        self._locations: dict[str, Location | None] = {}
        self._reading = asyncio.Lock()

    @contextmanager
    def join(self, want: Want) -> Iterator[Want]:
        self._wants.add(want)
        self._joined.set()
        try:
            yield want
        finally:
            self._wants.discard(want)

    async def looks(self) -> AsyncIterator[Look]:
        """Look for what the watchers want, repeatedly."""
        while True:
            self._joined.clear()
            if self._wants and (look := await self._look_if_possible()):
                yield look
            interval = min((want.interval for want in self._wants), default=None)
            with suppress(TimeoutError):
                jitter = random.uniform(0.9, 1.0)
                await asyncio.wait_for(self._joined.wait(), interval * jitter if interval else None)
                await asyncio.sleep(SETTLE)

    async def location_of(self, run: DataflowRun) -> Location | AepError | None:
        """Where the dataflow of a run delivers.

        ``None`` if that cannot be read; an error if a later attempt may succeed.
        """
        async with self._reading:  # the first caller reads it for all
            if run.dataflow_id not in self._locations:
                try:
                    location = await self._converse(
                        read_location(self._flows.get(run.dataflow_id) or run.dataflow_id)
                    )
                except OUTAGES as error:
                    return error
                except AepError as error:
                    _warn("AEP: where dataflow %s delivers cannot be read: %s", run.dataflow_id, error)
                    location = None
                self._locations[run.dataflow_id] = location
            return self._locations[run.dataflow_id]

    async def _look_if_possible(self) -> Look | None:
        from airflow_provider_aep.hooks import metrics

        start, look = time.monotonic(), None
        try:
            look = await self._look()
        except Exception as error:
            # For instance, the Airflow connection cannot be read just now.
            _warn("AEP: the poll failed and goes on: %s: %s", type(error).__name__, error)
        metrics.polled(time.monotonic() - start, failed=look is None)
        return look

    async def _look(self) -> Look:
        wants, now = frozenset(self._wants), time.time()
        if time.monotonic() >= self._flows_due:
            self._flows = {flow.id: flow for flow in await self._converse(list_dataflows())}
            self._locations.clear()
            self._flows_due = time.monotonic() + FLOWS_EVERY
            self._warn_of_unknown_names(wants)
        names = {flow.id: flow.name for flow in self._flows.values()}
        ids = {want.dataflow_id for want in wants if want.dataflow_id is not None}
        ids |= {flow_id for flow_id in names if any(want.covers(flow_id, names) for want in wants)}
        since = min(want.cursor.since for want in wants)
        seen = await self._converse(look_for_finished(ids, since=since))
        self._warn_of_unread(seen)
        return Look(
            at=datetime.fromtimestamp(now, tz=UTC),
            since=since,
            wants=wants,
            runs=seen.runs,
            unread=frozenset(seen.unread),
            names=names,
        )

    def _warn_of_unknown_names(self, wants: Iterable[Want]) -> None:
        known = {flow.name for flow in self._flows.values()}
        for name in {want.dataflow_name for want in wants if want.dataflow_name is not None} - known:
            _warn("AEP: no export is named %r; it will be looked for again", name)

    def _warn_of_unread(self, seen: ListedRuns) -> None:
        for dataflow_id, error in seen.unread.items():
            _warn("AEP: the runs of dataflow %s cannot be listed just now: %s", dataflow_id, error)

    async def _converse(self, exchange: Exchange[T]) -> T:
        return await converse(exchange, *self._at)


def _warn(text: str, *values: object) -> None:
    """Log a warning. If that fails, as on a full disk, the shared poll must go on."""
    with suppress(Exception):
        log.warning(text, *values)
