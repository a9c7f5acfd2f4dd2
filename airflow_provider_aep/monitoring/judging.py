"""Judging what a wait has seen, with what of the past that takes: the same for one export and for many.

What most verdicts do not need is imported where it is needed: each start of a worker pays for its imports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_aep.errors import OUTAGES, AepError
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.judgement import judge_run
from airflow_provider_aep.monitoring.policy import EMPTY_OR_SMALL, RunPolicy
from airflow_provider_aep.monitoring.usual import History
from airflow_provider_aep.monitoring.verdict import Verdict, incomplete, judge_runs, stuck
from airflow_provider_aep.monitoring.waits import Sighting

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.dataflow_record import Dataflow
    from airflow_provider_aep.flowservice.exchange import Exchange
    from airflow_provider_aep.monitoring.causes import Cause


def judge_sighting(
    dataflow_id: str,
    sighting: Sighting,
    flow: Dataflow | None,
    policy: RunPolicy,
    *,
    now: datetime,
    unexplained: Callable[[AepError], object],
) -> Exchange[Verdict]:
    """The verdict on what was seen when a wait came to its end.

    :param flow: the dataflow, where it was read already.
    :param unexplained: told why the cause of an empty or small run cannot be asked for.
    :raises AepError: the service gave no answer, or the runs before these, which the policy needs, could not
        be read.
    """
    if sighting.stuck:
        return stuck(sighting.runs, policy, sighting.stuck)
    history = yield from _history(dataflow_id, sighting.runs, policy)

    def verdict(causes: Mapping[str, Cause]) -> Verdict:
        if sighting.incomplete:
            return incomplete(sighting.runs, policy, sighting.incomplete, history, causes)
        return judge_runs(sighting.runs, policy, history, causes)

    found = verdict({})
    if found.status not in (*EMPTY_OR_SMALL, "incomplete"):
        return found
    odd = {
        run.id: status
        for run in sighting.runs
        if run.finished and (status := judge_run(run, policy, history).status) in EMPTY_OR_SMALL
    }
    try:
        from airflow_provider_aep.flowservice.dataflows import get_dataflow
        from airflow_provider_aep.monitoring.explaining import explain_runs

        flow = flow or (yield from get_dataflow(dataflow_id))
        causes = yield from explain_runs(flow, sighting.runs, odd, margin=policy.margin, now=now)
    except OUTAGES:
        raise  # asked again, the Catalog may tell of rows that are lost
    except AepError as error:
        unexplained(error)
        return found
    return verdict(causes) if causes else found


def _history(dataflow_id: str, runs: Sequence[DataflowRun], policy: RunPolicy) -> Exchange[History | None]:
    """What came before the runs, for a policy that compares."""
    starts = [run.started_at for run in runs if run.started_at]
    if not policy.needs_history or not starts:
        return None
    from airflow_provider_aep.monitoring.history import read_history

    return (yield from read_history(dataflow_id, before=min(starts), policy=policy))
