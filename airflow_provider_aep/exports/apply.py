"""Bringing exports to their specs: read, plan, carry out, and look whether somebody else did the same.

Everything that is made carries the mark of its export, so whatever an attempt that was broken off has left is
found by the next one. Nothing is remembered anywhere else.

Source: Destinations API reference; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow_provider_aep.errors import (
    AepConflictError,
    AepError,
    AepOvertakenError,
    AepUnsafePlanError,
    AepValidationError,
)
from airflow_provider_aep.exports.attempt import Attempt, check_live, fail
from airflow_provider_aep.exports.credentials import Logins
from airflow_provider_aep.exports.dataset_names import name_datasets
from airflow_provider_aep.exports.delete import delete_unused, needed
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.planner import check_room, plan_export
from airflow_provider_aep.exports.sightings import see
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.exports.state import State, read_state
from airflow_provider_aep.flowservice.exchange import Exchange

# How often a spec is planned anew when another writer was faster.
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureOptions:
    """What an ensure may do beyond creating and updating.

    :param allow_replace: let other entities take the place of those that cannot be changed.
    :param rotate_credentials: send the logins of base connections again.
    :param rollback_on_failure: where one export fails, remove what this attempt created for it.
    """

    allow_replace: bool = False
    rotate_credentials: bool = False
    rollback_on_failure: bool = False


DEFAULTS = EnsureOptions()


def plan_exports(
    specs: Sequence[ExportSpec],
    *,
    sandbox: str,
    now: datetime,
    logins: Logins | None = None,
    rotate_credentials: bool = False,
) -> Exchange[list[Outcome]]:
    """What would have to happen for each spec; sends only GETs.

    :param sandbox: the one that is talked to, for the plans to name.
    :param logins: to hold against Adobe's live specs; left out, logins are not looked at.
    """
    outcomes = [Outcome(spec=spec) for spec in specs]
    yield from _plan_all(outcomes, sandbox=sandbox, now=now, rotate=rotate_credentials)
    yield from check_live([one for one in outcomes if not one.error], logins)
    return outcomes


def ensure_exports(
    specs: Sequence[ExportSpec],
    *,
    sandbox: str,
    now: datetime,
    logins: Logins,
    options: EnsureOptions = DEFAULTS,
    planned: Sequence[Mapping[str, Any]] | None = None,
    starting: Callable[[Outcome], object] = lambda outcome: None,
    progress: Callable[[Outcome], object] = lambda outcome: None,
) -> Exchange[list[Outcome]]:
    """Make what exists what the specs declare. Where it is so already, only GETs are sent.

    One export that fails does not keep the others from being ensured: its error is in its outcome.

    :param planned: plans that were made earlier, as plain JSON; an export for which anything else would have
        to happen now is left alone.
    :param starting: told each outcome whose plan is about to be carried out, before anything is sent.
    :param progress: told each outcome as soon as its export is done.
    """
    outcomes = [Outcome(spec=spec) for spec in specs]
    waiting = outcomes
    for _ in range(ROUNDS):
        try:
            state = yield from _plan_all(waiting, sandbox=sandbox, now=now, rotate=options.rotate_credentials)
        except AepError as error:
            fail(waiting, error)
            break
        _check_room(waiting, state)
        for outcome in waiting:
            _check_allowed(outcome, options, planned)
            if outcome.plan and outcome.plan.changes and not outcome.error:
                starting(outcome)
        attempt = Attempt(now=now, logins=logins, progress=progress)
        overtaken = yield from attempt.carry_out([one for one in waiting if not one.error])
        # What is planned from here on follows from what another writer did, not from what was agreed to.
        waiting, planned = overtaken, None
        if not waiting:
            break
    for one in waiting:
        if not one.error:
            one.error = AepOvertakenError(
                f"export {one.spec.name!r}: other writers were faster {ROUNDS} times. Run again."
            )
    failed = [one for one in outcomes if one.error]
    for one in failed:
        _tell_what_serves(one)
    if options.rollback_on_failure:
        yield from _roll_back([one for one in failed if one.created])
    return outcomes


def _check_room(outcomes: Sequence[Outcome], state: State) -> None:
    new = [one for one in outcomes if not one.error and one.step("dataflow").action == "create"]
    try:
        check_room(len(new), state)
    except AepValidationError as error:
        fail(new, error)


def _tell_what_serves(outcome: Outcome) -> None:
    """Where the dataflow was not reached, what was to be replaced still serves it."""
    if outcome.plan is None or outcome.plan.step("dataflow").id is None:
        return
    done = [*outcome.updated, *outcome.created]
    if any(one["kind"] == "dataflow" for one in done):
        return
    for step in outcome.plan.steps:
        if step.action == "replace" and step.replaces:
            outcome.ids[step.kind] = step.replaces
            outcome.left_behind = [one for one in outcome.left_behind if one["id"] != step.replaces]


def _plan_all(outcomes: Sequence[Outcome], *, sandbox: str, now: datetime, rotate: bool) -> Exchange[State]:
    by_name = any(ref.id is None for one in outcomes for ref in one.spec.datasets)
    names = [one.spec.name for one in outcomes]
    state = yield from read_state(datasets=by_name, names=names)
    _plan_each(outcomes, state, sandbox=sandbox, now=now, rotate=rotate)
    if any(map(_rests_on_absence, outcomes)):
        # That a filter does not find something is no proof that it is not there.
        whole = yield from read_state(datasets=False, names=names, whole=True)
        state = replace(whole, datasets=state.datasets)
        for one in outcomes:
            one.error = None
        _plan_each(outcomes, state, sandbox=sandbox, now=now, rotate=rotate)
    yield from name_datasets(outcomes, listed=state.datasets if by_name else None)
    return state


def _rests_on_absence(outcome: Outcome) -> bool:
    """Whether a plan creates something, or was refused, which may be as something was not found."""
    if outcome.plan is None or outcome.error:
        return True
    return any(step.id is None for step in outcome.plan.steps)


def _plan_each(
    outcomes: Sequence[Outcome], state: State, *, sandbox: str, now: datetime, rotate: bool
) -> None:
    owners: dict[str, str] = {}
    for one in outcomes:
        name, owner = one.spec.name, one.spec.owner
        outdated = one.plan.warnings if one.plan else ()
        try:
            one.plan = plan_export(one.spec, state, sandbox=sandbox, now=now, rotate_credentials=rotate)
            if name in owners:  # with two dataflows of that name neither could be ensured again
                raise AepConflictError(
                    f"the name {name!r} is declared by {owners[name]} and by {owner}. Choose another name.",
                    [],
                )
            owners[name] = owner
        except AepError as error:
            one.error = error
            continue
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            one.error = AepError(
                f"export {name!r}: what exists for it cannot be read ({type(error).__name__})"
            )
            one.error.__cause__ = error
            continue
        kept = [warning for warning in one.warnings if warning not in outdated]
        one.warnings = [*one.plan.warnings, *kept]
        one.ids = {step.kind: step.id for step in one.plan.steps if step.id}
        one.left_behind = [dict(each) for each in one.plan.left_behind]


def _check_allowed(
    outcome: Outcome, options: EnsureOptions, planned: Sequence[Mapping[str, Any]] | None
) -> None:
    if outcome.error or outcome.plan is None or not outcome.plan.changes:
        return
    plan = outcome.plan.to_json()
    try:
        if planned is not None and not any(_was_agreed(plan, one) for one in planned):
            raise AepUnsafePlanError(
                f"export {outcome.spec.name!r}: what exists, or the spec, has changed since the plan was "
                "made. Plan again.",
                plan,
            )
        if not options.allow_replace:
            outcome.plan.check_safe()
    except AepUnsafePlanError as error:
        outcome.error = error


def _was_agreed(plan: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    """Whether a plan does nothing that an earlier one did not say; a part of that may be done by now."""
    if any(plan[key] != earlier.get(key) for key in ("sandbox", "owner", "name")):
        return False
    said = [_what(step) for step in earlier["steps"]]
    return all(step["action"] == "keep" or _what(step) in said for step in plan["steps"])


def _what(step: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a step does, without the ids of what was yet to be created when it was planned."""
    own = [one for one in step["changes"] if one["field"] not in ("source connection", "target connection")]
    updated = step["id"] if step["action"] == "update" else None
    return step["action"], step["kind"], step["replaces"], updated, own


def _roll_back(outcomes: Sequence[Outcome]) -> Exchange[None]:
    """Remove what was created for exports that failed, users before what they use.

    What another writer has come to use meanwhile stays.
    """
    for one in outcomes:
        try:
            state = yield from read_state(datasets=False, whole=True)
            gone: set[str] = set()
            for made in one.created[::-1]:
                if why := needed(state, made["kind"], made["id"], gone):
                    one.warnings.append(f"not removed: {made['kind']} {made['id']}, as {why}")
                    continue
                yield from delete_unused(made["kind"], made["id"])
                gone.add(made["id"])
                one.created.remove(made)
                seen = yield from see(made["kind"], deleted=[made["id"]])
                one.warnings += [f"removed, and still listed: {made['kind']} {each}" for each in seen.ghosts]
                if one.ids.get(made["kind"]) == made["id"]:
                    del one.ids[made["kind"]]
        except AepError as error:
            one.warnings.append(f"what this attempt created could not be removed: {error}")
