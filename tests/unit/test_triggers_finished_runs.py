from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pkgutil import resolve_name
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_3_PLUS

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice import driving
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.finished import Cursor, begin, created_at
from airflow_provider_aep.triggers import AepDataflowRunFinishedTrigger, feed, finished_runs

POLL = 0.02
HOUR = 3600.0
PATIENCE = 20.0


class Store:
    """Airflow's store of an asset, as a trigger of 3.3 is given it."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.trouble: list[Exception] = []

    async def aget(self, key: str) -> Any:
        self._stumble()
        return self.kept.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self._stumble()
        self.kept[key] = json.loads(json.dumps(value))

    def _stumble(self) -> None:
        if self.trouble:
            raise self.trouble.pop()


class Watch:
    """A trigger at work, and what it told."""

    def __init__(self, emulator: Any) -> None:
        self.emulator = emulator
        self.payloads: list[dict[str, Any]] = []

    def polls(self) -> int:
        return len(self.emulator.requests("GET", "/runs"))

    async def looks(self, count: int = 1) -> None:
        """Until what is so now has been seen: a look that begins now is over when the next one begins."""
        wanted, deadline = self.polls() + count + 1, time.monotonic() + PATIENCE
        while self.polls() < wanted:
            assert time.monotonic() < deadline, "it has stopped looking"
            await asyncio.sleep(0.005)

    async def until(self, count: int) -> list[dict[str, Any]]:
        """So many events, and time for more than that."""
        deadline = time.monotonic() + PATIENCE
        while len(self.payloads) < count:
            assert time.monotonic() < deadline, f"only {len(self.payloads)} events"
            await asyncio.sleep(0.005)
        await self.looks(2)
        return self.payloads

    @property
    def run_ids(self) -> list[str]:
        return [payload["run_id"] for payload in self.payloads]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(feed, "SETTLE", 0.0)
    monkeypatch.setattr(finished_runs, "STORE_PAUSE", 0.01)


@pytest.fixture
def logged(capfd, caplog):
    """All that was logged, by whatever way of which Airflow."""
    return lambda: caplog.text + "".join(capfd.readouterr())


@pytest.fixture
def watching(aep):
    """``async with watching(dataflow_id=...) as watch``: a trigger that polls for itself."""

    @asynccontextmanager
    async def start(store: Store | None = None, **arguments: Any) -> AsyncIterator[Watch]:
        trigger = AepDataflowRunFinishedTrigger(**{"poll_interval": POLL, **arguments})
        trigger.asset_state_store = store
        watch = Watch(aep)

        async def collect() -> None:
            async for event in trigger.run():
                watch.payloads.append(json.loads(json.dumps(event.payload)))

        task = asyncio.create_task(collect())
        try:
            if "dataflow_name" not in arguments:  # without a dataflow there is nothing to list
                await watch.looks()
            yield watch
            assert not task.done(), "no trigger may ever end"
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return start


@pytest.fixture
def export(make_dataflow, emulator, clock):
    """``export("nightly")``: a dataflow that has had its first run."""

    def make(name: str = "nightly") -> str:
        flow_id = make_dataflow(name)
        clock.advance(2 * HOUR)
        emulator.tick()
        return flow_id

    return make


def runs_of(emulator: Any, flow_id: str) -> list[str]:
    return [run["id"] for run in emulator.entities("runs") if run["flowId"] == flow_id]


def test_a_run_that_finishes_is_told_once_and_history_is_not(watching, emulator, export, clock):
    flow_id = export()

    async def story():
        async with watching() as watch:
            assert watch.payloads == []
            clock.advance(3 * HOUR)
            await watch.until(1)
            assert watch.run_ids == [runs_of(emulator, flow_id)[1]]
            return watch.payloads[0]

    payload = asyncio.run(story())
    dataset_id = emulator.datasets()[0].id
    assert {
        key: payload[key] for key in ("version", "dataflow_id", "dataflow_name", "sandbox", "status")
    } == {
        "version": 1,
        "dataflow_id": flow_id,
        "dataflow_name": "nightly",
        "sandbox": "prod",
        "status": "success",
    }
    assert payload["run_ids"] == [payload["run_id"]]
    assert payload["records"] > 0
    assert payload["file_type"] == "JSON"
    minute = "".join(character for character in payload["window"]["started_at"][:16] if character.isdigit())
    assert payload["paths"] == [f"abfs://dlz-destination/exports/{dataset_id}/exportTime={minute}/"]
    assert (payload["exact"], payload["errors"]) == (True, [])


def test_runs_that_finish_out_of_order_are_all_told(watching, emulator, export, clock):
    flow_id = export()

    async def story():
        async with watching() as watch:
            emulator.script_runs(flow_id, ["in_progress"])
            clock.advance(3 * HOUR)
            emulator.tick()
            slow = runs_of(emulator, flow_id)[1]
            clock.advance(3 * HOUR)
            await watch.until(1)
            emulator.finish_run(slow)
            await watch.until(2)
            return slow, watch.run_ids

    slow, told = asyncio.run(story())
    assert told == [runs_of(emulator, flow_id)[2], slow]


def test_one_that_was_under_way_at_the_first_look_is_told(watching, emulator, export, clock):
    flow_id = export()
    emulator.script_runs(flow_id, ["in_progress"])
    clock.advance(3 * HOUR)
    emulator.tick()

    async def story():
        async with watching() as watch:
            assert watch.payloads == []
            emulator.finish_run(runs_of(emulator, flow_id)[1])
            await watch.until(1)
            return watch.run_ids

    assert asyncio.run(story()) == runs_of(emulator, flow_id)[1:]


def test_one_dataflow_may_be_watched_alone_and_a_new_one_is_noticed(watching, export, monkeypatch, clock):
    monkeypatch.setattr(feed, "FLOWS_EVERY", 0.0)
    first, second = export("first"), export("second")

    async def story():
        async with watching(dataflow_id=first) as one, watching() as every:
            await every.looks(3)
            third = export("third")
            await every.until(2)
            clock.advance(3 * HOUR)
            await every.until(5)
            return third, one.payloads, every.payloads

    third, one, every = asyncio.run(story())
    assert {payload["dataflow_name"] for payload in one} == {"first"}
    assert {payload["dataflow_id"] for payload in every} == {first, second, third}
    assert len({payload["run_id"] for payload in every}) == len(every)


def test_an_export_may_be_watched_by_its_name_before_it_exists(
    watching, export, make_dataflow, monkeypatch, clock, logged
):
    monkeypatch.setattr(feed, "FLOWS_EVERY", 0.0)
    export("other")

    async def story():
        async with watching(dataflow_name="nightly") as watch:
            clock.advance(3 * HOUR)
            await asyncio.sleep(5 * POLL)
            assert watch.payloads == []
            make_dataflow("nightly")
            clock.advance(2 * HOUR)
            await watch.until(1)
            clock.advance(3 * HOUR)
            return await watch.until(2)

    assert {payload["dataflow_name"] for payload in asyncio.run(story())} == {"nightly"}
    assert "no export is named 'nightly'" in logged()


def test_only_some_ends_may_be_asked_for(watching, emulator, export, clock):
    flow_id = export()
    emulator.script_runs(flow_id, ["failed", "success", "failed"])

    async def story():
        async with watching(statuses=["failed"]) as watch:
            clock.advance(9 * HOUR)
            await watch.until(2)
            return watch.payloads

    told = asyncio.run(story())
    assert [payload["status"] for payload in told] == ["failed", "failed"]
    assert told[0]["errors"][0]["code"] == "ACTIVATION_BATCH-0000-FAILED"
    assert told[0]["paths"] == []


def test_a_run_that_lost_records_is_partial_to_a_watcher_as_to_a_sensor(watching, emulator, export, clock):
    flow_id = export()
    emulator.script_runs(flow_id, ["success_with_errors", "zero"])

    async def story():
        async with watching() as watch:
            clock.advance(6 * HOUR)
            await watch.until(2)
            return watch.payloads

    assert [payload["status"] for payload in asyncio.run(story())] == ["partial", "success"]


@pytest.fixture
def quick_repeats(monkeypatch, clock):
    """What a session waits before it asks again passes on the emulator's clock."""

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    loop = {
        name: getattr(asyncio, name) for name in ("get_running_loop", "Semaphore", "ensure_future", "gather")
    }
    monkeypatch.setattr(driving, "asyncio", SimpleNamespace(sleep=pause, **loop))


def test_trouble_in_the_poll_is_outlived(watching, emulator, export, clock, quick_repeats, monkeypatch):
    monkeypatch.setattr(feed, "FLOWS_EVERY", 0.0)
    export()

    async def story():
        async with watching() as watch:
            emulator.fail_next(400, times=2, match="GET /runs")
            emulator.reset_next(times=30, match="GET /runs")
            emulator.fail_next(403, times=2, match="GET /flows")
            emulator.expire_tokens()
            clock.advance(3 * HOUR)
            await watch.until(1)
            return watch.run_ids

    assert len(asyncio.run(story())) == 1


def test_a_restart_misses_nothing_and_repeats_nothing(watching, emulator, export, clock):
    flow_id, store = export(), Store()

    async def story():
        told = []
        for _ in range(3):
            async with watching(store) as watch:
                clock.advance(3 * HOUR)
                await watch.until(1 if not told else 2)
                told += watch.run_ids
            clock.advance(3 * HOUR)  # while nobody looks
            emulator.tick()
        return told

    told = asyncio.run(story())
    assert told == runs_of(emulator, flow_id)[1:-1]
    assert list(store.kept) == [key for key in store.kept if key.startswith("aep_finished_runs_")]


def test_a_restart_before_the_first_event_begins_where_it_began(watching, emulator, export, clock):
    flow_id, store = export(), Store()

    async def story():
        async with watching(store) as watch:
            await watch.looks()
        clock.advance(3 * HOUR)
        emulator.tick()
        async with watching(store) as watch:
            await watch.until(1)
            return watch.run_ids

    assert asyncio.run(story()) == runs_of(emulator, flow_id)[1:]


def test_without_a_store_a_restart_begins_anew(watching, emulator, export, clock):
    export()

    async def story():
        async with watching():
            pass
        clock.advance(3 * HOUR)
        emulator.tick()
        async with watching() as watch:
            await watch.looks(2)
            return watch.payloads

    assert asyncio.run(story()) == []


def test_a_cursor_that_cannot_be_understood_begins_anew_and_says_so(watching, export, logged):
    export()
    store = Store()
    store.kept[AepDataflowRunFinishedTrigger(poll_interval=POLL)._store_key()] = {"version": 99}

    async def story():
        async with watching(store) as watch:
            await watch.looks()
            return watch.payloads

    assert asyncio.run(story()) == []
    assert "cannot be understood" in logged()
    assert next(iter(store.kept.values()))["version"] == 1


def test_trouble_with_the_store_is_outlived(watching, emulator, export, clock):
    flow_id, store = export(), Store()
    store.trouble = [RuntimeError("the API server is restarting")] * 3

    async def story():
        async with watching(store) as watch:
            clock.advance(3 * HOUR)
            store.trouble = [RuntimeError("again")]
            await watch.until(1)
        async with watching(store) as watch:
            await watch.looks(2)
            return watch.run_ids

    assert asyncio.run(story()) == []
    (cursor,) = store.kept.values()
    assert set(runs_of(emulator, flow_id)[1:]) <= set(cursor["told"])


def test_a_store_of_several_assets_is_left_alone(watching, export, clock, logged):
    export()
    store = Store()
    store.trouble = [ValueError("Task has 2 concrete inlets and outlets")]

    async def story():
        async with watching(store) as watch:
            clock.advance(3 * HOUR)
            return await watch.until(1)

    assert len(asyncio.run(story())) == 1
    assert "the same arguments" in logged()
    assert store.kept == {}


def test_the_paths_are_waited_for_and_left_out_where_they_cannot_be_had(
    watching, emulator, export, clock, quick_repeats, monkeypatch
):
    monkeypatch.setattr(feed, "FLOWS_EVERY", 0.0)
    export()

    async def story():
        async with watching() as watch:
            emulator.fail_next(500, times=30, match="GET /targetConnections")
            clock.advance(3 * HOUR)
            await watch.until(1)
            emulator.clear_faults()
            emulator.fail_next(403, match="GET /targetConnections")
            clock.advance(3 * HOUR)
            return await watch.until(2)

    waited, left_out = asyncio.run(story())
    assert len(waited["paths"]) == 1
    assert (left_out["paths"], left_out["exact"]) == ([], False)
    assert left_out["records"] > 0


def test_it_survives_the_way_to_the_triggerer():
    arguments = {
        "dataflow_id": None,
        "dataflow_name": "nightly",
        "statuses": ["success"],
        "poll_interval": 30.0,
        "aep_conn_id": "aep_other",
        "sandbox": "dev",
    }
    path, kept = AepDataflowRunFinishedTrigger(**arguments).serialize()
    assert json.loads(json.dumps(kept)) == arguments
    assert resolve_name(path)(**kept).serialize() == (path, kept)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"dataflow_id": "a/b"}, "dataflow_id"),
        ({"dataflow_id": "a", "dataflow_name": "nightly"}, "dataflow_name"),
        ({"dataflow_name": " "}, "dataflow_name"),
        ({"statuses": []}, "statuses"),
        ({"statuses": ["done"]}, "statuses"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"poll_interval": "60"}, "poll_interval"),
    ],
)
def test_bad_arguments_are_refused_where_the_dag_is_written(arguments, field):
    with pytest.raises(AepValidationError) as error:
        AepDataflowRunFinishedTrigger(**arguments)
    assert [problem.pointer for problem in error.value.problems] == [field]


def test_what_makes_another_watch_makes_another_cursor():
    def key(**arguments: Any) -> str:
        return AepDataflowRunFinishedTrigger(**arguments)._store_key()

    assert key() == key(poll_interval=5.0)
    assert (
        len(
            {
                key(),
                key(dataflow_id="a"),
                key(dataflow_name="a"),
                key(statuses=["failed"]),
                key(sandbox="dev"),
            }
        )
        == 5
    )


@pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="Airflow 2 has no watchers")
def test_a_watcher_takes_it():
    from airflow.sdk import AssetWatcher

    from airflow_provider_aep.assets import export_asset

    watcher = AssetWatcher(name="runs", trigger=AepDataflowRunFinishedTrigger())
    asset = export_asset(org="ORG", sandbox="prod", dataset="d", watchers=[watcher])
    assert asset.watchers == [watcher]


class Triggerer:
    """Airflow's own sharing of streams, with its storing of events in our hands."""

    def __init__(self, emulator: Any) -> None:
        import structlog
        from airflow.triggers.shared_stream import SharedStreamManager

        self.streams = SharedStreamManager(log=structlog.get_logger())
        self.emulator = emulator
        self.tasks: list[asyncio.Task[None]] = []
        self.unstored: list[int] = []

    def start(self, store: Store, **arguments: Any) -> Watch:
        trigger = AepDataflowRunFinishedTrigger(**{"poll_interval": POLL, **arguments})
        trigger.asset_state_store = store
        watch, number, key = Watch(self.emulator), len(self.tasks), trigger.shared_stream_key()

        async def collect() -> None:
            stream = self.streams.subscribe(trigger_id=number, trigger=trigger, key=key)
            try:
                async for event in trigger.filter_shared_stream(stream):
                    watch.payloads.append(event.payload)
                    self.unstored.append(self.streams.bind_pending_event(trigger_id=number, key=key))
            finally:
                await self.streams.unsubscribe(number, key)

        self.tasks.append(asyncio.create_task(collect()))
        return watch

    def store_events(self) -> None:
        self.streams.confirm_persisted(self.unstored)
        self.unstored.clear()

    async def kill(self) -> None:
        assert not any(task.done() for task in self.tasks)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.streams.stop_all()


shared = pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="streams are shared from Airflow 3.3 on")


@shared
def test_all_watchers_share_one_request(aep, export, clock):
    flows = [export(name) for name in ("a", "b")]

    async def story():
        triggerer = Triggerer(aep)
        watches = [triggerer.start(Store(), dataflow_id=flow) for flow in flows] + [triggerer.start(Store())]
        await watches[0].looks(2)
        aep.log.clear()
        clock.advance(3 * HOUR)
        await watches[2].until(2)
        listings = aep.requests("GET", "/runs")
        await triggerer.kill()
        return [watch.run_ids for watch in watches], listings

    (one, other, both), listings = asyncio.run(story())
    assert set(one + other) == set(both)
    assert len(one) == len(other) == 1
    for listing in listings:
        assert sorted(dict(listing.query)["property"].removeprefix("flowId==").split(",")) == sorted(flows)
    # Where its files are is asked once for each dataflow, and not by each watcher.
    assert len(aep.requests("GET", "/targetConnections/*")) == 2


@shared
def test_the_cursor_is_kept_when_the_events_are_stored_and_not_before(aep, export, clock):
    flow_id, store = export(), Store()

    async def story():
        triggerer = Triggerer(aep)
        watch = triggerer.start(store)
        await watch.looks(2)
        clock.advance(3 * HOUR)
        await watch.until(1)
        first = watch.run_ids
        assert first[0] not in next(iter(store.kept.values()))["told"]
        await triggerer.kill()  # between the event and its storing

        triggerer = Triggerer(aep)
        watch = triggerer.start(store)
        await watch.until(1)
        again = watch.run_ids
        triggerer.store_events()
        await watch.looks(2)
        assert first[0] in next(iter(store.kept.values()))["told"]
        await triggerer.kill()

        triggerer = Triggerer(aep)
        watch = triggerer.start(store)
        await watch.looks(3)
        assert watch.run_ids == []
        await triggerer.kill()
        return first, again

    first, again = asyncio.run(story())
    assert first == again == runs_of(aep, flow_id)[1:]


def test_a_look_that_began_before_one_joined_is_of_no_use_to_it(aep, export, clock):
    """It may not have reached back as far as the cursor of the one who joined."""
    flow_id, store = export(), Store()
    trigger = AepDataflowRunFinishedTrigger()
    trigger.asset_state_store = store
    (first,) = (DataflowRun.from_api(run) for run in aep.entities("runs"))
    begun = created_at(first) - timedelta(hours=1)
    store.kept[trigger._store_key()] = Cursor(since=begun, begun=begun).to_json()

    async def story():
        shared = feed.Feed("aep_default", None)

        async def looks():
            at = created_at(first) + timedelta(hours=12)
            seen = {"at": at, "since": at, "unread": frozenset(), "names": {flow_id: "nightly"}}
            yield feed.Look(**seen, wants=frozenset(), runs=[])
            yield feed.Look(**seen, wants=frozenset(shared._wants), runs=[first])

        return [event.payload["run_id"] async for event in trigger._watch(shared, looks())]

    assert asyncio.run(story()) == [first.id]


@shared
def test_one_who_joins_later_gets_what_was_missed_since_its_own_cursor(aep, export, clock):
    flow_id, store = export(), Store()

    async def story():
        triggerer = Triggerer(aep)
        await triggerer.start(store).looks(2)
        await triggerer.kill()
        clock.advance(3 * HOUR)

        triggerer = Triggerer(aep)
        other = triggerer.start(Store())
        await other.looks(3)
        late = triggerer.start(store)
        await late.until(1)
        await triggerer.kill()
        return other.run_ids, late.run_ids

    other, late = asyncio.run(story())
    assert (other, late) == ([], runs_of(aep, flow_id)[1:])


def test_a_poll_of_watchers_whose_log_cannot_be_written_goes_on(caplog):
    class FullDisk(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError(28, "No space left on device")

    async def looking() -> bool:
        shared = feed.Feed("no_such_connection", None)
        with shared.join(feed.Want(None, None, begin(datetime.now(tz=UTC)), 0.05)):
            look = asyncio.ensure_future(anext(shared.looks()))
            done, _ = await asyncio.wait([look], timeout=2.0)
            look.cancel()
            return not done

    full = FullDisk()
    feed.log.addHandler(full)
    try:
        assert asyncio.run(looking())
    finally:
        feed.log.removeHandler(full)
