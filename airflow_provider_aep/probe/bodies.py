"""The request bodies for the entities of the export that a probe creates.

Source: "Export datasets by using the Flow Service API"; read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID, SPEC_VERSION, Destination
from airflow_provider_aep.flowservice.documents import Document

STARTS_IN = timedelta(days=365)
LASTS = timedelta(days=1)
# Mixed letter case, two blanks, and lengths at which the service may cut.
NAME = "{mark}  Keeps Its Letter Case and Blanks"
DESCRIPTION = "{mark}: Made by aep probe to see what the service keeps." + " It never exports anything." * 9
SHORT_DESCRIPTION = "{mark}: Made by aep probe"
PATH = "aep-probe/Keeps/Case"


def bodies_of(
    destination: Destination,
    dataset: Document,
    *,
    mark: str,
    login: Mapping[str, Any] | None,
    target_params: Mapping[str, Any],
    now: datetime,
) -> dict[str, dict[str, Any]]:
    """The body for each kind, without the ids of other entities.

    :param dataset: the dataset of the export, with ``id`` and ``name``.
    :param mark: the beginning of its names and descriptions.
    :param login: as ``login_from_fields`` returns it; ``None`` if the destination needs none.
    :param target_params: what the destination needs besides the path, such as ``bucketName``.
    :param now: the schedule starts a year later.
    """
    named = {
        "name": NAME.format(mark=mark),
        "description": DESCRIPTION.format(mark=mark).strip(),
    }
    spec = {"id": destination.connection_spec_id, "version": SPEC_VERSION}
    start = int((now + STARTS_IN).timestamp())
    folder = "remotePath" if destination.slug == "sftp" else "path"
    exported = {
        "dataSetId": str(dataset["id"]),
        "name": str(dataset.get("name") or dataset["id"]),
    }
    return {
        "connections": {
            **named,
            "connectionSpec": spec,
            **({"auth": login} if login else {}),
        },
        "sourceConnections": {
            **named,
            "connectionSpec": {"id": DATA_LAKE_SPEC_ID, "version": SPEC_VERSION},
            "params": {"datasets": [exported]},
        },
        "targetConnections": {
            **named,
            "connectionSpec": spec,
            "params": {
                "mode": "Server-to-server",
                "compression": "GZIP",
                "datasetFileType": "JSON",
                folder: PATH,
                **target_params,
            },
        },
        "flows": {
            **named,
            "flowSpec": {"id": destination.flow_spec_id, "version": SPEC_VERSION},
            "transformations": [],
            "scheduleParams": {
                "exportMode": "FIRST_FULL_THEN_INCREMENTAL",
                "timeUnit": "hour",
                "interval": 3,
                "startTime": start,
                "endTime": start + int(LASTS.total_seconds()),
                "foldernameTemplate": "%DATASET_ID%/%EXPORT_TIME%",
            },
        },
    }
