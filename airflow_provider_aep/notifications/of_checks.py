"""What a check of many exports found, as alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_aep.monitoring.alerts import Alert
from airflow_provider_aep.monitoring.incidents import MINDED, heard, kind_of
from airflow_provider_aep.notifications.words import MESSAGES, lent


def alerts_of(
    notifier: Any,
    context: Any,
    check: Mapping[str, Any],
    where: str | None,
    task: str | None,
    *,
    again: bool = True,
) -> Iterator[Alert]:
    """What a check found, export by export: what the policy minds of it, each kind in one alert.

    :param again: also what the task itself has sent an alert for.
    """
    if check.get("quiet"):
        return
    if not check.get("exports") and check.get("outcome") in MINDED and "nothing" in notifier.on:
        found = {
            "sandbox": check.get("sandbox"),
            "reason": check.get("told"),
            "outcome": check["outcome"],
        }
        yield notifier.alert(context, "nothing", found, None, where, task)
    for note in check.get("notes") or () if "nothing" in notifier.on else ():
        untold = {"sandbox": check.get("sandbox"), "reason": note, "outcome": "warn"}
        yield notifier.alert(context, "nothing", untold, None, where, task)
    for each in check.get("allowances") or () if "allowance" in notifier.on else ():
        if each.get("outcome") in MINDED:
            spent = {
                "sandbox": check.get("sandbox"),
                "dataflow_name": each.get("allowance"),
                "reason": each.get("told"),
                "outcome": each["outcome"],
            }
            yield notifier.alert(context, "allowance", spent, None, where, task)
    for export in check.get("exports") or ():
        if not again:
            export = _untold(export)
        known = {
            "sandbox": check.get("sandbox"),
            "dataflow_id": export.get("dataflow_id"),
            "dataflow_name": export.get("dataflow_name") or export.get("dataflow_id"),
            "conn_id": check.get("conn_id"),
            "location": export.get("location"),
            "open": export.get("open"),
        }
        recovered = export.get("recovered") or {}
        well = [("recovered", recovered)] if heard(recovered.get("recovered"), notifier.on) else []
        for status, minded in (*_found_by_status(export), *well):
            if status in notifier.on:
                link = export.get("dataflow_url")
                with lent(context, exception=minded.get("reason")):
                    yield notifier.alert(context, status, {**minded, **known}, link, where, task)


def _untold(export: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of an export had no alert of the task's own."""
    findings = [each for each in export.get("findings") or () if not each.get("alerted")]
    return {**export, "findings": findings, **({"recovered": None} if export.get("alerted") else {})}


def _found_by_status(export: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the policy minds of an export, by the status under which it is told, as a verdict says it."""
    by_status: dict[str, list[Mapping[str, Any]]] = {}
    for finding in (*(export.get("findings") or ()), *(export.get("standing") or ())):
        if finding.get("outcome") in MINDED:
            by_status.setdefault(kind_of(str(finding.get("kind"))), []).append(finding)
    verdicts = {tuple(each.get("run_ids") or ()): each for each in export.get("verdicts") or ()}
    for status, findings in by_status.items():
        outcomes = [finding["outcome"] for finding in findings]
        told = "; ".join(str(finding.get("told")) for finding in findings)
        # The numbers and the tick are those of the last one.
        last = findings[-1]
        run_ids = tuple(last.get("run_ids") or ())
        # An alarm must not read as the harmless reason of a later run.
        gravest = [each for each in findings if each["outcome"] == "fail"] or findings
        known = [str(finding["known_at"]) for finding in findings if finding.get("known_at")]
        minded = {
            "run_ids": list(run_ids),
            **verdicts.get(run_ids, {}),
            "tick": last.get("tick"),
            "cause": next((each["cause"] for each in reversed(gravest) if each.get("cause")), None),
            "known_at": min(known, default=None),
            "outcome": "fail" if "fail" in outcomes else "warn",
            "reason": told,
        }
        yield status if status in MESSAGES else "unknown", minded
