"""Checking all exports of a sandbox in one task."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_aep.operators.base import AepOperator, Moment, Upstream

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.audit import Audit, AuditPolicy, Selection

# What was found is kept under this key, also when the task fails: the notifier reads it from there.
CHECK_KEY = "aep_check"
# Of a DAG run that has no data interval.
USUAL_WINDOW = timedelta(days=1)
NAMED = 10


class AepCheckExportsOperator(AepOperator):
    """Check the export dataflows of a sandbox over the DAG's data interval: verdicts, gaps, ends to come.

    Each tick in the window is held against the runs there are: missing, late (over 150 minutes) or doubled.
    The runs of each tick are judged as a sensor would. A tick that is younger than 150 minutes and has no run
    yet is pending, and no finding: leave the window that much time, or the next check will tell.

    :param since: start of the window: ISO 8601, ``datetime`` or epoch seconds; by default the start of the
        data interval, or a day before its end. Templated.
    :param until: its end; by default that of the data interval, or now. Templated.
    :param name_contains: only dataflows with this in their name, in whatever letter case. Templated.
    :param destinations: only to these destinations, such as ``["s3"]``. Templated.
    :param export_owner: only those that this owner declared. Templated.
    :param run_policy: arguments of the sensor's run policy, such as ``{"max_drop": 0.5}``; see ``RunPolicy``.
    :param on_missing: ``fail``, ``warn``, ``skip`` or ``ok`` for a tick without a run after 150 minutes.
    :param on_late: the same for a run that started later than that.
    :param on_doubled: the same for a tick with more runs than it should have.
    :param on_disabled: the same for a dataflow that is switched off.
    :param on_ends_soon: the same for a schedule that has ended, or will within ``ends_soon_days``.
    :param on_unread: the same for a dataflow whose runs could not be read.
    :param ends_soon_days: how many days before its end a schedule is worth a word.
    :return: a dict with ``sandbox``, ``since``, ``until``, ``outcome``, ``totals`` and ``exports``, the worst
        first; each with ``dataflow_id``, ``dataflow_name``, ``outcome``, ``verdict``, ``verdicts``, ``gaps``,
        ``warnings`` and more. Kept under the XCom key ``aep_check`` as well.
    :raises AepValidationError: an argument makes no sense; nothing was asked.
    """

    template_fields: Sequence[str] = (
        *AepOperator.template_fields,
        "since",
        "until",
        "name_contains",
        "destinations",
        "export_owner",
    )

    def __init__(
        self,
        *,
        since: Moment | Upstream = None,
        until: Moment | Upstream = None,
        name_contains: str | None = None,
        destinations: Collection[str] | Upstream = (),
        export_owner: str | None = None,
        run_policy: Mapping[str, Any] | None = None,
        on_missing: str = "fail",
        on_late: str = "warn",
        on_doubled: str = "warn",
        on_disabled: str = "warn",
        on_ends_soon: str = "warn",
        on_unread: str = "fail",
        ends_soon_days: int = 14,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.since = since
        self.until = until
        self.name_contains = name_contains
        self.destinations = destinations
        self.export_owner = export_owner
        self.run_policy = run_policy
        self.policy = {
            "on_missing": on_missing,
            "on_late": on_late,
            "on_doubled": on_doubled,
            "on_disabled": on_disabled,
            "on_ends_soon": on_ends_soon,
            "on_unread": on_unread,
            "ends_soon_days": ends_soon_days,
        }

    def execute(self, context: Any) -> dict[str, Any]:
        from airflow_provider_aep import stats
        from airflow_provider_aep.monitoring.audit import audit_exports

        policy, selection = self._policies()
        since, until = self._window(context)
        audit = self.hook.run(
            audit_exports(
                since=since, until=until, now=datetime.now(tz=UTC), policy=policy, selection=selection
            )
        )
        found = {"sandbox": self.hook.sandbox, **audit.to_json()}
        for export in found["exports"]:
            export["dataflow_url"] = self.hook.dataflow_url(export["dataflow_id"])
            for verdict in export["verdicts"]:
                stats.judged({**verdict, "sandbox": found["sandbox"]})
        # Before the task may fail: a notifier reads it from there.
        context["ti"].xcom_push(key=CHECK_KEY, value=found)
        level = logging.INFO if audit.outcome in ("ok", "skip") else logging.WARNING
        self.log.log(
            level, "%d exports from %s to %s\n%s", len(audit.exports), since, until, _table_of(audit)
        )
        if audit.outcome == "fail":
            raise AirflowFailException(_summary(audit, "fail"))
        if audit.outcome == "skip" and audit.exports:
            raise AirflowSkipException(_summary(audit, "skip"))
        return found

    def _policies(self) -> tuple[AuditPolicy, Selection]:
        from airflow_provider_aep.monitoring.audit import AuditPolicy, Selection
        from airflow_provider_aep.monitoring.verdict import run_policy

        destinations: Any = self.destinations or ()
        return (
            AuditPolicy(runs=run_policy(self.run_policy or {}), **self.policy),  # type: ignore[arg-type]
            Selection(
                name_contains=self.name_contains,
                destinations=(destinations,) if isinstance(destinations, str) else tuple(destinations),
                owner=self.export_owner or None,
            ),
        )

    def _window(self, context: Any) -> tuple[datetime, datetime]:
        from airflow_provider_aep.flowservice.schedule import parse_moment

        # A run that was triggered by hand has no data interval on Airflow 3.
        end = self.until or context.get("data_interval_end") or datetime.now(tz=UTC)
        until = parse_moment("until", end)
        start = self.since or context.get("data_interval_start")
        since = parse_moment("since", start) if start else until - USUAL_WINDOW
        # Of a run by hand on Airflow 2, and of a cron schedule on Airflow 3, both ends are one moment.
        return (until - USUAL_WINDOW if since == until and not self.since else since), until


def _summary(audit: Audit, outcome: str) -> str:
    """The exports of an outcome and what was found of them, as many as fit into a message."""
    from airflow_provider_aep.monitoring.audit import found_in

    bad = [export for export in audit.exports if export.outcome == outcome]
    told = [f"{export.dataflow.name!r}: {'; '.join(found_in(export))[:300]}" for export in bad[:NAMED]]
    more = f" And {len(bad) - NAMED} more." if len(bad) > NAMED else ""
    return f"{len(bad)} of {len(audit.exports)} exports: {'. '.join(told)}.{more}"


def _table_of(audit: Audit) -> str:
    from airflow_provider_aep.monitoring.audit import TABLE, rows_of
    from airflow_provider_aep.monitoring.table import aligned

    return "\n".join(aligned(TABLE, rows_of(audit)))
