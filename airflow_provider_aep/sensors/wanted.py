"""What a sensor waits for, from its arguments and the DAG run: a window, a tick, or given runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from airflow_provider_aep.errors import OUTAGES, AepApiError, AepValidationError, Problem
from airflow_provider_aep.times import in_pendulum, in_utc

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.dataflow_record import Dataflow
    from airflow_provider_aep.flowservice.exchange import Exchange
    from airflow_provider_aep.monitoring.policy import RunPolicy
    from airflow_provider_aep.monitoring.waits import Wait

# Given runs are looked up in listings this far back; older ones are requested one by one.
GIVEN_RUNS_REACH = timedelta(hours=3)
# The types of DAG runs that a timetable created: only these have a data interval of their own.
TIMED = ("scheduled", "backfill")


class Wanted(NamedTuple):
    """The arguments of a sensor that say what it waits for, before and after rendering."""

    started_after: Any = None
    started_before: Any = None
    expected_runs: Any = 1
    tick: Any = None
    run_ids: Any = None

    def kind(self) -> str:
        """``tick``, ``run_ids`` or ``window``: which of them the author gave.

        :raises AepValidationError: several at once.
        """
        windowed = self.expected_runs != 1 or any(
            moment not in (None, "") for moment in (self.started_after, self.started_before)
        )
        given = [name for name in ("tick", "run_ids") if getattr(self, name) is not None]
        if given and (windowed or len(given) > 1):
            rule = "says which runs are meant; leave out the window, expected_runs, and "
            others = {"tick": "run_ids", "run_ids": "tick"}
            raise AepValidationError("the sensor", [Problem(name, rule + others[name]) for name in given])
        return given[0] if given else "window"

    def ids(self) -> tuple[str, ...]:
        """The ids of the given runs, also if a template rendered the list as text.

        :raises AepValidationError: there is none, or one is not an id.
        """
        return ids_of("run_ids", self.run_ids, what="run")

    def moment(self) -> datetime:
        """The given tick.

        :raises AepValidationError: it is not a moment.
        """
        from airflow_provider_aep.hooks.days import moment_in_zone

        return moment_in_zone("tick", self.tick)

    def expected(self) -> int:
        """How many runs must appear.

        :raises AepValidationError: it is not a whole number above 0.
        """
        text = str(self.expected_runs)
        if text.isdecimal() and int(text) > 0:
            return int(text)
        problem = Problem("expected_runs", "must be a whole number, at least 1")
        raise AepValidationError("the sensor", [problem])

    def window(self, context: Any) -> dict[str, Any]:
        """``started_after``, ``started_before`` and ``own_until`` of a ``Wait``; the last two may be missing.

        :raises AepValidationError: it ends before it begins.
        """
        from airflow_provider_aep.hooks.days import moment_in_zone

        if not self.started_after and not self.started_before:
            return default_window(context)
        after = moment_in_zone("started_after", self.started_after or _begin(context))
        before = moment_in_zone("started_before", self.started_before) if self.started_before else None
        if before is not None and before <= after:
            problem = Problem("started_before", "must be later than started_after")
            raise AepValidationError("the window", [problem])
        return {"started_after": after, "started_before": before}


def ids_of(field: str, given: Any, *, what: str) -> tuple[str, ...]:
    """Ids from a list, also if a template rendered it as text; each once.

    :param what: whose ids they are, for the error.
    :raises AepValidationError: there is none, or one is not an id.
    """
    from airflow_provider_aep.flowservice.validation import check_id

    if isinstance(given, str):
        given = [text for text in re.split(r"[\[\](),'\"\s]+", given) if text]
    if not isinstance(given, Collection) or isinstance(given, bytes | Mapping) or not given:
        raise AepValidationError("the sensor", [Problem(field, f"must be a list of {what} ids")])
    return tuple(dict.fromkeys(check_id(f"{field}/{at}", text) for at, text in enumerate(given)))


def default_window(context: Any) -> dict[str, Any]:
    """The window of a DAG run: from the start of its data interval until the next DAG run is due.

    So a past DAG run does not judge a run that started when a later DAG run was due. If runs started within
    the data interval itself, those after it belong to the next DAG run.
    """
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    # Some Airflow versions give a manual DAG run the interval of another one.
    has_turn = start and end and getattr(context.get("dag_run"), "run_type", None) in TIMED
    return {
        "started_after": in_utc(_begin(context)),
        "started_before": next_turn(start, end, getattr(context.get("dag"), "timetable", None))
        if has_turn
        else None,
        "own_until": in_utc(end) if has_turn and end > start else None,
    }


def _begin(context: Any) -> datetime:
    """When the DAG run began.

    :raises AepValidationError: the context has no DAG run, as in a unit test. A window that begins now might
        never see a run there.
    """
    start, run = context.get("data_interval_start"), context.get("dag_run")
    if start is None and run is None:
        rule = "is missing, and the context has no dag_run to take it from: give started_after"
        raise AepValidationError("the window", [Problem("started_after", rule)])
    return start or getattr(run, "run_after", None) or run.start_date or datetime.now(tz=UTC)


def next_turn(start: datetime, end: datetime, timetable: Any) -> datetime | None:
    """When the DAG run after the one of an interval is due; ``None`` if that cannot be determined.

    :param timetable: if it has the interval, it also tells the next one, which may be shorter or longer: over
        a change of clocks, a weekend, or in another month.
    """
    with suppress(Exception):  # a custom timetable may have other methods
        if end == start or _following(timetable, start) == end:
            return _following(timetable, end)
    # Without an end the window stays open.
    return in_utc(end + (end - start)) if end > start else None


def _following(timetable: Any, moment: datetime) -> datetime | None:
    """The next moment of a timetable; those of ``airflow.sdk`` cannot compute it themselves."""
    if parts := getattr(timetable, "timetables", None) or getattr(timetable, "_timetables", None):
        return min(filter(None, (_following(part, moment) for part in parts)), default=None)
    if get_next := getattr(timetable, "_get_next", None):
        return in_utc(get_next(in_pendulum(moment)))
    if delta := getattr(timetable, "delta", None):
        return in_utc(moment + delta)
    if not isinstance(expression := getattr(timetable, "expression", None), str):
        return None
    from croniter import croniter

    zone = timetable.timezone
    local = in_utc(moment).astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone)
    return in_utc(croniter(expression, local).get_next(datetime))


def window_of_ticks(
    due_from: Any, due_until: Any, context: Any, *, usual: timedelta, now: datetime
) -> tuple[datetime, datetime]:
    """The window whose ticks to wait for: as given, or the data interval of the DAG run.

    :param usual: how far it reaches back for a manual DAG run without an interval.
    :param now: where it ends with ``due_from`` alone.
    :raises AepValidationError: it has no width, or cannot be determined.
    """
    from airflow_provider_aep.flowservice.moments import parse_window
    from airflow_provider_aep.hooks.days import zone_of_days

    if due_from or due_until:
        return parse_window(due_from, due_until or now, zone_of_days())
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start and end and end > start:
        return in_utc(start), in_utc(end)
    run = context.get("dag_run")
    if getattr(run, "run_type", None) in TIMED:
        rule = (
            "is missing, and the DAG run has no data interval: give due_from and due_until, or schedule the "
            "DAG by a CronDataIntervalTimetable"
        )
        raise AepValidationError("the window", [Problem("due_from", rule)])
    until = in_utc(getattr(run, "run_after", None) or getattr(run, "start_date", None) or now)
    return until - usual, until


def given_ticks(given: Any) -> dict[str, list[datetime]]:
    """Given ticks by dataflow, from dicts with ``dataflow_id`` and ``tick``, or with ``id`` and ``ticks``.

    :raises AepValidationError: they are not such a list, or an id or a moment in it is invalid.
    """
    from airflow_provider_aep.flowservice.validation import check_id
    from airflow_provider_aep.hooks.days import moment_in_zone

    if not isinstance(given, Collection) or isinstance(given, str | bytes | Mapping):
        rule = "must be a list of dicts with dataflow_id and tick"
        raise AepValidationError("the sensor", [Problem("ticks", rule)])
    by_dataflow: dict[str, list[datetime]] = {}
    for at, item in enumerate(given):
        if not isinstance(item, Mapping):
            raise AepValidationError("the sensor", [Problem(f"ticks/{at}", "must be a dict")])
        dataflow_id = check_id(f"ticks/{at}/dataflow_id", item.get("dataflow_id", item.get("id")))
        if not {"tick", "ticks"} & item.keys():
            rule = "has no tick: let AepListDataflowsOperator list with due_from and due_until"
            raise AepValidationError("the sensor", [Problem(f"ticks/{at}", rule)])
        ticks = item["ticks"] if "ticks" in item else [item["tick"]]
        if not isinstance(ticks, Collection) or isinstance(ticks, str | bytes | Mapping):
            raise AepValidationError(
                "the sensor", [Problem(f"ticks/{at}/ticks", "must be a list of moments")]
            )
        moments = [moment_in_zone(f"ticks/{at}/tick", tick) for tick in ticks]
        by_dataflow[dataflow_id] = list(dict.fromkeys([*by_dataflow.get(dataflow_id, ()), *moments]))
    return by_dataflow


def wait_without_asking(
    dataflow_id: str, wanted: Wanted, kind: str, context: Any, policy: RunPolicy, *, now: datetime
) -> Wait | None:
    """What the sensor waits for: a window, or given runs; ``None`` for a tick, which takes requests.

    :param kind: which of the arguments the author gave.
    :raises AepValidationError: an argument is invalid.
    """
    from airflow_provider_aep.monitoring.waits import Wait

    common = _common(dataflow_id, policy)
    if kind == "run_ids":
        return Wait(started_after=now - GIVEN_RUNS_REACH, run_ids=wanted.ids(), **common)
    if kind == "window":
        return Wait(expected=wanted.expected(), **wanted.window(context), **common)
    return None


def read_wait(
    dataflow_id: str, wanted: Wanted, kind: str, context: Any, policy: RunPolicy, *, now: datetime
) -> Exchange[Wait]:
    """What the sensor waits for; for a tick, the dataflow and its datasets are read.

    :param kind: which of the arguments the author gave.
    :raises AepNotFoundError: there is no such dataflow.
    :raises AepValidationError: an argument is invalid, or the schedule has no such tick.
    """
    if wait := wait_without_asking(dataflow_id, wanted, kind, context, policy, now=now):
        return wait
    return (yield from _read_tick_wait(dataflow_id, wanted.moment(), policy))


def _common(dataflow_id: str, policy: RunPolicy) -> dict[str, Any]:
    return {
        "dataflow_id": dataflow_id,
        "ends_stuck": policy.on_stuck in ("fail", "skip"),
        "longest": policy.longest,
    }


def _read_tick_wait(dataflow_id: str, at: datetime, policy: RunPolicy) -> Exchange[Wait]:
    from airflow_provider_aep.flowservice.dataflows import get_dataflow
    from airflow_provider_aep.monitoring.reading import reach_to_judge
    from airflow_provider_aep.monitoring.waits import TickWait, Wait

    flow = yield from get_dataflow(dataflow_id)
    if not flow.ticks(at, at + timedelta(microseconds=1)):
        rule = f"is no tick of the schedule of dataflow {flow.name!r}; AepListDataflowsOperator lists them"
        raise AepValidationError("the sensor", [Problem("tick", rule)])
    datasets = yield from read_own_datasets(flow)
    return Wait(
        started_after=at - reach_to_judge(flow, datasets),
        tick=TickWait(at=at, flow=flow, datasets=datasets),
        step=flow.step,
        **_common(dataflow_id, policy),
    )


def read_own_datasets(dataflow: str | Dataflow) -> Exchange[tuple[str, ...] | None]:
    """The datasets of a dataflow; ``None`` if they may not be read, or its source connection names none.

    :param dataflow: its id, or the record if it was read already.
    :raises AepError: the service gave no answer.
    """
    from airflow_provider_aep.flowservice.connections import read_source_datasets
    from airflow_provider_aep.flowservice.dataflows import get_dataflow
    from airflow_provider_aep.monitoring.reading import datasets_of

    try:
        flow = (yield from get_dataflow(dataflow)) if isinstance(dataflow, str) else dataflow
        if not flow.source_connection_ids:
            return None
        return datasets_of(flow, (yield from read_source_datasets(flow.source_connection_ids)))
    except OUTAGES:
        raise
    except AepApiError:
        return None
