"""What ``airflow.providers.common.compat.sdk`` of an older Airflow's own time lacks.

Tests and examples import Airflow's names from there, as DAG authors on 2.11 and 3 do. Airflow 2.11.0 and 3.0
lack the whole module, those up to 3.2 some names. The package itself does without it:
``test_airflow_names.py`` holds it to that.
"""

from __future__ import annotations

import sys
from importlib import import_module
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
    """Add what is missing; to be called before a test imports anything from there."""
    for flag in ("AIRFLOW_V_3_0_PLUS", "AIRFLOW_V_3_1_PLUS", "AIRFLOW_V_3_3_PLUS"):
        if not hasattr(version_compat, flag):
            setattr(version_compat, flag, getattr(_airflow, flag))
    try:
        sdk = import_module(SDK)
    except ImportError:
        sdk = sys.modules[SDK] = ModuleType(SDK)
    its_own = getattr(sdk, "__getattr__", None)

    def look_up(name: str) -> Any:
        if its_own:
            try:
                return its_own(name)
            except (AttributeError, ImportError):
                pass
        for place in MORE.get(name, ()):
            try:
                return getattr(import_module(place), name)
            except (AttributeError, ImportError):
                continue
        return getattr(_airflow, name)

    sdk.__getattr__ = look_up  # type: ignore[method-assign]
