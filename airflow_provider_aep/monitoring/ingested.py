"""What was ingested into datasets, as the Catalog lists it: in as few requests as will do, within a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.flowservice.exchange import Exchange, recall
from airflow_provider_aep.flowservice.ingestion import Batch, list_batches, read_catalog_datasets
from airflow_provider_aep.monitoring.emptiness import UNPROVEN, believes_windows
from airflow_provider_aep.monitoring.owing import Ingested

# (datasets, their batches up to now) -> whether more of them would not change an answer
Enough = Callable[[Sequence[str], Sequence[Batch]], bool]
# A long batch is opened days before it is completed.
OPENED_BEFORE = timedelta(days=3)
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
    return {each: ingested_of(each, listed.found, is_complete=listed.is_complete) for each in group}


def ingested_of(dataset_id: str, batches: Sequence[Batch], *, is_complete: bool = False) -> Ingested:
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
