"""How a sensor of many exports reports: alerts while it waits, XComs, the end of the task, asset events."""

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
    """What a sensor must provide to report its results."""

    alert: Any
    fail_on_bad: bool
    on_nothing: str
    outlets: Any

    @property
    def hook(self) -> AepHook: ...
    @property
    def log(self) -> Any: ...


def place_of(sensor: Telling) -> dict[str, Any]:
    """The sandbox and connection, as keys of a result."""
    return {"sandbox": sensor.hook.sandbox, "conn_id": sensor.hook.aep_conn_id}


def open_before(sensor: Telling, context: Any) -> dict[str, dict[str, str]]:
    """The incidents that the last DAG run before this one left open, by dataflow."""
    ti = context["ti"]
    try:
        last = ti.xcom_pull(
            key=CHECK_KEY, task_ids=ti.task_id, map_indexes=ti.map_index, include_prior_dates=True
        )
    except Exception as error:
        # Then a recovery goes unreported, which is no reason to lose a verdict.
        sensor.log.warning("The incidents of the last DAG run cannot be read: %s", without_words(error))
        return {}
    kept = last.get("open") if isinstance(last, Mapping) else None
    if not isinstance(kept, Mapping) or any(
        last.get(name) != value for name, value in place_of(sensor).items()
    ):
        return {}
    return {str(dataflow_id): moments(kinds) for dataflow_id, kinds in kept.items()}


def tell(sensor: Telling, context: Any, progress: Progress, before: Mapping[str, Mapping[str, str]]) -> None:
    """Send the alerts that were not sent yet, and keep the state so far.

    If a worker is lost here, the retry sends the alerts again, with the same incident keys.
    """
    if sensor.alert is None or not (untold := progress.untold):
        return
    news = [progress.settled[key] for key in untold]
    sensor.alert.tell(context, check_of(news, place_of(sensor), open_before=before, whole=True))
    progress.alerted.update(untold)
    _push(sensor, context, progress, before)


def end(
    sensor: Telling, context: Any, progress: Progress, before: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Send the remaining alerts, and return the verdicts, or fail the task because of them."""
    tell(sensor, context, progress, before)
    _push(sensor, context, progress, before)
    bad = [entry for entry in ordered(progress.settled.values()) if entry["outcome"] == "fail"]
    if bad:
        sentence = bad_in_words(bad, len(progress.settled))
        if sensor.fail_on_bad:
            # Not retried: another poll cannot change a finished run.
            raise AirflowFailException(sentence)
        sensor.log.warning("%s", sentence)
    _tell_assets(sensor, context, progress)
    return result_of(progress.settled.values(), place_of(sensor))


def end_with_nothing(sensor: Telling, context: Any, sentence: str) -> NoReturn:
    """End the task, because no dataflow fits the selection."""
    check = {**place_of(sensor), "outcome": sensor.on_nothing, "exports": [], "told": sentence}
    if sensor.alert is not None:
        sensor.alert.tell(context, check)
        check["quiet"] = True
    context["ti"].xcom_push(key=CHECK_KEY, value=check)
    if sensor.on_nothing == "fail":
        raise AirflowFailException(sentence)
    sensor.log.warning("%s", sentence)
    raise AirflowSkipException(sentence)


def _push(sensor: Telling, context: Any, progress: Progress, before: Mapping[str, Mapping[str, str]]) -> None:
    check = check_of(
        progress.settled.values(),
        place_of(sensor),
        alerted=progress.alerted,
        open_before=before,
        waits_for=len(progress.dues or {}),
    )
    context["ti"].xcom_push(key=CHECK_KEY, value=with_well(check, progress.settled.values()))


def _tell_assets(sensor: Telling, context: Any, progress: Progress) -> None:
    """Send an event for each dataset of each good export through each alias."""
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
