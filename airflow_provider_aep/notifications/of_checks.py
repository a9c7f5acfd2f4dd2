"""What a check of many exports found, as alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_aep.monitoring.alerts import Alert
from airflow_provider_aep.notifications.words import MESSAGES

# Findings of a check that are told together, by kind; all others are told under their own.
_TOGETHER: Mapping[str, str] = {
    **dict.fromkeys(("missing", "late", "doubled"), "gaps"),
    **dict.fromkeys(("disabled", "ended", "ends_soon", "unreadable", "unread"), "warning"),
}
_MINDED = ("fail", "warn")


def alerts_of(
    notifier: Any, context: Any, check: Mapping[str, Any], where: str | None, task: str | None
) -> Iterator[Alert]:
    """What a check found, export by export: what the policy minds of it, each kind in one alert."""
    if check.get("quiet"):
        return
    if not check.get("exports") and check.get("outcome") in _MINDED and "nothing" in notifier.on:
        found = {
            "sandbox": check.get("sandbox"),
            "reason": check.get("told"),
            "outcome": check["outcome"],
        }
        yield notifier.alert(context, "nothing", found, None, where, task)
    for note in check.get("notes") or () if "nothing" in notifier.on else ():
        untold = {"sandbox": check.get("sandbox"), "reason": note, "outcome": "warn"}
        yield notifier.alert(context, "nothing", untold, None, where, task)
    for each in check.get("allowances") or () if "warning" in notifier.on else ():
        if each.get("outcome") in _MINDED:
            spent = {
                "sandbox": check.get("sandbox"),
                "dataflow_name": f"allowance {each.get('allowance')} of sandbox {check.get('sandbox')}",
                "reason": each.get("told"),
                "outcome": each["outcome"],
            }
            yield notifier.alert(context, "warning", spent, None, where, task)
    for export in check.get("exports") or ():
        known = {
            "sandbox": check.get("sandbox"),
            "dataflow_id": export.get("dataflow_id"),
            "dataflow_name": export.get("dataflow_name") or export.get("dataflow_id"),
        }
        for status, minded in _found_by_status(export):
            if status in notifier.on:
                link = export.get("dataflow_url")
                yield notifier.alert(context, status, {**minded, **known}, link, where, task)


def _found_by_status(export: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the policy minds of an export, by the status under which it is told, as a verdict says it."""
    by_status: dict[str, list[Mapping[str, Any]]] = {}
    for finding in (*(export.get("findings") or ()), *(export.get("standing") or ())):
        if finding.get("outcome") in _MINDED:
            kind = str(finding.get("kind"))
            by_status.setdefault(_TOGETHER.get(kind, kind), []).append(finding)
    verdicts = {tuple(each.get("run_ids") or ()): each for each in export.get("verdicts") or ()}
    for status, findings in by_status.items():
        outcomes = [finding["outcome"] for finding in findings]
        told = "; ".join(str(finding.get("told")) for finding in findings)
        # The numbers are those of the last run.
        numbers = verdicts.get(tuple(findings[-1].get("run_ids") or ()), {})
        outcome = "fail" if "fail" in outcomes else "warn"
        cause = next((finding["cause"] for finding in reversed(findings) if finding.get("cause")), None)
        minded = {**numbers, "outcome": outcome, "reason": told, "cause": cause}
        yield status if status in MESSAGES else "unknown", minded
