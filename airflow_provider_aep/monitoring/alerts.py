"""Alerts: records of what to report about an export. ``alert_formats`` formats them.

Their words come from the Flow Service and from people who name dataflows, so they are text, never markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from airflow_provider_aep.monitoring.incidents import incident_key, moments, severity_of
from airflow_provider_aep.monitoring.table import printable
from airflow_provider_aep.monitoring.words import clock_words, cut, iso_moment, read_moment
from airflow_provider_aep.times import span_words

LONGEST_TEXT = 4000  # characters of a text in JSON
LONGEST_WORDS = 300  # of an error message there
MOST_ERRORS = 20

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
    "allowance": "near or above an allowance",
    "recovered": "recovered",
    "success": "fine",
}
# status of an alert -> what to do next, whatever Adobe's error code is.
NEXT: Mapping[str, str] = {
    "failed": "Export again on demand once the cause is fixed, or wait for the next scheduled run.",
    "unknown": "Look at the run in the Platform UI; give Adobe's support the run id.",
    "partial": "Look at the failed and skipped records of the run; correct the data or the limit.",
    "zero_records": "Check whether anything was ingested into the datasets since the last good run.",
    "low_records": "Check whether as much was ingested as usual; correct the limit if this is the new usual.",
    "unknown_records": "Look at the run in the Platform UI; count the files in the storage.",
    "missing_files": "List the folder in the storage; if files are missing, export again on demand.",
    "unchecked_files": "Check the Airflow connection to the storage and its right to list the folder.",
    "incomplete": "Find the dataset that has no run, and export it on demand.",
    "stuck": "Look at the run in the Platform UI; if it does not end, give Adobe's support the run id.",
    "slow": "Nothing is lost; correct the limit if this is the new usual.",
    "late": "Look at the task's log: it may still wait for a run that is under way.",
    "gaps": "Check whether the dataflow is enabled and its schedule goes on; if not, export on demand.",
    "warning": "Enable the dataflow or correct its schedule; if it is unread, check the credential's rights.",
    "allowance": "Look at the usage by export; pause what nobody reads, or ask Adobe about the licence.",
    "nothing": "Check the selection, the sandbox, and the rights of the credential.",
    "error": "Read the log of the Airflow task; clear the task once the cause is fixed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What became of one export.

    Moments are ISO 8601, as they cross XCom.

    :param status: one of ``STATUSES``.
    :param text: the sentence that people read first.
    :param reason: the verdict's own sentence, with the numbers.
    :param outcome: the outcome by the run policy: ``fail``, ``warn``, ``skip`` or ``ok``.
    :param sandbox: its name; ``None`` if it is not known.
    :param run_started_at: when the first of the runs began.
    :param run_ended_at: when the last of them ended.
    :param due_at: the tick that the alert is about.
    :param since: when the problem became known.
    :param usual_records: the median of ``usual_runs`` earlier runs.
    :param location: where the files should be: ``s3://bucket/path/``.
    :param cause: why the run is empty or small, if the Catalog was asked: ``kind``, ``told``, ``advice``.
    :param recovered: for a recovered export: the kinds of incident that are over, and when each began.
    :param errors: Adobe's errors, each with ``code`` and ``message``.
    :param dataflow_url: the dataflow's page in the Platform UI.
    :param task_url: the page of the task in Airflow.
    :param page_url: the export's page in Airflow.
    :param task: the task's name, with the map index: ``judge[3]``.
    """

    status: str
    text: str
    reason: str = ""
    outcome: str = "fail"
    sandbox: str | None = None
    dataflow_id: str | None = None
    dataflow_name: str | None = None
    run_ids: tuple[str, ...] = ()
    run_started_at: str | None = None
    run_ended_at: str | None = None
    due_at: str | None = None
    since: str | None = None
    records_out: int | None = None
    usual_records: int | None = None
    usual_runs: int = 0
    location: str | None = None
    cause: Mapping[str, Any] | None = None
    recovered: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[Mapping[str, str], ...] = ()
    dataflow_url: str | None = None
    task_url: str | None = None
    page_url: str | None = None
    task: str | None = None

    @classmethod
    def from_verdict(cls, verdict: Mapping[str, Any], *, status: str, text: str, **more: Any) -> Alert:
        """The alert about a verdict as it is in XCom; fields that the verdict lacks stay unknown.

        :param more: ``dataflow_url``, ``task_url``, ``page_url`` and ``task``.
        """
        cause: Any = verdict.get("cause")
        return cls(
            status=status,
            text=one_line(text),
            reason=one_line(verdict.get("reason") or ""),
            outcome=str(verdict.get("outcome") or "fail"),
            sandbox=_known(verdict.get("sandbox")),
            dataflow_id=_known(verdict.get("dataflow_id")),
            dataflow_name=_known(verdict.get("dataflow_name")),
            run_ids=tuple(map(one_line, verdict.get("run_ids") or ())),
            run_started_at=iso_moment(verdict.get("started_at")),
            run_ended_at=iso_moment(verdict.get("completed_at")),
            due_at=iso_moment(verdict.get("tick")),
            since=iso_moment(moments(verdict.get("open")).get(status) or verdict.get("known_at")),
            records_out=verdict.get("records_out"),
            usual_records=verdict.get("usual_records"),
            usual_runs=verdict.get("usual_runs") or 0,
            location=one_line(verdict.get("location") or "") or None,
            cause=_cut_all(cause) if isinstance(cause, Mapping) else None,
            recovered={
                kind: moment
                for kind, at in moments(verdict.get("recovered")).items()
                if status == "recovered" and (moment := iso_moment(at))
            },
            errors=tuple(
                {"code": one_line(error.get("code")), "message": one_line(error.get("message") or "")}
                for error in verdict.get("errors") or ()
            ),
            **more,
        )

    @property
    def severity(self) -> str:
        """``critical``, ``error``, ``warning`` or ``info``."""
        return severity_of(self.status, self.outcome, (self.cause or {}).get("kind"))

    @property
    def next_step(self) -> str:
        """What to do next, in one line; empty if all is well."""
        # The advice for the cause is more specific than that for the status.
        return one_line((self.cause or {}).get("advice") or NEXT.get(self.status, ""))

    @property
    def change_percent(self) -> float | None:
        """The deviation of the records from the usual: ``-50.0`` for half of it."""
        if self.records_out is None or not self.usual_records:
            return None
        return round(100 * (self.records_out / self.usual_records - 1), 1)

    @property
    def numbers(self) -> str:
        """The records and the usual, in words; empty if the run has no count."""
        if self.records_out is None:
            return ""
        exported = f"{self.records_out:,} records"
        if self.change_percent is None:
            return exported
        usual = f"usual {self.usual_records:,}, the median of {self.usual_runs} runs"
        return f"{exported} ({usual}: {self.change_percent:+g}%)"

    @property
    def run_time(self) -> str:
        """When the runs began and ended, in UTC, and how long they took; empty if it is not known."""
        began, ended = read_moment(self.run_started_at), read_moment(self.run_ended_at)
        if began is None or ended is None:
            return (
                f"began {clock_words(began)}, no end is told"
                if began
                else f"ended {clock_words(ended)}"
                if ended
                else ""
            )
        same_day = began.astimezone(UTC).date() == ended.astimezone(UTC).date()
        start = f"{began.astimezone(UTC):%Y-%m-%d %H:%M}"
        end = f"{ended.astimezone(UTC):%H:%M} UTC" if same_day else clock_words(ended)
        return f"{start} to {end} ({span_words(ended - began)})"

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The facts besides the text, each with its name: the same in every format."""
        named = self.dataflow_name or self.dataflow_id or ""
        if self.dataflow_id and self.dataflow_id != named:
            named = f"{named} ({self.dataflow_id})"
        due = read_moment(self.due_at)
        over = "; ".join(
            f"{STATUSES.get(kind, kind)} since {clock_words(read_moment(at))}"
            for kind, at in self.recovered.items()
        )
        facts = (
            ("Allowance" if self.status == "allowance" else "Export", one_line(named)),
            ("Sandbox", one_line(self.sandbox or "")),
            ("Due", clock_words(due) if due else ""),
            ("Run", ", ".join(filter(None, (self.run_time, *self.run_ids[:3])))),
            ("Exported", self.numbers),
            ("Files", self.location or ""),
            ("Why", str((self.cause or {}).get("told") or "")),
            ("Was", over),
            ("Next", self.next_step),
        )
        return [(name, value) for name, value in facts if value]

    def incidents(self, dag_id: str | None = None) -> list[dict[str, Any]]:
        """The incidents that this alert opens or ends: ``key``, ``kind``, ``state`` and ``started_at``.

        :param dag_id: distinguishes alerts that are about no dataflow.
        """
        about: list[str | None] = [self.dataflow_id] if self.dataflow_id else [dag_id, self.task]
        if self.status == "allowance":
            about.append(self.dataflow_name)  # a check may have several
        # An export that the policy skips does not end an open incident.
        state = "resolved" if self.severity == "info" and not self.since else "firing"
        kinds: dict[str, str | None] = {**self.recovered} or {
            self.status: self.since or self.run_ended_at or self.run_started_at
        }
        return [
            {"key": incident_key(kind, self.sandbox, *about), "kind": kind, "state": state, "started_at": at}
            for kind, at in kinds.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as a webhook gets it, without the fields of the incident."""
        # Imported here, and not when a DAG file with a notifier is parsed.
        from airflow_provider_aep.flowservice.codes import explain

        kept = {name: getattr(self, name) for name in self.__dataclass_fields__}
        errors = [
            {
                "code": cut(error["code"], LONGEST_WORDS),
                "message": cut(error["message"], LONGEST_WORDS),
                "meaning": known.meaning,
                "advice": known.advice,
            }
            for error in self.errors[:MOST_ERRORS]
            for known in [explain(error["code"])]
        ]
        del kept["since"], kept["recovered"]
        return {
            **{
                name: cut(value, LONGEST_TEXT) if isinstance(value, str) else value
                for name, value in kept.items()
            },
            "severity": self.severity,
            "run_ids": list(self.run_ids),
            "change_percent": self.change_percent,
            "cause": dict(self.cause) if self.cause else None,
            "next_step": cut(self.next_step, LONGEST_WORDS),
            "errors": errors,
        }


def one_line(text: object) -> str:
    """The text as one line: a line break in a name must not begin a new line of a log or a new header of an
    e-mail, and half a character must not keep an alert from being encoded.
    """
    return printable(" ".join(str(text).split()))


def _known(text: object) -> str | None:
    return cut(one_line(text), LONGEST_TEXT) if text is not None else None


def _cut_all(cause: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: cut(one_line(value), LONGEST_TEXT) if isinstance(value, str) else value
        for name, value in cause.items()
    }
