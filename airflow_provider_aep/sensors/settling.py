"""One look for all that a sensor of many exports waits for: what has come to an end is judged and kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from airflow_provider_aep.assets import asset_event_extra
from airflow_provider_aep.errors import OUTAGES, AepError
from airflow_provider_aep.flowservice.exchange import Done, together
from airflow_provider_aep.flowservice.locations import Location, read_location
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.monitoring.dues import Due
from airflow_provider_aep.monitoring.incidents import moments, with_incidents
from airflow_provider_aep.monitoring.judging import judge_sighting
from airflow_provider_aep.monitoring.listings import AT_MOST
from airflow_provider_aep.monitoring.policy import CONCERN, RunPolicy
from airflow_provider_aep.monitoring.waits import Sighting
from airflow_provider_aep.monitoring.watch import look_for_many
from airflow_provider_aep.operators.places import places_of
from airflow_provider_aep.sensors.progress import Progress, bounded, is_told, open_after

Open = Mapping[str, Mapping[str, str]]


class Settling(Protocol):
    """What it takes of a sensor to settle what it waits for."""

    on_missing: str
    asked_to_wait: float

    @property
    def hook(self) -> AepHook: ...
    @property
    def log(self) -> Any: ...
    @property
    def tells_assets(self) -> bool: ...
    def run_policy(self) -> RunPolicy: ...


def settle(
    sensor: Settling,
    progress: Progress,
    open_before: Open,
    *,
    now: datetime,
    stuck_at: MutableMapping[str, datetime],
    first: bool = False,
    last: str = "",
) -> list[str]:
    """Look once, and move what has come to an end from the dues to what is settled; the keys of that.

    :param open_before: the incidents that earlier DAG runs left open, by dataflow.
    :param first: the dataflows were read just now.
    :param last: why this is the last look; what has no end by now is settled by it.
    """
    policy = sensor.run_policy()
    dues = sorted((progress.dues or {}).values(), key=lambda due: (due.at, due.flow.id))
    if not dues:
        return []
    every = range(len(dues))
    waits = [due.wait(policy) for due in dues]
    seen = sensor.hook.run(
        look_for_many(
            waits,
            now=now,
            ask_why=() if first else every,
            doubt=every if last else (),
            stuck_at=stuck_at,
        )
    )
    sensor.asked_to_wait = max((one.wait_seconds for one in seen if isinstance(one, Sighting)), default=0.0)
    ended: dict[str, dict[str, Any]] = {}
    finished: list[tuple[Due, Sighting]] = []
    for due, one in zip(dues, seen, strict=True):
        if isinstance(one, AepError):
            ended[due.key] = without_runs(due, "error", "fail", str(one), now)
        elif one.finished:
            finished.append((due, one))
        elif one.in_vain or (last and one.missing):
            ended[due.key] = without_runs(due, "gaps", sensor.on_missing, one.told, now)
        elif last:
            ended[due.key] = without_runs(due, "error", "fail", f"{last} Last seen: {one.told}", now)
    judged, settling = _judged(sensor, finished, policy, now, last)
    ended |= judged
    events = _events(sensor, finished, ended) if sensor.tells_assets else {}
    over = [due for due in dues if due.key in ended]
    _keep(sensor, progress, over, ended, events, open_before, now, settling)
    return list(ended)


def without_runs(due: Due, status: str, outcome: str, told: str, now: datetime) -> dict[str, Any]:
    """What there is to say of a tick without a run that could be judged."""
    return {
        "dataflow_id": due.flow.id,
        "outcome": outcome,
        "status": status,
        "reason": f"{due}: {told}",
        "run_ids": [],
        "known_at": now.isoformat(),
    }


def _judged(
    sensor: Settling, finished: Sequence[tuple[Due, Sighting]], policy: RunPolicy, now: datetime, last: str
) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """The verdicts as plain JSON, by key, and the keys of those that settle what was lacking.

    Where the service gave no answer there is no verdict, until the last look.
    """

    def unexplained(error: AepError) -> None:
        sensor.log.warning("Why an export is empty or small cannot be told: %s", error)

    asking = [
        judge_sighting(due.flow.id, seen, due.flow, policy, now=now, unexplained=unexplained)
        for due, seen in finished
    ]
    ends = sensor.hook.run(together(asking, at_most=AT_MOST)) if asking else []
    found: dict[str, dict[str, Any]] = {}
    settling: set[str] = set()
    for (due, _), end in zip(finished, ends, strict=True):
        if isinstance(end, Done):
            found[due.key] = end.value.to_json()
            if end.value.settles:
                settling.add(due.key)
        elif last or not isinstance(end, OUTAGES):
            told = f"its runs have ended, and could not be judged: {end}"
            found[due.key] = without_runs(due, "error", "fail", told, now)
    return found, settling


def _keep(
    sensor: Settling,
    progress: Progress,
    dues: Iterable[Due],
    ended: Mapping[str, dict[str, Any]],
    events: Mapping[str, Mapping[str, Any]],
    open_before: Open,
    now: datetime,
    settling: Collection[str],
) -> None:
    from airflow_provider_aep.hooks import metrics

    dues = list(dues)
    places = places_of(sensor, [due.flow for due in dues if CONCERN[ended[due.key]["outcome"]]])
    known_open = open_after(progress.settled.values(), open_before)
    for due in dues:
        told = {
            **ended[due.key],
            "dataflow_name": due.flow.name,
            "tick": due.at.isoformat(),
            "sandbox": sensor.hook.sandbox,
            "conn_id": sensor.hook.aep_conn_id,
        }
        before = known_open.get(due.flow.id, {})
        if told["run_ids"] or CONCERN[told["outcome"]]:
            last = {**told, "open": before}
            told = with_incidents(told, last, now, settles=due.key in settling)
        elif before:
            told["open"] = before
        known_open[due.flow.id] = moments(told.get("open"))
        if is_told(told):
            told["dataflow_url"] = sensor.hook.dataflow_url(due.flow.id)
        if due.flow.id in places:
            told["location"] = places[due.flow.id]
        if "records_out" in told:
            metrics.judged(told, now=now)
        entry = bounded(told)
        if event := events.get(due.key):
            entry["event"] = dict(event)
        progress.settled[due.key] = entry
        assert progress.dues is not None
        del progress.dues[due.key]
        _log(sensor, due, told)


def _log(sensor: Settling, due: Due, told: Mapping[str, Any]) -> None:
    for error in told.get("errors") or ():
        sensor.log.error("Adobe's error %s: %s", error["code"], error["message"])
    cause = told.get("cause") or {}
    because = f"; {cause['told']}" if cause.get("told") else ""
    say = sensor.log.warning if CONCERN[told["outcome"]] else sensor.log.info
    if told["run_ids"]:
        say("Dataflow %r: %s%s", due.flow.name, told["reason"], because)
    else:
        say("Dataflow %s", told["reason"])


def _events(
    sensor: Settling, finished: Sequence[tuple[Due, Sighting]], ended: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What the asset events of the good exports tell, by key: ``datasets``, ``export`` and ``extra``."""
    good = [(due, seen) for due, seen in finished if ended.get(due.key, {}).get("outcome") in ("ok", "warn")]
    asking = [read_location(due.flow) for due, _ in good]
    ends = sensor.hook.run(together(asking, at_most=AT_MOST)) if asking else []
    found = {}
    for (due, seen), end in zip(good, ends, strict=True):
        location: Location | None = None
        if isinstance(end, Done):
            location = end.value
        else:
            sensor.log.warning("Where dataflow %s delivers cannot be told: %s", due.flow.id, end)
        verdict = {**ended[due.key], "dataflow_name": due.flow.name}
        datasets: Collection[str] = (
            verdict.get("dataset_ids") or due.datasets or (location.dataset_ids if location else ())
        )
        found[due.key] = {
            "datasets": list(datasets),
            "export": due.flow.name,
            "extra": asset_event_extra(verdict, location, seen.runs, tick=due.at),
        }
    return found
