"""The hook, and what needs Airflow around it: connections, sessions, metrics, and declared exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_aep.hooks.aep import AepHook

if TYPE_CHECKING:
    from airflow_provider_aep.hooks.connection import AepConnection

__all__ = ["AepConnection", "AepHook"]


def __getattr__(name: str) -> Any:
    # A process that sends nothing need not load it.
    if name == "AepConnection":
        from airflow_provider_aep.hooks.connection import AepConnection

        return AepConnection
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
