"""Whether an export is well again: the incidents that are open between checks, and the run that ends them.

A run ends open incidents if it delivered, the policy minds nothing about it, and it began after every bad
run. An empty run ends them only if no data are missing (``Cause.settles``). If a tick makes several runs, all
of them must be good. A problem of the dataflow itself, such as being disabled, is over as soon as it no
longer holds.
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
    """The incidents of an export that are open after a check, and those that are over.

    :param open: kinds of incident, and since when.
    :param recovered: the same for those that are over.
    :param run: the good run; ``None`` if the dataflow itself was corrected.
    """

    open: Mapping[str, datetime]
    recovered: Mapping[str, datetime]
    run: DataflowRun | None

    def to_json(self, verdicts: Sequence[Verdict]) -> dict[str, Any]:
        """``open``; if something is over, also ``recovered``: the verdict that a sensor would give.

        :param verdicts: those of the window.
        """
        if not self.recovered:
            return {"open": _iso(self.open)}
        run_ids = (self.run.id,) if self.run else None
        good = next((verdict for verdict in verdicts if verdict.run_ids == run_ids), None)
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
    """The incidents of an export after a check.

    :param new: the findings that became known in the window.
    :param open_before: the incidents that were open before it.
    :param told: the keys of findings that were reported before.
    :param ended: the runs that ended in the window.
    """
    minded = [finding for finding in (*new, *standing) if CONCERN[finding.outcome]]
    is_open = dict(open_before)
    for finding in minded:
        is_open.setdefault(kind_of(finding.kind), finding.known_at or until)
    if timeline is None or not is_open:
        return Recovery(is_open, {}, None)
    settling = [finding for finding in new if finding.cause and finding.cause.settles]
    settled = {run_id for finding in settling for run_id in finding.run_ids}
    run = _good_run(
        timeline, minded, told, [run for run in ended if run.records_out != 0 or run.id in settled]
    )
    stands = {kind_of(finding.kind) for finding in standing}
    mended = not list(of_dataflow(timeline, policy))
    over = {
        kind: since
        for kind, since in is_open.items()
        if kind not in stands and (mended if kind == OF_DATAFLOW else run is not None)
    }
    left = {kind: since for kind, since in is_open.items() if kind not in over}
    return Recovery(left, over, run if over.keys() - {OF_DATAFLOW} else None)


def _good_run(
    timeline: Timeline, minded: Sequence[Finding], reported: Iterable[str], ended: Sequence[DataflowRun]
) -> DataflowRun | None:
    """The last of the runs that ended, if it shows that the export is well."""
    bad = {run_id for finding in minded for run_id in finding.run_ids}
    known_bad = bad | {key.partition(":")[2] for key in reported}
    starts = [run.started_at for run in timeline.runs if run.id in known_bad and run.started_at]
    of_runs = [finding for finding in minded if kind_of(finding.kind) != OF_DATAFLOW]
    moments = [finding.known_at for finding in of_runs if finding.known_at]
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
        # An export on demand is one run for each dataset, and nothing shows which belong together.
        return len(timeline.datasets or ()) <= 1
    runs = served.standing()
    return len(runs) >= timeline.attribution.least and all(
        sibling.finished and sibling.delivered and sibling.id not in bad for sibling in runs
    )


def _iso(kinds: Mapping[str, datetime]) -> dict[str, str]:
    return {kind: at.isoformat() for kind, at in kinds.items()}
