"""Reads the runs of many dataflows: up to 100 of them in one listing, if the service supports that.

A filter with several values is documented, but without an example for ``flowId``. So the responses are
checked: if the service refuses a list at two looks in a row, in words about the filter or its length, or
leaves out a dataflow that has runs, each dataflow is requested alone for a while. After any other refusal
each is requested alone once, and the next look requests the list again. Once a list has shown several
dataflows, lists are checked less often.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from airflow_provider_aep.errors import OUTAGES, AepAnswerError, AepApiError, AepAuthError, AepError
from airflow_provider_aep.flowservice.exchange import Done, Exchange, recall, together
from airflow_provider_aep.flowservice.habits import Habits
from airflow_provider_aep.flowservice.listing import names_the_filter
from airflow_provider_aep.flowservice.run_record import DataflowRun

AT_MOST = 8
# A run may be created a little before it starts, and windows are about the start.
CREATED_EARLIER = timedelta(minutes=10)
ALONE = "the service takes no list of dataflows in GET /runs, so each is asked for alone"
# A first refusal is remembered as this; the next list that is answered clears it.
REFUSES = "the service may take no list of dataflows in GET /runs"
HIDES = "the service leaves dataflows out of a list in GET /runs, so each is asked for alone"
REFUSED = "the service refuses the runs of dataflow {}, so it is asked for alone"
SHOWS = "the service lists the runs of several dataflows"
# Once in so many looks, one of the dataflows that a list does not show is requested alone.
DOUBTED_EACH = 5
# The same once the service has shown that it supports lists.
TRUSTED_EACH = 20
_TOO_LONG = (413, 414, 431)

Reading = Callable[[Sequence[str]], Exchange[list[DataflowRun]]]
Found = dict[str, list[DataflowRun] | AepError]


def read_many(
    batches: Sequence[Sequence[str]],
    read: Reading,
    *,
    since: Mapping[str, datetime],
    doubt: Collection[str] = (),
) -> Exchange[Found]:
    """The runs of each dataflow, or the error of its request.

    :param batches: the ids of dataflows that may be requested together.
    :param read: reads the runs of some dataflows in one listing.
    :param since: from when on a listing shows every run of each dataflow.
    :param doubt: dataflows that should have runs: if a list shows none, they are requested alone.
    """
    habits = yield from recall()
    if habits.holds(ALONE) or habits.holds(HIDES):
        batches = [[flow_id] for batch in batches for flow_id in batch]
    else:
        batches = list(_apart(batches, habits))
    answers: Found = {}
    refused: list[str] = []
    refusals: list[AepError] = []
    lists: list[Sequence[str]] = []
    for batch, end in zip(batches, (yield from _read_all(batches, read)), strict=True):
        if isinstance(end, Done):
            answers |= _by_dataflow(batch, end.value)
            lists += [batch] if len(batch) > 1 else []
        elif len(batch) > 1 and _may_concern_one(end):
            refused += batch
            refusals.append(end)
        else:
            answers |= dict.fromkeys(batch, end)
    alone = yield from _alone(refused, read)
    if any(isinstance(answer, list) for answer in alone.values()):
        if any(map(_is_about_lists, refusals)):
            if habits.holds(REFUSES):
                habits.note(ALONE)
            habits.note(REFUSES, warn=False)
        for flow_id, answer in alone.items():  # otherwise it would spoil the list of the others at each look
            if _may_concern_one(answer):
                habits.note(REFUSED.format(flow_id), warn=False)
    if lists:
        habits.forget(REFUSES)
    answers |= alone
    answers |= yield from _left_out(lists, answers, read, since, doubt, habits)
    return answers


def _apart(batches: Sequence[Sequence[str]], habits: Habits) -> Iterator[Sequence[str]]:
    """The same batches; each dataflow that was refused gets a batch of its own."""
    for batch in batches:
        refused = [flow_id for flow_id in batch if habits.holds(REFUSED.format(flow_id))]
        if good := [flow_id for flow_id in batch if flow_id not in refused]:
            yield good
        yield from ([flow_id] for flow_id in refused)


def concerns_the_request(end: object) -> bool:
    """Whether an error is about what was requested, and not about the service or the login."""
    if isinstance(end, AepAuthError):
        return end.status == 403
    # A request that came too late or too early (408, 425) is an outage in spite of its status.
    return isinstance(end, AepApiError) and 400 <= end.status < 500 and not isinstance(end, OUTAGES)


def _may_concern_one(end: object) -> bool:
    """Whether one dataflow may be at fault: it was refused, or the response about it cannot be read."""
    return isinstance(end, AepAnswerError) or concerns_the_request(end)


def _is_about_lists(refusal: AepError) -> bool:
    """Whether a refusal is about the list itself; others may be about one dataflow in it."""
    return isinstance(refusal, AepApiError) and (refusal.status in _TOO_LONG or names_the_filter(refusal))


def _left_out(
    lists: Sequence[Sequence[str]],
    answers: Mapping[str, list[DataflowRun] | AepError],
    read: Reading,
    since: Mapping[str, datetime],
    doubt: Collection[str],
    habits: Habits,
) -> Exchange[Found]:
    """The runs that the lists have left out, if any."""
    left_out = [flow_id for batch in lists for flow_id in batch if not answers[flow_id]]
    if any(sum(bool(answers[flow_id]) for flow_id in batch) > 1 for batch in lists):
        habits.note(SHOWS, warn=False)
    asked = [flow_id for flow_id in left_out if flow_id in doubt]
    turn = habits.turn()
    if left_out and not asked and turn % (TRUSTED_EACH if habits.holds(SHOWS) else DOUBTED_EACH) == 0:
        asked = [left_out[turn % len(left_out)]]
    missed = yield from _alone(asked, read)
    hidden = [flow_id for flow_id, answer in missed.items() if _has_run(answer, since[flow_id])]
    if hidden and not (yield from _shows(lists, hidden, since, read)):
        habits.note(HIDES)
        missed |= yield from _alone([flow_id for flow_id in left_out if flow_id not in missed], read)
    return {flow_id: answer for flow_id, answer in missed.items() if not isinstance(answer, AepError)}


def _shows(
    lists: Sequence[Sequence[str]], hidden: Sequence[str], since: Mapping[str, datetime], read: Reading
) -> Exchange[bool]:
    """Whether the lists show these dataflows by now: a run may have started between two requests."""
    batches = [batch for batch in lists if any(flow_id in hidden for flow_id in batch)]
    for batch, end in zip(batches, (yield from _read_all(batches, read)), strict=True):
        runs = _by_dataflow(batch, end.value) if isinstance(end, Done) else {}
        if any(not _has_run(runs.get(flow_id), since[flow_id]) for flow_id in batch if flow_id in hidden):
            return False
    return True


def _has_run(runs: object, since: datetime) -> bool:
    """Whether there is a run that a list must show as well; older ones may be beyond its last page."""
    return isinstance(runs, list) and any(run.created_at and run.created_at >= since for run in runs)


def _alone(ids: Sequence[str], read: Reading) -> Exchange[Found]:
    answers: Found = {}
    if ids:
        ends = yield from _read_all([[flow_id] for flow_id in ids], read)
        for flow_id, end in zip(ids, ends, strict=True):
            answers[flow_id] = end.value if isinstance(end, Done) else end
    return answers


def _read_all(
    batches: Sequence[Sequence[str]], read: Reading
) -> Exchange[list[Done[list[DataflowRun]] | AepError]]:
    return (yield from together([read(batch) for batch in batches], at_most=AT_MOST)) if batches else []


def _by_dataflow(ids: Sequence[str], runs: Iterable[DataflowRun]) -> Found:
    by_flow: dict[str, list[DataflowRun]] = {flow_id: [] for flow_id in ids}
    for run in runs:
        by_flow.setdefault(run.dataflow_id, []).append(run)
    return {**by_flow}
