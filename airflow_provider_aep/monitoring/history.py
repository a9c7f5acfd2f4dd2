"""What a dataflow did before, for verdicts that compare."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.runs import list_runs_of
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.usual import History


def read_history(dataflow_id: str, *, before: datetime, policy: RunPolicy) -> Exchange[History]:
    """The finished runs of a dataflow that started earlier than a moment, as many as the policy looks at.

    Read page by page: a dataflow with many empty runs may hold those that exported something further back.
    """
    more = False

    def enough(runs: list[DataflowRun]) -> bool:
        # Asked only where the service has another page.
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
    # One more than the usual is made of, so that the first, full export is not taken for a usual one.
    return full > policy.history or len(runs) >= LARGEST_PAGE
