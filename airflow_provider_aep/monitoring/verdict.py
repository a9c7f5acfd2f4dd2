"""The verdict: what dataflow runs did, and what a run policy makes of it.

``judge_runs`` is the only place that decides "good" and ``all_finished`` the only one that decides "done";
sensor, trigger and notifier all ask here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Literal, get_args

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.entities import LARGEST_PAGE
from airflow_provider_aep.flowservice.runs import DataflowRun, RunStatus
from airflow_provider_aep.flowservice.validation import nearest

Choice = Literal["fail", "warn", "skip", "ok"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


# Of fewer runs than this a median says nothing.
LEAST_HISTORY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """What each way to end means to the task (``fail``, ``warn``, ``skip`` or ``ok``), and where it begins.

    :param on_failed: a run failed, was cancelled, or ended in a word that we do not know.
    :param on_partial: a run succeeded and yet lost or skipped records, or carries errors.
    :param on_zero_records: a run succeeded and exported nothing. After the first, full export that can
        be legitimate: there was no new data.
    :param on_low_records: a run exported fewer records than ``min_records`` or ``max_drop`` allow.
    :param on_slow: a run took longer than ``max_duration``.
    :param min_records: how many records a run that is not empty must export.
    :param max_drop: how far below the usual it may fall, as a share: ``0.5`` allows half. The usual is the
        median of the last ``history`` runs that exported something; of fewer than three nothing is concluded.
    :param history: how many earlier runs make the usual.
    :param zero_streak: an empty run matters from the so many-th in a row on. The first run of a dataflow is a
        full export, which matters at once.
    :param max_failed_ratio: up to which share of failed records a run still counts as whole.
    :param max_skipped_ratio: the same for skipped records.
    :param max_duration: seconds, or a ``timedelta``.
    """

    on_failed: Choice = "fail"
    on_partial: Choice = "warn"
    on_zero_records: Choice = "warn"
    on_low_records: Choice = "warn"
    on_slow: Choice = "warn"
    min_records: int | None = None
    max_drop: float | None = None
    history: int = 7
    zero_streak: int = 1
    max_failed_ratio: float = 0.0
    max_skipped_ratio: float = 0.0
    max_duration: float | timedelta | None = None

    def __post_init__(self) -> None:
        if isinstance(self.max_duration, timedelta):
            object.__setattr__(self, "max_duration", self.max_duration.total_seconds())
        problems = [
            Problem(each.name, rule)
            for each in fields(self)
            if (rule := _broken_rule(each.name, getattr(self, each.name)))
        ]
        if problems:
            raise AepValidationError("the run policy", problems)

    @property
    def needs_history(self) -> bool:
        """Whether a verdict takes earlier runs into account."""
        return self.max_drop is not None or self.zero_streak > 1


def run_policy(given: Mapping[str, Any], beside: Iterable[str] = ()) -> RunPolicy:
    """A run policy from a dict, as in a DAG.

    :param beside: names that belong to a policy around it, for a hint at what was meant.
    :raises AepValidationError: it breaks a rule, or holds what no policy knows.
    """
    known = {each.name for each in fields(RunPolicy)}
    hints = sorted({*known, *beside})
    if unknown := [name for name in given if name not in known]:
        problems = [Problem(str(name), f"is not known{nearest(str(name), hints)}") for name in unknown]
        raise AepValidationError("the run policy", problems)
    return RunPolicy(**given)


def check_choice(name: str, value: object) -> None:
    """Refuse what is no choice of what an ending means.

    :raises AepValidationError: it is none.
    """
    if rule := _broken_rule(name, value):
        raise AepValidationError("the run policy", [Problem(name, rule)])


def _broken_rule(name: str, value: object) -> str | None:
    """What is wrong with a part of a policy, if anything."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name.startswith("on_"):
        return None if value in CHOICES else f"must be one of {', '.join(CHOICES)}"
    if name in ("history", "zero_streak"):
        least = LEAST_HISTORY if name == "history" else 1
        good = number and isinstance(value, int) and least <= value <= LARGEST_PAGE
        return None if good else f"must be a whole number from {least} to {LARGEST_PAGE}"
    if value is None and not name.endswith("_ratio"):
        return None
    if name == "min_records":
        return (
            None if number and isinstance(value, int) and value > 0 else "must be a whole number, at least 1"
        )
    if name == "max_duration":
        return None if number and value > 0 else "must be a number of seconds above 0"  # type: ignore[operator]
    good = number and 0 <= value <= 1  # type: ignore[operator]
    return None if good else "must be a share, from 0 to 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What a dataflow did before the runs to be judged.

    :param runs: finished runs, newest first.
    :param complete: the service lists none that is older.
    """

    runs: tuple[DataflowRun, ...] = ()
    complete: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of the runs of one dataflow.

    :param outcome: what the policy makes of it.
    :param status: ``success``, ``slow``, ``partial``, ``low_records``, ``zero_records``, ``failed`` or
        ``unknown``; ``missing_files`` where the storage was asked too; of several runs the one that
        decided the outcome.
    :param reason: the same in one sentence, with the numbers.
    :param records_out: a sum over the runs, ``None`` when any run does not say; so with all counts.
    :param duration_seconds: from the first start to the last end.
    :param usual_records: the median of ``usual_runs`` earlier runs, each alone; ``None`` where it was not
        asked for or there are too few.
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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as it crosses XCom."""
        lists = {"run_ids": list(self.run_ids), "dataset_ids": list(self.dataset_ids)}
        return {**asdict(self), **lists, "errors": [dict(one) for one in self.errors]}


def all_finished(runs: Sequence[DataflowRun], *, expected: int = 1) -> bool:
    """Whether at least ``expected`` runs are there and none of those there is still running."""
    return len(runs) >= expected and all(run.finished for run in runs)


def judge_runs(runs: Sequence[DataflowRun], policy: RunPolicy, history: History | None = None) -> Verdict:
    """The verdict on finished runs of one dataflow: each is judged, and the worst decides.

    ``skip`` decides only when no run delivered anything that downstream could use. The status is that of
    the gravest run that matters to the policy, whatever the order of the runs.

    :param history: what came before, for a policy that ``needs_history``.
    """
    judged = [_judge(run, policy, _before(run, runs, history)) for run in runs]
    usual, usual_runs = _usual(_before(runs[0], (), history), policy)
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
        dataset_ids=tuple(dict.fromkeys(each for run in runs for each in run.dataset_ids)),
        usual_records=usual,
        usual_runs=usual_runs,
    )


def worst(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that matters most; of several alike the last."""
    ranked = sorted(
        enumerate(verdicts),
        key=lambda each: (_CONCERN[each[1].outcome], _GRAVITY.index(each[1].status), each[0]),
    )
    return ranked[-1][1] if ranked else None


def with_delivery(told: Mapping[str, Any], found: Mapping[str, Any], choice: str) -> dict[str, Any]:
    """A verdict as plain JSON, with what the storage holds.

    :param found: what a look into the storage found: its ``status`` and what it ``told``.
    :param choice: what it means that files are missing.
    """
    both = {**told, "storage": dict(found)}
    if found["status"] not in ("missing", "fewer"):
        return both
    both["reason"] = f"{told['reason']}; {found['told']}"
    if _CONCERN[choice] >= _CONCERN[told["outcome"]]:  # type: ignore[index]
        both |= {"outcome": choice, "status": "missing_files"}
    return both


_CONCERN: Mapping[Choice, int] = {"fail": 2, "warn": 1, "ok": 0, "skip": 0}
# Of runs that the policy minds alike, or not at all: good data speaks for itself, a failure never hides.
_GRAVITY = ("zero_records", "slow", "low_records", "partial", "success", "unknown", "failed")


def _judge(run: DataflowRun, policy: RunPolicy, before: History | None) -> tuple[Choice, str, str]:
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
    findings = [
        each for each in (_empty(run, policy, before), _few(run, policy, before), _slow(run, policy)) if each
    ]
    if _is_partial(run, policy):
        findings.append((policy.on_partial, "partial", ""))
    choice, status, _ = max(
        findings, key=lambda one: (_CONCERN[one[0]], _GRAVITY.index(one[1])), default=("ok", "success", "")
    )
    notes = [note for note in (lost, *(finding[2] for finding in findings)) if note]
    return choice, status, ", ".join([f"run {run.id} exported {_records(run.records_out)}", *notes]) + why


Finding = tuple[Choice, str, str]


def _empty(run: DataflowRun, policy: RunPolicy, before: History | None) -> Finding | None:
    if run.records_out != 0:
        return None
    if policy.zero_streak == 1 or before is None:
        return policy.on_zero_records, "zero_records", ""
    earlier = [each for each in before.runs if each.status in _DELIVERED]
    if not earlier and before.complete:
        return policy.on_zero_records, "zero_records", "though the first export is a full one"
    streak = 1
    for each in earlier:
        if each.records_out != 0:
            break
        streak += 1
    told = f"empty run {streak} in a row, which matters from {policy.zero_streak} on"
    return (policy.on_zero_records if streak >= policy.zero_streak else "ok"), "zero_records", told


def _few(run: DataflowRun, policy: RunPolicy, before: History | None) -> Finding | None:
    """Fewer records than the policy asks for; an empty run is a matter of its own."""
    if not run.records_out:
        return None
    if policy.min_records is not None and run.records_out < policy.min_records:
        return policy.on_low_records, "low_records", f"fewer than min_records, {policy.min_records:,}"
    usual, count = _usual(before, policy)
    if usual is None or policy.max_drop is None or run.records_out >= usual * (1 - policy.max_drop):
        return None
    drop = 1 - run.records_out / usual
    told = f"{drop:.0%} below the usual {usual:,} (median of {count} runs; {policy.max_drop:.0%} is allowed)"
    return policy.on_low_records, "low_records", told


def _slow(run: DataflowRun, policy: RunPolicy) -> Finding | None:
    if policy.max_duration is None or run.started_at is None or run.completed_at is None:
        return None
    took, limit = run.completed_at - run.started_at, timedelta(seconds=float(policy.max_duration))  # type: ignore[arg-type]
    return (policy.on_slow, "slow", f"in {took}, longer than {limit}") if took > limit else None


def _is_partial(run: DataflowRun, policy: RunPolicy) -> bool:
    tolerated = False
    for count, allowed in (
        (run.records_failed, policy.max_failed_ratio),
        (run.records_skipped, policy.max_skipped_ratio),
    ):
        # Of the records that the run took in; where it does not say, of those it can tell of.
        whole = run.records_in or sum(
            filter(None, (run.records_out, run.records_failed, run.records_skipped))
        )
        if count and count > allowed * whole:
            return True
        tolerated = tolerated or bool(count)
    # A run that lost records within what is allowed says so by its status and errors too.
    return not tolerated and (run.status is RunStatus.PARTIAL or bool(run.errors))


_DELIVERED = (RunStatus.SUCCESS, RunStatus.PARTIAL)


def _before(run: DataflowRun, runs: Sequence[DataflowRun], history: History | None) -> History | None:
    """What came before one run, of the same datasets where both say which they exported."""
    if history is None or run.started_at is None:
        return history
    start = run.started_at
    siblings = [each for each in runs if each.started_at and each.started_at < start]
    siblings.sort(key=lambda each: str(each.started_at), reverse=True)
    alike = [
        each
        for each in (*siblings, *history.runs)
        if not each.dataset_ids or not run.dataset_ids or each.dataset_ids == run.dataset_ids
    ]
    return History(runs=tuple(alike), complete=history.complete)


def _usual(before: History | None, policy: RunPolicy) -> tuple[int | None, int]:
    """The median of the records of earlier runs that exported something, and of how many."""
    if before is None:
        return None, 0
    counts = [each.records_out for each in before.runs if each.status in _DELIVERED and each.records_out]
    if before.complete and len(counts) > LEAST_HISTORY:
        counts = counts[: max(LEAST_HISTORY, min(policy.history, len(counts) - 1))]  # the first one was full
    counts = counts[: policy.history]
    return (round(median(counts)), len(counts)) if len(counts) >= LEAST_HISTORY else (None, 0)


def _total(runs: Sequence[DataflowRun], metric: Callable[[DataflowRun], int | None]) -> int | None:
    counts = [metric(run) for run in runs]
    return None if None in counts else sum(filter(None, counts))


def _records(count: int | None) -> str:
    if count is None:
        return "an unknown number of records"
    return f"{count:,} records" if count else "no records"


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
