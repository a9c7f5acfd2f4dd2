"""Worlds in which creating an entity behaves differently.

Source of what is open: the two references, which disagree about responses; export datasets tutorial.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_aep.emulator.entities import CONNECTORS
from airflow_provider_aep.emulator.replies import flow_error, undocumented
from airflow_provider_aep.emulator.world import Call
from airflow_provider_aep.emulator.worlds.deviation import Answer, Deviation, Instead, Scene

INITIALIZING_SECONDS = 60.0
REFERABLE_AFTER = 10.0


def _created(change: Callable[[Scene, Answer], None]) -> Callable[[Scene, Answer], None]:
    """Rewrite the response of a successful create."""

    def answers(scene: Scene, answer: Answer) -> None:
        if scene.creates and answer.status == 201:
            change(scene, answer)

    return answers


def _as_200(scene: Scene, answer: Answer) -> None:
    answer.status = 200


def _in_items(scene: Scene, answer: Answer) -> None:
    answer.body = {"items": [answer.body]}


def _without_etag(scene: Scene, answer: Answer) -> None:
    answer.body = {name: value for name, value in answer.body.items() if name != "etag"}


def _only_place(scene: Scene, answer: Answer) -> None:
    answer.body = None


def _disabled(scene: Scene, answer: Answer) -> None:
    if scene.kind == "flows":
        kept = scene.entities.get("flows", scene.call.sandbox, answer.body["id"])
        scene.entities.change("flows", kept, {"state": "disabled"}, by=CONNECTORS)


def _unique_names(scene: Scene, call: Call) -> Call:
    if scene.creates and isinstance(call.body, dict):
        names = {entity["name"] for entity in scene.entities.all(scene.kind, call.sandbox)}
        if call.body.get("name") in names:
            raise undocumented(f"The name is taken by another entity in {scene.kind}")
    return call


def _too_new(scene: Scene, call: Call) -> Call:
    if not scene.creates or not isinstance(call.body, dict):
        return call
    body = call.body
    for kind, ids in (
        ("connections", [body.get("baseConnectionId")]),
        ("sourceConnections", body.get("sourceConnectionIds", [])),
        ("targetConnections", body.get("targetConnectionIds", [])),
    ):
        for entity_id in ids:
            kept = scene.entities.find(kind, call.sandbox, entity_id)
            if kept and scene.entities.came(kept["id"]) > scene.now - REFERABLE_AFTER:
                raise undocumented(f"{kind}: the entity is not found")
    return call


def _six_months(scene: Scene, call: Call) -> Call:
    """Remove the end from the request: without one, the service sets its own."""

    def endless(schedule: Any) -> Any:
        if not isinstance(schedule, dict):
            return schedule
        return {name: value for name, value in schedule.items() if name != "endTime"}

    body = call.body
    if scene.creates and scene.kind == "flows" and isinstance(body, dict) and "scheduleParams" in body:
        return replace(call, body={**body, "scheduleParams": endless(body["scheduleParams"])})
    if call.method == "PATCH" and scene.kind == "flows" and isinstance(body, list):
        operations = [
            {**patch, "value": endless(patch["value"])}
            if isinstance(patch, dict) and patch.get("path") == "/scheduleParams" and "value" in patch
            else patch
            for patch in body
        ]
        return replace(call, body=operations)
    return call


def _past_refused(scene: Scene, call: Call) -> Call:
    if scene.creates and scene.kind == "flows" and isinstance(call.body, dict):
        start = (call.body.get("scheduleParams") or {}).get("startTime")
        if isinstance(start, int) and start < scene.now - 60:
            raise undocumented("scheduleParams.startTime must not lie in the past")
    return call


def _login_tried(scene: Scene, call: Call) -> Call:
    if scene.creates and scene.kind == "connections" and call.document.get("auth"):
        raise flow_error(1100, 400, "The storage refuses the login")
    return call


def _twins_found(scene: Scene, call: Call) -> Call:
    """A create that repeats one of the last minute returns the entity of that one."""
    if not scene.creates or not isinstance(call.body, dict):
        return call
    for made, body, entity_id in scene.memory.get(scene.kind, ()):
        kept = scene.entities.find(scene.kind, call.sandbox, entity_id)
        if kept and body == call.body and made > scene.now - 60:
            raise Instead(200, {"id": entity_id, "etag": kept["etag"]})
    return call


def _create_remembered(scene: Scene, answer: Answer) -> None:
    if scene.creates and answer.status == 201:
        made = (scene.now, copy.deepcopy(scene.call.body), answer.body["id"])
        scene.memory.setdefault(scene.kind, []).append(made)


CREATING = (
    Deviation(
        name="bare-entities",
        says="A read by id answers with the entity itself, without items.",
        source="newest tutorial: bare; Destinations reference and guides: in items",
        settings={"bare_entities": True},
    ),
    Deviation(
        name="run-per-dataset",
        says="A tick makes one run for each dataset of a dataflow.",
        source="documented nowhere: one run for a tick, or one for each dataset",
        settings={"run_per_dataset": True},
    ),
    Deviation(
        name="reject-uncompressed-json",
        says="JSON without compression is refused.",
        source="tutorial: its text forbids it, and its samples send it",
        settings={"reject_uncompressed_json": True},
    ),
    Deviation(
        name="new-flows-initialize",
        says="A new dataflow is initializing for a minute, and cannot be changed or deleted.",
        source="error table: 1417 and 1420 speak of the state initializing",
        settings={"initializing_seconds": INITIALIZING_SECONDS},
    ),
    Deviation(
        name="new-flows-start-disabled",
        says="A new dataflow is disabled.",
        source="documented nowhere: in which state a new dataflow is",
        answers=_created(_disabled),
    ),
    Deviation(
        name="post-answers-200",
        says="A create answers 200 rather than 201.",
        source="documented nowhere: the references only print 201",
        answers=_created(_as_200),
    ),
    Deviation(
        name="post-answers-items",
        says="A create answers with the id and etag in items.",
        source="on-demand ingestion guide: a POST of runs answers so",
        answers=_created(_in_items),
    ),
    Deviation(
        name="post-answers-no-etag",
        says="A create answers with only the id.",
        source="first edition of the tutorial: leaves an answer out",
        answers=_created(_without_etag),
    ),
    Deviation(
        name="post-answers-location-only",
        says="A create answers with a Location header and without a body.",
        source="Sources reference: a Location header, beside a body",
        answers=_created(_only_place),
    ),
    Deviation(
        name="post-finds-its-twin",
        says="A create that repeats one of the last minute answers 200 with the entity that is there.",
        source="documented nowhere: whether the service has any protection against repeats",
        asks=_twins_found,
        answers=_create_remembered,
    ),
    Deviation(
        name="duplicate-names-refused",
        says="A create with a name that is taken is refused with 400.",
        source="documented nowhere: whether names are unique",
        asks=_unique_names,
    ),
    Deviation(
        name="new-entities-not-referable",
        says="What was created cannot be referred to by another entity for ten seconds.",
        source="documented nowhere: when an id may be used",
        asks=_too_new,
    ),
    Deviation(
        name="logins-tried",
        says="A login is tried when it is stored, and refused with 400.",
        source="documented nowhere: whether a create tries the login",
        asks=_login_tried,
    ),
    Deviation(
        name="end-after-six-months",
        says="A schedule ends six months after its creation, whatever end is sent.",
        source="2025 edition of the tutorial: six months without an end; the newest is silent",
        asks=_six_months,
    ),
    Deviation(
        name="past-start-refused",
        says="A dataflow whose schedule starts in the past is refused with 400.",
        source="documented nowhere: whether a start may lie in the past",
        asks=_past_refused,
    ),
)
