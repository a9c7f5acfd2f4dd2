"""Dataflows and their runs as the service would list them, for tests of the timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.run_record import DataflowRun

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
CADENCES = {
    "1h": ("hour", 1),
    "3h": ("hour", 3),
    "6h": ("hour", 6),
    "12h": ("hour", 12),
    "1d": ("day", 1),
    "once": ("day", 0),
}


def at(day: int = 0, hour: float = 0, minute: float = 0) -> datetime:
    return MIDNIGHT + timedelta(days=day, hours=hour, minutes=minute)


def a_dataflow(every: str = "1h", *, start: datetime = MIDNIGHT, **given: Any) -> Dataflow:
    """A dataflow that was made a month before its first tick."""
    unit, interval = CADENCES.get(every, ("fortnight", 1))
    schedule = {"timeUnit": unit, "interval": interval, "startTime": int(start.timestamp())}
    if end := given.pop("end", None):
        schedule["endTime"] = int(end.timestamp())
    made = start - timedelta(days=30)
    changed = given.pop("changed", made)
    document = {
        "id": "f",
        "name": "nightly",
        "state": "enabled",
        "createdAt": int(given.pop("created", made).timestamp() * 1000),
        "updatedAt": int(changed.timestamp() * 1000),
        "scheduleParams": schedule,
        **given,
    }
    return Dataflow.from_api(document)


def a_run(started: datetime, minutes: float | None = 10, **given: Any) -> DataflowRun:
    """A run; without ``minutes`` it is under way.

    :param given: ``status``, ``records``, ``dataset``, ``errors``, ``run_id``, and members of the record
        summary.
    """
    begun = int(started.timestamp() * 1000)
    dataset = given.pop("dataset", None)
    records = given.pop("records", 100)
    run_id = given.pop("run_id", None) or f"r-{started:%d%H%M}{dataset or ''}"
    targets = [{"entitySummaries": [{"id": f"dataset:{dataset}"}]}] if dataset else []
    duration = {"startedAtUTC": begun}
    status = given.pop("status", "success")
    if minutes is None:
        status = "processing"
    else:
        duration["completedAtUTC"] = begun + int(minutes * 60_000)
    summary = {"outputRecordCount": records, "targetSummaries": targets}
    return DataflowRun.from_api(
        {
            "id": run_id,
            "flowId": "f",
            "createdAt": begun,
            "metrics": {
                "durationSummary": duration,
                "recordSummary": {**({} if minutes is None else summary), **given.pop("summary", {})},
                "statusSummary": {"status": status, "errors": given.pop("errors", [])},
            },
        }
    )
