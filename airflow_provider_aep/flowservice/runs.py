"""Reading dataflow runs; ``run_record`` describes one.

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

__all__ = ["get_run", "list_runs", "list_runs_of"]


def get_run(run_id: str) -> Exchange[DataflowRun]:
    """One run.

    :raises AepNotFoundError: the sandbox has no run with that id, or does not show it yet.
    """
    document = yield from get_entity("runs", run_id, field="run_id")
    return DataflowRun.from_api(document)


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
    :param page_size: from 1 to 100; less than 100 if the newest few are likely to be enough.
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
    """Runs of up to 100 dataflows in one listing, newest first; omits those of other dataflows.

    :param started_after: read no further back than this; the last page may hold earlier runs.
    :param enough: gets the runs read so far; reading stops when it returns true.
    :param page_size: by default the largest.
    :param pages: how many may be read.
    """
    wanted = frozenset(check_id("dataflow_id", dataflow_id) for dataflow_id in dataflow_ids)
    # Status and start are not filtered by the server: its filters' letter case is undocumented, and a run
    # that failed before it started has no start. Newest first, reading stops once it is past the moment.
    old = _older_than(started_after) if started_after else lambda documents: False
    parsed: dict[int, DataflowRun] = {}  # by the id() of the document: each is parsed once

    def runs_in(documents: list[Mapping[str, Any]]) -> list[DataflowRun]:
        for document in documents:
            if id(document) not in parsed:
                parsed[id(document)] = DataflowRun.from_api(document)
        # The tutorial's own sample response has a run of another dataflow.
        return [run for item in documents if (run := parsed[id(item)]).dataflow_id in wanted]

    # Filters in general accept a list of values; no document shows one for flowId. A caller with several
    # dataflows falls back to one request for each, not to reading the runs of the whole sandbox.
    documents = yield from list_entities(
        "/runs",
        only("flowId", *sorted(wanted)),
        newest_first=True,
        page_size=page_size or LARGEST_PAGE,
        enough=lambda entities: old(entities) or enough(runs_in(entities)),
        or_all=len(wanted) == 1,
        pages=pages,
    )
    return runs_in(documents)


def earlier(moment: datetime, by: timedelta) -> datetime:
    """A moment that lies ``by`` earlier; ``moment`` itself if that is before year 1."""
    first = datetime.min.replace(tzinfo=UTC)
    return moment - by if moment - first > by else first


def _older_than(moment: datetime) -> Callable[[list[Mapping[str, Any]]], bool]:
    def enough(documents: list[Mapping[str, Any]]) -> bool:
        created_at = epoch_moment(documents[-1].get("createdAt")) if documents else None
        return created_at is not None and created_at < earlier(moment, timedelta(seconds=ORDER_TOLERANCE))

    return enough
