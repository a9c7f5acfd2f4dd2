"""The operations of a PATCH, computed from the entity as just read, so that no other member is lost.

Each function returns the operations that bring an entity to its spec; none if nothing differs.

Source: "Update destination dataflows", "Edit destination connections"; read 2026-11.
"""

from __future__ import annotations

from datetime import datetime

from airflow_provider_aep.errors import AepConflictError
from airflow_provider_aep.exports.differences import flow_changes, param_changes
from airflow_provider_aep.exports.marks import described, read_mark, text_of
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.plan import Step
from airflow_provider_aep.flowservice.connections import full_params
from airflow_provider_aep.flowservice.documents import Document, mapping, sequence
from airflow_provider_aep.flowservice.entities import Operations
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import list_entities, only


def revise_login(outcome: Outcome, entity: Document, *, login: Document) -> Operations:
    step = outcome.step("base connection")
    _check_ours(outcome, step, entity)
    kept = mapping(entity.get("auth"))
    if kept.get("specName") not in (None, login.get("specName")):
        raise AepConflictError(
            f"base connection {step.id} logs in by {kept['specName']}, and the credentials are for "
            f"{login.get('specName')}: that cannot be changed. Delete the export with its base "
            "connection, and ensure it again.",
            [str(step.id)],
        )
    op = "replace" if "params" in kept else "add"
    operations = [{"op": op, "path": "/auth/params", "value": dict(login["params"])}]
    mark = read_mark(entity)
    if mark and step.mark and mark.login != step.mark.login:
        # Only then: a login must not depend on the assumption that a description can be changed here.
        text = described(text_of(entity), step.mark)
        operations.append({"op": "replace", "path": "/description", "value": text})
    return operations


def check_alone(outcome: Outcome) -> Exchange[None]:
    """Check that a target connection without our mark serves no other dataflow, of any kind.

    :raises AepConflictError: it does, so its parameters must not be changed.
    """
    step = outcome.step("target connection")
    if step.ours:
        return
    users = yield from list_entities("/flows", only("targetConnectionIds[]", str(step.id)))
    if not users:  # it serves at least our own dataflow, so the filter does not work
        users = yield from list_entities("/flows")
    others = [
        str(flow["id"])
        for flow in users
        if flow["id"] != outcome.ids.get("dataflow") and step.id in sequence(flow.get("targetConnectionIds"))
    ]
    if others:
        raise AepConflictError(
            f"target connection {step.id} also serves {', '.join(others)}, so it is not changed for export "
            f"{outcome.spec.name!r}",
            others,
        )


def revise_params(outcome: Outcome, target: Document) -> Operations:
    wanted = full_params(outcome.spec.target_params)
    if not any(param_changes(target, wanted)):
        return []
    # Sent whole, with the existing values, because a part would remove the rest.
    merged = {**mapping(target.get("params")), **wanted}
    return [{"op": "replace" if "params" in target else "add", "path": "/params", "value": merged}]


def revise_flow(outcome: Outcome, flow: Document, *, now: datetime) -> Operations:
    step = outcome.step("dataflow")
    _check_ours(outcome, step, flow)
    spec, mark = outcome.spec, step.mark
    assert mark is not None  # a dataflow is always ours
    source_id = outcome.ids["source connection"]
    fields = {
        change.field.partition(".")[0]
        for change in flow_changes(flow, spec, mark=mark, source_id=source_id, now=now)
    }
    if not fields:
        return []
    text = spec.description if spec.description is not None else text_of(flow)
    values = {
        "name": ("/name", spec.name),
        "source connection": ("/sourceConnectionIds", [source_id]),
        "schedule": (
            "/scheduleParams",
            spec.wanted_schedule(mapping(flow.get("scheduleParams")), now=now),
        ),
    }
    changes = [place for field, place in values.items() if field in fields]
    changes.append(("/description", described(text, mark)))
    return [
        {"op": "replace" if path[1:] in flow else "add", "path": path, "value": value}
        for path, value in changes
    ]


def _check_ours(outcome: Outcome, step: Step, entity: Document) -> None:
    mark = read_mark(entity)
    if mark and step.mark and mark.export != step.mark.export:
        raise AepConflictError(
            f"{step.kind} {step.id} of export {outcome.spec.name!r} has got another owner: {mark.owner}",
            [str(step.id)],
        )
