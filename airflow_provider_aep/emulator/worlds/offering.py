"""Worlds in which specs, datasets, rights and the neighbouring services behave differently.

Source of what is open: the two references; export datasets tutorial; Adobe's Python client (ad hoc runs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.neighbours import ADHOC_PATH, SANDBOXES_PATH
from airflow_provider_aep.emulator.replies import Refusal, flow_error
from airflow_provider_aep.emulator.specs import DATA_LAKE
from airflow_provider_aep.emulator.world import Call
from airflow_provider_aep.emulator.worlds.deviation import Answer, Deviation, Scene


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


OFFERING = (
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
