"""Making a plan: a pure function of a spec and of the existing entities.

Logins are neither read nor compared. Members of an entity that the spec does not name are kept.

Source: "Update destination dataflows" and "Edit destination connections" for what can be changed, and "Export
datasets by using the Flow Service API" for what cannot; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from airflow_provider_aep.errors import (
    AepAmbiguousNameError,
    AepConflictError,
    AepValidationError,
    Problem,
)
from airflow_provider_aep.exports.differences import flow_changes, is_spelled, param_changes
from airflow_provider_aep.exports.marks import Mark, export_key, make_mark, read_mark
from airflow_provider_aep.exports.plan import Action, Change, Plan, Step
from airflow_provider_aep.exports.plan_warnings import plan_warnings
from airflow_provider_aep.exports.spec import MOST_IN_A_SANDBOX, ExportSpec
from airflow_provider_aep.exports.state import COLLECTIONS, State, first_id, spec_id_of
from airflow_provider_aep.flowservice.connections import dataset_ids_of, full_params
from airflow_provider_aep.flowservice.dataflow_record import state_of
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.schedule import PAST, check_new


def plan_export(
    spec: ExportSpec, state: State, *, sandbox: str, now: datetime, rotate_credentials: bool = False
) -> Plan:
    """The plan for a spec.

    :param rotate_credentials: send the login again, changed or not, because logins cannot be compared.
    :raises AepAmbiguousNameError: several dataflows carry the mark of this export.
    :raises AepConflictError: a dataflow of another owner, or of none, has the name.
    :raises AepValidationError: a dataset or base connection does not exist, or a new export would end
        before it starts.
    """
    datasets = state.dataset_ids(spec.datasets)
    flow, successor = _own_flow(spec, state)
    base = _plan_base(spec, state, flow, rotate_credentials)
    source = _plan_source(spec, state, flow, datasets)
    target = _plan_target(spec, state, flow, base)
    dataflow = _plan_flow(spec, flow, base, source, target, datasets, now)
    if successor is not None:
        dataflow = _finished(spec, dataflow, successor, target)
    steps = (base, source, target, dataflow)
    left = tuple(_left_behind(spec, state, steps))
    return Plan(
        spec=spec,
        sandbox=sandbox,
        steps=steps,
        warnings=tuple(plan_warnings(spec, flow, steps, left, now=now)),
        left_behind=left,
        datasets=datasets,
        disabled=_is_disabled(flow),
    )


def _is_disabled(flow: Document | None) -> bool | None:
    state = state_of(flow) if flow is not None else ""
    return None if state == "unknown" else state == "disabled"


def check_room(new: int, state: State) -> None:
    """Check that the sandbox has room for a number of new dataflows.

    :raises AepValidationError: it would hold more than Adobe allows.
    """
    there = state.destination_flows
    if there + new > MOST_IN_A_SANDBOX:
        rule = (
            f"{new} new dataflows beside the {there} existing ones would make {there + new}; "
            f"Adobe allows {MOST_IN_A_SANDBOX} in a sandbox"
        )
        raise AepValidationError("the exports", [Problem("specs", rule)])


def _mark(spec: ExportSpec, content: object) -> Mark:
    login = [spec.destination.slug, spec.credentials_conn_id]
    return make_mark(owner=spec.owner, name=spec.name, content=content, login=login)


def _own_flow(spec: ExportSpec, state: State) -> tuple[Document | None, Document | None]:
    """The dataflow of an export, and its replacement if an attempt was interrupted between the two."""
    mine = state.marked("dataflow", export_key(spec.owner, spec.name))
    replaced = len(mine) == 2 and state_of(mine[0]) == "disabled"
    if len(mine) > 1 and not replaced:
        raise _several(spec, mine)
    adopted = None
    if spec.adopt and not mine:
        adopted = state.find("dataflow", spec.adopt)
        if adopted is None:
            raise AepConflictError(f"there is no export dataflow {spec.adopt} to adopt", [spec.adopt])
        if mark := read_mark(adopted):
            raise AepConflictError(
                f"dataflow {spec.adopt} cannot be adopted: it carries the mark of {mark.owner}", [spec.adopt]
            )
    own = mine[0] if mine else adopted
    strangers = [
        flow
        for flow in state.entities["dataflow"]
        if flow.get("name") == spec.name and flow is not own and flow not in mine
    ]
    if strangers:
        raise AepConflictError(
            f"the name {spec.name!r} is taken by {', '.join(map(_owned, strangers))}. Choose another name, "
            "or write the id of a dataflow that nobody owns to `adopt`, to take it over.",
            [str(flow["id"]) for flow in strangers],
        )
    return own, mine[1] if replaced else None


def _several(spec: ExportSpec, mine: Sequence[Document]) -> AepAmbiguousNameError:
    ids = [str(flow["id"]) for flow in mine]
    return AepAmbiguousNameError(
        f"{len(mine)} dataflows carry the mark of export {spec.name!r} of {spec.owner}: "
        f"{', '.join(ids)}. Another writer may be at work: run again. If they stay, delete all but one.",
        ids,
    )


def _finished(spec: ExportSpec, step: Step, successor: Document, target: Step) -> Step:
    """The step that completes an interrupted replacement, whose old dataflow still exists.

    A switched-off dataflow is deleted only after its replacement exists, so that its state is not lost.

    :raises AepAmbiguousNameError: the newer one is no replacement but another twin.
    """
    fits = target.id is not None and first_id(successor, "targetConnectionIds") == target.id
    if step.action != "replace" or not fits:
        raise _several(spec, [{"id": step.replaces or step.id}, successor])
    return replace(step, id=str(successor["id"]))


def _owned(flow: Document) -> str:
    mark = read_mark(flow)
    return f"dataflow {flow['id']} ({f'owned by {mark.owner}' if mark else 'owned by nobody'})"


def _plan_base(spec: ExportSpec, state: State, flow: Document | None, rotate: bool) -> Step:
    kind, wanted = "base connection", spec.destination.connection_spec_id
    if spec.base_connection_id:
        given = state.find(kind, spec.base_connection_id)
        if given is None or spec_id_of(given) != wanted:
            rule = f"names no {spec.destination.title} base connection of this sandbox"
            raise _problem(spec, "/destination/base_connection_id", rule)
        if rotate:
            rule = (
                "is not ours, so its login is not sent again: change it in Adobe's UI, or give "
                "credentials_conn_id instead, which creates new connections and a new dataflow"
            )
            raise _problem(spec, "/destination/base_connection_id", rule)
        return Step(action="keep", kind=kind, id=spec.base_connection_id)
    # Only the name of its connection: like a changed login, a changed key is not noticed.
    encryption = [spec.encryption_conn_id] if spec.encryption_conn_id else []
    mark = _mark(spec, [spec.destination.slug, *encryption])
    served = _served_by(state, flow)
    ours = [
        connection
        for connection in state.marked(kind, mark.export)
        # One that was created with other credentials and serves nothing yet may hold a wrong login.
        if spec_id_of(connection) == wanted
        and _content(connection) == mark.content
        and (connection["id"] == served or _login(connection) == mark.login)
    ]
    ours.sort(key=lambda connection: connection["id"] != served)
    if ours:
        base_id = str(ours[0]["id"])
        if not (rotate and spec.credentials_conn_id):
            return Step(action="keep", kind=kind, id=base_id, mark=mark)
        login = Change(field="login", old=None, new=f"sent again, from {spec.credentials_conn_id}")
        return Step(action="update", kind=kind, id=base_id, changes=(login,), mark=mark)
    new = f"from {spec.credentials_conn_id}" if spec.credentials_conn_id else "none, the storage is Adobe's"
    changes: tuple[Change, ...] = (Change(field="login", old=None, new=new),)
    if spec.encryption_conn_id:
        changes += (Change(field="encryption", old=None, new=f"key from {spec.encryption_conn_id}"),)
    if served is None:
        return Step(action="create", kind=kind, changes=changes, mark=mark)
    return Step(action="replace", kind=kind, replaces=served, changes=changes, mark=mark)


def _plan_source(
    spec: ExportSpec, state: State, flow: Document | None, datasets: Mapping[str, str | None]
) -> Step:
    kind, wanted = "source connection", sorted(datasets)
    mark = _mark(spec, wanted)
    served = first_id(flow, "sourceConnectionIds")
    current = state.find(kind, served)
    if current is not None and _datasets_of(current) == wanted:
        return Step(action="keep", kind=kind, id=served, mark=mark)
    fitting = [
        connection for connection in state.marked(kind, mark.export) if _datasets_of(connection) == wanted
    ]
    source_id = str(fitting[0]["id"]) if fitting else None
    changes = (Change(field="datasets", old=_datasets_of(current) if current else None, new=wanted),)
    if flow is not None:
        return Step(action="replace", kind=kind, id=source_id, replaces=served, changes=changes, mark=mark)
    if source_id:
        return Step(action="keep", kind=kind, id=source_id, mark=mark)
    return Step(action="create", kind=kind, changes=changes, mark=mark)


def _plan_target(spec: ExportSpec, state: State, flow: Document | None, base: Step) -> Step:
    kind, wanted = "target connection", full_params(spec.target_params)
    mark = _mark(spec, [spec.destination.slug, wanted])
    served = first_id(flow, "targetConnectionIds")
    current = state.find(kind, served)

    def fits(target: Document) -> bool:
        return base.id is not None and target.get("baseConnectionId") == base.id

    if current is not None and fits(current):
        changes = tuple(param_changes(current, wanted))
        alone = len(state.users(str(current["id"]))) == 1
        # A target that also serves somebody else's dataflow must not be changed.
        if not changes or alone or _export(current) == mark.export:
            action: Action = "update" if changes else "keep"
            own = _export(current) == mark.export
            return Step(
                action=action,
                kind=kind,
                id=served,
                changes=changes,
                mark=mark,
                ours=own,
                spelled=is_spelled(current),
            )
    ours = [target for target in state.marked(kind, mark.export) if fits(target)]
    same = [target for target in ours if not any(param_changes(target, wanted))]
    target_id = str(same[0]["id"]) if same else None
    changes = tuple(param_changes(current or {}, wanted))
    if flow is not None:
        moved = Change(
            field="base connection", old=(current or {}).get("baseConnectionId"), new=base.id or "new"
        )
        changes = changes or (moved,)
        return Step(action="replace", kind=kind, id=target_id, replaces=served, changes=changes, mark=mark)
    if target_id:
        return Step(action="keep", kind=kind, id=target_id, mark=mark)
    if ours:
        changes = tuple(param_changes(ours[0], wanted))
        target_id, spelled = str(ours[0]["id"]), is_spelled(ours[0])
        return Step(
            action="update", kind=kind, id=target_id, changes=changes, mark=mark, ours=True, spelled=spelled
        )
    return Step(action="create", kind=kind, changes=changes, mark=mark)


def _plan_flow(
    spec: ExportSpec,
    flow: Document | None,
    base: Step,
    source: Step,
    target: Step,
    datasets: Mapping[str, str | None],
    now: datetime,
) -> Step:
    kind = "dataflow"
    words = spec.to_json()["schedule"]
    params = full_params(spec.target_params)
    encryption = [spec.encryption_conn_id] if spec.encryption_conn_id else []
    place = [spec.destination.slug, params, spec.base_connection_id, *encryption]
    mark = _mark(spec, [sorted(datasets), place, words, spec.description])
    current = read_mark(flow) if flow else None
    if base.action == "keep" and current is not None:
        # The login is not sent again, so the mark keeps saying where it came from.
        mark = replace(mark, login=current.login)
    if flow is None or target.id != first_id(flow, "targetConnectionIds"):
        check_new(spec.schedule.every)
        if spec.schedule.end is not None and spec.schedule.end <= now:
            raise _problem(spec, "/schedule/end", PAST)
        changes = tuple(Change(field=f"schedule.{key}", old=None, new=value) for key, value in words.items())
        if flow is None:
            return Step(action="create", kind=kind, changes=changes, mark=mark)
        moved = Change(field="target connection", old=target.replaces, new=target.id or "new")
        return Step(action="replace", kind=kind, replaces=str(flow["id"]), changes=(moved,), mark=mark)
    changes = tuple(flow_changes(flow, spec, mark=mark, source_id=source.id, now=now))
    if (
        current
        and current.login == mark.login
        and all(step.action == "keep" for step in (base, source, target))
    ):
        # A spec that spells the same settings differently, such as an imported one, causes no write.
        changes = () if {change.field for change in changes} == {"mark"} else changes
    action: Action = "update" if changes else "keep"
    spelled = is_spelled(flow)
    return Step(action=action, kind=kind, id=str(flow["id"]), changes=changes, mark=mark, spelled=spelled)


def _left_behind(spec: ExportSpec, state: State, steps: Sequence[Step]) -> Iterator[Mapping[str, str]]:
    key = export_key(spec.owner, spec.name)
    used = {step.id for step in steps} | {step.replaces for step in steps}
    for kind in COLLECTIONS:
        for entity in state.marked(kind, key):
            if entity["id"] not in used:
                yield {"kind": kind, "id": str(entity["id"])}


def _served_by(state: State, flow: Document | None) -> str | None:
    """The base connection behind a dataflow."""
    target = state.find("target connection", first_id(flow, "targetConnectionIds"))
    base_id = target.get("baseConnectionId") if target else None
    return str(base_id) if base_id else None


def _datasets_of(source: Document) -> list[str]:
    return sorted(dataset_ids_of(source))


def _export(entity: Document) -> str | None:
    mark = read_mark(entity)
    return mark.export if mark else None


def _content(entity: Document) -> str | None:
    mark = read_mark(entity)
    return mark.content if mark else None


def _login(entity: Document) -> str | None:
    mark = read_mark(entity)
    return mark.login if mark else None


def _problem(spec: ExportSpec, pointer: str, rule: str) -> AepValidationError:
    return AepValidationError(f"export spec {spec.name!r}", [Problem(pointer, rule)])
