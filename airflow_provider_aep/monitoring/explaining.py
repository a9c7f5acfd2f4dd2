"""Asking the Catalog why runs look wrong: as few requests as will do, and never more than a bound.

What was ingested is asked for once for each dataset, for all runs that look wrong together. Nothing here
makes a verdict worse or better by failing: what cannot be read is a cause that is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from airflow_provider_aep.errors import AepApiError, AepError, without_words
from airflow_provider_aep.flowservice.cadences import FULL_ONCE
from airflow_provider_aep.flowservice.dataflows import Dataflow
from airflow_provider_aep.flowservice.exchange import Exchange, recall
from airflow_provider_aep.flowservice.ingestion import Batch, list_batches, read_catalog_datasets
from airflow_provider_aep.flowservice.runs import DataflowRun, list_runs_of
from airflow_provider_aep.flowservice.validation import is_id
from airflow_provider_aep.monitoring.causes import (
    Cause,
    Ingested,
    Question,
    Snapshot,
    cause_of,
    owed,
)
from airflow_provider_aep.monitoring.emptiness import FURTHEST, UNPROVEN, believes_windows
from airflow_provider_aep.monitoring.findings import Finding
from airflow_provider_aep.monitoring.policy import EMPTY_OR_SMALL
from airflow_provider_aep.monitoring.reading import datasets_of, read_datasets
from airflow_provider_aep.monitoring.ticks import DEADLINE
from airflow_provider_aep.monitoring.timeline import Timeline, timeline_of

K = TypeVar("K")
# (datasets, their batches up to now) -> whether more of them would not change an answer
Enough = Callable[[Sequence[str], Sequence[Batch]], bool]

# What looks wrong in a way that ingestion may explain.
EXPLAINED = frozenset({*EMPTY_OR_SMALL, "missing"})
# So many ticks back a sensor looks for a good export.
SEVERAL = 7
# A long batch is opened days before it is completed.
OPENED_BEFORE = timedelta(days=3)
# So many requests may be sent however few runs look wrong, and at most one for each where they are more.
LEAST_REQUESTS = 8
# Of one listing, each of at most 100 batches.
MOST_PAGES = 5
# So many ids go into one request, whose address must not grow too long.
AT_ONCE = 20
# Datasets go together as long as their windows begin within this of each other.
SIMILAR = timedelta(days=1)
# So many datasets are worth a request that shows whether a list of them is understood.
FEW = 3
EVER = datetime(2015, 1, 1, tzinfo=UTC)
_LISTS_WORK = "the Catalog lists the batches of several datasets at once"


@dataclass(frozen=True, slots=True)
class Case:
    """A run, or a tick without one, that looks wrong.

    :param what: one of ``EXPLAINED``.
    :param run: ``None`` for a run that is missing.
    :param at: the tick of a run that is missing.
    :param known_at: when it was certain that it is missing.
    """

    what: str
    timeline: Timeline
    run: DataflowRun | None = None
    at: datetime | None = None
    known_at: datetime | None = None


def case_of(finding: Finding, timeline: Timeline) -> Case | None:
    """What to ask about a finding; ``None`` where ingestion cannot explain it."""
    if finding.kind not in EXPLAINED:
        return None
    if finding.kind == "missing":
        if finding.tick is None or not _still_owed(finding.tick, timeline):
            return None  # later runs have exported what it owed
        return Case(finding.kind, timeline, at=finding.tick, known_at=finding.known_at)
    run = next((one for one in timeline.runs if one.id in finding.run_ids), None)
    return Case(finding.kind, timeline, run=run) if run else None


def read_causes(cases: Mapping[K, Case], *, margin: timedelta, now: datetime) -> Exchange[dict[K, Cause]]:
    """Why runs look wrong, by the keys of the cases. Raises nothing of ours.

    :param margin: what was ingested so close to the start of a run may or may not belong to it.
    """
    if not cases:
        return {}
    budget = Budget(max(LEAST_REQUESTS, len(cases)), told="too many runs look wrong at once")
    cases = yield from _reach_further(cases, budget)
    questions = {key: _question(case, margin) for key, case in cases.items()}

    def enough(dataset_ids: Sequence[str], batches: Sequence[Batch]) -> bool:
        return all(
            any(owed(each, _ingested(one, batches), margin=margin, now=now) for one in each.dataset_ids)
            for each in questions.values()
            if set(each.dataset_ids) & set(dataset_ids)
        )

    windows = _windows(questions.values(), margin)
    ingested = yield from read_ingested(windows, budget, enough)
    return {key: _cause_of(each, ingested, margin, now) for key, each in questions.items()}


def _cause_of(
    question: Question, ingested: Mapping[str, Ingested], margin: timedelta, now: datetime
) -> Cause:
    try:
        return cause_of(question, ingested, margin=margin, now=now)
    except Exception as error:
        # What nobody has foreseen in a batch must not take the verdict away.
        return Cause(kind="unknown", told=f"the cause could not be worked out: {without_words(error)}")


def explain_runs(
    flow: Dataflow,
    runs: Sequence[DataflowRun],
    odd: Mapping[str, str],
    *,
    margin: timedelta,
    now: datetime,
) -> Exchange[dict[str, Cause]]:
    """Why runs of one dataflow look wrong, by their ids.

    :param runs: those that were seen, all of them.
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
    """Whether a run that exported something, and started earlier than a moment, is among those found."""
    return lambda found: any(_is_good(run) and run.started_at < before for run in found if run.started_at)


def _is_good(run: DataflowRun) -> bool:
    """Whether a run exported something, as far as it tells."""
    return run.delivered and run.records_out != 0


def _still_owed(tick: datetime, timeline: Timeline) -> tuple[str, ...]:
    """The datasets that no later run has exported, of a tick without a run."""
    datasets = _datasets_of(None, timeline)
    later = [
        one for one in timeline.runs if _is_good(one) and _snapshot(one, timeline, timedelta())[0] >= tick
    ]
    if any(not one.dataset_ids for one in later) and (timeline.learnt or 1) == 1:
        return ()
    exported = {each for one in later for each in one.dataset_ids}
    return tuple(each for each in datasets if each not in exported)


class Budget:
    """How many requests may still be sent.

    :param told: why something was not read, once they are used up.
    :param most_pages: of one listing.
    """

    def __init__(self, left: int, *, told: str, most_pages: int = MOST_PAGES) -> None:
        self.left, self.told, self.most_pages = left, told, most_pages

    def pages(self) -> int:
        """How many pages a listing may take; 0 where nothing may be asked any more."""
        return max(0, min(self.most_pages, self.left - 1))  # one is for the datasets themselves


# What is asked


def _question(case: Case, margin: timedelta) -> Question:
    timeline, run = case.timeline, case.run
    starts = case.at or timeline.now
    ends = case.known_at or starts
    if run is not None and run.started_at is not None:
        starts, ends = _snapshot(run, timeline, timedelta())
    datasets = _datasets_of(run, timeline) if run else _still_owed(starts, timeline)
    before = {each: _before(each, run, starts, timeline) for each in datasets}
    return Question(
        what=case.what,
        dataset_ids=datasets,
        before={each: _snapshot(one, timeline, margin) if one else None for each, one in before.items()},
        delivered={each: one is not None and _is_good(one) for each, one in before.items()},
        starts=starts,
        ends=ends,
        under_way=_is_under_way(run, starts, timeline, before.values()),
        is_full=_is_full(run, timeline, before.values()),
    )


def _datasets_of(run: DataflowRun | None, timeline: Timeline) -> tuple[str, ...]:
    """The datasets of a run; none where one of several is meant and it does not say which."""
    if run is not None and run.dataset_ids:
        return run.dataset_ids
    datasets = tuple(dict.fromkeys(timeline.datasets or ()))
    return () if run is not None and len(datasets) > 1 and (timeline.learnt or 1) > 1 else datasets


def _before(
    dataset_id: str, run: DataflowRun | None, starts: datetime, timeline: Timeline
) -> DataflowRun | None:
    """The last export of a dataset that delivered something; else the oldest that is known."""
    unnamed = (timeline.learnt or 1) > 1  # one run for each dataset, so one without a name may be any
    earlier = [
        one
        for one in timeline.runs
        if one.delivered
        and one.started_at
        and (run is None or one.id != run.id)
        and one.started_at < starts
        and (dataset_id in one.dataset_ids or not (one.dataset_ids or unnamed))
    ]
    good = [one for one in earlier if _is_good(one)]
    return good[-1] if good else earlier[0] if earlier else None


def _is_under_way(
    run: DataflowRun | None,
    starts: datetime,
    timeline: Timeline,
    before: Iterable[DataflowRun | None],
) -> bool:
    """Whether an earlier run has not ended, of another tick and later than the exports before."""
    since = min((one.started_at for one in before if one and one.started_at), default=None)
    tick = timeline.tick_of.get(run.id) if run else None
    return any(
        not one.finished
        and one.started_at is not None
        and one.started_at < starts
        and (since is None or one.started_at > since)
        and (tick is None or timeline.tick_of.get(one.id) != tick)
        for one in timeline.runs
    )


def _snapshot(run: DataflowRun, timeline: Timeline, margin: timedelta) -> Snapshot:
    started = run.started_at or timeline.now
    tick = timeline.tick_of.get(run.id)
    # Whether a late run exports what there was at its tick, or at its start, is not documented.
    earliest = min(started, tick.at) if tick else started
    return Snapshot(earliest, max(started + margin, run.ended_at or started))


def _is_full(run: DataflowRun | None, timeline: Timeline, before: Iterable[DataflowRun | None]) -> bool:
    if str(timeline.flow.schedule.get("exportMode")).upper() == FULL_ONCE:
        return True
    return run is not None and timeline.past.is_first(run) and not any(before)


def _reach_further(cases: Mapping[K, Case], budget: Budget) -> Exchange[Mapping[K, Case]]:
    """The cases with more runs before them, where those that are known hold no good export."""
    lacking = {
        case.timeline.flow.id: (case.timeline, starts)
        for case in cases.values()
        if (starts := case.run.started_at if case.run else case.at)
        and not (case.run and case.timeline.past.is_first(case.run))
        and not any(
            _is_good(one) and one.started_at and one.started_at < starts for one in case.timeline.runs
        )
    }
    if not lacking or budget.left < 2:
        return cases
    since = {
        flow_id: starts - max(3 * timeline.flow.step + DEADLINE, 3 * DEADLINE)
        for flow_id, (timeline, starts) in lacking.items()
    }
    budget.left -= 1
    try:
        found = yield from list_runs_of(
            sorted(lacking)[:AT_ONCE],
            started_after=min(since.values()),
            # One page: the newest runs are known already, and what is older matters less.
            enough=lambda found: bool(found),
        )
    except AepError:
        return cases
    deeper: dict[K, Case] = {}
    for key, case in cases.items():
        timeline = case.timeline
        more = [run for run in found if run.dataflow_id == timeline.flow.id]
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


# What is read


def _windows(questions: Iterable[Question], margin: timedelta) -> dict[str, tuple[datetime, datetime]]:
    """From when to when the batches of each dataset matter, whichever runs it is about."""
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


def read_ingested(
    windows: Mapping[str, tuple[datetime, datetime]],
    budget: Budget,
    enough: Enough = lambda dataset_ids, batches: False,
) -> Exchange[dict[str, Ingested]]:
    """What was ingested into datasets, by their ids. Raises nothing of ours: what cannot be read says why.

    :param windows: when the batches of each dataset were opened.
    :param enough: read no further when this says so of what was read up to now.
    """
    found: dict[str, Ingested] = {}
    try:
        for group in _groups(windows):
            found |= yield from _read_batches(group, windows, enough, budget)
        empty = [each for each, one in found.items() if not one.why and not one.batches]
        if empty:
            until = max(windows[each][1] for each in windows)
            believed = yield from believes_windows(found.values(), until=until, may_ask=budget.left > 0)
            budget.left -= 1
            found |= {each: replace(found[each], why=UNPROVEN) for each in empty if not believed}
        readable = [each for each, one in found.items() if not one.why]
        for start in range(0, len(readable), AT_ONCE):
            yield from _read_datasets(readable[start : start + AT_ONCE], found, budget)
    except AepError as error:
        why = str(error)
        found |= {each: Ingested(dataset_id=each, why=why) for each in windows if each not in found}
        for each, one in found.items():
            if not one.why and one.dataset is None:
                found[each] = replace(one, why_no_dataset=why)
    return found


def _groups(windows: Mapping[str, tuple[datetime, datetime]]) -> list[list[str]]:
    """Datasets whose windows begin at about the same time: a request reads as far as the longest of them."""
    groups: list[list[str]] = []
    for dataset_id in sorted(windows, key=lambda each: (windows[each][0], each)):
        last = groups[-1] if groups else []
        if last and len(last) < AT_ONCE and windows[dataset_id][0] - windows[last[0]][0] <= SIMILAR:
            last.append(dataset_id)
        else:
            groups.append([dataset_id])
    return groups


def _read_batches(
    group: Sequence[str],
    windows: Mapping[str, tuple[datetime, datetime]],
    enough: Enough,
    budget: Budget,
) -> Exchange[dict[str, Ingested]]:
    """What was ingested into a group of datasets: together, and then each alone that is not shown."""
    habits = yield from recall()
    found: dict[str, Ingested] = {}
    alone = list(group)
    if len(group) > 1:
        try:
            together = yield from _list(group, windows, enough, budget)
        except AepApiError as error:
            if _concerns_all(error):
                raise
            together = {}
        shown = [each for each, one in together.items() if one.batches]
        if len(shown) > 1 or (together and (yield from _shows_several(group, windows, budget))):
            habits.note(_LISTS_WORK, warn=False)
        if habits.holds(_LISTS_WORK) and together:
            return together
        # Nothing shows yet that a list of several is understood, and not read as the first of them, or none.
        found |= {each: together[each] for each in shown}
        alone = [each for each in group if each not in shown]
    for dataset_id in alone:
        try:
            found |= yield from _list([dataset_id], windows, enough, budget)
        except AepApiError as error:
            if _concerns_all(error):
                raise
            found[dataset_id] = Ingested(dataset_id=dataset_id, why=str(error))
    return found


def _concerns_all(error: AepApiError) -> bool:
    """Whether the Catalog would refuse to tell of any other dataset as well."""
    return error.status in (401, 403, 429) or error.status >= 500


def _shows_several(
    group: Sequence[str], windows: Mapping[str, tuple[datetime, datetime]], budget: Budget
) -> Exchange[bool]:
    """Whether the newest batches of a group, however old, are those of more than one dataset."""
    if len(group) < FEW or not budget.pages():
        return False  # as many requests tell of each alone
    budget.left -= 1
    listed = yield from list_batches(
        group,
        created_after=EVER,
        created_before=max(windows[each][1] for each in group),
        most_pages=1,
    )
    return len({each for batch in listed.found for each in batch.dataset_ids} & set(group)) > 1


def _list(
    group: Sequence[str],
    windows: Mapping[str, tuple[datetime, datetime]],
    enough: Enough,
    budget: Budget,
) -> Exchange[dict[str, Ingested]]:
    pages = budget.pages()
    if not pages:
        return {each: Ingested(dataset_id=each, why=budget.told) for each in group}
    # Before it is sent: a request that fails has been sent as well.
    budget.left -= 1
    listed = yield from list_batches(
        group,
        created_after=min(windows[each][0] for each in group),
        created_before=max(windows[each][1] for each in group) + timedelta(seconds=1),
        most_pages=pages,
        enough=lambda batches: enough(group, batches),
    )
    budget.left -= listed.pages - 1
    return {each: _ingested(each, listed.found, is_complete=listed.is_complete) for each in group}


def _ingested(dataset_id: str, batches: Sequence[Batch], *, is_complete: bool = False) -> Ingested:
    """What was listed of one dataset; a batch that names none may be of any."""
    own = tuple(batch for batch in batches if not batch.dataset_ids or dataset_id in batch.dataset_ids)
    return Ingested(dataset_id=dataset_id, batches=own, is_complete=is_complete)


def _read_datasets(ids: Sequence[str], found: dict[str, Ingested], budget: Budget) -> Exchange[None]:
    """Add to what was ingested what the Catalog says of the datasets themselves."""
    alone: Sequence[str] = ids
    if len(ids) > 1:
        try:
            alone = yield from _add(ids, found, budget)
        except AepApiError as error:
            if error.status not in (400, 404):
                raise
            # One of them may be at fault.
    for each in alone:
        try:
            yield from _add([each], found, budget)
        except AepApiError as error:
            if error.status != 404:
                found[each] = replace(found[each], why_no_dataset=str(error))


def _add(ids: Sequence[str], found: dict[str, Ingested], budget: Budget) -> Exchange[list[str]]:
    """Read datasets; the ids of those that the answer left out."""
    if budget.left <= 0:
        found |= {each: replace(found[each], why_no_dataset=budget.told) for each in ids}
        return []
    budget.left -= 1
    shown = yield from read_catalog_datasets(ids)
    for each, dataset in shown.items():
        found[each] = replace(found[each], dataset=dataset)
    return [each for each in ids if each not in shown]
