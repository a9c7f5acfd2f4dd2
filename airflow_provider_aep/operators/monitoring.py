"""Check all exports of a sandbox in one task."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_aep._airflow import AirflowFailException, AirflowSkipException
from airflow_provider_aep.arguments import Span, Switch, Text, Texts
from airflow_provider_aep.operators.base import AepOperator, Moment, Upstream
from airflow_provider_aep.operators.moments import check_moments
from airflow_provider_aep.operators.xcom_keys import (
    BY_HAND_HANDOVER_KEY,
    CHECK_KEY,
    HANDOVER_KEY,
    UNDATED_HANDOVER_KEY,
)

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.audit import Audit
    from airflow_provider_aep.monitoring.handover import Handover
    from airflow_provider_aep.monitoring.policy import AuditPolicy
    from airflow_provider_aep.monitoring.selection import Selection

__all__ = ["AepCheckExportsOperator"]

# The window of a first check whose DAG run has no data interval.
USUAL_WINDOW = timedelta(days=1)
# The longest window, however long ago the last check was.
LONGEST_WINDOW = timedelta(days=7)
MOST_LAG = timedelta(days=1)
NAMED = 10


class AepCheckExportsOperator(AepOperator):
    """Check the export dataflows of a sandbox for problems that became known since the last check.

    Each check begins where the last completed check ended, and ends ``lag`` before its own time, as the
    service shows the end of a run with a delay. A finding belongs to the check in whose window it became
    known: a run ended, a deadline passed, a run became stuck. So each finding is reported once. A problem
    that was reported before and persists is listed as standing. Set ``max_active_runs=1`` on the DAG, so that
    checks run one after the other. A triggered DAG run continues from the last check of any kind; scheduled
    runs continue from each other, and report again what a triggered one reported.

    :param since: start of the window: ISO 8601 or ``datetime``, without an offset in ``[aep] timezone``, or
        epoch seconds. By default where the last check ended, else the start of the data interval, else a day
        before its end. If given, the check reports everything since then, up to ``until`` or now, even if it
        was reported before. Templated.
    :param until: its end; by default ``lag`` before the end of the data interval, or before the time at
        which the DAG run was due or triggered. Templated.
    :param lag: how long the service may take to show that a run ended: seconds, a ``timedelta``, or an
        ISO 8601 duration.
    :param name_contains: only dataflows with this in their name, in any letter case. Templated.
    :param destinations: only to these destinations, such as ``["s3"]``; one that is not built in has the
        name that its spec gives. Templated.
    :param export_owner: only those that this owner declared. Templated.
    :param run_policy: arguments of the sensor's run policy, such as ``{"max_drop": 0.5}``; see ``RunPolicy``.
    :param on_missing: ``fail``, ``warn``, ``skip`` or ``ok`` for a tick without a run after 150 minutes.
    :param on_late: the same for a run that started later than that.
    :param on_doubled: the same for a tick for which more runs delivered than it owes.
    :param on_disabled: the same for a disabled dataflow.
    :param on_ends_soon: the same for a schedule that has ended, or will end within ``ends_soon_days``.
    :param on_unread: the same for a dataflow whose runs could not be read.
    :param on_unreadable: the same for a schedule that cannot be read: a missing run would not be noticed.
    :param on_standing: the same for a problem that was reported before and persists. By default it alerts
        nobody again.
    :param on_allowance: the same for an allowance that is used up or nearly, or will be by the forecast.
    :param on_nothing: the same if no dataflow is selected: a check of nothing would always succeed.
    :param allowance: what the selected exports may export, such as ``exported_bytes=5TB/year`` or
        ``exported_records=2000000/month``; one or a list. It takes more requests, a bounded number that the
        log shows. Templated.
    :param ends_soon_days: how long before its end a schedule is reported: days, a ``timedelta``, or an
        ISO 8601 duration.
    :param alert_on_backfill: let the check of a backfill fail and alert like any other. By default it only
        reports what it found.
    :return: a dict with ``sandbox``, ``since``, ``until``, ``outcome``, ``totals`` and ``notes``. The XCom
        key ``aep_check``, which a failed task has too, adds the ``exports``, the worst first; each has
        ``dataflow_id``, ``dataflow_name``, ``outcome``, ``findings``, ``standing``, ``verdict``, ``verdicts``
        and more. It holds 192 KiB at most; ``left_out`` counts what did not fit.
    :raises AepValidationError: an argument is not valid; nothing was requested.
    """

    template_fields: Sequence[str] = (
        *AepOperator.template_fields,
        "since",
        "until",
        "name_contains",
        "destinations",
        "export_owner",
        "allowance",
    )
    lag = Span(most=MOST_LAG.total_seconds())
    name_contains = Text(optional=True)
    destinations = Texts(optional=True)
    export_owner = Text(optional=True)
    alert_on_backfill = Switch()

    def __init__(
        self,
        *,
        since: Moment | Upstream = None,
        until: Moment | Upstream = None,
        lag: float | timedelta | str = timedelta(minutes=15),
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
        on_unreadable: str = "warn",
        on_standing: str = "ok",
        on_allowance: str = "warn",
        on_nothing: str = "fail",
        allowance: str | Sequence[str] | None = None,
        ends_soon_days: int | timedelta | str = 14,
        alert_on_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.since = since
        self.until = until
        self.lag = lag
        self.name_contains = name_contains
        self.destinations = destinations
        self.export_owner = export_owner
        self.run_policy = run_policy
        self.alert_on_backfill = alert_on_backfill
        self.allowance = allowance
        self.policy = {
            "on_missing": on_missing,
            "on_late": on_late,
            "on_doubled": on_doubled,
            "on_disabled": on_disabled,
            "on_ends_soon": on_ends_soon,
            "on_unread": on_unread,
            "on_unreadable": on_unreadable,
            "on_standing": on_standing,
            "on_allowance": on_allowance,
            "on_nothing": on_nothing,
            "ends_soon_days": ends_soon_days,
        }
        self._policy()
        check_moments(vars(self))

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        from airflow_provider_aep.monitoring.policy import check_policy

        check_policy(kwargs)
        return super().partial(**kwargs)

    def execute(self, context: Any) -> dict[str, Any]:
        from airflow_provider_aep.hooks import metrics
        from airflow_provider_aep.hooks.days import zone_of_days
        from airflow_provider_aep.monitoring.allowance import parse_allowances
        from airflow_provider_aep.monitoring.audit import audit_exports
        from airflow_provider_aep.monitoring.bounds import bounded
        from airflow_provider_aep.operators.places import places_of

        allowances = parse_allowances(self.allowance)
        policy, selection = self._policy(), self._selection()
        window = self._window(context, self._scope(selection))
        audit = self.hook.run(
            audit_exports(
                since=window.since,
                until=window.until,
                now=datetime.now(tz=UTC),
                policy=policy,
                selection=selection,
                before=window.before,
                allowances=allowances,
                zone=zone_of_days(),
            )
        )
        quiet = window.is_backfill and not self.alert_on_backfill
        place = {"sandbox": self.hook.sandbox, "conn_id": self.aep_conn_id}
        result = {**place, **audit.to_json(), "quiet": quiet, "notes": window.notes}
        if not audit.exports:
            result["told"] = audit.told_nothing()
        bad = [export.dataflow for export in audit.exports if export.outcome in ("fail", "warn")]
        places = places_of(self, bad)
        for export in result["exports"]:
            if export["dataflow_id"] in places:
                export["location"] = places[export["dataflow_id"]]
            export["dataflow_url"] = self.hook.dataflow_url(export["dataflow_id"])
        for verdict in (verdict for export in audit.exports for verdict in export.verdicts):
            metrics.judged({**verdict.to_json(), "sandbox": result["sandbox"]})
        # Pushed before the task may fail: a notifier reads it, and the next check continues from here.
        result = bounded(result)
        context["ti"].xcom_push(key=CHECK_KEY, value=result)
        if window.hands_over:
            handover = {**audit.handover.to_json(), "scope": self._scope(selection)}
            context["ti"].xcom_push(key=window.hands_over, value=handover)
        for note in window.notes:
            self.log.warning("%s", note)
        level = logging.INFO if audit.outcome in ("ok", "skip") else logging.WARNING
        self.log.log(
            level,
            "%d exports, what became known from %s to %s\n%s",
            len(audit.exports),
            window.since,
            window.until,
            _table_of(audit),
        )
        for allowance in audit.allowances:
            level = logging.INFO if allowance.outcome in ("ok", "skip") else logging.WARNING
            self.log.log(
                level,
                "%s: %s (%d requests more)",
                allowance.standing.allowance.key,
                allowance.standing.told,
                allowance.requests,
            )
        if quiet:
            self.log.info("A backfill: nobody is alerted")
        elif audit.outcome == "fail":
            raise AirflowFailException(_summary(audit, "fail"))
        elif audit.outcome == "skip":
            raise AirflowSkipException(_summary(audit, "skip"))
        # The exports are stored only once: a return value is an XCom too.
        return {name: value for name, value in result.items() if name != "exports"}

    def _policy(self) -> AuditPolicy:
        from airflow_provider_aep.monitoring.policy import AuditPolicy, run_policy

        return AuditPolicy(runs=run_policy(self.run_policy), **self.policy)  # type: ignore[arg-type]

    def _selection(self) -> Selection:
        from airflow_provider_aep.monitoring.selection import Selection

        return Selection.of(self.name_contains, self.destinations, self.export_owner)

    def _scope(self, selection: Selection) -> str:
        """What this check covers: a handover from a check with another scope is of no use."""
        return f"{self.aep_conn_id} {self.hook.sandbox} {selection}"

    def _window(self, context: Any, scope: str) -> _Window:
        from airflow_provider_aep.flowservice.moments import parse_moment
        from airflow_provider_aep.hooks.days import zone_of_days

        now, run = datetime.now(tz=UTC), context.get("dag_run")
        kind = str(getattr(run, "run_type", "")).rpartition(".")[2].lower()
        is_backfill, date = kind.startswith("backfill"), _logical_date(context)
        by_hand = kind not in ("scheduled", "") and not is_backfill
        # A manually triggered run has no data interval on Airflow 3, or that of another run.
        due = (by_hand and date) or context.get("data_interval_end") or getattr(run, "run_after", None)
        due = due or getattr(run, "start_date", None) or now
        zone = zone_of_days()
        if self.since:
            until = min(parse_moment("until", self.until, zone), now) if self.until else now
            return _Window(parse_moment("since", self.since, zone), until, is_backfill=is_backfill)
        if self.until:
            until = min(parse_moment("until", self.until, zone), now)
        else:
            until = min(parse_moment("until", due), now) - self.lag
        start = context.get("data_interval_start")
        since = parse_moment("since", start) - self.lag if start else until
        # Both ends are the same for a manual run on Airflow 2, and for a cron schedule on Airflow 3.
        since = since if since < until else until - USUAL_WINDOW
        if is_backfill:
            return _Window(since, until, is_backfill=True)
        if self.until:
            return _Window(since, until)
        of_its_kind = BY_HAND_HANDOVER_KEY if by_hand else HANDOVER_KEY
        key = UNDATED_HANDOVER_KEY if date is None else of_its_kind
        every = (HANDOVER_KEY, BY_HAND_HANDOVER_KEY, UNDATED_HANDOVER_KEY)
        before = self._handed_over(context, (key,) if key == HANDOVER_KEY else every, scope, until)
        if before is None:
            return _Window(since, until, hands_over=key)
        notes = []
        since = max(before.until, until - LONGEST_WINDOW)
        if since > before.until:
            notes.append(
                f"The last check ended at {before.until:%Y-%m-%d %H:%M} UTC; this one looks back "
                f"{LONGEST_WINDOW.days} days, to {since:%Y-%m-%d %H:%M}, and what became known in between is "
                "not reported. Clear an older check, or give since, to look further back."
            )
        return _Window(since, until, before=before, hands_over=key, notes=notes)

    def _handed_over(self, context: Any, keys: Sequence[str], scope: str, until: datetime) -> Handover | None:
        """The handover of the last check before this one, even if its DAG run failed."""
        from airflow_provider_aep.monitoring.handover import Handover

        ti = context["ti"]
        values = [
            ti.xcom_pull(key=key, task_ids=ti.task_id, map_indexes=ti.map_index, include_prior_dates=True)
            for key in keys
        ]
        handovers = [
            Handover.from_json(value)
            for value in values
            if isinstance(value, Mapping) and value.get("scope") == scope
        ]
        earlier = [handover for handover in handovers if handover is not None and handover.until < until]
        return max(earlier, key=lambda handover: handover.until, default=None)


@dataclass(frozen=True, slots=True)
class _Window:
    """The window of a check.

    :param before: the handover of the last check.
    :param hands_over: the XCom key for the next check; empty if this one is not part of the sequence.
    """

    since: datetime
    until: datetime
    before: Handover | None = None
    hands_over: str = ""
    is_backfill: bool = False
    notes: list[str] = field(default_factory=list)


def _logical_date(context: Any) -> datetime | None:
    return context.get("logical_date") or getattr(context.get("dag_run"), "logical_date", None)


def _summary(audit: Audit, outcome: str) -> str:
    """The exports with an outcome and their findings, as many as fit into a message."""
    from airflow_provider_aep.monitoring.audit_table import found_in

    if not audit.exports:
        return audit.told_nothing()
    bad = [export for export in audit.exports if export.outcome == outcome]
    details = [f"{export.dataflow.name!r}: {'; '.join(found_in(export))[:300]}" for export in bad[:NAMED]]
    more = f" And {len(bad) - NAMED} more." if len(bad) > NAMED else ""
    standings = [allowance.standing for allowance in audit.allowances if allowance.outcome == outcome]
    spent = "".join(f" Allowance {standing.allowance.key}: {standing.told}." for standing in standings)
    exports = f"{len(bad)} of {len(audit.exports)} exports: {'. '.join(details)}.{more}" if bad else ""
    return f"{exports}{spent}".strip()


def _table_of(audit: Audit) -> str:
    from airflow_provider_aep.monitoring.audit_table import TABLE, rows_of
    from airflow_provider_aep.monitoring.table import aligned

    return "\n".join(aligned(TABLE, rows_of(audit))) if audit.exports else audit.told_nothing()
