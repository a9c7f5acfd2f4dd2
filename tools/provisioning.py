"""What tests, tools and benchmarks make in an emulator: a session with it, and dataflows, each in one way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.flowservice.connections import (
    create_base_connection,
    create_source_connection,
    create_target_connection,
)
from airflow_provider_aep.flowservice.dataflows import create_dataflow
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.schedule import parse_schedule
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession

DATASET = "5ef3e3259ad2a1191ab7dd7d"


def session_of(emulator: Emulator, **more: Any) -> AepSession:
    """A session with the emulator's own credential.

    :param more: as of ``AepSession``.
    """
    credentials = AepCredentials(
        client_id=emulator.client_id, client_secret=emulator.client_secret, org_id=emulator.org_id
    )
    return AepSession(credentials, **more)


def new_dataflow(
    name: str,
    now: datetime,
    *,
    datasets: Sequence[str] = (DATASET,),
    path: str | None = None,
    file_type: str = "JSON",
    **schedule: Any,
) -> Exchange[str]:
    """An export to the Data Landing Zone; its id.

    :param path: where its files land, by default under its name.
    :param schedule: as ``parse_schedule`` takes it; without it the only tick is ``now``.
    """
    source = yield from create_source_connection(name=name, datasets=list(datasets))
    base = yield from create_base_connection(name=name, destination=DATA_LANDING_ZONE, login=None)
    target = yield from create_target_connection(
        name=name,
        destination=DATA_LANDING_ZONE,
        base_connection_id=base.id,
        target_params={"path": path or name, "datasetFileType": file_type},
    )
    made = yield from create_dataflow(
        name=name,
        destination=DATA_LANDING_ZONE,
        source_connection_id=source.id,
        target_connection_id=target.id,
        schedule=parse_schedule(schedule or {"every": "once", "start": now}, now=now),
        now=now,
    )
    return made.id
