"""The triggers, which run in Airflow's triggerer. Airflow stores these class paths in its database."""

from __future__ import annotations

from airflow_provider_aep.triggers.dataflow_runs import (
    AepDataflowRunTrigger,
    AepDatasetIngestedTrigger,
    AepExportsTrigger,
)
from airflow_provider_aep.triggers.finished_runs import AepDataflowRunFinishedTrigger

__all__ = [
    "AepDataflowRunFinishedTrigger",
    "AepDataflowRunTrigger",
    "AepDatasetIngestedTrigger",
    "AepExportsTrigger",
]
