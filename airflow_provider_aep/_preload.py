"""What a scheduler with the LocalExecutor loads at its start, so that none of its tasks has to.

Tasks of that executor are forks of the scheduler. What it has loaded costs them nothing; without it, each
start of a worker that waits for an export spends a fifth of its CPU on imports. All other processes are left
alone. Like anything that the scheduler has loaded, a new version of it takes a restart.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module

from airflow_provider_aep._airflow import conf

# What a task loads that waits: it defers, it judges, or it asks.
_PACKAGE = "airflow_provider_aep"
WAITING = (
    "sensors.runs",
    "sensors.startable",
    "sensors.conclusion",
    "triggers.dataflow_runs",
    "hooks.days",
    "hooks.sessions",
    "monitoring.judging",
    "monitoring.poll",
    "monitoring.incidents",
    "assets.lineage",
)


def preload() -> None:
    """Load it, if this process is such a scheduler."""
    if sys.argv[1:2] != ["scheduler"] or "LocalExecutor" not in conf.get("core", "executor", fallback=""):
        return
    try:
        for module in (*(f"{_PACKAGE}.{each}" for each in WAITING), "requests"):
            import_module(module)
    except Exception:
        # The scheduler does without; the task that needs the module fails, and says why.
        logging.getLogger(__name__).warning("AEP: the provider's modules cannot be loaded", exc_info=True)
