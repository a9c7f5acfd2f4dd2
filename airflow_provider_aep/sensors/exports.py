"""The sensor that waits for the ticks of many exports in one task, and tells of each that is not well."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow_provider_aep._airflow import (
    AirflowSensorTimeout,
    AirflowTaskTimeout,
    PokeReturnValue,
    conf,
)
from airflow_provider_aep.arguments import Argument, Switch, Text, Texts
from airflow_provider_aep.errors import OUTAGES, AepConfigError, AepValidationError, Problem
from airflow_provider_aep.operators.moments import check_moments
from airflow_provider_aep.sensors import deferring
from airflow_provider_aep.sensors.base import AepSensor
from airflow_provider_aep.times import span_words

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.policy import RunPolicy
    from airflow_provider_aep.monitoring.selection import Selection
    from airflow_provider_aep.operators.base import Moment, Upstream
    from airflow_provider_aep.sensors.progress import Progress

# Of a DAG run by hand that has no data interval.
USUAL_WINDOW = timedelta(days=1)
# For so many heartbeats after a deferral Airflow may still take its end for that of the resumed task.
HEARTBEATS = 3


class AepExportsSensor(AepSensor):
    """Wait for all exports that were due in a window, in one task, and judge each.

    It takes one trigger and one shared poll, however many exports there are. Each tick is judged as by an
    ``AepDataflowRunSensor`` with ``tick``. What is left at the timeout is told by name, as ``error``.

    With ``alert``, somebody hears of a bad export soon after it ended, while others are still waited for. In
    reschedule mode, which remembers nothing, at the end.

    :param due_from: start of the window: ISO 8601, ``datetime`` or epoch seconds. By default the window is
        the data interval of the DAG run; the day before it for one by hand that has none. Templated.
    :param due_until: its end, itself not in it; with ``due_from`` alone, the moment at which the
        task began. Templated.
    :param name_contains: only dataflows with this in their name, in whatever letter case. Templated.
    :param destinations: only to these destinations, such as ``["s3"]``. Templated.
    :param export_owner: only those that this owner declared. Templated.
    :param ticks: wait for these ticks in place of those of a window: a list of dicts with ``dataflow_id`` and
        ``tick``, or what ``AepListDataflowsOperator`` returns for a window. Templated.
    :param run_policy: arguments of the sensor's run policy, such as ``{"max_drop": 0.5}``; see ``RunPolicy``.
    :param on_missing: ``fail``, ``warn``, ``skip`` or ``ok`` for a tick that had no run in time.
    :param on_nothing: the same where no dataflow fits the selection. That none was due is fine.
    :param alert: an ``AepRunNotifier`` of its own, for what is not well and what has recovered. The callbacks
        of the task do not repeat what it was told.
    :param fail_on_bad: fail at the end where a verdict is ``fail``. A task that fails sends no asset event:
        with ``False`` it succeeds with its verdicts, and ``AepRequireGoodExportsOperator`` fails by them.
    :param outlets: an ``AssetAlias`` gets an event for each dataset of each good export, once the task ends.
    :param poke_interval: seconds between two looks; by default ``[aep] poll_interval``, 60.
    :param deferrable: wait in the triggerer; by default as ``[operators] default_deferrable`` says.
    :param aep_conn_id: the Airflow connection, of type ``aep``. Templated.
    :param sandbox: overrides the connection's sandbox. Templated.
    :raises AepValidationError: ``ticks`` beside a window or a selection, or an outlet that is a single
        export, when the DAG is parsed.
    :raises AepConfigError: ``alert`` is no ``AepRunNotifier``, likewise.
    :return: ``outcome`` (the worst), ``totals`` by outcome, ``verdicts`` (the worst first, each with
        ``dataflow_id``, ``dataflow_name``, ``tick``, ``outcome``, ``status`` and more) and ``left_out``: how
        many more there are than fit.
    """

    template_fields: Sequence[str] = (
        *AepSensor.template_fields,
        "due_from",
        "due_until",
        "name_contains",
        "destinations",
        "export_owner",
        "ticks",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"ticks": "json"}
    what = "the exports"
    name_contains = Text(optional=True)
    destinations = Texts(optional=True)
    export_owner = Text(optional=True)
    ticks = Argument(optional=True)
    fail_on_bad = Switch()

    def __init__(
        self,
        *,
        due_from: Moment | Upstream = None,
        due_until: Moment | Upstream = None,
        name_contains: str | None = None,
        destinations: str | Collection[str] | Upstream | None = None,
        export_owner: str | None = None,
        ticks: Sequence[Mapping[str, Any]] | Upstream | None = None,
        run_policy: Mapping[str, Any] | None = None,
        on_missing: str = "fail",
        on_nothing: str = "fail",
        alert: Any = None,
        fail_on_bad: bool = True,
        poke_interval: float | timedelta | str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
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
        self.due_from = due_from
        self.due_until = due_until
        self.name_contains = name_contains
        self.destinations = destinations
        self.export_owner = export_owner
        self.ticks = ticks
        self.policy = run_policy
        self.on_missing = on_missing
        self.on_nothing = on_nothing
        self.alert = alert
        self.fail_on_bad = fail_on_bad
        self._progress: Progress | None = None
        self._deadline = float("inf")
        self._began: datetime | None = None
        self._stuck_at: dict[str, datetime] = {}
        self._open_before: dict[str, dict[str, str]] | None = None
        # Remembered, as what was given may turn out to be nothing when it is rendered.
        self._is_given = ticks is not None
        self.run_policy()
        self._check_arguments()
        check_moments(vars(self))

    def execute(self, context: Any) -> Any:
        from airflow_provider_aep.sensors.progress import Progress

        if self.reschedule and not self.deferrable:
            self._began = self._first_start(context)
        # Else a window until now would grow with each look.
        self._began = self._began or datetime.now(tz=UTC)
        # Reject typos now, not after hours of waiting.
        self._chosen(context)
        self._progress = Progress()
        with self._lenient():
            if self.deferrable:
                return self._go_on(context, deferring.new_deadline(self))
            self._deadline = self._began.timestamp() + self.timeout
            try:
                super().execute(context)
            except (AirflowSensorTimeout, AirflowTaskTimeout):
                self._look(context, is_last=True)
            return self._end(context)

    def poke(self, context: Any) -> PokeReturnValue:
        is_last = time.time() >= self._deadline
        return PokeReturnValue(is_done=self._look(context, is_last=is_last) or is_last)

    def _get_next_poke_interval(self, started_at: Any, run_duration: Any, poke_count: int) -> float:
        # The last look is at the deadline, as in the triggerer.
        usual = super()._get_next_poke_interval(started_at, run_duration, poke_count)
        return max(min(usual, self._deadline - time.time()), 0.0)

    def execute_complete(
        self,
        context: Any,
        event: Any = None,
        deadline: float | None = None,
        progress: Mapping[str, Any] | None = None,
    ) -> Any:
        """Look again, as the trigger saw something end; tell of what is not well, and wait for the rest."""
        from airflow_provider_aep.sensors.progress import Progress

        with self._lenient():
            told = deferring.ending(self, event)
            # Airflow 2 loses all but the event in dag.test(): there it looks anew, at all there is.
            self._progress = Progress() if progress is None else Progress.from_json(progress)
            return self._go_on(context, told["deadline"] if deadline is None else deadline)

    def _go_on(self, context: Any, deadline: float) -> Any:
        is_last = time.time() >= deadline - 1.0
        if self._look(context, is_last=is_last) or is_last:
            return self._end(context)
        self._defer(deadline)

    def _defer(self, deadline: float) -> NoReturn:
        from airflow_provider_aep.monitoring.dues import dues_to_json
        from airflow_provider_aep.triggers import AepExportsTrigger

        progress = self._progress
        assert progress is not None
        heartbeat = conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0)
        pause = max(self.poke_interval, HEARTBEATS * heartbeat)
        left = max(deadline - time.time(), pause)
        self.defer(
            trigger=AepExportsTrigger(
                dues=dues_to_json((progress.dues or {}).values()),
                run_policy=self.run_policy().to_json(),
                tells_soon=self.alert is not None,
                deadline=deadline,
                poll_interval=self.poke_interval,
                pause=pause,
                asked_to_wait=self.asked_to_wait,
                aep_conn_id=self.aep_conn_id,
                sandbox=self.sandbox,
            ),
            method_name="execute_complete",
            kwargs={"deadline": deadline, "progress": progress.to_json()},
            # The trigger ends the wait itself. Airflow's own timeout is there for a triggerer that is dead.
            timeout=timedelta(seconds=left + 60 + 2 * self.poke_interval),
        )
        raise AssertionError("unreachable: deferring raises")

    def _look(self, context: Any, *, is_last: bool) -> bool:
        """Look once, and tell of what is not well; whether all has come to an end."""
        from airflow_provider_aep.hooks import metrics
        from airflow_provider_aep.monitoring.poll import no_answer
        from airflow_provider_aep.sensors import telling
        from airflow_provider_aep.sensors.progress import Progress
        from airflow_provider_aep.sensors.settling import settle

        progress = self._progress = self._progress or Progress()
        began, now = time.monotonic(), datetime.now(tz=UTC)
        if self._open_before is None:
            self._open_before = telling.open_before(self, context)
        before = self._open_before
        is_first = progress.dues is None
        if progress.dues is None:
            try:
                self._choose(context, progress, before, now)
            except OUTAGES as error:
                sighting = no_answer(error)
                self.last_seen, self.asked_to_wait = sighting.told, sighting.wait_seconds
                self.log.info("%s", sighting.told)
                if is_last:
                    raise AirflowSensorTimeout(f"{self._time_out()} Last seen: {self.last_seen}.") from None
                return False
        last = self._time_out() if is_last else ""
        settle(self, progress, before, now=now, stuck_at=self._stuck_at, first=is_first, last=last)
        metrics.polled(time.monotonic() - began)
        left = len(progress.dues or {})
        self.log.info("%d exports have come to an end, %d are waited for", len(progress.settled), left)
        if not self.reschedule:
            telling.tell(self, context, progress, before)
        return not left

    def _choose(self, context: Any, progress: Progress, before: Any, now: datetime) -> None:
        from airflow_provider_aep.monitoring.dues import choose_due, choose_given
        from airflow_provider_aep.sensors import telling
        from airflow_provider_aep.sensors.progress import bounded

        given, window, selection = self._chosen(context)
        if given is not None:
            chosen = self.hook.run(choose_given(given))
        else:
            chosen = self.hook.run(choose_due(selection, *window))
            for name in chosen.unreadable:
                self.log.warning("The schedule of %r cannot be read, so nothing is waited for", name)
            if not chosen.selected:
                telling.end_with_nothing(self, context, selection.told_nothing(chosen.listed))
            self.log.info(
                "%d ticks of %d export dataflows were due from %s to %s",
                len(chosen.dues),
                chosen.selected,
                *window,
            )
        progress.dues = {due.key: due for due in chosen.dues}
        for dataflow_id, name, at, why in chosen.lost:
            entry = {
                "dataflow_id": dataflow_id,
                "dataflow_name": name,
                "tick": at.isoformat(),
                "outcome": "fail",
                "status": "error",
                "reason": f"{name!r}, due {at:%Y-%m-%d %H:%M} UTC: {why}",
                "known_at": now.isoformat(),
                "open": {**before.get(dataflow_id, {}), "error": now.isoformat()},
            }
            self.log.warning("Dataflow %s", entry["reason"])
            progress.settled[f"{dataflow_id} {at.isoformat()}"] = bounded(entry)

    def _end(self, context: Any) -> dict[str, Any]:
        from airflow_provider_aep.sensors import telling

        assert self._progress is not None
        return telling.end(self, context, self._progress, self._open_before or {})

    @property
    def tells_assets(self) -> bool:
        """Whether an outlet takes events of whatever exports turn out to be good."""
        from airflow_provider_aep._airflow import AssetAlias

        return any(isinstance(outlet, AssetAlias) for outlet in self.outlets or ())

    def _time_out(self) -> str:
        seconds = min(self.timeout, self.execution_seconds)
        return f"not done after {span_words(seconds, exact=True)}."

    def run_policy(self) -> RunPolicy:
        """The run policy of the arguments.

        :raises AepValidationError: it breaks a rule.
        """
        from airflow_provider_aep.monitoring.policy import check_choices, run_policy

        check_choices(on_missing=self.on_missing, on_nothing=self.on_nothing)
        return run_policy(self.policy)

    def _chosen(self, context: Any) -> tuple[dict[str, list[datetime]] | None, Any, Selection]:
        """Given ticks, or else a window and a selection."""
        from airflow_provider_aep.monitoring.selection import Selection
        from airflow_provider_aep.sensors.wanted import given_ticks, window_of_ticks

        selection = Selection.of(self.name_contains, self.destinations, self.export_owner)
        if self._is_given:
            return given_ticks(self.ticks), None, selection
        now = self._began or datetime.now(tz=UTC)
        window = window_of_ticks(self.due_from, self.due_until, context, usual=USUAL_WINDOW, now=now)
        return None, window, selection

    def _check_arguments(self) -> None:
        from airflow_provider_aep.assets import is_export_asset

        beside = ("due_from", "due_until", "name_contains", "destinations", "export_owner")
        problems = []
        if self._is_given and any(getattr(self, name) not in (None, "", ()) for name in beside):
            rule = f"says what is waited for; leave out {', '.join(beside)}"
            problems.append(Problem("ticks", rule))
        if any(is_export_asset(outlet) for outlet in self.outlets or ()):
            rule = "would tell of every export whatever became of it; give an AssetAlias"
            problems.append(Problem("outlets", rule))
        if problems:
            raise AepValidationError("the sensor", problems)
        tells = not isinstance(self.alert, type) and callable(getattr(self.alert, "tell", None))
        if self.alert is not None and not tells:
            raise AepConfigError("alert must be an AepRunNotifier; other callbacks go to on_success_callback")
