"""Export specs at random, for properties that must hold for every one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from airflow_provider_aep.exports.spec import DatasetRef, ExportSpec
from airflow_provider_aep.flowservice.cadences import CADENCES
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE, DESTINATIONS
from airflow_provider_aep.flowservice.schedule import Schedule

DATASETS = (
    DatasetRef(id="5ef3e3259ad2a1191ab7dd7d"),
    DatasetRef(id="5ef3e3259ad2a1191ab7dd7e", name="Loyalty Profiles"),
    DatasetRef(name="Orders"),
    DatasetRef(name="Web Events"),
)
# Written apart from the schema, from the facts about the six storages.
LOCATIONS = {
    "s3": ("bucketName", "path"),
    "azure_blob": ("container", "path"),
    "adls_gen2": ("path",),
    "data_landing_zone": ("path",),
    "gcs": ("bucketName", "path"),
    "sftp": ("remotePath",),
}

words = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=3, max_size=20)
names = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=40).filter(
    str.strip
)
ids = st.uuids().map(str)
moments = st.integers(0, 20 * 365 * 86400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    start = draw(st.none() | moments)
    end = draw(st.none() | moments)
    if start and end and end <= start:
        end = None
    return Schedule(
        every=draw(st.sampled_from(list(CADENCES))),
        start=start,
        end=end,
        folder_template=draw(st.none() | st.sampled_from(["%DATASET_ID%", "crm/%EXPORT_TIME%"])),
    )


@st.composite
def specs(draw: st.DrawFn, datasets: Any = DATASETS, **fixed: Any) -> ExportSpec:
    """A valid spec.

    :param datasets: ids, or ``DatasetRef``, that the spec's datasets are drawn from.
    :param fixed: fields that are not drawn but given.
    """
    refs = [ref if isinstance(ref, DatasetRef) else DatasetRef(id=ref) for ref in datasets]
    destination = fixed.get("destination") or draw(st.sampled_from(list(DESTINATIONS.values())))
    own_login = destination != DATA_LANDING_ZONE and draw(st.booleans())
    # a login of neither kind is for the landing zone alone
    base = not own_login and (destination != DATA_LANDING_ZONE or draw(st.booleans()))
    params = {key: draw(words) for key in LOCATIONS[destination.slug]}
    params["datasetFileType"] = draw(st.sampled_from(["JSON", "PARQUET"]))
    if compression := draw(st.sampled_from(["GZIP", "NONE", None])):
        params["compression"] = compression
    drawn: dict[str, Any] = {
        "name": draw(names),
        "owner": draw(st.just("airflow") | words),
        "description": draw(st.none() | names),
        "sandbox": draw(st.none() | words),
        "datasets": tuple(draw(st.lists(st.sampled_from(refs), min_size=1, max_size=len(refs), unique=True))),
        "destination": destination,
        "credentials_conn_id": draw(words) if own_login else None,
        "base_connection_id": draw(ids) if base else None,
        "target_params": params,
        "schedule": draw(schedules()),
        "adopt": draw(st.none() | ids),
    }
    return ExportSpec(**{**drawn, **fixed})
