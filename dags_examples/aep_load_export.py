"""Load the files of an export as soon as it has finished.

On Airflow 3 the asset has a watcher: it starts this DAG when a run of the export has finished at Adobe, with
no other DAG involved. On Airflow 2, or where you want the verdict of a sensor first, give that sensor
``outlets=[EXPORT]``: its event tells the same.

The files are read through Airflow's object storage path. Variable ``aep_export_storage`` says how to reach
the storage, where the event's own URL does not: ``s3://aws_default@acme-exports`` adds an Airflow connection,
``abfss://container@account.dfs.core.windows.net`` the container that the event cannot know.
"""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, ObjectStoragePath, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_aep.assets import export_asset

WATCHERS: dict[str, Any] = {}
if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk import AssetWatcher

    from airflow_provider_aep.triggers import AepDataflowRunFinishedTrigger

    finished = AepDataflowRunFinishedTrigger(dataflow_name="crm-nightly", statuses=["success", "partial"])
    WATCHERS = {"watchers": [AssetWatcher(name="crm-nightly-finished", trigger=finished)]}

EXPORT = export_asset(
    org="1234567890ABCDEF@AdobeOrg",
    sandbox="prod",
    dataset="CRM Profiles",
    export="crm-nightly",
    **WATCHERS,
)


def in_storage(url: str, storage: str) -> ObjectStoragePath:
    """The folder that an event names, reached as the storage says."""
    return ObjectStoragePath(f"{storage.rstrip('/')}{urlsplit(url).path}" if storage else url)


def list_files(folder: ObjectStoragePath) -> list[ObjectStoragePath]:
    """The exported files; not the manifest that Adobe may put beside them."""
    files = [file for file in folder.iterdir() if file.name.startswith("part-")] if folder.exists() else []
    return sorted(files, key=lambda file: file.name)


def read_rows(file: Any) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, or of one with a JSON document in each line."""
    with file.open("rb") as content:
        if file.name.endswith(".parquet"):
            parquet = import_module("pyarrow.parquet")  # pip install pyarrow
            yield from parquet.read_table(content).to_pylist()
        elif file.name.endswith(".gz"):
            with gzip.open(content) as lines:
                yield from map(json.loads, lines)
        else:
            yield from map(json.loads, content)


with DAG(
    "aep_load_export",
    description="Load the files of an export when it has finished",
    schedule=[EXPORT],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # one load after the other
    tags=["aep"],
) as dag:

    @task
    def list_exports(**context: Any) -> list[dict[str, Any]]:
        """What has to be loaded: of all events since the last run of this DAG, each export once."""
        # Airflow 2 calls assets datasets. A DAG run may have several events, and one that was triggered by
        # hand has none.
        events = context.get("triggering_asset_events") or context.get("triggering_dataset_events") or {}
        exports: dict[str, dict[str, Any]] = {}
        for event in (event for events_of_asset in events.values() for event in events_of_asset):
            # A watcher's event holds what it tells as its payload, a sensor's holds it itself.
            told = event.extra.get("payload", event.extra)
            if told.get("paths"):  # an empty run has no files
                exports[",".join(told["run_ids"])] = told
        if not exports:
            raise AirflowSkipException("No event names any file")
        return list(exports.values())

    # A storage may show files a little later than Adobe says that they are there.
    @task(retries=3, retry_delay=timedelta(minutes=1))
    def load(export: dict[str, Any], storage: str) -> int:
        """Read one export and return how many rows it has; put your warehouse in the place of the count."""
        files = [file for url in export["paths"] for file in list_files(in_storage(url, storage))]
        if export["exact"] and export["files"] is not None and len(files) < export["files"]:
            raise FileNotFoundError(f"{len(files)} of {export['files']} files are in {export['paths']}")
        rows = sum(1 for file in files for _ in read_rows(file))
        logging.getLogger(__name__).info("%d rows in %d files of %s", rows, len(files), export["paths"])
        return rows

    load.partial(storage="{{ var.value.get('aep_export_storage', '') }}").expand(export=list_exports())
