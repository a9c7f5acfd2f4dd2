"""The sensor that waits for dataflow runs and judges them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_aep.errors import (
    AepError,
    AepRunFailedError,
    AepValidationError,
    Problem,
    error_from_json,
)
from airflow_provider_aep.links import AepDataflowLink, push_dataflow_link

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.locations import Location
    from airflow_provider_aep.flowservice.runs import DataflowRun
    from airflow_provider_aep.hooks import AepHook
    from airflow_provider_aep.monitoring.poll import Sighting
    from airflow_provider_aep.monitoring.verdict import History, RunPolicy
    from airflow_provider_aep.operators.base import Moment, Upstream

# Where every verdict is kept, also that of a task that failed: the notifier reads it from there.
VERDICT_KEY = "aep_verdict"


class AepDataflowRunSensor(BaseSensorOperator):
    """Wait for the runs of a dataflow that started in a window, and judge them.

    Poke, reschedule and deferrable mode run the same code and end alike. While waiting, a service that
    does not answer, a 429 or an expired token do not fail the task; its ``timeout`` ends the wait and says
    what was last seen.

    :param dataflow_id: the dataflow. Templated.
    :param started_after: ISO 8601, ``datetime`` or epoch seconds; by default the start of the DAG run's data
        interval, or the moment from which the run could start where it has none. Templated.
    :param started_before: the end of the window, likewise; by default it is open, and later runs are judged
        too, if they are there when the sensor looks. Templated.
    :param expected_runs: how many runs must have appeared. One tick makes one run, or one for each dataset.
        Templated.
    :param on_failed: ``fail``, ``warn``, ``skip`` or ``ok`` for a run that failed.
    :param on_partial: the same for a run that lost or skipped records, or carries errors.
    :param on_zero_records: the same for a run that succeeded and exported nothing.
    :param on_low_records: the same for one that exported fewer records than ``min_records`` or ``max_drop``
        allow.
    :param on_slow: the same for one that took longer than ``max_duration``.
    :param min_records: how many records a run that is not empty must export.
    :param max_drop: how far a run may fall below the median of the last ``history`` runs that exported
        something, as a share: ``0.5`` allows half.
    :param history: how many earlier runs make the usual.
    :param zero_streak: an empty run matters from the so many-th in a row on; a first, full export at once.
    :param max_failed_ratio: up to which share of failed records a run still counts as whole.
    :param max_skipped_ratio: the same for skipped records.
    :param max_duration: seconds, or a ``timedelta``.
    :param storage_path: count the delivered files there too, as in ``s3://bucket/aep/crm``: the folder that
        the target connection names. Templated.
    :param storage_conn_id: the Airflow connection to the storage. Templated.
    :param on_missing_files: ``fail``, ``warn``, ``skip`` or ``ok`` where the storage holds fewer files than
        the runs say.
    :param poke_interval: seconds between two looks, in every mode; by default ``[aep] poll_interval``, 60.
        ``exponential_backoff`` stretches it in the modes that wait on a worker.
    :param deferrable: wait in the triggerer; by default as ``[operators] default_deferrable`` says.
    :param aep_conn_id: the Airflow connection, of type ``aep``. Templated.
    :param sandbox: overrides the connection's sandbox. Templated.
    :return: the verdict as a dict: ``outcome``, ``status``, ``reason``, ``dataflow_name``, ``run_ids``,
        ``records_in``, ``records_out``, ``records_skipped``, ``records_failed``, ``bytes``, ``files``,
        ``duration_seconds``, ``errors`` and more.
    """

    template_fields: Sequence[str] = (
        "aep_conn_id",
        "sandbox",
        "dataflow_id",
        "started_after",
        "started_before",
        "expected_runs",
        "storage_path",
        "storage_conn_id",
    )
    operator_extra_links = (AepDataflowLink(),)
    ui_color = "#fbe3e0"

    def __init__(
        self,
        *,
        dataflow_id: str | Upstream,
        started_after: Moment | Upstream = None,
        started_before: Moment | Upstream = None,
        expected_runs: int | Upstream = 1,
        on_failed: str = "fail",
        on_partial: str = "warn",
        on_zero_records: str = "warn",
        on_low_records: str = "warn",
        on_slow: str = "warn",
        min_records: int | None = None,
        max_drop: float | None = None,
        history: int = 7,
        zero_streak: int = 1,
        max_failed_ratio: float = 0.0,
        max_skipped_ratio: float = 0.0,
        max_duration: float | timedelta | None = None,
        storage_path: str | None = None,
        storage_conn_id: str | None = None,
        on_missing_files: str = "fail",
        poke_interval: float | timedelta | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        aep_conn_id: str = "aep_default",
        sandbox: str | None = None,
        **kwargs: Any,
    ) -> None:
        if poke_interval is None:  # neither given nor in default_args
            poke_interval = conf.getfloat("aep", "poll_interval", fallback=60.0)
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.dataflow_id = dataflow_id
        self.started_after = started_after
        self.started_before = started_before
        self.expected_runs = expected_runs
        self.policy = {
            "on_failed": on_failed,
            "on_partial": on_partial,
            "on_zero_records": on_zero_records,
            "on_low_records": on_low_records,
            "on_slow": on_slow,
            "min_records": min_records,
            "max_drop": max_drop,
            "history": history,
            "zero_streak": zero_streak,
            "max_failed_ratio": max_failed_ratio,
            "max_skipped_ratio": max_skipped_ratio,
            "max_duration": max_duration,
        }
        self.storage_path = storage_path
        self.storage_conn_id = storage_conn_id
        self.on_missing_files = on_missing_files
        self.deferrable = deferrable
        self.aep_conn_id = aep_conn_id
        self.sandbox = sandbox
        self._last_seen = "nothing yet"
        self._asked_to_wait = 0.0
        self._verdict: dict[str, Any] | None = None

    @cached_property
    def hook(self) -> AepHook:
        from airflow_provider_aep.hooks import AepHook

        return AepHook(self.aep_conn_id, sandbox=self.sandbox)

    def execute(self, context: Any) -> Any:
        # Refused now, what is misspelt, and not after hours of waiting.
        self._policy()
        self._expected()
        if self.storage_path:
            from airflow_provider_aep.storage import check_storage_path

            check_storage_path(self.storage_path)
        push_dataflow_link(context, self.hook.dataflow_url(self.dataflow_id))
        with self._lenient():
            if self.deferrable:
                return self._execute_deferrable(context)
            try:
                return super().execute(context)
            except (AirflowSensorTimeout, AirflowTaskTimeout) as error:
                raise type(error)(f"{error} Last seen: {self._last_seen}.") from None

    def poke(self, context: Any) -> PokeReturnValue:
        sighting = self._look(context)
        if not sighting.finished:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._conclude(context, sighting.runs))

    def execute_complete(self, context: Any, event: Any = None) -> dict[str, Any]:
        """Judge what the trigger saw; anything but a well-formed event fails the task."""
        with self._lenient():
            return self._resume(context, event)

    @contextmanager
    def _lenient(self) -> Iterator[None]:
        """``soft_fail`` and ``never_fail`` as in poke mode, in which alone all Airflow versions agree."""
        try:
            yield
        except (AirflowFailException, AirflowSensorTimeout, AepError) as error:
            if self.never_fail or (self.soft_fail and not isinstance(error, AepError)):
                # Airflow puts words of its own in the place of these when a deferred task resumes.
                self.log.warning("%s", error)
                raise AirflowSkipException(str(error)) from error
            raise

    def _resume(self, context: Any, event: Any) -> dict[str, Any]:
        from airflow_provider_aep.flowservice.runs import DataflowRun
        from airflow_provider_aep.triggers import EVENT_VERSION

        told = event if isinstance(event, dict) and event.get("version") == EVENT_VERSION else {}
        if told.get("status") == "finished" and told.get("runs"):
            return self._conclude(context, [DataflowRun.from_api(run) for run in told["runs"]])
        if told.get("status") == "timeout":
            self._time_out(told.get("last_seen"))
        if told.get("status") == "error" and isinstance(told.get("error"), dict):
            raise error_from_json(told["error"])
        raise AepError(
            "the trigger's event is lost or not of this provider's version, so the outcome of dataflow "
            f"{self.dataflow_id} is unknown; clear the task to look again"
        )

    def _execute_deferrable(self, context: Any) -> dict[str, Any]:
        from airflow_provider_aep.triggers import AepDataflowRunTrigger

        # Airflow 3 does not count the time in the triggerer towards the execution_timeout.
        deadline = time.time() + min(self.timeout, self._execution_seconds())
        started_after, started_before = self._window(context)
        sighting = self._look(context)
        if sighting.finished:
            return self._conclude(context, sighting.runs)
        left = deadline - time.time()
        if left <= 0:
            self._time_out(sighting.told)
        self.defer(
            trigger=AepDataflowRunTrigger(
                dataflow_id=self.dataflow_id,
                started_after=started_after.isoformat(),
                started_before=started_before.isoformat() if started_before else None,
                asked_to_wait=sighting.wait_seconds,
                expected_runs=self._expected(),
                deadline=deadline,
                poll_interval=self.poke_interval,
                aep_conn_id=self.aep_conn_id,
                sandbox=self.sandbox,
            ),
            method_name="execute_complete",
            # The trigger ends the wait itself and says what it saw last. Airflow's own timeout, which
            # cannot, is there for a triggerer that is dead.
            timeout=timedelta(seconds=left + 60 + 2 * self.poke_interval),
        )

    def _look(self, context: Any) -> Sighting:
        from airflow_provider_aep import stats
        from airflow_provider_aep.monitoring.poll import look_for_runs

        began = time.monotonic()
        started_after, started_before = self._window(context)
        sighting = self.hook.run(
            look_for_runs(
                self.dataflow_id,
                now=datetime.now(tz=UTC),
                started_after=started_after,
                started_before=started_before,
                expected=self._expected(),
                ask_why=True,
            )
        )
        stats.polled(time.monotonic() - began, failed=not sighting.answered)
        self._last_seen, self._asked_to_wait = sighting.told, sighting.wait_seconds
        self.log.info("Dataflow %s: %s", self.dataflow_id, sighting.told)
        return sighting

    def _get_next_poke_interval(self, started_at: Any, run_duration: Any, poke_count: int) -> float:
        # A service that asks to be left alone is, also when Airflow's own loop does the waiting.
        usual = float(super()._get_next_poke_interval(started_at, run_duration, poke_count))
        left = float(self.timeout - run_duration())
        return max(usual, min(self._asked_to_wait, left))

    def _conclude(self, context: Any, runs: Sequence[DataflowRun]) -> dict[str, Any]:
        """Judge finished runs, keep the verdict, and end the task as the policy says."""
        from airflow_provider_aep import stats
        from airflow_provider_aep.monitoring.verdict import judge_runs

        policy = self._policy()
        verdict = judge_runs(runs, policy, self._history(runs, policy))
        told = {**verdict.to_json(), "dataflow_name": self._name(), "sandbox": self.hook.sandbox}
        if self.storage_path and verdict.status not in ("failed", "unknown"):
            told = self._held_against_storage(told)
        self._verdict = told
        context["ti"].xcom_push(key=VERDICT_KEY, value=told)
        stats.judged(told)
        for error in verdict.errors:
            self.log.error("Adobe's error %s: %s", error["code"], error["message"])
        text = f"Dataflow {told['dataflow_name']!r}: {told['reason']}"
        if told["outcome"] == "fail":
            failed = AepRunFailedError(text, told)
            # Not retried: looking again at a finished run cannot change it.
            raise AirflowFailException(str(failed)) from failed
        if told["outcome"] == "skip":
            raise AirflowSkipException(text)
        self.log.log(logging.WARNING if told["outcome"] == "warn" else logging.INFO, "%s", text)
        self._tell_assets(context, runs, told)
        return told

    def _held_against_storage(self, told: dict[str, Any]) -> dict[str, Any]:
        """A verdict that also knows what the storage holds."""
        from airflow_provider_aep.monitoring.verdict import with_delivery
        from airflow_provider_aep.storage import check_delivery

        found = check_delivery(
            told, storage_path=str(self.storage_path), storage_conn_id=self.storage_conn_id
        )
        self.log.log(logging.INFO if found.status == "ok" else logging.WARNING, "%s", found.told)
        return with_delivery(told, found.to_json(), self.on_missing_files)

    def _tell_assets(self, context: Any, runs: Sequence[DataflowRun], told: dict[str, Any]) -> None:
        from airflow_provider_aep.assets import asset_event_extra, emit_asset_events, is_export_asset

        if any(map(is_export_asset, self.outlets)):
            emit_asset_events(context, self.outlets, asset_event_extra(told, self._location(), runs))

    def _location(self) -> Location | None:
        """Where the dataflow delivers; ``None`` where that cannot be read."""
        from airflow_provider_aep.flowservice.locations import read_location

        try:
            return self.hook.run(read_location(self.dataflow_id))
        except AepError as error:
            self.log.warning("Where dataflow %s delivers cannot be told: %s", self.dataflow_id, error)
            return None

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """What OpenLineage's provider, where it is installed, asks for when the task has ended."""
        from airflow_provider_aep.lineage import facets_of

        org = self.hook.get_conn().credentials.org_id
        return facets_of(self._verdict, self._location(), org=org, outlets=self.outlets)

    def _name(self) -> str:
        """The dataflow's name, for people who read an alert; its id where the name cannot be had."""
        from airflow_provider_aep.flowservice.dataflows import get_dataflow

        try:
            return self.hook.run(get_dataflow(self.dataflow_id)).name
        except AepError:
            return self.dataflow_id

    def _execution_seconds(self) -> float:
        return self.execution_timeout.total_seconds() if self.execution_timeout else float("inf")

    def _time_out(self, last_seen: object) -> NoReturn:
        if self._execution_seconds() < self.timeout:
            raise AirflowTaskTimeout(
                f"The execution_timeout of {self._execution_seconds():g} seconds is over. "
                f"Last seen: {last_seen}."
            )
        raise AirflowSensorTimeout(
            f"Sensor has timed out after {self.timeout:g} seconds. Last seen: {last_seen}."
        )

    def _expected(self) -> int:
        text = str(self.expected_runs)
        if text.isdecimal() and int(text) > 0:
            return int(text)
        raise AepValidationError(
            "the sensor", [Problem("expected_runs", "must be a whole number, at least 1")]
        )

    def _policy(self) -> RunPolicy:
        from airflow_provider_aep.monitoring.verdict import RunPolicy, check_choice

        check_choice("on_missing_files", self.on_missing_files)
        return RunPolicy(**self.policy)  # type: ignore[arg-type]  # the policy itself checks the words

    def _history(self, runs: Sequence[DataflowRun], policy: RunPolicy) -> History | None:
        """What came before the runs, for a policy that compares."""
        from airflow_provider_aep.monitoring.history import read_history

        starts = [run.started_at for run in runs if run.started_at]
        if not policy.needs_history or not starts:
            return None
        return self.hook.run(read_history(self.dataflow_id, before=min(starts), policy=policy))

    def _window(self, context: Any) -> tuple[datetime, datetime | None]:
        from airflow_provider_aep.flowservice.schedule import parse_moment

        # A run that was triggered by hand has no data interval on Airflow 3.
        run = context["dag_run"]
        start = context.get("data_interval_start") or getattr(run, "run_after", None) or run.start_date
        after = parse_moment("started_after", self.started_after or start or datetime.now(tz=UTC))
        if not self.started_before:
            return after, None
        before = parse_moment("started_before", self.started_before)
        if before <= after:
            raise AepValidationError(
                "the window", [Problem("started_before", "must be later than started_after")]
            )
        return after, before
