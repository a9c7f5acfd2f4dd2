"""Read exports back: how many rows the files really hold, independent of the run's counts."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["ExportFolder", "count_rows", "read_exports"]

EXPORT_TIME = re.compile(r"exportTime=(\d{12})")
DATASET_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])")


@dataclass(frozen=True, slots=True, order=True)
class ExportFolder:
    """One folder of exported files.

    :param dataset_id: from the path; None if the folder template leaves it out.
    :param export_time: from the path; None if the folder template leaves it out.
    """

    path: Path
    dataset_id: str | None
    export_time: datetime | None
    files: int
    rows: int
    bytes: int


def read_exports(root: Path) -> list[ExportFolder]:
    """Every folder below ``root`` with exported files, sorted by path."""
    folders: dict[Path, list[Path]] = {}
    for path in sorted(root.rglob("part-*")):
        if path.is_file():
            folders.setdefault(path.parent, []).append(path)
    return [_folder(root, folder, files) for folder, files in sorted(folders.items())]


def _folder(root: Path, folder: Path, files: list[Path]) -> ExportFolder:
    inside = folder.relative_to(root).as_posix()
    time, dataset = EXPORT_TIME.search(inside), DATASET_ID.search(inside)
    return ExportFolder(
        path=folder,
        dataset_id=dataset[0] if dataset else None,
        export_time=datetime.strptime(time[1], "%Y%m%d%H%M").replace(tzinfo=UTC) if time else None,
        files=len(files),
        rows=sum(count_rows(path) for path in files),
        bytes=sum(path.stat().st_size for path in files),
    )


def count_rows(path: Path) -> int:
    if path.name.endswith(".parquet"):
        from pyarrow import parquet  # type: ignore[import-untyped]

        rows: int = parquet.read_metadata(path).num_rows
        return rows
    data = path.read_bytes()
    return (gzip.decompress(data) if path.name.endswith(".gz") else data).count(b"\n")
