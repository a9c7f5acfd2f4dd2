"""Looking for the runs of many dataflows at once.

One request asks for the runs of up to 100 dataflows. That filter is documented, and never shown for
``flowId``: where the service refuses it, each dataflow is asked for alone. Whatever goes wrong with one
dataflow stays with those who wait for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_aep.errors import (
    AepApiError,
    AepAuthError,
    AepError,
    AepRateLimitError,
    AepServerError,
)
from airflow_provider_aep.flowservice.dataflows import Dataflow, read_dataflows
from airflow_provider_aep.flowservice.entities import LARGEST_PAGE
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.flowservice.runs import DataflowRun, RunStatus, list_runs_of, pick_runs
from airflow_provider_aep.monitoring.poll import Sighting, look_for_runs, no_answer, sighting_of, why_no_run

AT_MOST = 8
# A run may be created a little before it starts, and windows ask when it started.
CREATED_EARLIER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What somebody waits for: so many runs of a dataflow that started in a window, all finished."""

    dataflow_id: str
    started_after: datetime
    started_before: datetime | None = None
    expected: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at many dataflows saw.

    :param seen: for each wait, in order, a sighting, or the error that ends this wait.
    :param refusal: the service does not take a list of dataflows; ask for each alone from now on.
    """

    seen: list[Sighting | AepError]
    refusal: AepApiError | None = None


def look_for_many(
    waits: Sequence[Wait], *, now: datetime, ask_why: Collection[int] = (), alone: bool = False
) -> Exchange[Look]:
    """Look once for what each of many waits for.

    Raises nothing: a service that does not answer, or refuses the login, is what was seen.

    :param ask_why: the positions of waits for which, where no run is there yet, the dataflow is read too.
    :param alone: do not ask for several dataflows in one request.
    """
    seen: dict[int, Sighting | AepError] = {}
    refusal: AepApiError | None = None
    batches = list(_batches(waits, 1 if alone else LARGEST_PAGE))
    lonely = [at for batch in batches for at in batch if _is_of_one(waits, batch)]
    batches = [batch for batch in batches if not _is_of_one(waits, batch)]
    ends = yield from together([_runs_of([waits[at] for at in batch]) for batch in batches], at_most=AT_MOST)
    for batch, end in zip(batches, ends, strict=True):
        if isinstance(end, Done):
            seen |= {at: _sight(waits[at], end.value) for at in batch}
        elif _concerns_the_request(end):
            if isinstance(end, AepApiError) and end.status not in (403, 404):
                refusal = end
            lonely += batch
        else:
            seen |= dict.fromkeys(batch, no_answer(end))
    unknown = [at for at in ask_why if at in seen and not _told_of_runs(seen[at])]
    seen |= yield from _why_no_run(waits, unknown, now)
    seen |= yield from _one_by_one(waits, lonely, ask_why, now)
    return Look(seen=[seen[at] for at in range(len(waits))], refusal=refusal)


def _is_of_one(waits: Sequence[Wait], batch: Sequence[int]) -> bool:
    return len({waits[at].dataflow_id for at in batch}) == 1


def _batches(waits: Sequence[Wait], size: int) -> Iterator[list[int]]:
    """Positions of waits, so that each batch names so many dataflows at most."""
    by_flow: dict[str, list[int]] = {}
    for at, wait in enumerate(waits):
        by_flow.setdefault(wait.dataflow_id, []).append(at)
    flows = list(by_flow.values())
    for start in range(0, len(flows), size):
        yield [at for same in flows[start : start + size] for at in same]


def _runs_of(waits: Sequence[Wait]) -> Exchange[list[DataflowRun]]:
    def enough(runs: list[DataflowRun]) -> bool:
        running = {run.dataflow_id for run in runs if run.status is RunStatus.RUNNING}
        # Older runs cannot end a wait that has one under way in its window.
        return all(
            wait.dataflow_id in running and any(not run.finished for run in _in_window(wait, runs))
            for wait in waits
        )

    runs = yield from list_runs_of(
        sorted({wait.dataflow_id for wait in waits}),
        started_after=min(wait.started_after for wait in waits) - CREATED_EARLIER,
        enough=enough,
    )
    return runs


def _in_window(wait: Wait, runs: Sequence[DataflowRun]) -> list[DataflowRun]:
    mine = [run for run in runs if run.dataflow_id == wait.dataflow_id]
    return pick_runs(mine, started_after=wait.started_after, started_before=wait.started_before)


def _sight(wait: Wait, runs: Sequence[DataflowRun]) -> Sighting:
    return sighting_of(_in_window(wait, runs), wait.expected)


def _told_of_runs(seen: Sighting | AepError) -> bool:
    return isinstance(seen, AepError) or bool(seen.runs)


def _concerns_the_request(error: AepError) -> bool:
    """Whether to ask for each dataflow alone: one of them may be at fault, or their number."""
    if isinstance(error, AepServerError | AepRateLimitError) or not isinstance(error, AepApiError):
        return False
    return not (isinstance(error, AepAuthError) and error.status != 403) and 400 <= error.status < 500


def _why_no_run(
    waits: Sequence[Wait], positions: Sequence[int], now: datetime
) -> Exchange[Mapping[int, Sighting | AepError]]:
    """For waits without a run: what their dataflows tell, and an error for a dataflow that is gone."""
    if not positions:
        return {}
    flow_ids = sorted({waits[at].dataflow_id for at in positions})
    ends = yield from together(
        [
            read_dataflows(flow_ids[start : start + LARGEST_PAGE])
            for start in range(0, len(flow_ids), LARGEST_PAGE)
        ],
        at_most=AT_MOST,
    )
    flows: dict[str, Dataflow] = {
        flow.id: flow for end in ends if isinstance(end, Done) for flow in end.value
    }
    told: dict[int, Sighting | AepError] = {
        at: Sighting(told=why_no_run(flows[waits[at].dataflow_id], now))
        for at in positions
        if waits[at].dataflow_id in flows
    }
    rest = [at for at in positions if at not in told]
    return {**told, **(yield from _one_by_one(waits, rest, rest, now))}


def _one_by_one(
    waits: Sequence[Wait], positions: Sequence[int], ask_why: Collection[int], now: datetime
) -> Exchange[Mapping[int, Sighting | AepError]]:
    looks = [
        look_for_runs(
            waits[at].dataflow_id,
            now=now,
            started_after=waits[at].started_after,
            started_before=waits[at].started_before,
            expected=waits[at].expected,
            ask_why=at in ask_why,
        )
        for at in positions
    ]
    ends = yield from together(looks, at_most=AT_MOST)
    found = {at: end.value if isinstance(end, Done) else end for at, end in zip(positions, ends, strict=True)}
    forbidden = [at for at, end in found.items() if isinstance(end, AepAuthError)]
    # A refused login, or a permission that is missing for all, is mended without those who wait.
    all_of_them = len({waits[at].dataflow_id for at in forbidden}) > 1 and len(forbidden) == len(found)
    return {
        at: no_answer(end) if isinstance(end, AepAuthError) and (all_of_them or end.status != 403) else end
        for at, end in found.items()
    }
