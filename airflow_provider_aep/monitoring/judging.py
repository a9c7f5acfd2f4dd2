"""Judges the runs of a wait, with the history that this needs: the same for one export and for many.

Modules that most verdicts do not need are imported where they are needed: each start of a worker pays for its
imports.
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
    """The verdict on the runs at the end of a wait.

    :param flow: the dataflow, if it was read already.
    :param unexplained: called with the error if the cause of an empty or small run cannot be looked up.
    :raises AepError: the service did not answer, or the earlier runs that the policy needs could not be read.
    """
    if sighting.stuck:
        return stuck(sighting.runs, policy, sighting.stuck)
    history = yield from _history(dataflow_id, sighting.runs, policy)

    def verdict(causes: Mapping[str, Cause]) -> Verdict:
        if sighting.incomplete:
            return incomplete(sighting.runs, policy, sighting.incomplete, history, causes)
        return judge_runs(sighting.runs, policy, history, causes)

    without_causes = verdict({})
    if without_causes.status not in (*EMPTY_OR_SMALL, "incomplete"):
        return without_causes
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
        raise  # at the next attempt, the Catalog may show that data were lost
    except AepError as error:
        unexplained(error)
        return without_causes
    return verdict(causes) if causes else without_causes


def _history(dataflow_id: str, runs: Sequence[DataflowRun], policy: RunPolicy) -> Exchange[History | None]:
    """The earlier runs, for a policy that compares."""
    starts = [run.started_at for run in runs if run.started_at]
    if not policy.needs_history or not starts:
        return None
    from airflow_provider_aep.monitoring.history import read_history

    return (yield from read_history(dataflow_id, before=min(starts), policy=policy))
