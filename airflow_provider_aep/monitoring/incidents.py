"""Incidents: a problem from its alert until the export is well again, and its key.

The key consists of the sandbox, the dataflow and the kind, so a sensor, a check and a callback of a DAG use
the same key for the same incident. Dataflow ids are unique across organizations, so the key does without the
organization: not every caller knows it, and keys that differ by caller would open two incidents.

Severities are those of PagerDuty's Events API v2, where a ``dedup_key`` has at most 255 characters (read
2026-11).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

LONGEST_KEY = 255
# Outcomes that send an alert.
MINDED = ("fail", "warn")
# Findings of a check that are reported together, by kind; all others are reported under their own kind.
TOGETHER: Mapping[str, str] = {
    **dict.fromkeys(("missing", "late", "doubled"), "gaps"),
    **dict.fromkeys(("disabled", "ended", "ends_soon", "unreadable", "unread"), "warning"),
}
# Statuses that mean that expected data have not come.
_NOT_DELIVERED = ("failed", "unknown", "stuck", "incomplete", "gaps", "missing_files", "error", "nothing")
_GOOD = ("success", "recovered")


def kind_of(finding_kind: str) -> str:
    """The kind of incident that a finding of a check belongs to; it is the status of its alert."""
    return TOGETHER.get(finding_kind, finding_kind)


def incident_key(kind: str, sandbox: str | None, *about: str | None) -> str:
    """The key of an incident.

    :param about: the dataflow id; if no dataflow is known, whatever else distinguishes the incident.
    """
    key = ":".join(["aep", sandbox or "", *(part or "" for part in about), kind])
    return key if len(key) <= LONGEST_KEY else f"aep:{sha256(key.encode()).hexdigest()}:{kind}"


def severity_of(status: str, outcome: str, cause: str | None = None) -> str:
    """``critical``, ``error``, ``warning`` or ``info``.

    :param cause: the kind of cause, if the Catalog was asked.
    """
    if status in _GOOD or outcome == "skip":
        return "info"
    if outcome != "fail":
        return "warning"
    return "critical" if status in _NOT_DELIVERED or cause == "not_exported" else "error"


def with_incidents(
    verdict: Mapping[str, Any], last: object, now: datetime, *, settles: bool = False
) -> dict[str, Any]:
    """A sensor's verdict as plain JSON, with the incidents of its export.

    A bad verdict gets ``open``: each kind of problem, and since when. A good one gets ``recovered``: whatever
    the previous verdict left open. An empty one does not get it, because it delivers nothing of the data that
    an earlier one has lost.

    :param last: the stored verdict of the task in the previous DAG run.
    :param settles: no data are missing although the runs exported nothing.
    """
    known = last if isinstance(last, Mapping) else {}
    # The task may watch another dataflow since.
    if any(known.get(name) != verdict.get(name) for name in ("dataflow_id", "sandbox")):
        known = {}
    before = moments(known.get("open"))
    if verdict["outcome"] == "ok" and (verdict.get("records_out") != 0 or settles):
        return {**verdict, "recovered": before} if before else dict(verdict)
    if verdict["outcome"] not in MINDED:
        return {**verdict, "open": before} if before else dict(verdict)
    since = verdict.get("completed_at") or verdict.get("started_at") or now.astimezone(UTC).isoformat()
    return {**verdict, "open": {verdict["status"]: since, **before}}


def moments(kept: object) -> dict[str, str]:
    """Stored kinds and their moments; anything else is left out."""
    items = kept.items() if isinstance(kept, Mapping) else ()
    return {kind: at for kind, at in items if isinstance(kind, str) and isinstance(at, str)}


def heard(recovered: object, on: Collection[str]) -> dict[str, str]:
    """The part of a recovery that matters to a notifier for these statuses."""
    return {kind: at for kind, at in moments(recovered).items() if kind in on}
