"""Judges one finished run by a run policy.

``judge_run`` is the only place that decides "good".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_aep.flowservice.run_record import DataflowRun, RunError, RunStatus
from airflow_provider_aep.monitoring.policy import CONCERN, EMPTY_OR_SMALL, Choice, RunPolicy
from airflow_provider_aep.monitoring.usual import History, alike, usual_records
from airflow_provider_aep.times import span_words

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.causes import Cause


class Judgement(NamedTuple):
    """The judgement of a policy on one run."""

    choice: Choice
    status: str
    told: str
    cause: Cause | None = None


# Adobe's codes for records that the mapping, the ingestion or a filter refused.
_RECORD_CODE = re.compile(r"^(MAPPER|INGEST)-|-SKIP$", re.IGNORECASE)
# Ranks runs of the same outcome: good data hide harmless oddities, and a failure is never hidden.
GRAVITY = (
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
    """Judge one finished run by a policy.

    :param before: the runs before it, for a policy that ``needs_history``.
    :param cause: why it looks wrong, if the Catalog was asked.
    """
    if _is_plainly_good(run, policy):
        return Judgement("ok", "success", f"run {run.id} exported {records_words(run.records_out)}")
    why = f": {run.errors[0]}" if run.errors else ""
    if run.status is RunStatus.FAILED:
        return Judgement(policy.on_failed, "failed", f"run {run.id} ended as {run.status_word}{why}")
    if not run.delivered:
        sentence = f"run {run.id} ended with status {run.status_word!r}, which is not known{why}"
        return Judgement(policy.on_failed, "unknown", sentence)
    before = alike(before, run)
    oddities = [
        oddity
        for oddity in (
            _empty(run, policy, before, cause),
            _uncounted(run, policy),
            _few(run, policy, before),
            _slow(run, policy),
            _partial(run, policy),
        )
        if oddity
    ]
    choice, status, *_ = max(
        oddities,
        key=lambda oddity: (CONCERN[oddity.choice], GRAVITY.index(oddity.status)),
        default=Judgement("ok", "success", ""),
    )
    lost = " and ".join(
        f"{count:,} {what}"
        for count, what in ((run.records_failed, "failed"), (run.records_skipped, "skipped"))
        if count
    )
    notes = [note for note in (lost, *(oddity.told for oddity in oddities)) if note]
    sentence = ", ".join([f"run {run.id} exported {records_words(run.records_out)}", *notes])
    return Judgement(choice, status, sentence + why, cause if status in EMPTY_OR_SMALL else None)


def _is_plainly_good(run: DataflowRun, policy: RunPolicy) -> bool:
    """Whether there is nothing to weigh: a fast path for nearly all runs."""
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
        note = "though the first export is a full one"
        return Judgement(choice or policy.on_zero_records, "zero_records", note)
    if choice:
        return Judgement(choice, "zero_records", "")
    streak = 1
    for previous in earlier:
        if previous.records_out != 0:
            break
        streak += 1
    note = f"empty run {streak} in a row, which matters from {policy.zero_streak} on"
    return Judgement(policy.on_zero_records if streak >= policy.zero_streak else "ok", "zero_records", note)


def _uncounted(run: DataflowRun, policy: RunPolicy) -> Judgement | None:
    if run.records_out is not None or policy.on_unknown_records == "ok":
        return None
    return Judgement(policy.on_unknown_records, "unknown_records", "")


def _few(run: DataflowRun, policy: RunPolicy, before: History | None) -> Judgement | None:
    """Whether a run exported fewer records than the policy requires; ``_empty`` judges empty runs."""
    if not run.records_out:
        return None
    if policy.min_records is not None and run.records_out < policy.min_records:
        note = f"fewer than min_records, {policy.min_records:,}"
        return Judgement(policy.on_low_records, "low_records", note)
    usual, count = usual_records(before, policy)
    if usual is None or policy.max_drop is None or run.records_out >= usual * (1 - policy.max_drop):
        return None
    drop = 1 - run.records_out / usual
    note = f"{drop:.0%} below the usual {usual:,} (median of {count} runs; {policy.max_drop:.0%} is allowed)"
    return Judgement(policy.on_low_records, "low_records", note)


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
    # The share of the records that the run read; if it has no such count, of those it has counts of.
    whole = run.records_in or sum(filter(None, (run.records_out, run.records_failed, run.records_skipped)))
    too_many = any(count and count > allowed * whole for count, allowed in lost)
    tolerated = any(count for count, _ in lost) and all(map(_is_about_records, run.errors))
    # A run that lost a tolerated share of records also has a status and errors that say so.
    if too_many or (not tolerated and (run.status is RunStatus.PARTIAL or run.errors)):
        return Judgement(policy.on_partial, "partial", "")
    return None


def _is_about_records(error: RunError) -> bool:
    """Whether an error is about single records, and not about the run or one of its datasets."""
    return error.records is not None or _RECORD_CODE.search(error.code) is not None


def records_words(count: int | None) -> str:
    if count is None:
        return "an unknown number of records"
    return f"{count:,} records" if count else "no records"
