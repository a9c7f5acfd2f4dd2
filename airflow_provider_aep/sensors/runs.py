"""The sensor that waits for dataflow runs and judges them: its arguments, and waiting on a worker."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_aep._airflow import AirflowSensorTimeout, PokeReturnValue, conf
from airflow_provider_aep.arguments import Id, Switch, Text, is_later
from airflow_provider_aep.errors import OUTAGES
from airflow_provider_aep.operators.links import AepDataflowLink, push_dataflow_link
from airflow_provider_aep.operators.moments import check_moments
from airflow_provider_aep.sensors import conclusion, deferring
from airflow_provider_aep.sensors.base import IN_VAIN, AepSensor
from airflow_provider_aep.sensors.wanted import Wanted, read_wait, wait_without_asking

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.locations import Location
    from airflow_provider_aep.monitoring.policy import RunPolicy
    from airflow_provider_aep.monitoring.waits import Sighting, Wait
    from airflow_provider_aep.operators.base import Moment, Upstream


class AepDataflowRunSensor(AepSensor):
    """Wait for runs of a dataflow, and judge them: those of a tick, of a window, or given ones.

    Poke, reschedule and deferrable mode run the same code and end alike. Neither an unavailable service nor a
    429 nor an expired token fails a task that waits; its ``timeout`` does, and says what was seen last.

    :param dataflow_id: the dataflow. Templated.
    :param started_after: start of the window: ISO 8601, ``datetime`` or epoch seconds; by default the start
        of the DAG run's data interval, or without one the earliest time at which it could start. Templated.
    :param started_before: end of the window, likewise. By default when the next DAG run is due, so that a
        later run does not make a past DAG run green; open with ``started_after`` alone, or if no timetable
        made the DAG run. A window that passes without its runs is an ``AirflowSensorTimeout``. Templated.
    :param expected_runs: how many runs must appear; a tick makes one, or one for each dataset. Templated.
    :param tick: wait for the runs of this tick of the schedule, whenever they start, instead of a window: a
        moment as ``AepListDataflowsOperator`` returns it. How many runs to expect follows from the datasets
        of the dataflow and from earlier ticks. Templated.
    :param run_ids: wait for these runs, whenever they started, instead of a window: a list, as
        ``AepRunExportOperator`` returns it, or the list as text. Templated.
    :param run_policy: a dict of the arguments from ``on_failed`` to ``ingestion_margin``, each of which may
        also be given alone. ``RunPolicy`` has the defaults.
    :param on_failed: ``fail``, ``warn``, ``skip`` or ``ok`` for a run that failed.
    :param on_partial: the same for a run that lost or skipped records, or has errors.
    :param on_zero_records: the same for a run that succeeded and exported nothing.
    :param on_zero_when_nothing_ingested: replaces ``on_zero_records`` if the Catalog shows that nothing was
        ingested into the datasets since the last good export: the run is rightly empty.
    :param on_zero_when_ingested: replaces ``on_zero_records`` if data were ingested in time but not exported.
    :param on_low_records: the same for a run below ``min_records`` or ``max_drop``.
    :param on_slow: the same for a run that took longer than ``max_duration``.
    :param on_stuck: the same for a run that is still under way after ``max_duration``; without it, after 150
        minutes if that is several times its usual, or past the next tick. ``fail`` and ``skip`` end the wait;
        with ``warn`` and ``ok`` it goes on.
    :param on_incomplete: the same for a tick that has fewer runs than it owes 150 minutes after it.
    :param on_unknown_records: the same for a run that succeeded and has no count of records.
    :param min_records: how many records a run that is not empty must export.
    :param max_drop: how far a run may fall below the median of the last ``history`` runs that exported
        something, as a share: ``0.5`` allows half.
    :param history: how many earlier runs determine the usual.
    :param zero_streak: ``on_zero_records`` applies from the Nth consecutive empty run; to a first, full
        export at once.
    :param max_failed_ratio: the share of failed records up to which a run still counts as whole; errors of
        another kind are not tolerated.
    :param max_skipped_ratio: the same for skipped records.
    :param max_duration: seconds, a ``timedelta``, or an ISO 8601 duration such as ``PT2H``.
    :param ingestion_margin: the same. Data ingested this close to a run's start may or may not belong to it.
    :param storage_path: also count the delivered files there: the folder that the target connection names,
        as in ``s3://bucket/aep/crm``. Templated.
    :param storage_conn_id: the Airflow connection to the storage. Templated.
    :param on_missing_files: ``fail``, ``warn``, ``skip`` or ``ok`` if the storage holds fewer files than the
        runs report. Only files of the dataflow's own datasets count.
    :param on_unchecked_files: the same if the storage could not be read, or there is too little to compare:
        a mistyped path must not stay green for ever.
    :param poke_interval: seconds between two polls, in every mode; by default ``[aep] poll_interval``, 60.
        ``exponential_backoff`` stretches it in the modes that wait on a worker.
    :param deferrable: wait in the triggerer; by default ``[operators] default_deferrable`` decides.
    :param start_in_triggerer: also begin in the triggerer, which saves the first start of a worker (Airflow
        3.3 and later; before, it defers as usual). Not for mapped tasks, nor for values of other tasks.
    :param aep_conn_id: the Airflow connection, of type ``aep``. Templated.
    :param sandbox: overrides the connection's sandbox. Templated.
    :raises AepValidationError: when the DAG is parsed: arguments contradict each other, or the triggerer
        cannot render them.
    :return: the verdict as a dict: ``outcome``, ``status``, ``reason``, ``dataflow_name``, ``run_ids``,
        ``records_in``, ``records_out``, ``records_skipped``, ``records_failed``, ``bytes``, ``files``,
        ``duration_seconds``, ``errors`` and more.
    """

    template_fields: Sequence[str] = (
        *AepSensor.template_fields,
        "dataflow_id",
        "started_after",
        "started_before",
        "expected_runs",
        "tick",
        "run_ids",
        "storage_path",
        "storage_conn_id",
    )
    operator_extra_links = (AepDataflowLink(),)
    dataflow_id = Id()
    storage_path = Text(optional=True)
    storage_conn_id = Text(optional=True)
    start_in_triggerer = Switch()

    def __init__(
        self,
        *,
        dataflow_id: str | Upstream,
        started_after: Moment | Upstream = None,
        started_before: Moment | Upstream = None,
        expected_runs: int | Upstream = 1,
        tick: Moment | Upstream = None,
        run_ids: Collection[str] | Upstream | None = None,
        run_policy: Mapping[str, Any] | None = None,
        on_failed: str | None = None,
        on_partial: str | None = None,
        on_zero_records: str | None = None,
        on_zero_when_nothing_ingested: str | None = None,
        on_zero_when_ingested: str | None = None,
        on_low_records: str | None = None,
        on_slow: str | None = None,
        on_stuck: str | None = None,
        on_incomplete: str | None = None,
        on_unknown_records: str | None = None,
        min_records: int | None = None,
        max_drop: float | None = None,
        history: int | None = None,
        zero_streak: int | None = None,
        max_failed_ratio: float | None = None,
        max_skipped_ratio: float | None = None,
        max_duration: float | timedelta | str | None = None,
        ingestion_margin: float | timedelta | str | None = None,
        storage_path: str | None = None,
        storage_conn_id: str | None = None,
        on_missing_files: str = "fail",
        on_unchecked_files: str = "warn",
        poke_interval: float | timedelta | str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_in_triggerer: bool = False,
        aep_conn_id: str = "aep_default",
        sandbox: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=poke_interval,
            deferrable=deferrable,
            aep_conn_id=aep_conn_id,
            sandbox=sandbox,
            **kwargs,
        )
        self.dataflow_id = dataflow_id
        self.started_after = started_after
        self.started_before = started_before
        self.expected_runs = expected_runs
        self.tick = tick
        self.run_ids = run_ids
        self.policy = run_policy
        self.policy_parts = {
            "on_failed": on_failed,
            "on_partial": on_partial,
            "on_zero_records": on_zero_records,
            "on_zero_when_nothing_ingested": on_zero_when_nothing_ingested,
            "on_zero_when_ingested": on_zero_when_ingested,
            "on_low_records": on_low_records,
            "on_slow": on_slow,
            "on_stuck": on_stuck,
            "on_incomplete": on_incomplete,
            "on_unknown_records": on_unknown_records,
            "min_records": min_records,
            "max_drop": max_drop,
            "history": history,
            "zero_streak": zero_streak,
            "max_failed_ratio": max_failed_ratio,
            "max_skipped_ratio": max_skipped_ratio,
            "max_duration": max_duration,
            "ingestion_margin": ingestion_margin,
        }
        self.storage_path = storage_path
        self.storage_conn_id = storage_conn_id
        self.on_missing_files = on_missing_files
        self.on_unchecked_files = on_unchecked_files
        self.known_wait: Wait | None = None
        self.verdict: dict[str, Any] | None = None
        self.known_location: Location | None = None
        self._stuck_at: dict[str, datetime] = {}
        # Kept, because a template may render to nothing.
        self._kind = self._wanted().kind()
        policy = self.run_policy()
        check_moments(vars(self))
        if not is_later(expected_runs):
            self._wanted().expected()
        self.start_in_triggerer = start_in_triggerer
        if self.start_in_triggerer:
            self.deferrable = True
            from airflow_provider_aep.sensors.startable import start_in_triggerer_of

            start_in_triggerer_of(self, self._kind, policy)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        if kwargs.get("start_in_triggerer"):
            from airflow_provider_aep.sensors.startable import refuse_mapping

            refuse_mapping()
        if not is_later(expected := kwargs.get("expected_runs", 1)):
            Wanted(expected_runs=expected).expected()
        return super().partial(**kwargs)

    def _begin(self, context: Any) -> None:
        # Reject typos now, not after hours of waiting.
        self.check_wanted()
        if self.storage_path:
            from airflow_provider_aep.hooks.storage import check_storage_path

            check_storage_path(self.storage_path)
        push_dataflow_link(context, self.hook.dataflow_url(self.dataflow_id))

    def _stay_where(self, event: Any) -> None:
        """Judge in the sandbox that the trigger polled: by now the connection may name another one."""
        if isinstance(event, dict):
            self.sandbox = self.sandbox or event.get("sandbox")

    def execute_started(self, context: Any, event: Any = None) -> dict[str, Any]:
        """Go on after a wait that began in the triggerer: Airflow has not called ``execute``."""
        conclusion.forget_earlier_try(context)
        self._stay_where(event)
        self._begin(context)
        deadline = event.get("deadline") if isinstance(event, dict) else None
        with self._lenient():
            return deferring.resume(self, context, event, deadline)

    def execute(self, context: Any) -> Any:
        self._begin(context)
        with self._lenient():
            if self.deferrable:
                return deferring.begin(self, context)
            return self.wait_on_worker(context)

    def poke(self, context: Any) -> PokeReturnValue:
        sighting = self.look(context)
        if sighting.in_vain:
            raise AirflowSensorTimeout(IN_VAIN)  # ``wait_on_worker`` adds what was seen last
        verdict = self.conclude(context, sighting) if sighting.finished else None
        return PokeReturnValue(is_done=verdict is not None, xcom_value=verdict)

    def execute_complete(
        self, context: Any, event: Any = None, deadline: float | None = None
    ) -> dict[str, Any]:
        """Judge what the trigger saw; anything but a well-formed event fails the task."""
        self._stay_where(event)
        with self._lenient():
            return deferring.resume(self, context, event, deadline)

    def execute_again(self, context: Any, event: Any = None, *, deadline: float) -> dict[str, Any]:
        """Find out what to wait for, now that the service responds again."""
        with self._lenient():
            return deferring.resume_polling(self, context, event, deadline)

    def conclude(self, context: Any, sighting: Sighting) -> dict[str, Any] | None:
        """Judge runs that have ended, and end the task as the policy says.

        :return: the verdict, or ``None`` if an outage prevented it.
        """
        try:
            return conclusion.conclude(self, context, sighting)
        except OUTAGES as error:
            from airflow_provider_aep.monitoring.poll import no_answer

            self._note(no_answer(error))
            return None

    def wait_without_asking(self, context: Any) -> Wait | None:
        """What the sensor waits for, if that takes no request; otherwise ``None``."""
        now, policy = datetime.now(tz=UTC), self.run_policy()
        return wait_without_asking(self.dataflow_id, self._wanted(), self._kind, context, policy, now=now)

    def wait_of(self, context: Any) -> Wait:
        """What the sensor waits for; determined once."""
        if self.known_wait is None:
            now, policy = datetime.now(tz=UTC), self.run_policy()
            self.known_wait = self.hook.run(
                read_wait(self.dataflow_id, self._wanted(), self._kind, context, policy, now=now)
            )
        return self.known_wait

    def look(self, context: Any) -> Sighting:
        """Poll once for what the sensor waits for."""
        from airflow_provider_aep.hooks import metrics
        from airflow_provider_aep.monitoring.poll import look_for_runs, no_answer

        began, now = time.monotonic(), datetime.now(tz=UTC)
        try:
            wait = self.wait_of(context)
        except OUTAGES as error:
            sighting = no_answer(error)
        else:
            sighting = self.hook.run(look_for_runs(wait, now=now, ask_why=True, stuck_at=self._stuck_at))
        metrics.polled(time.monotonic() - began, failed=not sighting.answered)
        self._note(sighting)
        return sighting

    def _note(self, sighting: Sighting) -> None:
        self.last_seen, self.asked_to_wait = sighting.told, sighting.wait_seconds
        self.log.info("Dataflow %s: %s", self.dataflow_id, sighting.told)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What OpenLineage's provider asks for when the task has ended: too late for requests to Adobe."""
        from airflow_provider_aep.assets.lineage import facets_of

        org = self.hook.get_conn().credentials.org_id
        return facets_of(self.verdict, self.known_location, org=org, outlets=self.outlets)

    @property
    def what(self) -> str:
        return f"dataflow {self.dataflow_id}"

    def _wanted(self) -> Wanted:
        return Wanted(
            started_after=self.started_after,
            started_before=self.started_before,
            expected_runs=self.expected_runs,
            tick=self.tick,
            run_ids=self.run_ids,
        )

    def check_wanted(self) -> None:
        """:raises AepValidationError: an argument that says what to wait for is invalid."""
        wanted = self._wanted()
        wanted.expected()
        if self._kind == "run_ids":
            wanted.ids()
        self.moment_of_tick()

    def moment_of_tick(self) -> datetime | None:
        """The tick whose runs the sensor waits for; ``None`` if it waits for others."""
        return self._wanted().moment() if self._kind == "tick" else None

    def run_policy(self) -> RunPolicy:
        """The run policy of the arguments.

        :raises AepValidationError: it breaks a rule.
        """
        from airflow_provider_aep.monitoring.policy import check_choices, run_policy

        check_choices(on_missing_files=self.on_missing_files, on_unchecked_files=self.on_unchecked_files)
        return run_policy(self.policy, alone=self.policy_parts)
