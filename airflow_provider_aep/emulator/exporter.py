"""Exports on disk: where files land, their names, and their content.

``<root>/<bucket or container>/<path>/<dataset id>/exportTime=YYYYMMDDHHMM/`` unless the schedule has a
folder template. Files get their final names once all files of the export are complete, so a reader never
finds half a file.

Source: export datasets tutorial, "Verify successful dataset export" and the folder name macros.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_aep.emulator.specs import DESTINATIONS, MARKETO_MEASURE, slug_of

# Source: June 2026 release notes: a dataset of up to 50,000 records is exported as one file.
# Assumed: a larger one is split into files of this many.
ROWS_PER_FILE = 50_000

# The size of a row when nothing is written to disk.
ASSUMED_BYTES = {"PARQUET": 60, "JSON": 210}

DEFAULT_FOLDER = "%DATASET_ID%/%EXPORT_TIME%"
DATE_WORDS = {
    "YYYY": "%Y",
    "yyyy": "%Y",
    "MM": "%m",
    "dd": "%d",
    "DD": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
}


@dataclass(frozen=True, slots=True)
class Landed:
    """What one export of one dataset wrote."""

    rows: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Door:
    """Where a dataflow delivers, and in which format."""

    place: str
    folder: str
    file_type: str
    compression: str

    @property
    def suffix(self) -> str:
        if self.file_type == "JSON":
            return ".json.gz" if self.compression == "GZIP" else ".json"
        return ".gz.parquet" if self.compression == "GZIP" else ".parquet"


class Exporter:
    """Writes exports below one folder, or only counts them when there is none."""

    def __init__(self, root: Path | None, *, dice: random.Random) -> None:
        self._root, self._dice = root, dice
        # Each file counts as one, and each full thousand of its rows as one more.
        self.work_done = 0

    def land(self, door: Door, numbers: range, row: Callable[[int], Mapping[str, Any]]) -> Landed:
        starts = range(numbers.start, numbers.stop, ROWS_PER_FILE)
        job = (
            f"{self._dice.randrange(10**18, 10**19)}-{uuid.UUID(int=self._dice.getrandbits(128), version=4)}"
        )
        if self._root is None or not starts:
            return Landed(len(numbers), len(starts), len(numbers) * ASSUMED_BYTES[door.file_type])
        folder = _inside(self._root, door.place, door.folder)
        folder.mkdir(parents=True, exist_ok=True)
        written: list[tuple[Path, Path]] = []
        for index, start in enumerate(starts):
            # Spark names its files like this; the tutorial shows the same pattern.
            name = f"part-{index:05d}-tid-{job}-{index}-1-c000{door.suffix}"
            growing = folder / f".{name}.growing"
            part = range(start, min(start + ROWS_PER_FILE, numbers.stop))
            _write(growing, [row(number) for number in part], door)
            self.work_done += 1 + len(part) // 1000
            written.append((growing, folder / name))
        size = sum(growing.stat().st_size for growing, _ in written)
        for growing, final in written:
            growing.replace(final)
        return Landed(len(numbers), len(written), size)


def check_root(root: Path) -> None:
    """Create the folder for exported files, and try to write there.

    :raises ValueError: that fails; the message starts with "root".
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        is_there = isinstance(error, FileExistsError)
        why = "it is a file" if is_there and root.is_file() else error.strerror
        raise ValueError(f"root must be a folder that can be written to, and {root} cannot: {why}.") from None


def door_of(target: Mapping[str, Any], base: Mapping[str, Any] | None, folder: str) -> Door:
    """The door of a target connection and its base connection."""
    params = target["params"]
    slug = slug_of(target["connectionSpec"]["id"])
    if slug is None or slug == MARKETO_MEASURE:
        # Assumed: its files are not accessible; on disk they show that the run delivered.
        return Door(slug or "elsewhere", folder, "PARQUET", "GZIP")
    _, bucket_param, path_param = DESTINATIONS[slug]
    login = ((base or {}).get("auth") or {}).get("params") or {}
    if bucket_param:
        first = params[bucket_param]
    elif slug == "data_landing_zone":
        # Source: Data Landing Zone page: one container per sandbox, always with this name.
        first = "dlz-destination"
    elif slug == "adls_gen2":
        # The container is part of the account's URL; the folder at least uses its host.
        first = urlsplit(str(login.get("url", ""))).hostname or "adls"
    else:
        first = login.get("domain") or "sftp"
    return Door(f"{first}/{params[path_param]}", folder, params["datasetFileType"], params["compression"])


def folder_name(template: str | None, moment: float, names: Mapping[str, str]) -> str:
    """A folder template with its macros filled in; an undocumented macro stays unchanged."""
    then = datetime.fromtimestamp(moment, UTC)

    def fill(macro: re.Match[str]) -> str:
        if macro["word"] == "EXPORT_TIME":
            return f"exportTime={then:%Y%m%d%H%M}"
        if macro["word"] == "DATETIME":
            pattern = re.sub("|".join(DATE_WORDS), lambda word: DATE_WORDS[word[0]], macro["pattern"] or "")
            return then.strftime(pattern)
        return names.get(macro["word"], macro[0])

    return re.sub(r"%(?P<word>[A-Z_]+)(?:\((?P<pattern>[^)%]*)\))?%", fill, template or DEFAULT_FOLDER)


def _inside(root: Path, *places: str) -> Path:
    """A folder that is always below the root: empty, ``.`` and ``..`` parts of a path are dropped."""
    parts = [part.replace("\0", "") for place in places for part in re.split(r"[/\\]", place)]
    folder = root.joinpath(*(part.replace(":", "_") for part in parts if part.strip() not in ("", ".", "..")))
    if not folder.resolve().is_relative_to(root.resolve()):
        raise OSError(f"{folder} lies outside {root}")
    return folder


def _write(path: Path, rows: Sequence[Mapping[str, Any]], door: Door) -> None:
    if door.file_type == "PARQUET":
        # pyarrow is only needed here and in ``readback``.
        import pyarrow as pa  # type: ignore[import-untyped]
        from pyarrow import parquet

        compression = "gzip" if door.compression == "GZIP" else "none"
        parquet.write_table(pa.Table.from_pylist(list(rows)), path, compression=compression)
        return
    # Source: export datasets tutorial: JSON exports hold one object per line.
    data = b"".join(_lines(rows))
    path.write_bytes(gzip.compress(data, mtime=0) if door.compression == "GZIP" else data)


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, separators=(",", ":")).encode() + b"\n"
