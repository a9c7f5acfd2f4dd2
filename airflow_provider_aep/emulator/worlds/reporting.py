"""Worlds in which moments, and what runs report, look different.

Source of what is open: samples of runs, which disagree with the schemas; Adobe's client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.worlds.deviation import NOWHERE, Deviation, rewritten
from airflow_provider_aep.emulator.worlds.spelling import (
    ENTITIES,
    TYPES,
    Change,
    _renamed,
    member,
    shown,
    texts,
    without,
)

SKEW = 300_000
RUN_WORDS = {"success": "delivered", "processing": "moving", "failed": "broken", "partialSuccess": "mixed"}
UPPER_WORDS = {
    "success": "SUCCESS",
    "processing": "IN_PROGRESS",
    "failed": "FAILED",
    "partialSuccess": "PARTIAL_SUCCESS",
}


def _moments(change: Callable[[int], Any]) -> Change:
    """Change every moment in milliseconds: the audit fields, and the clocks of runs."""
    names = ("createdAt", "updatedAt", "startedAtUTC", "completedAtUTC", "started", "updated")

    def is_moment(name: str, member: Any) -> bool:
        return name in names and isinstance(member, int) and bool(member)

    return lambda item: dict(rewritten(item, is_moment, change))


def _metrics(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    return member("metrics", change)


def _durations(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    return _metrics(lambda metrics: member("durationSummary", change)(metrics))


def _words(words: Mapping[str, str]) -> Change:
    def status(summary: dict[str, Any]) -> dict[str, Any]:
        return {**summary, "status": words.get(summary.get("status", ""), summary.get("status"))}

    return _metrics(lambda metrics: member("statusSummary", status)(metrics))


def _counts(metrics: dict[str, Any]) -> dict[str, Any]:
    names = ("recordSummary", "sizeSummary", "fileSummary")
    return {name: texts(value) if name in names else value for name, value in metrics.items()}


def _ids_of_entities(change: Callable[[str], str]) -> Change:
    """Change the ids by which a run names its datasets."""

    def is_list_of_entities(name: str, member: Any) -> bool:
        return name == "entitySummaries"

    def changed(entities: list[Document]) -> list[Document]:
        return [{**entity, "id": change(entity["id"])} for entity in entities]

    return member("metrics", lambda metrics: rewritten(metrics, is_list_of_entities, changed))


REPORTING = (
    Deviation(
        name="moments-as-texts",
        says="Moments such as createdAt come back as texts that hold the number.",
        source=TYPES,
        answers=shown(_moments(str), *ENTITIES, "runs"),
    ),
    Deviation(
        name="moments-in-seconds",
        says="Moments of entities and runs come back in seconds.",
        source="source notifications: seconds in places where others have milliseconds",
        answers=shown(_moments(lambda moment: moment // 1000), *ENTITIES, "runs"),
    ),
    Deviation(
        name="clock-5m-ahead",
        says="The clock of the service is five minutes ahead.",
        source=NOWHERE,
        answers=shown(_moments(lambda moment: moment + SKEW), *ENTITIES, "runs"),
    ),
    Deviation(
        name="clock-5m-behind",
        says="The clock of the service is five minutes behind.",
        source=NOWHERE,
        answers=shown(_moments(lambda moment: moment - SKEW), *ENTITIES, "runs"),
    ),
    Deviation(
        name="run-times-in-seconds",
        says="The start and the end of a run come back in seconds.",
        source="source notifications: seconds in places where others have milliseconds",
        answers=shown(
            _durations(lambda times: {name: value // 1000 for name, value in times.items()}), "runs"
        ),
    ),
    Deviation(
        name="run-counts-as-texts",
        says="Counts of records, bytes and files come back as texts.",
        source=TYPES,
        answers=shown(_metrics(_counts), "runs"),
    ),
    Deviation(
        name="run-status-upper-case",
        says="The status of a run comes back as SUCCESS, IN_PROGRESS, FAILED or PARTIAL_SUCCESS.",
        source="Sources reference: these words; samples of the Destinations reference: success, failed",
        answers=shown(_words(UPPER_WORDS), "runs"),
    ),
    Deviation(
        name="run-status-other-words",
        says="The status of a run comes back in words that no document has.",
        source="references, guides and Adobe's client have four lists of words, all different",
        answers=shown(_words(RUN_WORDS), "runs"),
    ),
    Deviation(
        name="run-status-not-shown",
        says="A run comes back without a status; its end tells that it is over.",
        source="samples: summaries are missing, empty or null",
        answers=shown(_metrics(without("statusSummary")), "runs"),
    ),
    Deviation(
        name="run-end-as-stopped",
        says="The end of a run comes back as stoppedAtUTC.",
        source="Destinations reference: stoppedAtUTC in the schema, completedAtUTC in the samples",
        answers=shown(_durations(_renamed({"completedAtUTC": "stoppedAtUTC"})), "runs"),
    ),
    Deviation(
        name="run-end-not-shown",
        says="A run comes back without its end.",
        source="samples: members of summaries are missing",
        answers=shown(_durations(without("completedAtUTC")), "runs"),
    ),
    Deviation(
        name="run-start-not-shown",
        says="A run comes back without its start.",
        source="samples: members of summaries are missing",
        answers=shown(_durations(without("startedAtUTC")), "runs"),
    ),
    Deviation(
        name="run-datasets-by-bare-id",
        says="A run names its datasets by the id alone, without dataset: before it.",
        source="tutorial: its sample is cut off before; samples for audiences say segment:<id>",
        answers=shown(_ids_of_entities(lambda name: name.removeprefix("dataset:")), "runs"),
    ),
    Deviation(
        name="run-datasets-not-shown",
        says="A run does not say which datasets it exported.",
        source="tutorial: its sample is cut off before; samples for audiences say segment:<id>",
        answers=shown(
            _metrics(
                lambda metrics: member("recordSummary", without("sourceSummaries", "targetSummaries"))(
                    metrics
                )
            ),
            "runs",
        ),
    ),
)
