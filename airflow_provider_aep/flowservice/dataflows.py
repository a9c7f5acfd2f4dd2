"""Dataflows: one source and one target connection tied together on a schedule.

Source: "Export datasets by using the Flow Service API"; "Update destination dataflows"; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_aep.errors import (
    AepApiError,
    AepError,
    AepServerError,
    AepTransportError,
    AepUnseenError,
)
from airflow_provider_aep.flowservice.cadences import AS_IS, CADENCES, OUTDATED, allowed, step_of
from airflow_provider_aep.flowservice.dataflow_record import (
    Dataflow,
    exports_datasets,
    has_destination,
    must_be_asked,
    spec_id_of,
)
from airflow_provider_aep.flowservice.destinations import SPEC_VERSION, Destination
from airflow_provider_aep.flowservice.documents import Document, mapping
from airflow_provider_aep.flowservice.entities import (
    CHANGE_PAUSE,
    CHANGE_TRIES,
    Operations,
    delete_entity,
    get_entity,
    is_transitional,
    patch_entity,
)
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Request, look_until
from airflow_provider_aep.flowservice.listing import list_entities, only
from airflow_provider_aep.flowservice.schedule import Schedule, merge_schedule, parse_schedule_change
from airflow_provider_aep.flowservice.validation import check_id, check_name

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.catalogue import FlowSpec
    from airflow_provider_aep.flowservice.creation import Created

__all__ = [
    "Dataflow",
    "cadence_warnings",
    "create_dataflow",
    "delete_dataflow",
    "get_dataflow",
    "get_flow_spec",
    "list_dataflows",
    "read_dataflows",
    "set_dataflow_state",
    "update_schedule",
]
State = Literal["enabled", "disabled"]
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescheduled:
    """How a schedule changed: its ``scheduleParams`` before and after.

    :param warnings: about a cadence that no document names.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


def create_dataflow(
    *,
    name: str,
    destination: Destination,
    source_connection_id: str,
    target_connection_id: str,
    schedule: Schedule,
    now: datetime,
    description: str | None = None,
    marker: str | None = None,
    look_first: bool = False,
) -> Exchange[Created]:
    """Tie a source and a target connection together. The dataflow starts enabled.

    :param now: the start of a schedule that names none.
    """
    from airflow_provider_aep.flowservice.creation import create_entity

    document: dict[str, Any] = {
        "name": check_name(name),
        "flowSpec": {"id": destination.flow_spec_id, "version": SPEC_VERSION},
        "sourceConnectionIds": [check_id("source_connection_id", source_connection_id)],
        "targetConnectionIds": [check_id("target_connection_id", target_connection_id)],
        "transformations": [],
        "scheduleParams": schedule.to_api(now),
    }
    if description:
        document["description"] = description
    # Times that the author left out: the first attempt computed them from another now.
    given = {"/scheduleParams/startTime": schedule.start, "/scheduleParams/endTime": schedule.end}
    created = yield from create_entity(
        "flows",
        document,
        marker=marker,
        look_first=look_first,
        volatile=[pointer for pointer, time in given.items() if time is None],
    )
    return created


def get_flow_spec(flow_spec_id: str) -> Exchange[Document]:
    """Adobe's spec of dataflows to one destination; its ``scheduleSpec`` may list the cadences.

    :raises AepNotFoundError: the organization has no flow spec with that id.
    """
    spec = yield from get_entity("flowSpecs", flow_spec_id, field="flow_spec_id", keep=True)
    return spec


def cadence_warnings(flow_spec_id: str | None, every: str | None) -> Exchange[list[str]]:
    """Warnings about a cadence that no document names, from the live flow spec.

    Nothing is sent for a documented cadence. No cadence is refused here: flow specs are not documented, so a
    cadence that one does not name may still run.

    :param every: as in ``Schedule`` and ``ScheduleChange``.
    """
    if every is None or every in (*CADENCES, OUTDATED, AS_IS):
        return []
    documented = ", ".join(CADENCES)
    sent = f"it is sent as asked: watch its first runs. Adobe's documents on the API name {documented}"
    if flow_spec_id is None:
        return [f"schedule: no flow spec is known that could allow every: {every}; {sent}"]
    try:
        spec = yield from get_flow_spec(flow_spec_id)
    except AepError as error:
        why = f"status {error.status}" if isinstance(error, AepApiError) else type(error).__name__
        unread = f"the flow spec that would say whether every: {every} is allowed cannot be read ({why})"
        return [f"schedule: {unread}; {sent}"]
    answer = allowed(spec, every)
    if answer == "yes":
        return []
    if answer == "no":
        return [
            f"schedule: the flow spec does not allow every: {every}, so the service may refuse it; {sent}"
        ]
    return [f"schedule: the flow spec does not say whether every: {every} is allowed; {sent}"]


def get_dataflow(dataflow_id: str) -> Exchange[Dataflow]:
    """One dataflow.

    :raises AepNotFoundError: the sandbox has no dataflow with that id.
    """
    document = yield from get_entity("flows", dataflow_id, field="dataflow_id")
    return Dataflow.from_api(document)


def list_dataflows(*, whole: bool = False) -> Exchange[list[Dataflow]]:
    """The dataset export dataflows of the sandbox, to any destination, newest first.

    :param whole: read all dataflows of the sandbox, and select.
    """
    from airflow_provider_aep.flowservice.catalogue import destination_of_flow_spec

    documents = yield from flows_to_destinations(whole=whole)
    unknown = {str(spec_id_of(item)) for item in documents if must_be_asked(item)}
    specs: dict[str, FlowSpec] = {}
    for flow_spec_id in sorted(unknown):
        # If a spec cannot be read, its dataflows have no destination name.
        with suppress(AepError):
            specs[flow_spec_id] = yield from destination_of_flow_spec(flow_spec_id)
    exports = []
    for item in documents:
        spec = specs.get(str(spec_id_of(item)))
        if exports_datasets(item) or (spec and spec.exports_datasets):
            flow = Dataflow.from_api(item)
            exports.append(replace(flow, destination=spec.name) if spec else flow)
    return sorted(exports, key=lambda flow: flow.created_at or _LONG_AGO, reverse=True)


def flows_to_destinations(*, whole: bool = False) -> Exchange[list[Document]]:
    """The dataflows to destinations in the order of the listing, each once, audience dataflows included.

    Adobe allows a hundred of them in a sandbox.

    :param whole: read all dataflows of the sandbox, and select; also done if the filter finds no export.
    """
    documents: list[Document] = []
    if not whole:
        documents = yield from list_entities(
            "/flows", only("inheritedAttributes.properties.isDestinationFlow", "true")
        )
    if not any(map(exports_datasets, documents)):
        documents = yield from list_entities("/flows")
    once = {document["id"]: document for document in documents}
    return [document for document in once.values() if has_destination(document)]


def read_dataflows(dataflow_ids: Sequence[str]) -> Exchange[list[Dataflow]]:
    """Up to 100 dataflows by id, in one request; omits those that the sandbox does not have."""
    wanted = only("id", *(check_id("dataflow_id", dataflow_id) for dataflow_id in dataflow_ids))
    documents = yield from list_entities("/flows", wanted, or_all=False)
    return [Dataflow.from_api(item) for item in documents]


def set_dataflow_state(dataflow_id: str, wanted: State) -> Exchange[bool]:
    """Enable or disable a dataflow; ``False`` if it was in that state already.

    Safe to repeat: the state is read first, and again after each response, also a successful one.

    :raises AepUnseenError: the service accepted the change and still shows the other state.
    """
    op = "enable" if wanted == "enabled" else "disable"
    check_id("dataflow_id", dataflow_id)
    for attempt in range(1, CHANGE_TRIES + 1):
        flow = yield from get_dataflow(dataflow_id)
        if flow.state == wanted:
            return attempt > 1
        try:
            yield Request("POST", f"/flows/{dataflow_id}/action", params={"op": op})
        except (AepApiError, AepTransportError) as error:
            unknown = isinstance(error, AepServerError | AepTransportError)
            refused = isinstance(error, AepApiError) and error.status == 400 and not is_transitional(error)
            if refused and op.islower():
                op = op.upper()  # one reference writes it so
                continue
            if attempt == CHANGE_TRIES or not (unknown or is_transitional(error)):
                raise
            yield Pause(CHANGE_PAUSE)
        else:
            yield from _see_state(dataflow_id, wanted)
            return True
    raise AssertionError("unreachable: the last try returns or raises")


def _see_state(dataflow_id: str, wanted: State) -> Exchange[None]:
    """Wait until a dataflow shows the state that an action has set.

    A read with the old state may be late, or the accepted action may have done nothing.
    """
    other = "disabled" if wanted == "enabled" else "enabled"

    def has_moved() -> Exchange[bool | None]:
        flow = yield from get_dataflow(dataflow_id)
        return flow.state != other  # it may also be transitional or unknown

    moved, _ = yield from look_until(has_moved)
    if not moved:
        raise AepUnseenError(
            f"dataflow {dataflow_id} is still {other}, although the service accepted the change. "
            "Look at it in Adobe.",
            [dataflow_id],
        )


def update_schedule(
    dataflow_id: str, given: str | Mapping[str, Any], *, now: datetime
) -> Exchange[Rescheduled | None]:
    """Change parts of a dataflow's schedule; ``None``, and nothing is sent, if nothing differs.

    :param given: as for ``parse_schedule``; keys that it omits keep their value, ``every`` too.
    :raises AepValidationError: it breaks a rule, or does not fit what is kept; nothing was changed.
    :raises AepPreconditionError: somebody else keeps changing the dataflow.
    """
    change = parse_schedule_change(given, now=now)
    before: list[Document] = []
    after: dict[str, Any] = {}

    def revise(document: Document) -> Operations:
        current = mapping(document.get("scheduleParams"))
        wanted = merge_schedule(current, change)
        before.append(document)
        after.clear()
        after.update(wanted)
        if wanted == current:
            return []
        # Sent whole, because no document says whether the service merges.
        op = "replace" if "scheduleParams" in document else "add"
        return [{"op": op, "path": "/scheduleParams", "value": wanted}]

    changed = yield from patch_entity("flows", dataflow_id, revise, field="dataflow_id")
    if not changed:
        return None
    was = mapping(before[0].get("scheduleParams"))
    warnings: list[str] = []
    if step_of(was) != step_of(after):
        flow_spec_id = mapping(before[0].get("flowSpec")).get("id")
        warnings = yield from cadence_warnings(flow_spec_id, change.every)
    return Rescheduled(before=was, after=after, warnings=tuple(warnings))


def delete_dataflow(dataflow_id: str) -> Exchange[bool]:
    """Delete a dataflow, not its connections; ``False`` if it was gone already.

    :raises AepUnseenError: the service still lists it, so an ensure would take it for an existing one.
    """
    deleted = yield from delete_entity("flows", dataflow_id, field="dataflow_id")
    if not deleted:
        return False

    def is_gone() -> Exchange[bool | None]:
        listed = yield from list_entities("/flows", only("id", dataflow_id))
        return all(item["id"] != dataflow_id for item in listed)

    gone, _ = yield from look_until(is_gone)
    if gone:
        return True
    raise AepUnseenError(
        f"dataflow {dataflow_id} was deleted, but the service still lists it. Do not ensure its export again "
        "before it is gone.",
        [dataflow_id],
    )
