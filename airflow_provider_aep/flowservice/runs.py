"""Reading dataflow runs; what one is, ``run_record`` says.

Sources: Destinations API reference, "Dataflow runs"; "Monitor dataflows using the Flow Service API"; read
2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_aep.flowservice.documents import epoch_moment
from airflow_provider_aep.flowservice.entities import get_entity
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE, ORDER_TOLERANCE, Pages, list_entities, only
from airflow_provider_aep.flowservice.run_record import DataflowRun, pick_runs
from airflow_provider_aep.flowservice.validation import check_id


def get_run(run_id: str) -> Exchange[DataflowRun]:
    """One run.

    :raises AepNotFoundError: the sandbox has none of that id, or does not show it yet.
    """
    found = yield from get_entity("runs", run_id, field="run_id")
    return DataflowRun.from_api(found)


def list_runs(
    dataflow_id: str,
    *,
    started_after: datetime | None = None,
    started_before: datetime | None = None,
    page_size: int = LARGEST_PAGE,
) -> Exchange[list[DataflowRun]]:
    """Runs of one dataflow, newest first, each once.

    :param started_after: only those that started at or after this moment.
    :param started_before: only those that started earlier than this moment.
    :param page_size: from 1 to 100; less than 100 where the newest few are likely to be enough.
    """
    runs = yield from list_runs_of([dataflow_id], started_after=started_after, page_size=page_size)
    return pick_runs(runs, started_after=started_after, started_before=started_before)


def list_runs_of(
    dataflow_ids: Sequence[str],
    *,
    started_after: datetime | None = None,
    enough: Callable[[list[DataflowRun]], bool] = lambda runs: False,
    page_size: int | None = None,
    pages: Pages | None = None,
) -> Exchange[list[DataflowRun]]:
    """Runs of up to 100 dataflows in one listing, newest first; those of any other dataflow are left out.

    :param started_after: read no further than this moment; what lies before it on the last page comes along.
    :param enough: stop reading when this says so of the runs found up to now, if there are more.
    :param page_size: by default the largest that there is.
    :param pages: how many may be read.
    """
    wanted = frozenset(check_id("dataflow_id", each) for each in dataflow_ids)
    # Neither status nor start is asked of the server: its filters' letter case is undocumented, and a run
    # that failed before it started has no start. Newest first, reading stops once it is past the moment.
    old = _older_than(started_after) if started_after else lambda found: False
    read: dict[int, DataflowRun] = {}  # by the document: each is read once

    def runs_in(found: list[Mapping[str, Any]]) -> list[DataflowRun]:
        for each in found:
            if id(each) not in read:
                read[id(each)] = DataflowRun.from_api(each)
        # The tutorial's own sample answers with a run of another dataflow.
        return [run for each in found if (run := read[id(each)]).dataflow_id in wanted]

    # A list of values is documented for filters in general; that of flowId is not shown anywhere. Who asks
    # for several falls back to asking for each alone, not to reading the runs of everybody.
    found = yield from list_entities(
        "/runs",
        only("flowId", *sorted(wanted)),
        newest_first=True,
        page_size=page_size or LARGEST_PAGE,
        enough=lambda found: old(found) or enough(runs_in(found)),
        or_all=len(wanted) == 1,
        pages=pages,
    )
    return runs_in(found)


def earlier(moment: datetime, by: timedelta) -> datetime:
    """So much earlier than a moment; not before the first that there is, as of "0001-01-01"."""
    first = datetime.min.replace(tzinfo=UTC)
    return moment - by if moment - first > by else first


def _older_than(moment: datetime) -> Callable[[list[Mapping[str, Any]]], bool]:
    def enough(found: list[Mapping[str, Any]]) -> bool:
        created_at = epoch_moment(found[-1].get("createdAt")) if found else None
        return created_at is not None and created_at < earlier(moment, timedelta(seconds=ORDER_TOLERANCE))

    return enough
