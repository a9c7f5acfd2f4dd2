"""Sensors: wait for runs of dataflows and judge them; wait for data that are ingested into datasets.

Each is imported on first use, because Airflow's metaclass makes a sensor class expensive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_aep._lazy import lazily

if TYPE_CHECKING:
    from airflow_provider_aep.sensors.exports import AepExportsSensor
    from airflow_provider_aep.sensors.ingested import AepDatasetIngestedSensor
    from airflow_provider_aep.sensors.runs import AepDataflowRunSensor

__all__ = ["AepDataflowRunSensor", "AepDatasetIngestedSensor", "AepExportsSensor"]

__getattr__ = lazily(
    __name__,
    {
        "AepDataflowRunSensor": "runs",
        "AepDatasetIngestedSensor": "ingested",
        "AepExportsSensor": "exports",
    },
)
