"""One poll for all ticks that a sensor of many exports waits for; the ended ones are judged and kept."""

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
from airflow_provider_aep.sensors.progress import Progress, bounded, needs_alert, open_after

Open = Mapping[str, Mapping[str, str]]


class Settling(Protocol):
    """What a sensor must provide to settle the ticks that it waits for."""

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
    """Poll once, and move the ticks that have ended from ``dues`` to ``settled``.

    :param open_before: the incidents that earlier DAG runs left open, by dataflow.
    :param first: the dataflows were read just now.
    :param last: why this is the last poll; a tick that has not ended by now is settled with this reason.
    :return: the keys of the ticks that have ended.
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
    pauses = [sighting.wait_seconds for sighting in seen if isinstance(sighting, Sighting)]
    sensor.asked_to_wait = max(pauses, default=0.0)
    ended: dict[str, dict[str, Any]] = {}
    finished: list[tuple[Due, Sighting]] = []
    for due, sighting in zip(dues, seen, strict=True):
        if isinstance(sighting, AepError):
            ended[due.key] = without_runs(due, "error", "fail", str(sighting), now)
        elif sighting.finished:
            finished.append((due, sighting))
        elif sighting.in_vain or (last and sighting.missing):
            ended[due.key] = without_runs(due, "gaps", sensor.on_missing, sighting.told, now)
        elif last:
            ended[due.key] = without_runs(due, "error", "fail", f"{last} Last seen: {sighting.told}", now)
    judged, settling = _judged(sensor, finished, policy, now, last)
    ended |= judged
    events = _events(sensor, finished, ended) if sensor.tells_assets else {}
    over = [due for due in dues if due.key in ended]
    _keep(sensor, progress, over, ended, events, open_before, now, settling)
    return list(ended)


def without_runs(due: Due, status: str, outcome: str, sentence: str, now: datetime) -> dict[str, Any]:
    """The verdict on a tick without a run that could be judged."""
    return {
        "dataflow_id": due.flow.id,
        "outcome": outcome,
        "status": status,
        "reason": f"{due}: {sentence}",
        "run_ids": [],
        "known_at": now.isoformat(),
    }


def _judged(
    sensor: Settling, finished: Sequence[tuple[Due, Sighting]], policy: RunPolicy, now: datetime, last: str
) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """The verdicts as plain JSON, by key, and the keys of the empty runs that leave no data missing.

    If the service did not respond there is no verdict, until the last poll.
    """

    def unexplained(error: AepError) -> None:
        sensor.log.warning("Cannot find out why an export is empty or small: %s", error)

    asking = [
        judge_sighting(due.flow.id, seen, due.flow, policy, now=now, unexplained=unexplained)
        for due, seen in finished
    ]
    ends = sensor.hook.run(together(asking, at_most=AT_MOST)) if asking else []
    verdicts: dict[str, dict[str, Any]] = {}
    settling: set[str] = set()
    for (due, _), end in zip(finished, ends, strict=True):
        if isinstance(end, Done):
            verdicts[due.key] = end.value.to_json()
            if end.value.settles:
                settling.add(due.key)
        elif last or not isinstance(end, OUTAGES):
            sentence = f"its runs have ended, but could not be judged: {end}"
            verdicts[due.key] = without_runs(due, "error", "fail", sentence, now)
    return verdicts, settling


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
        verdict = {
            **ended[due.key],
            "dataflow_name": due.flow.name,
            "tick": due.at.isoformat(),
            "sandbox": sensor.hook.sandbox,
            "conn_id": sensor.hook.aep_conn_id,
        }
        before = known_open.get(due.flow.id, {})
        if verdict["run_ids"] or CONCERN[verdict["outcome"]]:
            last = {**verdict, "open": before}
            verdict = with_incidents(verdict, last, now, settles=due.key in settling)
        elif before:
            verdict["open"] = before
        known_open[due.flow.id] = moments(verdict.get("open"))
        if needs_alert(verdict):
            verdict["dataflow_url"] = sensor.hook.dataflow_url(due.flow.id)
        if due.flow.id in places:
            verdict["location"] = places[due.flow.id]
        if "records_out" in verdict:
            metrics.judged(verdict, now=now)
        entry = bounded(verdict)
        if event := events.get(due.key):
            entry["event"] = dict(event)
        progress.settled[due.key] = entry
        assert progress.dues is not None
        del progress.dues[due.key]
        _log(sensor, due, verdict)


def _log(sensor: Settling, due: Due, verdict: Mapping[str, Any]) -> None:
    for error in verdict.get("errors") or ():
        sensor.log.error("Adobe's error %s: %s", error["code"], error["message"])
    cause = verdict.get("cause") or {}
    because = f"; {cause['told']}" if cause.get("told") else ""
    log = sensor.log.warning if CONCERN[verdict["outcome"]] else sensor.log.info
    if verdict["run_ids"]:
        log("Dataflow %r: %s%s", due.flow.name, verdict["reason"], because)
    else:
        log("Dataflow %s", verdict["reason"])


def _events(
    sensor: Settling, finished: Sequence[tuple[Due, Sighting]], ended: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What the asset events of good exports hold, by key: ``datasets``, ``export`` and ``extra``."""
    good = [(due, seen) for due, seen in finished if ended.get(due.key, {}).get("outcome") in ("ok", "warn")]
    asking = [read_location(due.flow) for due, _ in good]
    ends = sensor.hook.run(together(asking, at_most=AT_MOST)) if asking else []
    events = {}
    for (due, seen), end in zip(good, ends, strict=True):
        location: Location | None = None
        if isinstance(end, Done):
            location = end.value
        else:
            sensor.log.warning("Cannot find out where dataflow %s delivers: %s", due.flow.id, end)
        verdict = {**ended[due.key], "dataflow_name": due.flow.name}
        datasets: Collection[str] = (
            verdict.get("dataset_ids") or due.datasets or (location.dataset_ids if location else ())
        )
        events[due.key] = {
            "datasets": list(datasets),
            "export": due.flow.name,
            "extra": asset_event_extra(verdict, location, seen.runs, tick=due.at),
        }
    return events
