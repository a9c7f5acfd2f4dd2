"""Looking for the runs of many dataflows at once.

One request asks for the runs of up to 100 dataflows (see ``listings``). Whatever goes wrong with one dataflow
stays with those who wait for it.
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

# How often a dataflow runs of which a wait does not say it; the least that Adobe documents for datasets.
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
    """Look once for what each of many waits for: a sighting, or the error that ends the wait, in their order.

    Raises nothing: a service that does not answer, or refuses the login, is what was seen.

    :param ask_why: the positions of waits for which, where no run is there yet, the dataflow is read too.
    :param doubt: the positions of waits of which it matters that there is no run; see ``read_many``.
    :param stuck_at: what is known of runs that are long under way; what is found out is added. See
        ``find_stuck``.
    :param with_flow: the positions of waits of which, where they are over, the dataflow is read too.
    """
    by_reach = sorted(range(len(waits)), key=lambda at: waits[at].started_after)
    seen: _ByPosition = {}
    # Those for ticks read further back, so others do not come along with them.
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
            return (yield from _runs_of([wait for each in ids for wait in of_flow[each]]))
        except AepError:
            raise
        except Exception as error:
            told = f"what the service tells cannot be read: {without_words(error)}"
            raise AepAnswerError(told, sent=True) from error

    since = {each: min(wait.started_after for wait in some) for each, some in of_flow.items()}
    found = yield from read_many(_batches(of_flow), read, since=since, doubt=doubted)
    errors = [one for one in found.values() if isinstance(one, AepError)]
    # A permission that is missing for all is mended without those who wait.
    excused = len(found) > 1 and sum(isinstance(one, AepAuthError) for one in errors) == len(found)
    seen: _ByPosition = {}
    for at in positions:
        one = found[waits[at].dataflow_id]
        if not isinstance(one, AepError):
            seen[at] = _of_one(partial(sighting_of, waits[at], one, now))
        elif concerns_the_request(one) and not excused:
            seen[at] = one
        else:
            seen[at] = no_answer(one)
    return seen


def _batches(of_flow: Mapping[str, Sequence[Wait]]) -> list[list[str]]:
    """Dataflows that are asked for together: no more than a request may name, nor read back too far.

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
    def enough(found: list[DataflowRun]) -> bool:
        runs = _by_flow(found)
        oldest = found[-1].created_at if found else None
        read_from = oldest + CREATED_EARLIER if oldest else datetime.max.replace(tzinfo=UTC)
        return not any(wait.needs_more(runs.get(wait.dataflow_id, []), read_from) for wait in waits)

    runs = yield from list_runs_of(
        sorted({wait.dataflow_id for wait in waits}),
        started_after=earlier(min(wait.started_after for wait in waits), CREATED_EARLIER),
        enough=enough,
    )
    return runs


def _by_flow(runs: Sequence[DataflowRun]) -> Mapping[str, list[DataflowRun]]:
    found: dict[str, list[DataflowRun]] = {}
    for run in runs:
        found.setdefault(run.dataflow_id, []).append(run)
    return found


def _find_given(waits: Sequence[Wait], seen: _ByPosition, now: datetime) -> Exchange[None]:
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
            seen[at] = _of_one(partial(sighting_of, waits[at], [*runs, *end.value], now))
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
        seen[at] = _of_one(partial(with_stuck, waits[at], one, now, stuck_at))


def _of_one(judge: Callable[[], Sighting]) -> Sighting:
    """What one wait saw; a wait that nobody has foreseen must not blind the others."""
    try:
        return judge()
    except Exception as error:
        return Sighting(told=f"what was seen cannot be judged: {without_words(error)}", answered=False)


def _needs_no_reason(seen: Sighting | AepError) -> bool:
    # Without an answer nobody knows whether there is a run; asking on would make a storm of an outage.
    return isinstance(seen, AepError) or bool(seen.runs) or not seen.answered


def _find_why(
    waits: Sequence[Wait], seen: _ByPosition, now: datetime, positions: Sequence[int]
) -> Exchange[None]:
    """For waits without a run: add what their dataflows tell, or the error for a dataflow that is gone."""
    flow_ids = sorted({waits[at].dataflow_id for at in positions})
    if not flow_ids:
        return
    shown, answered = yield from _flows(flow_ids)
    found: dict[str, Dataflow | AepError] = {**shown}
    # Where nobody answered for all, asking for each would make a storm of an outage.
    missing = [flow_id for flow_id in answered if flow_id not in found]
    singles = yield from together([get_dataflow(flow_id) for flow_id in missing], at_most=AT_MOST)
    for flow_id, single in zip(missing, singles, strict=True):
        if isinstance(single, Done):
            found[flow_id] = single.value
        elif not isinstance(single, OUTAGES):
            found[flow_id] = single
    for at in positions:
        flow, one = found.get(waits[at].dataflow_id), seen[at]
        if isinstance(flow, AepNotFoundError):
            seen[at] = flow
        elif isinstance(one, Sighting) and flow is not None:
            seen[at] = (
                one._replace(told=why_no_run(flow, now, one.told))
                if isinstance(flow, Dataflow)
                else one._replace(refused=True)
            )


def _read_flows(waits: Sequence[Wait], seen: _ByPosition, positions: Collection[int]) -> Exchange[None]:
    """For waits that are over: add their dataflows, as far as they can be read."""
    over = {
        at: one for at in positions if isinstance(one := seen[at], Sighting) and one.finished and one.runs
    }
    if over:
        found, _ = yield from _flows(sorted({waits[at].dataflow_id for at in over}))
        for at, one in over.items():
            seen[at] = one._replace(flow=found.get(waits[at].dataflow_id))


def _flows(flow_ids: Sequence[str]) -> Exchange[tuple[dict[str, Dataflow], list[str]]]:
    """Those of the dataflows that a list shows, by id, and the ids about which there was an answer."""
    batches = [flow_ids[start : start + LARGEST_PAGE] for start in range(0, len(flow_ids), LARGEST_PAGE)]
    ends = yield from together([read_dataflows(batch) for batch in batches], at_most=AT_MOST)
    found = {flow.id: flow for end in ends if isinstance(end, Done) for flow in end.value}
    answered = [batch for batch, end in zip(batches, ends, strict=True) if not isinstance(end, OUTAGES)]
    return found, [flow_id for batch in answered for flow_id in batch]
