"""The trigger that starts DAGs when a run of an export has finished, for an ``AssetWatcher`` (Airflow 3).

All watchers of one connection and sandbox share one poll. Each has its own cursor (see
``monitoring.finished``), which Airflow 3.3 stores with the asset. The cursor is stored after the events,
never before, so a triggerer that is killed loses nothing. One that ends in the second or two between them
sends those events again; their ``run_id`` shows it.

Airflow 3.0 to 3.2 cannot store a cursor: there each watcher polls for itself, and starts over after a
restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_aep._airflow import BaseEventTrigger
from airflow_provider_aep._settings import poll_interval
from airflow_provider_aep.arguments import Span, Text, problems_of
from airflow_provider_aep.errors import AepError, AepValidationError, Problem
from airflow_provider_aep.triggers.polls import poll_of

try:
    from airflow.triggers.shared_stream import SharedStreamProducer
except ImportError:  # Airflow before 3.3
    SharedStreamProducer = object  # type: ignore[assignment, misc]

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.run_record import DataflowRun
    from airflow_provider_aep.monitoring.finished import Cursor
    from airflow_provider_aep.triggers.feed import Feed, Look

# The layout of the payload.
EVENT_VERSION = 1
STATUSES = ("success", "partial", "failed", "unknown")
# The cursor also moves between events; then it is stored once in so long.
KEEP_EVERY = timedelta(minutes=10)
STORE_PAUSE = 5.0
# So long after its end a run is reported without its paths, if they still cannot be read.
PATIENCE = timedelta(minutes=15)
POLL_INTERVAL = Span(least=None, above=0, optional=True)
RULES = {
    "aep_conn_id": Text(),
    "sandbox": Text(optional=True),
    "dataflow_name": Text(optional=True),
    "poll_interval": POLL_INTERVAL,
}


class AepDataflowRunFinishedTrigger(BaseEventTrigger):
    """Fires for each run of an export that finishes from now on.

    The payload of an event is that of a sensor's asset event (``assets.asset_event_extra``), plus
    ``version``, ``run_id``, ``sandbox`` and ``errors``.

    :param dataflow_id: the dataflow; by default every dataset export of the sandbox.
    :param dataflow_name: the name of an export, instead of its id; if several have it, all are watched.
    :param statuses: which ends to report: ``success``, ``partial``, ``failed``, ``unknown``; by default all.
    :param poll_interval: seconds between two polls, at most; by default ``[aep] poll_interval``, 60.
    :param aep_conn_id: the Airflow connection.
    :param sandbox: overrides the connection's.
    :raises AepValidationError: an argument breaks a rule.
    """

    def __init__(
        self,
        *,
        dataflow_id: str | None = None,
        dataflow_name: str | None = None,
        statuses: Sequence[str] | None = None,
        poll_interval: float | timedelta | str | None = None,
        aep_conn_id: str = "aep_default",
        sandbox: str | None = None,
    ) -> None:
        super().__init__()
        if dataflow_id is not None:
            from airflow_provider_aep.flowservice.validation import check_id

            check_id("dataflow_id", dataflow_id)
        problems = []
        if statuses is not None and (not statuses or set(statuses) - set(STATUSES)):
            problems.append(Problem("statuses", f"must be some of {', '.join(STATUSES)}"))
        if dataflow_name is not None and dataflow_id is not None:
            problems.append(Problem("dataflow_name", "says the same as dataflow_id; give one of them"))
        given = {
            "aep_conn_id": aep_conn_id,
            "sandbox": sandbox,
            "dataflow_name": dataflow_name,
            "poll_interval": poll_interval,
        }
        problems += problems_of(RULES, given)
        if problems:
            raise AepValidationError("the trigger", problems)
        self.dataflow_id = dataflow_id
        self.dataflow_name = dataflow_name
        self.statuses = list(statuses) if statuses is not None else None
        self.poll_interval = POLL_INTERVAL.number(poll_interval)
        self.aep_conn_id = aep_conn_id
        self.sandbox = sandbox
        self._cursor: Cursor | None = None
        self._kept: Cursor | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "airflow_provider_aep.triggers.AepDataflowRunFinishedTrigger",
            {
                "dataflow_id": self.dataflow_id,
                "dataflow_name": self.dataflow_name,
                "statuses": self.statuses,
                "poll_interval": self.poll_interval,
                "aep_conn_id": self.aep_conn_id,
                "sandbox": self.sandbox,
            },
        )

    def shared_stream_key(self) -> Hashable:
        """All watchers of one connection and sandbox share one poll (Airflow 3.3 and later)."""
        return ("aep-finished-runs", self.aep_conn_id, self.sandbox)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> Any:
        """The producer that learns when Airflow has stored the events."""
        return _Producer(kwargs["aep_conn_id"], kwargs["sandbox"])

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        from airflow_provider_aep.triggers.feed import Feed

        async for event in self._watch(poll_of(Feed, self.aep_conn_id, self.sandbox), shared_stream):
            yield event

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same on Airflow before 3.3, which shares no streams."""
        from airflow_provider_aep.triggers.feed import Feed

        feed = Feed(self.aep_conn_id, self.sandbox)

        async def looks() -> AsyncIterator[Look]:
            async for look in feed.looks():
                yield look
                await look.stored()

        async for event in self._watch(feed, looks()):
            yield event

    async def _watch(self, feed: Feed, looks: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        from airflow_provider_aep.monitoring.finished import begin, move_on, pick_news
        from airflow_provider_aep.triggers.feed import Want

        self._cursor = self._kept = await self._load()
        cursor = self._cursor or begin(datetime.now(tz=UTC))
        interval = self.poll_interval or poll_interval()
        with feed.join(Want(self.dataflow_id, self.dataflow_name, cursor, interval)) as want:
            async for look in looks:
                if not look.serves(want):
                    continue  # it was under way when this watcher joined
                runs = look.runs_for(want)
                reported: list[DataflowRun] = []
                events: list[TriggerEvent] = []
                for run in pick_news(want.cursor, runs):
                    if self._is_wanted(run, want.cursor):
                        location = await feed.location_of(run)
                        if isinstance(location, AepError):
                            if look.at - (run.completed_at or look.at) < PATIENCE:
                                continue  # the next look tries again
                            location = None
                        payload = _payload(run, location, look.names)
                        events.append(TriggerEvent(payload))
                    reported.append(run)
                whole = look.is_whole_for(want)
                want.cursor = self._cursor = move_on(want.cursor, runs, reported, now=look.at, whole=whole)
                if self._is_worth_keeping(want.cursor):
                    look.when_stored(self._keeper(want.cursor))
                for event in events:
                    yield event

    def _is_wanted(self, run: DataflowRun, cursor: Cursor) -> bool:
        from airflow_provider_aep.monitoring.finished import is_history

        # There is no cursor before the first look.
        if self._cursor is None or is_history(cursor, run):
            return False
        return self.statuses is None or _status(run) in self.statuses

    def _is_worth_keeping(self, cursor: Cursor) -> bool:
        if self._kept is None or cursor.reported.keys() - self._kept.reported.keys():
            return True
        return cursor.since - self._kept.since > KEEP_EVERY

    def _keeper(self, cursor: Cursor) -> Any:
        async def keep() -> None:
            if (store := getattr(self, "asset_state_store", None)) is None:
                self._kept = cursor
                return
            try:
                await store.aset(self._store_key(), cursor.to_json())
            except Exception as error:
                # The next look stores it along with its own.
                self._kept = None
                self.log.warning("The cursor could not be kept just now: %s", type(error).__name__)
            else:
                self._kept = cursor

        return keep

    async def _load(self) -> Cursor | None:
        from airflow_provider_aep.monitoring.finished import Cursor

        if (store := getattr(self, "asset_state_store", None)) is None:
            self.log.info("This Airflow keeps no cursor; watching starts now")
            return None
        while True:
            try:
                kept = await store.aget(self._store_key())
            except ValueError:
                # Airflow runs one trigger for all watchers with the same arguments.
                self.asset_state_store = None
                self.log.warning(
                    "Several assets have a watcher with the same arguments, so no cursor can be kept; "
                    "watching starts now. Schedule the DAGs by one asset instead."
                )
                return None
            except Exception as error:
                self.log.warning("The cursor cannot be read just now: %s", type(error).__name__)
                await asyncio.sleep(STORE_PAUSE)
            else:
                cursor = Cursor.from_json(kept)
                if kept is not None and cursor is None:
                    self.log.warning("The stored cursor cannot be understood; watching starts now")
                return cursor

    def _store_key(self) -> str:
        """The key of this watcher's cursor; an asset may have several of these watchers."""
        _, arguments = self.serialize()
        del arguments["poll_interval"]
        text = json.dumps(arguments, sort_keys=True)
        return f"aep_finished_runs_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class _Producer(SharedStreamProducer):
    """Runs the shared poll, and stores the cursors once all events of a look are stored."""

    def __init__(self, aep_conn_id: str, sandbox: str | None) -> None:
        self._at = (aep_conn_id, sandbox)

    async def open_stream(self) -> AsyncIterator[tuple[Look, Look]]:
        from airflow_provider_aep.triggers.feed import Feed

        async for look in poll_of(Feed, *self._at).looks():
            yield look, look

    async def advance(self, batch: Sequence[Any]) -> None:
        for item in batch:
            if item.outcome.is_clean:
                await item.broker_payload.stored()


def _status(run: DataflowRun) -> str:
    """The status of a run, as sensor, check and page judge it; an empty run counts as a success here."""
    from airflow_provider_aep.monitoring.judgement import judge_run
    from airflow_provider_aep.monitoring.policy import RunPolicy

    status = judge_run(run, RunPolicy(), None).status
    return status if status in STATUSES else "success"


def _payload(run: DataflowRun, location: Any, names: Mapping[str, str]) -> dict[str, Any]:
    from airflow_provider_aep.assets import asset_event_extra

    document = run.to_json()
    verdict = {
        **document,
        "status": _status(run),
        "run_ids": [run.id],
        "dataflow_name": names.get(run.dataflow_id, run.dataflow_id),
        "records_out": run.records_out,
    }
    return {
        "version": EVENT_VERSION,
        "run_id": run.id,
        "sandbox": location.sandbox if location else None,
        **asset_event_extra(verdict, location, [run]),
        "errors": document["errors"],
    }
