"""Batches: rows that were ingested together, and the documents in which the Catalog shows them.

Moments are seconds of the clock; in documents they are epoch *milliseconds*.

Source: Catalog Service API reference, batchResponse (members, and the words of a status); batch ingestion
guide (the names in ``metrics``, which the reference leaves open).
Assumed: a batch is ``processing`` until it ends, and shows neither an end nor counts until then; a failed
batch has no counts; the counts at the top and in ``metrics`` agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.emulator.entities import Document, milliseconds

# The statuses of ingested batches, of failed ones, and of all that have ended. A batch with any other status
# is under way.
INGESTED = ("success", "active")
FAILED = ("failed", "failure")
ENDS = (*INGESTED, *FAILED, "aborted", "abandoned", "inactive", "deleted")
BYTES_PER_ROW = 220
WRITER = "acp_foundation_push"
# The members that count something.
COUNTS = ("recordCount", "failedRecordCount", "size", "metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch of one dataset.

    :param completed: when it ended; ``None`` if its document has no end.
    :param rows: how many rows the dataset gains when the batch ends with a success.
    :param members: members that its document adds or replaces; ``None`` removes one.
    """

    id: str
    dataset_id: str
    opened: float
    completed: float | None
    rows: int = 0
    status: str = "success"
    members: Mapping[str, Any] = field(default_factory=dict)

    @property
    def created(self) -> int:
        """The creation as the Catalog shows it, in epoch milliseconds."""
        created = self.members.get("created")
        return milliseconds(self.opened) if created is None else int(created)

    def status_at(self, at: float) -> str:
        over = self.completed is None or self._has_ended(at)
        return str(self.members.get("status", self.status if over else "processing"))

    def rows_at(self, at: float) -> int:
        """How many rows it has added by a moment."""
        return self.rows if self.status in INGESTED and self._has_ended(at) else 0

    def _has_ended(self, at: float) -> bool:
        # The tolerance is for rounding in the last digit.
        return self.completed is not None and self.completed <= at + 1e-6

    def to_api(self, at: float, owner: Mapping[str, str]) -> Document:
        """The document of the batch at a moment.

        :param owner: the organization and the sandbox, which all documents of the Catalog name.
        """
        document: Document = {
            **owner,
            "created": self.created,
            "createdClient": WRITER,
            "createdUser": f"{WRITER}@AdobeID",
            "updatedUser": f"{WRITER}@AdobeID",
            "started": self.created,
            "updated": self.created,
            "status": self.status_at(at),
            "version": "1.0.0",
            "relatedObjects": [{"type": "dataSet", "id": self.dataset_id}],
        }
        if self.completed is not None and self._has_ended(at):
            ended = milliseconds(self.completed)
            document |= {"completed": ended, "updated": ended, "version": "1.0.1"}
            if self.status in INGESTED:
                document |= self._counts()
        document |= self.members
        return {name: value for name, value in document.items() if value is not None}

    def _counts(self) -> Document:
        size = self.rows * BYTES_PER_ROW
        # Source: the partial batch ingestion guide prints metrics of this form.
        metrics = {
            "inputRecordCount": self.rows,
            "outputRecordCount": self.rows,
            "failedRecordCount": 0,
            "inputByteSize": size,
        }
        return {"recordCount": self.rows, "failedRecordCount": 0, "size": size, "metrics": metrics}


def in_progress(document: Document) -> Document:
    """The document of a batch as it was before it ended."""
    ending = {"completed", *COUNTS}
    return {name: value for name, value in document.items() if name not in ending} | {"status": "processing"}
