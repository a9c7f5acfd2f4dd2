"""The parity matrix: each way in which an export can end, what its sensors ask of it, and what is due.

The DAGs of the matrix and their tests read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How an export is waited for, and how that must end.

    :param runs: how its runs end in turn.
    :param state: that of the task.
    :param says: what its log says of the export, a regular expression.
    :param asked: what the sensor is told beside the dataflow.
    :param verdict: its status and outcome, where there is one.
    :param alerts: whether the sensor's notifier has something to tell.
    """

    runs: Sequence[str] = ("success",)
    state: str
    says: str
    asked: dict[str, Any] = field(default_factory=dict)
    verdict: tuple[str, str] | None = None
    alerts: bool = False


# The first run after a moment, judged by a policy.
OUTCOMES = {
    "success": Kind(state="success", says=r"run \S+ exported [\d,]+ records", verdict=("success", "ok")),
    "failed": Kind(
        runs=["failed"],
        state="failed",
        says=r"run \S+ ended as failed: ACTIVATION_BATCH-0000-FAILED",
        verdict=("failed", "fail"),
        alerts=True,
    ),
    "zero": Kind(
        runs=["zero"],
        state="skipped",
        says=r"run \S+ exported no records",
        verdict=("zero_records", "skip"),
        alerts=True,
    ),
    "partial": Kind(
        runs=["partial"],
        state="success",
        says=r"run \S+ exported [\d,]+ records, [\d,]+ (failed|skipped)",
        verdict=("partial", "warn"),
        alerts=True,
    ),
    "unknown_status": Kind(
        runs=["unknown_status"],
        state="failed",
        says=r"run \S+ ended with status '\w+', which is not known",
        verdict=("unknown", "fail"),
        alerts=True,
    ),
    "negative": Kind(
        runs=["negative_counts"],
        state="success",
        says=r"run \S+ exported [\d,]+ records",
        asked={"min_records": 10, "zero_streak": 2},
        verdict=("success", "ok"),
    ),
    "low": Kind(
        state="failed",
        says=r"run \S+ exported [\d,]+ records, fewer than min_records, 1,000,000,000",
        asked={"min_records": 10**9, "on_low_records": "fail"},
        verdict=("low_records", "fail"),
        alerts=True,
    ),
    "tolerated": Kind(
        runs=["partial"],
        state="success",
        says=r"run \S+ exported [\d,]+ records, [\d,]+ (failed|skipped)",
        asked={"max_failed_ratio": 1.0, "max_skipped_ratio": 1.0},
        verdict=("success", "ok"),
    ),
    "slow": Kind(
        state="success",
        says=r"run \S+ exported [\d,]+ records, in [\w. ]+, longer than 0\.001 seconds",
        asked={"max_duration": 0.001},
        verdict=("slow", "warn"),
        alerts=True,
    ),
    "first_empty": Kind(
        runs=["zero"],
        state="failed",
        says=r"exported no records, though the first export is a full one",
        asked={"zero_streak": 3, "on_zero_records": "fail", "on_zero_when_ingested": "fail"},
        verdict=("zero_records", "fail"),
        alerts=True,
    ),
}
# What comes to no verdict.
ENDLESS = {
    "never_ends": Kind(
        runs=["in_progress"] * 9,
        state="failed",
        says=r"Last seen: run \S+ processing",
        asked={"timeout": 2},
        alerts=True,
    ),
    "gone": Kind(state="failed", says="AepNotFoundError", alerts=True),
}
# What is waited for other than an open window.
WAITS = {
    "tick": Kind(
        state="success",
        says=r"Dataflow 'tick': run \S+ exported [\d,]+ records",
        asked={"tick": "{{ params.tick_at }}"},
    ),
    "tick_failed": Kind(
        runs=["failed"],
        state="failed",
        says=r"Dataflow 'tick_failed': run \S+ ended as failed",
        asked={"tick": "{{ params.tick_at }}"},
    ),
    "no_tick": Kind(
        state="failed",
        says=r"tick is no tick of the schedule of dataflow 'no_tick'",
        asked={"tick": "2026-01-01T00:00:01Z"},
    ),
    "window": Kind(
        state="success",
        says=r"Dataflow 'window': run \S+ exported [\d,]+ records",
        asked={"started_after": "{{ params.tick_at }}", "started_before": "{{ params.window_end }}"},
    ),
    "window_over": Kind(
        state="failed",
        says=r"Last seen: no run has started yet, and its window ended at 2026-01",
        asked={"started_after": "2026-01-01", "started_before": "2026-01-02"},
    ),
}
# Given runs: their ids come from another task.
GIVEN = {
    "given": Kind(
        runs=["failed", "success"],
        state="success",
        says=r"Dataflow 'given': run \S+ exported [\d,]+ records",
    ),
    "given_failed": Kind(
        runs=["success", "failed"],
        state="failed",
        says=r"Dataflow 'given_failed': run \S+ ended as failed",
    ),
    "given_text": Kind(
        runs=["failed", "success"],
        state="success",
        says=r"Dataflow 'given_text': run \S+ exported [\d,]+ records",
        asked={"run_ids": "{{ ti.xcom_pull(task_ids='run_given_text') }}"},
    ),
    "given_none": Kind(
        state="failed",
        says=r"run_ids/0 is missing",
        asked={"run_ids": "{{ ti.xcom_pull(task_ids='nobody') }}"},
    ),
}
KINDS = OUTCOMES | ENDLESS
ALL = KINDS | WAITS | GIVEN
PARAMS = (*ALL, "tick_at", "window_end")
USUAL = {"on_zero_records": "skip", "on_zero_when_ingested": "skip"}


def arguments(name: str) -> dict[str, Any]:
    """What an ``AepDataflowRunSensor`` is told of an export."""
    usual = {"started_after": "2026-01-01", **USUAL} if name in KINDS else {}
    return {"dataflow_id": f"{{{{ params.{name} }}}}", "timeout": 60, **usual, **ALL[name].asked}


def together() -> dict[str, tuple[list[str], dict[str, Any]]]:
    """The exports for one ``AepExportsSensor``, as they share a policy, and what it is told."""
    found: dict[str, tuple[list[str], dict[str, Any]]] = {}
    for name, kind in KINDS.items():
        same = next((names for names, _ in found.values() if KINDS[names[0]].asked == kind.asked), None)
        if same is not None:
            same.append(name)
            continue
        policy = {**USUAL, **kind.asked}
        found[name] = ([name], {"timeout": policy.pop("timeout", 60), "run_policy": policy})
    return found
