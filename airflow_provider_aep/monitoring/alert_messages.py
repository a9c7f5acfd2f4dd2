"""Messages: the alerts of one sandbox that are sent together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_aep.monitoring.alerts import LONGEST_TEXT, STATUSES, Alert, one_line
from airflow_provider_aep.monitoring.sizes import fitting
from airflow_provider_aep.monitoring.words import cut

VERSION = 1  # of the JSON; alert.schema.json describes it
# PagerDuty accepts at most 512 KB in an event (Events API v2, read 2026-11).
MOST_BYTES = 500_000
SEVERITIES = ("critical", "error", "warning", "info")
_GRAVITY = {status: place for place, status in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Alerts of one sandbox that are sent together, the gravest first.

    :param airflow_url: the page of the DAG run in Airflow.
    :param told_at: when the message was created.
    """

    sandbox: str | None
    alerts: tuple[Alert, ...]
    dag_id: str | None = None
    run_id: str | None = None
    airflow_url: str | None = None
    told_at: datetime = field(default_factory=lambda: datetime.now(tz=UTC))

    @property
    def severity(self) -> str:
        """That of the gravest alert."""
        return min((alert.severity for alert in self.alerts), key=SEVERITIES.index, default="info")

    @property
    def counts(self) -> dict[str, int]:
        """How many alerts there are of each status."""
        return dict(Counter(alert.status for alert in self.alerts))

    @property
    def title(self) -> str:
        """One line: the alert itself, or how many there are of each kind."""
        if len(self.alerts) == 1:
            return self.alerts[0].text
        where = f"in sandbox {one_line(self.sandbox)}" if self.sandbox else "in a sandbox that is not known"
        counts = ", ".join(f"{count} {STATUSES[status]}" for status, count in self.counts.items())
        # A check may send several alerts about one export.
        exports = len({alert.dataflow_id or alert.text for alert in self.alerts})
        return f"{exports} AEP export{'' if exports == 1 else 's'} {where}: {counts}"

    @property
    def codes(self) -> tuple[str, ...]:
        """Adobe's error codes in these alerts, each once."""
        return tuple(dict.fromkeys(error["code"] for alert in self.alerts for error in alert.errors))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON for other programs: an entry for each incident, the gravest first.

        ``alert.schema.json`` describes it. Entries beyond ``MOST_BYTES`` are left out from the end, and
        ``left_out`` counts them.
        """
        told_at = self.told_at.astimezone(UTC).isoformat(timespec="seconds")
        whole = [
            {**document, **incident, "told_at": told_at, "started_at": incident["started_at"] or told_at}
            for alert in self.alerts
            for document in [alert.to_json()]
            for incident in alert.incidents(self.dag_id)
        ]
        entries = fitting(whole, MOST_BYTES) or whole[:1]
        return {
            "version": VERSION,
            "title": cut(self.title, LONGEST_TEXT),
            "sandbox": self.sandbox,
            "severity": self.severity,
            "told_at": told_at,
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "airflow_url": self.airflow_url,
            "counts": self.counts,
            "alerts": entries,
            "left_out": len(whole) - len(entries),
        }


def digest(alerts: Iterable[Alert], **about: Any) -> list[Message]:
    """One message for each sandbox, however many alerts there are.

    :param about: ``dag_id``, ``run_id`` and ``airflow_url`` of the messages.
    """
    sandboxes: dict[str | None, list[Alert]] = {}
    for alert in alerts:
        sandboxes.setdefault(alert.sandbox, []).append(alert)
    return [
        Message(sandbox=sandbox, alerts=tuple(sorted(sandboxes[sandbox], key=_weight)), **about)
        for sandbox in sorted(sandboxes, key=str)
    ]


def _weight(alert: Alert) -> tuple[int, str]:
    return _GRAVITY[alert.status], alert.dataflow_name or alert.text
