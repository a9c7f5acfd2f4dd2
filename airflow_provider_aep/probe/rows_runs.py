"""The assumptions about runs and ingested data, and their checks."""

from __future__ import annotations

from airflow_provider_aep.probe import ingested, runs
from airflow_provider_aep.probe.assumption import seen_in
from airflow_provider_aep.probe.row import CATALOG, REFERENCE, TUTORIAL, row

RUNS = (
    row(
        "status of runs",
        seen_in(runs.judge_status),
        "reads any spelling; an unknown word is never good",
        (
            "success, failed and others, in several spellings",
            "Destinations reference, monitoring guide, Adobe's client",
        ),
    ),
    row(
        "times of runs",
        seen_in(runs.judge_times),
        "reads both keys, and seconds; uses createdAt and updatedAt if they are missing",
        ("epoch milliseconds; completedAtUTC (samples) or stoppedAtUTC (schema)", REFERENCE),
    ),
    row("creation and start of runs", seen_in(runs.judge_created), "uses the start if there is one"),
    row(
        "counts of runs",
        seen_in(runs.judge_counts),
        "reads texts that contain a number; treats other values as unknown",
        ("whole numbers, -1 for an unknown count", REFERENCE),
    ),
    row(
        "empty runs",
        seen_in(runs.judge_empty_runs),
        "treats no input and no output as zero records",
        ("no input and no output; the sample is cut off before the status", TUTORIAL),
    ),
    row(
        "datasets of runs",
        seen_in(runs.judge_dataset_ids),
        "uses the number of runs if they name no dataset",
        ("samples show audiences; that of datasets is cut off", TUTORIAL),
    ),
    row(
        "runs for a tick",
        seen_in(runs.judge_runs_per_tick),
        "learns it from the listed runs; expected_runs sets it",
        ("not documented: one, or one for each dataset", "none"),
    ),
    row(
        "how long runs are listed",
        seen_in(runs.judge_retention),
        "never reports a missing run older than the oldest listed run",
    ),
)

INGESTED = (
    row(
        "batches in the Catalog",
        ingested.look_at_batches,
        "treats the cause of an empty run as unknown if it cannot read them, or their records",
        ("an object by id; limit up to 100; metrics are free", CATALOG),
    ),
    row(
        "window of batches",
        ingested.look_at_window,
        "believes an empty window only after a window has shown batches",
        ("createdAfter in epoch milliseconds, exclusive", CATALOG),
    ),
    row(
        "batches of several datasets",
        ingested.look_at_several,
        "requests each separately until a list has shown several",
        ("several values in a filter mean any of them", CATALOG),
    ),
    row(
        "datasets in the Catalog",
        ingested.look_at_catalog_datasets,
        "requests each separately; treats the cause as unknown if that fails",
        ("several ids in the path", CATALOG),
    ),
)
