"""Bringing exports to their specs: read, plan, carry out, and check whether another writer did the same.

Every created entity carries the mark of its export, so the next attempt finds whatever an interrupted one has
left. No state is kept anywhere else.

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

# How often a spec is planned again because another writer was faster.
ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsureOptions:
    """What an ensure may do beyond creating and updating.

    :param allow_replace: replace entities that cannot be changed in place.
    :param rotate_credentials: send the logins of base connections again.
    :param rollback_on_failure: if an export fails, remove what this attempt created for it.
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
    """The plan of each spec; sends only GETs.

    :param sandbox: the sandbox of the requests, which the plans name.
    :param logins: to check against Adobe's live specs; without them, logins are not checked.
    """
    outcomes = [Outcome(spec=spec) for spec in specs]
    yield from _plan_all(outcomes, sandbox=sandbox, now=now, rotate=rotate_credentials)
    yield from check_live([outcome for outcome in outcomes if not outcome.error], logins)
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
    """Create and change entities until the exports are as declared. If they are already, only GETs are sent.

    An export that fails does not stop the others: its error is in its outcome.

    :param planned: earlier plans, as plain JSON; an export whose plan would now be another is left alone.
    :param starting: called with each outcome whose plan is about to be carried out, before anything is sent.
    :param progress: called with each outcome as soon as its export is done.
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
        overtaken = yield from attempt.carry_out([outcome for outcome in waiting if not outcome.error])
        # Later plans follow from what another writer did, so the agreed ones no longer apply.
        waiting, planned = overtaken, None
        if not waiting:
            break
    for outcome in waiting:
        if not outcome.error:
            outcome.error = AepOvertakenError(
                f"export {outcome.spec.name!r}: other writers were faster {ROUNDS} times. Run again."
            )
    failed = [outcome for outcome in outcomes if outcome.error]
    for outcome in failed:
        _keep_what_serves(outcome)
    if options.rollback_on_failure:
        yield from _roll_back([outcome for outcome in failed if outcome.created])
    return outcomes


def _check_room(outcomes: Sequence[Outcome], state: State) -> None:
    new = [
        outcome for outcome in outcomes if not outcome.error and outcome.step("dataflow").action == "create"
    ]
    try:
        check_room(len(new), state)
    except AepValidationError as error:
        fail(new, error)


def _keep_what_serves(outcome: Outcome) -> None:
    """If the attempt failed before the dataflow, the connections to be replaced still serve it."""
    if outcome.plan is None or outcome.plan.step("dataflow").id is None:
        return
    done = [*outcome.updated, *outcome.created]
    if any(entity["kind"] == "dataflow" for entity in done):
        return
    for step in outcome.plan.steps:
        if step.action == "replace" and step.replaces:
            outcome.ids[step.kind] = step.replaces
            outcome.left_behind = [left for left in outcome.left_behind if left["id"] != step.replaces]


def _plan_all(outcomes: Sequence[Outcome], *, sandbox: str, now: datetime, rotate: bool) -> Exchange[State]:
    by_name = any(ref.id is None for outcome in outcomes for ref in outcome.spec.datasets)
    names = [outcome.spec.name for outcome in outcomes]
    state = yield from read_state(datasets=by_name, names=names)
    _plan_each(outcomes, state, sandbox=sandbox, now=now, rotate=rotate)
    if any(map(_rests_on_absence, outcomes)):
        # An entity that a filter does not find may exist all the same.
        whole = yield from read_state(datasets=False, names=names, whole=True)
        state = replace(whole, datasets=state.datasets)
        for outcome in outcomes:
            outcome.error = None
        _plan_each(outcomes, state, sandbox=sandbox, now=now, rotate=rotate)
    yield from name_datasets(outcomes, listed=state.datasets if by_name else None)
    return state


def _rests_on_absence(outcome: Outcome) -> bool:
    """Whether a plan creates an entity, or was refused, perhaps because an entity was not found."""
    if outcome.plan is None or outcome.error:
        return True
    return any(step.id is None for step in outcome.plan.steps)


def _plan_each(
    outcomes: Sequence[Outcome], state: State, *, sandbox: str, now: datetime, rotate: bool
) -> None:
    owners: dict[str, str] = {}
    for outcome in outcomes:
        name, owner = outcome.spec.name, outcome.spec.owner
        outdated = outcome.plan.warnings if outcome.plan else ()
        try:
            outcome.plan = plan_export(
                outcome.spec, state, sandbox=sandbox, now=now, rotate_credentials=rotate
            )
            if name in owners:  # two dataflows with one name could not be ensured again
                raise AepConflictError(
                    f"the name {name!r} is declared by {owners[name]} and by {owner}. Choose another name.",
                    [],
                )
            owners[name] = owner
        except AepError as error:
            outcome.error = error
            continue
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            outcome.error = AepError(
                f"export {name!r}: its existing entities cannot be read ({type(error).__name__})"
            )
            outcome.error.__cause__ = error
            continue
        kept = [warning for warning in outcome.warnings if warning not in outdated]
        outcome.warnings = [*outcome.plan.warnings, *kept]
        outcome.ids = {step.kind: step.id for step in outcome.plan.steps if step.id}
        outcome.left_behind = [dict(left) for left in outcome.plan.left_behind]


def _check_allowed(
    outcome: Outcome, options: EnsureOptions, planned: Sequence[Mapping[str, Any]] | None
) -> None:
    if outcome.error or outcome.plan is None or not outcome.plan.changes:
        return
    plan = outcome.plan.to_json()
    try:
        if planned is not None and not any(_was_agreed(plan, earlier) for earlier in planned):
            raise AepUnsafePlanError(
                f"export {outcome.spec.name!r}: its entities, or the spec, have changed since the plan was "
                "made. Plan again.",
                plan,
            )
        if not options.allow_replace:
            outcome.plan.check_safe()
    except AepUnsafePlanError as error:
        outcome.error = error


def _was_agreed(plan: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
    """Whether every step of a plan is in an earlier one; part of that one may be done by now."""
    if any(plan[key] != earlier.get(key) for key in ("sandbox", "owner", "name")):
        return False
    agreed = [_what(step) for step in earlier["steps"]]
    return all(step["action"] == "keep" or _what(step) in agreed for step in plan["steps"])


def _what(step: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a step does, without the ids of entities that did not exist when it was planned."""
    connections = ("source connection", "target connection")
    own = [change for change in step["changes"] if change["field"] not in connections]
    updated = step["id"] if step["action"] == "update" else None
    return step["action"], step["kind"], step["replaces"], updated, own


def _roll_back(outcomes: Sequence[Outcome]) -> Exchange[None]:
    """Remove the entities created for exports that failed, users before what they use.

    An entity that another writer uses by now stays.
    """
    for outcome in outcomes:
        try:
            state = yield from read_state(datasets=False, whole=True)
            gone: set[str] = set()
            for made in outcome.created[::-1]:
                kind, entity_id = made["kind"], made["id"]
                if why := needed(state, kind, entity_id, gone):
                    outcome.warnings.append(f"not removed: {kind} {entity_id}, because {why}")
                    continue
                yield from delete_unused(kind, entity_id)
                gone.add(entity_id)
                outcome.created.remove(made)
                seen = yield from see(kind, deleted=[entity_id])
                outcome.warnings += [f"removed, but still listed: {kind} {ghost}" for ghost in seen.ghosts]
                if outcome.ids.get(kind) == entity_id:
                    del outcome.ids[kind]
        except AepError as error:
            outcome.warnings.append(f"what this attempt created could not be removed: {error}")
