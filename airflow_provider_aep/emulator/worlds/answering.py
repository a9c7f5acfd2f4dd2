"""Worlds in which writes, etags, rights, specs and the neighbouring services behave differently.

Source of what is open: the two references, which disagree about responses; Flow Service error table; export
datasets tutorial; Adobe's Python client (ad hoc runs).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_aep.emulator.entities import CONNECTORS, Document
from airflow_provider_aep.emulator.neighbours import ADHOC_PATH, SANDBOXES_PATH
from airflow_provider_aep.emulator.replies import Refusal, flow_error, undocumented
from airflow_provider_aep.emulator.specs import DATA_LAKE
from airflow_provider_aep.emulator.world import Call
from airflow_provider_aep.emulator.worlds.deviation import NOWHERE, Answer, Deviation, Instead, Scene

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


def _each_etag(change: Callable[[str], str]) -> Callable[[Scene, Answer], None]:
    """Rewrite every etag in response bodies."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            name: change(member)
            if name == "etag" or (name == "version" and isinstance(member, str) and member.startswith('"'))
            else walk(member)
            for name, member in value.items()
        }

    def answers(scene: Scene, answer: Answer) -> None:
        answer.body = walk(answer.body)

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


def _spec(scene: Scene, answer: Answer, change: Callable[[Document], Document]) -> None:
    if scene.reads and scene.kind == "connectionSpecs":
        answer.rewrite_items(change)


def _spec_without(*names: str) -> Callable[[Scene, Answer], None]:
    def answers(scene: Scene, answer: Answer) -> None:
        _spec(scene, answer, lambda item: {key: value for key, value in item.items() if key not in names})

    return answers


def _bare_spec(scene: Scene, answer: Answer) -> None:
    if scene.reads and scene.kind.endswith("Specs") and answer.good:
        answer.body = answer.body["items"][0]


def _specs_refused(*kinds: str) -> Callable[[Scene, Call], Call]:
    def asks(scene: Scene, call: Call) -> Call:
        if scene.kind in kinds and len(scene.places) < 3:
            raise flow_error(2120, 403, "Insufficient permission to read specs")
        return call

    return asks


def _lists_datasets(scene: Scene) -> bool:
    return scene.places == ["connectionSpecs", DATA_LAKE, "configs"]


def _datasets(change: Callable[[Document], Document]) -> Callable[[Scene, Answer], None]:
    """Rewrite the listing of exportable datasets."""

    def answers(scene: Scene, answer: Answer) -> None:
        if _lists_datasets(scene) and answer.good:
            answer.body = change(answer.body)

    return answers


def _page_info(**members: Any) -> Callable[[Document], Document]:
    return lambda body: {**body, "pageInfo": {**body["pageInfo"], **members}}


def _few_datasets(scene: Scene, call: Call) -> Call:
    if not _lists_datasets(scene):
        return call
    return replace(call, query=[*(pair for pair in call.query if pair[0] != "limit"), ("limit", "2")])


def _denied(concerns: Callable[[Scene], bool]) -> Callable[[Scene, Call], Call]:
    def asks(scene: Scene, call: Call) -> Call:
        if concerns(scene):
            # Source: access labels guide, the printed 403.
            raise flow_error(2121, 403, "Access to the resource is denied by its labels")
        return call

    return asks


def _sandbox_refused(scene: Scene, call: Call) -> Call:
    if call.path.startswith(SANDBOXES_PATH):
        raise Refusal(403, {"error_code": "403000", "message": "Access to the sandbox API is denied"})
    return call


def _adhoc_blank(scene: Scene, answer: Answer) -> None:
    if scene.call.path == ADHOC_PATH and answer.good:
        for destination in answer.body["destinations"]:
            for dataset in destination["datasets"]:
                dataset["statusURL"] = dataset["statusURL"].replace("/runs/", "/runs/ ")


def _adhoc_one_run(scene: Scene, answer: Answer) -> None:
    if scene.call.path == ADHOC_PATH and answer.good:
        for destination in answer.body["destinations"]:
            for dataset in destination["datasets"]:
                dataset["statusURL"] = destination["datasets"][0]["statusURL"]


def _adhoc_says_nothing(scene: Scene, answer: Answer) -> None:
    if scene.call.path == ADHOC_PATH and answer.good:
        answer.status, answer.body = 202, None


def _adhoc_refused(scene: Scene, call: Call) -> Call:
    if call.path == ADHOC_PATH:
        raise Refusal(400, {"message": "Adhoc run can not be executed for Flow spec=emulated"})
    return call


def _adhoc_again(scene: Scene, answer: Answer) -> None:
    """Export a dataset again that is being exported; otherwise the service refuses that."""
    if scene.call.path != ADHOC_PATH or "run already" not in str(answer.body):
        return
    now = scene.now
    destinations = []
    for destination in scene.call.document["activationInfo"]["destinations"]:
        datasets = [item["id"] for item in destination["datasets"]]
        runs = scene.world.lifecycle.run_now(destination["flowId"], now, datasets, apart=True)
        destinations.append(
            {
                "datasets": [
                    {
                        "id": dataset_id,
                        "flowId": destination["flowId"],
                        "statusURL": f"{scene.call.base}/data/foundation/flowservice/runs/{run_id}",
                    }
                    for dataset_id, run_id in zip(datasets, runs, strict=True)
                ]
            }
        )
    answer.status, answer.body = 200, {"destinations": destinations}


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


ANSWERING = (
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
    Deviation(
        name="spec-without-auth",
        says="A connection spec has no authSpec.",
        source="documented nowhere in full: specs are printed in part",
        answers=_spec_without("authSpec"),
    ),
    Deviation(
        name="spec-without-target",
        says="A connection spec has no targetSpec.",
        source="documented nowhere in full: specs are printed in part",
        answers=_spec_without("targetSpec"),
    ),
    Deviation(
        name="specs-bare",
        says="A read of a spec by its id answers with the spec itself, without items.",
        source="tutorial: in items; newest tutorial: other entities bare",
        answers=_bare_spec,
    ),
    Deviation(
        name="connection-specs-refused",
        says="Reading connection specs is refused with 403.",
        source="error table: 2120 without saying what it needs",
        asks=_specs_refused("connectionSpecs"),
    ),
    Deviation(
        name="flow-specs-refused",
        says="Reading flow specs is refused with 403.",
        source="references: 403 among their answers",
        asks=_specs_refused("flowSpecs"),
    ),
    Deviation(
        name="datasets-without-page-info",
        says="The listing of datasets has no pageInfo.",
        source="tutorial: pageInfo; Destinations reference: none",
        answers=_datasets(lambda body: {"items": body["items"]}),
    ),
    Deviation(
        name="datasets-always-have-next",
        says="The listing of datasets always says that there are more.",
        source="tutorial: one sample, with one dataset",
        answers=_datasets(_page_info(hasNext=True)),
    ),
    Deviation(
        name="datasets-never-have-next",
        says="The listing of datasets has two on a page, and never says that there are more.",
        source="tutorial: one sample, with one dataset",
        asks=_few_datasets,
        answers=_datasets(_page_info(hasNext=False)),
    ),
    Deviation(
        name="datasets-two-on-a-page",
        says="The listing of datasets has two on a page, whatever the limit says.",
        source="tutorial: does not say whether a limit is kept",
        asks=_few_datasets,
    ),
    Deviation(
        name="labels-hide-a-dataset",
        says="A label hides the first dataset from the listing.",
        source="release notes of August 2026: access labels on datasets",
        answers=_datasets(lambda body: {**body, "items": body["items"][1:]}),
    ),
    Deviation(
        name="labels-refuse-sources",
        says="Creating a source connection is refused with 403, because of a label on its dataset.",
        source="release notes of August 2026: access labels on datasets",
        asks=_denied(lambda scene: scene.creates and scene.kind == "sourceConnections"),
    ),
    Deviation(
        name="labels-refuse-runs",
        says="Listing runs is refused with 403.",
        source="labels guide: without access to a dataflow, its runs are not shown",
        asks=_denied(lambda scene: scene.lists and scene.kind == "runs"),
    ),
    Deviation(
        name="sandbox-api-refused",
        says="Reading the description of a sandbox is refused with 403.",
        source="documented nowhere: whether the permissions for destinations cover it",
        asks=_sandbox_refused,
    ),
    Deviation(
        name="adhoc-run-url-with-blank",
        says="The URL of an ad hoc run has a blank before the id.",
        source="Adobe's client: a sample in its tests",
        answers=_adhoc_blank,
    ),
    Deviation(
        name="adhoc-one-run-for-all",
        says="An ad hoc export names the same run for each of its datasets.",
        source="documented nowhere: one run for each dataset, or one for all",
        answers=_adhoc_one_run,
    ),
    Deviation(
        name="adhoc-answers-nothing",
        says="An ad hoc export answers 202 without naming its runs.",
        source="documented nowhere: no reference covers ad hoc runs of datasets",
        answers=_adhoc_says_nothing,
    ),
    Deviation(
        name="adhoc-runs-twice",
        says="A dataset that is being exported can be exported ad hoc once more.",
        source="Adobe's client: knows a refusal, and not when it comes",
        answers=_adhoc_again,
    ),
    Deviation(
        name="adhoc-not-enabled",
        says="Ad hoc runs are refused for the destination.",
        source="Adobe's client: destinations have to be enabled by Adobe",
        asks=_adhoc_refused,
    ),
)
