"""What a sensor does when its runs have ended: judge them, keep the verdict, send asset events."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_aep._airflow import AirflowFailException, AirflowSkipException
from airflow_provider_aep.errors import AepError, AepRunFailedError, without_words
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.dataflow_record import Dataflow
    from airflow_provider_aep.flowservice.locations import Location
    from airflow_provider_aep.flowservice.run_record import DataflowRun
    from airflow_provider_aep.monitoring.verdict import Verdict
    from airflow_provider_aep.monitoring.waits import Sighting
    from airflow_provider_aep.sensors.roles import Judging


def conclude(sensor: Judging, context: Any, sighting: Sighting) -> dict[str, Any]:
    """Judge the runs that were seen, keep the verdict, and end the task as the policy says.

    Nothing is kept or sent until everything that judging needs has been read.

    :raises AepError: the service gave no answer.
    """
    from airflow_provider_aep.assets.lineage import is_collected
    from airflow_provider_aep.hooks import metrics
    from airflow_provider_aep.monitoring.incidents import with_incidents

    flow = sighting.flow or _dataflow(sensor)
    verdict = judge(sensor, sighting, flow)
    # The name is for people who read an alert; without it the id must do.
    name = flow.name if flow else sensor.dataflow_id
    place = {"sandbox": sensor.hook.sandbox, "conn_id": sensor.hook.aep_conn_id}
    document = {**verdict.to_json(), "dataflow_name": name, **place}
    if sensor.storage_path and verdict.status not in ("failed", "unknown", "stuck"):
        document = _held_against_storage(sensor, document, flow or sensor.dataflow_id)
    last = _last_verdict(sensor, context)
    is_news = not sensor.outlets or _is_news(last, document["run_ids"])
    document = with_incidents(document, last, datetime.now(tz=UTC), settles=verdict.settles)
    location = location_of(sensor, flow) if document["outcome"] in ("fail", "warn") else None
    if location and location.url:
        document["location"] = location.url
    sensor.verdict = document
    if is_collected():
        location_of(sensor, flow)  # now, because OpenLineage calls after the task has ended: no requests then
    context["ti"].xcom_push(key=VERDICT_KEY, value=document)
    metrics.judged(document)
    for error in verdict.errors:
        sensor.log.error("Adobe's error %s: %s", error["code"], error["message"])
    because = f"; {verdict.cause.told}" if verdict.cause else ""
    text = f"Dataflow {document['dataflow_name']!r}: {document['reason']}{because}"
    if document["outcome"] == "fail":
        failed = AepRunFailedError(text, document)
        # Not retried: another poll cannot change a finished run.
        raise AirflowFailException(str(failed)) from failed
    if document["outcome"] == "skip":
        raise AirflowSkipException(text)
    sensor.log.log(logging.WARNING if document["outcome"] == "warn" else logging.INFO, "%s", text)
    if not is_news:
        # Airflow sends the event of an outlet whenever its task succeeds.
        raise AirflowSkipException(
            f"{text}. An earlier DAG run has reported it; skipped, so that no asset gets a second event"
        )
    _tell_assets(sensor, context, sighting.runs, document, location)
    return document


def forget_earlier_try(context: Any) -> None:
    """Delete what an earlier attempt of this task left, as Airflow does if a task begins on a worker."""
    from airflow_provider_aep._airflow import XCom

    ti = context["ti"]
    if ti.try_number <= 1:
        return  # there was none, and each deletion is a call to Airflow's API server
    place = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
    for key in (VERDICT_KEY, "return_value"):
        with suppress(Exception):  # there is none, or this Airflow keeps none here
            XCom.delete(key=key, **place)


def judge(sensor: Judging, sighting: Sighting, flow: Dataflow | None) -> Verdict:
    """The verdict on the runs of a sighting."""
    from airflow_provider_aep.monitoring.judging import judge_sighting

    def unexplained(error: AepError) -> None:
        sensor.log.warning("Cannot find out why dataflow %s exported nothing: %s", sensor.dataflow_id, error)

    return sensor.hook.run(
        judge_sighting(
            sensor.dataflow_id,
            sighting,
            flow,
            sensor.run_policy(),
            now=datetime.now(tz=UTC),
            unexplained=unexplained,
        )
    )


def _held_against_storage(
    sensor: Judging, document: dict[str, Any], dataflow: str | Dataflow
) -> dict[str, Any]:
    """The verdict with what the storage holds.

    :param dataflow: its id, or the record if it was read already.
    :raises AepError: the service gave no answer.
    """
    from airflow_provider_aep.hooks.storage import check_delivery, unchecked
    from airflow_provider_aep.monitoring.verdict import with_delivery
    from airflow_provider_aep.sensors.wanted import read_own_datasets

    # Other dataflows may deliver into the same folder, so only files of these datasets count.
    datasets = document["dataset_ids"] or sensor.hook.run(read_own_datasets(dataflow))
    if datasets:
        delivery = check_delivery(
            {**document, "dataset_ids": list(datasets)},
            storage_path=str(sensor.storage_path),
            storage_conn_id=sensor.storage_conn_id,
        )
    else:
        delivery = unchecked("the datasets of the dataflow could not be read, so its files are not known")
    sensor.log.log(logging.INFO if delivery.status == "ok" else logging.WARNING, "%s", delivery.told)
    return with_delivery(document, delivery.to_json(), sensor.on_missing_files, sensor.on_unchecked_files)


def _last_verdict(sensor: Judging, context: Any) -> Any:
    """The verdict of this task in the last DAG run before this one; ``None`` if it cannot be read."""
    ti = context["ti"]
    try:
        return ti.xcom_pull(
            key=VERDICT_KEY, task_ids=ti.task_id, map_indexes=ti.map_index, include_prior_dates=True
        )
    except Exception as error:
        # A recovery goes unreported, or an asset gets a second event: no reason to lose a verdict.
        sensor.log.warning("The verdict of the last DAG run cannot be read: %s", without_words(error))
        return None


def _is_news(last: Any, run_ids: Collection[str]) -> bool:
    """Whether any of these runs is new to the assets, by the verdict of the last DAG run before this one."""
    if not isinstance(last, dict) or last.get("outcome") not in ("ok", "warn"):
        return True
    return not set(run_ids) <= set(last.get("run_ids") or ())


def _tell_assets(
    sensor: Judging,
    context: Any,
    runs: Sequence[DataflowRun],
    document: dict[str, Any],
    location: Location | None,
) -> None:
    from airflow_provider_aep.assets import asset_event_extra, emit_asset_events, is_export_asset

    if any(map(is_export_asset, sensor.outlets)):
        extra = asset_event_extra(
            document, location or location_of(sensor), runs, tick=sensor.moment_of_tick()
        )
        emit_asset_events(context, sensor.outlets, extra)


def location_of(sensor: Judging, dataflow: Dataflow | None = None) -> Location | None:
    """Where the dataflow delivers, read once; ``None`` if that cannot be read.

    :param dataflow: the record if it was read already.
    """
    from airflow_provider_aep.flowservice.locations import read_location

    if sensor.known_location is not None:
        return sensor.known_location
    try:
        sensor.known_location = sensor.hook.run(read_location(dataflow or sensor.dataflow_id))
        return sensor.known_location
    except AepError as error:
        sensor.log.warning("Cannot find out where dataflow %s delivers: %s", sensor.dataflow_id, error)
        return None


def _dataflow(sensor: Judging) -> Dataflow | None:
    from airflow_provider_aep.flowservice.dataflows import get_dataflow

    try:
        return sensor.hook.run(get_dataflow(sensor.dataflow_id))
    except AepError:
        return None
