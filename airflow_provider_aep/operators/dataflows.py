"""Operators for dataflows and their runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from airflow_provider_aep.links import AepDataflowLink, push_dataflow_link
from airflow_provider_aep.operators.base import AepOperator, Moment, Upstream

State = Literal["enabled", "disabled"]


class AepCreateDataflowOperator(AepOperator):
    """Tie a source and a target connection together on an export schedule. The dataflow starts enabled.

    :param name: its name; the service does not require names to be unique. Templated.
    :param destination: as for ``AepGetConnectionSpecOperator``. Templated.
    :param source_connection_id: from ``AepCreateSourceConnectionOperator``. Templated.
    :param target_connection_id: from ``AepCreateTargetConnectionOperator``. Templated.
    :param schedule: a word (``once``, ``3h``, ``6h``, ``9h``, ``12h``, ``1d``), or a dict with ``every``
        and optionally ``start``, ``end`` and ``folder_template``. Templated.
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
        from airflow_provider_aep.flowservice.dataflows import create_dataflow
        from airflow_provider_aep.flowservice.destinations import get_destination
        from airflow_provider_aep.flowservice.schedule import parse_schedule

        now = datetime.now(tz=UTC)
        schedule = parse_schedule(self.schedule, now=now)
        for warning in schedule.warnings():
            self.log.warning("%s", warning)
        created = self.hook.run(
            create_dataflow(
                name=self.name,
                destination=get_destination(self.destination),
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
    enabled and their schedule has a tick in it. A DAG that maps a sensor over them looks at each tick once.

    :param name_contains: only those whose name holds this text, in any letter case. Templated.
    :param due_from: start of the window: ISO 8601, ``datetime`` or epoch seconds. Templated.
    :param due_until: end of the window, itself not in it. Templated.
    :return: a list of dicts with ``id``, ``name``, ``state``, ``destination`` and ``schedule``; with a
        window also ``due_at`` and ``due_before`` (ISO 8601: the first tick in the window, and the first
        one after it, or ``None``), and ``runs_due`` (how many ticks the window has).
    """

    template_fields: Sequence[str] = (
        *AepOperator.template_fields,
        "name_contains",
        "due_from",
        "due_until",
    )

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

    def execute(self, context: Any) -> list[dict[str, Any]]:
        from airflow_provider_aep.flowservice.dataflows import list_dataflows
        from airflow_provider_aep.flowservice.entities import part_of_name
        from airflow_provider_aep.flowservice.schedule import parse_moment

        part = part_of_name(self.name_contains)
        found = [flow for flow in self.hook.run(list_dataflows()) if part in flow.name.casefold()]
        if not (self.due_from or self.due_until):
            self.log.info("Export dataflows found in sandbox %s: %d", self.hook.sandbox, len(found))
            return [flow.to_json() for flow in found]
        start, end = parse_moment("due_from", self.due_from), parse_moment("due_until", self.due_until)
        due = []
        for flow in found:
            ticks = flow.ticks(start, end) if flow.state == "enabled" else []
            if not ticks:
                continue
            # No cadence is longer than a day, so the tick that ends the wait lies within the next one.
            following = flow.ticks(end, end + timedelta(days=1, seconds=1))
            due.append(
                {
                    **flow.to_json(),
                    "due_at": ticks[0].isoformat(),
                    "due_before": following[0].isoformat() if following else None,
                    "runs_due": len(ticks),
                }
            )
        self.log.info("%d of %d export dataflows were due from %s to %s", len(due), len(found), start, end)
        return due


class AepDataflowOperator(AepOperator):
    """Base of the operators that do something with an existing dataflow.

    :param dataflow_id: from ``AepCreateDataflowOperator``. Templated.
    """

    template_fields: Sequence[str] = (*AepOperator.template_fields, "dataflow_id")
    operator_extra_links: Collection[AepDataflowLink] = (AepDataflowLink(),)

    def __init__(self, *, dataflow_id: str | Upstream, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataflow_id = dataflow_id

    def _link(self, context: Any) -> None:
        push_dataflow_link(context, self.hook.dataflow_url(self.dataflow_id))


class AepListDataflowRunsOperator(AepDataflowOperator):
    """List the runs of a dataflow, newest first.

    :param dataflow_id: the dataflow. Templated.
    :param started_after: only runs that started at or after this moment: ISO 8601, ``datetime`` or epoch
        seconds. Templated.
    :return: a list of dicts: ``id``, ``status``, ``started_at``, ``records_out``, ``errors`` and more.
    """

    template_fields: Sequence[str] = (*AepDataflowOperator.template_fields, "started_after")

    def __init__(self, *, started_after: Moment = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.started_after = started_after

    def execute(self, context: Any) -> list[dict[str, Any]]:
        from airflow_provider_aep.flowservice.runs import list_runs
        from airflow_provider_aep.flowservice.schedule import parse_moment

        self._link(context)
        since = parse_moment("started_after", self.started_after) if self.started_after else None
        found = self.hook.run(list_runs(self.dataflow_id, started_after=since))
        self.log.info("Dataflow %s has %d runs since %s", self.dataflow_id, len(found), since or "its start")
        return [run.to_json() for run in found]


class AepSetDataflowStateOperator(AepDataflowOperator):
    """Base of the two operators that switch a dataflow on and off."""

    wanted: State

    def execute(self, context: Any) -> str:
        from airflow_provider_aep.flowservice.dataflows import set_dataflow_state

        self._link(context)
        changed = self.hook.run(set_dataflow_state(self.dataflow_id, self.wanted))
        said = f"is {self.wanted} now" if changed else f"was {self.wanted} already"
        self.log.info("Dataflow %s %s", self.dataflow_id, said)
        return self.dataflow_id


class AepEnableDataflowOperator(AepSetDataflowStateOperator):
    """Enable a dataflow: it exports again, from its next tick on. Done at once when it is enabled.

    :param dataflow_id: the dataflow. Templated.
    :return: its id.
    """

    wanted = "enabled"


class AepDisableDataflowOperator(AepSetDataflowStateOperator):
    """Disable a dataflow: it exports nothing until it is enabled. Done at once when it is disabled.

    :param dataflow_id: the dataflow. Templated.
    :return: its id.
    """

    wanted = "disabled"


class AepDeleteDataflowOperator(AepDataflowOperator):
    """Delete a dataflow. Its connections stay. Done at once when it is gone already.

    :param dataflow_id: the dataflow. Templated.
    :return: its id.
    """

    operator_extra_links = ()  # what is gone has no page

    def execute(self, context: Any) -> str:
        from airflow_provider_aep.flowservice.dataflows import delete_dataflow

        deleted = self.hook.run(delete_dataflow(self.dataflow_id))
        self.log.info("Dataflow %s %s", self.dataflow_id, "is deleted" if deleted else "was gone already")
        return self.dataflow_id
