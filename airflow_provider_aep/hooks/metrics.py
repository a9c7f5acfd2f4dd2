"""Metrics for operators of Airflow, through Airflow's own metrics.

``docs/metrics.md`` lists them. A metric that the backend refuses is lost; it never fails a task.

The name carries what matters most, because plain StatsD drops all tags. Durations are ``timedelta``, which
every backend converts to its own unit.
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
    """The runs of one or many dataflows were polled.

    :param seconds: how long the poll took.
    :param failed: the poll failed.
    """
    _send("incr", "aep.polls")
    _send("timing", "aep.poll_duration", timedelta(seconds=max(0.0, seconds)))
    if failed:
        _send("incr", "aep.polls_failed")


def waiting(waiters: int, *, poll: object) -> None:
    """The number of waiters of one shared poll; the gauge is the sum over the polls of this process.

    :param poll: its key, such as connection and sandbox.
    """
    if waiters:
        _waiters[poll] = waiters
    else:
        _waiters.pop(poll, None)
    total = sum(list(_waiters.values()))  # a list: other threads may change the dict
    _send("gauge", "aep.waiters", total, tags={"hostname": platform.node()})


def observer(poll: object) -> Callable[[int, float, bool], None]:
    """The callback that a ``SharedPoll`` calls after each poll.

    :param poll: its key, as for ``waiting``.
    """

    def observe(waiters: int, seconds: float, failed: bool) -> None:
        polled(seconds, failed=failed)
        waiting(waiters, poll=poll)

    return observe


def judged(verdict: Mapping[str, Any], *, now: datetime | None = None) -> None:
    """A verdict was reached.

    :param verdict: as plain JSON; its ``sandbox``, if it has one, becomes a tag.
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
