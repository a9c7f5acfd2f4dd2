"""One poll for the runs of a wait, and the further requests if they do not end.

If the service does not answer, that is no verdict on a run: the poll says so, and the wait goes on.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, MutableMapping
from contextlib import suppress
from datetime import datetime, timedelta

from airflow_provider_aep.errors import OUTAGES, AepError, AepNotFoundError, AepValidationError, Problem
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import get_dataflow
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.flowservice.runs import get_run, list_runs
from airflow_provider_aep.flowservice.session import LONGEST_CLOSED
from airflow_provider_aep.monitoring.stuck import LEAST, stuck_after, stuck_reach
from airflow_provider_aep.monitoring.usual import Past
from airflow_provider_aep.monitoring.waits import NO_RUN, Sighting, Wait, sighting_of, with_stuck

# A poll needs the newest few runs, so a page of 100 whole documents would waste bytes. For a longer window it
# saves requests.
POLL_PAGE = 25
SHORT_WINDOW = timedelta(days=1)


def look_for_runs(
    wait: Wait,
    *,
    now: datetime,
    ask_why: bool = False,
    stuck_at: MutableMapping[str, datetime] | None = None,
) -> Exchange[Sighting]:
    """Poll once for the runs of a wait.

    :param ask_why: if there is no run yet, also read the dataflow, which may be deleted or disabled.
    :param stuck_at: when runs that are long under way become stuck, by run id; new results are added. See
        ``find_stuck``.
    :raises AepNotFoundError: with ``ask_why``, if the sandbox has no such dataflow.
    :raises AepAuthError: the credential is refused; waiting would not help.
    :raises AepValidationError: a given run belongs to another dataflow.
    """
    known = {} if stuck_at is None else stuck_at
    try:
        if wait.run_ids:
            runs = yield from read_given(wait, wait.run_ids)
        else:
            runs = yield from list_runs(
                wait.dataflow_id,
                started_after=wait.started_after,
                page_size=POLL_PAGE if now - wait.started_after <= SHORT_WINDOW else LARGEST_PAGE,
            )
        seen = sighting_of(wait, runs, now)
        if not seen.runs and ask_why:
            flow = yield from get_dataflow(wait.dataflow_id)
            return seen._replace(told=why_no_run(flow, now, seen.told))
    except OUTAGES as error:
        return no_answer(error)
    for run in in_doubt(wait, seen, now, known):
        # A failure here does not affect the sighting; the next poll tries again.
        with suppress(AepError):
            yield from find_stuck(wait, run, known)
    return with_stuck(wait, seen, now, known)


def read_given(wait: Wait, run_ids: Iterable[str]) -> Exchange[list[DataflowRun]]:
    """The given runs that exist: a run that has just begun may become visible a little later.

    :raises AepValidationError: a run belongs to another dataflow.
    """
    runs = []
    for run_id in run_ids:
        try:
            run = yield from get_run(run_id)
        except AepNotFoundError:
            continue
        if run.dataflow_id != wait.dataflow_id:
            rule = f"names run {run_id}, which is one of dataflow {run.dataflow_id}"
            raise AepValidationError("the sensor", [Problem("run_ids", rule)])
        runs.append(run)
    return runs


def in_doubt(wait: Wait, seen: Sighting, now: datetime, known: Container[str]) -> list[DataflowRun]:
    """The runs of a wait that may be stuck, which depends on the earlier runs of their dataflow.

    :param known: the ids of runs for which that is known.
    """
    if wait.whole or wait.longest is not None:
        return []
    return [
        run
        for run in seen.runs
        if not run.finished and run.started_at and now - run.started_at >= LEAST and run.id not in known
    ]


def find_stuck(wait: Wait, run: DataflowRun, known: MutableMapping[str, datetime]) -> Exchange[None]:
    """Find out when a run that is long under way becomes stuck.

    That depends on the runs before it and never changes, so it is determined once for each run.

    :param known: by the id of the run; the result is added.
    """
    if run.started_at is None:
        return
    flow = wait.tick.flow if wait.tick else (yield from get_dataflow(wait.dataflow_id))
    first = run.started_at - stuck_reach(flow.step)
    runs = yield from list_runs(flow.id, started_after=first)
    past = Past(runs, known_from=first, created_at=flow.created_at)
    known[run.id] = run.started_at + stuck_after(run, past, step=flow.step, longest=None)


def no_answer(error: AepError) -> Sighting:
    """The sighting of a poll that got no answer, or was refused."""
    asked = min(getattr(error, "retry_after", None) or 0.0, LONGEST_CLOSED)
    return Sighting(
        told=f"the service gave no answer: {error}",
        wait_seconds=asked,
        answered=False,
        refused=not isinstance(error, OUTAGES),
    )


def why_no_run(flow: Dataflow, now: datetime, told: str = NO_RUN) -> str:
    """Why no run has started, as far as the dataflow itself shows it.

    :param told: the sentence to extend.
    """
    if flow.state == "disabled":
        return f"{told}: dataflow {flow.name!r} is disabled"
    end = flow.schedule.get("endTime")
    if isinstance(end, int | float) and end < now.timestamp():
        return f"{told}: the schedule of dataflow {flow.name!r} has ended"
    return told
