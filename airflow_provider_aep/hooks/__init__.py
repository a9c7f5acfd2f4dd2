"""The hook, and what it takes of Airflow: connections, sessions, metrics, and declared exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_aep._lazy import lazily
from airflow_provider_aep.hooks.aep import AepHook

if TYPE_CHECKING:
    from airflow_provider_aep.hooks.connection import AepConnection

__all__ = ["AepConnection", "AepHook"]

# Who asks nothing need not load it.
__getattr__ = lazily(__name__, {"AepConnection": "connection"})
