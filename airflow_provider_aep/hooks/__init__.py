"""The hook, and what it takes of Airflow: connections, sessions, metrics, and declared exports."""

from __future__ import annotations

from airflow_provider_aep.hooks.aep import AepHook
from airflow_provider_aep.hooks.connection import AepConnection

__all__ = ["AepConnection", "AepHook"]
