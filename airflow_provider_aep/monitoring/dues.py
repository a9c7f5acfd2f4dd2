"""Ticks of many dataflows that one task waits for: which they are, and whether an ending is news."""

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
from airflow_provider_aep.flowservice.moments import parse_moment
from airflow_provider_aep.flowservice.schedule import is_readable
from airflow_provider_aep.monitoring.listings import AT_MOST
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.reading import datasets_of, reach_to_judge, read_datasets
from airflow_provider_aep.monitoring.selection import Selection
from airflow_provider_aep.monitoring.verdict import judge_runs
from airflow_provider_aep.monitoring.waits import TickWait, Wait, part_of

# The most that one task waits for: each poll compares the ticks of a dataflow with one another.
MOST_OF_ONE = 1_000
MOST_TICKS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A tick of a dataflow whose runs are waited for.

    :param datasets: the datasets that the dataflow exports; ``None`` if they could not be read.
    """

    flow: Dataflow
    at: datetime
    datasets: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        """Identifies the tick, in every process."""
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
    """The ticks to wait for.

    :param lost: the ticks that cannot be waited for, and why: (dataflow id, name, tick, reason).
    :param listed: how many export dataflows there are, selected or not.
    :param selected: how many of them fit the selection, due or not.
    :param unreadable: the names of dataflows whose schedule cannot be read.
    """

    dues: tuple[Due, ...]
    lost: tuple[tuple[str, str, datetime, str], ...] = ()
    listed: int = 0
    selected: int = 0
    unreadable: tuple[str, ...] = ()


def due_ticks(
    flows: Iterable[Dataflow], start: datetime, end: datetime
) -> list[tuple[Dataflow, list[datetime]]]:
    """The dataflows that should export from ``start`` on and before ``end``, with these ticks."""
    of_each = [(flow, flow.ticks(start, end) if flow.state == "enabled" else []) for flow in flows]
    return [(flow, ticks) for flow, ticks in of_each if ticks]


def choose_due(selection: Selection, start: datetime, end: datetime) -> Exchange[Chosen]:
    """The ticks of all dataflows that fit a selection, in a window.

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
    """Refuse more ticks than one task can wait for.

    :param ticks: how many there are of each dataflow.
    """
    rule = ""
    if max(ticks, default=0) > MOST_OF_ONE:
        rule = f"means more than {MOST_OF_ONE} ticks of one dataflow"
    elif sum(ticks) > MOST_TICKS:
        rule = f"means more than {MOST_TICKS} ticks"
    if rule:
        advice = "Wait for them in several tasks, each with a part of the window or of the dataflows."
        raise AepValidationError("the sensor", [Problem(field, rule)], advice)


def choose_given(given: Mapping[str, Sequence[datetime]]) -> Exchange[Chosen]:
    """Given ticks of given dataflows, by their ids.

    A dataflow or tick that does not exist is reported in ``lost``, and does not affect the others.

    :raises AepValidationError: there are too many.
    """
    _check_few("ticks", [len(ticks) for ticks in given.values()])
    ids = list(given)
    batches = [ids[start : start + LARGEST_PAGE] for start in range(0, len(ids), LARGEST_PAGE)]
    flows: dict[str, Dataflow] = {}
    for batch in batches:
        flows |= {flow.id: flow for flow in (yield from read_dataflows(batch))}
    # A list may leave something out.
    alone = [flow_id for flow_id in ids if flow_id not in flows]
    asking = [get_dataflow(flow_id) for flow_id in alone]
    ends = (yield from together(asking, at_most=AT_MOST)) if asking else []
    why: dict[str, str] = {}
    for flow_id, end in zip(alone, ends, strict=True):
        if isinstance(end, OUTAGES):
            raise end
        if isinstance(end, Done):
            flows[flow_id] = end.value
        else:
            why[flow_id] = str(end)
    good = []
    lost = [(flow_id, flow_id, at, reason) for flow_id, reason in why.items() for at in given[flow_id]]
    for flow_id, flow in flows.items():
        moments = given.get(flow_id, ())
        is_tick = [(at, bool(flow.ticks(at, at + timedelta(microseconds=1)))) for at in moments]
        good.append((flow, [at for at, known in is_tick if known]))
        lost += [
            (flow_id, flow.name, at, "it is not a tick of the dataflow's schedule")
            for at, known in is_tick
            if not known
        ]
    dues = yield from _with_datasets(good)
    return Chosen(dues=dues, lost=tuple(lost), listed=len(flows), selected=len(ids))


def _with_datasets(ticks: Sequence[tuple[Dataflow, Sequence[datetime]]]) -> Exchange[tuple[Due, ...]]:
    datasets = yield from read_datasets([flow for flow, moments in ticks if moments], {})
    return tuple(
        Due(flow=flow, at=at, datasets=datasets_of(flow, datasets))
        for flow, moments in ticks
        for at in moments
    )


def dues_to_json(dues: Iterable[Due]) -> list[dict[str, Any]]:
    """Plain JSON, as worker and triggerer exchange it: an entry for each dataflow."""
    by_flow: dict[str, dict[str, Any]] = {}
    for due in dues:
        entry = by_flow.setdefault(
            due.flow.id,
            {
                "flow": part_of(due.flow),
                "datasets": due.datasets and list(due.datasets),
                "ticks": [],
            },
        )
        entry["ticks"].append(due.at.isoformat())
    return list(by_flow.values())


def dues_from_json(entries: Iterable[Mapping[str, Any]]) -> list[Due]:
    """The ticks from ``dues_to_json``.

    :raises AepValidationError: a moment is malformed.
    """
    return [
        Due(
            flow=Dataflow.from_api(entry["flow"]),
            at=parse_moment("tick", at),
            datasets=tuple(entry["datasets"]) if entry.get("datasets") else None,
        )
        for entry in entries
        for at in entry["ticks"]
    ]


def is_news(ending: Mapping[str, Any], policy: RunPolicy) -> bool:
    """Whether the end of a wait is worth starting a worker for, while others still wait.

    Any ending that is not plainly good is: only the worker reads what else is needed to judge it.

    :param ending: the result of ``SharedPoll.wait``.
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
