"""What a task that judges many exports has found, as the tab on its task instance shows it.

A check and a sensor of many exports leave it in one shape, under one XCom key; see ``operators.monitoring``.
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

# The page of an export, from its id and that of a run; ``None`` where the viewer does not see it.
PageOf = Callable[[str, "str | None"], "str | None"]


def judged_rows(check: Mapping[str, Any], page_of: PageOf) -> dict[str, Any]:
    """What a check found, with a row for each export, the worst first.

    An XCom is whatever somebody wrote there, so nothing is taken to be in it.
    """
    exports = [mapping(each) for each in (*sequence(check.get("exports")), *sequence(check.get("well")))]
    rows = [_row(each, page_of) for each in exports if each.get("dataflow_id")]
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
    findings = [mapping(each) for each in sequence(export.get("findings"))]
    standing = [mapping(each) for each in sequence(export.get("standing"))]
    recovered = mapping(export.get("recovered"))
    found = [
        *(_finding(each, is_standing=False) for each in findings),
        *(_finding(each, is_standing=True) for each in standing),
    ]
    runs = (run for each in (*findings, *standing, recovered) for run in sequence(each.get("run_ids")))
    dataflow_id = str(export["dataflow_id"])
    return {
        "dataflow_id": dataflow_id,
        "dataflow_name": _text(export.get("dataflow_name")),
        "outcome": _outcome(export.get("outcome")),
        "recovered": _text(recovered.get("reason") or recovered.get("told")),
        "findings": found[:MOST_FINDINGS],
        "more": max(len(found) - MOST_FINDINGS, 0),
        "page": page_of(dataflow_id, next(map(str, runs), None)),
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
