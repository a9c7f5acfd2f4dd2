"""What is taken for granted of runs and of what was ingested, and how each of it is looked up."""

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
        "reads both keys, and seconds; goes by createdAt and updatedAt where there are none",
        ("epoch milliseconds; completedAtUTC (samples) or stoppedAtUTC (schema)", REFERENCE),
    ),
    row("creation and start of runs", seen_in(runs.judge_created), "goes by the start where there is one"),
    row(
        "counts of runs",
        seen_in(runs.judge_counts),
        "reads texts that hold a number; what is odd is unknown",
        ("whole numbers, -1 where it is not known", REFERENCE),
    ),
    row(
        "empty runs",
        seen_in(runs.judge_empty_runs),
        "takes no input and no output for zero records",
        ("no input and no output; the sample is cut off before the status", TUTORIAL),
    ),
    row(
        "datasets of runs",
        seen_in(runs.judge_dataset_ids),
        "goes by the number of runs where they name no dataset",
        ("samples show audiences; that of datasets is cut off", TUTORIAL),
    ),
    row(
        "runs for a tick",
        seen_in(runs.judge_runs_per_tick),
        "learns it from the runs that it sees; expected_runs says it",
        ("one, or one for each dataset, is not said", "none"),
    ),
    row(
        "how long runs are listed",
        seen_in(runs.judge_retention),
        "calls nothing missing that is older than the oldest run it sees",
    ),
)

INGESTED = (
    row(
        "batches in the Catalog",
        ingested.look_at_batches,
        "calls the cause of an empty run unknown where it cannot read them, or their records",
        ("an object by id; limit up to 100; metrics are free", CATALOG),
    ),
    row(
        "window of batches",
        ingested.look_at_window,
        "believes that there are none once a window has shown any",
        ("createdAfter in epoch milliseconds, exclusive", CATALOG),
    ),
    row(
        "batches of several datasets",
        ingested.look_at_several,
        "asks for each alone until a list has shown several",
        ("several values in a filter mean any of them", CATALOG),
    ),
    row(
        "datasets in the Catalog",
        ingested.look_at_catalog_datasets,
        "asks for each alone; calls the cause unknown where it cannot",
        ("several ids in the path", CATALOG),
    ),
)
