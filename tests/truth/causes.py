"""How often the cause that a check names is the true one, in a month of which the truth is known.

What counts as right is said here in words of the lake, and of what runs saw and lost of it; of what a cause
is worked out from (windows, margins, statuses, counts) nothing is used.

* *not_exported*: some dataset has batches that no run exported, though a run that exported nothing has seen
  them since the last good one; or, of a run that is missing, that were there at its tick, and that nobody has
  exported by the time of the check. As many as are told, with as many rows, at least.
* *nothing_ingested*: since the last good export looked, and until this one did, or ended, no batch has ended
  in any of its datasets: none with rows, and none that failed.
* *ingestion_failed*: of the dataset that is named, as many of its last batches as are told failed, and the
  run has lost nothing of it, or the sentence says that this cannot be told.
* *window*: of the dataset that is named the run has lost nothing, and it is deleted, or old events came in.

*too_close* and *unknown* are counted as not known, whatever is true; and so is a *nothing_ingested* that says
of what came before it that it may not have been exported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.truth.checks import Checked, Told
from tests.truth.lake import TrueBatch, TrueDataset
from tests.truth.months import Month, TrueRun

SILENT = ("too_close", "unknown")
_COUNT = re.compile(r"the last (?:([\d,]+) batches|batch) of")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What was told as the cause of one run, or of a tick without one.

    :param what: ``zero_records``, ``low_records`` or ``missing``.
    :param true: what the cause is: ``lost``, ``failed``, ``gone``, ``old``, ``nothing``, or ``little`` where
        the run has exported something and lost nothing.
    :param told: the kind of the cause that was named.
    :param line: both in a sentence.
    """

    what: str
    true: str
    told: str
    is_right: bool
    line: str

    @property
    def is_wrong(self) -> bool:
        return self.told not in SILENT and not self.is_right


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseScore:
    history: str
    runs: int
    explained: Sequence[Explained] = field(repr=False)
    requests: int
    seconds: float

    @property
    def right(self) -> int:
        return sum(1 for each in self.explained if each.told not in SILENT and each.is_right)

    @property
    def wrong(self) -> list[str]:
        return [each.line for each in self.explained if each.is_wrong]

    @property
    def not_known(self) -> int:
        return sum(1 for each in self.explained if each.told in SILENT)

    def share_right(self, true: str, what: str = "zero_records") -> float:
        """Of all that have a true cause, how many were told it."""
        alike = [each for each in self.explained if (each.true, each.what) == (true, what)]
        return sum(each.is_right for each in alike) / max(1, len(alike))

    def __str__(self) -> str:
        return (
            f"{self.history:34} {self.runs:6,} runs  {len(self.explained):5} causes {self.right:5} right "
            f"{len(self.wrong):5} wrong {self.not_known:5} not known {self.requests:7,} requests "
            f"{self.seconds:6.1f} s"
        )

    def lines(self) -> Iterator[str]:
        """For each true cause, what was told of it."""
        groups = Counter((each.what, each.true) for each in self.explained)
        for (what, true), count in sorted(groups.items()):
            kinds = Counter(each.told for each in self.explained if (each.what, each.true) == (what, true))
            told = ", ".join(f"{kind} {number}" for kind, number in kinds.most_common())
            yield f"    {what:13} {true:8} {count:5}: {told}"


def score_causes(month: Month, checked: Checked) -> CauseScore:
    """How often the causes that were told in a month are the true ones."""
    truth = _Truth(month)
    return CauseScore(
        history=month.name,
        runs=sum(len(export.runs) for export in month.exports),
        explained=[truth.explained(each) for each in checked.told if each.cause and each.new],
        requests=checked.requests,
        seconds=checked.seconds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fact:
    """What is true of one dataset for one run.

    :param since: when the last good export looked at it, and ``since_tick`` when it was due; ``None`` where
        there was none.
    :param at: when the run looked; the tick of a run that is missing.
    :param ends: when the run ended.
    :param lost: since the last good export, and ``lost_now`` by the run itself, or for lack of it.
    """

    dataset: TrueDataset
    since: datetime | None
    since_tick: datetime | None
    at: datetime
    ends: datetime
    lost: tuple[TrueBatch, ...]
    lost_now: tuple[TrueBatch, ...]
    exported: bool
    is_gone: bool

    def ended(self, until: datetime, *, ever: bool = False) -> list[TrueBatch]:
        """What ended since the last good export looked, or ever, oldest first."""
        since = None if ever else self.since
        found = [
            (batch.ended_at, batch.id, batch)
            for batch in self.dataset.batches
            if batch.ended_at and batch.ended_at <= until and (not since or batch.ended_at > since)
        ]
        return [batch for *_, batch in sorted(found)]

    @property
    def word(self) -> str:
        ended = self.ended(self.ends)
        if self.lost:
            return "lost"
        if self.exported:
            return "little"
        if self.is_gone:
            return "gone"
        if ended and ended[-1].kind == "failed":
            return "failed"
        return "old" if any(batch.kind == "old events" for batch in ended) else "nothing"


_GRAVITY = ("lost", "little", "failed", "gone", "old", "nothing")


class _Truth:
    def __init__(self, month: Month) -> None:
        self.month = month
        self.runs = {run.run.id: run for runs in month.true_runs.values() for run in runs}

    def explained(self, told: Told) -> Explained:
        assert told.cause
        facts = list(self._facts(told))
        kind = told.cause["kind"]
        if kind == "nothing_ingested" and "may not have been exported" in told.cause["told"]:
            kind = "unknown"
        named = [each for each in facts if each.dataset.name in told.cause["told"]]
        named = named or [each for each in facts if each.dataset.id in told.cause["told"]] or facts
        is_right = {
            "not_exported": lambda: any(_holds_lost(each, told.cause) for each in named),
            "nothing_ingested": lambda: all(_is_quiet(each) for each in facts),
            "ingestion_failed": lambda: any(_has_failed(each, told.cause, told.said_at) for each in named),
            "window": lambda: any(_is_outside(each) for each in named),
        }.get(kind, lambda: False)()
        if kind == "nothing_ingested" and told.kind == "low_records":
            is_right = False  # it has exported something
        true = min((each.word for each in facts), key=_GRAVITY.index)
        return Explained(
            what=told.kind,
            true=true,
            told=kind,
            is_right=is_right,
            line=f"{told.dataflow_id}: {told.kind} {list(told.run_ids) or told.tick}, told at "
            f"{told.said_at:%d %H:%M}: {kind}: {told.cause['told']!r}; true: {'; '.join(map(_line, facts))}",
        )

    def _facts(self, told: Told) -> Iterator[_Fact]:
        if told.kind == "missing":
            yield from self._facts_of_a_tick(told)
            return
        run = self.runs[told.run_ids[0]]
        for name, look in run.looks.items():
            since, after = self._since(told.dataflow_id, name, run.run.started_at)
            lost = [batch for each in after if each is not run for batch in each.looks[name].lost]
            yield _Fact(
                dataset=self.month.lake[name],
                since=since.looks[name].at if since else None,
                since_tick=min(since.tick, since.run.started_at) if since else None,
                at=look.at,
                ends=run.run.ended_at or run.run.started_at,
                lost=(*(lost if not run.exported else ()), *look.lost),
                lost_now=look.lost,
                exported=bool(run.exported),
                is_gone=not self.month.lake[name].is_there(told.said_at),
            )

    def _facts_of_a_tick(self, told: Told) -> list[_Fact]:
        assert told.tick is not None
        assert told.known_at is not None
        facts, made_up = [], 0
        for name in self.month.datasets[told.dataflow_id]:
            since, _ = self._since(told.dataflow_id, name, told.tick)
            runs = [each for each in self.month.true_runs[told.dataflow_id] if name in each.looks]
            earlier = [each for each in runs if each.run.started_at < told.tick]
            good = [each for each in earlier if since and each.run.started_at <= since.run.started_at]
            later = [each for each in runs if each not in earlier and _is_listed(each, told.said_at)]
            dataset = self.month.lake[name]
            there = dataset.batches if dataset.is_there(told.tick) else ()
            lost = [each for each in there if each.is_in(told.tick)]
            gone = _ids(batch for each in good for batch in each.looks[name].seen)
            # What a small run has left out is a matter of that run.
            gone |= _ids(batch for each in later if each.exported for batch in each.looks[name].seen)
            seen = _ids(batch for each in earlier for batch in each.looks[name].seen)
            fact = _Fact(
                dataset=dataset,
                since=since.looks[name].at if since else None,
                since_tick=min(since.tick, since.run.started_at) if since else None,
                at=told.tick,
                ends=told.known_at,
                lost=tuple(each for each in lost if each.id not in gone),
                lost_now=tuple(each for each in lost if each.id not in gone | seen),
                exported=False,
                is_gone=not dataset.is_there(told.said_at),
            )
            # Where a later run has exported the dataset, its tick needs no explanation any more.
            is_made_up = not fact.lost_now and any(
                each.exported and each.looks[name].at >= told.tick for each in later
            )
            facts.insert(len(facts) if is_made_up else 0, fact)
            made_up += is_made_up
        return facts[: len(facts) - made_up] or facts

    def _since(self, export_id: str, name: str, started: datetime) -> tuple[TrueRun | None, list[TrueRun]]:
        """The last good export of a dataset before a moment, and what ran well since."""
        before = [
            each
            for each in self.month.true_runs[export_id]
            if name in each.looks and each.run.started_at < started
        ]
        good = [place for place, each in enumerate(before) if each.exported]
        return (before[good[-1]], before[good[-1] + 1 :]) if good else (None, before)


def _ids(batches: Iterable[TrueBatch]) -> set[str]:
    return {batch.id for batch in batches}


def _is_listed(run: TrueRun, now: datetime) -> bool:
    return run.run.end_listed_at is not None and run.run.end_listed_at <= now


def _holds_lost(fact: _Fact, cause: Any) -> bool:
    rows = sum(batch.rows for batch in fact.lost)
    return 0 < cause["batches"] <= len(fact.lost) and 0 < (cause["records"] or 0) <= rows


def _is_quiet(fact: _Fact) -> bool:
    came = [batch for batch in fact.ended(min(fact.at, fact.ends)) if batch.rows or batch.kind == "failed"]
    return not fact.lost and not came and not fact.is_gone and not fact.dataset.is_snapshot


def _has_failed(fact: _Fact, cause: Any, now: datetime) -> bool:
    found = _COUNT.search(cause["told"])
    count = int((found[1] or "1").replace(",", "")) if found else 1
    ended = fact.ended(fact.ends, ever=True)
    last = [batch for batch in ended if batch.documents[-1][0] <= now][-count:]
    is_certain = "cannot be told" not in cause["told"]
    if is_certain and (fact.lost_now or last != ended[-count:]):
        return False
    return len(last) == count and all(batch.kind == "failed" for batch in last)


def _is_outside(fact: _Fact) -> bool:
    ended = [
        batch
        for batch in fact.ended(fact.ends, ever=True)
        if batch.ended_at and (not fact.since_tick or batch.ended_at > fact.since_tick)
    ]
    return not fact.lost_now and (fact.is_gone or any(batch.kind == "old events" for batch in ended))


def _line(fact: _Fact) -> str:
    since = f"{fact.since:%d %H:%M}" if fact.since else "ever"
    from_here = fact.at - timedelta(hours=6)
    near = [
        f"{batch.kind} {batch.opened_at:%d %H:%M}-{batch.ended_at:%d %H:%M} rows {batch.rows}"
        for batch in fact.dataset.batches
        if batch.ended_at
        and (fact.since or from_here) - timedelta(hours=2) < batch.ended_at < fact.ends + timedelta(hours=2)
    ]
    lost = ", ".join(f"{batch.id} {batch.ended_at:%d %H:%M}" for batch in fact.lost)
    return (
        f"{fact.dataset.name} is {fact.word}: looked at since {since}, at {fact.at:%d %H:%M}, run until "
        f"{fact.ends:%d %H:%M}, lost [{lost}], batches {near[:12]}"
    )
