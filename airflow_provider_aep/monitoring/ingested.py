"""Reads what was ingested into datasets, as the Catalog lists it: in few requests, and within a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from airflow_provider_aep.errors import AepApiError, AepError
from airflow_provider_aep.flowservice.exchange import Exchange, recall
from airflow_provider_aep.flowservice.ingestion import Batch, list_batches, read_catalog_datasets
from airflow_provider_aep.monitoring.emptiness import UNPROVEN, believes_windows
from airflow_provider_aep.monitoring.owing import Ingested

# (datasets, their batches so far) -> whether more of them would not change the result
Enough = Callable[[Sequence[str], Sequence[Batch]], bool]
# A long batch is opened days before it is completed.
OPENED_BEFORE = timedelta(days=3)
# For one listing; a page has at most 100 batches.
MOST_PAGES = 5
# How many ids go into one request, whose URL must not grow too long.
AT_ONCE = 20
# Datasets share a request if their windows begin within this of each other.
SIMILAR = timedelta(days=1)
# From this number of datasets on, a request to find out whether lists work is worthwhile.
FEW = 3
EVER = datetime(2015, 1, 1, tzinfo=UTC)
_LISTS_WORK = "the Catalog lists the batches of several datasets at once"


class Budget:
    """How many requests may still be sent.

    :param told: the reason to give for what was not read, once they are used up.
    :param most_pages: for one listing.
    """

    def __init__(self, left: int, *, told: str, most_pages: int = MOST_PAGES) -> None:
        self.left, self.told, self.most_pages = left, told, most_pages

    def pages(self) -> int:
        """How many pages a listing may take; 0 if no request may be sent any more."""
        return max(0, min(self.most_pages, self.left - 1))  # one is for the datasets themselves


def read_ingested(
    windows: Mapping[str, tuple[datetime, datetime]],
    budget: Budget,
    enough: Enough = lambda dataset_ids, batches: False,
) -> Exchange[dict[str, Ingested]]:
    """What was ingested into datasets, by their ids. Never raises an ``AepError``; a failure is in ``why``.

    :param windows: when the batches of each dataset were opened.
    :param enough: called with what was read so far; ``True`` ends reading.
    """
    read: dict[str, Ingested] = {}
    try:
        for group in _groups(windows):
            read |= yield from _read_batches(group, windows, enough, budget)
        empty = [key for key, ingested in read.items() if not ingested.why and not ingested.batches]
        if empty:
            until = max(until for _, until in windows.values())
            believed = yield from believes_windows(read.values(), until=until, may_ask=budget.left > 0)
            budget.left -= 1
            read |= {key: replace(read[key], why=UNPROVEN) for key in empty if not believed}
        readable = [key for key, ingested in read.items() if not ingested.why]
        for start in range(0, len(readable), AT_ONCE):
            yield from _read_datasets(readable[start : start + AT_ONCE], read, budget)
    except AepError as error:
        why = str(error)
        read |= {key: Ingested(dataset_id=key, why=why) for key in windows if key not in read}
        for key, ingested in read.items():
            if not ingested.why and ingested.dataset is None:
                read[key] = replace(ingested, why_no_dataset=why)
    return read


def _groups(windows: Mapping[str, tuple[datetime, datetime]]) -> list[list[str]]:
    """Datasets whose windows begin at about the same time: a request reads as far as the longest of them."""
    groups: list[list[str]] = []
    for dataset_id in sorted(windows, key=lambda key: (windows[key][0], key)):
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
    """What was ingested into a group of datasets: together, then alone for each that the list left out."""
    habits = yield from recall()
    read: dict[str, Ingested] = {}
    alone = list(group)
    if len(group) > 1:
        try:
            together = yield from _list(group, windows, enough, budget)
        except AepApiError as error:
            if _concerns_all(error):
                raise
            together = {}
        shown = [key for key, ingested in together.items() if ingested.batches]
        if len(shown) > 1 or (together and (yield from _shows_several(group, windows, budget))):
            habits.note(_LISTS_WORK, warn=False)
        if habits.holds(_LISTS_WORK) and together:
            return together
        # There is no proof yet that the service reads a list as a whole, and not only its first id or none.
        read |= {key: together[key] for key in shown}
        alone = [key for key in group if key not in shown]
    for dataset_id in alone:
        try:
            read |= yield from _list([dataset_id], windows, enough, budget)
        except AepApiError as error:
            if _concerns_all(error):
                raise
            read[dataset_id] = Ingested(dataset_id=dataset_id, why=str(error))
    return read


def _concerns_all(error: AepApiError) -> bool:
    """Whether the Catalog would refuse any other dataset as well."""
    return error.status in (401, 403, 429) or error.status >= 500


def _shows_several(
    group: Sequence[str], windows: Mapping[str, tuple[datetime, datetime]], budget: Budget
) -> Exchange[bool]:
    """Whether the newest batches of a group, however old, are those of more than one dataset."""
    if len(group) < FEW or not budget.pages():
        return False  # requests for each alone cost as little
    budget.left -= 1
    listed = yield from list_batches(
        group,
        created_after=EVER,
        created_before=max(windows[key][1] for key in group),
        most_pages=1,
    )
    return len({key for batch in listed.found for key in batch.dataset_ids} & set(group)) > 1


def _list(
    group: Sequence[str],
    windows: Mapping[str, tuple[datetime, datetime]],
    enough: Enough,
    budget: Budget,
) -> Exchange[dict[str, Ingested]]:
    pages = budget.pages()
    if not pages:
        return {key: Ingested(dataset_id=key, why=budget.told) for key in group}
    # Counted before it is sent: a request that fails counts as well.
    budget.left -= 1
    listed = yield from list_batches(
        group,
        created_after=min(windows[key][0] for key in group),
        created_before=max(windows[key][1] for key in group) + timedelta(seconds=1),
        most_pages=pages,
        enough=lambda batches: enough(group, batches),
    )
    budget.left -= listed.pages - 1
    return {key: ingested_of(key, listed.found, is_complete=listed.is_complete) for key in group}


def ingested_of(dataset_id: str, batches: Sequence[Batch], *, is_complete: bool = False) -> Ingested:
    """The listed batches of one dataset; a batch that names no dataset may belong to any."""
    own = tuple(batch for batch in batches if not batch.dataset_ids or dataset_id in batch.dataset_ids)
    return Ingested(dataset_id=dataset_id, batches=own, is_complete=is_complete)


def _read_datasets(ids: Sequence[str], ingested: dict[str, Ingested], budget: Budget) -> Exchange[None]:
    """Add the Catalog's records of the datasets to what was ingested into them."""
    alone: Sequence[str] = ids
    if len(ids) > 1:
        try:
            alone = yield from _add(ids, ingested, budget)
        except AepApiError as error:
            if error.status not in (400, 404):
                raise
            # One of them may be at fault.
    for dataset_id in alone:
        try:
            yield from _add([dataset_id], ingested, budget)
        except AepApiError as error:
            if error.status != 404:
                ingested[dataset_id] = replace(ingested[dataset_id], why_no_dataset=str(error))


def _add(ids: Sequence[str], ingested: dict[str, Ingested], budget: Budget) -> Exchange[list[str]]:
    """Read datasets; return the ids of those that the response left out."""
    if budget.left <= 0:
        ingested |= {key: replace(ingested[key], why_no_dataset=budget.told) for key in ids}
        return []
    budget.left -= 1
    shown = yield from read_catalog_datasets(ids)
    for key, dataset in shown.items():
        ingested[key] = replace(ingested[key], dataset=dataset)
    return [key for key in ids if key not in shown]
