"""Reads the earlier runs of a dataflow, for verdicts that compare."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.runs import list_runs_of
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.usual import History


def read_history(dataflow_id: str, *, before: datetime, policy: RunPolicy) -> Exchange[History]:
    """The finished runs of a dataflow that started before a moment, as many as the policy needs.

    Read page by page: behind many empty runs, those that exported something may be further back.
    """
    more = False

    def enough(runs: list[DataflowRun]) -> bool:
        # Called only if the service has another page.
        nonlocal more
        more = _suffices(_earlier(runs, before), policy)
        return more

    page_size = min(LARGEST_PAGE, 2 * max(policy.history, policy.zero_streak))
    runs = yield from list_runs_of([dataflow_id], page_size=page_size, enough=enough)
    return History(runs=tuple(_earlier(runs, before)), complete=not more)


def _earlier(runs: list[DataflowRun], before: datetime) -> list[DataflowRun]:
    return [run for run in runs if run.finished and run.started_at and run.started_at < before]


def _suffices(runs: list[DataflowRun], policy: RunPolicy) -> bool:
    """Whether older runs could not change a verdict any more, or are too far back to matter."""
    full = sum(1 for run in runs if run.records_out)
    # One more than the usual needs, so that the first, full export does not count for it.
    return full > policy.history or len(runs) >= LARGEST_PAGE
