"""Numbers for those who run Airflow, through Airflow's own metrics.

``docs/metrics.md`` lists them. What the backend of the metrics does not take is lost: it never fails a task.

A name says what matters most, as plain StatsD drops all tags. Durations are ``timedelta``, from which every
backend makes its own unit.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_aep._airflow import Stats

log = logging.getLogger(__name__)

_waiters: dict[object, int] = {}


def counted(event: str) -> None:
    """An ``AepSession`` got a 429 (``rate_limited``) or a token (``token_fetches``)."""
    _send("incr", f"aep.{event}")


def polled(seconds: float, *, failed: bool = False) -> None:
    """Somebody looked for the runs of one or many dataflows.

    :param seconds: how long it took.
    :param failed: the look came to nothing.
    """
    _send("incr", "aep.polls")
    _send("timing", "aep.poll_duration", timedelta(seconds=max(0.0, seconds)))
    if failed:
        _send("incr", "aep.polls_failed")


def waiting(waiters: int, *, poll: object) -> None:
    """How many wait for one poll; the gauge is the sum over the polls of this process.

    :param poll: which one, such as its connection and sandbox.
    """
    if waiters:
        _waiters[poll] = waiters
    else:
        _waiters.pop(poll, None)
    total = sum(list(_waiters.values()))  # a list: other threads have event loops and polls, too
    _send("gauge", "aep.waiters", total, tags={"hostname": platform.node()})


def observer(poll: object) -> Callable[[int, float, bool], None]:
    """What a ``SharedPoll`` tells its looks to.

    :param poll: which one, as for ``waiting``.
    """

    def observe(waiters: int, seconds: float, failed: bool) -> None:
        polled(seconds, failed=failed)
        waiting(waiters, poll=poll)

    return observe


def judged(verdict: Mapping[str, Any], *, now: datetime | None = None) -> None:
    """A verdict was reached.

    :param verdict: as plain JSON; its ``sandbox`` becomes a tag where it has one.
    :param now: when, by default this moment.
    """
    try:
        _judged(verdict, now or datetime.now(tz=UTC))
    except (KeyError, TypeError, ValueError) as error:
        log.debug("No metrics of a verdict: %s: %s", type(error).__name__, error)


def _judged(verdict: Mapping[str, Any], now: datetime) -> None:
    tags = {"sandbox": str(verdict["sandbox"])} if verdict.get("sandbox") else {}
    outcome, status = verdict["outcome"], str(verdict["status"])
    _send("incr", f"aep.runs_judged.{outcome}", len(verdict["run_ids"]), tags={**tags, "status": status})
    if verdict["records_out"]:
        _send("incr", "aep.records_exported", verdict["records_out"], tags=tags)
    if verdict["completed_at"]:
        # Adobe's clock may be ahead of ours.
        lag = max(now - datetime.fromisoformat(verdict["completed_at"]), timedelta())
        _send("timing", "aep.detection_lag", lag, tags=tags)


def _send(kind: str, name: str, *values: Any, **more: Any) -> None:
    try:
        getattr(Stats, kind)(name, *values, **more)
    except Exception as error:
        log.debug("Metric %s is lost: %s: %s", name, type(error).__name__, error)
