"""The record of a dataflow run: what the Flow Service did with a dataflow.

Run times are epoch *milliseconds* (schedules carry seconds); here they are ``datetime`` in UTC. Samples of
notifications carry seconds instead, recognized by their size. Metrics may be missing, null or -1, and all
three mean "unknown", never zero. Adobe says that the metrics of dataset exports are mixed with those of
profile exports, so counts are indicative.

Sources: Destinations API reference, "Dataflow runs"; "Monitor dataflows using the Flow Service API"; dataset
export tutorial; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from airflow_provider_aep.flowservice.documents import count_of, epoch_moment, mapping, sequence
from airflow_provider_aep.flowservice.run_counts import (
    DatasetCount,
    dataset_counts_of,
    named_datasets,
    records_of,
)

__all__ = ["DataflowRun"]

# The service records an end soon after it happened; an end much later than its last update is a wrong number.
_WRITTEN_WITHIN = timedelta(hours=1)


class RunStatus(StrEnum):
    """The status of a run, whatever word the service used for it."""

    RUNNING = "running"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    UNKNOWN = "unknown"


# Letters only, lower case: the reference writes "Success", its samples "success", others "IN_PROGRESS".
STATUS_WORDS: Mapping[str, RunStatus] = {
    "success": RunStatus.SUCCESS,
    "completed": RunStatus.SUCCESS,
    "partialsuccess": RunStatus.PARTIAL,
    "partialfailure": RunStatus.FAILED,
    "failed": RunStatus.FAILED,
    "error": RunStatus.FAILED,
    "cancelled": RunStatus.FAILED,
    "canceled": RunStatus.FAILED,
    "aborted": RunStatus.FAILED,
    "inprogress": RunStatus.RUNNING,
    "processing": RunStatus.RUNNING,
    "waiting": RunStatus.RUNNING,
    "queued": RunStatus.RUNNING,
    "scheduled": RunStatus.RUNNING,
    "pending": RunStatus.RUNNING,
}


class RunError(NamedTuple):
    """An error of a run, in Adobe's words. Codes follow no fixed pattern.

    :param records: how many records it concerns; ``None`` for an error of the run as a whole.
    """

    code: str
    message: str
    records: int | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.message else self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class DataflowRun:
    """One execution of a dataflow; ``None`` in a metric means that the service does not say.

    :param status_word: the service's own word, for messages.
    :param started_at: when it started, or was created if it never started.
    :param ended_at: when it ended, never before it started; ``None`` while it runs, or if it has no time at
        all. A run that failed before it started may have no end: then the service's last update counts.
    :param records_out: how many records were exported.
    :param dataset_ids: the datasets that it says it exported; often none.
    :param dataset_counts: the counts of each of them; none if its summaries do not separate datasets.
    """

    id: str
    dataflow_id: str
    status: RunStatus
    status_word: str
    started_at: datetime | None
    completed_at: datetime | None
    records_in: int | None
    records_out: int | None
    records_skipped: int | None
    records_failed: int | None
    bytes_out: int | None
    files_out: int | None
    errors: tuple[RunError, ...]
    dataset_ids: tuple[str, ...] = ()
    dataset_counts: tuple[DatasetCount, ...] = ()
    created_at: datetime | None = None
    ended_at: datetime | None = None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def finished(self) -> bool:
        return self.status is not RunStatus.RUNNING

    @property
    def delivered(self) -> bool:
        """Whether it ended in success, in full or in part."""
        return self.status in (RunStatus.SUCCESS, RunStatus.PARTIAL)

    @classmethod
    def from_api(cls, wire: Mapping[str, Any]) -> DataflowRun:
        metrics = mapping(wire.get("metrics"))
        duration = mapping(metrics.get("durationSummary"))
        records = mapping(metrics.get("recordSummary"))
        # Every sample has completedAtUTC, the reference's schema stoppedAtUTC.
        completed_at = epoch_moment(duration.get("completedAtUTC")) or epoch_moment(
            duration.get("stoppedAtUTC")
        )
        word = mapping(metrics.get("statusSummary")).get("status")
        status = _status(word, completed_at)
        created_at = epoch_moment(wire.get("createdAt"))
        started_at = epoch_moment(duration.get("startedAtUTC")) or created_at
        ended_at = None
        if status is not RunStatus.RUNNING:
            ended_at = _ended(completed_at, epoch_moment(wire.get("updatedAt")), started_at)
        return cls(
            id=str(wire.get("id")),
            dataflow_id=str(wire.get("flowId")),
            status=status,
            status_word=str(word or "(none)"),
            started_at=started_at,
            completed_at=completed_at,
            records_in=count_of(records.get("inputRecordCount")),
            records_out=records_of(records),
            records_skipped=count_of(records.get("skippedRecordCount")),
            records_failed=count_of(records.get("failedRecordCount")),
            bytes_out=count_of(mapping(metrics.get("sizeSummary")).get("outputBytes")),
            files_out=count_of(mapping(metrics.get("fileSummary")).get("outputFileCount")),
            errors=tuple(dict.fromkeys(_errors(wire))),
            dataset_ids=tuple(dict.fromkeys(named_datasets(records))),
            dataset_counts=dataset_counts_of(records, mapping(metrics.get("sizeSummary"))),
            created_at=created_at,
            ended_at=ended_at,
            raw=wire,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "dataflow_id": self.dataflow_id,
            "status": str(self.status),
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "completed_at": self.completed_at.isoformat() if self.completed_at else None,
            "records_in": self.records_in,
            "records_out": self.records_out,
            "records_skipped": self.records_skipped,
            "records_failed": self.records_failed,
            "bytes": self.bytes_out,
            "files": self.files_out,
            "errors": [{"code": error.code, "message": error.message} for error in self.errors],
        }


def pick_runs(
    runs: Sequence[DataflowRun], *, started_after: datetime | None, started_before: datetime | None = None
) -> list[DataflowRun]:
    """The runs that started in a window: at or after its start, and earlier than its end."""
    if started_after is None and started_before is None:
        return list(runs)
    first = started_after or datetime.min.replace(tzinfo=UTC)
    # The service counts whole milliseconds: a run in the same one must not seem to be earlier.
    first = first.replace(microsecond=first.microsecond // 1000 * 1000)
    last = started_before or datetime.max.replace(tzinfo=UTC)
    return [run for run in runs if run.started_at is not None and first <= run.started_at < last]


def each_once(runs: Iterable[DataflowRun]) -> list[DataflowRun]:
    """Each run once: pages overlap if a run is created between them.

    Of two documents of one run the later counts, and if that is unclear, the worse.
    """
    once: dict[str, DataflowRun] = {}
    for run in runs:
        if run.id not in once or _is_later(run, once[run.id]):
            once[run.id] = run
    return list(once.values())


def _is_later(run: DataflowRun, other: DataflowRun) -> bool:
    if run.ended_at is None or other.ended_at is None:
        return run.finished and not other.finished
    return (run.ended_at, not run.delivered) > (other.ended_at, not other.delivered)


def _status(word: object, completed_at: datetime | None) -> RunStatus:
    letters = "".join(character for character in str(word or "").lower() if character.isalpha())
    # An unknown word keeps a sensor waiting until the run has a completion time; then it must not pass as
    # good.
    return STATUS_WORDS.get(letters, RunStatus.UNKNOWN if completed_at else RunStatus.RUNNING)


def _ended(
    completed_at: datetime | None, updated_at: datetime | None, started_at: datetime | None
) -> datetime | None:
    """When a finished run ended."""
    # An end much later than the service's last update is a wrong number.
    if updated_at and (completed_at is None or completed_at > updated_at + _WRITTEN_WITHIN):
        completed_at = updated_at
    if completed_at is None or started_at is None:
        return completed_at or started_at
    return max(completed_at, started_at)


def _errors(wire: Mapping[str, Any]) -> Iterator[RunError]:
    """Errors of the run, then the deeper causes in its activities."""
    metrics = mapping(wire.get("metrics"))
    records = mapping(metrics.get("recordSummary"))
    lists = [mapping(metrics.get("statusSummary")).get("errors"), records.get("failedInfo")]
    for activity in sequence(wire.get("activities")):
        status = mapping(mapping(activity).get("statusSummary"))
        lists += [status.get("errors"), mapping(status.get("extensions")).get("errors")]
    for errors in lists:
        for error in sequence(errors):
            document = mapping(error)
            if document and str(document.get("type") or "Error").lower() == "error":
                concerned = count_of(document.get("count")) or count_of(document.get("recordCount"))
                yield RunError(
                    str(document.get("code") or "(no code)"), str(document.get("message") or ""), concerned
                )
