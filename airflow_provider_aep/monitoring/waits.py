"""Waits, and whether they are over: for the runs of a window, of a tick, or given ones.

Worker and triggerer use the same code, and exchange a wait as plain JSON. Each start of a worker pays for its
imports, so modules that only some waits need are imported where they are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_aep.flowservice.moments import parse_moment
from airflow_provider_aep.flowservice.validation import check_id

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.dataflow_record import Dataflow
    from airflow_provider_aep.flowservice.run_record import DataflowRun
    from airflow_provider_aep.monitoring.attribution import Served
    from airflow_provider_aep.monitoring.timeline import Timeline

# The fields of a dataflow that are needed to assign its runs to ticks.
OF_FLOW = ("id", "name", "state", "createdAt", "updatedAt", "lastOperation", "scheduleParams")
# The fields of a dataflow that are needed to judge its runs, and to know where they deliver.
TO_JUDGE = (*OF_FLOW, "sourceConnectionIds", "targetConnectionIds", "flowSpec", "sandboxName")
# The layout of a trigger's event. A worker that meets another one fails the task instead of guessing.
EVENT_VERSION = 1
_GAPS = ("missing", "incomplete")
# How long after the end of a window one of its runs may first be listed.
SHOWN_WITHIN = timedelta(minutes=15)
NO_RUN = "no run has started yet"


class TickWait(NamedTuple):
    """The tick whose runs are waited for.

    :param flow: the dataflow, for its schedule.
    :param datasets: the datasets that it exports; ``None`` if they could not be read.
    """

    at: datetime
    flow: Dataflow
    datasets: tuple[str, ...] | None = None


class Wait(NamedTuple):
    """A wait until a number of runs that started in a window have finished; or those of ``run_ids``, or those
    of ``tick``.

    :param started_after: the start of the window; for other waits, how far back runs are read.
    :param own_until: if enough runs of the window started before this moment, later ones do not count.
    :param expected: how many runs there must be; with 0 the wait is over as soon as the service answers.
    :param run_ids: wait for these runs, whenever they started.
    :param tick: wait for the runs of this tick.
    :param ends_stuck: whether a stuck run ends the wait.
    :param longest: how long a run may take before it is stuck; ``None``: judged by the usual duration.
    :param whole: not a wait: read the whole window, even if a run is still under way.
    :param step: how often runs come, if that is known. A request reads back as far as the wait that needs
        most, so waits that need less only share it if that costs little.
    """

    dataflow_id: str
    started_after: datetime
    started_before: datetime | None = None
    own_until: datetime | None = None
    expected: int = 1
    run_ids: tuple[str, ...] = ()
    tick: TickWait | None = None
    ends_stuck: bool = False
    longest: timedelta | None = None
    whole: bool = False
    step: timedelta = timedelta()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as a worker hands it to the triggerer."""
        tick = self.tick
        return {
            "started_after": self.started_after.isoformat(),
            "started_before": self.started_before and self.started_before.isoformat(),
            "own_until": self.own_until and self.own_until.isoformat(),
            "expected": self.expected,
            "run_ids": list(self.run_ids),
            "tick": tick
            and {
                "at": tick.at.isoformat(),
                "flow": {key: tick.flow.raw[key] for key in OF_FLOW if key in tick.flow.raw},
                "datasets": tick.datasets and list(tick.datasets),
            },
            "ends_stuck": self.ends_stuck,
            "longest": self.longest and self.longest.total_seconds(),
        }

    @classmethod
    def from_json(cls, dataflow_id: str, document: Mapping[str, Any]) -> Wait:
        """The wait from ``to_json``.

        :raises AepValidationError: an id or a moment is malformed.
        """
        from airflow_provider_aep.flowservice.dataflow_record import Dataflow

        tick, longest = document.get("tick"), document.get("longest")
        of_tick = tick and TickWait(
            at=parse_moment("tick", tick["at"]),
            flow=Dataflow.from_api(tick["flow"]),
            datasets=tuple(tick["datasets"]) if tick.get("datasets") else None,
        )
        return cls(
            dataflow_id=check_id("dataflow_id", dataflow_id),
            started_after=parse_moment("started_after", document["started_after"]),
            started_before=_moment(document, "started_before"),
            own_until=_moment(document, "own_until"),
            expected=int(document.get("expected", 1)),
            run_ids=tuple(check_id("run_ids", run_id) for run_id in document.get("run_ids") or ()),
            tick=of_tick,
            ends_stuck=bool(document.get("ends_stuck")),
            longest=timedelta(seconds=longest) if longest else None,
            step=of_tick.flow.step if of_tick else timedelta(),
        )

    def needs_more(self, runs: Sequence[DataflowRun], read_from: datetime) -> bool:
        """Whether older runs may still end the wait.

        :param runs: those of its dataflow that have been read.
        :param read_from: all runs that started later have been read.
        """
        if read_from < self.started_after:
            return False
        if self.whole:
            return True
        if self.tick is not None:
            from airflow_provider_aep.monitoring.ticks import SKEW

            # Whatever older runs there are, a run that began with this tick or later must have ended first.
            opens = self.tick.at - SKEW
            ended = any(run.finished and run.started_at and run.started_at >= opens for run in runs)
            return ended or read_from >= opens
        picked = self.pick(runs)
        if self.run_ids:
            return len(picked) < len(self.run_ids)
        return all(run.finished for run in picked)

    def pick(self, runs: Iterable[DataflowRun]) -> list[DataflowRun]:
        """The given runs, or those of the window; each once."""
        from airflow_provider_aep.flowservice.run_record import each_once, pick_runs

        once = {run.id: run for run in each_once(runs)}
        if self.run_ids:
            return [once[run_id] for run_id in self.run_ids if run_id in once]
        picked = pick_runs(
            list(once.values()), started_after=self.started_after, started_before=self.started_before
        )
        own = pick_runs(picked, started_after=None, started_before=self.own_until)
        return own if len(own) >= self.expected else picked


def part_of(flow: Dataflow) -> dict[str, Any]:
    """The part of a dataflow that is needed to judge its runs, as JSON that ``Dataflow.from_api`` reads."""
    return {key: flow.raw[key] for key in TO_JUDGE if key in flow.raw}


def _moment(document: Mapping[str, Any], name: str) -> datetime | None:
    return parse_moment(name, document[name]) if document.get(name) else None


class Sighting(NamedTuple):
    """What one poll saw.

    :param told: a sentence about it, for logs and for the message of a timeout.
    :param finished: the wait is over; ``runs`` can be judged.
    :param in_vain: the wait is over, because no run can appear any more that would end it.
    :param missing: a run of the wait's tick should have started by now.
    :param incomplete: a sentence about what is missing, if the wait's tick has fewer runs than it owes.
    :param stuck: a sentence about a run that should have ended long ago, if there is one.
    :param wait_seconds: how long the service asked to wait before the next poll.
    :param answered: the service answered; otherwise ``runs`` means nothing.
    :param refused: the login, the connection or a right is at fault, so there is no answer, or none to why
        there is no run.
    :param sandbox: the sandbox of the poll, if it was kept.
    :param flow: the dataflow, if it was read as well.
    """

    told: str
    runs: tuple[DataflowRun, ...] = ()
    finished: bool = False
    in_vain: bool = False
    missing: bool = False
    incomplete: str = ""
    stuck: str = ""
    wait_seconds: float = 0.0
    answered: bool = True
    refused: bool = False
    sandbox: str | None = None
    flow: Dataflow | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON about the end of a wait, for the worker that judges it."""
        also = {
            "incomplete": self.incomplete,
            "stuck": self.stuck,
            "sandbox": self.sandbox,
            "dataflow": part_of(self.flow) if self.flow else None,
        }
        runs = [dict(run.raw) for run in self.runs]
        return {"status": "finished", "runs": runs} | {name: value for name, value in also.items() if value}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Sighting:
        """The sighting from ``to_json``."""
        from airflow_provider_aep.flowservice.dataflow_record import Dataflow
        from airflow_provider_aep.flowservice.run_record import DataflowRun

        return cls(
            runs=tuple(DataflowRun.from_api(run) for run in document["runs"]),
            finished=True,
            told="the trigger saw the runs end",
            incomplete=str(document.get("incomplete") or ""),
            stuck=str(document.get("stuck") or ""),
            flow=Dataflow.from_api(document["dataflow"]) if document.get("dataflow") else None,
        )


def sighting_of(wait: Wait, runs: Sequence[DataflowRun], now: datetime) -> Sighting:
    """What the runs of a dataflow mean to a wait for it.

    :param runs: as far back as the wait reads.
    """
    if wait.tick is not None:
        return _of_tick(wait, wait.tick, runs, now)
    if not wait.expected:
        return Sighting(finished=True, told="the service answers")
    from airflow_provider_aep.monitoring.verdict import all_finished

    picked = wait.pick(runs)
    done = all_finished(picked, expected=len(wait.run_ids) or wait.expected)
    sentence, end = _sentence(wait, picked), wait.started_before
    in_vain = (
        not done and end is not None and now > end + SHOWN_WITHIN and all(run.finished for run in picked)
    )
    if in_vain:
        sentence = f"{sentence}, and its window ended at {end:%Y-%m-%d %H:%M} UTC"
    return Sighting(runs=tuple(picked), finished=done, in_vain=in_vain, told=sentence)


def with_stuck(wait: Wait, seen: Sighting, now: datetime, stuck_at: Mapping[str, datetime]) -> Sighting:
    """A sighting that also reports a run that should have ended long ago.

    :param stuck_at: when runs that are long under way become stuck, by their id.
    """
    for run in seen.runs:
        if run.finished or run.started_at is None:
            continue
        at = run.started_at + wait.longest if wait.longest is not None else stuck_at.get(run.id)
        if at is not None and at <= now:
            from airflow_provider_aep.monitoring.findings import told_stuck

            sentence = told_stuck(run, at)
            return seen._replace(finished=wait.ends_stuck, told=sentence, incomplete="", stuck=sentence)
    return seen


def _of_tick(wait: Wait, tick: TickWait, runs: Sequence[DataflowRun], now: datetime) -> Sighting:
    from airflow_provider_aep.monitoring.findings import told_of
    from airflow_provider_aep.monitoring.timeline import timeline_of
    from airflow_provider_aep.monitoring.verdict import all_finished

    timeline = timeline_of(tick.flow, runs, now=now, known_from=wait.started_after, datasets=tick.datasets)
    served = timeline.served(tick.at)
    if served is None:
        return Sighting(told=f"the tick of {tick.at:%Y-%m-%d %H:%M} UTC is to come")
    gap = next(
        (event for event in timeline.events if event.tick == served.tick and event.kind in _GAPS), None
    )
    own, owed = served.standing(), timeline.attribution.least
    if not own:
        sentence = told_of(gap) if gap else NO_RUN
        in_vain = now > served.tick.given_up + SHOWN_WITHIN
        return Sighting(told=sentence, in_vain=in_vain, missing=gap is not None)
    lacking = told_of(gap) if gap and len(own) < owed else ""
    done = all_finished(own, expected=1 if lacking else owed) and not _may_move(served, timeline)
    sentence = lacking or _seen(own, owed)
    return Sighting(runs=tuple(own), finished=done, told=sentence, incomplete=lacking)


def _may_move(served: Served, timeline: Timeline) -> bool:
    """Whether a run of this tick may still turn out to belong to an earlier one, which is not late so far."""
    created_at = timeline.flow.created_at
    return any(
        earlier.known
        and earlier.tick.at < served.tick.at
        and (created_at is None or earlier.tick.at >= created_at)
        and earlier.count < timeline.attribution.least
        and timeline.now <= earlier.tick.deadline
        for earlier in timeline.attribution.served
    )


def _sentence(wait: Wait, runs: Sequence[DataflowRun]) -> str:
    if not wait.run_ids:
        return _seen(runs, wait.expected)
    there = {run.id for run in runs}
    unlisted = [run_id for run_id in wait.run_ids if run_id not in there]
    not_there = f"run {', '.join(unlisted)} is not listed yet" if unlisted else ""
    seen = _seen(runs, len(wait.run_ids)) if runs else ""
    return "; ".join(filter(None, (seen, not_there)))


def _seen(runs: Sequence[DataflowRun], expected: int) -> str:
    if not runs:
        return NO_RUN
    seen = ", ".join(f"{run.id} {run.status_word}" for run in runs)
    return f"{len(runs)} of {expected} expected: {seen}" if expected > 1 else f"run {seen}"
