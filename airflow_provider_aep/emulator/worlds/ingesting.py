"""Worlds in which the Catalog shows batches and datasets differently.

Source of what is open: Catalog Service API reference (``metrics`` are free, no member is required);
"Filter Catalog data using query parameters" (its samples ask for datasets, hardly ever for batches).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_aep.emulator.batches import COUNTS, in_progress
from airflow_provider_aep.emulator.catalog import CATALOG_PATH, USUAL_PAGE
from airflow_provider_aep.emulator.entities import Document, milliseconds
from airflow_provider_aep.emulator.replies import placeholder_error
from airflow_provider_aep.emulator.world import Call
from airflow_provider_aep.emulator.worlds.deviation import NOWHERE, Answer, Deviation, Scene

BATCHES, DATASETS = f"{CATALOG_PATH}/batches", f"{CATALOG_PATH}/dataSets"
NO_DATASET = "000000000000000000000000"
LATE_SECONDS = 3600.0
FILTER_GUIDE = "filter guide: its samples of this ask for datasets"
FREE_METRICS = "Catalog reference: metrics are free, and no member of a batch is required"


def _asks(path: str, change: Callable[[str, str], str | None], *names: str) -> Callable[[Scene, Call], Call]:
    """Rewrite these parameters of a listing; None removes one."""

    def asks(scene: Scene, call: Call) -> Call:
        if call.path != path:
            return call
        query = [(name, change(name, value) if name in names else value) for name, value in call.query]
        return replace(call, query=[(name, value) for name, value in query if value is not None])

    return asks


def _left_out(name: str, value: str) -> None:
    return None


def _first_alone(name: str, value: str) -> str:
    return value.split(",")[0]


def _none_of_several(name: str, value: str) -> str:
    return NO_DATASET if "," in value else value


def _read_as_seconds(name: str, value: str) -> str:
    return f"{value}000"


def _at_most_a_usual_page(name: str, value: str) -> str:
    return str(min(int(value), USUAL_PAGE)) if value.isdigit() else value


def _refused(path: str) -> Callable[[Scene, Call], Call]:
    def asks(scene: Scene, call: Call) -> Call:
        if call.path.startswith(path):
            # Source: Adobe's tutorial on datasets prints a ForbiddenError of the Catalog in this shape.
            raise placeholder_error(403, "ForbiddenError", "Not permitted to view datasets")
        return call

    return asks


def _all_or_none(scene: Scene, answer: Answer) -> None:
    """Return 404 if one of several datasets does not exist."""
    ids = scene.call.path.removeprefix(f"{DATASETS}/").split(",")
    if scene.call.path.startswith(f"{DATASETS}/") and answer.good and not answer.body.keys() >= set(ids):
        refusal = placeholder_error(404, "NotFoundError", f"dataSets {','.join(ids)} not found")
        answer.status, answer.body = refusal.status, dict(refusal.document)


def _batches(change: Callable[[Scene, Any], Any]) -> Callable[[Scene, Answer], None]:
    """Rewrite an object of batches, listed or read by ids."""

    def answers(scene: Scene, answer: Answer) -> None:
        # Another world may have turned it into a list.
        keyed = isinstance(answer.body, dict) and "items" not in answer.body
        if scene.call.path.startswith(BATCHES) and answer.good and keyed:
            answer.body = change(scene, answer.body)

    return answers


def _each_batch(change: Callable[[Scene, Document], Document]) -> Callable[[Scene, Answer], None]:
    return _batches(lambda scene, batches: {key: change(scene, batch) for key, batch in batches.items()})


def _as_list(scene: Scene, batches: Document) -> list[Document]:
    return [{"id": key, **batch} for key, batch in batches.items()]


def _in_items(scene: Scene, batches: Document) -> Document:
    return {"items": _as_list(scene, batches)}


def _without(*names: str) -> Callable[[Scene, Document], Document]:
    return lambda scene, batch: {name: value for name, value in batch.items() if name not in names}


def _late(scene: Scene, batch: Document) -> Document:
    """Show a batch that ended in the last hour as still under way."""
    recent = batch.get("completed", 0) > milliseconds(scene.now - LATE_SECONDS)
    return in_progress(batch) if recent else batch


INGESTING = (
    Deviation(
        name="several-datasets-find-nothing",
        says="Batches of several datasets cannot be asked for at once: none are found.",
        source=FILTER_GUIDE,
        asks=_asks(BATCHES, _none_of_several, "dataSet"),
    ),
    Deviation(
        name="several-datasets-first-only",
        says="Batches of several datasets cannot be asked for at once: only the first dataset counts.",
        source=FILTER_GUIDE,
        asks=_asks(BATCHES, _first_alone, "dataSet"),
    ),
    Deviation(
        name="batch-window-in-seconds",
        says="The window of batches, createdAfter and createdBefore, is read as seconds.",
        source='filter guide: "Unix Epoch time", above a sample in milliseconds',
        asks=_asks(BATCHES, _read_as_seconds, "createdAfter", "createdBefore"),
    ),
    Deviation(
        name="batches-orderby-ignored",
        says="Batches come with the oldest first, whatever orderBy says.",
        source=FILTER_GUIDE,
        asks=_asks(BATCHES, _left_out, "orderBy"),
    ),
    Deviation(
        name="batch-properties-ignored",
        says="Batches come with all members, whatever properties says.",
        source=FILTER_GUIDE,
        asks=_asks(BATCHES, _left_out, "properties"),
    ),
    Deviation(
        name="batches-twenty-at-most",
        says="A page holds twenty batches at most, whatever the limit says.",
        source=FILTER_GUIDE,
        asks=_asks(BATCHES, _at_most_a_usual_page, "limit"),
    ),
    Deviation(
        name="batches-as-list",
        says="Batches come as a list of objects with an id.",
        source='Catalog guides: "a list of batches", in their texts',
        answers=_batches(_as_list),
    ),
    Deviation(
        name="batches-in-items",
        says="Batches come in items, each with an id.",
        source="documented nowhere: all other services answer so",
        answers=_batches(_in_items),
    ),
    Deviation(
        name="batch-counts-not-shown",
        says="Batches show no counts.",
        source=FREE_METRICS,
        answers=_each_batch(_without(*COUNTS)),
    ),
    Deviation(
        name="batch-counts-at-top-only",
        says="Batches show their counts at the top, and have no metrics.",
        source=FREE_METRICS,
        answers=_each_batch(_without("metrics")),
    ),
    Deviation(
        name="batch-ends-shown-after-1h",
        says="A batch is shown as completed only an hour after it was.",
        source="documented nowhere: when a read shows what was written",
        answers=_each_batch(_late),
    ),
    Deviation(
        name="batches-refused",
        says="Reading batches is refused with 403.",
        source="documented nowhere: which permission batches need",
        asks=_refused(BATCHES),
    ),
    Deviation(
        name="catalog-datasets-refused",
        says="Reading datasets of the Catalog is refused with 403.",
        source="August 2026 release notes: labels of datasets",
        asks=_refused(DATASETS),
    ),
    Deviation(
        name="unknown-dataset-refuses-all",
        says="Of several datasets, one that is not there makes the Catalog answer 404.",
        source=f"{NOWHERE}: what becomes of an id that is not there",
        answers=_all_or_none,
    ),
)
