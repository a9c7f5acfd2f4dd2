"""The specs the emulator serves: seven destinations, the data lake, and a flow spec for each destination.

The documents in ``specs/`` are the emulator's own, written from the tutorial, so that a mistake in the
client's constants shows up as a refused request.

Source: export datasets tutorial (ids, auth and target specs). The flow specs' bodies are in no public
document: they are synthetic, and say so in ``attributes``. So are ids and specs of Marketo Measure Ultimate:
its catalog page only says that it takes datasets.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

Document = dict[str, Any]

DATA_LAKE = "23598e46-f560-407b-88d5-ea6207e49db0"
PROVIDER = "14e34fac-d307-11e9-bb65-2a2ae2dbcce4"

# document: (flow spec of dataset exports, the parameter that names the bucket or container, if there is
# one, the parameter that names the folder, if there is one)
DESTINATIONS: dict[str, tuple[str, str | None, str | None]] = {
    "s3": ("269ba276-16fc-47db-92b0-c1049a3c131f", "bucketName", "path"),
    "azure_blob": ("95bd8965-fc8a-4119-b9c3-944c2c2df6d2", "container", "path"),
    "adls_gen2": ("17be2013-2549-41ce-96e7-a70363bec293", None, "path"),
    "data_landing_zone": ("cd2fc47e-e838-4f38-a581-8fff2f99b63a", None, "path"),
    "gcs": ("585c15c4-6cbf-4126-8f87-e26bff78b657", "bucketName", "path"),
    "sftp": ("354d6aad-4754-46e4-a576-1b384561c440", None, "remotePath"),
    # Assumed: both ids, and that it takes neither a login nor a place.
    "marketo_measure_ultimate": ("e0a1d7c2-5b3f-4f0e-9a58-0c6d2f8b7e11", None, None),
}
MARKETO_MEASURE = "marketo_measure_ultimate"


@cache
def connection_specs() -> dict[str, Document]:
    """Every connection spec, by id."""
    lake = {
        "id": DATA_LAKE,
        # Assumed: only Adobe's Python client has the name of this spec.
        "name": "activation-datalake",
        "providerId": PROVIDER,
        "version": "1.0",
        "authSpec": [],
        "attributes": {},
        "permissionsInfo": {"manage": [], "view": []},
    }
    return {spec["id"]: spec for spec in (*(_destination(slug) for slug in DESTINATIONS), lake)}


@cache
def flow_specs() -> dict[str, Document]:
    """Every flow spec, by id."""
    return {
        flow_spec_id: {
            "id": flow_spec_id,
            # Assumed: the name of a flow spec.
            "name": f"{_destination(slug)['name']} dataset export",
            "providerId": PROVIDER,
            "version": "1.0",
            "sourceConnectionSpecIds": [DATA_LAKE],
            "targetConnectionSpecIds": [_destination(slug)["id"]],
            "transformationSpecs": [],
            "scheduleSpec": {"name": "DatasetSchedule", "type": "Periodic", "spec": SCHEDULE_SCHEMA},
            "attributes": {"_workflow": ["DATASETS"], "isDestinationFlow": True, "synthetic": True},
            "permissionsInfo": {"manage": [], "view": []},
        }
        for slug, (flow_spec_id, _, _) in DESTINATIONS.items()
    }


@dataclass(frozen=True, slots=True)
class Specs:
    """The specs that one emulator serves: the documents above, until a lever changes them."""

    connection: dict[str, Document] = field(default_factory=lambda: copy.deepcopy(connection_specs()))
    flow: dict[str, Document] = field(default_factory=lambda: copy.deepcopy(flow_specs()))

    def of(self, kind: str) -> dict[str, Document]:
        """The ``connectionSpecs`` or ``flowSpecs``, by id."""
        return self.connection if kind == "connectionSpecs" else self.flow


SCHEDULE_SCHEMA: Document = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "exportMode": {"type": "string", "enum": ["FIRST_FULL_THEN_INCREMENTAL", "DAILY_FULL_EXPORT"]},
        "timeUnit": {"type": "string", "enum": ["hour", "day"]},
        "interval": {"type": "integer"},
        "startTime": {"type": "integer", "description": "epoch seconds"},
        "endTime": {"type": "integer", "description": "epoch seconds"},
        "foldernameTemplate": {"type": "string"},
    },
    "required": ["timeUnit", "interval", "startTime"],
}


@cache
def slug_of(connection_spec_id: str) -> str | None:
    """The destination's document name, by its connection spec; ``None`` for one that a lever added."""
    return next((slug for slug in DESTINATIONS if _destination(slug)["id"] == connection_spec_id), None)


@cache
def _destination(slug: str) -> Document:
    text = files(__package__).joinpath("specs", f"{slug}.json").read_text(encoding="utf-8")
    spec: Document = json.loads(text)["items"][0]
    return spec
