"""An audit as a table: a row for each export, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_aep.flowservice.schedule import schedule_words
from airflow_provider_aep.monitoring.audit import Audit
from airflow_provider_aep.monitoring.audited_export import AuditedExport
from airflow_provider_aep.monitoring.verdict import Verdict

TABLE = ("outcome", "export", "destination", "every", "ticks", "records", "what was found")


def rows_of(audit: Audit) -> list[tuple[str, ...]]:
    """The audit as rows under ``TABLE``: for each export all its problems, or its last verdict."""
    return [
        (
            export.outcome,
            export.dataflow.name,
            export.dataflow.destination or "?",
            str(schedule_words(export.dataflow.schedule)["every"]),
            str(len(export.ticks)),
            _records(export.verdicts),
            "; ".join(found_in(export)),
        )
        for export in audit.exports
    ]


def found_in(export: AuditedExport) -> list[str]:
    """All problems of an export; if it has none, its last verdict."""
    problems = [finding.in_full for finding in export.findings]
    problems += [f"still: {finding.in_full}" for finding in export.standing]
    if problems:
        return problems
    if export.verdicts:
        return [export.verdicts[-1].reason]
    return ["nothing became known in this window"]


def _records(verdicts: Sequence[Verdict]) -> str:
    counts = [verdict.records_out for verdict in verdicts]
    return "-" if not counts else "?" if None in counts else f"{sum(filter(None, counts)):,}"
