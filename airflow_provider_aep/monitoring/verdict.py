"""The verdict: what dataflow runs did, and what a run policy makes of it.

``judge_run`` is the only place that decides "good" and ``all_finished`` the only one that decides "done";
sensor, trigger, check, page and notifier all ask here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_aep.flowservice.runs import DataflowRun, RunError, RunStatus
from airflow_provider_aep.monitoring.policy import CONCERN, EMPTY_OR_SMALL, Choice, RunPolicy
from airflow_provider_aep.monitoring.usual import History, alike, usual_records
from airflow_provider_aep.times import span_words

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.causes import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of the runs of one dataflow.

    :param outcome: what the policy makes of it.
    :param status: ``success``, ``slow``, ``partial``, ``low_records``, ``zero_records``, ``unknown_records``,
        ``incomplete``, ``stuck``, ``failed`` or ``unknown``; ``missing_files`` or ``unchecked_files`` where
        the storage was asked too; of several runs the one that decided the outcome.
    :param reason: the same in one sentence, with the numbers.
    :param records_out: a sum over the runs, ``None`` when any run does not say; so with all counts.
    :param duration_seconds: from the first start to the last end.
    :param usual_records: the median of ``usual_runs`` earlier runs, each alone; ``None`` where it was not
        asked for or there are too few.
    :param cause: why there is little or nothing, where the Catalog was asked.
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
        """Whether nothing is lacking although the runs exported nothing."""
        return self.cause is not None and self.cause.settles

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as it crosses XCom; ``cause`` only where it was asked for."""
        lists = {"run_ids": list(self.run_ids), "dataset_ids": list(self.dataset_ids)}
        told = {**asdict(self), **lists, "errors": [dict(one) for one in self.errors]}
        del told["cause"]
        return {**told, "cause": self.cause.to_json()} if self.cause else told


def all_finished(runs: Sequence[DataflowRun], *, expected: int = 1) -> bool:
    """Whether at least ``expected`` runs are there and none of those there is still running."""
    return len(runs) >= expected and all(run.finished for run in runs)


def judge_runs(
    runs: Sequence[DataflowRun],
    policy: RunPolicy,
    history: History | None = None,
    causes: Mapping[str, Cause] | None = None,
) -> Verdict:
    """The verdict on finished runs of one dataflow: each is judged, and the worst decides.

    ``skip`` decides only when no run delivered anything that downstream could use. The status is that of
    the gravest run that matters to the policy, whatever the order of the runs.

    :param history: what came before the first of them, for a policy that ``needs_history``.
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
    """The verdict on finished runs of a tick that owes more of them.

    :param told: what is lacking, in one sentence.
    """
    verdict = judge_runs(runs, policy, history, causes)
    if CONCERN[verdict.outcome] > CONCERN[policy.on_incomplete]:
        return replace(verdict, reason=f"{verdict.reason}; {told}")
    return replace(
        verdict, outcome=policy.on_incomplete, status="incomplete", reason=f"{told}; {verdict.reason}"
    )


def stuck(runs: Sequence[DataflowRun], policy: RunPolicy, told: str) -> Verdict:
    """The verdict on runs of which one should have ended long ago.

    :param told: which, and since when, in one sentence.
    """
    finished = [run for run in runs if run.finished]
    judged = [judge_run(run, policy, None) for run in finished]
    return _summed_up(runs, [*judged, Judgement(policy.on_stuck, "stuck", told)], None, 0)


def _summed_up(
    runs: Sequence[DataflowRun], judged: Sequence[Judgement], usual: int | None, usual_runs: int
) -> Verdict:
    choices = [each.choice for each in judged]
    choice, status, told, cause = max(
        judged, key=lambda each: (CONCERN[each.choice], _GRAVITY.index(each.status))
    )
    if not CONCERN[choice]:
        choice = "ok" if "ok" in choices else "skip"
    alike = sum(1 for each in judged if each.status == status)
    records_out = _total(runs, lambda run: run.records_out)
    if len(judged) == 1:
        reason = told
    elif status == "success" and alike == len(judged):
        reason = f"{alike} runs exported {_records(records_out)}"
    else:
        reason = f"{alike} of {len(judged)} runs: {told}"
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
        dataset_ids=tuple(dict.fromkeys(each for run in runs for each in run.dataset_ids)),
        usual_records=usual,
        usual_runs=usual_runs,
        cause=cause,
    )


def worst(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that matters most; of several alike the last."""
    ranked = sorted(
        enumerate(verdicts),
        key=lambda each: (CONCERN[each[1].outcome], _GRAVITY.index(each[1].status), each[0]),
    )
    return ranked[-1][1] if ranked else None


def with_delivery(
    told: Mapping[str, Any], found: Mapping[str, Any], choice: str, unchecked: str
) -> dict[str, Any]:
    """A verdict as plain JSON, with what the storage holds.

    :param found: what a look into the storage found: its ``status`` and what it ``told``.
    :param choice: what it means that files are missing.
    :param unchecked: what it means that the storage could not be read.
    """
    both = {**told, "storage": dict(found)}
    meaning = {"missing": choice, "fewer": choice, "unchecked": unchecked}.get(found["status"])
    if meaning is None or (found["status"] == "unchecked" and meaning == "ok"):
        return both
    status = "unchecked_files" if found["status"] == "unchecked" else "missing_files"
    both["reason"] = f"{told['reason']}; {found['told']}"
    if CONCERN[meaning] >= CONCERN[told["outcome"]]:  # type: ignore[index]
        both |= {"outcome": meaning, "status": status}
    return both


class Judgement(NamedTuple):
    """What a policy makes of one run."""

    choice: Choice
    status: str
    told: str
    cause: Cause | None = None


# Adobe's codes for records that the mapping, the ingestion or a filter refused.
_RECORD_CODE = re.compile(r"^(MAPPER|INGEST)-|-SKIP$", re.IGNORECASE)
# Of runs that the policy minds alike, or not at all: good data speaks for itself, a failure never hides.
_GRAVITY = (
    "zero_records",
    "slow",
    "unknown_records",
    "low_records",
    "partial",
    "success",
    "incomplete",
    "stuck",
    "unknown",
    "failed",
)


def judge_run(
    run: DataflowRun, policy: RunPolicy, before: History | None, cause: Cause | None = None
) -> Judgement:
    """What a policy makes of one finished run.

    :param before: what came before it, for a policy that ``needs_history``.
    :param cause: why it looks wrong, where the Catalog was asked.
    """
    if _is_plainly_good(run, policy):
        return Judgement("ok", "success", f"run {run.id} exported {_records(run.records_out)}")
    why = f": {run.errors[0]}" if run.errors else ""
    if run.status is RunStatus.FAILED:
        return Judgement(policy.on_failed, "failed", f"run {run.id} ended as {run.status_word}{why}")
    if not run.delivered:
        told = f"run {run.id} ended with status {run.status_word!r}, which is none that we know{why}"
        return Judgement(policy.on_failed, "unknown", told)
    before = alike(before, run)
    found = [
        each
        for each in (
            _empty(run, policy, before, cause),
            _uncounted(run, policy),
            _few(run, policy, before),
            _slow(run, policy),
            _partial(run, policy),
        )
        if each
    ]
    choice, status, *_ = max(
        found,
        key=lambda each: (CONCERN[each.choice], _GRAVITY.index(each.status)),
        default=Judgement("ok", "success", ""),
    )
    lost = " and ".join(
        f"{count:,} {what}"
        for count, what in ((run.records_failed, "failed"), (run.records_skipped, "skipped"))
        if count
    )
    notes = [note for note in (lost, *(each.told for each in found)) if note]
    told = ", ".join([f"run {run.id} exported {_records(run.records_out)}", *notes])
    return Judgement(choice, status, told + why, cause if status in EMPTY_OR_SMALL else None)


def _is_plainly_good(run: DataflowRun, policy: RunPolicy) -> bool:
    """Whether there is nothing to weigh, as of nearly all runs: that is told quickly."""
    return (
        run.status is RunStatus.SUCCESS
        and bool(run.records_out)
        and not (run.errors or run.records_failed or run.records_skipped)
        and policy.min_records is None
        and policy.max_drop is None
        and policy.max_duration is None
    )


def _empty(
    run: DataflowRun, policy: RunPolicy, before: History | None, cause: Cause | None
) -> Judgement | None:
    if run.records_out != 0:
        return None
    by_cause: dict[str, Choice] = {
        "nothing_ingested": policy.on_zero_when_nothing_ingested,
        "not_exported": policy.on_zero_when_ingested,
    }
    choice = by_cause.get(cause.kind) if cause else None
    if policy.zero_streak == 1 or before is None:
        return Judgement(choice or policy.on_zero_records, "zero_records", "")
    earlier = before.delivered
    if not earlier and before.complete:
        told = "though the first export is a full one"
        return Judgement(choice or policy.on_zero_records, "zero_records", told)
    if choice:
        return Judgement(choice, "zero_records", "")
    streak = 1
    for each in earlier:
        if each.records_out != 0:
            break
        streak += 1
    told = f"empty run {streak} in a row, which matters from {policy.zero_streak} on"
    return Judgement(policy.on_zero_records if streak >= policy.zero_streak else "ok", "zero_records", told)


def _uncounted(run: DataflowRun, policy: RunPolicy) -> Judgement | None:
    if run.records_out is not None or policy.on_unknown_records == "ok":
        return None
    return Judgement(policy.on_unknown_records, "unknown_records", "")


def _few(run: DataflowRun, policy: RunPolicy, before: History | None) -> Judgement | None:
    """Fewer records than the policy asks for; an empty run is a matter of its own."""
    if not run.records_out:
        return None
    if policy.min_records is not None and run.records_out < policy.min_records:
        told = f"fewer than min_records, {policy.min_records:,}"
        return Judgement(policy.on_low_records, "low_records", told)
    usual, count = usual_records(before, policy)
    if usual is None or policy.max_drop is None or run.records_out >= usual * (1 - policy.max_drop):
        return None
    drop = 1 - run.records_out / usual
    told = f"{drop:.0%} below the usual {usual:,} (median of {count} runs; {policy.max_drop:.0%} is allowed)"
    return Judgement(policy.on_low_records, "low_records", told)


def _slow(run: DataflowRun, policy: RunPolicy) -> Judgement | None:
    if policy.longest is None or run.started_at is None or run.completed_at is None:
        return None
    took = run.completed_at - run.started_at
    if took <= policy.longest:
        return None
    longest = span_words(policy.longest, exact=True)
    return Judgement(policy.on_slow, "slow", f"in {span_words(took, exact=True)}, longer than {longest}")


def _partial(run: DataflowRun, policy: RunPolicy) -> Judgement | None:
    lost = (
        (run.records_failed, policy.max_failed_ratio),
        (run.records_skipped, policy.max_skipped_ratio),
    )
    # Of the records that the run took in; where it does not say, of those it can tell of.
    whole = run.records_in or sum(filter(None, (run.records_out, run.records_failed, run.records_skipped)))
    too_many = any(count and count > allowed * whole for count, allowed in lost)
    tolerated = any(count for count, _ in lost) and all(map(_is_about_records, run.errors))
    # A run that lost records within what is allowed says so by its status and errors too.
    if too_many or (not tolerated and (run.status is RunStatus.PARTIAL or run.errors)):
        return Judgement(policy.on_partial, "partial", "")
    return None


def _is_about_records(error: RunError) -> bool:
    """Whether an error speaks of single records, and not of the run or one of its datasets."""
    return error.records is not None or _RECORD_CODE.search(error.code) is not None


def _before(run: DataflowRun, ordered: Sequence[DataflowRun], history: History | None) -> History | None:
    """What came before one of several runs that are judged together."""
    if history is None or run.started_at is None:
        return history
    siblings = [
        one for one in ordered if one.id != run.id and one.ended_at and one.ended_at <= run.started_at
    ]
    return History(runs=(*reversed(siblings), *history.runs), complete=history.complete)


def _total(runs: Sequence[DataflowRun], metric: Callable[[DataflowRun], int | None]) -> int | None:
    counts = [metric(run) for run in runs]
    return None if None in counts else sum(filter(None, counts))


def _records(count: int | None) -> str:
    if count is None:
        return "an unknown number of records"
    return f"{count:,} records" if count else "no records"


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return max((end - start).total_seconds(), 0.0) if start and end else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
