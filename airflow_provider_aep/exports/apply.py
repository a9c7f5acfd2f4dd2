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
    AepApiError,
    AepConfigError,
    AepConflictError,
    AepError,
    AepOvertakenError,
    AepTransportError,
    AepUnsafePlanError,
    AepValidationError,
)
from airflow_provider_aep.exports.dataset_names import name_datasets
from airflow_provider_aep.exports.delete import delete_unused, needed
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.plan import Step
from airflow_provider_aep.exports.planner import check_room, plan_export
from airflow_provider_aep.exports.races import settle
from airflow_provider_aep.exports.revisions import check_alone, revise_flow, revise_login, revise_params
from airflow_provider_aep.exports.sightings import see
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.exports.spelling import accept_spelling
from airflow_provider_aep.exports.state import COLLECTIONS, State, read_state
from airflow_provider_aep.flowservice.connections import (
    create_base_connection,
    create_source_connection,
    create_target_connection,
    full_params,
    get_connection_spec,
    live_login,
    target_problems,
)
from airflow_provider_aep.flowservice.creation import Created
from airflow_provider_aep.flowservice.dataflows import (
    cadence_warnings,
    create_dataflow,
    set_dataflow_state,
    state_of,
)
from airflow_provider_aep.flowservice.encryption import PublicKey, resolve_encryption
from airflow_provider_aep.flowservice.entities import Document, Operations, patch_entity
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.flowservice.logins import Held, resolve_login

# So many requests are on their way at a time, at most.
AT_MOST = 8
# How often a spec is planned anew when another writer was faster.
ROUNDS = 3

# Where a login comes from -> what is sent: (destination, Airflow connection) -> auth. One that could not be
# read is an error, of those exports alone for which it would be sent. The same of keys, under (ENCRYPTION,
# Airflow connection).
Logins = Mapping[tuple[str, str | None], Held | PublicKey | Document | AepError | None]
ENCRYPTION = "encryption"


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
    yield from _check_live([one for one in outcomes if not one.error], logins)
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
            _fail(waiting, error)
            break
        _check_room(waiting, state)
        for outcome in waiting:
            _check_allowed(outcome, options, planned)
            if outcome.plan and outcome.plan.changes and not outcome.error:
                starting(outcome)
        attempt = _Attempt(now=now, logins=logins, progress=progress)
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


def _fail(outcomes: Sequence[Outcome], error: AepError) -> None:
    for one in outcomes:
        one.error = one.error or error


def _check_room(outcomes: Sequence[Outcome], state: State) -> None:
    new = [one for one in outcomes if not one.error and one.step("dataflow").action == "create"]
    try:
        check_room(len(new), state)
    except AepValidationError as error:
        _fail(new, error)


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


class _Attempt:
    """One way through all that was planned, kind by kind."""

    def __init__(self, *, now: datetime, logins: Logins, progress: Callable[[Outcome], object]) -> None:
        self.now, self.logins, self.progress = now, logins, progress

    def carry_out(self, outcomes: Sequence[Outcome]) -> Exchange[list[Outcome]]:
        """Carry out the plans; those that another writer has overtaken are returned."""
        changing = []
        for one in outcomes:
            if one.plan and one.plan.changes:
                changing.append(one)
            else:
                self.progress(one)
        yield from _check_live(changing, self.logins)
        overtaken: list[Outcome] = []
        for kind in COLLECTIONS:
            active = [one for one in changing if not one.error and one not in overtaken]
            working = [one for one in active if one.step(kind).action != "keep"]
            ends = yield from together([self._do(one, kind) for one in working], at_most=AT_MOST)
            made = []
            for one, end in zip(working, ends, strict=True):
                if not isinstance(end, Done):
                    one.error = end
                elif end.value is not None:
                    made.append(one)
            try:
                there: Sequence[Document] = ()
                if made:
                    late, there = yield from settle(made, kind)
                    overtaken += late
                written = [one for one in working if not one.error and one not in overtaken]
                if kind == "dataflow":
                    yield from self._switch_on([one for one in written if one in made], there)
                # What was listed for those that were created may be older than a change of another.
                fresh = all(one in made for one in written)
                yield from accept_spelling(written, kind, there if fresh else None, now=self.now)
            except AepError as error:
                _fail(made or working, error)
        for one in changing:
            if one not in overtaken:
                self.progress(one)
        return overtaken

    def _do(self, outcome: Outcome, kind: str) -> Exchange[Created | None]:
        """Carry out one step; what was created, if anything was."""
        step = outcome.step(kind)
        if step.action == "update":
            if kind == "target connection":
                yield from check_alone(outcome)
            changed = yield from self._update(outcome, step)
            if changed:
                outcome.updated.append({"kind": kind, "id": str(step.id)})
            return None
        if step.action == "replace":
            if kind == "dataflow":
                return (yield from self._replace_dataflow(outcome, step))
            outcome.left_behind.append({"kind": kind, "id": str(step.replaces)})
        if step.id is not None:
            return None
        return (yield from self._add(outcome, step))

    def _replace_dataflow(self, outcome: Outcome, step: Step) -> Exchange[Created | None]:
        """Put a dataflow in the place of another one; they must not both export, not for a second."""
        old, disabled = str(step.replaces), outcome.plan and outcome.plan.disabled
        if disabled is None:
            raise AepConflictError(
                f"whether dataflow {old} is switched off is not told, so it is not replaced: the one in its "
                "place would be switched on. Delete the export, and ensure it again.",
                [old],
            )
        if disabled:
            # That it is switched off is remembered by the old one alone, so that one goes last.
            created = (yield from self._add(outcome, step)) if step.id is None else None
            yield from self._switch_off(outcome)
            yield from self._delete(outcome, old)
            return created
        yield from self._delete(outcome, old)
        try:
            return (yield from self._add(outcome, step))
        except AepError as error:
            raise _with_advice(
                error,
                f"Dataflow {old} was deleted to make room for the new one, so export {outcome.spec.name!r} "
                "exports nothing until an ensure succeeds.",
            ) from error

    def _switch_off(self, outcome: Outcome) -> Exchange[None]:
        """A new dataflow starts enabled, and nobody has asked for that: if it stays so, it goes."""
        new = {"kind": "dataflow", "id": outcome.ids["dataflow"]}
        try:
            yield from set_dataflow_state(new["id"], "disabled")
        except AepError:
            yield from delete_unused("dataflow", new["id"])
            if new in outcome.created:
                outcome.created.remove(new)
            raise

    def _switch_on(self, outcomes: Sequence[Outcome], there: Sequence[Document]) -> Exchange[None]:
        """See to it that what was created exports; that it starts switched on is nowhere said."""
        off = {str(one["id"]) for one in there if state_of(one) == "disabled"}
        for one in outcomes:
            if one.ids["dataflow"] in off and not (one.plan and one.plan.disabled):
                try:
                    yield from set_dataflow_state(one.ids["dataflow"], "enabled")
                except AepError as error:
                    one.error = error

    def _delete(self, outcome: Outcome, dataflow_id: str) -> Exchange[None]:
        yield from delete_unused("dataflow", dataflow_id)
        outcome.deleted.append({"kind": "dataflow", "id": dataflow_id})

    def _add(self, outcome: Outcome, step: Step) -> Exchange[Created]:
        created = yield from self._create(outcome, step)
        outcome.ids[step.kind] = created.id
        outcome.created.append({"kind": step.kind, "id": created.id})
        return created

    def _create(self, outcome: Outcome, step: Step) -> Exchange[Created]:
        spec, ids = outcome.spec, outcome.ids
        named: dict[str, Any] = {
            "name": spec.name,
            "description": spec.description,
            "marker": str(step.mark),
        }
        made: Exchange[Created]
        if step.kind == "base connection":
            login = _login_of(spec, self.logins)
            made = create_base_connection(
                destination=spec.destination,
                login=login,
                encryption=_encryption_of(spec, self.logins),
                advice=_advice(spec),
                **named,
            )
        elif step.kind == "source connection":
            datasets = [{"id": one, "name": name} for one, name in outcome.datasets.items()]
            made = create_source_connection(datasets=datasets, **named)
        elif step.kind == "target connection":
            made = create_target_connection(
                destination=spec.destination,
                base_connection_id=ids["base connection"],
                target_params=spec.target_params,
                **named,
            )
        else:
            made = create_dataflow(
                destination=spec.destination,
                source_connection_id=ids["source connection"],
                target_connection_id=ids["target connection"],
                schedule=spec.schedule,
                now=self.now,
                **named,
            )
        try:
            created = yield from made
        except AepConflictError as conflict:
            # Found after a lost answer by its whole mark, so it is what was sent, told back in other words.
            created = Created(id=conflict.ids[0], etag=None, adopted=True)
        return created

    def _update(self, outcome: Outcome, step: Step) -> Exchange[bool]:
        spec = outcome.spec
        login: Document = {}
        if step.kind == "base connection" and (held := _login_of(spec, self.logins)) is not None:
            login = yield from live_login(spec.destination, held, advice=_advice(spec))

        def revise(found: Document) -> Operations:
            if step.kind == "base connection":
                return revise_login(outcome, found, login=login)
            if step.kind == "target connection":
                return revise_params(outcome, found)
            return revise_flow(outcome, found, now=self.now)

        changed = yield from patch_entity(
            COLLECTIONS[step.kind], str(step.id), revise, field=f"{step.kind} id"
        )
        return changed


def _check_live(outcomes: Sequence[Outcome], logins: Logins | None) -> Exchange[None]:
    """Hold what would be sent against Adobe's live specs, before anything is created."""
    for one in outcomes:
        destination = one.spec.destination
        if one.step("dataflow").sets("schedule.every"):
            told = yield from cadence_warnings(destination.flow_spec_id, one.spec.schedule.every)
            _warn(one, told)
        base, target = one.step("base connection"), one.step("target connection")
        if base.action == target.action == "keep":
            continue
        try:
            spec = yield from get_connection_spec(destination)
            if target.action != "keep" and (
                problems := target_problems(spec, full_params(one.spec.target_params))
            ):
                raise AepValidationError(f"the {destination.title} target_params", problems)
            login = _login_of(one.spec, logins) if logins is not None and base.action != "keep" else None
            if login:
                resolve_login(login, spec, title=destination.title, advice=_advice(one.spec))
            if logins is not None and base.action not in ("keep", "update"):
                key = _encryption_of(one.spec, logins)
                if key is not None:
                    resolve_encryption(key, spec, title=destination.title)
        except AepError as error:
            one.error = error


def _warn(outcome: Outcome, told: Sequence[str]) -> None:
    """Add warnings to an outcome, and to its plan, which is what people read before they ensure."""
    new = [warning for warning in told if warning not in outcome.warnings]
    outcome.warnings += new
    if outcome.plan is not None:
        outcome.plan = replace(outcome.plan, warnings=(*outcome.plan.warnings, *new))


def _login_of(spec: ExportSpec, logins: Logins) -> Held | Document | None:
    found = logins.get((spec.destination.slug, spec.credentials_conn_id))
    if isinstance(found, AepError):
        raise found
    assert not isinstance(found, PublicKey)
    return found


def _encryption_of(spec: ExportSpec, logins: Logins) -> PublicKey | None:
    if spec.encryption_conn_id is None:
        return None
    found = logins.get((ENCRYPTION, spec.encryption_conn_id))
    if isinstance(found, AepError):
        raise found
    if not isinstance(found, PublicKey):  # never without, where one is asked for
        raise AepConfigError(f"export {spec.name!r}: no key was read from {spec.encryption_conn_id!r}")
    return found


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


def _with_advice(error: AepError, advice: str) -> AepError:
    """The same error, of the same class, with what else there is to know."""
    if isinstance(error, AepApiError):
        return error.with_hint(f"{error.hint} {advice}" if error.hint else advice)
    if isinstance(error, AepTransportError):
        return AepTransportError(f"{error}. {advice}", sent=error.sent)
    return AepError(f"{error} {advice}")


def _advice(spec: ExportSpec) -> str:
    return f"Check Airflow connection {spec.credentials_conn_id!r}." if spec.credentials_conn_id else ""
