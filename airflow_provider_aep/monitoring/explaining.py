"""Why runs look wrong, for all of them at once.

The batches of each dataset are requested once for all runs that look wrong. A failure here never changes a
verdict: if something cannot be read, the cause is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from airflow_provider_aep.errors import AepError, without_words
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.ingestion import Batch
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.runs import list_runs_of
from airflow_provider_aep.flowservice.validation import is_id
from airflow_provider_aep.monitoring.causes import Cause, cause_of
from airflow_provider_aep.monitoring.emptiness import FURTHEST
from airflow_provider_aep.monitoring.ingested import (
    AT_ONCE,
    OPENED_BEFORE,
    Budget,
    ingested_of,
    read_ingested,
)
from airflow_provider_aep.monitoring.owing import Ingested, Question, owed
from airflow_provider_aep.monitoring.questions import Case, is_good, question_of
from airflow_provider_aep.monitoring.reading import datasets_of, read_datasets
from airflow_provider_aep.monitoring.ticks import DEADLINE
from airflow_provider_aep.monitoring.timeline import timeline_of

K = TypeVar("K")
# How many ticks back a sensor looks for a good export.
SEVERAL = 7
# The limit of requests if few runs look wrong; if there are more runs, at most one request for each.
LEAST_REQUESTS = 8


def read_causes(cases: Mapping[K, Case], *, margin: timedelta, now: datetime) -> Exchange[dict[K, Cause]]:
    """Why runs look wrong, by the keys of the cases. Never raises an ``AepError``.

    :param margin: data that were ingested so close to the start of a run may or may not belong to it.
    """
    if not cases:
        return {}
    budget = Budget(max(LEAST_REQUESTS, len(cases)), told="too many runs look wrong at once")
    cases = yield from _reach_further(cases, budget)
    questions = {key: question_of(case, margin) for key, case in cases.items()}

    def enough(dataset_ids: Sequence[str], batches: Sequence[Batch]) -> bool:
        return all(
            any(
                owed(question, ingested_of(dataset_id, batches), margin=margin, now=now)
                for dataset_id in question.dataset_ids
            )
            for question in questions.values()
            if set(question.dataset_ids) & set(dataset_ids)
        )

    windows = _windows(questions.values(), margin)
    ingested = yield from read_ingested(windows, budget, enough)
    return {key: _cause_of(question, ingested, margin, now) for key, question in questions.items()}


def _cause_of(
    question: Question, ingested: Mapping[str, Ingested], margin: timedelta, now: datetime
) -> Cause:
    try:
        return cause_of(question, ingested, margin=margin, now=now)
    except Exception as error:
        # Unexpected data in a batch must not cost the verdict.
        return Cause(kind="unknown", told=f"the cause could not be determined: {without_words(error)}")


def explain_runs(
    flow: Dataflow,
    runs: Sequence[DataflowRun],
    odd: Mapping[str, str],
    *,
    margin: timedelta,
    now: datetime,
) -> Exchange[dict[str, Cause]]:
    """Why runs of one dataflow look wrong, by their ids.

    :param runs: all runs that were seen.
    :param odd: the ids of those that look wrong, with the status of each.
    :raises AepError: the runs before them could not be read.
    """
    starts = [run.started_at for run in runs if run.id in odd and run.started_at]
    if not starts:
        return {}
    since = max(min(starts) - max(SEVERAL * flow.step, OPENED_BEFORE), min(starts) - FURTHEST)
    earlier = yield from list_runs_of([flow.id], started_after=since, enough=_holds_good(min(starts)))
    datasets = yield from read_datasets([flow], {})
    timeline = timeline_of(
        flow,
        [*earlier, *runs],
        now=now,
        known_from=since,
        datasets=datasets_of(flow, datasets),
    )
    cases = {run.id: Case(odd[run.id], timeline, run=run) for run in timeline.runs if run.id in odd}
    return (yield from read_causes(cases, margin=margin, now=now))


def _holds_good(before: datetime) -> Callable[[list[DataflowRun]], bool]:
    """Whether a run that exported something, and started before a moment, is among given runs."""
    return lambda runs: any(is_good(run) and run.started_at < before for run in runs if run.started_at)


def _reach_further(cases: Mapping[K, Case], budget: Budget) -> Exchange[Mapping[K, Case]]:
    """The cases, with more earlier runs if there is no good export among the known ones."""
    lacking = {
        case.timeline.flow.id: (case.timeline, starts)
        for case in cases.values()
        if (starts := case.run.started_at if case.run else case.at)
        and not (case.run and case.timeline.past.is_first(case.run))
        and not any(is_good(run) and run.started_at and run.started_at < starts for run in case.timeline.runs)
    }
    if not lacking or budget.left < 2:
        return cases
    since = {
        flow_id: starts - max(3 * timeline.flow.step + DEADLINE, 3 * DEADLINE)
        for flow_id, (timeline, starts) in lacking.items()
    }
    budget.left -= 1
    try:
        earlier = yield from list_runs_of(
            sorted(lacking)[:AT_ONCE],
            started_after=min(since.values()),
            # One page: the newest runs are known already, and older ones matter less.
            enough=bool,
        )
    except AepError:
        return cases
    deeper: dict[K, Case] = {}
    for key, case in cases.items():
        timeline = case.timeline
        more = [run for run in earlier if run.dataflow_id == timeline.flow.id]
        if timeline.flow.id in lacking and more:
            timeline = timeline_of(
                timeline.flow,
                [*more, *timeline.runs],
                now=timeline.now,
                known_from=timeline.known_from,
                datasets=timeline.datasets,
                runs_per_tick=timeline.runs_per_tick,
            )
        deeper[key] = replace(case, timeline=timeline)
    return deeper


def _windows(questions: Iterable[Question], margin: timedelta) -> dict[str, tuple[datetime, datetime]]:
    """The window in which the batches of each dataset matter, for all questions together."""
    windows: dict[str, tuple[datetime, datetime]] = {}
    for question in questions:
        for dataset_id in question.dataset_ids:
            before = question.before.get(dataset_id)
            if not is_id(dataset_id) or (before is None and not question.is_full):
                continue
            furthest = question.ends - FURTHEST
            since = furthest if before is None or question.is_full else before.earliest - margin
            since = max(since - OPENED_BEFORE, furthest)
            known = windows.get(dataset_id, (since, question.ends))
            windows[dataset_id] = (min(known[0], since), max(known[1], question.ends))
    return windows
