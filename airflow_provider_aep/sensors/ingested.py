"""The sensor that waits until data were ingested into datasets."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_aep._airflow import PokeReturnValue, conf
from airflow_provider_aep.arguments import Number, OneOf, Span, Switch, is_later, is_nothing, problems_of
from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.operators.moments import check_moments
from airflow_provider_aep.sensors import deferring
from airflow_provider_aep.sensors.base import AepSensor
from airflow_provider_aep.sensors.wanted import TIMED, ids_of
from airflow_provider_aep.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_aep.monitoring.arrivals import IngestionSighting, IngestionWait
    from airflow_provider_aep.operators.base import Moment, Upstream

# Each costs a request in every poll.
MOST_DATASETS = 20
# A longer pause belongs in a DAG of its own.
LONGEST_SETTLING = 24 * 3600
RULES = {
    "require": OneOf("all", "any"),
    "min_records": Number(least=1, whole=True),
    "accept_uncounted": Switch(),
}
WAYS = ("dataset_id", "dataset_ids", "dataset_names")


class AepDatasetIngestedSensor(AepSensor):
    """Wait until data were ingested into one dataset, or into several, since a moment.

    A batch counts if it succeeded, was completed after the moment, and reports that it brought records. One
    that failed, that replaces, deletes or compacts data, or that was taken back does not count. Batches are
    read from Adobe's Catalog from three days before the moment on: one that was open for longer is not found.

    While the task waits, neither an unavailable service nor a 429 nor an expired token fails it. Its
    ``timeout`` ends the wait, with a message of what was seen last.

    :param dataset_id: the dataset. Templated.
    :param dataset_ids: several datasets instead: a list, or the list as text; at most 20. Templated.
    :param dataset_names: the exact names of datasets that can be exported, instead. Templated.
    :param ingested_after: ISO 8601, ``datetime`` or epoch seconds; a batch that was completed at exactly this
        moment does not count. By default, for a DAG run of a timetable, the start of its data interval.
        Templated.
    :param require: ``all`` datasets must have received data, or ``any`` of them.
    :param min_records: how many records a dataset must have received since the moment.
    :param accept_uncounted: also count a batch that does not report how many records it brought.
    :param settled_for: seconds, a ``timedelta``, or an ISO 8601 duration: a batch counts once it has been
        completed for this long.
    :param poke_interval: seconds between two polls, in every mode; by default ``[aep] poll_interval``, 60.
    :param deferrable: wait in the triggerer; by default ``[operators] default_deferrable`` decides.
    :param aep_conn_id: the Airflow connection, of type ``aep``. Templated.
    :param sandbox: overrides the connection's sandbox. Templated.
    :raises AepValidationError: an argument is invalid: when the DAG is parsed, or, if it is a template, when
        the task begins.
    :return: a dict: ``ingested_after``; ``dataset_ids`` of those that received data; and ``datasets``, by id,
        with ``name``, ``batches``, ``records`` (``None`` unless all batches report them),
        ``first_completed``, ``last_completed``, and ``complete`` (false if there were more batches than were
        read). ``dataset_ids`` also go to an XCom key of that name.
    """

    template_fields: Sequence[str] = (*AepSensor.template_fields, *WAYS, "ingested_after")
    what = "the ingestion"
    settled_for = Span(most=LONGEST_SETTLING)

    def __init__(
        self,
        *,
        dataset_id: str | Upstream | None = None,
        dataset_ids: Collection[str] | Upstream | None = None,
        dataset_names: Collection[str] | Upstream | None = None,
        ingested_after: Moment | Upstream = None,
        require: str = "all",
        min_records: int = 1,
        accept_uncounted: bool = False,
        settled_for: float | timedelta | str = 0.0,
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
        self.dataset_id = dataset_id
        self.dataset_ids = dataset_ids
        self.dataset_names = dataset_names
        self.ingested_after = ingested_after
        self.require = require
        self.min_records = min_records
        self.accept_uncounted = accept_uncounted
        self.settled_for = settled_for
        # Kept, because a template may render to nothing.
        self._has_moment = ingested_after is not None
        self._known_wait: IngestionWait | None = None
        self._way = self._check_when_parsed()
        check_moments(vars(self))

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        rules = {name: rule for name, rule in RULES.items() if name in kwargs}
        if problems := list(problems_of(rules, kwargs)):
            raise AepValidationError("the sensor", problems)
        for way in WAYS:
            if kwargs.get(way) is not None and _is_literal(kwargs[way]):
                _datasets_of(way, kwargs[way])
        return super().partial(**kwargs)

    def execute(self, context: Any) -> Any:
        # Reject typos now, not after hours of waiting.
        self._known_wait = self._wait_of(context)
        with self._lenient():
            if not self.deferrable:
                return self.wait_on_worker(context)
            deadline = deferring.new_deadline(self)
            seen = self._look(self._known_wait)
            if seen.finished:
                return self._publish(context, seen.result)
            self._defer(seen.wait, deadline)

    def poke(self, context: Any) -> PokeReturnValue:
        seen = self._look(self._known_wait or self._wait_of(context))
        result = self._publish(context, seen.result) if seen.finished else None
        return PokeReturnValue(is_done=seen.finished, xcom_value=result)

    def execute_complete(self, context: Any, event: Any = None, deadline: float | None = None) -> Any:
        """Return what the trigger saw; anything but a well-formed event fails the task."""
        with self._lenient():
            payload = deferring.ending(self, event)
            if not isinstance(payload.get("result"), dict):
                raise deferring.lost(self)
            self.log.info("%s", payload.get("told"))
            return self._publish(context, payload["result"])

    def _publish(self, context: Any, result: Any) -> dict[str, Any]:
        """The result; its ids also get a key of their own, so that a task can take them as an argument."""
        context["ti"].xcom_push(key="dataset_ids", value=result["dataset_ids"])
        return dict(result)

    def _look(self, wait: IngestionWait) -> IngestionSighting:
        """Poll once."""
        from airflow_provider_aep.hooks import metrics
        from airflow_provider_aep.monitoring.arrivals import look_for_ingestion

        began = time.monotonic()
        seen = self.hook.run(look_for_ingestion(wait, now=datetime.now(tz=UTC)))
        metrics.polled(time.monotonic() - began, failed=not seen.answered)
        # The names of datasets are looked up once.
        self._known_wait = seen.wait
        self.last_seen, self.asked_to_wait = seen.told, seen.wait_seconds
        self.log.info("%s", seen.told)
        return seen

    def _defer(self, wait: IngestionWait, deadline: float) -> None:
        from airflow_provider_aep.triggers import AepDatasetIngestedTrigger

        trigger = AepDatasetIngestedTrigger(
            wait=wait.to_json(),
            deadline=deadline,
            poll_interval=self.poke_interval,
            aep_conn_id=self.aep_conn_id,
            sandbox=self.sandbox,
            asked_to_wait=self.asked_to_wait,
        )
        deferring.suspend(self, trigger, "execute_complete", deadline=deadline)

    def _wait_of(self, context: Any) -> IngestionWait:
        """What the sensor waits for.

        :raises AepValidationError: an argument is invalid.
        """
        from airflow_provider_aep.hooks.days import moment_in_zone
        from airflow_provider_aep.monitoring.arrivals import IngestionWait

        given = self.ingested_after if self._has_moment else _begin(context)
        return IngestionWait(
            after=moment_in_zone("ingested_after", given),
            require=self.require,  # type: ignore[arg-type]  # checked when parsed
            min_records=self.min_records,
            accept_uncounted=RULES["accept_uncounted"].kept(self.accept_uncounted),
            settled_for=self.settled_for,
            **_datasets_of(self._way, getattr(self, self._way)),
        )

    def _check_when_parsed(self) -> str:
        """Refuse arguments that are invalid whatever templates render to.

        :return: the argument that names the datasets.
        :raises AepValidationError: naming every invalid argument.
        """
        ways = [way for way in WAYS if getattr(self, way) is not None]
        problems = (
            [] if len(ways) == 1 else [Problem(" or ".join(WAYS), "must be given, and only one of them")]
        )
        problems += problems_of(RULES, vars(self))
        if problems:
            raise AepValidationError("the sensor", problems)
        self._way = ways[0]
        if _is_literal(given := getattr(self, self._way)):
            _datasets_of(self._way, given)
        if self._has_moment and _is_literal(self.ingested_after):
            # Imported here: a DAG file that gives a template, as most do, does not pay for it.
            from airflow_provider_aep.hooks.days import moment_in_zone

            moment_in_zone("ingested_after", self.ingested_after)
        return self._way


def _datasets_of(way: str, given: Any) -> dict[str, tuple[str, ...]]:
    if way == "dataset_names":
        return {"dataset_names": _limited(way, _names(given))}
    if way == "dataset_id":
        from airflow_provider_aep.flowservice.validation import check_id

        return {"dataset_ids": (check_id("dataset_id", given),)}
    return {"dataset_ids": _limited(way, ids_of(way, given, what="dataset"))}


def _begin(context: Any) -> datetime:
    """From when on data are new to a DAG run: the start of its data interval.

    A manual DAG run has none of its own, and some Airflow versions give it that of another.

    :raises AepValidationError: the DAG run has no data interval of its own.
    """
    start = context.get("data_interval_start")
    if start and getattr(context.get("dag_run"), "run_type", None) in TIMED:
        return in_utc(start)
    rule = "is missing, and this DAG run has no data interval of its own"
    advice = "Give a moment, such as '{{ params.since }}' or '{{ dag_run.start_date }}'."
    raise AepValidationError("the sensor", [Problem("ingested_after", rule)], advice)


def _names(given: Any) -> tuple[str, ...]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Collection) or isinstance(names, bytes | Mapping) or not names:
        raise AepValidationError("the sensor", [Problem("dataset_names", "must be a list of dataset names")])
    problems = [
        Problem(f"dataset_names/{at}", "must be the name of a dataset")
        for at, name in enumerate(names)
        # A template renders a missing XCom as a word.
        if not isinstance(name, str) or is_nothing(name)
    ]
    if problems:
        raise AepValidationError("the sensor", problems)
    return tuple(dict.fromkeys(names))


def _limited(field: str, given: tuple[str, ...]) -> tuple[str, ...]:
    if len(given) > MOST_DATASETS:
        rule = f"must be at most {MOST_DATASETS}, because each costs a request in every poll"
        raise AepValidationError("the sensor", [Problem(field, rule)])
    return given


def _is_literal(given: Any) -> bool:
    """Whether an argument is known when the DAG is parsed."""
    several = given if isinstance(given, list | tuple | set) else (given,)
    return not any(map(is_later, several))
