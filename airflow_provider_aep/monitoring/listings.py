"""Reading the runs of many dataflows: up to 100 of them in one listing, where the service keeps to that.

A filter with several values is documented, and never shown for ``flowId``. So the answer is looked at: where
the service refuses a list at two looks in a row, in words about the filter or its length, or leaves out a
dataflow that has runs, each is asked for alone, for a while. After any other refusal each is asked for alone
once, and the next look asks for the list again. That a list shows several dataflows is remembered too, and
then it is doubted less often.
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
# A run may be created a little before it starts, and windows ask when it started.
CREATED_EARLIER = timedelta(minutes=10)
ALONE = "the service takes no list of dataflows in GET /runs, so each is asked for alone"
# What a first refusal is remembered as; a list that is answered in between ends it.
REFUSES = "the service may take no list of dataflows in GET /runs"
HIDES = "the service leaves dataflows out of a list in GET /runs, so each is asked for alone"
REFUSED = "the service refuses the runs of dataflow {}, so it is asked for alone"
SHOWS = "the service lists the runs of several dataflows"
# At so many looks, one of the dataflows that a list does not show is asked for alone.
DOUBTED_EACH = 5
# The same where the service has shown that it keeps to lists.
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
    """The runs of each dataflow, or the error of whoever asked for it.

    :param batches: the ids of dataflows that may be asked for together.
    :param read: reads the runs of some dataflows in one listing.
    :param since: from when on a listing shows every run of each dataflow.
    :param doubt: dataflows of which it matters that they have no run: where a list shows none, they are asked
        for alone.
    """
    habits = yield from recall()
    if habits.holds(ALONE) or habits.holds(HIDES):
        batches = [[each] for batch in batches for each in batch]
    else:
        batches = list(_apart(batches, habits))
    found: Found = {}
    refused: list[str] = []
    refusals: list[AepError] = []
    lists: list[Sequence[str]] = []
    for batch, end in zip(batches, (yield from _each(batches, read)), strict=True):
        if isinstance(end, Done):
            found |= _by_dataflow(batch, end.value)
            lists += [batch] if len(batch) > 1 else []
        elif len(batch) > 1 and _may_concern_one(end):
            refused += batch
            refusals.append(end)
        else:
            found |= dict.fromkeys(batch, end)
    alone = yield from _alone(refused, read)
    if any(isinstance(one, list) for one in alone.values()):
        if any(map(_is_about_lists, refusals)):
            if habits.holds(REFUSES):
                habits.note(ALONE)
            habits.note(REFUSES, warn=False)
        for each in alone:  # or it would spoil the list of the others at each look
            if _may_concern_one(alone[each]):
                habits.note(REFUSED.format(each), warn=False)
    if lists:
        habits.forget(REFUSES)
    found |= alone
    found |= yield from _left_out(lists, found, read, since, doubt, habits)
    return found


def _apart(batches: Sequence[Sequence[str]], habits: Habits) -> Iterator[Sequence[str]]:
    """The same batches, without those that were refused: each of them is one of its own."""
    for batch in batches:
        refused = [each for each in batch if habits.holds(REFUSED.format(each))]
        if good := [each for each in batch if each not in refused]:
            yield good
        yield from ([each] for each in refused)


def concerns_the_request(end: object) -> bool:
    """Whether an answer is about what was asked for, and not about the service or the login."""
    if isinstance(end, AepAuthError):
        return end.status == 403
    # A request that did not arrive in time, or too early, is an outage in spite of its number.
    return isinstance(end, AepApiError) and 400 <= end.status < 500 and not isinstance(end, OUTAGES)


def _may_concern_one(end: object) -> bool:
    """Whether one dataflow may be at fault: by a refusal, or as what is told of it cannot be read."""
    return isinstance(end, AepAnswerError) or concerns_the_request(end)


def _is_about_lists(refusal: AepError) -> bool:
    """Whether a refusal is about a list as such; others may be about one dataflow of it, or about nothing."""
    return isinstance(refusal, AepApiError) and (refusal.status in _TOO_LONG or names_the_filter(refusal))


def _left_out(
    lists: Sequence[Sequence[str]],
    found: Mapping[str, list[DataflowRun] | AepError],
    read: Reading,
    since: Mapping[str, datetime],
    doubt: Collection[str],
    habits: Habits,
) -> Exchange[Found]:
    """What the lists have left out, if they leave anything out."""
    left_out = [each for batch in lists for each in batch if not found[each]]
    if any(sum(bool(found[each]) for each in batch) > 1 for batch in lists):
        habits.note(SHOWS, warn=False)
    asked = [each for each in left_out if each in doubt]
    turn = habits.turn()
    if left_out and not asked and turn % (TRUSTED_EACH if habits.holds(SHOWS) else DOUBTED_EACH) == 0:
        asked = [left_out[turn % len(left_out)]]
    missed = yield from _alone(asked, read)
    hidden = [each for each, one in missed.items() if _has_run(one, since[each])]
    if hidden and not (yield from _shows(lists, hidden, since, read)):
        habits.note(HIDES)
        missed |= yield from _alone([each for each in left_out if each not in missed], read)
    return {each: one for each, one in missed.items() if not isinstance(one, AepError)}


def _shows(
    lists: Sequence[Sequence[str]], hidden: Sequence[str], since: Mapping[str, datetime], read: Reading
) -> Exchange[bool]:
    """Whether the lists show these dataflows by now: a run may have come between two requests."""
    batches = [batch for batch in lists if any(each in hidden for each in batch)]
    for batch, end in zip(batches, (yield from _each(batches, read)), strict=True):
        runs = _by_dataflow(batch, end.value) if isinstance(end, Done) else {}
        if any(not _has_run(runs.get(each), since[each]) for each in batch if each in hidden):
            return False
    return True


def _has_run(runs: object, since: datetime) -> bool:
    """Whether there is a run that a list must show as well; what is older may lie beyond its last page."""
    return isinstance(runs, list) and any(run.created_at and run.created_at >= since for run in runs)


def _alone(ids: Sequence[str], read: Reading) -> Exchange[Found]:
    found: Found = {}
    if ids:
        ends = yield from _each([[each] for each in ids], read)
        for each, end in zip(ids, ends, strict=True):
            found[each] = end.value if isinstance(end, Done) else end
    return found


def _each(
    batches: Sequence[Sequence[str]], read: Reading
) -> Exchange[list[Done[list[DataflowRun]] | AepError]]:
    return (yield from together([read(batch) for batch in batches], at_most=AT_MOST)) if batches else []


def _by_dataflow(ids: Sequence[str], runs: Iterable[DataflowRun]) -> Found:
    found: dict[str, list[DataflowRun]] = {each: [] for each in ids}
    for run in runs:
        found.setdefault(run.dataflow_id, []).append(run)
    return {**found}
