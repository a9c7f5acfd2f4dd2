"""Why a run exported nothing, or little, or did not come: what its datasets had ingested meanwhile.

When an export takes its snapshot of a dataset is documented nowhere. It is taken to be at the tick or at the
start of the run, whichever is earlier, at the earliest, and a margin after the start, or at the end, at the
latest. What was ingested in between is too close to tell. Counts are never compared, only none with some:
upserts, filters and deduplication change them.

Sources: "Export datasets" (incremental exports, the limit of 365 days for events); Catalog Service API
reference; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from airflow_provider_aep.flowservice.ingestion import Batch, BatchStatus, CatalogDataset
from airflow_provider_aep.monitoring.batches import Standing, replaced_by, standing_of, told_number

CauseKind = Literal["not_exported", "ingestion_failed", "too_close", "unknown", "window", "nothing_ingested"]
# Of several datasets, the gravest cause tells.
_ORDER: tuple[CauseKind, ...] = (
    "not_exported",
    "ingestion_failed",
    "too_close",
    "unknown",
    "window",
    "nothing_ingested",
)
# Source: "Export datasets": of event datasets only the last 365 days are exported.
EXPORTED_FOR = timedelta(days=365)
NAMED_CODES = 3
_UNSETTLED = "; what came before it may not have been exported"
ADVICE: Mapping[CauseKind, str] = {
    "not_exported": "Export the dataset on demand, and give Adobe's support the run id and the batch ids.",
    "ingestion_failed": "Look at the source of the dataset: nothing new has come in since.",
    "too_close": "Wait for the next run: it owes these data, and settles the question.",
    "unknown": "Compare the dataset's batches with the run in the Platform UI.",
    "window": "Look at the dataset: this export cannot deliver what it holds.",
    "nothing_ingested": "Nothing to do for the export; ask the owner of the source if data were expected.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why there is little or nothing, as far as the Catalog tells.

    :param told: the same in one sentence, with the numbers.
    :param since: from when on batches were looked at: the export before, where one is known.
    :param until: up to when: the end of the run.
    :param batches: how many batches the sentence is about.
    :param records: what they brought in, where all of them tell.
    :param owed: the batches themselves, where they were ingested and not exported.
    :param settles: nothing is lacking, as nothing was ingested since an export that delivered something. What
        one that was empty itself left out may still be lacking.
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


class Snapshot(NamedTuple):
    """The earliest and the latest moment at which a run may have looked at its datasets."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about one run, or about a tick without one.

    :param what: ``zero_records``, ``low_records`` or ``missing``.
    :param before: the snapshot of the export before, for each dataset; ``None`` where none is known.
    :param delivered: the export before exported something, for each dataset; else it was empty as well.
    :param starts: the earliest moment of its snapshot; the tick of a run that is missing.
    :param ends: when it ended; of a run that is missing, when that was certain.
    :param under_way: a run before it has not ended yet, and may still export what seems to be owed.
    :param is_full: it exports all that the dataset holds, and not only what is new.
    """

    what: str
    dataset_ids: tuple[str, ...]
    before: Mapping[str, Snapshot | None]
    delivered: Mapping[str, bool]
    starts: datetime
    ends: datetime
    under_way: bool = False
    is_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What was read of one dataset.

    :param dataset: what the Catalog says of it; ``None`` where it does not show it.
    :param batches: those of its time, all of them where ``is_complete``.
    :param why: why nothing of it is known.
    :param why_no_dataset: why ``dataset`` is not known, where that is no answer about the dataset itself.
    """

    dataset_id: str
    batches: Sequence[Batch] = ()
    is_complete: bool = False
    dataset: CatalogDataset | None = None
    why: str = ""
    why_no_dataset: str = ""

    @property
    def name(self) -> str:
        return self.dataset.name if self.dataset else self.dataset_id


def cause_of(
    question: Question, ingested: Mapping[str, Ingested], *, margin: timedelta, now: datetime
) -> Cause:
    """Why a run exported what it did, as far as its datasets tell.

    :param ingested: what was read of each dataset; what was not asked for is unknown.
    :param margin: what was ingested so close to the start of a run may or may not have been exported by it.
    """
    if not question.dataset_ids:
        return _unknown(question, "the datasets of the run are not known")
    causes = [
        _of_dataset(
            question, ingested.get(each) or Ingested(dataset_id=each, why="it was not read"), margin, now
        )
        for each in question.dataset_ids
    ]
    gravest = min(causes, key=lambda each: _ORDER.index(each.kind))
    alike = [each for each in causes if each.kind == gravest.kind]
    if gravest.kind == "not_exported":
        return replace(
            gravest, owed=tuple({batch.id: batch for each in alike for batch in each.owed}.values())
        )
    if len(causes) == 1 or gravest.kind != "nothing_ingested":
        return gravest
    settles = all(each.settles for each in causes)
    told = f"nothing was ingested into {len(alike)} datasets {_since(question, question.dataset_ids)}"
    told += "" if settles else _UNSETTLED
    return Cause(kind=gravest.kind, told=told, since=gravest.since, until=question.ends, settles=settles)


def owed(question: Question, ingested: Ingested, *, margin: timedelta, now: datetime) -> list[Batch]:
    """The batches of a dataset that a run surely should have exported, among those that were read."""
    before = question.before.get(ingested.dataset_id)
    if before is None and not question.is_full:
        return []
    return _sort_out(question, ingested, before, margin, now).owed


def _of_dataset(question: Question, ingested: Ingested, margin: timedelta, now: datetime) -> Cause:
    if ingested.why:
        return _unknown(question, f"what was ingested into {ingested.name} is not known: {ingested.why}")
    if ingested.dataset is not None and ingested.dataset.is_snapshot:
        return _unknown(question, f"{ingested.name} holds Profile Snapshots, which are not ingested")
    before = question.before.get(ingested.dataset_id)
    if before is None and not question.is_full:
        return _unknown(question, "no earlier export is known, so neither is what was new to this one")
    sorted_out = _sort_out(question, ingested, before, margin, now)
    if sorted_out.owed:
        return _not_exported(question, ingested, sorted_out.owed, before)
    if not ingested.is_complete:
        told = f"{ingested.name} has more batches than were read ({len(ingested.batches):,})"
        return _about(question, "unknown", told, (), before)
    if sorted_out.failed:
        return _failed(question, ingested, sorted_out)
    if sorted_out.close:
        count = told_number(sorted_out.close)
        told = f"{count} came into {ingested.name} too close to a run to tell which one exports it"
        return _about(question, "too_close", told, sorted_out.close, before)
    if sorted_out.odd:
        told = f"{told_number(sorted_out.odd)} of {ingested.name} {_why_odd(sorted_out.odd)}"
        return _about(question, "unknown", told, sorted_out.odd, before)
    if sorted_out.old:
        told = (
            f"{told_number(sorted_out.old)} of {ingested.name} hold events that are older than "
            f"{EXPORTED_FOR.days} days, which are not exported"
        )
        return _about(question, "window", told, sorted_out.old, before)
    if ingested.dataset is None:
        if ingested.why_no_dataset:
            told = f"whether {ingested.name} is still there is not known: {ingested.why_no_dataset}"
            return _about(question, "unknown", told, (), before)
        told = (
            f"the Catalog does not show dataset {ingested.dataset_id}: it was deleted, has expired, is in "
            "another sandbox, or carries a label that the credential may not see"
        )
        return _about(question, "window", told, (), before)
    if question.is_full:
        told = f"nothing new came into {ingested.name}, and a full export delivers also what is old"
        return _about(question, "unknown", told, (), before)
    settles = question.delivered.get(ingested.dataset_id, False)
    told = f"nothing was ingested into {ingested.name} {_since(question, [ingested.dataset_id])}"
    told += "" if settles else _UNSETTLED
    return replace(_about(question, "nothing_ingested", told, (), before), settles=settles)


class _SortedOut(NamedTuple):
    """The batches that matter to a run.

    :param owed: ingested with records, and surely between the two snapshots.
    :param failed: the last ones to end, if they failed; none where it is not known which ones were the last.
    :param close: around a snapshot, or still under way.
    :param odd: of which nobody can say whether the export owes them.
    :param old: with events that are not exported any more.
    """

    owed: list[Batch]
    failed: list[Batch]
    close: list[Batch]
    odd: list[Batch]
    old: list[Batch]


def _sort_out(
    question: Question, ingested: Ingested, before: Snapshot | None, margin: timedelta, now: datetime
) -> _SortedOut:
    replaced = replaced_by(ingested.batches)
    first = None
    if before is not None and not question.is_full:
        # An empty export proves nothing of what came shortly before it.
        first = before.earliest if question.delivered.get(ingested.dataset_id) else before.earliest - margin
    last_owed = question.starts - margin
    owed_after = before.latest if before is not None and not question.is_full else None
    found = _SortedOut([], [], [], [], [])
    ended: list[Batch] = []
    last_is_known = True
    for batch in ingested.batches:
        at, standing = batch.ended_at, standing_of(batch, replaced=replaced, margin=margin, now=now)
        if _is_under_way(batch, question.ends, now):
            found.close.append(batch)
            continue
        if at is None or standing is Standing.UNDATED:
            # Without a right time it may have been completed at any, up to its last change.
            known = (batch.changed_at, batch.created_at)
            if first is None or batch.changed_at is None or any(each and each > first for each in known):
                found.odd.append(batch)
                last_is_known = False
            continue
        if (first is not None and at <= first) or at > question.ends:
            continue
        ended.append(batch)
        if standing is Standing.FAILED:
            continue
        if standing is not Standing.NEWS:
            found.odd.append(batch)
        elif batch.data_until is not None and batch.data_until < question.starts - EXPORTED_FOR:
            found.old.append(batch)
        elif at < last_owed and (owed_after is None or at > owed_after):
            found.owed.append(batch)
        else:
            found.close.append(batch)
    ended.sort(key=lambda batch: (batch.ended_at or now, batch.id), reverse=True)
    for batch in ended:
        if batch.status is not BatchStatus.FAILED or not last_is_known:
            break
        found.failed.append(batch)
    return found


def _is_under_way(batch: Batch, ends: datetime, now: datetime) -> bool:
    """Whether a batch was open, and had not ended, when the run ended."""
    if batch.created_at is not None and batch.created_at > ends:
        return False
    if batch.status is BatchStatus.UNDER_WAY:
        return True
    return batch.ended_at is not None and ends < batch.ended_at <= now and batch.created_at is not None


def _not_exported(
    question: Question, ingested: Ingested, owed: Sequence[Batch], before: Snapshot | None
) -> Cause:
    what = f"{told_number(owed)} with {sum(each.records or 0 for each in owed):,} records"
    when = _span(owed)
    if question.what == "low_records":
        told = f"{what} came into {ingested.name} {when}; how many of them an export owes cannot be counted"
        return _about(question, "unknown", told, owed, before)
    if question.under_way:
        told = f"{what} came into {ingested.name} {when}, and a run before may still export them"
        return _about(question, "unknown", told, owed, before)
    if ingested.dataset is None:
        why = ingested.why_no_dataset or "the Catalog does not show it"
        told = f"{what} came into dataset {ingested.dataset_id} {when}, whose kind is not known: {why}"
        return _about(question, "unknown", told, owed, before)
    if question.is_full and ingested.dataset.kept_for:
        told = (
            f"rows of {ingested.name} expire after {ingested.dataset.kept_for}, so a full export may be empty"
        )
        return _about(question, "unknown", told, owed, before)
    least = "" if ingested.is_complete else "at least "
    missing = "no run exported them" if question.what == "missing" else "none of them was exported"
    told = f"{least}{what} came into {ingested.name} {when}, and {missing}"
    return replace(_about(question, "not_exported", told, owed, before), owed=tuple(owed))


def _failed(question: Question, ingested: Ingested, sorted_out: _SortedOut) -> Cause:
    failed = sorted_out.failed
    codes = list(dict.fromkeys(code for batch in failed for code in batch.codes))
    more = f" and {len(codes) - NAMED_CODES} more" if len(codes) > NAMED_CODES else ""
    named = f" with {', '.join(codes[:NAMED_CODES])}{more}" if codes else ""
    last = "batch" if len(failed) == 1 else f"{len(failed):,} batches"
    told = f"ingestion failed: the last {last} of {ingested.name} failed{named}"
    if doubtful := [*sorted_out.close, *sorted_out.odd]:
        # Who looks at the source must not take it for certain that the export has lost nothing.
        told += f"; whether an export owes {told_number(doubtful)} beside them cannot be told"
    return Cause(kind="ingestion_failed", told=told, since=None, until=question.ends, batches=len(failed))


def _about(
    question: Question, kind: CauseKind, told: str, batches: Sequence[Batch], before: Snapshot | None
) -> Cause:
    counts = [batch.records for batch in batches]
    return Cause(
        kind=kind,
        told=told,
        since=before.earliest if before else None,
        until=question.ends,
        batches=len(batches),
        records=sum(filter(None, counts)) if counts and None not in counts else None,
    )


def _unknown(question: Question, why: str) -> Cause:
    return Cause(kind="unknown", told=why, until=question.ends)


def _why_odd(odd: Sequence[Batch]) -> str:
    if any(batch.is_replay for batch in odd):
        return "restate what was ingested before, so nothing can be concluded"
    if any(batch.status is BatchStatus.GONE for batch in odd):
        return "were taken back, so nothing can be concluded"
    if any(batch.ended_at is None for batch in odd):
        return "do not tell when they were completed"
    return "do not tell how many records they brought in, or tell none"


def _span(batches: Sequence[Batch]) -> str:
    ends = sorted(batch.ended_at for batch in batches if batch.ended_at)
    if ends[0] == ends[-1]:
        return f"at {ends[0]:%Y-%m-%d %H:%M} UTC"
    return f"from {ends[0]:%Y-%m-%d %H:%M} to {ends[-1]:%Y-%m-%d %H:%M} UTC"


def _since(question: Question, dataset_ids: Iterable[str]) -> str:
    known = [(before.earliest, each) for each in dataset_ids if (before := question.before.get(each))]
    if not known:
        return ""
    at, dataset_id = min(known)
    which = "the last good export" if question.delivered.get(dataset_id) else "the oldest run looked at"
    return f"since {which} at {at:%Y-%m-%d %H:%M} UTC"
