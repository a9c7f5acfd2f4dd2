"""The result of a task that judges many exports, for the tab on its task instance.

A check and a sensor for many exports push it in the same shape, under one XCom key; see
``operators.monitoring``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_aep.flowservice.documents import mapping, sequence

# The worst first.
OUTCOMES = ("fail", "warn", "skip", "none", "ok")
MOST_FINDINGS = 10
LONGEST_TEXT = 500

# The page of an export, from its id and that of a run; ``None`` if the viewer may not see it.
PageOf = Callable[[str, "str | None"], "str | None"]


def judged_rows(check: Mapping[str, Any], page_of: PageOf) -> dict[str, Any]:
    """The result of a check, with a row for each export, the worst first.

    An XCom holds whatever somebody pushed, so no field is assumed to exist.
    """
    exports = [mapping(export) for export in (*sequence(check.get("exports")), *sequence(check.get("well")))]
    rows = [_row(export, page_of) for export in exports if export.get("dataflow_id")]
    left_out = check.get("left_out")
    allowances = map(mapping, sequence(check.get("allowances")))
    minded = [each.get("told") for each in allowances if each.get("outcome") in ("fail", "warn")]
    return {
        "outcome": _outcome(check.get("outcome")),
        "since": _text(check.get("since")),
        "until": _text(check.get("until")),
        "totals": Counter(row["outcome"] for row in rows),
        "waits_for": _count(check.get("waits_for")),
        "notes": [_text(note) for note in (*minded, *sequence(check.get("notes")))],
        "left_out": _count(mapping(left_out).get("exports") if isinstance(left_out, Mapping) else left_out),
        "exports": sorted(rows, key=lambda row: OUTCOMES.index(row["outcome"])),
    }


def _row(export: Mapping[str, Any], page_of: PageOf) -> dict[str, Any]:
    findings = [mapping(finding) for finding in sequence(export.get("findings"))]
    standing = [mapping(finding) for finding in sequence(export.get("standing"))]
    recovered = mapping(export.get("recovered"))
    shown = [
        *(_finding(finding, is_standing=False) for finding in findings),
        *(_finding(finding, is_standing=True) for finding in standing),
    ]
    sources = (*findings, *standing, recovered)
    run_ids = (run_id for source in sources for run_id in sequence(source.get("run_ids")))
    dataflow_id = str(export["dataflow_id"])
    return {
        "dataflow_id": dataflow_id,
        "dataflow_name": _text(export.get("dataflow_name")),
        "outcome": _outcome(export.get("outcome")),
        "recovered": _text(recovered.get("reason") or recovered.get("told")),
        "findings": shown[:MOST_FINDINGS],
        "more": max(len(shown) - MOST_FINDINGS, 0),
        "page": page_of(dataflow_id, next(map(str, run_ids), None)),
        "platform": _text(export.get("dataflow_url")),
    }


def _finding(finding: Mapping[str, Any], *, is_standing: bool) -> dict[str, Any]:
    return {
        "kind": _text(finding.get("kind")),
        "outcome": _outcome(finding.get("outcome")),
        "told": _text(finding.get("told")),
        "tick": _text(finding.get("tick")),
        "standing": is_standing,
    }


def _outcome(given: object) -> str:
    # What is not understood must not look good.
    return given if isinstance(given, str) and given in OUTCOMES else "none"


def _count(given: object) -> int:
    return given if isinstance(given, int) and given > 0 else 0


def _text(given: object) -> str | None:
    return str(given)[:LONGEST_TEXT] if given else None
