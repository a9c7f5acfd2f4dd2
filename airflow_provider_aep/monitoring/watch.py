"""Polls for the runs of many dataflows at once.

One request lists the runs of up to 100 dataflows (see ``listings``). A problem with one dataflow affects only
its own waiters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from airflow_provider_aep.errors import (
    OUTAGES,
    AepAnswerError,
    AepAuthError,
    AepError,
    AepNotFoundError,
    AepValidationError,
    without_words,
)
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import get_dataflow, read_dataflows
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.runs import earlier, list_runs_of
from airflow_provider_aep.monitoring.listings import (
    AT_MOST,
    CREATED_EARLIER,
    concerns_the_request,
    read_many,
)
from airflow_provider_aep.monitoring.poll import (
    find_stuck,
    in_doubt,
    no_answer,
    read_given,
    why_no_run,
)
from airflow_provider_aep.monitoring.waits import Sighting, Wait, sighting_of, with_stuck

# The assumed step of a dataflow if a wait does not have it; the shortest that Adobe documents for datasets.
USUAL_STEP = timedelta(hours=3)

Sightings = list[Sighting | AepError]
_ByPosition = dict[int, Sighting | AepError]


def look_for_many(
    waits: Sequence[Wait],
    *,
    now: datetime,
    ask_why: Collection[int] = (),
    doubt: Collection[int] = (),
    stuck_at: MutableMapping[str, datetime] | None = None,
    with_flow: Collection[int] = (),
) -> Exchange[Sightings]:
    """Poll once for many waits: a sighting, or the error that ends the wait, in their order.

    Raises nothing: if the service does not answer or refuses the login, the sightings say so.

    :param ask_why: the positions of waits whose dataflow is read too if there is no run yet.
    :param doubt: the positions of waits that should have runs; see ``read_many``.
    :param stuck_at: when runs that are long under way become stuck, by run id; new results are added. See
        ``find_stuck``.
    :param with_flow: the positions of waits whose dataflow is read too if they are over.
    """
    by_reach = sorted(range(len(waits)), key=lambda at: waits[at].started_after)
    seen: _ByPosition = {}
    # Waits for ticks read further back, so other waits do not share their requests.
    for positions in (
        [at for at in by_reach if not waits[at].tick],
        [at for at in by_reach if waits[at].tick],
    ):
        doubted = {waits[at].dataflow_id for at in positions if at in doubt}
        seen |= yield from _look_at(waits, positions, now, doubted)
    stuck_at = {} if stuck_at is None else stuck_at
    yield from _find_given(waits, seen, now)
    yield from _find_stuck(waits, seen, now, stuck_at)
    yield from _find_why(waits, seen, now, [at for at in ask_why if not _needs_no_reason(seen[at])])
    yield from _read_flows(waits, seen, with_flow)
    return [seen[at] for at in range(len(waits))]


def _look_at(
    waits: Sequence[Wait], positions: Sequence[int], now: datetime, doubted: Collection[str]
) -> Exchange[_ByPosition]:
    """What each of these waits saw, by its position."""
    of_flow: dict[str, list[Wait]] = {}
    for at in positions:
        of_flow.setdefault(waits[at].dataflow_id, []).append(waits[at])

    def read(ids: Sequence[str]) -> Exchange[list[DataflowRun]]:
        try:
            return (yield from _runs_of([wait for flow_id in ids for wait in of_flow[flow_id]]))
        except AepError:
            raise
        except Exception as error:
            message = f"the response of the service cannot be read: {without_words(error)}"
            raise AepAnswerError(message, sent=True) from error

    since = {flow_id: min(wait.started_after for wait in own) for flow_id, own in of_flow.items()}
    answers = yield from read_many(_batches(of_flow), read, since=since, doubt=doubted)
    # A permission that is missing for all dataflows will be granted again, so it ends no wait.
    refused = sum(isinstance(answer, AepAuthError) for answer in answers.values())
    excused = len(answers) > 1 and refused == len(answers)
    seen: _ByPosition = {}
    for at in positions:
        answer = answers[waits[at].dataflow_id]
        if not isinstance(answer, AepError):
            seen[at] = _judged(partial(sighting_of, waits[at], answer, now))
        elif concerns_the_request(answer) and not excused:
            seen[at] = answer
        else:
            seen[at] = no_answer(answer)
    return seen


def _batches(of_flow: Mapping[str, Sequence[Wait]]) -> list[list[str]]:
    """Dataflows that share a request: no more than it may name, and with a similar reach.

    :param of_flow: the waits for each, those that read furthest back first.
    """
    batches: list[list[str]] = []
    first, needless = datetime.min.replace(tzinfo=UTC), 0.0
    for dataflow_id, (wait, *_) in of_flow.items():
        more = (wait.started_after - first) / (wait.step or USUAL_STEP) if batches else 0.0
        if not batches or len(batches[-1]) == LARGEST_PAGE or needless + more > LARGEST_PAGE:
            batches.append([])
            first, needless, more = wait.started_after, 0.0, 0.0
        batches[-1].append(dataflow_id)
        needless += max(more, 0.0)
    return batches


def _runs_of(waits: Sequence[Wait]) -> Exchange[list[DataflowRun]]:
    def enough(runs: list[DataflowRun]) -> bool:
        by_flow = _by_flow(runs)
        oldest = runs[-1].created_at if runs else None
        read_from = oldest + CREATED_EARLIER if oldest else datetime.max.replace(tzinfo=UTC)
        return not any(wait.needs_more(by_flow.get(wait.dataflow_id, []), read_from) for wait in waits)

    runs = yield from list_runs_of(
        sorted({wait.dataflow_id for wait in waits}),
        started_after=earlier(min(wait.started_after for wait in waits), CREATED_EARLIER),
        enough=enough,
    )
    return runs


def _by_flow(runs: Sequence[DataflowRun]) -> Mapping[str, list[DataflowRun]]:
    by_flow: dict[str, list[DataflowRun]] = {}
    for run in runs:
        by_flow.setdefault(run.dataflow_id, []).append(run)
    return by_flow


def _find_given(waits: Sequence[Wait], seen: _ByPosition, now: datetime) -> Exchange[None]:
    """Read given runs that were not listed, each by itself: they may have begun long ago."""
    lacking: dict[int, tuple[Sequence[DataflowRun], list[str]]] = {}
    for at, sighting in seen.items():
        if waits[at].run_ids and isinstance(sighting, Sighting) and sighting.answered:
            there = {run.id for run in sighting.runs}
            if ids := [run_id for run_id in waits[at].run_ids if run_id not in there]:
                lacking[at] = (sighting.runs, ids)
    asking = [read_given(waits[at], ids) for at, (_, ids) in lacking.items()]
    ends = (yield from together(asking, at_most=AT_MOST)) if asking else []
    for (at, (runs, _)), end in zip(lacking.items(), ends, strict=True):
        if isinstance(end, Done):
            seen[at] = _judged(partial(sighting_of, waits[at], [*runs, *end.value], now))
        elif concerns_the_request(end) or isinstance(end, AepValidationError):
            seen[at] = end
        else:
            seen[at] = no_answer(end)


def _find_stuck(
    waits: Sequence[Wait],
    seen: _ByPosition,
    now: datetime,
    stuck_at: MutableMapping[str, datetime],
) -> Exchange[None]:
    """Find out once for each run that is long under way when it becomes stuck, and report those that are."""
    answered = {at: sighting for at, sighting in seen.items() if isinstance(sighting, Sighting)}
    doubtful = {
        run.id: (waits[at], run)
        for at, sighting in answered.items()
        for run in in_doubt(waits[at], sighting, now, stuck_at)
    }
    if doubtful:
        asking = [find_stuck(wait, run, stuck_at) for wait, run in doubtful.values()]
        # A failure here does not affect the sightings; the next poll tries again.
        yield from together(asking, at_most=AT_MOST)
    for at, sighting in answered.items():
        seen[at] = _judged(partial(with_stuck, waits[at], sighting, now, stuck_at))


def _judged(judge: Callable[[], Sighting]) -> Sighting:
    """The sighting of one wait; unexpected data of one wait must not affect the others."""
    try:
        return judge()
    except Exception as error:
        return Sighting(told=f"the runs cannot be judged: {without_words(error)}", answered=False)


def _needs_no_reason(seen: Sighting | AepError) -> bool:
    # Without an answer it is unknown whether there is a run; more requests would only burden an outage.
    return isinstance(seen, AepError) or bool(seen.runs) or not seen.answered


def _find_why(
    waits: Sequence[Wait], seen: _ByPosition, now: datetime, positions: Sequence[int]
) -> Exchange[None]:
    """For waits without a run: add the reason that their dataflows show, or the error of a deleted one."""
    flow_ids = sorted({waits[at].dataflow_id for at in positions})
    if not flow_ids:
        return
    shown, answered = yield from _flows(flow_ids)
    flows: dict[str, Dataflow | AepError] = {**shown}
    # If the list was not answered, requests for each dataflow would only burden an outage.
    missing = [flow_id for flow_id in answered if flow_id not in flows]
    singles = yield from together([get_dataflow(flow_id) for flow_id in missing], at_most=AT_MOST)
    for flow_id, single in zip(missing, singles, strict=True):
        if isinstance(single, Done):
            flows[flow_id] = single.value
        elif not isinstance(single, OUTAGES):
            flows[flow_id] = single
    for at in positions:
        flow, sighting = flows.get(waits[at].dataflow_id), seen[at]
        if isinstance(flow, AepNotFoundError):
            seen[at] = flow
        elif isinstance(sighting, Sighting) and flow is not None:
            seen[at] = (
                sighting._replace(told=why_no_run(flow, now, sighting.told))
                if isinstance(flow, Dataflow)
                else sighting._replace(refused=True)
            )


def _read_flows(waits: Sequence[Wait], seen: _ByPosition, positions: Collection[int]) -> Exchange[None]:
    """For waits that are over: add their dataflows, as far as they can be read."""
    sightings = {at: sighting for at in positions if isinstance(sighting := seen[at], Sighting)}
    over = {at: sighting for at, sighting in sightings.items() if sighting.finished and sighting.runs}
    if over:
        flows, _ = yield from _flows(sorted({waits[at].dataflow_id for at in over}))
        for at, sighting in over.items():
            seen[at] = sighting._replace(flow=flows.get(waits[at].dataflow_id))


def _flows(flow_ids: Sequence[str]) -> Exchange[tuple[dict[str, Dataflow], list[str]]]:
    """The dataflows that a list shows, by id, and the ids for which the service answered."""
    batches = [flow_ids[start : start + LARGEST_PAGE] for start in range(0, len(flow_ids), LARGEST_PAGE)]
    ends = yield from together([read_dataflows(batch) for batch in batches], at_most=AT_MOST)
    flows = {flow.id: flow for end in ends if isinstance(end, Done) for flow in end.value}
    answered = [batch for batch, end in zip(batches, ends, strict=True) if not isinstance(end, OUTAGES)]
    return flows, [flow_id for batch in answered for flow_id in batch]
