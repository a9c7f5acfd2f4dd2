"""Ad hoc runs: export datasets of a dataflow now, outside its schedule.

No reference covers them for datasets. What is known: a dataflow can be asked about ten minutes after it was
created, and a refusal covers all datasets of a request. A dataset that is being exported is refused with the
id of that run.

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

PATH = "/data/core/activation/disflowprovider/adhocrun"
ACCEPT = "application/vnd.adobe.adhoc.dataset.activation+json; version=1"
# Adobe's own client asks as often as that.
READY_PAUSE = 60.0
LOOK_PAGE = 25

_NOT_READY = re.compile(r"not ready", re.IGNORECASE)
_NOT_POSSIBLE = re.compile(r"ad-?hoc run can ?not be executed", re.IGNORECASE)
_UNDERWAY = re.compile(r"run already .*\brun id\W{0,3}([0-9A-Za-z-]{8,128})", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdhocRun:
    """A run that exports a dataset now.

    :param dataset_id: ``None`` where the answer was lost that said which of several datasets the run exports.
    :param adopted: it was found, not started by an answer to us: it was under way already, or the answer
        was lost.
    """

    dataset_id: str | None
    run_id: str
    adopted: bool

    def to_json(self) -> dict[str, Any]:
        return {"dataset_id": self.dataset_id, "run_id": self.run_id, "adopted": self.adopted}


class _Patience:
    """How long an exchange may still wait until a dataflow is ready."""

    def __init__(self, seconds: float) -> None:
        self.waited, self._left = 0.0, seconds

    def pause(self) -> float | None:
        """The next pause; ``None`` when all is used up."""
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
    :param ready_within: how many seconds to wait until the service is ready for a new dataflow.
    :raises AepValidationError: the dataflow does not export one of them; nothing was started.
    :raises AepApiError: it was not ready in time, or its destination has no ad hoc runs.
    """
    check_id("dataflow_id", dataflow_id)
    named = None if datasets is None else _ids_of(datasets)
    held = yield from _datasets_of(dataflow_id)
    wanted = held if named is None else named
    if strange := [each for each in wanted if each not in held]:
        raise AepValidationError(
            "the datasets",
            [
                Problem(f"datasets/{wanted.index(each)}", "is not exported by the dataflow")
                for each in strange
            ],
        )
    patience = _Patience(ready_within)
    try:
        started = yield from _start(dataflow_id, wanted, patience)
    except _Underway as refusal:
        if len(wanted) == 1:
            return [AdhocRun(dataset_id=wanted[0], run_id=refusal.run_id, adopted=True)]
        # It is not told which of them that run exports: asked for one by one, each tells its own.
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
            # We started that one for another dataset: then a dataflow has one run at a time, and we wait.
            if (seconds := patience.pause()) is None:
                raise refusal.error.with_hint(_waited(patience)) from refusal.error
            yield Pause(seconds)


def _start(dataflow_id: str, wanted: Sequence[str], patience: _Patience) -> Exchange[list[AdhocRun]]:
    """Ask for one run for each dataset, and never again while it is open whether they were started.

    :raises _Underway: one of the datasets is being exported.
    """
    destination = {"flowId": dataflow_id, "datasets": [{"id": each} for each in wanted]}
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
            if found := (yield from _appeared(dataflow_id, known, len(wanted))):
                only = wanted[0] if len(wanted) == 1 else None
                return [AdhocRun(dataset_id=only, run_id=run_id, adopted=True) for run_id in found]
            if unanswered == CREATE_TRIES:
                raise


def _judge(error: AepApiError | AepTransportError) -> None:
    """Raise what asking again cannot mend; return where it is open what the service did."""
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
    """The runs of an answer, in the order of the datasets.

    :raises AepTransportError: it does not name one for each, so the question is as open as without an answer.
    """
    runs: dict[str, str] = {}
    for destination in sequence(mapping(body).get("destinations")):
        for item in map(mapping, sequence(mapping(destination).get("datasets"))):
            # Adobe's own client has met a blank in this URL.
            runs[str(item.get("id"))] = str(item.get("statusURL") or "").strip().rsplit("/", 1)[-1].strip()
    if not all(runs.get(each) for each in wanted):
        raise AepTransportError(f"{request}: the answer does not name a run for each dataset", sent=True)
    return [
        AdhocRun(dataset_id=each, run_id=check_id("run_id", runs[each]), adopted=False) for each in wanted
    ]


def _appeared(dataflow_id: str, known: Collection[str], expected: int) -> Exchange[list[str]]:
    """Runs that were not there before, oldest first; looked for a little longer while some are missing."""
    habits = yield from recall()
    found: list[str] = []
    for pause in habits.pauses():
        yield Pause(pause)
        now = yield from _newest_runs(dataflow_id)
        seen = [run_id for run_id in reversed(now) if run_id not in known]
        if len(seen) >= expected or (seen and seen == found):
            return seen
        found = seen
    return found


def _check_alone(dataflow_id: str, known: Collection[str], started: Sequence[AdhocRun]) -> Exchange[None]:
    """After a request that was sent again, as no run of the first one was listed: whether that one had none.

    :raises AepUnseenError: it had, or that cannot be told.
    """
    ours = [run.run_id for run in started]
    habits = yield from recall()
    for pause in habits.pauses():
        now = yield from _newest_runs(dataflow_id)
        if others := [run_id for run_id in now if run_id not in known and run_id not in ours]:
            raise AepUnseenError(
                f"dataflow {dataflow_id} was started twice, as the run of a first request was listed late: "
                f"{', '.join([*others, *ours])}. Its data is exported twice.",
                [*others, *ours],
            )
        if all(run_id in now for run_id in ours):
            return
        yield Pause(pause)
    raise AepUnseenError(
        f"dataflow {dataflow_id} was started a second time, as the answer to a first request was lost: "
        f"{', '.join(ours)}. No listing shows that yet, so whether the first one has started a run as well "
        "cannot be told: look in Adobe.",
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
        check_id(f"datasets/{index}", given.get("id") if isinstance(given, Mapping) else given)
        for index, given in enumerate(datasets)
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
