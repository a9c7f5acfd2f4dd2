"""The acts of the story. Each ends with a look at the truth: what the emulator really holds.

What an act needs beforehand is in the sandbox already, made in the usual world.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.exports.apply import EnsureOptions, ensure_exports
from airflow_provider_aep.exports.delete import Removal, delete_export
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.flowservice.adhoc import run_export
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring import shared_poll
from airflow_provider_aep.monitoring.audit import audit_exports
from airflow_provider_aep.monitoring.poll import look_for_runs
from airflow_provider_aep.monitoring.shared_poll import SharedPoll
from airflow_provider_aep.monitoring.waits import Sighting, Wait
from tests.worlds.driving import InALoop, carry_out, take_turns
from tests.worlds.sandbox import (
    CRM,
    FAILED,
    HOUR,
    LOGINS,
    LONG_LIVED,
    LOYALTY,
    MORE_DATASETS,
    OLD,
    RESCHEDULED,
    SWITCHED_OFF,
    UNCHANGED,
    UNCHANGED_BLOB,
    export,
    sandbox,
    session_of,
)
from tests.worlds.score import Score

# Said of a change that somebody made; said again and again of what nobody changed, it is wrong.
DRIFT = "changed by someone else"
# A new dataflow may take a moment until it is enabled.
ON_ITS_WAY = {"enabled": "initializing"}
COLLECTIONS = ("connections", "sourceConnections", "targetConnections", "flows")
LOG = logging.getLogger("airflow_provider_aep")
POLL = 120.0
# Ten polls: a run ends in the first minutes, and some services show its end ten minutes late.
PATIENCE = 10 * POLL
# What a timeout says where all that was seen is an ordinary wait.
ORDINARY = ("nothing yet", "no run has started yet", "run ")


class Stage:
    """One act: a sandbox, what was said in it, and the ways to act in it."""

    def __init__(self, worlds: Sequence[str]) -> None:
        self.emulator, self.worlds, self.score = sandbox(), worlds, Score()
        self.session = session_of(self.emulator)

    @property
    def clock(self) -> Any:
        return self.emulator.clock

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), tz=UTC)

    def enter(self) -> None:
        """Let the other world begin."""
        self.emulator.enter(*self.worlds)

    # What the story does

    def ensuring(self, *specs: ExportSpec, session: Any = None) -> Exchange[list[Outcome]]:
        exchange = ensure_exports(
            specs,
            sandbox="prod",
            now=self.now,
            logins=LOGINS,
            options=EnsureOptions(allow_replace=True),
        )
        return (session or self.session).conduct(exchange, sandbox="prod")

    def ensure(self, *specs: ExportSpec) -> list[Outcome]:
        self.emulator.log.clear()
        ended = self.attempt(lambda: carry_out(self.ensuring(*specs), self.emulator))
        self.hear(ended)
        return ended or []

    def delete(self, name: str) -> Removal | None:
        exchange = delete_export(name, owner="crm", sandbox="prod", with_base=True)
        return self.attempt(lambda: carry_out(self.session.conduct(exchange, sandbox="prod"), self.emulator))

    def attempt(self, act: Callable[[], Any]) -> Any:
        """What an act returns; an error of ours is told, and any other is a harm."""
        try:
            return act()
        except AepError as error:
            self.score.told.append(str(error))
        except InALoop as error:
            self.score.add("endless updates", str(error))
        except Exception as error:
            self.score.add("broken", f"{type(error).__name__}: {error}"[:200])
        return None

    def hear(self, outcomes: Sequence[Outcome] | None) -> None:
        for one in outcomes or ():
            self.score.told += [*one.warnings, *([str(one.error)] if one.error else [])]

    def writes(self) -> list[str]:
        return [
            f"{each.method} {each.path.split('/')[1]}"
            for each in self.emulator.log
            if each.method != "GET" and not each.path.startswith("/ims")
        ]

    # What is true

    def kept(self, kind: str, name: str) -> list[dict[str, Any]]:
        return [each for each in self.emulator._world.entities.all(kind, "prod") if each["name"] == name]

    def flow(self, name: str) -> dict[str, Any]:
        return self.kept("flows", name)[0]

    def check_single(self, *names: str, leftovers: int = 0) -> None:
        """One entity of each kind for an export, unless somebody was told of the other."""
        for name in names:
            for kind in COLLECTIONS:
                kept = self.kept(kind, name)
                most = 1 + (leftovers if kind != "flows" else 0)
                if len(kept) > most and not self.score.names(each["id"] for each in kept):
                    self.score.add("silent twins", f"{len(kept)} {kind} of {name!r}")

    def check_green(self, outcomes: Sequence[Outcome], *, state: str = "enabled", interval: int = 3) -> None:
        """An ensure that says good leaves one dataflow, as it should be."""
        for one in outcomes:
            if one.error or one.warnings:
                continue
            flows = self.kept("flows", one.spec.name)
            wrong = ""
            if not flows:
                wrong = "there is no dataflow"
            elif any(flow["state"] not in (state, ON_ITS_WAY.get(state)) for flow in flows):
                wrong = f"the dataflow is {flows[0]['state']}"
            elif str(flows[0]["scheduleParams"]["interval"]) != str(interval):
                wrong = f"the schedule is every {flows[0]['scheduleParams']['interval']}"
            elif one.ids.get("dataflow") not in [flow["id"] for flow in flows]:
                wrong = "it names another dataflow"
            if wrong:
                self.score.add("false greens", f"ensured {one.spec.name!r}, and {wrong}")

    def check_settled(self, *specs: ExportSpec, **wanted: Any) -> None:
        """Ensure twice more, with nothing to change: nothing may be sent, and all stays true."""
        written: list[str] = []
        outcomes: list[Outcome] = []
        for seconds in (3, 120):
            self.clock.advance(seconds)
            outcomes = self.ensure(*specs)
            written = self.writes()
        loud = not outcomes or any(
            one.error or any(DRIFT not in warning for warning in one.warnings) for one in outcomes
        )
        if written and not loud:
            self.score.add("endless updates", ", ".join(sorted(set(written))))
        self.check_green(outcomes, **wanted)


def ensure_twice(stage: Stage) -> None:
    """Two exports to different destinations, ensured twice with three seconds in between, and again."""
    specs = [export("CRM nightly export to the archive bucket"), export("CRM nightly  blob", blob=True)]
    stage.enter()
    stage.check_green(stage.ensure(*specs))
    stage.check_settled(*specs)
    stage.check_single(*(spec.name for spec in specs))


def lost_answers(stage: Stage) -> None:
    """The answer of each create is lost once; a few seconds later the export is ensured again."""
    stage.enter()
    specs = [export(f"CRM lost {kind}") for kind in COLLECTIONS]
    for kind, spec in zip(COLLECTIONS, specs, strict=True):
        stage.emulator.lose_next(match=f"POST /{kind}")
        stage.check_green(stage.ensure(spec))
        stage.emulator.clear_faults()
    stage.check_settled(*specs)
    stage.check_single(*(spec.name for spec in specs))


def two_writers(stage: Stage) -> None:
    """Two processes ensure the same export at once, request by request."""
    spec = export("CRM of two writers")
    stage.enter()
    sessions = [session_of(stage.emulator) for _ in range(2)]
    ended = stage.attempt(
        lambda: take_turns([stage.ensuring(spec, session=each) for each in sessions], stage.emulator)
    )
    for one in ended or ():
        if isinstance(one, AepError):
            stage.score.told.append(str(one))
        elif isinstance(one, BaseException):
            stage.score.add("broken", f"{type(one).__name__}: {one}"[:200])
        else:
            # That another writer was faster is told as a warning, also where all went well.
            stage.hear(one)
    stage.check_settled(spec)
    stage.check_single(spec.name)


def reschedule(stage: Stage) -> None:
    """An export that exists gets another schedule."""
    stage.enter()
    spec = export(RESCHEDULED, every="6h")
    stage.check_green(stage.ensure(spec), interval=6)
    stage.check_settled(spec, interval=6)
    stage.check_single(spec.name)


def unchanged(stage: Stage) -> None:
    """An export that exists, and is as it should be."""
    specs = [export(UNCHANGED), export(UNCHANGED_BLOB, blob=True)]
    stage.enter()
    stage.check_green(stage.ensure(*specs))
    stage.check_settled(*specs)
    stage.check_single(*(spec.name for spec in specs))


def replace_datasets(stage: Stage) -> None:
    """An export gets another dataset, for which its source connection has to be replaced."""
    stage.enter()
    spec = export(MORE_DATASETS, datasets=[CRM, {"name": "Loyalty Profiles"}])
    stage.check_green(stage.ensure(spec))
    stage.check_settled(spec)
    stage.check_single(spec.name, leftovers=1)


def replace_switched_off(stage: Stage) -> None:
    """A dataflow that somebody switched off is replaced; the POST is refused in between, then repeated."""
    stage.enter()
    spec = export(SWITCHED_OFF, blob=True)
    stage.emulator.fail_next(400, match="POST /flows")
    stage.ensure(spec)
    stage.emulator.clear_faults()
    stage.clock.advance(3)
    stage.ensure(spec)
    stage.check_settled(spec, state="disabled")
    if any(flow["state"] == "enabled" for flow in stage.kept("flows", spec.name)):
        stage.score.add(
            "false greens", f"{spec.name!r} was switched off, and is enabled after its replacement"
        )
    stage.check_single(spec.name, leftovers=1)


def export_ad_hoc(stage: Stage) -> None:
    """An ad hoc export whose answer is lost; then its run is waited for."""
    stage.enter()
    flow = stage.flow(OLD)["id"]
    stage.emulator.tick()
    before = _runs_of(stage, flow)
    # Nothing is new, so the run is over at once, and no refusal keeps a repeat from starting another.
    stage.emulator.script_runs(flow, ["zero", "zero", "zero"])
    stage.emulator.lose_next(match="adhocrun")
    exchange = run_export(flow, [LOYALTY], ready_within=0.0)
    told = stage.attempt(lambda: carry_out(stage.session.conduct(exchange, sandbox="prod"), stage.emulator))
    started = _runs_of(stage, flow) - before
    if len(started) > 1 and told is not None:
        stage.score.add("silent twins", f"{len(started)} runs of one ad hoc export")
    if told is not None and not {run.run_id for run in told} <= started:
        stage.score.add("false greens", "an ad hoc export names a run that it did not start")
    ids = tuple(run.run_id for run in told or ())
    if ids and set(ids) <= started:
        _wait(stage, [Wait(dataflow_id=flow, started_after=stage.now - timedelta(minutes=10), run_ids=ids)])


def delete_at_once(stage: Stage) -> None:
    """An export is made and deleted three seconds later, ensured again at once, and deleted at last."""
    spec = export("CRM short lived")
    stage.enter()
    stage.ensure(spec)
    stage.clock.advance(3)
    _check_removed(stage, spec, stage.delete(spec.name))
    stage.clock.advance(3)
    outcomes = stage.ensure(spec)
    stage.clock.advance(120)
    stage.check_green(outcomes)
    _check_removed(stage, spec, stage.delete(spec.name))


def delete_old(stage: Stage) -> None:
    """An export that has been there for long is deleted, ensured again at once, and deleted again."""
    spec = export(LONG_LIVED)
    stage.enter()
    _check_removed(stage, spec, stage.delete(spec.name))
    stage.clock.advance(3)
    outcomes = stage.ensure(spec)
    stage.clock.advance(120)
    stage.check_green(outcomes)
    stage.check_single(spec.name)


def _check_removed(stage: Stage, spec: ExportSpec, removal: Removal | None) -> None:
    if removal is None:
        return
    why = {one["id"] for one in removal.kept}
    left = [
        f"{kind} {each['id']}"
        for kind in COLLECTIONS
        for each in stage.kept(kind, spec.name)
        if each["id"] not in why and not stage.score.names([each["id"]])
    ]
    if left:
        stage.score.add("false greens", f"deleted {spec.name!r}, and there is still {', '.join(left)}")


def wait_alone(stage: Stage) -> None:
    """A sensor waits for the next run of an export that has had many."""
    _next_tick(stage, OLD)
    _wait(stage, [_next_run(stage, stage.flow(OLD)["id"])])


def wait_on_a_worker(stage: Stage) -> None:
    """The same in poke mode, where each poll asks for one dataflow."""
    _next_tick(stage, OLD)
    wait, began = _next_run(stage, stage.flow(OLD)["id"]), stage.now
    end = stage.attempt(lambda: _poke(stage, wait))
    if end is not None:
        _judge(stage, [wait], [end], began)


def wait_with_others(stage: Stage) -> None:
    """Thirty others wait in the same process, for exports of which some run and some do not."""
    _next_tick(stage, OLD)
    flows = [each["id"] for each in stage.emulator._world.entities.all("flows", "prod")]
    _wait(stage, [_next_run(stage, flow) for flow in flows])


def audit(stage: Stage) -> None:
    """A check of the last day, in which a run of each of two exports failed."""
    stage.enter()
    exchange = audit_exports(
        since=stage.now - timedelta(days=1), until=stage.now - timedelta(minutes=15), now=stage.now
    )
    told = stage.attempt(lambda: carry_out(stage.session.conduct(exchange, sandbox="prod"), stage.emulator))
    if told is None or not told.exports:
        return  # an error, or a check that fails as it checked nothing
    outcomes = {one.dataflow.id: one.outcome for one in told.exports}
    for name in FAILED:
        outcome = outcomes.get(stage.flow(name)["id"], "not listed")
        if outcome not in ("fail", "warn"):
            stage.score.add("false greens", f"a run of {name!r} failed, and the check says: {outcome}")


def empty_runs(stage: Stage) -> None:
    """A check of empty runs: rows of one are lost, two had nothing to export, and a dataset is gone."""
    lost, gone, idle = "CRM lost rows", "CRM gone", ("CRM idle", "CRM idle too")
    names = (lost, gone, *idle)
    datasets = {name: stage.emulator.add_dataset(f"{name} data", hourly=0).id for name in names}
    stage.emulator.script_runs(lost, ["success", "withheld"])
    made = stage.now
    stage.ensure(*(export(name, datasets=[dataset]) for name, dataset in datasets.items()))
    # Half-way between two runs, so that it belongs to the second for certain.
    stage.clock.advance(1.5 * HOUR)
    stage.emulator.add_rows(datasets[lost], 7)
    stage.clock.advance(2 * HOUR)
    stage.emulator.delete_dataset(datasets[gone])
    stage.enter()
    exchange = audit_exports(since=made + timedelta(hours=2), until=stage.now, now=stage.now)
    told = stage.attempt(lambda: carry_out(stage.session.conduct(exchange, sandbox="prod"), stage.emulator))
    if told is None or not told.exports:
        return
    outcomes = {one.dataflow.id: one.outcome for one in told.exports}
    causes = {
        one.dataflow.id: [each.cause.kind for each in one.findings if each.cause] for one in told.exports
    }
    if outcomes.get(stage.flow(lost)["id"], "not listed") not in ("fail", "warn"):
        stage.score.add("false greens", f"rows are lost, and the check says: {outcomes}")
    for name in idle:
        # Where runs cannot be read, a check fails for other reasons.
        if "not_exported" in causes.get(stage.flow(name)["id"], []):
            stage.score.add(
                "false alarms", f"{name!r} had nothing to export, and the check says it lost rows"
            )


def _next_tick(stage: Stage, name: str) -> None:
    """Enter the world half a minute before the next run of a dataflow."""
    lifecycle = stage.emulator._world.lifecycle
    due = lifecycle._due(lifecycle._courses[stage.flow(name)["id"]])
    stage.clock.advance(due - 30.0 - stage.clock())
    stage.emulator.tick()
    stage.enter()


def _runs_of(stage: Stage, flow: str) -> set[str]:
    runs = stage.emulator._world.entities.all("runs", "prod")
    return {run["id"] for run in runs if run["flowId"] == flow}


def _next_run(stage: Stage, flow: str) -> Wait:
    # A window begins some time before the tick: the clocks of the service need not agree with ours.
    return Wait(dataflow_id=flow, started_after=stage.now - timedelta(minutes=10))


def _wait(stage: Stage, waits: Sequence[Wait]) -> None:
    began = stage.now
    ends = stage.attempt(lambda: asyncio.run(_all_wait(stage, waits)))
    if ends is not None:
        _judge(stage, waits, ends, began)


def _poke(stage: Stage, wait: Wait) -> dict[str, Any]:
    """How a wait ends that polls by itself, in the words of a shared poll."""
    stuck_at: dict[str, datetime] = {}
    deadline, seen = stage.clock() + PATIENCE, Sighting(told="nothing yet")
    while stage.clock() <= deadline and not seen.finished:
        stage.clock.advance(POLL)
        exchange = look_for_runs(wait, now=stage.now, ask_why=stage.clock() > deadline, stuck_at=stuck_at)
        seen = carry_out(stage.session.conduct(exchange, sandbox="prod"), stage.emulator)
    if seen.finished:
        return {"status": "finished", "runs": [dict(run.raw) for run in seen.runs]}
    return {"status": "timeout", "last_seen": seen.told}


def _judge(stage: Stage, waits: Sequence[Wait], ends: Sequence[dict[str, Any]], began: datetime) -> None:
    """Hold how waits ended against the runs that there really were."""
    for told in stage.score.told:
        if re.search(r"the poll failed and goes on: (?!Aep)", told):
            stage.score.add("broken", told[:200])
    truth = {run["id"]: run for run in stage.emulator._world.entities.all("runs", "prod")}
    warned = bool(stage.score.told)
    for wait, end in zip(waits, ends, strict=True):
        flow = wait.dataflow_id
        ended = [
            run
            for run in truth.values()
            if run["flowId"] == flow
            and (run["id"] in wait.run_ids or run["createdAt"] >= began.timestamp() * 1000)
            and run["metrics"]["durationSummary"].get("completedAtUTC", 9e15)
            < (stage.clock() - PATIENCE / 2) * 1000
        ]
        if end["status"] == "timeout":
            said = end["last_seen"]
            if ended and said.startswith(ORDINARY) and ";" not in said and not warned:
                stage.score.add("blind waits", f"{flow}: {said}")
        elif end["status"] == "finished":
            for raw in end["runs"]:
                run = DataflowRun.from_api(raw)
                real = truth.get(run.id, {})
                over = real.get("metrics", {}).get("durationSummary", {}).get("completedAtUTC")
                if run.delivered and (not over or real["flowId"] != flow):
                    stage.score.add("false greens", f"{flow}: waited for {run.id}, which is not over")


async def _all_wait(stage: Stage, waits: Sequence[Wait]) -> list[dict[str, Any]]:
    """Everybody waits in one shared poll, whose pauses pass on the emulator's clock."""

    async def converse(exchange: Any) -> Any:
        return carry_out(stage.session.conduct(exchange, sandbox="prod"), stage.emulator)

    async def pause(changed: asyncio.Event, seconds: float) -> None:
        if seconds == float("inf"):
            await changed.wait()
            return
        stage.clock.advance(seconds)
        await asyncio.sleep(0)

    with (
        patch.object(shared_poll, "_pause", pause),
        patch.object(shared_poll, "time", SimpleNamespace(time=stage.clock, monotonic=stage.clock)),
        patch.object(shared_poll, "_jitter", lambda: 1.0),
    ):
        poll = SharedPoll(converse)
        waiting = [
            asyncio.ensure_future(poll.wait(wait, deadline=stage.clock() + PATIENCE, interval=POLL))
            for wait in waits
        ]
        await asyncio.sleep(0)
        running = asyncio.ensure_future(poll.run())
        ends = await asyncio.gather(*waiting)
        running.cancel()
        return list(ends)


ACTS: tuple[Callable[[Stage], None], ...] = (
    ensure_twice,
    lost_answers,
    two_writers,
    unchanged,
    reschedule,
    replace_datasets,
    replace_switched_off,
    export_ad_hoc,
    delete_at_once,
    delete_old,
    wait_alone,
    wait_on_a_worker,
    wait_with_others,
    audit,
    empty_runs,
)


def tell(worlds: Sequence[str], acts: Sequence[Callable[[Stage], None]] = ACTS) -> Score:
    """Tell the story in a world of these deviations."""
    total = Score()
    for act in acts:
        with _listening() as heard:
            stage = Stage(worlds)
            stage.score.told = heard
            act(stage)
        total += Score(
            [(kind, f"{act.__name__}: {what}") for kind, what in stage.score.harms], stage.score.told
        )
    return total


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Every warning that is logged; what the story tells is added to it."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear, level = Ear(logging.WARNING), LOG.propagate
    LOG.addHandler(ear)
    LOG.propagate = False
    try:
        yield heard
    finally:
        LOG.removeHandler(ear)
        LOG.propagate = level
