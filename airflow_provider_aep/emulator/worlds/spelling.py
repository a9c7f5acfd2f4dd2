"""Worlds in which a read shows another spelling of what was sent: letter case, types, members.

Source of what is open: the references' schemas and samples, which differ, and samples that are cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.worlds.deviation import Answer, Deviation, Scene

Change = Callable[[Document], Document]
Answers = Callable[[Scene, Answer], None]
AS_SENT = "documented nowhere: whether a read shows a text as it was sent"
TYPES = "Adobe's client sends numbers as texts; which type a read shows is documented nowhere"
MEMBERS = "samples show more, or fewer, members than the schemas"
CASE = "Sources reference: words in upper case; samples: in lower case"
TOP = ("description", "flowSpec", "connectionSpec", "inheritedAttributes", "transformations", "labels")
ENTITIES = ("connections", "sourceConnections", "targetConnections", "flows")


def shown(change: Change, *only: str, listed: bool = True, read: bool = True) -> Answers:
    """Change each entity that a listing, or a read by id, shows."""

    def answers(scene: Scene, answer: Answer) -> None:
        if scene.kind in (only or ENTITIES) and ((listed and scene.lists) or (read and scene.reads)):
            answer.rewrite_items(change)

    return answers


def member(name: str, change: Callable[[Any], Any]) -> Change:
    """Change one member, if it exists."""
    return lambda item: {**item, name: change(item[name])} if item.get(name) is not None else item


def without(*names: str) -> Change:
    return lambda item: {name: value for name, value in item.items() if name not in names}


def texts(value: Any) -> Any:
    """Every number and boolean as a text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return {name: texts(member) for name, member in value.items()}
    return [texts(item) for item in value] if isinstance(value, list) else value


def in_params(*names: str, change: Callable[[str], str]) -> Change:
    """Change texts in the parameters of a connection, or in a schedule."""

    def changed(params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: change(value) if name in names and isinstance(value, str) else value
            for name, value in params.items()
        }

    return lambda item: member("params", changed)(member("scheduleParams", changed)(item))


def _extra(item: Document) -> Document:
    more = {"serviceVersion": "2", "retention": {"days": 30}, "manifest": None}
    changed = member("scheduleParams", lambda schedule: {**schedule, "timezone": "UTC", "backfill": False})
    changed_params = member("params", lambda params: {**params, "includeFileManifest": False, **more})
    return changed_params(changed({**item, **more}))


def _nulls(item: Document) -> Document:
    return {**dict.fromkeys(TOP), **item}


def _renamed(names: Mapping[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda members: {names.get(name, name): value for name, value in members.items()}


def _as_objects(item: Document) -> Document:
    def first(inherited: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value[0] if isinstance(value, list) and value else value
            for name, value in inherited.items()
        }

    return member("inheritedAttributes", first)(item)


def _logins_shown(scene: Scene, answer: Answer) -> None:
    def shown_login(item: Document) -> Document:
        kept = scene.entities.find("connections", scene.call.sandbox, item["id"])
        return {**item, "auth": kept["auth"]} if kept and kept.get("auth") else item

    if scene.kind == "connections" and (scene.lists or scene.reads):
        answer.rewrite_items(shown_login)


def _as_ids(item: Document) -> Document:
    def renamed(params: dict[str, Any]) -> dict[str, Any]:
        datasets = [_renamed({"dataSetId": "id"})(dataset) for dataset in params["datasets"]]
        return {**params, "datasets": datasets}

    return member("params", renamed)(item)


SPELLING = (
    Deviation(
        name="descriptions-not-listed",
        says="A listing leaves descriptions out; a read by id has them.",
        source=MEMBERS,
        answers=shown(without("description"), read=False),
    ),
    Deviation(
        name="descriptions-not-kept",
        says="Neither a listing nor a read by id shows descriptions.",
        source=AS_SENT,
        answers=shown(without("description")),
    ),
    Deviation(
        name="descriptions-lower-case",
        says="Descriptions come back in lower case.",
        source=AS_SENT,
        answers=shown(member("description", str.lower)),
    ),
    Deviation(
        name="descriptions-upper-case",
        says="Descriptions come back in upper case.",
        source=AS_SENT,
        answers=shown(member("description", str.upper)),
    ),
    Deviation(
        name="descriptions-cut-at-255",
        says="Descriptions are cut after 255 characters.",
        source="documented nowhere: how long a description may be",
        answers=shown(member("description", lambda text: text[:255])),
    ),
    Deviation(
        name="descriptions-cut-at-64",
        says="Descriptions are cut after 64 characters.",
        source="documented nowhere: how long a description may be",
        answers=shown(member("description", lambda text: text[:64])),
    ),
    Deviation(
        name="names-lower-case",
        says="Names come back in lower case.",
        source=AS_SENT,
        answers=shown(member("name", str.lower)),
    ),
    Deviation(
        name="names-upper-case",
        says="Names come back in upper case.",
        source=AS_SENT,
        answers=shown(member("name", str.upper)),
    ),
    Deviation(
        name="names-trimmed",
        says="Names come back without blanks at both ends, and with single ones in between.",
        source=AS_SENT,
        answers=shown(member("name", lambda name: " ".join(name.split()))),
    ),
    Deviation(
        name="names-cut-at-32",
        says="Names are cut after 32 characters.",
        source="documented nowhere: how long a name may be",
        answers=shown(member("name", lambda name: name[:32])),
    ),
    Deviation(
        name="paths-end-with-slash",
        says="A path comes back with a slash at its end.",
        source=AS_SENT,
        answers=shown(in_params("path", "remotePath", change=lambda path: path.rstrip("/") + "/")),
    ),
    Deviation(
        name="paths-without-first-slash",
        says="A path comes back without a slash at its beginning.",
        source=AS_SENT,
        answers=shown(in_params("path", "remotePath", change=lambda path: path.lstrip("/"))),
    ),
    Deviation(
        name="paths-begin-with-slash",
        says="A path comes back with a slash at its beginning.",
        source=AS_SENT,
        answers=shown(in_params("path", "remotePath", change=lambda path: f"/{path.lstrip('/')}")),
    ),
    Deviation(
        name="params-as-texts",
        says="Numbers and booleans in params come back as texts.",
        source=TYPES,
        answers=shown(member("params", texts)),
    ),
    Deviation(
        name="schedule-as-texts",
        says="Numbers in scheduleParams come back as texts.",
        source=TYPES,
        answers=shown(member("scheduleParams", texts)),
    ),
    Deviation(
        name="schedule-in-milliseconds",
        says="Times in scheduleParams come back in milliseconds.",
        source='Sources reference: "in milliseconds", above a value in seconds',
        answers=shown(
            member(
                "scheduleParams",
                lambda schedule: {
                    name: value * 1000 if name in ("startTime", "endTime") else value
                    for name, value in schedule.items()
                },
            )
        ),
    ),
    Deviation(
        name="extra-members",
        says="Entities, params and scheduleParams come back with members that were not sent.",
        source=MEMBERS,
        answers=shown(_extra),
    ),
    Deviation(
        name="absent-as-null",
        says="Members that an entity does not have come back as null.",
        source="file-based testing guide: prints null summaries",
        answers=shown(_nulls),
    ),
    Deviation(
        name="enums-lower-case",
        says="Words such as PARQUET and GZIP come back in lower case.",
        source="Adobe's client: sends lower case in one module, upper case in another",
        answers=shown(in_params("datasetFileType", "compression", "exportMode", change=str.lower)),
    ),
    Deviation(
        name="time-unit-upper-case",
        says="The time unit of a schedule comes back in upper case.",
        source=CASE,
        answers=shown(in_params("timeUnit", change=str.upper)),
    ),
    Deviation(
        name="mode-not-shown",
        says="The parameter mode of a target connection does not come back.",
        source="references: mode is in every sample and in no schema",
        answers=shown(member("params", without("mode")), "targetConnections"),
    ),
    Deviation(
        name="export-mode-not-shown",
        says="The export mode of a schedule does not come back.",
        source="Destinations reference: exportMode is not required; older documents lack it",
        answers=shown(member("scheduleParams", without("exportMode"))),
    ),
    Deviation(
        name="end-time-not-shown",
        says="The end of a schedule does not come back.",
        source="newest tutorial: does not say what happens to the end",
        answers=shown(member("scheduleParams", without("endTime"))),
    ),
    Deviation(
        name="folder-template-other-spelling",
        says="The folder template comes back as folderNameTemplate.",
        source="Destinations reference: folderNameTemplate; tutorial: foldernameTemplate",
        answers=shown(member("scheduleParams", _renamed({"foldernameTemplate": "folderNameTemplate"}))),
    ),
    Deviation(
        name="frequency-for-time-unit",
        says="A schedule comes back with frequency instead of timeUnit.",
        source="Sources reference: frequency; Destinations reference: timeUnit",
        answers=shown(member("scheduleParams", _renamed({"timeUnit": "frequency"}))),
    ),
    Deviation(
        name="states-upper-case",
        says="States come back in upper case, as ENABLED.",
        source=CASE,
        answers=shown(member("state", str.upper)),
    ),
    Deviation(
        name="states-not-shown",
        says="A listing does not show states.",
        source=MEMBERS,
        answers=shown(without("state"), read=False),
    ),
    Deviation(
        name="schedule-not-listed",
        says="A listing leaves scheduleParams out; a read by id has them.",
        source="Destinations reference: a sample without scheduleParams, which its schema requires",
        answers=shown(without("scheduleParams"), read=False),
    ),
    Deviation(
        name="params-not-listed",
        says="A listing leaves params out; a read by id has them.",
        source=MEMBERS,
        answers=shown(without("params"), read=False),
    ),
    Deviation(
        name="source-datasets-as-id",
        says="The datasets of a source connection come back with id instead of dataSetId.",
        source="tutorial: dataSetId in the body, id in the listing of datasets",
        answers=shown(_as_ids, "sourceConnections"),
    ),
    Deviation(
        name="inherited-not-shown",
        says="Entities come back without inheritedAttributes.",
        source=MEMBERS,
        answers=shown(without("inheritedAttributes")),
    ),
    Deviation(
        name="inherited-as-objects",
        says="Connections in inheritedAttributes come back as one object instead of an array.",
        source="Destinations reference: an object in the schema, an array in the samples",
        answers=shown(_as_objects),
    ),
    Deviation(
        name="logins-not-shown",
        says="Base connections come back without auth.",
        source="documented nowhere: whether a read shows logins",
        answers=shown(without("auth"), "connections"),
    ),
    Deviation(
        name="logins-shown",
        says="Base connections come back with their logins in plain text.",
        source="documented nowhere: whether a read shows logins",
        answers=_logins_shown,
    ),
    Deviation(
        name="audit-fields-not-shown",
        says="Entities come back without createdAt and updatedAt.",
        source=MEMBERS,
        answers=shown(without("createdAt", "updatedAt", "createdBy", "updatedBy")),
    ),
)
