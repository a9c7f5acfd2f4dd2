"""The files in the storage, to check what a run says it delivered.

Adobe says that the metrics of dataset exports are mixed with those of profile exports. So the files are
counted, through Airflow's object storage path, which works for any storage that Airflow supports.

By default a file lands in ``<path>/<dataset id>/exportTime=YYYYMMDDHHMM/``; a folder template may change
that. A file counts as a run's if it was written while the run lasted, or lies in a folder of that time. No
document says whether the folder's time is the tick or the start of the run; both are accepted.

Source: export datasets tutorial, "Verify successful dataset export" and the folder templates; read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from airflow_provider_aep._airflow import ObjectStoragePath, redact
from airflow_provider_aep.errors import AepValidationError, Problem

# Clocks of two clouds differ by minutes.
MARGIN = timedelta(minutes=10)
# A run may start hours after its tick. Folders whose time is further away than this are not listed.
FAR_OFF = timedelta(days=1)

_EXPORT_TIME = re.compile(r"exportTime=(\d{12})")
_DATASET_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])")
_DELIVERED = re.compile(r"(?!manifest-|[._]).+\.(json(\.\w+)?|parquet)")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://.+")
# What the file systems under Airflow's path call the time at which a file was written.
_WRITTEN = ("mtime", "LastModified", "last_modified", "updated")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageCount:
    """The delivered files of a window: their number, and their bytes in total."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A delivered file.

    :param written_at: from the name of its folder, else from the storage.
    :param dataset_id: from the name of its folder, if that holds one.
    """

    written_at: datetime
    bytes: int
    dataset_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFinding:
    """How the files in the storage compare with a run.

    :param status: ``ok``; ``missing`` or ``fewer`` if the run says it delivered more than the storage holds;
        or ``unchecked`` if the storage or the run does not say enough.
    :param told: the same in one sentence, with the numbers.
    :param files: how many the storage holds; ``None`` if it could not be read.
    """

    status: Literal["ok", "missing", "fewer", "unchecked"]
    told: str
    files: int | None = None
    bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for XCom."""
        return asdict(self)


def check_storage_path(storage_path: object) -> str:
    """``storage_path`` if it is a URL.

    :raises AepValidationError: it is not.
    """
    if not isinstance(storage_path, str) or not _URL.fullmatch(storage_path):
        problem = Problem("storage_path", "must be a URL such as s3://bucket/path")
        raise AepValidationError("the check of the storage", [problem])
    return storage_path


def check_delivery(
    verdict: Mapping[str, Any], *, storage_path: str, storage_conn_id: str | None = None
) -> DeliveryFinding:
    """Compare what a verdict says was delivered with the files in the storage.

    A storage that cannot be read is no error but a finding, ``unchecked``.

    :param verdict: as plain JSON.
    :param storage_path: the folder that the target connection names, as a URL: ``s3://bucket/aep/crm``.
    :param storage_conn_id: the Airflow connection to it; by default the file system's own way to log in.
    :raises AepValidationError: ``storage_path`` is no URL.
    """
    where = _without_login(check_storage_path(storage_path))
    try:
        since, until = (datetime.fromisoformat(verdict[key]) for key in ("started_at", "completed_at"))
    except (KeyError, TypeError, ValueError):
        return unchecked(f"the run does not say when it ran, so its files under {where} are not known")
    try:
        count = count_files(
            storage_path,
            storage_conn_id,
            since=since,
            until=until,
            dataset_ids=verdict.get("dataset_ids") or (),
        )
    except Exception as error:
        # Each file system has errors of its own, and some quote secrets.
        return unchecked(f"the storage under {where} could not be checked: {why_unread(error)}")
    return judge_delivery(verdict, count, where=where)


def judge_delivery(verdict: Mapping[str, Any], count: StorageCount, *, where: str) -> DeliveryFinding:
    """Compare a verdict with a count of files. Pure.

    :param where: the place, for the sentence.
    """
    records, files = verdict.get("records_out"), verdict.get("files")
    claim = f"the run says it exported {_claim(records, files)}"
    held = f"storage holds {_counted(count.files, 'file')}, {_counted(count.bytes, 'byte')} under {where}"
    if not count.files:
        held = f"storage holds no file of it under {where}"
        if records or files:
            return _finding("missing", f"{claim}, and {held}", count)
        if records is None and files is None:
            return _finding("unchecked", f"{held}, and the run does not say how much it exported", count)
        return _finding("ok", f"{held}, as the run says", count)
    if files and count.files < files:
        return _finding("fewer", f"{claim}, and {held}", count)
    if records == 0:
        return _finding("ok", f"{held}, though {claim}", count)
    return _finding("ok", held, count)


def count_files(
    url: str,
    conn_id: str | None = None,
    *,
    since: datetime,
    until: datetime,
    dataset_ids: Collection[str] = (),
    margin: timedelta = MARGIN,
) -> StorageCount:
    """Count the delivered files of a window below a place: see ``stored_files``."""
    files = stored_files(url, conn_id, since=since, until=until, dataset_ids=dataset_ids, margin=margin)
    return StorageCount(files=len(files), bytes=sum(file.bytes for file in files))


def stored_files(
    url: str,
    conn_id: str | None = None,
    *,
    since: datetime,
    until: datetime,
    dataset_ids: Collection[str] = (),
    margin: timedelta = MARGIN,
) -> list[StoredFile]:
    """The delivered files of a window below a place, without manifests.

    :param since: the start of the window, as ``started_at`` of a run.
    :param until: its end, as ``completed_at``.
    :param dataset_ids: omit files in folders of other datasets; by default none are omitted.
    :param margin: how far outside the window a file still counts.
    :raises FileNotFoundError: there is no such bucket.
    :raises ValueError: neither a file's folder nor the storage says when it was written.
    """
    path = ObjectStoragePath(url, conn_id=conn_id)
    fs: Any = path.fs
    fs.invalidate_cache()  # a later call must see new files
    try:
        fs.info(path.path)
    except FileNotFoundError:
        # An object store has no folder before it has a file; a missing bucket is a mistake.
        if path.bucket:
            fs.info(path.bucket)
        return []
    files = []
    for folder, name, info in _files(fs, path.path, since - FAR_OFF, until + FAR_OFF, dataset_ids):
        if not _DELIVERED.fullmatch(name):
            continue
        moments = _moments(folder, info)
        if any(since - margin <= moment <= until + margin for moment in moments):
            dataset = _DATASET_ID.search(folder.removeprefix(path.path))
            files.append(
                StoredFile(
                    written_at=moments[0],
                    bytes=int(info.get("size") or 0),
                    dataset_id=dataset[0] if dataset else None,
                )
            )
    return files


def _files(
    fs: Any, root: str, since: datetime, until: datetime, dataset_ids: Collection[str]
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Folder, name and details of each file; does not list folders of other times and datasets."""
    # Not the file system's own walk: below the first folder, that silently skips folders it may not read.
    folders = [root.rstrip("/") or "/"]
    while folders:
        folder = folders.pop()
        for info in fs.ls(folder, detail=True):
            path = str(info["name"]).rstrip("/")
            name = path.rpartition("/")[2]
            if info["type"] != "directory":
                yield folder, name, info
                continue
            time, dataset = _export_time(name), _DATASET_ID.search(name)
            elsewhere = dataset and dataset_ids and dataset[0] not in dataset_ids
            if not elsewhere and (time is None or since <= time <= until) and path != folder.rstrip("/"):
                folders.append(path)


def _moments(folder: str, info: Mapping[str, Any]) -> list[datetime]:
    """When a file was written, from its folder and its storage; at least one of them must say so."""
    given = [info[key] for key in _WRITTEN if info.get(key)]
    moments = [moment for moment in (_export_time(folder), *map(_moment, given)) if moment]
    if not moments:
        raise ValueError("the storage does not say when a file was written")
    return moments


def _moment(given: Any) -> datetime:
    if isinstance(given, int | float):
        return datetime.fromtimestamp(given, tz=UTC)
    moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _export_time(folder: str) -> datetime | None:
    match = _EXPORT_TIME.search(folder)
    try:
        return datetime.strptime(match[1], "%Y%m%d%H%M").replace(tzinfo=UTC) if match else None
    except ValueError:  # digits that are no time
        return None


def _finding(
    status: Literal["ok", "missing", "fewer", "unchecked"], sentence: str, count: StorageCount
) -> DeliveryFinding:
    return DeliveryFinding(status=status, told=sentence, files=count.files, bytes=count.bytes)


def unchecked(told: str) -> DeliveryFinding:
    """A finding that the files of a run could not be checked.

    :param told: why, in one sentence.
    """
    return DeliveryFinding(status="unchecked", told=told)


def why_unread(error: Exception) -> str:
    """Why a storage could not be read, with secrets redacted."""
    return str(redact(f"{type(error).__name__}: {error}"))[:300]


def _claim(records: int | None, files: int | None) -> str:
    if records is None:
        return _counted(files or 0, "file")
    claim = _counted(records, "record") if records else "no records"
    return f"{claim} in {_counted(files, 'file')}" if files else claim


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _without_login(url: str) -> str:
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
