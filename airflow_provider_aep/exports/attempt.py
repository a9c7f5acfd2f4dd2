"""One pass through plans: kind by kind, with a check of the listings after each kind.

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

# The most requests that are under way at a time.
AT_MOST = 8


def fail(outcomes: Sequence[Outcome], error: AepError) -> None:
    """Set the error of each outcome that has none yet."""
    for outcome in outcomes:
        outcome.error = outcome.error or error


class Attempt:
    """One pass through all plans, kind by kind."""

    def __init__(self, *, now: datetime, logins: Logins, progress: Callable[[Outcome], object]) -> None:
        self.now, self.logins, self.progress = now, logins, progress

    def carry_out(self, outcomes: Sequence[Outcome]) -> Exchange[list[Outcome]]:
        """Carry out the plans; returns the outcomes that another writer has overtaken."""
        changing = []
        for outcome in outcomes:
            if outcome.plan and outcome.plan.changes:
                changing.append(outcome)
            else:
                self.progress(outcome)
        yield from check_live(changing, self.logins)
        overtaken: list[Outcome] = []
        for kind in COLLECTIONS:
            active = [outcome for outcome in changing if not outcome.error and outcome not in overtaken]
            working = [outcome for outcome in active if outcome.step(kind).action != "keep"]
            ends = yield from together([self._do(outcome, kind) for outcome in working], at_most=AT_MOST)
            made = []
            for outcome, end in zip(working, ends, strict=True):
                if not isinstance(end, Done):
                    outcome.error = end
                elif end.value is not None:
                    made.append(outcome)
            try:
                there: Sequence[Document] = ()
                if made:
                    late, there = yield from settle(made, kind)
                    overtaken += late
                written = [outcome for outcome in working if not outcome.error and outcome not in overtaken]
                if kind == "dataflow":
                    yield from self._switch_on([outcome for outcome in written if outcome in made], there)
                # The listing made for created entities may be older than an update of another one.
                fresh = all(outcome in made for outcome in written)
                yield from accept_spelling(written, kind, there if fresh else None, now=self.now)
            except AepError as error:
                fail(made or working, error)
        for outcome in changing:
            if outcome not in overtaken:
                self.progress(outcome)
        return overtaken

    def _do(self, outcome: Outcome, kind: str) -> Exchange[Created | None]:
        """Carry out one step; returns the created entity, if there is one."""
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
        """Replace a dataflow by another one; they must never export at the same time."""
        old, disabled = str(step.replaces), outcome.plan and outcome.plan.disabled
        if disabled is None:
            raise AepConflictError(
                f"the service does not say whether dataflow {old} is switched off, so it is not replaced: "
                "the new one would be switched on. Delete the export, and ensure it again.",
                [old],
            )
        if disabled:
            # Only the old one records that it is switched off, so it is deleted last.
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
        """Disable a new dataflow, which starts enabled; if that fails, delete it."""
        new = {"kind": "dataflow", "id": outcome.ids["dataflow"]}
        try:
            yield from set_dataflow_state(new["id"], "disabled")
        except AepError:
            yield from delete_unused("dataflow", new["id"])
            if new in outcome.created:
                outcome.created.remove(new)
            raise

    def _switch_on(self, outcomes: Sequence[Outcome], there: Sequence[Document]) -> Exchange[None]:
        """Enable new dataflows that are disabled; no document says that they start enabled."""
        off = {str(flow["id"]) for flow in there if state_of(flow) == "disabled"}
        for outcome in outcomes:
            if outcome.ids["dataflow"] in off and not (outcome.plan and outcome.plan.disabled):
                try:
                    yield from set_dataflow_state(outcome.ids["dataflow"], "enabled")
                except AepError as error:
                    outcome.error = error

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
            datasets = [{"id": dataset_id, "name": name} for dataset_id, name in outcome.datasets.items()]
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
            # It was found by its whole mark after a lost response, so it is what was sent, in another form.
            created = Created(id=conflict.ids[0], etag=None, adopted=True)
        return created

    def _update(self, outcome: Outcome, step: Step) -> Exchange[bool]:
        spec = outcome.spec
        login: Document = {}
        if step.kind == "base connection" and (held := login_of(spec, self.logins)) is not None:
            login = yield from live_login(spec.destination, held, advice=advice_of(spec))

        def revise(entity: Document) -> Operations:
            if step.kind == "base connection":
                return revise_login(outcome, entity, login=login)
            if step.kind == "target connection":
                return revise_params(outcome, entity)
            return revise_flow(outcome, entity, now=self.now)

        changed = yield from patch_entity(
            COLLECTIONS[step.kind], str(step.id), revise, field=f"{step.kind} id"
        )
        return changed


def check_live(outcomes: Sequence[Outcome], logins: Logins | None) -> Exchange[None]:
    """Check what would be sent against Adobe's live specs, before anything is created."""
    for outcome in outcomes:
        destination = outcome.spec.destination
        if outcome.step("dataflow").sets("schedule.every"):
            warnings = yield from cadence_warnings(destination.flow_spec_id, outcome.spec.schedule.every)
            _warn(outcome, warnings)
        base, target = outcome.step("base connection"), outcome.step("target connection")
        if base.action == target.action == "keep":
            continue
        try:
            spec = yield from get_connection_spec(destination)
            if target.action != "keep" and (
                problems := target_problems(spec, full_params(outcome.spec.target_params))
            ):
                raise AepValidationError(f"the {destination.title} target_params", problems)
            login = login_of(outcome.spec, logins) if logins is not None and base.action != "keep" else None
            if login:
                resolve_login(login, spec, title=destination.title, advice=advice_of(outcome.spec))
            if logins is not None and base.action not in ("keep", "update"):
                key = encryption_of(outcome.spec, logins)
                if key is not None:
                    resolve_encryption(key, spec, title=destination.title)
        except AepError as error:
            outcome.error = error


def _warn(outcome: Outcome, warnings: Sequence[str]) -> None:
    """Add warnings to an outcome, and to its plan, which people read before they ensure."""
    new = [warning for warning in warnings if warning not in outcome.warnings]
    outcome.warnings += new
    if outcome.plan is not None:
        outcome.plan = replace(outcome.plan, warnings=(*outcome.plan.warnings, *new))


def _with_advice(error: AepError, advice: str) -> AepError:
    """The same error, of the same class if it is about the service, with additional advice."""
    if isinstance(error, AepApiError):
        return error.with_hint(f"{error.hint} {advice}" if error.hint else advice)
    if isinstance(error, AepTransportError):
        return AepTransportError(f"{error}. {advice}", sent=error.sent)
    return AepError(f"{error} {advice}")
