"""The verdict: what dataflow runs did, and what a run policy makes of it.

``judge_runs`` is the only place that decides "good" and ``all_finished`` the only one that decides "done";
sensor, trigger and notifier all ask here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.runs import DataflowRun, RunStatus

Choice = Literal["fail", "warn", "skip", "ok"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """What each way to end means to the task: ``fail``, ``warn``, ``skip`` or ``ok``.

    :param on_failed: a run failed, was cancelled, or ended in a word that we do not know.
    :param on_partial: a run succeeded and yet lost or skipped records, or carries errors.
    :param on_zero_records: a run succeeded and exported nothing. After the first, full export that can
        be legitimate: there was no new data.
    """

    on_failed: Choice = "fail"
    on_partial: Choice = "warn"
    on_zero_records: Choice = "warn"

    def __post_init__(self) -> None:
        problems = [
            Problem(name, f"must be one of {', '.join(CHOICES)}")
            for name, choice in asdict(self).items()
            if choice not in CHOICES
        ]
        if problems:
            raise AepValidationError("the run policy", problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of the runs of one dataflow.

    :param outcome: what the policy makes of it.
    :param status: ``success``, ``partial``, ``zero_records``, ``failed`` or ``unknown``; of several runs
        the one that decided the outcome.
    :param reason: the same in one sentence, with the numbers.
    :param records_out: a sum over the runs, ``None`` when any run does not say; so with all counts.
    :param duration_seconds: from the first start to the last end.
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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as it crosses XCom."""
        return {**asdict(self), "run_ids": list(self.run_ids), "errors": [dict(one) for one in self.errors]}


def all_finished(runs: Sequence[DataflowRun], *, expected: int = 1) -> bool:
    """Whether at least ``expected`` runs are there and none of those there is still running."""
    return len(runs) >= expected and all(run.finished for run in runs)


def judge_runs(runs: Sequence[DataflowRun], policy: RunPolicy) -> Verdict:
    """The verdict on finished runs of one dataflow: each is judged, and the worst decides.

    ``skip`` decides only when no run delivered anything that downstream could use. The status is that of
    the gravest run that matters to the policy, whatever the order of the runs.
    """
    judged = [_judge(run, policy) for run in runs]
    choices = [each[0] for each in judged]
    choice, status, told = max(judged, key=lambda each: (_CONCERN[each[0]], _GRAVITY.index(each[1])))
    if not _CONCERN[choice]:
        choice = "ok" if "ok" in choices else "skip"
    alike = sum(1 for each in judged if each[1] == status)
    records_out = _total(runs, lambda run: run.records_out)
    if len(runs) == 1:
        reason = told
    elif status == "success" and alike == len(runs):
        reason = f"{alike} runs exported {_records(records_out)}"
    else:
        reason = f"{alike} of {len(runs)} runs: {told}"
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
        duration_seconds=(completed_at - started_at).total_seconds() if started_at and completed_at else None,
        errors=tuple({"code": error.code, "message": error.message} for error in errors),
    )


_CONCERN: Mapping[Choice, int] = {"fail": 2, "warn": 1, "ok": 0, "skip": 0}
# Of runs that the policy minds alike, or not at all: good data speaks for itself, a failure never hides.
_GRAVITY = ("zero_records", "partial", "success", "unknown", "failed")


def _judge(run: DataflowRun, policy: RunPolicy) -> tuple[Choice, str, str]:
    why = f": {run.errors[0]}" if run.errors else ""
    if run.status is RunStatus.FAILED:
        return policy.on_failed, "failed", f"run {run.id} ended as {run.status_word}{why}"
    if run.status not in (RunStatus.SUCCESS, RunStatus.PARTIAL):
        told = f"run {run.id} ended with status {run.status_word!r}, which is none that we know{why}"
        return policy.on_failed, "unknown", told
    lost = " and ".join(
        f"{count:,} {what}"
        for count, what in ((run.records_failed, "failed"), (run.records_skipped, "skipped"))
        if count
    )
    findings: list[tuple[Choice, str]] = []
    if run.records_out == 0:
        findings.append((policy.on_zero_records, "zero_records"))
    if run.status is RunStatus.PARTIAL or lost or run.errors:
        findings.append((policy.on_partial, "partial"))
    choice, status = max(
        findings, key=lambda one: (_CONCERN[one[0]], _GRAVITY.index(one[1])), default=("ok", "success")
    )
    told = f"run {run.id} exported {_records(run.records_out)}"
    return choice, status, f"{told}{', ' if lost else ''}{lost}{why}"


def _total(runs: Sequence[DataflowRun], metric: Callable[[DataflowRun], int | None]) -> int | None:
    counts = [metric(run) for run in runs]
    return None if None in counts else sum(filter(None, counts))


def _records(count: int | None) -> str:
    if count is None:
        return "an unknown number of records"
    return f"{count:,} records" if count else "no records"


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
