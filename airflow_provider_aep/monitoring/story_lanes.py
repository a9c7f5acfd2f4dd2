"""Ingestion and exports by time, in few rows: consecutive good runs share one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_aep.monitoring.batches import told_codes, told_number

Row = Mapping[str, Any]


def interleaved(batches: Sequence[Row], exports: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows of two lanes, oldest first; ingested batches come before the next export.

    Each has ``lane`` (``in`` or ``out``), ``since`` and ``at`` (its first and its last moment), ``status``,
    ``told`` and ``notes`` (reasons, and anything else to report).

    :param batches: as ``ingestion`` of a story, oldest first.
    :param exports: as ``exports`` of a story, oldest first.
    """
    rows: list[dict[str, Any]] = []
    left = list(batches)
    for segment in _segments(exports):
        end = segment[-1]["at"]
        rows += _came_in([batch for batch in left if batch["at"] <= end])
        left = [batch for batch in left if batch["at"] > end]
        rows.append(_went_out(segment))
    return rows + _came_in(left)


def _segments(exports: Sequence[Row]) -> Iterator[list[Row]]:
    """Consecutive good exports together, and each other one alone."""
    together: list[Row] = []
    for export in exports:
        if export["status"] == "good" and not export["also"] and not export["is_first"]:
            together.append(export)
            continue
        if together:
            yield together
            together = []
        yield [export]
    if together:
        yield together


def _went_out(segment: Sequence[Row]) -> dict[str, Any]:
    first, last = segment[0], segment[-1]
    sentence, notes = last["told"], [*last["also"]]
    if len(segment) > 1:
        sentence = f"{len(segment)} runs exported {_records(export['records'] for export in segment)}"
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
        "told": sentence,
        "notes": notes,
    }


def _came_in(batches: Sequence[Row]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for batch in batches:
        status = "lost" if batch["lost"] else "delayed" if batch["later_run"] else batch["status"]
        groups.setdefault((batch["dataset_id"], status), []).append(batch)
    rows = [
        {
            "lane": "in",
            "since": group[0]["at"],
            "at": group[-1]["at"],
            "status": status,
            "told": f"{group[0]['dataset']}: {_sentence(status, group)}",
            "notes": [],
        }
        for (_, status), group in groups.items()
    ]
    return sorted(rows, key=lambda row: (row["since"], row["told"]))


def _sentence(status: str, group: Sequence[Row]) -> str:
    what = told_number(group)
    if status == "success":
        return f"{what} with {_records(batch['records'] for batch in group)}"
    if status == "lost":
        return f"{what} with {_records(batch['records'] for batch in group)}, not exported"
    if status == "delayed":
        later = group[-1]["later_run"]["run_id"]
        return f"{what} with {_records(batch['records'] for batch in group)}, which run {later} may hold"
    if status == "failed":
        return f"{what} failed{told_codes(code for batch in group for code in batch['codes'])}"
    words = {"under_way": "under way", "gone": "taken back later"}
    return f"{what} {words.get(status, 'of an unknown status')}"


def _records(counts: Iterable[int | None]) -> str:
    known = list(counts)
    unknown = sum(count is None for count in known)
    if unknown == len(known):
        return "an unknown number of records"
    counted = f"{sum(filter(None, known)):,} records"
    return f"{counted} and more ({unknown} without a count)" if unknown else counted
