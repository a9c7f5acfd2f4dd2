"""Alerts about the findings of a check of many exports."""

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
    """Alerts about the findings of a check that the policy minds: one for each export and kind.

    :param again: also those for which the task itself has already sent an alert.
    """
    if check.get("quiet"):
        return
    if not check.get("exports") and check.get("outcome") in MINDED and "nothing" in notifier.on:
        nothing = {
            "sandbox": check.get("sandbox"),
            "reason": check.get("told"),
            "outcome": check["outcome"],
        }
        yield notifier.alert(context, "nothing", nothing, None, where, task)
    for note in check.get("notes") or () if "nothing" in notifier.on else ():
        omitted = {"sandbox": check.get("sandbox"), "reason": note, "outcome": "warn"}
        yield notifier.alert(context, "nothing", omitted, None, where, task)
    for allowance in check.get("allowances") or () if "allowance" in notifier.on else ():
        if allowance.get("outcome") in MINDED:
            spent = {
                "sandbox": check.get("sandbox"),
                "dataflow_name": allowance.get("allowance"),
                "reason": allowance.get("told"),
                "outcome": allowance["outcome"],
            }
            yield notifier.alert(context, "allowance", spent, None, where, task)
    for export in check.get("exports") or ():
        if not again:
            export = _without_alerted(export)
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
        for status, minded in (*_minded_by_status(export), *well):
            if status in notifier.on:
                link = export.get("dataflow_url")
                with lent(context, exception=minded.get("reason")):
                    yield notifier.alert(context, status, {**minded, **known}, link, where, task)


def _without_alerted(export: Mapping[str, Any]) -> Mapping[str, Any]:
    """An export without the findings for which the task itself has already sent an alert."""
    findings = [finding for finding in export.get("findings") or () if not finding.get("alerted")]
    return {**export, "findings": findings, **({"recovered": None} if export.get("alerted") else {})}


def _minded_by_status(export: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The findings of an export that the policy minds, by the status of their alert, as a verdict."""
    by_status: dict[str, list[Mapping[str, Any]]] = {}
    for finding in (*(export.get("findings") or ()), *(export.get("standing") or ())):
        if finding.get("outcome") in MINDED:
            by_status.setdefault(kind_of(str(finding.get("kind"))), []).append(finding)
    verdicts = {tuple(verdict.get("run_ids") or ()): verdict for verdict in export.get("verdicts") or ()}
    for status, findings in by_status.items():
        outcomes = [finding["outcome"] for finding in findings]
        reason = "; ".join(str(finding.get("told")) for finding in findings)
        # The numbers and the tick are those of the last finding.
        last = findings[-1]
        run_ids = tuple(last.get("run_ids") or ())
        # An alarm must not read as the harmless reason of a later run.
        gravest = [finding for finding in findings if finding["outcome"] == "fail"] or findings
        known = [str(finding["known_at"]) for finding in findings if finding.get("known_at")]
        minded = {
            "run_ids": list(run_ids),
            **verdicts.get(run_ids, {}),
            "tick": last.get("tick"),
            "cause": next((finding["cause"] for finding in reversed(gravest) if finding.get("cause")), None),
            "known_at": min(known, default=None),
            "outcome": "fail" if "fail" in outcomes else "warn",
            "reason": reason,
        }
        yield status if status in MESSAGES else "unknown", minded
