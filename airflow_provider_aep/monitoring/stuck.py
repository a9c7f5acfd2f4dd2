"""How long a run may be under way before it counts as stuck. An export that hangs delivers nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.usual import Past, usual_duration

# No run is stuck before this, whatever is usual: Adobe itself calls 150 minutes a delay.
LEAST = timedelta(minutes=150)
# A run is stuck after this multiple of the usual duration.
TIMES = 3
# A run that goes on past the next tick is stuck, unless it is shorter than this multiple of the usual.
PAST_THE_NEXT_TICK = 1.5
# For a first, full export, which may copy years of data, and for a dataflow without a schedule.
PATIENCE = timedelta(hours=24)
# The usual duration is that of runs of so many earlier ticks.
REACH_IN_TICKS = 8


def stuck_reach(step: timedelta) -> timedelta:
    """How far back earlier runs must be known, to know how long a run may take."""
    return max(step, timedelta(hours=1)) * REACH_IN_TICKS


def stuck_after(run: DataflowRun, past: Past, *, step: timedelta, longest: timedelta | None) -> timedelta:
    """How long after its start a run is stuck.

    :param past: the runs before it, for at least ``stuck_reach``.
    :param step: from tick to tick; zero if there is no next one.
    :param longest: the policy's ``max_duration``, which takes precedence.
    """
    if longest is not None:
        return longest
    if past.is_first(run):
        return max(PATIENCE, step)
    usual = usual_duration(past.before(run, reach=stuck_reach(step)))
    limits = [step if usual is None else max(step, usual * PAST_THE_NEXT_TICK)] if step else []
    if usual is not None:
        limits.append(usual * TIMES)
    return max(LEAST, min(limits, default=PATIENCE))


def stuck_at(
    run: DataflowRun, past: Past, *, step: timedelta, longest: timedelta | None, now: datetime
) -> datetime | None:
    """When a run became stuck, also if it ended afterwards; ``None`` if it did not."""
    if run.started_at is None:
        return None
    ended = run.ended_at
    until = ended if ended is not None and ended < now else now
    # Most runs end soon, and need no look at earlier ones.
    if until - run.started_at < (LEAST if longest is None else longest):
        return None
    at = run.started_at + stuck_after(run, past, step=step, longest=longest)
    return at if at < until or (not run.finished and at <= now) else None
