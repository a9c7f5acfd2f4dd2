"""Looking for the runs of many dataflows at once.

One request asks for the runs of up to 100 dataflows. That filter is documented, and never shown for
``flowId``: where the service refuses it, each dataflow is asked for alone. Whatever goes wrong with one
dataflow stays with those who wait for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_aep.errors import AepApiError, AepAuthError, AepError, AepNotFoundError
from airflow_provider_aep.flowservice.dataflows import get_dataflow, read_dataflows
from airflow_provider_aep.flowservice.entities import LARGEST_PAGE
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.flowservice.runs import DataflowRun, list_runs_of, pick_runs
from airflow_provider_aep.monitoring.poll import Sighting, no_answer, sighting_of, why_no_run

AT_MOST = 8
# A run may be created a little before it starts, and windows ask when it started.
CREATED_EARLIER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What somebody waits for: so many runs of a dataflow that started in a window, all finished.

    :param whole: read the whole window, also where a run that is under way tells that the wait goes on.
    """

    dataflow_id: str
    started_after: datetime
    started_before: datetime | None = None
    expected: int = 1
    whole: bool = False


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
    batches = _batches(waits, range(len(waits)), size=1 if alone else LARGEST_PAGE)
    ends = yield from _look_at(waits, batches)
    refusal: AepApiError | None = None
    again: list[int] = []
    for batch, end in zip(batches, ends, strict=True):
        if len({waits[at].dataflow_id for at in batch}) > 1 and _concerns_the_request(end):
            again += batch
            if isinstance(end, AepApiError) and end.status not in (403, 404):
                refusal = end
    asked = [(batch, end) for batch, end in zip(batches, ends, strict=True) if batch[0] not in again]
    batches = _batches(waits, again, size=1)
    asked += zip(batches, (yield from _look_at(waits, batches)), strict=True)
    seen = _seen(waits, asked)
    seen |= yield from _why_no_run(waits, [at for at in ask_why if not _needs_no_reason(seen[at])], now)
    return Look(seen=[seen[at] for at in range(len(waits))], refusal=refusal)


def _batches(waits: Sequence[Wait], positions: Sequence[int], *, size: int) -> list[list[int]]:
    """Positions of waits, so that each batch names so many dataflows at most, and each dataflow is in one."""
    by_flow: dict[str, list[int]] = {}
    for at in positions:
        by_flow.setdefault(waits[at].dataflow_id, []).append(at)
    flows = list(by_flow.values())
    return [
        [at for same in flows[start : start + size] for at in same] for start in range(0, len(flows), size)
    ]


def _look_at(
    waits: Sequence[Wait], batches: Sequence[Sequence[int]]
) -> Exchange[list[Done[list[DataflowRun]] | AepError]]:
    looks = [_runs_of([waits[at] for at in batch]) for batch in batches]
    return (yield from together(looks, at_most=AT_MOST)) if looks else []


def _runs_of(waits: Sequence[Wait]) -> Exchange[list[DataflowRun]]:
    def enough(found: list[DataflowRun]) -> bool:
        runs = _by_flow(found)
        # Older runs cannot end a wait that has one under way in its window.
        return all(
            not wait.whole and any(not run.finished for run in _in_window(wait, runs)) for wait in waits
        )

    runs = yield from list_runs_of(
        sorted({wait.dataflow_id for wait in waits}),
        started_after=min(wait.started_after for wait in waits) - CREATED_EARLIER,
        enough=enough,
    )
    return runs


def _seen(
    waits: Sequence[Wait], asked: Sequence[tuple[Sequence[int], Done[list[DataflowRun]] | AepError]]
) -> dict[int, Sighting | AepError]:
    """What each wait saw, by its position."""
    forbidden = sum(1 for _, end in asked if isinstance(end, AepAuthError))
    # A permission that is missing for all is mended without those who wait.
    excused = forbidden == len(asked) > 1
    seen: dict[int, Sighting | AepError] = {}
    for batch, end in asked:
        if isinstance(end, Done):
            runs = _by_flow(end.value)
            seen |= {at: sighting_of(_in_window(waits[at], runs), waits[at].expected) for at in batch}
        elif _concerns_the_request(end) and not excused:
            seen |= dict.fromkeys(batch, end)
        else:
            seen |= dict.fromkeys(batch, no_answer(end))
    return seen


def _by_flow(runs: Sequence[DataflowRun]) -> Mapping[str, list[DataflowRun]]:
    found: dict[str, list[DataflowRun]] = {}
    for run in runs:
        found.setdefault(run.dataflow_id, []).append(run)
    return found


def _in_window(wait: Wait, runs: Mapping[str, list[DataflowRun]]) -> list[DataflowRun]:
    mine = runs.get(wait.dataflow_id, [])
    return pick_runs(mine, started_after=wait.started_after, started_before=wait.started_before)


def _needs_no_reason(seen: Sighting | AepError) -> bool:
    # Without an answer nobody knows whether there is a run; asking on would make a storm of an outage.
    return isinstance(seen, AepError) or bool(seen.runs) or not seen.answered


def _concerns_the_request(end: object) -> bool:
    """Whether an answer is about what was asked for, and not about the service or the login."""
    if isinstance(end, AepAuthError):
        return end.status == 403
    return isinstance(end, AepApiError) and 400 <= end.status < 500 and end.status != 429


def _why_no_run(
    waits: Sequence[Wait], positions: Sequence[int], now: datetime
) -> Exchange[dict[int, Sighting | AepError]]:
    """For waits without a run: what their dataflows tell, and an error for a dataflow that is gone."""
    flow_ids = sorted({waits[at].dataflow_id for at in positions})
    if not flow_ids:
        return {}
    lists = [
        read_dataflows(flow_ids[start : start + LARGEST_PAGE])
        for start in range(0, len(flow_ids), LARGEST_PAGE)
    ]
    ends = yield from together(lists, at_most=AT_MOST)
    told: dict[str, Sighting | AepError] = {
        flow.id: Sighting(told=why_no_run(flow, now))
        for end in ends
        if isinstance(end, Done)
        for flow in end.value
    }
    missing = [flow_id for flow_id in flow_ids if flow_id not in told]
    singles = yield from together([get_dataflow(flow_id) for flow_id in missing], at_most=AT_MOST)
    for flow_id, single in zip(missing, singles, strict=True):
        if isinstance(single, Done):
            told[flow_id] = Sighting(told=why_no_run(single.value, now))
        elif isinstance(single, AepNotFoundError):
            told[flow_id] = single
    return {at: told[waits[at].dataflow_id] for at in positions if waits[at].dataflow_id in told}
