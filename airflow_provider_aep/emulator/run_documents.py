"""The documents of dataflow runs, in every state that the references and their samples show.

All times are epoch *milliseconds*.

Source: Destinations API reference, the two printed runs (success and failed); export datasets tutorial
(the zero-record run, whose sample is cut off); "Monitor dataflows" guide (errors inside a success).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]

# The same in every printed run.
XDM_PROCESSOR = ("c4f238e3-7334-4933-8b56-64d7ea43ea54", "Activation Batch XdmProcessor Activity")
PUBLISHER = ("51d82b36-6b8f-11eb-9439-0242ac130002", "Activation Batch Publisher Activity")

# Assumed: the size of a row in the lake.
BYTES_READ_PER_ROW = 220

ABORTED = {"code": "ACTIVATION_BATCH-0000-FAILED", "message": "Job aborted."}

# How a run can end, and how its document can be odd. With "never" a tick makes no run. From "in_progress" on,
# the kinds are documents that a sample, a schema or a client hints at.
KINDS = (
    "success",
    "zero",
    "failed",
    "partial",
    "late",
    "never",
    "withheld",
    "in_progress",
    "success_with_errors",
    "null_metrics",
    "negative_counts",
    "unknown_status",
    "reference_spelling",
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What a run did with one dataset."""

    dataset_id: str
    read: int
    written: int
    files: int
    bytes: int

    @property
    def failed(self) -> int:
        return self.read - self.written


@dataclass(frozen=True, slots=True)
class Frame:
    """What every run document repeats: its connections and its times."""

    source_id: str
    target_id: str
    started: int
    completed: int

    @property
    def durations(self) -> Document:
        return {"startedAtUTC": self.started, "completedAtUTC": self.completed}


def in_progress(started: int) -> Document:
    # Assumed: "processing". The schema says Processing, the filter guide inProgress, and no run is printed.
    return {
        "metrics": {
            "durationSummary": {"startedAtUTC": started},
            "statusSummary": {"status": "processing", "activityRefs": []},
        },
        "activities": [],
    }


def finished(kind: str, frame: Frame, exported: Sequence[Exported]) -> Document:
    """Metrics and activities of a finished run."""
    if kind == "null_metrics":
        # Source: the file-based testing guide prints null summaries.
        return {"metrics": None, "activities": None}
    if kind == "failed":
        return _failed(frame)
    document = (
        _good(kind, frame, exported) if any(dataset.read for dataset in exported) else _zero(frame, exported)
    )
    return _odd(kind, document)


def _good(kind: str, frame: Frame, exported: Sequence[Exported]) -> Document:
    errors = _errors(sum(dataset.failed for dataset in exported))
    if kind == "success_with_errors":
        # Source: "Monitor dataflows" guide: one record of a hundred failed, and the run is a success.
        errors = _errors(1)
    status = "partialSuccess" if kind == "partial" else "success"
    files = sum(dataset.files for dataset in exported)
    sizes = {
        "inputBytes": sum(dataset.read for dataset in exported) * BYTES_READ_PER_ROW,
        "outputBytes": sum(dataset.bytes for dataset in exported),
    }
    return {
        "metrics": {
            "durationSummary": frame.durations,
            "sizeSummary": sizes,
            "recordSummary": _records(frame, exported, errors),
            "fileSummary": {"inputFileCount": files, "outputFileCount": files},
            "statusSummary": _status(status, errors),
        },
        "activities": _activities(status, errors),
    }


def _zero(frame: Frame, exported: Sequence[Exported]) -> Document:
    # Source: export datasets tutorial: inputBytes 0 and no output keys.
    # Assumed: the status, which the printed sample cuts off.
    return {
        "metrics": {
            "durationSummary": frame.durations,
            "sizeSummary": {"inputBytes": 0},
            "recordSummary": {
                "inputRecordCount": 0,
                "skippedRecordCount": 0,
                "sourceSummaries": [_source_summary(frame, exported)],
            },
            "statusSummary": _status("success", []),
        },
        "activities": _activities("success", []),
    }


def _failed(frame: Frame) -> Document:
    # Source: Destinations API reference, the printed failed run: no sizes, no files, no top-level counts.
    return {
        "metrics": {
            "durationSummary": frame.durations,
            "recordSummary": {
                "sourceSummaries": [{"id": frame.source_id}],
                "targetSummaries": [{"id": frame.target_id}],
                "failedInfo": [ABORTED],
            },
            "statusSummary": _status("failed", [ABORTED]),
        },
        "activities": _activities("failed", [ABORTED]),
    }


def _records(frame: Frame, exported: Sequence[Exported], errors: list[Document]) -> Document:
    written = sum(dataset.written for dataset in exported)
    totals = {"outputRecordCount": written, "createdRecordCount": written}
    # Assumed: audience runs say "segment:<id>" here; the dataset sample is cut off before it.
    entities = [
        {
            "id": f"dataset:{dataset.dataset_id}",
            "outputRecordCount": dataset.written,
            "createdRecordCount": dataset.written,
        }
        for dataset in exported
    ]
    records: Document = {
        "inputRecordCount": sum(dataset.read for dataset in exported),
        **totals,
        "skippedRecordCount": 0,
        "sourceSummaries": [_source_summary(frame, exported)],
        "targetSummaries": [{"id": frame.target_id, **totals, "entitySummaries": entities}],
    }
    if errors:
        records |= {"failedRecordCount": sum(error["count"] for error in errors), "failedInfo": errors}
    return records


def _source_summary(frame: Frame, exported: Sequence[Exported]) -> Document:
    return {
        "id": frame.source_id,
        "inputRecordCount": sum(dataset.read for dataset in exported),
        "skippedRecordCount": 0,
        "entitySummaries": [
            {"id": f"dataset:{dataset.dataset_id}", "inputRecordCount": dataset.read, "skippedRecordCount": 0}
            for dataset in exported
        ],
    }


def _errors(count: int) -> list[Document]:
    if not count:
        return []
    # Source: the run codes of the Flow Service's own samples.
    return [
        {
            "code": "CONNECTOR-2001-500",
            "message": "Some records could not be processed.",
            "count": count,
            "type": "Error",
        }
    ]


def _status(status: str, errors: list[Document]) -> Document:
    summary: Document = {"status": status}
    if errors:
        summary["errors"] = errors
    return {**summary, "activityRefs": [XDM_PROCESSOR[0], PUBLISHER[0]]}


def _activities(status: str, errors: list[Document]) -> list[Document]:
    extensions = {"errors": errors} if errors else {}
    return [
        {
            "id": activity_id,
            "name": name,
            "updatedAtUTC": 0,
            "durationSummary": {},
            "latencySummary": {},
            "sizeSummary": {},
            "recordSummary": {},
            "fileSummary": {},
            "statusSummary": {"status": status, "extensions": extensions},
            "sourceInfo": None,
            "targetInfo": None,
        }
        for activity_id, name in (XDM_PROCESSOR, PUBLISHER)
    ]


def _odd(kind: str, document: Document) -> Document:
    """Change a good document into the odd one of a kind; other kinds leave it as it is."""
    metrics = document["metrics"]
    if kind == "unknown_status":
        metrics["statusSummary"]["status"] = "reconciling"
    if kind == "negative_counts":
        # Source: notifications of sources, which show -1 for a count that the service does not know.
        metrics["sizeSummary"]["inputBytes"] = -1
        metrics["recordSummary"]["inputRecordCount"] = -1
        metrics.setdefault("fileSummary", {})["inputFileCount"] = -1
    if kind == "reference_spelling":
        # Source: the schemas of the Destinations API reference, which no sample follows.
        metrics["statusSummary"]["status"] = "Success"
        metrics["durationSummary"]["stoppedAtUTC"] = metrics["durationSummary"].pop("completedAtUTC")
    return document
