"""Looking for the runs of many dataflows at once.

One request asks for the runs of up to 100 dataflows. That filter is documented, and never shown for
``flowId``: where the service refuses it, each dataflow is asked for alone. Whatever goes wrong with one
dataflow stays with those who wait for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from airflow_provider_aep.errors import (
    AepApiError,
    AepAuthError,
    AepError,
    AepNotFoundError,
    AepValidationError,
)
from airflow_provider_aep.flowservice.dataflows import Dataflow, get_dataflow, read_dataflows
from airflow_provider_aep.flowservice.entities import LARGEST_PAGE
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.flowservice.runs import DataflowRun, list_runs_of
from airflow_provider_aep.monitoring.poll import (
    find_stuck,
    in_doubt,
    no_answer,
    read_given,
    why_no_run,
)
from airflow_provider_aep.monitoring.waits import Sighting, Wait, sighting_of, with_stuck

AT_MOST = 8
# A run may be created a little before it starts, and windows ask when it started.
CREATED_EARLIER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at many dataflows saw.

    :param seen: for each wait, in order, a sighting, or the error that ends this wait.
    :param refusal: the service does not take a list of dataflows; ask for each alone from now on.
    """

    seen: list[Sighting | AepError]
    refusal: AepApiError | None = None


def look_for_many(
    waits: Sequence[Wait],
    *,
    now: datetime,
    ask_why: Collection[int] = (),
    alone: bool = False,
    stuck_at: MutableMapping[str, datetime] | None = None,
) -> Exchange[Look]:
    """Look once for what each of many waits for.

    Raises nothing: a service that does not answer, or refuses the login, is what was seen.

    :param ask_why: the positions of waits for which, where no run is there yet, the dataflow is read too.
    :param alone: do not ask for several dataflows in one request.
    :param stuck_at: what is known of runs that are long under way; what is found out is added. See
        ``find_stuck``.
    """
    size = 1 if alone else LARGEST_PAGE
    # Those for ticks read further back, so others do not come along with them.
    of_ticks = sorted(
        (at for at, wait in enumerate(waits) if wait.tick), key=lambda at: waits[at].started_after
    )
    batches = _batches(waits, [at for at, wait in enumerate(waits) if not wait.tick], size=size)
    batches += _batches(waits, of_ticks, size=size)
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
    stuck_at = {} if stuck_at is None else stuck_at
    seen = _seen(waits, asked, now)
    yield from _find_given(waits, seen, now)
    yield from _find_stuck(waits, seen, now, stuck_at)
    yield from _find_why(waits, seen, now, [at for at in ask_why if not _needs_no_reason(seen[at])])
    return Look(seen=[seen[at] for at in range(len(waits))], refusal=refusal)


def _batches(waits: Sequence[Wait], positions: Sequence[int], *, size: int) -> list[list[int]]:
    """Positions of waits, so that each batch names so many dataflows at most, and each dataflow is in one.

    :param positions: where the waits have a ``step``, those that read furthest back first.
    """
    by_flow: dict[str, list[int]] = {}
    for at in positions:
        by_flow.setdefault(waits[at].dataflow_id, []).append(at)
    batches: list[list[int]] = []
    flows, first, needless = 0, datetime.min.replace(tzinfo=UTC), 0.0
    for same in by_flow.values():
        wait = waits[same[0]]
        more = (wait.started_after - first) / wait.step if batches and wait.step else 0.0
        if not batches or flows == size or needless + more > LARGEST_PAGE:
            batches.append([])
            flows, first, needless, more = 0, wait.started_after, 0.0, 0.0
        batches[-1] += same
        flows, needless = flows + 1, needless + max(more, 0.0)
    return batches


def _look_at(
    waits: Sequence[Wait], batches: Sequence[Sequence[int]]
) -> Exchange[list[Done[list[DataflowRun]] | AepError]]:
    looks = [_runs_of([waits[at] for at in batch]) for batch in batches]
    return (yield from together(looks, at_most=AT_MOST)) if looks else []


def _runs_of(waits: Sequence[Wait]) -> Exchange[list[DataflowRun]]:
    def enough(found: list[DataflowRun]) -> bool:
        runs = _by_flow(found)
        oldest = found[-1].created_at if found else None
        read_from = oldest + CREATED_EARLIER if oldest else datetime.max.replace(tzinfo=UTC)
        return not any(wait.needs_more(runs.get(wait.dataflow_id, []), read_from) for wait in waits)

    runs = yield from list_runs_of(
        sorted({wait.dataflow_id for wait in waits}),
        started_after=min(wait.started_after for wait in waits) - CREATED_EARLIER,
        enough=enough,
    )
    return runs


def _seen(
    waits: Sequence[Wait],
    asked: Sequence[tuple[Sequence[int], Done[list[DataflowRun]] | AepError]],
    now: datetime,
) -> dict[int, Sighting | AepError]:
    """What each wait saw, by its position."""
    forbidden = sum(1 for _, end in asked if isinstance(end, AepAuthError))
    # A permission that is missing for all is mended without those who wait.
    excused = forbidden == len(asked) > 1
    seen: dict[int, Sighting | AepError] = {}
    for batch, end in asked:
        if isinstance(end, Done):
            runs = _by_flow(end.value)
            seen |= {at: sighting_of(waits[at], runs.get(waits[at].dataflow_id, []), now) for at in batch}
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


def _find_given(waits: Sequence[Wait], seen: dict[int, Sighting | AepError], now: datetime) -> Exchange[None]:
    """Ask for given runs that were not listed, each by itself: they may have begun long ago."""
    lacking: dict[int, tuple[Sequence[DataflowRun], list[str]]] = {}
    for at, one in seen.items():
        if waits[at].run_ids and isinstance(one, Sighting) and one.answered:
            there = {run.id for run in one.runs}
            if ids := [run_id for run_id in waits[at].run_ids if run_id not in there]:
                lacking[at] = (one.runs, ids)
    asking = [read_given(waits[at], ids) for at, (_, ids) in lacking.items()]
    ends = (yield from together(asking, at_most=AT_MOST)) if asking else []
    for (at, (runs, _)), end in zip(lacking.items(), ends, strict=True):
        if isinstance(end, Done):
            seen[at] = sighting_of(waits[at], [*runs, *end.value], now)
        elif _concerns_the_request(end) or isinstance(end, AepValidationError):
            seen[at] = end
        else:
            seen[at] = no_answer(end)


def _find_stuck(
    waits: Sequence[Wait],
    seen: dict[int, Sighting | AepError],
    now: datetime,
    stuck_at: MutableMapping[str, datetime],
) -> Exchange[None]:
    """Ask once for each run that is long under way when it becomes stuck, and say which are."""
    answered = {at: one for at, one in seen.items() if isinstance(one, Sighting)}
    doubtful = {
        run.id: (waits[at], run)
        for at, one in answered.items()
        for run in in_doubt(waits[at], one, now, stuck_at)
    }
    if doubtful:
        asking = [find_stuck(wait, run, stuck_at) for wait, run in doubtful.values()]
        # Trouble here takes nothing from what was seen: the next poll asks again.
        yield from together(asking, at_most=AT_MOST)
    for at, one in answered.items():
        seen[at] = with_stuck(waits[at], one, now, stuck_at)


def _needs_no_reason(seen: Sighting | AepError) -> bool:
    # Without an answer nobody knows whether there is a run; asking on would make a storm of an outage.
    return isinstance(seen, AepError) or bool(seen.runs) or not seen.answered


def _concerns_the_request(end: object) -> bool:
    """Whether an answer is about what was asked for, and not about the service or the login."""
    if isinstance(end, AepAuthError):
        return end.status == 403
    return isinstance(end, AepApiError) and 400 <= end.status < 500 and end.status != 429


def _find_why(
    waits: Sequence[Wait], seen: dict[int, Sighting | AepError], now: datetime, positions: Sequence[int]
) -> Exchange[None]:
    """For waits without a run: add what their dataflows tell, or the error for a dataflow that is gone."""
    flow_ids = sorted({waits[at].dataflow_id for at in positions})
    if not flow_ids:
        return
    lists = [
        read_dataflows(flow_ids[start : start + LARGEST_PAGE])
        for start in range(0, len(flow_ids), LARGEST_PAGE)
    ]
    ends = yield from together(lists, at_most=AT_MOST)
    found: dict[str, Dataflow | AepNotFoundError] = {
        flow.id: flow for end in ends if isinstance(end, Done) for flow in end.value
    }
    missing = [flow_id for flow_id in flow_ids if flow_id not in found]
    singles = yield from together([get_dataflow(flow_id) for flow_id in missing], at_most=AT_MOST)
    for flow_id, single in zip(missing, singles, strict=True):
        if isinstance(single, Done):
            found[flow_id] = single.value
        elif isinstance(single, AepNotFoundError):
            found[flow_id] = single
    for at in positions:
        flow, one = found.get(waits[at].dataflow_id), seen[at]
        if isinstance(flow, AepNotFoundError):
            seen[at] = flow
        elif flow is not None and isinstance(one, Sighting):
            seen[at] = replace(one, told=why_no_run(flow, now, one.told))
