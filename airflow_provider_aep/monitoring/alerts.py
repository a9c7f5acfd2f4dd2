"""Alerts: what there is to tell about an export, as records. How they look is in ``alert_formats``.

Words come from the Flow Service and from people who name dataflows: they are text here, never markup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_aep.monitoring.run_codes import explain

# From the gravest to good news; each with the word for it in a count.
STATUSES: Mapping[str, str] = {
    "error": "not watched",
    "nothing": "not selected",
    "failed": "failed",
    "unknown": "ended in an unknown way",
    "stuck": "stuck",
    "incomplete": "short of a dataset",
    "late": "late",
    "gaps": "with runs missing or late",
    "partial": "incomplete",
    "missing_files": "short of files",
    "unchecked_files": "with files that could not be checked",
    "low_records": "small",
    "unknown_records": "of unknown size",
    "zero_records": "empty",
    "slow": "slow",
    "warning": "with a warning",
    "success": "fine",
}
_GRAVITY = {status: place for place, status in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What became of one export.

    :param status: one of ``STATUSES``.
    :param text: the sentence that people read first.
    :param reason: the verdict's own sentence, with the numbers.
    :param cause: why there is little or nothing to export, where the Catalog was asked.
    :param outcome: what the run policy made of it: ``fail``, ``warn``, ``skip`` or ``ok``.
    :param sandbox: its name; ``None`` where it is not known.
    :param usual_records: the median of ``usual_runs`` earlier runs.
    :param errors: Adobe's errors, each with ``code`` and ``message``.
    :param dataflow_url: the dataflow's page in the Platform UI.
    :param task_url: the page of the task in Airflow.
    :param task: its name, with the map index: ``judge[3]``.
    """

    status: str
    text: str
    reason: str = ""
    cause: str = ""
    outcome: str = "fail"
    sandbox: str | None = None
    dataflow_id: str | None = None
    dataflow_name: str | None = None
    run_ids: tuple[str, ...] = ()
    records_out: int | None = None
    usual_records: int | None = None
    usual_runs: int = 0
    errors: tuple[Mapping[str, str], ...] = ()
    dataflow_url: str | None = None
    task_url: str | None = None
    task: str | None = None

    @classmethod
    def from_verdict(cls, verdict: Mapping[str, Any], *, status: str, text: str, **more: Any) -> Alert:
        """The alert about a verdict as it crosses XCom; what the verdict lacks stays unknown.

        :param more: ``dataflow_url``, ``task_url`` and ``task``.
        """
        return cls(
            status=status,
            text=_one_line(text),
            reason=_one_line(verdict.get("reason") or ""),
            cause=_one_line((verdict.get("cause") or {}).get("told") or ""),
            outcome=str(verdict.get("outcome") or "fail"),
            sandbox=verdict.get("sandbox"),
            dataflow_id=verdict.get("dataflow_id"),
            dataflow_name=verdict.get("dataflow_name"),
            run_ids=tuple(map(str, verdict.get("run_ids") or ())),
            records_out=verdict.get("records_out"),
            usual_records=verdict.get("usual_records"),
            usual_runs=verdict.get("usual_runs") or 0,
            errors=tuple(
                {"code": str(each.get("code")), "message": _one_line(each.get("message") or "")}
                for each in verdict.get("errors") or ()
            ),
            **more,
        )

    @property
    def change_percent(self) -> float | None:
        """How far the records are from the usual: ``-50.0`` for half of it."""
        if self.records_out is None or not self.usual_records:
            return None
        return round(100 * (self.records_out / self.usual_records - 1), 1)

    @property
    def numbers(self) -> str:
        """The records beside the usual, in words; empty where the run does not say."""
        if self.records_out is None:
            return ""
        told = f"{self.records_out:,} records"
        if self.change_percent is None:
            return told
        beside = f"usual {self.usual_records:,}, the median of {self.usual_runs} runs"
        return f"{told} ({beside}: {self.change_percent:+g}%)"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as a webhook gets it."""
        kept = {name: getattr(self, name) for name in self.__dataclass_fields__}
        errors = [{**error, **explain(error["code"])._asdict()} for error in self.errors]
        return {
            **kept,
            "run_ids": list(self.run_ids),
            "change_percent": self.change_percent,
            "errors": errors,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent at once: the alerts of one sandbox, the gravest first.

    :param airflow_url: the page of the DAG run in Airflow.
    """

    sandbox: str | None
    alerts: tuple[Alert, ...]
    dag_id: str | None = None
    run_id: str | None = None
    airflow_url: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many alerts there are of each status."""
        return dict(Counter(alert.status for alert in self.alerts))

    @property
    def title(self) -> str:
        """One line: the alert itself, or how many there are of each kind."""
        if len(self.alerts) == 1:
            return self.alerts[0].text
        where = f"in sandbox {_one_line(self.sandbox)}" if self.sandbox else "in a sandbox that is not known"
        counts = ", ".join(f"{count} {STATUSES[status]}" for status, count in self.counts.items())
        # An audit may tell several things about one export.
        exports = len({alert.dataflow_id or alert.text for alert in self.alerts})
        return f"{exports} AEP export{'' if exports == 1 else 's'} {where}: {counts}"

    @property
    def codes(self) -> tuple[str, ...]:
        """Adobe's error codes in these alerts, each once."""
        return tuple(dict.fromkeys(error["code"] for alert in self.alerts for error in alert.errors))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON with all alerts, for a program that reads it."""
        return {
            "title": self.title,
            "sandbox": self.sandbox,
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "airflow_url": self.airflow_url,
            "counts": self.counts,
            "alerts": [alert.to_json() for alert in self.alerts],
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


def _one_line(text: object) -> str:
    """A line break in a name must not begin a new line of a log, nor a new header of an e-mail."""
    return " ".join(str(text).split())
