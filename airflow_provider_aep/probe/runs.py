"""Looks at runs of export dataflows.

Source: Destinations API reference, "Dataflow runs"; "Monitor dataflows using the Flow Service API"; read
2026-11.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low
from typing import Any

from airflow_provider_aep.flowservice.entities import Document, mapping, sequence
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.runs import STATUS_WORDS, DataflowRun
from airflow_provider_aep.probe.asking import read_listing, values_at
from airflow_provider_aep.probe.documents import MILLISECONDS_FROM
from airflow_provider_aep.probe.sample import Sample, datasets_of
from airflow_provider_aep.probe.words import Seen, assumed, count, differs, fails, untold, word, words_of

RUNS = "an export dataflow that has run"
SAMPLES_SAY = frozenset(("success", "failed", "partialSuccess", "processing"))
# Runs that start so close together belong to one tick.
TOGETHER = timedelta(minutes=20)
LAST_TICKS = 3
LONG_AGO = timedelta(days=2)


def metrics_of(run: Document) -> Document:
    return mapping(run.get("metrics"))


def status_of(run: Document) -> object:
    return mapping(metrics_of(run).get("statusSummary")).get("status")


def judge_status(sample: Sample) -> Seen:
    words = [status_of(run) for run in sample.export_runs if metrics_of(run)]
    if not words:
        return untold(RUNS)
    told = ", ".join(sorted({word(each) for each in words}))
    letters = ["".join(filter(str.isalpha, str(each))).lower() for each in words]
    if any(each is None for each in words):
        return differs("runs without a status")
    if any(each not in STATUS_WORDS for each in letters):
        return fails(f"words seen: {told}")
    return assumed(f"words seen: {told}") if set(words) <= SAMPLES_SAY else differs(f"words seen: {told}")


def judge_times(sample: Sample) -> Seen:
    """Keys and units of the times of runs."""
    finished = [run for run in sample.export_runs if DataflowRun.from_api(run).finished and metrics_of(run)]
    if not finished:
        return untold(RUNS)
    durations = [mapping(metrics_of(run).get("durationSummary")) for run in finished]
    if any("startedAtUTC" not in one for one in durations):
        return differs("no startedAtUTC")
    if any("completedAtUTC" not in one for one in durations):
        stopped = any("stoppedAtUTC" in one for one in durations)
        return differs("stoppedAtUTC in the place of completedAtUTC" if stopped else "no completedAtUTC")
    values = [value for one in durations for value in one.values()] + [
        run.get("createdAt") for run in finished
    ]
    if any(isinstance(value, str) for value in values):
        return differs("texts")
    if any(isinstance(value, int | float) and 0 < value < MILLISECONDS_FROM for value in values):
        return differs("seconds")
    return assumed("startedAtUTC and completedAtUTC, in epoch milliseconds")


def judge_created(sample: Sample) -> Seen:
    """Whether a run is created about when it starts, as listings are in the order of creation."""
    apart = []
    for run in map(DataflowRun.from_api, sample.export_runs):
        started = mapping(metrics_of(run.raw).get("durationSummary")).get("startedAtUTC")
        if started is not None and run.created_at and run.started_at:
            apart.append(abs((run.started_at - run.created_at).total_seconds()))
    if not apart:
        return untold("a run with createdAt and startedAtUTC")
    return (
        assumed(f"at most {max(apart):.0f} s apart")
        if max(apart) <= 600
        else differs(f"up to {max(apart) / 60:.0f} minutes apart")
    )


def judge_counts(sample: Sample) -> Seen:
    values = [value for run in sample.export_runs for value in _counts(metrics_of(run))]
    if not values:
        return untold("a run with counts")
    if any(isinstance(value, str) for value in values):
        return differs("texts")
    if any(not isinstance(value, int) for value in values if value is not None):
        return differs("other than whole numbers")
    return assumed("whole numbers" + (", -1 where it is not known" if -1 in values else ""))


def _counts(metrics: Mapping[str, Any]) -> Iterator[Any]:
    for part in ("sizeSummary", "recordSummary", "fileSummary"):
        for key, value in mapping(metrics.get(part)).items():
            if key.endswith(("Count", "Bytes")):
                yield value


def judge_empty_runs(sample: Sample) -> Seen:
    empty = [
        run
        for run in sample.export_runs
        if mapping(metrics_of(run).get("recordSummary")).get("inputRecordCount") in (0, "0")
    ]
    if not empty:
        return untold("a run that had nothing to export")
    told = ", ".join(sorted({word(status_of(run)) for run in empty}))
    if all(
        DataflowRun.from_api(run).records_out == 0 and DataflowRun.from_api(run).delivered for run in empty
    ):
        return assumed(f"status {told}, no input, no output")
    return differs(f"status {told}, with other counts")


def judge_dataset_ids(sample: Sample) -> Seen:
    good = [run for run in map(DataflowRun.from_api, sample.export_runs) if run.delivered]
    if not good:
        return untold("a run that ended well")
    naming = sum(bool(run.dataset_ids) for run in good)
    told = f"{naming} of {count(len(good), 'run')} name their datasets"
    return assumed(told) if naming == len(good) else differs(told)


def judge_runs_per_tick(sample: Sample) -> Seen:
    """One run for a tick, or one for each dataset: what a dataflow of several datasets shows."""
    seen = []
    sources = {str(one["id"]): len(datasets_of(one)) for one in sample.of("sourceConnections")}
    for flow in sample.exports:
        held = sum(sources.get(str(each), 0) for each in sequence(flow.get("sourceConnectionIds")))
        starts = sorted(
            run.started_at
            for run in map(DataflowRun.from_api, sample.runs_of.get(str(flow["id"]), ()))
            if run.started_at
        )
        if held < 2 or not starts:
            continue
        seen.append((held, _runs_of_last_ticks(starts)))
    if not seen:
        return untold("an export dataflow of several datasets that has run")
    held, each = max(seen, key=lambda pair: pair[1])
    told = f"{count(each, 'run')} a tick, of a dataflow of {held} datasets"
    return assumed(told) if each == 1 else differs(told)


def _runs_of_last_ticks(starts: list[datetime]) -> int:
    """How many runs the last ticks had, by what most of them had."""
    ticks = [[starts[0]]]
    for earlier, later in pairwise(starts):
        if later - earlier > TOGETHER:
            ticks.append([])
        ticks[-1].append(later)
    return int(median_low([len(tick) for tick in ticks[-LAST_TICKS:]]))


def look_at_strangers(sample: Sample) -> Exchange[Seen]:
    """Whether the runs of a dataflow are listed alone."""
    for flow_id in [*sample.runs_of][:2]:
        listing = yield from read_listing("runs", [("flowId", flow_id)], limit=sample.limit, most=1)
        if listing.error:
            return differs(words_of(listing.error))
        others = [run for run in listing.items if run.get("flowId") != flow_id]
        if not listing.items:
            return differs("finds nothing of what is there")
        if others:
            return differs(f"{count(len(others), 'run')} of other dataflows too")
    return assumed("runs of that dataflow, and no others") if sample.runs_of else untold(RUNS)


def judge_retention(sample: Sample) -> Seen:
    oldest = None
    for flow in sample.exports:
        runs = sample.runs_of.get(str(flow["id"]), [])
        if str(flow["id"]) not in sample.whole_runs or not runs:
            continue
        start = next((value for value in values_at(flow, "scheduleParams.startTime")), None)
        began = (
            sample.now.timestamp() - float(start)
            if isinstance(start, int | float) and start < MILLISECONDS_FROM
            else 0.0
        )
        if began < LONG_AGO.total_seconds():
            continue
        created = [run.created_at for run in map(DataflowRun.from_api, runs) if run.created_at]
        if not created:
            continue
        age = (sample.now - min(created)).total_seconds()
        oldest = max(oldest or 0.0, age)
    if oldest is None:
        return untold("an export dataflow that has run for two days and more")
    told = f"the oldest run that is listed is {oldest / 86400:.0f} days old"
    return assumed(told) if oldest >= LONG_AGO.total_seconds() else differs(told)
