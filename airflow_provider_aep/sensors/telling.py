"""What a sensor of many exports tells: alerts while it waits, its XComs, its end, and events of assets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

from airflow_provider_aep._airflow import (
    AIRFLOW_V_3_0_PLUS,
    AirflowFailException,
    AirflowSkipException,
    AssetAlias,
)
from airflow_provider_aep.assets import export_asset, hashable
from airflow_provider_aep.errors import AepValidationError, without_words
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.monitoring.incidents import moments
from airflow_provider_aep.monitoring.verdict import bad_in_words
from airflow_provider_aep.operators.xcom_keys import CHECK_KEY
from airflow_provider_aep.sensors.progress import Progress, check_of, ordered, result_of, with_well


class Telling(Protocol):
    """What it takes of a sensor to tell what it has found."""

    alert: Any
    fail_on_bad: bool
    on_nothing: str
    outlets: Any

    @property
    def hook(self) -> AepHook: ...
    @property
    def log(self) -> Any: ...


def place_of(sensor: Telling) -> dict[str, Any]:
    """The connection and sandbox that all is about."""
    return {"sandbox": sensor.hook.sandbox, "conn_id": sensor.hook.aep_conn_id}


def open_before(sensor: Telling, context: Any) -> dict[str, dict[str, str]]:
    """The incidents that the last DAG run before this one left open, by dataflow."""
    ti = context["ti"]
    try:
        last = ti.xcom_pull(
            key=CHECK_KEY, task_ids=ti.task_id, map_indexes=ti.map_index, include_prior_dates=True
        )
    except Exception as error:
        # A recovery stays untold: that is no reason to lose a verdict.
        sensor.log.warning("What the last DAG run left open cannot be read: %s", without_words(error))
        return {}
    kept = last.get("open") if isinstance(last, Mapping) else None
    if not isinstance(kept, Mapping) or any(
        last.get(name) != value for name, value in place_of(sensor).items()
    ):
        return {}
    return {str(each): moments(kinds) for each, kinds in kept.items()}


def tell(sensor: Telling, context: Any, progress: Progress, before: Mapping[str, Mapping[str, str]]) -> None:
    """Send the alerts that were not sent yet, and keep what is known by now.

    A worker that is lost in here tells again when the task is retried, under the same keys.
    """
    if sensor.alert is None or not (untold := progress.untold):
        return
    news = [progress.settled[key] for key in untold]
    sensor.alert.tell(context, check_of(news, place_of(sensor), open_before=before, whole=True))
    progress.told.update(untold)
    _push(sensor, context, progress, before)


def end(
    sensor: Telling, context: Any, progress: Progress, before: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Tell what is left to tell, and end the task with the verdicts, or by them."""
    tell(sensor, context, progress, before)
    _push(sensor, context, progress, before)
    bad = [entry for entry in ordered(progress.settled.values()) if entry["outcome"] == "fail"]
    if bad:
        told = bad_in_words(bad, len(progress.settled))
        if sensor.fail_on_bad:
            # Not retried: looking again at what has ended cannot change it.
            raise AirflowFailException(told)
        sensor.log.warning("%s", told)
    _tell_assets(sensor, context, progress)
    return result_of(progress.settled.values(), place_of(sensor))


def end_with_nothing(sensor: Telling, context: Any, told: str) -> NoReturn:
    """End the task, as no dataflow fits the selection."""
    found = {**place_of(sensor), "outcome": sensor.on_nothing, "exports": [], "told": told}
    if sensor.alert is not None:
        sensor.alert.tell(context, found)
        found["quiet"] = True
    context["ti"].xcom_push(key=CHECK_KEY, value=found)
    if sensor.on_nothing == "fail":
        raise AirflowFailException(told)
    sensor.log.warning("%s", told)
    raise AirflowSkipException(told)


def _push(sensor: Telling, context: Any, progress: Progress, before: Mapping[str, Mapping[str, str]]) -> None:
    found = check_of(
        progress.settled.values(),
        place_of(sensor),
        told=progress.told,
        open_before=before,
        waits_for=len(progress.dues or {}),
    )
    context["ti"].xcom_push(key=CHECK_KEY, value=with_well(found, progress.settled.values()))


def _tell_assets(sensor: Telling, context: Any, progress: Progress) -> None:
    """An event for each dataset of each good export, through each alias."""
    aliases = [outlet for outlet in sensor.outlets or () if isinstance(outlet, AssetAlias)]
    events = [entry["event"] for entry in progress.settled.values() if entry.get("event")]
    if not aliases or not events:
        return
    org = sensor.hook.get_conn().credentials.org_id
    for event in events:
        extra = event["extra"] if AIRFLOW_V_3_0_PLUS else hashable(event["extra"])
        for dataset in event["datasets"]:
            try:
                asset = export_asset(
                    org=org, sandbox=sensor.hook.sandbox, dataset=dataset, export=event["export"]
                )
            except AepValidationError as error:
                sensor.log.warning("No asset event for export %r: %s", event["export"], error)
                continue
            for alias in aliases:
                context["outlet_events"][alias].add(asset, extra=extra)
