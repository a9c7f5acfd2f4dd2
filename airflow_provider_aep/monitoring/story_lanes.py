"""What came in and what went out, by time, in as few rows as tell it: good runs in a row are one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_aep.monitoring.batches import told_codes, told_number

Row = Mapping[str, Any]


def interleaved(batches: Sequence[Row], exports: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows of two lanes, oldest first, what came in before the export that comes next.

    Each has ``lane`` (``in`` or ``out``), ``since`` and ``at`` (its first and its last moment), ``status``,
    ``told`` and ``notes`` (why, and what else there is to say).

    :param batches: as ``ingestion`` of a story, oldest first.
    :param exports: as ``exports`` of a story, oldest first.
    """
    rows: list[dict[str, Any]] = []
    left = list(batches)
    for segment in _segments(exports):
        end = segment[-1]["at"]
        rows += _came_in([each for each in left if each["at"] <= end])
        left = [each for each in left if each["at"] > end]
        rows.append(_went_out(segment))
    return rows + _came_in(left)


def _segments(exports: Sequence[Row]) -> Iterator[list[Row]]:
    """Good exports in a row together, and each other one alone."""
    together: list[Row] = []
    for each in exports:
        if each["status"] == "good" and not each["also"] and not each["is_first"]:
            together.append(each)
            continue
        if together:
            yield together
            together = []
        yield [each]
    if together:
        yield together


def _went_out(segment: Sequence[Row]) -> dict[str, Any]:
    first, last = segment[0], segment[-1]
    told, notes = last["told"], [*last["also"]]
    if len(segment) > 1:
        told = f"{len(segment)} runs exported {_records(each['records'] for each in segment)}"
    if last["is_first"]:
        notes.append("the first export is a full one")
    notes += [
        " ".join(filter(None, (error["code"] + ":", error["meaning"], error["advice"])))
        for error in last["errors"]
    ]
    if last["cause"]:
        notes.append(last["cause"]["told"])
    return {
        "lane": "out",
        "since": first["at"],
        "at": last["at"],
        "status": last["status"],
        "told": told,
        "notes": notes,
    }


def _came_in(batches: Sequence[Row]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for each in batches:
        status = "lost" if each["lost"] else "delayed" if each["later_run"] else each["status"]
        groups.setdefault((each["dataset_id"], status), []).append(each)
    rows = [
        {
            "lane": "in",
            "since": group[0]["at"],
            "at": group[-1]["at"],
            "status": status,
            "told": f"{group[0]['dataset']}: {_told(status, group)}",
            "notes": [],
        }
        for (_, status), group in groups.items()
    ]
    return sorted(rows, key=lambda row: (row["since"], row["told"]))


def _told(status: str, group: Sequence[Row]) -> str:
    what = told_number(group)
    if status == "success":
        return f"{what} with {_records(each['records'] for each in group)}"
    if status == "lost":
        return f"{what} with {_records(each['records'] for each in group)}, not exported"
    if status == "delayed":
        later = group[-1]["later_run"]["run_id"]
        return f"{what} with {_records(each['records'] for each in group)}, which run {later} may hold"
    if status == "failed":
        return f"{what} failed{told_codes(code for each in group for code in each['codes'])}"
    words = {"under_way": "under way", "gone": "taken back later"}
    return f"{what} {words.get(status, 'of an unknown status')}"


def _records(counts: Iterable[int | None]) -> str:
    known = list(counts)
    unknown = sum(count is None for count in known)
    told = f"{sum(filter(None, known)):,} records"
    if unknown == len(known):
        return "an unknown number of records"
    return f"{told} and more, of which {unknown} do not tell" if unknown else told
