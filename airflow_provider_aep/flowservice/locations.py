"""Where a dataflow delivers its files, as URLs of the object storages that Airflow can read.

A URL holds what the Flow Service shows. The container of Azure Data Lake Gen2 and the host of SFTP are part
of the login, which is never read, so those URLs begin with ``abfs:///`` and ``sftp:///``.

Assumed: ``exportTime`` is the minute of the tick, in UTC; for a run without a tick, the minute of its start.
Adobe documents only its form, and a manifest's ``scheduledTime``.

Source: export datasets tutorial, "Verify successful dataset export" and the folder name macros; Data Landing
Zone page (the name of its container); read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_aep.flowservice.connections import dataset_ids_of
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import get_dataflow
from airflow_provider_aep.flowservice.documents import Document, mapping
from airflow_provider_aep.flowservice.entities import get_entity
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE, list_entities, only
from airflow_provider_aep.flowservice.schedule import ticks
from airflow_provider_aep.flowservice.validation import is_id

DEFAULT_TEMPLATE = "%DATASET_ID%/%EXPORT_TIME%"
# Destination -> the scheme of its URLs, and the parameters of a target connection that name bucket and path.
PLACES: Mapping[str, tuple[str, str | None, str]] = {
    "s3": ("s3", "bucketName", "path"),
    "gcs": ("gs", "bucketName", "path"),
    "azure_blob": ("abfs", "container", "path"),
    "adls_gen2": ("abfs", None, "path"),
    "data_landing_zone": ("abfs", None, "path"),
    "sftp": ("sftp", None, "remotePath"),
}
LANDING_ZONE_CONTAINER = "dlz-destination"
# A run that starts this near a tick counts as that tick's.
ON_TIME = timedelta(minutes=5)

_MACRO = re.compile(r"%(?P<word>[A-Z_]+)(?:\((?P<pattern>[^)%]*)\))?%")
# Words of a DATETIME pattern. Seconds are missing on purpose: the time is known only to the minute.
_DATE_WORDS = {
    "YYYY": "%Y",
    "yyyy": "%Y",
    "MM": "%m",
    "dd": "%d",
    "DD": "%d",
    "HH": "%H",
    "mm": "%M",
}
_DATE_WORD = re.compile("|".join(_DATE_WORDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder of exported files.

    :param url: it ends with a slash.
    :param exact: it holds the files of one run of one dataset; otherwise it is the known part of the path,
        and holds more.
    """

    url: str
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a dataflow delivers.

    :param destination: our name of the destination, or ``None`` for one outside our table.
    :param storage: ``s3://bucket``; ends with ``//`` if bucket or host are unknown.
    :param path: the folder in it that holds all files, without slashes at its ends.
    :param file_type: ``PARQUET`` or ``JSON``, as the service gives it.
    :param dataset_ids: the datasets of its source connection.
    :param schedule: Adobe's ``scheduleParams``.
    """

    dataflow_id: str
    dataflow_name: str
    sandbox: str
    destination: str | None
    storage: str
    path: str
    folder_template: str = DEFAULT_TEMPLATE
    file_type: str | None = None
    dataset_ids: tuple[str, ...] = ()
    schedule: Mapping[str, Any] = field(default_factory=dict)

    def folder_time(
        self, started_at: datetime | None, tick: datetime | None = None
    ) -> tuple[datetime | None, bool]:
        """The time in the name of a run's folder, and whether it is certain.

        A run that starts at a tick counts as that tick's; for any other run the tick is unknown.

        :param tick: the tick of the run, if it is known.
        """
        if tick is not None:
            return tick, True
        if started_at is None:
            return None, False
        near = ticks(self.schedule, started_at - ON_TIME, started_at + ON_TIME)
        return (near[-1], True) if near else (started_at, False)

    @property
    def url(self) -> str:
        """The folder of all files of this dataflow; empty for a destination outside our table."""
        return _joined(self.storage, self.path) if self.storage else ""

    def folders(self, started_at: datetime | None, dataset_ids: Sequence[str] = ()) -> list[Folder]:
        """Where the files of a run are: a folder for each dataset.

        :param started_at: when the run started.
        :param dataset_ids: those that the run exported, if it says so; by default all.
        """
        if not self.storage:
            return []
        folders = {}
        for dataset_id in dataset_ids or self.dataset_ids or ("",):
            names = {"DATASET_ID": dataset_id, "SANDBOX_NAME": self.sandbox}
            folder, exact = _filled(self.folder_template, started_at, names)
            url = _joined(self.storage, f"{self.path}/{folder}")
            folders[url] = Folder(url=url, exact=exact)
        return list(folders.values())


def location_of(dataflow: Dataflow, target: Document, *, dataset_ids: Iterable[str] = ()) -> Location:
    """Where a dataflow delivers, given its target connection.

    :param target: the target connection, as the service returns it.
    """
    params = mapping(target.get("params"))
    storage, path = place_of(dataflow.destination, params)
    schedule = dataflow.schedule
    template = schedule.get("foldernameTemplate") or schedule.get("folderNameTemplate")
    file_type = params.get("datasetFileType")
    return Location(
        dataflow_id=dataflow.id,
        dataflow_name=dataflow.name,
        sandbox=str(dataflow.raw.get("sandboxName") or ""),
        destination=dataflow.destination,
        storage=storage,
        path=path,
        folder_template=str(template or DEFAULT_TEMPLATE),
        file_type=str(file_type).upper() if file_type else None,
        dataset_ids=tuple(dict.fromkeys(dataset_ids)),
        schedule=schedule,
    )


def place_of(destination: str | None, params: Mapping[str, Any]) -> tuple[str, str]:
    """Storage and path from a target connection's parameters; both empty outside our table."""
    if destination is None or destination not in PLACES:
        return "", ""
    scheme, bucket_param, path_param = PLACES[destination]
    bucket = str(params.get(bucket_param) or "") if bucket_param else ""
    if destination == "data_landing_zone":
        bucket = LANDING_ZONE_CONTAINER
    return f"{scheme}://{bucket}", _tidy(str(params.get(path_param) or ""))


def read_location(dataflow: str | Dataflow) -> Exchange[Location]:
    """Where a dataflow delivers, and which datasets: reads it, its target and its source connections.

    :param dataflow: its id, or its record if that was read already.
    :raises AepNotFoundError: the sandbox has no such dataflow.
    """
    flow = (yield from get_dataflow(dataflow)) if isinstance(dataflow, str) else dataflow
    target: Document = {}
    if flow.target_connection_ids:
        target = yield from get_entity(
            "targetConnections", flow.target_connection_ids[0], field="target_connection_id"
        )
    datasets: list[str] = []
    for source_id in flow.source_connection_ids:
        source = yield from get_entity("sourceConnections", source_id, field="source_connection_id")
        datasets += dataset_ids_of(source)
    return location_of(flow, target, dataset_ids=datasets)


def read_places(dataflows: Sequence[Dataflow]) -> Exchange[dict[str, str]]:
    """The URL of the folder of all files of each dataflow, by its id; one listing for up to 100 of them.

    Omits dataflows after the first 100, and those to destinations outside our table.
    """
    targets = {flow.id: flow.target_connection_ids[0] for flow in dataflows if flow.target_connection_ids}
    targets = {flow_id: target for flow_id, target in targets.items() if is_id(target)}
    wanted = tuple(dict.fromkeys(targets.values()))[:LARGEST_PAGE]
    if not wanted:
        return {}
    documents = yield from list_entities("/targetConnections", only("id", *wanted))
    by_id = {str(document.get("id")): mapping(document.get("params")) for document in documents}
    places: dict[str, str] = {}
    for flow in dataflows:
        params = by_id.get(targets.get(flow.id, ""))
        storage, path = place_of(flow.destination, params) if params is not None else ("", "")
        if storage:
            places[flow.id] = _joined(storage, path)
    return places


def _filled(template: str, moment: datetime | None, names: Mapping[str, str]) -> tuple[str, bool]:
    """A folder template with its macros filled in, up to the first folder that is unknown."""
    folders: list[str] = []
    timed = False
    for folder in template.split("/"):
        if not folder:
            continue
        filled = _MACRO.sub(lambda macro: _value(macro, moment, names) or macro[0], folder)
        if "%" in filled:
            return "/".join(folders), False
        timed = timed or any(
            macro["word"] in ("EXPORT_TIME", "DATETIME") for macro in _MACRO.finditer(folder)
        )
        folders.append(filled)
    # Without a time every run writes into the same folder, and without an id every dataset does.
    return "/".join(folders), timed and "%DATASET_ID%" in template


def _value(macro: re.Match[str], moment: datetime | None, names: Mapping[str, str]) -> str | None:
    word, pattern = macro["word"], macro["pattern"]
    if word not in ("EXPORT_TIME", "DATETIME"):
        return names.get(word)
    if moment is None:
        return None
    then = moment.astimezone(UTC)
    if word == "EXPORT_TIME":
        return f"exportTime={then:%Y%m%d%H%M}"
    known = re.sub(r"[^A-Za-z]", "", _DATE_WORD.sub("", pattern or "s"))
    return None if known else then.strftime(_DATE_WORD.sub(lambda word: _DATE_WORDS[word[0]], str(pattern)))


def _tidy(path: str) -> str:
    return "/".join(part for part in path.split("/") if part)


def _joined(storage: str, path: str) -> str:
    path = _tidy(path)
    return f"{storage}/{path}/" if path else f"{storage}/"
