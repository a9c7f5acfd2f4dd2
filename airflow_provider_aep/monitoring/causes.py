"""Why a run exported nothing or little, or is missing: what was ingested into its datasets meanwhile.

Counts are never compared, only none and some: upserts, filters and deduplication change counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from airflow_provider_aep.flowservice.ingestion import Batch, BatchStatus
from airflow_provider_aep.monitoring.batches import told_codes, told_number
from airflow_provider_aep.monitoring.owing import (
    EXPORTED_FOR,
    Ingested,
    Question,
    Snapshot,
    SortedOut,
    sort_out,
)

CauseKind = Literal["not_exported", "ingestion_failed", "too_close", "unknown", "window", "nothing_ingested"]
# With several datasets, the gravest cause decides.
_ORDER: tuple[CauseKind, ...] = (
    "not_exported",
    "ingestion_failed",
    "too_close",
    "unknown",
    "window",
    "nothing_ingested",
)
_UNSETTLED = "; what came before it may not have been exported"
ADVICE: Mapping[CauseKind, str] = {
    "not_exported": "Export the dataset on demand, and give Adobe's support the run id and the batch ids.",
    "ingestion_failed": "Look at the source of the dataset: nothing new has come in since.",
    "too_close": "Wait for the next run: it owes these data, and will answer the question.",
    "unknown": "Compare the dataset's batches with the run in the Platform UI.",
    "window": "Look at the dataset: this export cannot deliver what it holds.",
    "nothing_ingested": "Nothing to do for the export; ask the owner of the source if data were expected.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a run is empty, small or missing, as far as the Catalog shows it.

    :param told: a sentence with the numbers.
    :param since: the earliest batches considered: the previous export, if one is known.
    :param until: the latest batches considered: the end of the run.
    :param batches: how many batches the sentence is about.
    :param records: how many records they brought in, if all of them have a count.
    :param owed: the batches that were ingested and not exported.
    :param settles: no data are missing, because nothing was ingested since an export that delivered records.
        After an empty export, data that it left out may still be missing.
    """

    kind: CauseKind
    told: str
    since: datetime | None = None
    until: datetime | None = None
    batches: int = 0
    records: int | None = None
    owed: tuple[Batch, ...] = field(default=(), repr=False)
    settles: bool = False

    @property
    def advice(self) -> str:
        """What to do, in one sentence."""
        return ADVICE[self.kind]

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "told": self.told,
            "advice": self.advice,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "batches": self.batches,
            "records": self.records,
        }


def cause_of(
    question: Question, ingested: Mapping[str, Ingested], *, margin: timedelta, now: datetime
) -> Cause:
    """The cause of a run's result, as far as its datasets show it.

    :param ingested: what was read of each dataset; a dataset that was not read is unknown.
    :param margin: data that were ingested so close to the start of a run may or may not belong to it.
    """
    if not question.dataset_ids:
        return _unknown(question, "the datasets of the run are not known")
    causes = [
        _of_dataset(
            question,
            ingested.get(dataset) or Ingested(dataset_id=dataset, why="it was not read"),
            margin,
            now,
        )
        for dataset in question.dataset_ids
    ]
    gravest = min(causes, key=lambda cause: _ORDER.index(cause.kind))
    alike = [cause for cause in causes if cause.kind == gravest.kind]
    if gravest.kind == "not_exported":
        return replace(
            gravest, owed=tuple({batch.id: batch for cause in alike for batch in cause.owed}.values())
        )
    if len(causes) == 1 or gravest.kind != "nothing_ingested":
        return gravest
    settles = all(cause.settles for cause in causes)
    sentence = f"nothing was ingested into {len(alike)} datasets {_since(question, question.dataset_ids)}"
    sentence += "" if settles else _UNSETTLED
    return Cause(kind=gravest.kind, told=sentence, since=gravest.since, until=question.ends, settles=settles)


def _of_dataset(question: Question, ingested: Ingested, margin: timedelta, now: datetime) -> Cause:
    if ingested.why:
        return _unknown(question, f"what was ingested into {ingested.name} is not known: {ingested.why}")
    if ingested.dataset is not None and ingested.dataset.is_snapshot:
        return _unknown(question, f"{ingested.name} holds Profile Snapshots, which are not ingested")
    before = question.before.get(ingested.dataset_id)
    if before is None and not question.is_full:
        return _unknown(question, "no earlier export is known, and so not which data were new to this one")
    sorted_out = sort_out(question, ingested, before, margin, now)
    if sorted_out.owed:
        return _not_exported(question, ingested, sorted_out.owed, before)
    if not ingested.is_complete:
        sentence = f"{ingested.name} has more batches than were read ({len(ingested.batches):,})"
        return _about(question, "unknown", sentence, (), before)
    if sorted_out.failed:
        return _failed(question, ingested, sorted_out)
    if sorted_out.close:
        count = told_number(sorted_out.close)
        sentence = f"{count} came into {ingested.name} too close to a run to tell which one exports it"
        return _about(question, "too_close", sentence, sorted_out.close, before)
    if sorted_out.odd:
        sentence = f"{told_number(sorted_out.odd)} of {ingested.name} {_why_odd(sorted_out.odd)}"
        return _about(question, "unknown", sentence, sorted_out.odd, before)
    if sorted_out.old:
        sentence = (
            f"{told_number(sorted_out.old)} of {ingested.name} hold events that are older than "
            f"{EXPORTED_FOR.days} days, which are not exported"
        )
        return _about(question, "window", sentence, sorted_out.old, before)
    if ingested.dataset is None:
        if ingested.why_no_dataset:
            sentence = f"whether {ingested.name} is still there is not known: {ingested.why_no_dataset}"
            return _about(question, "unknown", sentence, (), before)
        sentence = (
            f"the Catalog does not show dataset {ingested.dataset_id}: it was deleted, has expired, is in "
            "another sandbox, or carries a label that the credential may not see"
        )
        return _about(question, "window", sentence, (), before)
    if question.is_full:
        sentence = f"nothing new came into {ingested.name}, and a full export also delivers old data"
        return _about(question, "unknown", sentence, (), before)
    settles = question.delivered.get(ingested.dataset_id, False)
    sentence = f"nothing was ingested into {ingested.name} {_since(question, [ingested.dataset_id])}"
    sentence += "" if settles else _UNSETTLED
    return replace(_about(question, "nothing_ingested", sentence, (), before), settles=settles)


def _not_exported(
    question: Question, ingested: Ingested, owed: Sequence[Batch], before: Snapshot | None
) -> Cause:
    what = f"{told_number(owed)} with {sum(batch.records or 0 for batch in owed):,} records"
    when = _span(owed)
    if question.what == "low_records":
        sentence = (
            f"{what} came into {ingested.name} {when}; how many of them an export owes cannot be counted"
        )
        return _about(question, "unknown", sentence, owed, before)
    if question.under_way:
        sentence = f"{what} came into {ingested.name} {when}, and a run before may still export them"
        return _about(question, "unknown", sentence, owed, before)
    if ingested.dataset is None:
        why = ingested.why_no_dataset or "the Catalog does not show it"
        sentence = f"{what} came into dataset {ingested.dataset_id} {when}, whose kind is not known: {why}"
        return _about(question, "unknown", sentence, owed, before)
    if question.is_full and ingested.dataset.kept_for:
        sentence = (
            f"rows of {ingested.name} expire after {ingested.dataset.kept_for}, so a full export may be empty"
        )
        return _about(question, "unknown", sentence, owed, before)
    least = "" if ingested.is_complete else "at least "
    missing = "no run exported them" if question.what == "missing" else "none of them was exported"
    sentence = f"{least}{what} came into {ingested.name} {when}, and {missing}"
    return replace(_about(question, "not_exported", sentence, owed, before), owed=tuple(owed))


def _failed(question: Question, ingested: Ingested, sorted_out: SortedOut) -> Cause:
    failed = sorted_out.failed
    named = told_codes(code for batch in failed for code in batch.codes)
    last = "batch" if len(failed) == 1 else f"{len(failed):,} batches"
    sentence = f"ingestion failed: the last {last} of {ingested.name} failed{named}"
    if doubtful := [*sorted_out.close, *sorted_out.odd]:
        # Whoever repairs the source must not conclude that the export has lost nothing.
        sentence += f"; whether an export owes {told_number(doubtful)} beside them cannot be told"
    return Cause(kind="ingestion_failed", told=sentence, since=None, until=question.ends, batches=len(failed))


def _about(
    question: Question, kind: CauseKind, sentence: str, batches: Sequence[Batch], before: Snapshot | None
) -> Cause:
    counts = [batch.records for batch in batches]
    return Cause(
        kind=kind,
        told=sentence,
        since=before.earliest if before else None,
        until=question.ends,
        batches=len(batches),
        records=sum(filter(None, counts)) if counts and None not in counts else None,
    )


def _unknown(question: Question, why: str) -> Cause:
    return Cause(kind="unknown", told=why, until=question.ends)


def _why_odd(odd: Sequence[Batch]) -> str:
    if any(batch.is_replay for batch in odd):
        return "restate data that were ingested before, so nothing can be concluded"
    if any(batch.status is BatchStatus.GONE for batch in odd):
        return "were taken back, so nothing can be concluded"
    if any(batch.ended_at is None for batch in odd):
        return "have no completion time"
    return "have no count of records, or a count of none"


def _span(batches: Sequence[Batch]) -> str:
    ends = sorted(batch.ended_at for batch in batches if batch.ended_at)
    if ends[0] == ends[-1]:
        return f"at {ends[0]:%Y-%m-%d %H:%M} UTC"
    return f"from {ends[0]:%Y-%m-%d %H:%M} to {ends[-1]:%Y-%m-%d %H:%M} UTC"


def _since(question: Question, dataset_ids: Iterable[str]) -> str:
    known = [
        (before.earliest, dataset) for dataset in dataset_ids if (before := question.before.get(dataset))
    ]
    if not known:
        return ""
    at, dataset_id = min(known)
    which = "the last good export" if question.delivered.get(dataset_id) else "the oldest run looked at"
    return f"since {which} at {at:%Y-%m-%d %H:%M} UTC"
