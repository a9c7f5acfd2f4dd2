"""A lake: datasets, the batches in which their rows came in, and what the Catalog shows of them.

What a batch really brought, and when, is the truth; its documents may tell less, or tell it late.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.truth.making import epoch_ms
from tests.truth.world import HOUR, MINUTE

DAY = timedelta(days=1)
# So long before the month begins something was ingested.
BEFORE = 12 * DAY
LONGEST_OPEN = 70  # hours; batches are asked for from three days before a window on
FAILED = ("failed", "failure", "aborted", "abandoned")
# What else a batch may be, or look like, and how often.
ODD = {
    "without counts": 3,
    "counts nothing": 2,
    "counts below zero": 1,
    "replaces another": 3,
    "compaction": 2,
    "taken back": 2,
    "ends in the future": 1,
    "tells no end": 2,
    "of another age": 1,
    "names no dataset": 1,
    "never ends": 1,
    "old events": 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueBatch:
    """One batch of one dataset.

    :param kind: ``plain``, ``failed`` or one of ``ODD``.
    :param ended_at: when it really ended; ``None`` for one that never does.
    :param rows: how many an export delivers of it that looks from then on, and before it is taken back.
    :param shown_at: from when on the Catalog tells that it has ended.
    :param documents: what the Catalog shows from a moment on, oldest first.
    """

    id: str
    dataset_id: str
    kind: str
    opened_at: datetime
    ended_at: datetime | None
    rows: int
    taken_back_at: datetime | None
    documents: tuple[tuple[datetime, bytes], ...] = field(repr=False)

    def is_in(self, moment: datetime) -> bool:
        """Whether whoever looks at its dataset at a moment sees its rows."""
        return (
            self.rows > 0
            and self.ended_at is not None
            and self.ended_at <= moment
            and not (self.taken_back_at and self.taken_back_at <= moment)
        )

    def document_at(self, now: datetime) -> bytes | None:
        shown = [document for since, document in self.documents if since <= now]
        return shown[-1] if shown else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueDataset:
    """A dataset and all its batches, in the order in which they were opened.

    :param deleted_at: from then on the Catalog shows neither it nor its batches.
    """

    id: str
    name: str
    batches: tuple[TrueBatch, ...] = field(repr=False)
    is_snapshot: bool = False
    deleted_at: datetime | None = None

    def is_there(self, now: datetime) -> bool:
        return self.deleted_at is None or now < self.deleted_at

    def document(self) -> dict[str, Any]:
        schema = "profile__union" if self.is_snapshot else "orders"
        return {"name": self.name, "state": "DRAFT", "tags": {}, "schemaRef": {"id": f"https://x/{schema}"}}


@dataclass(slots=True, kw_only=True)
class Filling:
    """Fills one dataset.

    :param gap: from one batch to the next, on average.
    :param ticks: of the exports of the dataset: near some of them a batch is completed.
    :param shown_late: minutes from the end of a batch until the Catalog tells of it, at most.
    """

    rng: random.Random
    dataset_id: str
    gap: timedelta
    began: datetime
    until: datetime
    ticks: Sequence[datetime]
    shown_late: float
    made: int = 0
    last_id: str = ""

    def batches(self) -> tuple[TrueBatch, ...]:
        found = [self._batch(at, kind) for at, kind in sorted(self._ends())]
        return tuple(sorted(found, key=lambda batch: (batch.opened_at, batch.id)))

    def _ends(self) -> Iterator[tuple[datetime, str]]:
        at, failing = self.began - BEFORE, 0
        while at < self.until:
            # Nothing at all comes in for a while, now and then.
            quiet = self.rng.uniform(2, 5) if self.rng.random() < 0.05 else 1
            at += self.rng.expovariate(1) * quiet * self.gap
            if not failing and self.rng.random() < 0.05:
                failing = self.rng.randint(1, 5)
            yield at, "failed" if failing else self._kind()
            failing = max(0, failing - 1)
        for tick in self.ticks:
            if self.rng.random() < 0.06:
                yield tick + self.rng.uniform(-90, 90) * MINUTE, self._kind()

    def _kind(self) -> str:
        if self.rng.random() < 0.1:
            return self.rng.choices([*ODD], [*ODD.values()])[0]
        return "failed" if self.rng.random() < 0.04 else "plain"

    def _batch(self, ended: datetime, kind: str) -> TrueBatch:
        rng = self.rng
        spans = ((0.5, 30), (30, 6 * 60), (6 * 60, LONGEST_OPEN * 60))
        opened = ended - rng.uniform(*rng.choices(spans, (80, 15, 5))[0]) * MINUTE
        opened, ended = _whole(opened), _whole(ended)
        shown = ended + rng.uniform(0, self.shown_late) * MINUTE
        rows = rng.randint(1, 9) if rng.random() < 0.1 else rng.randint(200, 2_000)
        taken_back = None
        told: dict[str, Any] = {
            "status": rng.choice(("success", "success", "active")),
            "completed": epoch_ms(ended),
            "recordCount": rows,
            "metrics": {"inputRecordCount": rows, "outputRecordCount": rows},
        }
        no_counts: dict[str, Any] = {"recordCount": None, "metrics": None}
        if kind == "failed":
            rows = 0
            told |= no_counts | {"status": rng.choice(FAILED), "errors": [{"code": "INGEST-1212-400"}]}
            if rng.random() < 0.5:
                told |= {"completed": None, "updated": epoch_ms(ended)}
        elif kind == "without counts":
            told |= no_counts
        elif kind == "counts nothing":
            rows = 0
            told |= {"recordCount": 0, "metrics": {"outputRecordCount": 0}}
        elif kind == "counts below zero":
            told |= {"recordCount": -1, "metrics": {"outputRecordCount": -1}}
        elif kind in ("replaces another", "compaction"):
            told["replay"] = {"predecessors": [self.last_id], "reason": kind}
            # Whether what is restated is exported again is documented nowhere: here it is, or it is not.
            rows = 0 if kind == "compaction" or rng.random() < 0.5 else rows
        elif kind == "taken back":
            taken_back = ended + rng.uniform(0.1, 20) * HOUR
        elif kind == "ends in the future":
            told["completed"] = epoch_ms(ended + 400 * DAY)
        elif kind == "tells no end":
            told["completed"] = None
        elif kind == "of another age":
            told["status"] = "petrified"
        elif kind == "names no dataset":
            told["relatedObjects"] = None
        elif kind == "old events":
            about = epoch_ms(ended - rng.uniform(370, 900) * DAY)
            rows, told["availableDates"] = 0, {"startDate": about, "endDate": about}
        self.made += 1
        batch_id = f"{self.dataset_id}.{self.made:05}"
        frame = {
            "created": epoch_ms(opened),
            "updated": epoch_ms(opened),
            "status": "processing",
            "relatedObjects": [{"type": "dataSet", "id": self.dataset_id}],
        }
        documents = [(opened + rng.uniform(0, 2) * MINUTE, frame)]
        if kind != "never ends":
            documents.append((shown, {**frame, "updated": epoch_ms(ended), **told}))
        if taken_back:
            gone = {**documents[-1][1], "status": "deleted", "updated": epoch_ms(taken_back)}
            documents.append((max(shown, taken_back), gone))
        if kind == "plain":
            self.last_id = batch_id
        return TrueBatch(
            id=batch_id,
            dataset_id=self.dataset_id,
            kind=kind,
            opened_at=opened,
            ended_at=None if kind == "never ends" else ended,
            rows=rows,
            taken_back_at=taken_back,
            documents=tuple((since, json.dumps(each).encode()) for since, each in documents),
        )


def _whole(moment: datetime) -> datetime:
    """A moment as documents tell it, in milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
