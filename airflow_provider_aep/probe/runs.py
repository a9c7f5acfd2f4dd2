"""Checks of the runs of export dataflows.

Source: Destinations API reference, "Dataflow runs"; "Monitor dataflows using the Flow Service API"; read
2026-11.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low

from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.documents import (
    LEAST_MILLISECONDS,
    Document,
    epoch_moment,
    mapping,
    sequence,
)
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.run_record import STATUS_WORDS, DataflowRun
from airflow_provider_aep.probe.asking import read_listing
from airflow_provider_aep.probe.sample import Sample, datasets_of
from airflow_provider_aep.probe.words import (
    Seen,
    assumed,
    count,
    differs,
    either,
    fails,
    untold,
    word,
    words_of,
)
from airflow_provider_aep.times import span_words

RUNS = "an export dataflow that has run"
SAMPLES_SAY = frozenset(("success", "failed", "partialSuccess", "processing"))
# Runs that start this close together belong to one tick.
TOGETHER = timedelta(minutes=20)
LAST_TICKS = 3
LONG_AGO = timedelta(days=2)


def _metrics(run: DataflowRun) -> Document:
    return mapping(run.raw.get("metrics"))


def _status(run: DataflowRun) -> object:
    return mapping(_metrics(run).get("statusSummary")).get("status")


def _times(run: DataflowRun) -> Document:
    return mapping(_metrics(run).get("durationSummary"))


def judge_status(sample: Sample) -> Seen:
    words = [_status(run) for run in sample.export_runs if _metrics(run)]
    if not words:
        return untold(RUNS)
    if None in words:
        return fails("runs without a status")
    shown = f"words seen: {', '.join(sorted(set(map(word, words))))}"
    if any("".join(filter(str.isalpha, str(value))).lower() not in STATUS_WORDS for value in words):
        return fails(shown)
    return either(set(words) <= SAMPLES_SAY, shown, shown)


def judge_times(sample: Sample) -> Seen:
    """Keys and units of the times of runs."""
    finished = [run for run in sample.export_runs if run.finished and _metrics(run)]
    if not finished:
        return untold(RUNS)
    times = [_times(run) for run in finished]
    if any("startedAtUTC" not in summary for summary in times):
        return differs("no startedAtUTC")
    if any("completedAtUTC" not in summary for summary in times):
        stopped = any("stoppedAtUTC" in summary for summary in times)
        return differs("stoppedAtUTC instead of completedAtUTC" if stopped else "no completedAtUTC")
    values = [value for summary in times for value in summary.values()]
    values += [run.raw.get("createdAt") for run in finished]
    if any(isinstance(value, str) for value in values):
        return differs("texts")
    if any(isinstance(value, int | float) and 0 < value < LEAST_MILLISECONDS for value in values):
        return differs("seconds")
    return assumed("startedAtUTC and completedAtUTC, in epoch milliseconds")


def judge_created(sample: Sample) -> Seen:
    """Whether a run is created at about its start, as listings are sorted by creation."""
    apart = [
        abs((run.started_at - run.created_at).total_seconds())
        for run in sample.export_runs
        if "startedAtUTC" in _times(run) and run.created_at and run.started_at
    ]
    if not apart:
        return untold("a run with createdAt and startedAtUTC")
    most = max(apart)
    return either(most <= 600, f"at most {span_words(most)} apart", f"up to {span_words(most)} apart")


def judge_counts(sample: Sample) -> Seen:
    values = [
        value
        for run in sample.export_runs
        for part in ("sizeSummary", "recordSummary", "fileSummary")
        for key, value in mapping(_metrics(run).get(part)).items()
        if key.endswith(("Count", "Bytes")) and value is not None
    ]
    if not values:
        return untold("a run with counts")
    if any(isinstance(value, str) for value in values):
        return differs("texts")
    if any(not isinstance(value, int) for value in values):
        return differs("other than whole numbers")
    return assumed("whole numbers" + (", -1 where it is not known" if -1 in values else ""))


def judge_empty_runs(sample: Sample) -> Seen:
    empty = [run for run in sample.export_runs if run.records_in == 0]
    if not empty:
        return untold("a run that had nothing to export")
    statuses = f"status {', '.join(sorted({word(_status(run)) for run in empty}))}"
    usual = all(run.records_out == 0 and run.delivered for run in empty)
    return either(usual, f"{statuses}, no input, no output", f"{statuses}, with other counts")


def judge_dataset_ids(sample: Sample) -> Seen:
    good = [run for run in sample.export_runs if run.delivered]
    if not good:
        return untold("a run that ended well")
    naming = sum(bool(run.dataset_ids) for run in good)
    share = f"{naming} of {count(len(good), 'run')} name their datasets"
    return either(naming == len(good), share, share)


def judge_runs_per_tick(sample: Sample) -> Seen:
    """One run for a tick, or one for each dataset, of a dataflow with several datasets."""
    seen = []
    sources = {str(source["id"]): len(datasets_of(source)) for source in sample.of("sourceConnections")}
    for flow in sample.exports:
        held = sum(sources.get(str(source_id), 0) for source_id in sequence(flow.get("sourceConnectionIds")))
        runs = map(DataflowRun.from_api, sample.runs_of.get(str(flow["id"]), ()))
        starts = sorted(run.started_at for run in runs if run.started_at)
        if held > 1 and starts:
            seen.append((held, _runs_of_last_ticks(starts)))
    if not seen:
        return untold("an export dataflow of several datasets that has run")
    held, run_count = max(seen, key=lambda pair: pair[1])
    shown = f"{count(run_count, 'run')} a tick, of a dataflow of {held} datasets"
    return either(run_count == 1, shown, shown)


def _runs_of_last_ticks(starts: list[datetime]) -> int:
    """The median number of runs of the last ticks."""
    ticks = [[starts[0]]]
    for earlier, later in pairwise(starts):
        if later - earlier > TOGETHER:
            ticks.append([])
        ticks[-1].append(later)
    return int(median_low([len(tick) for tick in ticks[-LAST_TICKS:]]))


def look_at_strangers(sample: Sample) -> Exchange[Seen]:
    """Whether a listing of a dataflow's runs shows only its runs."""
    for flow_id in [*sample.runs_of][:2]:
        listing = yield from read_listing("runs", [("flowId", flow_id)], limit=sample.limit, most=1)
        if listing.error:
            return differs(words_of(listing.error))
        others = [run for run in listing.items if run.get("flowId") != flow_id]
        if not listing.items:
            return fails("finds nothing of what is there")
        if others:
            return differs(f"{count(len(others), 'run')} of other dataflows too")
    return assumed("runs of that dataflow, and no others") if sample.runs_of else untold(RUNS)


def judge_retention(sample: Sample) -> Seen:
    """The age of the oldest run of dataflows that have run for long, and whose runs were all read."""
    ages = []
    for flow in map(Dataflow.from_api, sample.exports):
        began = epoch_moment(flow.schedule.get("startTime"))
        if flow.id not in sample.whole_runs or began is None or sample.now - began < LONG_AGO:
            continue
        runs = map(DataflowRun.from_api, sample.runs_of.get(flow.id, ()))
        if created := [run.created_at for run in runs if run.created_at]:
            ages.append(sample.now - min(created))
    if not ages:
        return untold("an export dataflow that has run for two days and more")
    age = f"the oldest run that is listed is {span_words(max(ages))} old"
    return either(max(ages) >= LONG_AGO, age, age)
