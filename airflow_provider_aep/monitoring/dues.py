"""Ticks of many dataflows that somebody waits for together: which they are, and what they have come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.errors import OUTAGES, AepError, AepValidationError, Problem
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import get_dataflow, list_dataflows, read_dataflows
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.flowservice.schedule import is_readable, parse_moment
from airflow_provider_aep.monitoring.listings import AT_MOST
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.reading import datasets_of, reach_to_judge, read_datasets
from airflow_provider_aep.monitoring.selection import Selection
from airflow_provider_aep.monitoring.verdict import judge_runs
from airflow_provider_aep.monitoring.waits import TickWait, Wait, part_of

# One task waits for no more: the ticks of a dataflow are compared with one another, at each look.
MOST_OF_ONE = 1_000
MOST_TICKS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A tick of a dataflow whose runs are waited for.

    :param datasets: what the dataflow exports; ``None`` where that could not be read.
    """

    flow: Dataflow
    at: datetime
    datasets: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        """The same in every process, and of no other tick."""
        return f"{self.flow.id} {self.at.isoformat()}"

    def __str__(self) -> str:
        return f"{self.flow.name!r}, due {self.at:%Y-%m-%d %H:%M} UTC"

    def wait(self, policy: RunPolicy) -> Wait:
        """The wait for its runs."""
        return Wait(
            dataflow_id=self.flow.id,
            started_after=self.at - reach_to_judge(self.flow, self.datasets),
            tick=TickWait(at=self.at, flow=self.flow, datasets=self.datasets),
            step=self.flow.step,
            ends_stuck=policy.on_stuck in ("fail", "skip"),
            longest=policy.longest,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What there is to wait for.

    :param lost: what cannot be waited for, and why: (dataflow id, name, tick, reason).
    :param listed: how many export dataflows there are, selected or not.
    :param selected: how many of them fit the selection, due or not.
    :param unreadable: the names of those of which nobody can tell when they are due.
    """

    dues: tuple[Due, ...]
    lost: tuple[tuple[str, str, datetime, str], ...] = ()
    listed: int = 0
    selected: int = 0
    unreadable: tuple[str, ...] = ()


def due_ticks(
    flows: Iterable[Dataflow], start: datetime, end: datetime
) -> list[tuple[Dataflow, list[datetime]]]:
    """The dataflows that should have exported from ``start`` on and before ``end``, with those ticks."""
    every = [(flow, flow.ticks(start, end) if flow.state == "enabled" else []) for flow in flows]
    return [(flow, ticks) for flow, ticks in every if ticks]


def choose_due(selection: Selection, start: datetime, end: datetime) -> Exchange[Chosen]:
    """The ticks of a window, of all dataflows that fit a selection.

    :raises AepValidationError: the selection names a destination to which nothing is exported, or there are
        too many ticks.
    """
    listed = yield from list_dataflows()
    selection.check(listed)
    # Pages overlap when something is created meanwhile.
    flows = [flow for flow in {flow.id: flow for flow in listed}.values() if selection.holds(flow)]
    due: list[tuple[Dataflow, list[datetime]]] = []
    for flow in flows:
        due += due_ticks([flow], start, end)
        _check_few("due_from", [len(ticks) for _, ticks in due])
    dues = yield from _with_datasets(due)
    unreadable = [flow.name for flow in flows if flow.state == "enabled" and not is_readable(flow.schedule)]
    return Chosen(dues=dues, listed=len(listed), selected=len(flows), unreadable=tuple(unreadable))


def _check_few(field: str, ticks: Sequence[int]) -> None:
    """Refuse what one task cannot wait for.

    :param ticks: how many there are of each dataflow.
    """
    told = ""
    if max(ticks, default=0) > MOST_OF_ONE:
        told = f"means more than {MOST_OF_ONE} ticks of one dataflow"
    elif sum(ticks) > MOST_TICKS:
        told = f"means more than {MOST_TICKS} ticks"
    if told:
        advice = "Wait for them in several tasks, each with a part of the window or of the dataflows."
        raise AepValidationError("the sensor", [Problem(field, told)], advice)


def choose_given(given: Mapping[str, Sequence[datetime]]) -> Exchange[Chosen]:
    """Given ticks of given dataflows, by their ids.

    What is not there is lost and told, and takes nothing from the others.

    :raises AepValidationError: there are too many.
    """
    _check_few("ticks", [len(ticks) for ticks in given.values()])
    ids = list(given)
    batches = [ids[start : start + LARGEST_PAGE] for start in range(0, len(ids), LARGEST_PAGE)]
    found: dict[str, Dataflow] = {}
    for batch in batches:
        found |= {flow.id: flow for flow in (yield from read_dataflows(batch))}
    # A list may leave something out.
    alone = [each for each in ids if each not in found]
    asking = [get_dataflow(each) for each in alone]
    ends = (yield from together(asking, at_most=AT_MOST)) if asking else []
    why: dict[str, str] = {}
    for each, end in zip(alone, ends, strict=True):
        if isinstance(end, OUTAGES):
            raise end
        if isinstance(end, Done):
            found[each] = end.value
        else:
            why[each] = str(end)
    good, lost = [], [(each, each, at, told) for each, told in why.items() for at in given[each]]
    for each, flow in found.items():
        is_tick = [(at, bool(flow.ticks(at, at + timedelta(microseconds=1)))) for at in given.get(each, ())]
        good.append((flow, [at for at, known in is_tick if known]))
        lost += [
            (each, flow.name, at, "it is no tick of the schedule of the dataflow")
            for at, known in is_tick
            if not known
        ]
    dues = yield from _with_datasets(good)
    return Chosen(dues=dues, lost=tuple(lost), listed=len(found), selected=len(ids))


def _with_datasets(ticks: Sequence[tuple[Dataflow, Sequence[datetime]]]) -> Exchange[tuple[Due, ...]]:
    datasets = yield from read_datasets([flow for flow, some in ticks if some], {})
    return tuple(
        Due(flow=flow, at=at, datasets=datasets_of(flow, datasets)) for flow, some in ticks for at in some
    )


def dues_to_json(dues: Iterable[Due]) -> list[dict[str, Any]]:
    """Plain JSON, as it crosses from a worker to the triggerer and back: an entry for each dataflow."""
    by_flow: dict[str, dict[str, Any]] = {}
    for due in dues:
        told = by_flow.setdefault(
            due.flow.id,
            {
                "flow": part_of(due.flow),
                "datasets": due.datasets and list(due.datasets),
                "ticks": [],
            },
        )
        told["ticks"].append(due.at.isoformat())
    return list(by_flow.values())


def dues_from_json(told: Iterable[Mapping[str, Any]]) -> list[Due]:
    """What ``dues_to_json`` made.

    :raises AepValidationError: a moment is none.
    """
    return [
        Due(
            flow=Dataflow.from_api(each["flow"]),
            at=parse_moment("tick", at),
            datasets=tuple(each["datasets"]) if each.get("datasets") else None,
        )
        for each in told
        for at in each["ticks"]
    ]


def is_news(ending: Mapping[str, Any], policy: RunPolicy) -> bool:
    """Whether how a wait ended is worth starting a worker for, while others still wait.

    Whatever is not plainly good is: only the worker reads what else it takes to judge.

    :param ending: as ``SharedPoll.wait`` tells it.
    """
    from airflow_provider_aep.flowservice.run_record import DataflowRun

    if ending.get("status") != "finished" or ending.get("stuck") or ending.get("incomplete"):
        return True
    if policy.needs_history:
        return True
    try:
        verdict = judge_runs([DataflowRun.from_api(run) for run in ending["runs"]], policy)
    except (AepError, LookupError, TypeError, ValueError):
        return True
    return (verdict.outcome, verdict.status) != ("ok", "success")
