"""The verdict: the results of the runs of a dataflow, and the outcome of all of them by a run policy.

``all_finished`` is the only place that decides "done"; sensor, trigger, check, page and notifier use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.judgement import GRAVITY, Judgement, judge_run, records_words
from airflow_provider_aep.monitoring.policy import CONCERN, Choice, RunPolicy
from airflow_provider_aep.monitoring.usual import History, alike, usual_records

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.causes import Cause

__all__ = ["Verdict"]

# A message names so many of the bad exports.
NAMED = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of the runs of one dataflow.

    :param outcome: by the policy.
    :param status: ``success``, ``slow``, ``partial``, ``low_records``, ``zero_records``, ``unknown_records``,
        ``incomplete``, ``stuck``, ``failed`` or ``unknown``; ``missing_files`` or ``unchecked_files`` if the
        storage was listed too. With several runs, the one that decided the outcome.
    :param reason: a sentence about it, with the numbers.
    :param records_out: the sum over the runs; ``None`` if a run has no count. The same holds for all counts.
    :param duration_seconds: from the first start to the last end.
    :param usual_records: the median of ``usual_runs`` earlier runs, each by itself; ``None`` if it was not
        needed or there are too few.
    :param cause: why the runs are empty or small, if the Catalog was asked.
    """

    outcome: Choice
    status: str
    reason: str
    dataflow_id: str
    run_ids: tuple[str, ...]
    records_in: int | None
    records_out: int | None
    records_skipped: int | None
    records_failed: int | None
    bytes: int | None
    files: int | None
    started_at: str | None
    completed_at: str | None
    duration_seconds: float | None
    errors: tuple[Mapping[str, str], ...]
    dataset_ids: tuple[str, ...] = ()
    usual_records: int | None = None
    usual_runs: int = 0
    cause: Cause | None = None

    @property
    def settles(self) -> bool:
        """Whether no data are missing although the runs exported nothing."""
        return self.cause is not None and self.cause.settles

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for XCom; ``cause`` only if there is one."""
        lists = {"run_ids": list(self.run_ids), "dataset_ids": list(self.dataset_ids)}
        document = {**asdict(self), **lists, "errors": [dict(error) for error in self.errors]}
        del document["cause"]
        return {**document, "cause": self.cause.to_json()} if self.cause else document


def all_finished(runs: Sequence[DataflowRun], *, expected: int = 1) -> bool:
    """Whether there are at least ``expected`` runs, and none of them is still running."""
    return len(runs) >= expected and all(run.finished for run in runs)


def judge_runs(
    runs: Sequence[DataflowRun],
    policy: RunPolicy,
    history: History | None = None,
    causes: Mapping[str, Cause] | None = None,
) -> Verdict:
    """The verdict on finished runs of one dataflow: each is judged, and the worst decides.

    The outcome is ``skip`` only if no run delivered anything that downstream tasks could use. The status is
    that of the gravest run that matters to the policy, whatever the order of the runs.

    :param history: the runs before the first of them, for a policy that ``needs_history``.
    :param causes: why runs look wrong, by their ids, as far as the Catalog was asked.
    """
    causes = causes or {}
    ordered = sorted(runs, key=lambda run: (str(run.started_at), run.id))
    judged = [judge_run(run, policy, _before(run, ordered, history), causes.get(run.id)) for run in runs]
    return _summed_up(runs, judged, *usual_records(alike(history, ordered[0]), policy))


def incomplete(
    runs: Sequence[DataflowRun],
    policy: RunPolicy,
    told: str,
    history: History | None = None,
    causes: Mapping[str, Cause] | None = None,
) -> Verdict:
    """The verdict on the finished runs of a tick that owes more.

    :param told: a sentence about what is missing.
    """
    verdict = judge_runs(runs, policy, history, causes)
    if CONCERN[verdict.outcome] > CONCERN[policy.on_incomplete]:
        return replace(verdict, reason=f"{verdict.reason}; {told}")
    return replace(
        verdict, outcome=policy.on_incomplete, status="incomplete", reason=f"{told}; {verdict.reason}"
    )


def stuck(runs: Sequence[DataflowRun], policy: RunPolicy, told: str) -> Verdict:
    """The verdict on runs of which one should have ended long ago.

    :param told: a sentence about which one, and since when.
    """
    finished = [run for run in runs if run.finished]
    judged = [judge_run(run, policy, None) for run in finished]
    return _summed_up(runs, [*judged, Judgement(policy.on_stuck, "stuck", told)], None, 0)


def _summed_up(
    runs: Sequence[DataflowRun], judged: Sequence[Judgement], usual: int | None, usual_runs: int
) -> Verdict:
    choices = [judgement.choice for judgement in judged]
    choice, status, sentence, cause = max(
        judged, key=lambda judgement: (CONCERN[judgement.choice], GRAVITY.index(judgement.status))
    )
    if not CONCERN[choice]:
        choice = "ok" if "ok" in choices else "skip"
    alike = sum(1 for judgement in judged if judgement.status == status)
    records_out = _total(runs, lambda run: run.records_out)
    if len(judged) == 1:
        reason = sentence
    elif status == "success" and alike == len(judged):
        reason = f"{alike} runs exported {records_words(records_out)}"
    else:
        reason = f"{alike} of {len(judged)} runs: {sentence}"
    starts = [run.started_at for run in runs if run.started_at]
    ends = [run.completed_at for run in runs if run.completed_at]
    started_at, completed_at = min(starts, default=None), max(ends, default=None)
    errors = dict.fromkeys(error for run in runs for error in run.errors)
    return Verdict(
        outcome=choice,
        status=status,
        reason=reason,
        dataflow_id=runs[0].dataflow_id,
        run_ids=tuple(run.id for run in runs),
        records_in=_total(runs, lambda run: run.records_in),
        records_out=records_out,
        records_skipped=_total(runs, lambda run: run.records_skipped),
        records_failed=_total(runs, lambda run: run.records_failed),
        bytes=_total(runs, lambda run: run.bytes_out),
        files=_total(runs, lambda run: run.files_out),
        started_at=_iso(started_at),
        completed_at=_iso(completed_at),
        duration_seconds=_seconds(started_at, completed_at),
        errors=tuple({"code": error.code, "message": error.message} for error in errors),
        dataset_ids=tuple(dict.fromkeys(dataset_id for run in runs for dataset_id in run.dataset_ids)),
        usual_records=usual,
        usual_runs=usual_runs,
        cause=cause,
    )


def worst(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that matters most; if several are alike, the last."""
    ranked = sorted(
        enumerate(verdicts),
        key=lambda item: (CONCERN[item[1].outcome], GRAVITY.index(item[1].status), item[0]),
    )
    return ranked[-1][1] if ranked else None


def with_delivery(
    verdict: Mapping[str, Any], delivery: Mapping[str, Any], choice: str, unchecked: str
) -> dict[str, Any]:
    """A verdict as plain JSON, with the files in the storage.

    :param verdict: as plain JSON.
    :param delivery: the result of listing the storage, with ``status`` and ``told``.
    :param choice: the policy's choice for missing files.
    :param unchecked: the policy's choice for a storage that could not be read.
    """
    both = {**verdict, "storage": dict(delivery)}
    meaning = {"missing": choice, "fewer": choice, "unchecked": unchecked}.get(delivery["status"])
    if meaning is None or (delivery["status"] == "unchecked" and meaning == "ok"):
        return both
    status = "unchecked_files" if delivery["status"] == "unchecked" else "missing_files"
    both["reason"] = f"{verdict['reason']}; {delivery['told']}"
    if CONCERN[meaning] >= CONCERN[verdict["outcome"]]:  # type: ignore[index]
        both |= {"outcome": meaning, "status": status}
    return both


def _before(run: DataflowRun, ordered: Sequence[DataflowRun], history: History | None) -> History | None:
    """The history of one of several runs that are judged together."""
    if history is None or run.started_at is None:
        return history
    start = run.started_at
    siblings = [
        other for other in ordered if other.id != run.id and other.ended_at and other.ended_at <= start
    ]
    return History(runs=(*reversed(siblings), *history.runs), complete=history.complete)


def _total(runs: Sequence[DataflowRun], metric: Callable[[DataflowRun], int | None]) -> int | None:
    counts = [metric(run) for run in runs]
    return None if None in counts else sum(filter(None, counts))


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return max((end - start).total_seconds(), 0.0) if start and end else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def bad_in_words(bad: Sequence[Mapping[str, Any]], count: int, *, more: int = 0) -> str:
    """The names of the bad exports, each with what is wrong, as many as fit into a message.

    :param bad: their verdicts.
    :param count: how many exports were judged.
    :param more: how many bad ones are not in ``bad``.
    """
    named = []
    for verdict in bad[:NAMED]:
        reason = str(verdict["reason"])[:300]
        named.append(f"{verdict['dataflow_name']!r}: {reason}" if verdict.get("run_ids") else reason)
    unnamed = max(len(bad) - NAMED, 0) + more
    others = f" And {unnamed} more." if unnamed else ""
    return f"{len(bad) + more} of {count} exports: {'; '.join(named)}.{others}"
