"""``airflow.providers.common.compat.sdk`` where the one of Airflow's own time has no such module.

Tests and examples import Airflow's names from there, as DAG authors on 2.11 and 3 do. On Airflow 2.11.0 and
3.0 this takes its place. The package itself does without: ``test_airflow_names.py`` holds it to that.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from airflow.providers.common.compat import version_compat

from airflow_provider_aep import _airflow

SDK = "airflow.providers.common.compat.sdk"
# What only tests and examples use, the newest first, as in `_airflow.PLACES`.
MORE = {
    "AirflowException": ("airflow.exceptions",),
    "DAG": ("airflow.sdk", "airflow.models.dag"),
    "Param": ("airflow.sdk", "airflow.models.param"),
    "TaskDeferred": ("airflow.exceptions",),
    "get_current_context": ("airflow.sdk", "airflow.operators.python"),
    "task": ("airflow.sdk", "airflow.decorators"),
    "task_group": ("airflow.sdk", "airflow.decorators"),
}


def stand_in() -> None:
    """Put the module in place where it is missing; tests call this before they import anything of it."""
    for flag in ("AIRFLOW_V_3_0_PLUS", "AIRFLOW_V_3_1_PLUS", "AIRFLOW_V_3_3_PLUS"):
        if not hasattr(version_compat, flag):
            setattr(version_compat, flag, getattr(_airflow, flag))
    if find_spec(SDK) is None:
        module = ModuleType(SDK)
        module.__getattr__ = _look_up  # type: ignore[method-assign]
        sys.modules[SDK] = module


def _look_up(name: str) -> Any:
    for place in MORE.get(name, ()):
        try:
            return getattr(import_module(place), name)
        except (ImportError, AttributeError):
            continue
    return getattr(_airflow, name)
