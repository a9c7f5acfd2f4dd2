"""Cuts the result of a check to a size that fits an XCom, by leaving out the details that matter least.

First the details of exports without news are left out, then older findings of a kind, long texts and
verdicts, and at last whole exports, beginning with those that are well. Whatever is left out is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_aep.flowservice.documents import mapping
from airflow_provider_aep.monitoring.sizes import fitting, json_size, shortened

# In plain JSON: room for a hundred exports whose runs have all failed for a day.
MOST_BYTES = 192 * 1024
LONGEST_TEXT = 300
LONGEST_LIST = 10
# Reserved for the counts of what is left out, and for a note.
_SPARE = 1024
# The fields that are kept of an export without news.
_OF_A_QUIET_ONE = ("dataflow_id", "dataflow_name", "outcome", "runs", "ticks")

# The fields that are kept of the gravest verdict, which is also one of ``verdicts``.
_OF_THE_GRAVEST = ("outcome", "status", "reason", "run_ids")

Export = Mapping[str, Any]


def bounded(found: Mapping[str, Any], *, most: int = MOST_BYTES) -> dict[str, Any]:
    """The same result of a check, in at most so many bytes of JSON.

    :param found: plain JSON with ``exports``, the worst first.
    :return: with ``left_out`` if something was left out: how many ``exports``, how many of the others lack
        ``details``, and how many ``findings`` (including standing ones) and ``verdicts`` they lack. If an
        export with news was left out, a note says so.
    """
    if json_size(found) <= most:
        return dict(found)
    whole: Sequence[Export] = found["exports"]
    room = most - json_size({**found, "exports": []}) - _SPARE
    exports = [export if _has_news(export) else _bare(export) for export in whole]
    for shorter in (partial(_newest, kept=3), partial(_newest, kept=1), _short, _without_verdicts):
        if json_size(exports) > room:
            exports = [shorter(export) for export in exports]
    exports = _as_many_as_fit(exports, room)
    there = {export["dataflow_id"] for export in exports}
    gone = [export for export in whole if export["dataflow_id"] not in there]
    with_news = sum(map(_has_news, gone))
    notes = list(found.get("notes") or ())
    if with_news:
        notes.append(
            f"{with_news} more exports have news, and are left out, as the result would be too large: see "
            "the log of the task."
        )
    kept_of = [export for export in whole if export["dataflow_id"] in there]
    left_out = {
        "exports": len(gone),
        "details": sum(len(now) < len(was) for now, was in zip(exports, kept_of, strict=True)),
        "findings": _count(kept_of, "findings", "standing") - _count(exports, "findings", "standing"),
        "verdicts": _count(kept_of, "verdicts") - _count(exports, "verdicts"),
    }
    return {**found, "exports": exports, "notes": notes, "left_out": left_out}


def _has_news(export: Export) -> bool:
    """Whether an export may need an alert: it is not well, or has recovered."""
    return export.get("outcome") in ("fail", "warn") or bool(export.get("recovered"))


def _bare(export: Export) -> dict[str, Any]:
    kept = {name: export[name] for name in _OF_A_QUIET_ONE if name in export}
    return {**kept, "verdict": None, "verdicts": [], "findings": [], "standing": []}


def _newest(export: Export, *, kept: int) -> dict[str, Any]:
    """An export with so many findings of each kind, the newest, and the verdicts of their runs."""
    newest = {name: _newest_of_each_kind(export.get(name) or (), kept) for name in ("findings", "standing")}
    runs = {tuple(finding.get("run_ids") or ()) for findings in newest.values() for finding in findings}
    verdicts = [
        verdict for verdict in export.get("verdicts") or () if tuple(verdict.get("run_ids") or ()) in runs
    ]
    gravest = {name: mapping(export.get("verdict")).get(name) for name in _OF_THE_GRAVEST}
    return {**export, **newest, "verdict": gravest if export.get("verdict") else None, "verdicts": verdicts}


def _newest_of_each_kind(findings: Sequence[Mapping[str, Any]], kept: int) -> list[Mapping[str, Any]]:
    seen: dict[tuple[Any, Any], int] = {}
    newest = []
    for finding in reversed(findings):
        kind = (finding.get("kind"), finding.get("outcome"))
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] <= kept:
            newest.append(finding)
    return newest[::-1]


def _short(value: Any) -> Any:
    return shortened(value, text=LONGEST_TEXT, values=LONGEST_LIST, documents=LONGEST_LIST)


def _without_verdicts(export: Export) -> dict[str, Any]:
    return {**export, "verdicts": []}


def _as_many_as_fit(exports: Sequence[Export], room: int) -> list[Export]:
    """The exports that fit, in their order: those with news take precedence, the worst first."""
    by_need = sorted(range(len(exports)), key=lambda at: not _has_news(exports[at]))
    fit = fitting(by_need, room, size=lambda at: json_size(exports[at]))
    return [export for at, export in enumerate(exports) if at in fit]


def _count(exports: Sequence[Export], *names: str) -> int:
    return sum(len(export.get(name) or ()) for export in exports for name in names)
