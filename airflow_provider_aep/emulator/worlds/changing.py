"""Worlds in which etags, changes, deletions and errors behave differently.

Source of what is open: the two references, which disagree about responses; Flow Service error table.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_aep.emulator.entities import CONNECTORS
from airflow_provider_aep.emulator.replies import flow_error
from airflow_provider_aep.emulator.world import Call
from airflow_provider_aep.emulator.worlds.deviation import NOWHERE, Answer, Deviation, Scene, rewritten


def _each_etag(change: Callable[[str], str]) -> Callable[[Scene, Answer], None]:
    """Rewrite every etag in response bodies."""

    def is_etag(name: str, member: Any) -> bool:
        is_quoted = isinstance(member, str) and member.startswith('"')
        return name == "etag" or (name == "version" and is_quoted)

    def answers(scene: Scene, answer: Answer) -> None:
        answer.body = rewritten(answer.body, is_etag, change)

    return answers


def _match_unquoted(scene: Scene, call: Call) -> Call:
    given = call.headers.get("if-match")
    if not given or given.startswith('"'):
        return call
    return replace(call, headers={**call.headers, "if-match": f'"{given}"'})


def _match_weak(scene: Scene, call: Call) -> Call:
    given = call.headers.get("if-match", "")
    return replace(call, headers={**call.headers, "if-match": given.removeprefix("W/")}) if given else call


def _match_nothing(scene: Scene, call: Call) -> Call:
    if call.method != "PATCH" or "if-match" not in call.headers:
        return call
    kept = scene.entities.find(scene.kind, call.sandbox, scene.places[1])
    return replace(call, headers={**call.headers, "if-match": kept["etag"]}) if kept else call


def _etag_in_header(scene: Scene, answer: Answer) -> None:
    items = answer.body.get("items") if scene.reads and answer.good else None
    if items and "etag" in items[0]:
        answer.headers["etag"] = items[0]["etag"]
        answer.rewrite_items(
            lambda item: {name: value for name, value in item.items() if name not in ("etag", "version")}
        )


def _touched(scene: Scene, call: Call) -> Call:
    if scene.reads and (kept := scene.entities.find(scene.kind, call.sandbox, scene.places[1])):
        scene.entities.change(scene.kind, kept, {}, by=CONNECTORS)
    return call


def _patched_204(scene: Scene, answer: Answer) -> None:
    if scene.call.method == "PATCH" and answer.good:
        answer.status, answer.body = 204, None


def _patched_items(scene: Scene, answer: Answer) -> None:
    if scene.call.method == "PATCH" and answer.good:
        answer.body = {"items": [answer.body]}


def _acted_204(scene: Scene, answer: Answer) -> None:
    if scene.places[2:] == ["action"] and answer.good:
        answer.status, answer.body = 204, None


def _deleted(status: int, body: Any) -> Callable[[Scene, Answer], None]:
    def answers(scene: Scene, answer: Answer) -> None:
        if scene.call.method == "DELETE" and answer.good:
            answer.status, answer.body = status, body

    return answers


def _missing(status: int) -> Callable[[Scene, Answer], None]:
    """Return another status, with the matching code, for an entity that is not found."""

    def answers(scene: Scene, answer: Answer) -> None:
        if answer.status == 404 and "FLOW-1439-" in str(answer.body):
            kind = f"{str(answer.body['type']).rpartition('-')[0]}-{status}"
            answer.status, answer.body = status, {**answer.body, "status": status, "type": kind}

    return answers


def _empty_for_missing(scene: Scene, answer: Answer) -> None:
    if scene.reads and answer.status == 404:
        answer.status, answer.body = 200, {"items": []}


def _delete_twice(scene: Scene, answer: Answer) -> None:
    if scene.call.method == "DELETE" and answer.status == 404:
        answer.status, answer.body = 202, None


def _disabled_first(scene: Scene, call: Call) -> Call:
    if call.method == "DELETE" and scene.kind == "flows":
        kept = scene.entities.find("flows", call.sandbox, scene.places[1])
        if kept and kept["state"] == "enabled":
            raise flow_error(1416, 400, "An enabled flow cannot be deleted: disable it first")
    return call


def _cascade(scene: Scene, call: Call) -> Call:
    """Remember the connections of a dataflow before it is deleted."""
    if call.method == "DELETE" and scene.kind == "flows":
        scene.memory["flow"] = copy.deepcopy(scene.entities.find("flows", call.sandbox, scene.places[1]))
    return call


def _cascaded(scene: Scene, answer: Answer) -> None:
    if scene.call.method != "DELETE" or scene.kind != "flows" or not answer.good:
        return
    flow = scene.memory.pop("flow")
    others = scene.entities.all("flows", scene.call.sandbox)
    for kind, key in (
        ("sourceConnections", "sourceConnectionIds"),
        ("targetConnections", "targetConnectionIds"),
    ):
        for entity_id in flow[key]:
            kept = scene.entities.find(kind, scene.call.sandbox, entity_id)
            if kept and not any(entity_id in other[key] for other in others):
                scene.entities.remove(kind, kept)


def _twice(scene: Scene, answer: Answer) -> None:
    if scene.places[2:] == ["action"] and answer.status == 400 and "FLOW-1422-" in str(answer.body):
        kept = scene.entities.get("flows", scene.call.sandbox, scene.places[1])
        answer.status, answer.body = 200, {"id": kept["id"], "etag": kept["etag"]}


def _upper_actions(scene: Scene, call: Call) -> Call:
    word = dict(call.query).get("op", "")
    if scene.places[2:] == ["action"] and not word.isupper():
        raise flow_error(1407, 400, f"The action {word} is not valid")
    return call


def _upper_operations(scene: Scene, call: Call) -> Call:
    if call.method == "PATCH" and isinstance(call.body, list):
        for operation in call.body:
            if isinstance(operation, dict) and not str(operation.get("op")).isupper():
                raise flow_error(
                    1434, 400, "The patch operation is not supported: use ADD, REPLACE or REMOVE"
                )
    return call


def _old_shape(scene: Scene, answer: Answer) -> None:
    if isinstance(answer.body, dict) and "errorMessage" in answer.body:
        words = answer.body["errorMessage"]
        answer.body = {"errorMessage": words, "errorDetails": words}


CHANGING = (
    Deviation(
        name="etags-unquoted",
        says="Etags come without their quotes, and If-Match takes them so.",
        source="documented nowhere: that only quoted ones are taken; users report both",
        asks=_match_unquoted,
        answers=_each_etag(lambda etag: etag.strip('"')),
    ),
    Deviation(
        name="etags-unquoted-but-matched-quoted",
        says="Etags come without their quotes, and If-Match wants them.",
        source="guides: the quotes belong into If-Match",
        answers=_each_etag(lambda etag: etag.strip('"')),
    ),
    Deviation(
        name="etags-weak",
        says="Etags come as weak ones, with W/ in front.",
        source="documented nowhere: the references print strong ones",
        asks=_match_weak,
        answers=_each_etag(lambda etag: f"W/{etag}"),
    ),
    Deviation(
        name="etag-in-header-only",
        says="A read by id has its etag in a header, and not in its body.",
        source="documented nowhere: whether answers have an ETag header",
        answers=_etag_in_header,
    ),
    Deviation(
        name="etag-moves-at-every-read",
        says="A read by id moves the etag.",
        source="guides: background services of Adobe move etags too",
        asks=_touched,
    ),
    Deviation(
        name="if-match-ignored",
        says="If-Match is not compared: every PATCH is taken.",
        source="Destinations reference: has no PATCH for source and target connections",
        asks=_match_nothing,
    ),
    Deviation(
        name="patch-answers-204",
        says="A PATCH answers 204 without a body.",
        source="Sources reference: draws other answers than the Destinations reference",
        answers=_patched_204,
    ),
    Deviation(
        name="patch-answers-items",
        says="A PATCH answers with the id and etag in items.",
        source="Sources reference: a list as the answer for source and target connections",
        answers=_patched_items,
    ),
    Deviation(
        name="patch-wants-upper-case",
        says="Operations of a PATCH are REPLACE, ADD and REMOVE; others are refused with 400.",
        source="Sources reference: upper case; Destinations reference: lower case",
        asks=_upper_operations,
    ),
    Deviation(
        name="actions-want-upper-case",
        says="Actions are ENABLE and DISABLE; others are refused with 400.",
        source="Sources reference: upper case; guides: lower case",
        asks=_upper_actions,
    ),
    Deviation(
        name="action-answers-204",
        says="Enabling and disabling answer 204 without a body.",
        source=NOWHERE,
        answers=_acted_204,
    ),
    Deviation(
        name="state-twice-is-fine",
        says="Disabling what is disabled, and enabling what is enabled, answer 200.",
        source="error table: 1422 without an example; guides: nothing",
        answers=_twice,
    ),
    Deviation(
        name="delete-answers-200",
        says="A DELETE answers 200 with the id.",
        source="references and guides: 202 or 204",
        answers=_deleted(200, {"id": "deleted"}),
    ),
    Deviation(
        name="delete-answers-204",
        says="A DELETE answers 204.",
        source="Sources reference and guides: 204; Destinations reference: 202",
        answers=_deleted(204, None),
    ),
    Deviation(
        name="delete-twice-is-fine",
        says="A DELETE of what is gone answers 202.",
        source=NOWHERE,
        answers=_delete_twice,
    ),
    Deviation(
        name="delete-wants-disabled",
        says="Only a disabled dataflow can be deleted.",
        source="error table: 1416 and 1417 refuse a delete in some states",
        asks=_disabled_first,
    ),
    Deviation(
        name="delete-takes-connections-along",
        says="With a dataflow its source and target connections are deleted, where no other uses them.",
        source="documented nowhere: whether a delete cascades",
        asks=_cascade,
        answers=_cascaded,
    ),
    Deviation(
        name="errors-without-codes",
        says="Errors come in the older shape, which has no code.",
        source="Destinations reference: this shape; labels guide: the one with a code",
        answers=_old_shape,
    ),
    Deviation(
        name="missing-answers-410",
        says="What does not exist answers 410.",
        source="documented nowhere: the error table and the labels guide have 400 and 404",
        answers=_missing(410),
    ),
    Deviation(
        name="missing-answers-400",
        says="What does not exist answers 400 with the code 1439.",
        source="error table: 1439 is 400; labels guide: 404",
        answers=_missing(400),
    ),
    Deviation(
        name="missing-answers-empty",
        says="A read by id of what does not exist answers 200 with no items.",
        source="Destinations reference: a read by id is a list",
        answers=_empty_for_missing,
    ),
)
