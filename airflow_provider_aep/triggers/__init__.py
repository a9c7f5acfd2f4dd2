"""What waits in Airflow's triggerer. Airflow keeps the class paths that stand here in its database.

Each is imported on first use: a worker that defers pays for one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_aep._lazy import lazily

if TYPE_CHECKING:
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

__getattr__ = lazily(
    __name__,
    dict.fromkeys(__all__, "dataflow_runs") | {"AepDataflowRunFinishedTrigger": "finished_runs"},
)
