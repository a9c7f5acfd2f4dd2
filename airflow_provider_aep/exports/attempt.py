"""One way through plans that were made: kind by kind, and after each kind a look at what came of it.

Source: Destinations API reference; "Update destination dataflows"; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from airflow_provider_aep.errors import (
    AepApiError,
    AepConflictError,
    AepError,
    AepTransportError,
    AepValidationError,
)
from airflow_provider_aep.exports.credentials import Logins, advice_of, encryption_of, login_of
from airflow_provider_aep.exports.delete import delete_unused
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.plan import Step
from airflow_provider_aep.exports.races import settle
from airflow_provider_aep.exports.revisions import check_alone, revise_flow, revise_login, revise_params
from airflow_provider_aep.exports.spelling import accept_spelling
from airflow_provider_aep.exports.state import COLLECTIONS
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
from airflow_provider_aep.flowservice.dataflow_record import state_of
from airflow_provider_aep.flowservice.dataflows import cadence_warnings, create_dataflow, set_dataflow_state
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.encryption import resolve_encryption
from airflow_provider_aep.flowservice.entities import Operations, patch_entity
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.flowservice.logins import resolve_login

# So many requests are on their way at a time, at most.
AT_MOST = 8


def fail(outcomes: Sequence[Outcome], error: AepError) -> None:
    """Let an error be that of each export, unless it has one already."""
    for one in outcomes:
        one.error = one.error or error


class Attempt:
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
        yield from check_live(changing, self.logins)
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
                fail(made or working, error)
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
            login = login_of(spec, self.logins)
            made = create_base_connection(
                destination=spec.destination,
                login=login,
                encryption=encryption_of(spec, self.logins),
                advice=advice_of(spec),
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
        if step.kind == "base connection" and (held := login_of(spec, self.logins)) is not None:
            login = yield from live_login(spec.destination, held, advice=advice_of(spec))

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


def check_live(outcomes: Sequence[Outcome], logins: Logins | None) -> Exchange[None]:
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
            login = login_of(one.spec, logins) if logins is not None and base.action != "keep" else None
            if login:
                resolve_login(login, spec, title=destination.title, advice=advice_of(one.spec))
            if logins is not None and base.action not in ("keep", "update"):
                key = encryption_of(one.spec, logins)
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


def _with_advice(error: AepError, advice: str) -> AepError:
    """The same error, of the same class, with what else there is to know."""
    if isinstance(error, AepApiError):
        return error.with_hint(f"{error.hint} {advice}" if error.hint else advice)
    if isinstance(error, AepTransportError):
        return AepTransportError(f"{error}. {advice}", sent=error.sent)
    return AepError(f"{error} {advice}")
