"""Sensors: wait for runs of a dataflow and judge them; wait for data that come into a dataset.

Each is imported when it is asked for: a worker pays for the class of every sensor that it loads.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY

if TYPE_CHECKING:
    from airflow_provider_aep.sensors.exports import AepExportsSensor
    from airflow_provider_aep.sensors.ingested import AepDatasetIngestedSensor
    from airflow_provider_aep.sensors.runs import AepDataflowRunSensor

__all__ = ["VERDICT_KEY", "AepDataflowRunSensor", "AepDatasetIngestedSensor", "AepExportsSensor"]

_PLACES = {
    "AepDataflowRunSensor": "runs",
    "AepDatasetIngestedSensor": "ingested",
    "AepExportsSensor": "exports",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    return found
