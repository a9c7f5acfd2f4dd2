"""Worlds in which a read shows the past: creations, changes and deletions show later.

Source of what is open: no document says when a listing or a read by id shows what was written. The
Destinations reference calls a deletion "accepted", and Adobe's Python client waits for new dataflows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.world import Call
from airflow_provider_aep.emulator.worlds.deviation import Deviation, Scene

Lists = Callable[[Scene, list[Document]], list[Document]]
Finds = Callable[[Scene, Document | None], Document | None]

WHEN = "documented nowhere: when a read shows what was written"
ACCEPTED = 'Destinations reference: a DELETE is "accepted"'
RETENTION = "documented nowhere: how long runs stay listed"
LATE = "Adobe's client: a new dataflow is known late"


def concerned(scene: Scene, only: Sequence[str]) -> bool:
    return not only or scene.kind in only


def created_later(lag: float, *only: str) -> Lists:
    def lists(scene: Scene, documents: list[Document]) -> list[Document]:
        if not concerned(scene, only):
            return documents
        return [document for document in documents if scene.entities.came(document["id"]) <= scene.now - lag]

    return lists


def changed_later(lag: float) -> Lists:
    def lists(scene: Scene, documents: list[Document]) -> list[Document]:
        return [scene.entities.as_then(document, scene.now - lag) for document in documents]

    return lists


def deleted_later(lag: float) -> Lists:
    def lists(scene: Scene, documents: list[Document]) -> list[Document]:
        gone = scene.entities.gone_since(scene.kind, scene.call.sandbox, scene.now - lag)
        return [*documents, *gone]

    return lists


def where_filtered(lists: Lists) -> Lists:
    """Only listings with filters; one without filters shows the present."""

    def filtered(scene: Scene, documents: list[Document]) -> list[Document]:
        return lists(scene, documents) if "property" in dict(scene.call.query) else documents

    return filtered


def every_other(lists: Lists) -> Lists:
    """Every second listing of a kind, as if one of two replicas lagged behind."""

    def alternating(scene: Scene, documents: list[Document]) -> list[Document]:
        turn = scene.memory[scene.kind] = scene.memory.get(scene.kind, 0) + 1
        return lists(scene, documents) if turn % 2 else documents

    return alternating


def found_later(lag: float) -> Finds:
    def finds(scene: Scene, document: Document | None) -> Document | None:
        late = document is not None and scene.entities.came(document["id"]) > scene.now - lag
        return None if late else document

    return finds


def seen_later(lag: float) -> Finds:
    def finds(scene: Scene, document: Document | None) -> Document | None:
        return None if document is None else scene.entities.as_then(document, scene.now - lag)

    return finds


def lost_later(lag: float) -> Finds:
    def finds(scene: Scene, document: Document | None) -> Document | None:
        gone = scene.entities.gone_since(scene.kind, scene.call.sandbox, scene.now - lag)
        return document or next((deleted for deleted in gone if deleted["id"] == scene.places[1]), None)

    return finds


def listed_for(seconds: float) -> Lists:
    def lists(scene: Scene, documents: list[Document]) -> list[Document]:
        if scene.kind != "runs":
            return documents
        return [document for document in documents if document["createdAt"] / 1000 > scene.now - seconds]

    return lists


def _any_dataflow(scene: Scene, call: Call) -> Call:
    """A listing of runs also brings one of another dataflow, as the tutorial's sample does."""
    if not scene.lists or scene.kind != "runs":
        return call
    return replace(call, query=[pair for pair in call.query if not pair[1].startswith("flowId==")])


def _with_a_stranger(scene: Scene, documents: list[Document]) -> list[Document]:
    wanted = {
        flow_id
        for name, value in scene.call.query
        if scene.kind == "runs" and name == "property" and value.startswith("flowId==")
        for flow_id in value.removeprefix("flowId==").split(",")
    }
    if not wanted:
        return documents
    strangers = [run for run in documents if run["flowId"] not in wanted]
    return [run for run in documents if run["flowId"] in wanted] + strangers[-1:]


SHOWING = (
    Deviation(
        name="created-listed-after-30s",
        says="A listing shows what was created only 30 seconds later.",
        source=WHEN,
        lists=created_later(30),
    ),
    Deviation(
        name="created-listed-after-90s",
        says="A listing shows what was created only 90 seconds later.",
        source=WHEN,
        lists=created_later(90),
    ),
    Deviation(
        name="created-listed-after-10m",
        says="A listing shows what was created only ten minutes later.",
        source=LATE,
        lists=created_later(600),
    ),
    Deviation(
        name="created-filtered-after-30s",
        says="A listing with filters shows what was created only 30 seconds later; one without, at once.",
        source=WHEN,
        lists=where_filtered(created_later(30)),
    ),
    Deviation(
        name="created-listed-every-other-time",
        says="Of two listings one does not show what was created in the last minute.",
        source=WHEN,
        lists=every_other(created_later(60)),
    ),
    Deviation(
        name="runs-listed-after-30s",
        says="A listing shows a run only 30 seconds after it was created.",
        source=WHEN,
        lists=created_later(30, "runs"),
    ),
    Deviation(
        name="runs-listed-after-10m",
        says="A listing shows a run only ten minutes after it was created.",
        source=WHEN,
        lists=created_later(600, "runs"),
    ),
    Deviation(
        name="changes-listed-after-30s",
        says="A listing shows a change only 30 seconds later.",
        source=WHEN,
        lists=changed_later(30),
    ),
    Deviation(
        name="changes-listed-after-10m",
        says="A listing shows a change, such as the end of a run, only ten minutes later.",
        source=WHEN,
        lists=changed_later(600),
    ),
    Deviation(
        name="changes-readable-after-30s",
        says="A read by id shows a change, and the etag with it, only 30 seconds later.",
        source=WHEN,
        finds=seen_later(30),
    ),
    Deviation(
        name="created-readable-after-10s",
        says="A read by id answers 404 for ten seconds after the creation.",
        source=WHEN,
        finds=found_later(10),
    ),
    Deviation(
        name="deleted-listed-for-30s",
        says="A listing shows what was deleted for another 30 seconds.",
        source=ACCEPTED,
        lists=deleted_later(30),
    ),
    Deviation(
        name="deleted-listed-for-90s",
        says="A listing shows what was deleted for another 90 seconds.",
        source=ACCEPTED,
        lists=deleted_later(90),
    ),
    Deviation(
        name="deleted-readable-for-30s",
        says="What was deleted can be read by its id for another 30 seconds.",
        source=ACCEPTED,
        finds=lost_later(30),
    ),
    Deviation(
        name="deleted-shown-for-30s",
        says="What was deleted is listed, and can be read by its id, for another 30 seconds.",
        source=ACCEPTED,
        lists=deleted_later(30),
        finds=lost_later(30),
    ),
    Deviation(
        name="runs-listed-for-a-day",
        says="Runs are listed for one day.",
        source=RETENTION,
        lists=listed_for(86_400),
    ),
    Deviation(
        name="runs-of-strangers",
        says="A listing of runs also brings a run of another dataflow.",
        source="tutorial: its sample answers for one dataflow with a run of another",
        asks=_any_dataflow,
        lists=_with_a_stranger,
    ),
)
