"""The latest runs of an export, as a table for people and as plain JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow_provider_aep.exports.importing import find_dataflow
from airflow_provider_aep.exports.state import read_kind
from airflow_provider_aep.flowservice.entities import LARGEST_PAGE, Document, list_entities
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.runs import DataflowRun, list_runs
from airflow_provider_aep.monitoring.verdict import RunPolicy, judge_runs

COLUMNS = ("started (UTC)", "status", "records", "files", "bytes", "seconds", "errors")


def latest_runs(
    name_or_id: str, *, limit: int, since: datetime | None
) -> Exchange[tuple[Document, list[DataflowRun]]]:
    """A dataflow and its runs, newest first.

    :raises AepValidationError: there is no such dataflow.
    :raises AepAmbiguousNameError: several have the name.
    """
    flow = find_dataflow(name_or_id, (yield from read_kind("dataflow")))
    flow_id, page_size = str(flow["id"]), min(limit, LARGEST_PAGE)
    if since:
        runs = yield from list_runs(flow_id, started_after=since, page_size=page_size)
        return flow, runs[:limit]
    found = yield from list_entities(
        "/runs",
        [("property", f"flowId=={flow_id}"), ("orderby", "-createdAt")],
        page_size=page_size,
        enough=lambda found: len(found) >= limit,
    )
    # The tutorial's own sample answers with a run of another dataflow; see list_runs.
    return flow, [run for run in map(DataflowRun.from_api, found) if run.dataflow_id == flow_id][:limit]


def told_of(run: DataflowRun) -> dict[str, Any]:
    """A run with the verdict of the usual run policy; a run that is still going has none."""
    verdict = judge_runs([run], RunPolicy()) if run.finished else None
    return {
        **run.to_json(),
        "verdict": verdict.status if verdict else "running",
        "outcome": verdict.outcome if verdict else None,
    }


def row_of(run: DataflowRun) -> tuple[object, ...]:
    told = told_of(run)
    seconds = (
        (run.completed_at - run.started_at).total_seconds() if run.started_at and run.completed_at else None
    )
    status = f"{told['verdict']} -> {told['outcome']}" if told["outcome"] else told["verdict"]
    return (
        f"{run.started_at:%Y-%m-%d %H:%M:%S}" if run.started_at else "?",
        status,
        *(
            "?" if count is None else f"{count:,}"
            for count in (run.records_out, run.files_out, run.bytes_out)
        ),
        "?" if seconds is None else f"{seconds:.0f}",
        "; ".join(map(str, run.errors)),
    )
