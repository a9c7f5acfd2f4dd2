"""One look at the runs that somebody waits for; sensor and trigger both look through here.

A service that does not answer is no verdict on a run: such a look says so, and the wait goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_aep.errors import AepError, AepRateLimitError, AepServerError, AepTransportError
from airflow_provider_aep.flowservice.dataflows import Dataflow, get_dataflow
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.runs import DataflowRun, list_runs
from airflow_provider_aep.monitoring.verdict import all_finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What one look saw.

    :param finished: the wait is over; ``runs`` can be judged.
    :param told: the same in one sentence, for logs and for the message of a timeout.
    :param wait_seconds: at least so long the service asked to be left alone.
    :param answered: the service said something; without an answer ``runs`` means nothing.
    """

    runs: tuple[DataflowRun, ...] = ()
    finished: bool = False
    told: str
    wait_seconds: float = 0.0
    answered: bool = True


def look_for_runs(
    dataflow_id: str,
    *,
    now: datetime,
    started_after: datetime,
    started_before: datetime | None = None,
    expected: int,
    ask_why: bool = False,
) -> Exchange[Sighting]:
    """Look once for the runs of a dataflow that started in a window, or at or after a moment.

    :param now: to tell whether a schedule is over.
    :param expected: how many there must be before the wait is over.
    :param ask_why: where there is no run yet, read the dataflow too: it may be gone or disabled.
    :raises AepNotFoundError: with ``ask_why``, when the sandbox has no such dataflow.
    :raises AepAuthError: the credential is refused; waiting would not help.
    """
    try:
        runs = yield from list_runs(dataflow_id, started_after=started_after, started_before=started_before)
        if not runs and ask_why:
            flow = yield from get_dataflow(dataflow_id)
            return Sighting(told=why_no_run(flow, now))
    except (AepServerError, AepRateLimitError, AepTransportError) as error:
        return no_answer(error)
    return sighting_of(runs, expected)


def sighting_of(runs: Sequence[DataflowRun], expected: int) -> Sighting:
    """What runs that were found mean to somebody who waits for so many."""
    return Sighting(
        runs=tuple(runs), finished=all_finished(runs, expected=expected), told=_told(runs, expected)
    )


def no_answer(error: AepError) -> Sighting:
    """A look that found no service, or none that would talk."""
    asked = getattr(error, "retry_after", None) or 0.0
    return Sighting(told=f"the service gave no answer: {error}", wait_seconds=asked, answered=False)


def _told(runs: Sequence[DataflowRun], expected: int) -> str:
    if not runs:
        return "no run has started yet"
    seen = ", ".join(f"{run.id} {run.status_word}" for run in runs)
    return f"{len(runs)} of {expected} expected: {seen}" if expected > 1 else f"run {seen}"


def why_no_run(flow: Dataflow, now: datetime) -> str:
    """What a dataflow itself tells of a run that has not started."""
    if flow.state == "disabled":
        return f"no run has started yet: dataflow {flow.name!r} is disabled"
    end = flow.schedule.get("endTime")
    if isinstance(end, int | float) and end < now.timestamp():
        return f"no run has started yet: the schedule of dataflow {flow.name!r} has ended"
    return "no run has started yet"
