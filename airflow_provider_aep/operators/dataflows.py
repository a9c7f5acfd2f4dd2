"""Operators for dataflows and their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from airflow_provider_aep.arguments import Argument, Id, Span, Text
from airflow_provider_aep.operators.base import AepOperator, Moment, Upstream
from airflow_provider_aep.operators.dataflow_base import AepDataflowOperator
from airflow_provider_aep.operators.dataflow_state import (
    AepDisableDataflowOperator,
    AepEnableDataflowOperator,
)
from airflow_provider_aep.operators.links import AepDataflowLink, push_dataflow_link
from airflow_provider_aep.operators.moments import check_moments

__all__ = [
    "AepCreateDataflowOperator",
    "AepDeleteDataflowOperator",
    "AepDisableDataflowOperator",
    "AepEnableDataflowOperator",
    "AepListDataflowRunsOperator",
    "AepListDataflowsOperator",
    "AepRunExportOperator",
    "AepUpdateDataflowOperator",
]


class AepCreateDataflowOperator(AepOperator):
    """Create a dataflow: a source and a target connection, and an export schedule. It starts enabled.

    :param name: its name; the service does not require names to be unique. Templated.
    :param destination: as for ``AepGetConnectionSpecOperator``. Templated.
    :param source_connection_id: from ``AepCreateSourceConnectionOperator``. Templated.
    :param target_connection_id: from ``AepCreateTargetConnectionOperator``. Templated.
    :param schedule: a word (``once``, ``1h``, ``3h``, ``6h``, ``9h``, ``12h``, ``1d``, or another whole
        number of hours or days, which is checked with the live flow spec), or a dict with ``every`` and
        optionally ``start``, ``end`` and ``folder_template``. Templated.
    :param description: free text. Templated.
    :return: the id of the dataflow; its etag goes to XCom key ``etag``.
    """

    template_fields: Sequence[str] = (
        *AepOperator.template_fields,
        "name",
        "destination",
        "source_connection_id",
        "target_connection_id",
        "schedule",
        "description",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"schedule": "json"}
    operator_extra_links = (AepDataflowLink(),)
    name = Text()
    destination = Text()
    source_connection_id = Id()
    target_connection_id = Id()
    schedule = Argument()
    description = Text(optional=True)

    def __init__(
        self,
        *,
        name: str,
        destination: str,
        source_connection_id: str | Upstream,
        target_connection_id: str | Upstream,
        schedule: str | Mapping[str, Any] | Upstream,
        description: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.destination = destination
        self.source_connection_id = source_connection_id
        self.target_connection_id = target_connection_id
        self.schedule = schedule
        self.description = description

    def execute(self, context: Any) -> str:
        from airflow_provider_aep.flowservice.catalogue import find_destination
        from airflow_provider_aep.flowservice.dataflows import cadence_warnings, create_dataflow
        from airflow_provider_aep.flowservice.schedule import check_new, parse_schedule

        now = datetime.now(tz=UTC)
        schedule = parse_schedule(self.schedule, now=now)
        check_new(schedule.every)
        destination = self.hook.run(find_destination(self.destination))
        warnings = self.hook.run(cadence_warnings(destination.flow_spec_id, schedule.every))
        for warning in (*schedule.warnings(), *warnings):
            self.log.warning("%s", warning)
        created = self._make(
            create_dataflow(
                name=self.name,
                destination=destination,
                source_connection_id=self.source_connection_id,
                target_connection_id=self.target_connection_id,
                schedule=schedule,
                now=now,
                description=self.description,
                **self._once(context),
            )
        )
        push_dataflow_link(context, self.hook.dataflow_url(created.id))
        return self._finish(context, "dataflow", self.name, created)


class AepListDataflowsOperator(AepOperator):
    """List the dataflows of the sandbox that export datasets, newest first.

    With ``due_from`` and ``due_until`` it lists those that should have exported in that window: they are
    enabled and their schedule has a tick in it. A DAG that maps a sensor over them waits for each tick once.

    :param name_contains: only those whose name contains this text, in any letter case. Templated.
    :param due_from: start of the window: ISO 8601, ``datetime`` or epoch seconds. Templated.
    :param due_until: end of the window, exclusive. Templated.
    :return: a list of dicts with ``id``, ``name``, ``state``, ``destination`` and ``schedule``; with a
        window also ``ticks`` (ISO 8601: those in the window, for the sensor's ``tick``), ``due_at`` and
        ``due_before`` (the first of them, and the first one after the window, or ``None``), and
        ``runs_due`` (the number of ticks in the window).
    """

    template_fields: Sequence[str] = (
        *AepOperator.template_fields,
        "name_contains",
        "due_from",
        "due_until",
    )
    name_contains = Text(optional=True)

    def __init__(
        self,
        *,
        name_contains: str | None = None,
        due_from: Moment = None,
        due_until: Moment = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name_contains = name_contains
        self.due_from = due_from
        self.due_until = due_until
        check_moments(vars(self))

    def execute(self, context: Any) -> list[dict[str, Any]]:
        from airflow_provider_aep.flowservice.dataflows import list_dataflows
        from airflow_provider_aep.flowservice.listing import part_of_name
        from airflow_provider_aep.flowservice.moments import parse_window
        from airflow_provider_aep.hooks.days import zone_of_days
        from airflow_provider_aep.monitoring.dues import due_ticks

        is_windowed = self.due_from or self.due_until
        window = parse_window(self.due_from, self.due_until, zone_of_days()) if is_windowed else None
        part = part_of_name(self.name_contains)
        flows = [flow for flow in self.hook.run(list_dataflows()) if part in flow.name.casefold()]
        if window is None:
            self.log.info("Export dataflows found in sandbox %s: %d", self.hook.sandbox, len(flows))
            return [flow.to_json() for flow in flows]
        start, end = window
        due = []
        for flow, ticks in due_ticks(flows, start, end):
            # The tick that ends the wait lies within the next step.
            following = flow.ticks(end, end + flow.step + timedelta(seconds=1))
            due.append(
                {
                    **flow.to_json(),
                    "due_at": ticks[0].isoformat(),
                    "due_before": following[0].isoformat() if following else None,
                    "runs_due": len(ticks),
                    "ticks": [tick.isoformat() for tick in ticks],
                }
            )
        self.log.info("%d of %d export dataflows were due from %s to %s", len(due), len(flows), start, end)
        return due


class AepListDataflowRunsOperator(AepDataflowOperator):
    """List the runs of a dataflow, newest first.

    :param dataflow_id: the dataflow. Templated.
    :param started_after: only runs that started at or after this time: ISO 8601, ``datetime`` or epoch
        seconds. Templated.
    :return: a list of dicts: ``id``, ``status``, ``started_at``, ``records_out``, ``errors`` and more.
    """

    template_fields: Sequence[str] = (*AepDataflowOperator.template_fields, "started_after")

    def __init__(self, *, started_after: Moment = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.started_after = started_after
        check_moments(vars(self))

    def execute(self, context: Any) -> list[dict[str, Any]]:
        from airflow_provider_aep.flowservice.runs import list_runs
        from airflow_provider_aep.hooks.days import moment_in_zone

        self._link(context)
        since = moment_in_zone("started_after", self.started_after) if self.started_after else None
        runs = self.hook.run(list_runs(self.dataflow_id, started_after=since))
        self.log.info("Dataflow %s has %d runs since %s", self.dataflow_id, len(runs), since or "its start")
        return [run.to_json() for run in runs]


class AepUpdateDataflowOperator(AepDataflowOperator):
    """Change the schedule of a dataflow. Does nothing if it has this schedule already.

    :param dataflow_id: the dataflow. Templated.
    :param schedule: as for ``AepCreateDataflowOperator``, but keys that are left out stay as they are,
        ``every`` too: ``{"end": "2027-06-01"}`` is enough. Templated.
    :return: the id of the dataflow.
    """

    template_fields: Sequence[str] = (*AepDataflowOperator.template_fields, "schedule")
    template_fields_renderers: ClassVar[dict[str, str]] = {"schedule": "json"}
    schedule = Argument()

    def __init__(self, *, schedule: str | Mapping[str, Any] | Upstream, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schedule = schedule

    def execute(self, context: Any) -> str:
        from airflow_provider_aep.flowservice.dataflows import update_schedule
        from airflow_provider_aep.flowservice.expiry import expiry_of
        from airflow_provider_aep.flowservice.schedule import describe_schedule, parse_schedule_change

        self._link(context)
        now = datetime.now(tz=UTC)
        for warning in parse_schedule_change(self.schedule, now=now).warnings():
            self.log.warning("%s", warning)
        changed = self.hook.run(update_schedule(self.dataflow_id, self.schedule, now=now))
        for warning in changed.warnings if changed else ():
            self.log.warning("%s", warning)
        if changed is None:
            self.log.info("Dataflow %s has this schedule already", self.dataflow_id)
            return self.dataflow_id
        before, after = describe_schedule(changed.before), describe_schedule(changed.after)
        self.log.info("Dataflow %s exported %s, and now exports %s", self.dataflow_id, before, after)
        expiry = expiry_of(changed.after, now=now)
        if expiry and expiry.days <= 0:
            self.log.warning("Its schedule %s: it exports nothing until it gets a later end", expiry.words)
        return self.dataflow_id


class AepRunExportOperator(AepDataflowOperator):
    """Export datasets of a dataflow now, outside its schedule, in runs of their own.

    The dataflow must be enabled and about ten minutes old. Not every organization may do this.

    An ad hoc run cannot be marked as this task's. A retry after a killed worker requests a run again: while
    the first run lasts, the service reports it, and the task adopts it; once it is over, the datasets are
    exported a second time.

    :param dataflow_id: the dataflow. Templated.
    :param datasets: ids of datasets that the dataflow exports, or dicts with ``id``; by default all of
        them. Templated.
    :param ready_timeout: how long to retry, once a minute, while the service reports that a new dataflow is
        not ready: seconds, a ``timedelta``, or an ISO 8601 duration.
    :return: the ids of the runs, as a list; a sensor or ``AepListDataflowRunsOperator`` shows how they end.
    """

    template_fields: Sequence[str] = (*AepDataflowOperator.template_fields, "datasets")
    template_fields_renderers: ClassVar[dict[str, str]] = {"datasets": "json"}
    datasets = Argument(optional=True)
    ready_timeout = Span()

    def __init__(
        self,
        *,
        datasets: Sequence[str | Mapping[str, Any]] | Upstream | None = None,
        ready_timeout: float | timedelta | str = 900,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.datasets = datasets
        self.ready_timeout = ready_timeout

    def execute(self, context: Any) -> list[str]:
        from airflow_provider_aep.flowservice.adhoc import run_export

        self._link(context)
        runs = self._make(
            run_export(self.dataflow_id, self.datasets, ready_within=self.ready_timeout.total_seconds())
        )
        for run in runs:
            outcome = "was under way already: adopted" if run.adopted else "has begun"
            self.log.info("Run %s of dataset %s %s", run.run_id, run.dataset_id or "(not told)", outcome)
        ids = list(dict.fromkeys(run.run_id for run in runs))
        self.log.info("Dataflow %s exports now, in %d runs", self.dataflow_id, len(ids))
        return ids


class AepDeleteDataflowOperator(AepDataflowOperator):
    """Delete a dataflow. Its connections stay. Does nothing if it is gone already.

    :param dataflow_id: the dataflow. Templated.
    :return: its id.
    """

    operator_extra_links = ()  # a deleted dataflow has no page

    def execute(self, context: Any) -> str:
        from airflow_provider_aep.flowservice.dataflows import delete_dataflow

        deleted = self.hook.run(delete_dataflow(self.dataflow_id))
        self.log.info("Dataflow %s %s", self.dataflow_id, "is deleted" if deleted else "was gone already")
        return self.dataflow_id
