"""Ad hoc runs: export datasets of a dataflow now, outside its schedule.

No reference covers them for datasets. What is known: a dataflow accepts the request about ten minutes after
it was created; a refusal covers all datasets of a request; for a dataset that is being exported, the refusal
names the id of that run.

Sources: Data Distiller guide "Export data"; Adobe's Python client (the texts of the refusals); read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_aep.errors import (
    AepApiError,
    AepServerError,
    AepTransportError,
    AepUnseenError,
    AepValidationError,
    Problem,
)
from airflow_provider_aep.flowservice.connections import dataset_ids_of
from airflow_provider_aep.flowservice.creation import CREATE_TRIES
from airflow_provider_aep.flowservice.dataflows import get_dataflow
from airflow_provider_aep.flowservice.documents import mapping, sequence
from airflow_provider_aep.flowservice.entities import get_entity
from airflow_provider_aep.flowservice.exchange import Exchange, Pause, Request, recall
from airflow_provider_aep.flowservice.runs import list_runs_of
from airflow_provider_aep.flowservice.validation import check_id
from airflow_provider_aep.times import span_words

__all__ = ["run_export"]

PATH = "/data/core/activation/disflowprovider/adhocrun"
ACCEPT = "application/vnd.adobe.adhoc.dataset.activation+json; version=1"
# Adobe's own client polls at this interval.
READY_PAUSE = 60.0
LOOK_PAGE = 25

_NOT_READY = re.compile(r"not ready", re.IGNORECASE)
_NOT_POSSIBLE = re.compile(r"ad-?hoc run can ?not be executed", re.IGNORECASE)
_UNDERWAY = re.compile(r"run already .*\brun id\W{0,3}([0-9A-Za-z-]{8,128})", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdhocRun:
    """A run that exports a dataset now.

    :param dataset_id: ``None`` if the response was lost that said which of several datasets the run exports.
    :param adopted: the run was under way already, or the response to our request was lost.
    """

    dataset_id: str | None
    run_id: str
    adopted: bool

    def to_json(self) -> dict[str, Any]:
        return {"dataset_id": self.dataset_id, "run_id": self.run_id, "adopted": self.adopted}


class _Patience:
    """How much longer an exchange may wait for a dataflow to become ready."""

    def __init__(self, seconds: float) -> None:
        self.waited, self._left = 0.0, seconds

    def pause(self) -> float | None:
        """The next pause in seconds; ``None`` when no time is left."""
        seconds = min(READY_PAUSE, self._left)
        if seconds <= 0:
            return None
        self.waited += seconds
        self._left -= seconds
        return seconds


def run_export(
    dataflow_id: str,
    datasets: Sequence[str | Mapping[str, Any]] | None = None,
    *,
    ready_within: float,
) -> Exchange[list[AdhocRun]]:
    """Export datasets of a dataflow now, each in a run of its own.

    :param datasets: ids, or dicts with ``id``; by default all that the dataflow exports.
    :param ready_within: how many seconds to wait for a new dataflow to become ready.
    :raises AepValidationError: the dataflow does not export one of the datasets; nothing was started.
    :raises AepApiError: the dataflow was not ready in time, or its destination has no ad hoc runs.
    """
    check_id("dataflow_id", dataflow_id)
    named = None if datasets is None else _ids_of(datasets)
    exported = yield from _datasets_of(dataflow_id)
    wanted = exported if named is None else named
    if not_exported := [item for item in wanted if item not in exported]:
        raise AepValidationError(
            "the datasets",
            [
                Problem(f"datasets/{wanted.index(item)}", "is not exported by the dataflow")
                for item in not_exported
            ],
        )
    patience = _Patience(ready_within)
    try:
        started = yield from _start(dataflow_id, wanted, patience)
    except _Underway as refusal:
        if len(wanted) == 1:
            return [AdhocRun(dataset_id=wanted[0], run_id=refusal.run_id, adopted=True)]
        # The refusal does not say which of them that run exports; a request for each dataset does.
        started = []
        for dataset_id in wanted:
            started += yield from _start_one(dataflow_id, dataset_id, patience, started)
    return started


def _start_one(
    dataflow_id: str, dataset_id: str, patience: _Patience, started: Collection[AdhocRun]
) -> Exchange[list[AdhocRun]]:
    """Start one of several datasets, or adopt the run that exports it."""
    ours = {run.run_id for run in started if not run.adopted}
    while True:
        try:
            return (yield from _start(dataflow_id, [dataset_id], patience))
        except _Underway as refusal:
            if refusal.run_id not in ours:
                return [AdhocRun(dataset_id=dataset_id, run_id=refusal.run_id, adopted=True)]
            # We started that run for another dataset, so this dataflow has one run at a time: wait.
            if (seconds := patience.pause()) is None:
                raise refusal.error.with_hint(_waited(patience)) from refusal.error
            yield Pause(seconds)


def _start(dataflow_id: str, wanted: Sequence[str], patience: _Patience) -> Exchange[list[AdhocRun]]:
    """Request one run for each dataset; repeat the request only after looking for runs that it started.

    :raises _Underway: one of the datasets is being exported.
    """
    destination = {"flowId": dataflow_id, "datasets": [{"id": dataset_id} for dataset_id in wanted]}
    request = Request(
        "POST",
        PATH,
        headers={"Accept": ACCEPT},
        json={"activationInfo": {"destinations": [destination]}},
    )
    unanswered = 0
    known: Collection[str] = ()
    while True:
        if not unanswered:
            known = yield from _newest_runs(dataflow_id)
        try:
            started = _started(request, (yield request).json, wanted)
            if unanswered:
                yield from _check_alone(dataflow_id, known, started)
            return started
        except (AepApiError, AepTransportError) as error:
            if isinstance(error, AepApiError) and _NOT_READY.search(error.message):
                if (seconds := patience.pause()) is None:
                    raise error.with_hint(_waited(patience)) from error
                yield Pause(seconds)
                continue
            _judge(error)
            unanswered += 1
            if run_ids := (yield from _appeared(dataflow_id, known, len(wanted))):
                only = wanted[0] if len(wanted) == 1 else None
                return [AdhocRun(dataset_id=only, run_id=run_id, adopted=True) for run_id in run_ids]
            if unanswered == CREATE_TRIES:
                raise


def _judge(error: AepApiError | AepTransportError) -> None:
    """Raise an error that a retry cannot fix; return if the outcome is unknown."""
    if isinstance(error, AepTransportError):
        if not error.sent:
            raise error
        return
    if underway := _UNDERWAY.search(error.message):
        raise _Underway(underway[1], error) from error
    if _NOT_POSSIBLE.search(error.message):
        raise error.with_hint(
            "Adobe has not enabled ad hoc runs for this destination in your organization; ask Adobe for it, "
            "or use a dataflow with schedule: once.",
        ) from error
    if not isinstance(error, AepServerError):
        raise error


def _started(request: Request, body: Any, wanted: Sequence[str]) -> list[AdhocRun]:
    """The runs that a response names, in the order of the datasets.

    :raises AepTransportError: it does not name one for each, so the outcome is as unknown as without it.
    """
    runs: dict[str, str] = {}
    for destination in sequence(mapping(body).get("destinations")):
        for item in map(mapping, sequence(mapping(destination).get("datasets"))):
            # Adobe's own client has met a blank in this URL.
            runs[str(item.get("id"))] = str(item.get("statusURL") or "").strip().rsplit("/", 1)[-1].strip()
    if not all(runs.get(dataset_id) for dataset_id in wanted):
        raise AepTransportError(f"{request}: the response does not name a run for each dataset", sent=True)
    return [
        AdhocRun(dataset_id=dataset_id, run_id=check_id("run_id", runs[dataset_id]), adopted=False)
        for dataset_id in wanted
    ]


def _appeared(dataflow_id: str, known: Collection[str], expected: int) -> Exchange[list[str]]:
    """Runs that were not listed before, oldest first; polls a little longer while some are missing."""
    habits = yield from recall()
    previous: list[str] = []
    for pause in habits.pauses():
        yield Pause(pause)
        now = yield from _newest_runs(dataflow_id)
        seen = [run_id for run_id in reversed(now) if run_id not in known]
        if len(seen) >= expected or (seen and seen == previous):
            return seen
        previous = seen
    return previous


def _check_alone(dataflow_id: str, known: Collection[str], started: Sequence[AdhocRun]) -> Exchange[None]:
    """Check that a request that was sent twice started runs only once.

    :raises AepUnseenError: both requests started runs, or no listing shows whether they did.
    """
    ours = [run.run_id for run in started]
    habits = yield from recall()
    for pause in habits.pauses():
        now = yield from _newest_runs(dataflow_id)
        if others := [run_id for run_id in now if run_id not in known and run_id not in ours]:
            raise AepUnseenError(
                f"dataflow {dataflow_id} was started twice, because the first request's run was listed late: "
                f"{', '.join([*others, *ours])}. Its data is exported twice.",
                [*others, *ours],
            )
        if all(run_id in now for run_id in ours):
            return
        yield Pause(pause)
    raise AepUnseenError(
        f"dataflow {dataflow_id} was started a second time, because the first request's response was lost: "
        f"{', '.join(ours)}. No listing shows these runs yet, so it is unknown whether the first request "
        "started a run as well: look in Adobe.",
        ours,
    )


def _newest_runs(dataflow_id: str) -> Exchange[list[str]]:
    """The ids of the newest runs of a dataflow, newest first: one page."""
    runs = yield from list_runs_of([dataflow_id], page_size=LOOK_PAGE, enough=lambda runs: True)
    return [run.id for run in runs]


def _datasets_of(dataflow_id: str) -> Exchange[list[str]]:
    """The ids of the datasets that a dataflow exports."""
    flow = yield from get_dataflow(dataflow_id)
    ids: list[str] = []
    for source_connection_id in flow.source_connection_ids:
        source = yield from get_entity(
            "sourceConnections", source_connection_id, field="source_connection_id"
        )
        ids += dataset_ids_of(source)
    if not ids:
        raise AepValidationError(
            "the datasets", [Problem("dataflow_id", "is of a dataflow without datasets")]
        )
    return list(dict.fromkeys(ids))


def _ids_of(datasets: object) -> list[str]:
    if not isinstance(datasets, list | tuple) or not datasets:
        problem = Problem("datasets", "must be a list with at least one dataset id, or dict with id")
        raise AepValidationError("the datasets", [problem])
    ids = [
        check_id(f"datasets/{index}", dataset.get("id") if isinstance(dataset, Mapping) else dataset)
        for index, dataset in enumerate(datasets)
    ]
    return list(dict.fromkeys(ids))


def _waited(patience: _Patience) -> str:
    waited = span_words(patience.waited, exact=True)
    return (
        f"Waited {waited} for it. Adobe takes about ten minutes until a new dataflow can run ad hoc; wait "
        "longer, or try again later."
    )


class _Underway(Exception):
    """A dataset is being exported already, in the run that the service names."""

    def __init__(self, run_id: str, error: AepApiError) -> None:
        super().__init__(run_id)
        self.run_id, self.error = run_id, error
