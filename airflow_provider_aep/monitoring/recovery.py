"""Whether an export is well again: what is open between checks, and the run that ends it.

A run ends what is open if it delivered, nothing about it is minded, and it began after every run that went
wrong. One that exported nothing ends it only where nothing is lacking (``Cause.settles``). Where a tick makes
several runs, all of them must be good. What is wrong with a dataflow itself, as when it is disabled, is over
as soon as it is no longer so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.findings import Finding, of_dataflow
from airflow_provider_aep.monitoring.incidents import kind_of
from airflow_provider_aep.monitoring.policy import CONCERN, AuditPolicy
from airflow_provider_aep.monitoring.timeline import Timeline
from airflow_provider_aep.monitoring.verdict import Verdict

OF_DATAFLOW = kind_of("disabled")


class Recovery(NamedTuple):
    """What of an export is open after a check, and what it ended.

    :param open: kinds of incident, and since when.
    :param recovered: the same of those that are over.
    :param run: the good run; ``None`` where the dataflow itself was mended.
    """

    open: Mapping[str, datetime]
    recovered: Mapping[str, datetime]
    run: DataflowRun | None

    def to_json(self, verdicts: Sequence[Verdict]) -> dict[str, Any]:
        """``open``; where something is over, ``recovered``: the verdict that a sensor would give.

        :param verdicts: those of the window.
        """
        if not self.recovered:
            return {"open": _iso(self.open)}
        good = next((each for each in verdicts if self.run and each.run_ids == (self.run.id,)), None)
        mended = {"outcome": "ok", "status": "success", "reason": "what was wrong with the dataflow is over"}
        verdict = good.to_json() if good else mended
        return {"open": _iso(self.open), "recovered": {**verdict, "recovered": _iso(self.recovered)}}


def recovery_of(
    timeline: Timeline | None,
    new: Sequence[Finding],
    standing: Sequence[Finding],
    *,
    open_before: Mapping[str, datetime],
    told: Iterable[str],
    ended: Sequence[DataflowRun],
    policy: AuditPolicy,
    until: datetime,
) -> Recovery:
    """What is open after a check.

    :param new: what became known in the window.
    :param open_before: what was open before it.
    :param told: the keys of what was told before.
    :param ended: the runs that ended in the window.
    """
    minded = [each for each in (*new, *standing) if CONCERN[each.outcome]]
    is_open = dict(open_before)
    for each in minded:
        is_open.setdefault(kind_of(each.kind), each.known_at or until)
    if timeline is None or not is_open:
        return Recovery(is_open, {}, None)
    settled = {run_id for each in new if each.cause and each.cause.settles for run_id in each.run_ids}
    run = _good_run(
        timeline, minded, told, [one for one in ended if one.records_out != 0 or one.id in settled]
    )
    stands = {kind_of(each.kind) for each in standing}
    mended = not list(of_dataflow(timeline, policy))
    over = {
        kind: since
        for kind, since in is_open.items()
        if kind not in stands and (mended if kind == OF_DATAFLOW else run is not None)
    }
    left = {kind: since for kind, since in is_open.items() if kind not in over}
    return Recovery(left, over, run if over.keys() - {OF_DATAFLOW} else None)


def _good_run(
    timeline: Timeline, minded: Sequence[Finding], told: Iterable[str], ended: Sequence[DataflowRun]
) -> DataflowRun | None:
    """The last of the runs that ended, if it shows that the export is well."""
    bad = {run_id for each in minded for run_id in each.run_ids}
    known_bad = bad | {key.partition(":")[2] for key in told}
    starts = [run.started_at for run in timeline.runs if run.id in known_bad and run.started_at]
    moments = [each.known_at for each in minded if each.known_at and kind_of(each.kind) != OF_DATAFLOW]
    begun, known = max(starts, default=None), max(moments, default=None)
    good = [
        run
        for run in ended
        if run.delivered
        and run.id not in known_bad
        and run.started_at
        and run.ended_at
        and (begun is None or run.started_at > begun)
        and (known is None or run.ended_at > known)
        and _is_whole(run, timeline, bad)
    ]
    return max(good, key=lambda run: (str(run.ended_at), run.id), default=None)


def _is_whole(run: DataflowRun, timeline: Timeline, bad: set[str]) -> bool:
    """Whether the tick of a run has all its runs, and all of them are good."""
    tick = timeline.tick_of.get(run.id)
    served = timeline.served(tick.at) if tick else None
    if served is None:
        # An export on demand is one run for each dataset, and nothing tells which belong together.
        return len(timeline.datasets or ()) <= 1
    runs = served.standing()
    return len(runs) >= timeline.attribution.least and all(
        each.finished and each.delivered and each.id not in bad for each in runs
    )


def _iso(kinds: Mapping[str, datetime]) -> dict[str, str]:
    return {kind: at.isoformat() for kind, at in kinds.items()}
