"""The plugin class that Airflow loads. Every Airflow process imports this module, so it imports little."""

from __future__ import annotations

from typing import Any

from airflow_provider_aep._airflow import AIRFLOW_V_3_1_PLUS, AIRFLOW_V_3_3_PLUS, AirflowPlugin

# Before Airflow 3.3, the browser resolves the URL against Airflow's own script in `static/assets/`.
BUNDLE = "aep/static/exports.js" if AIRFLOW_V_3_3_PLUS else "../../aep/static/exports.js"


class LazyApp:
    """The page's server side, imported at its first request, and so only in the API server."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from airflow_provider_aep.page.app import app

        await app(scope, receive, send)


class AepPlugin(AirflowPlugin):
    """ "AEP exports" in the navigation, and a tab on task instances.

    Airflow before 3.1 supports no React apps, so there the plugin adds nothing.
    """

    name = "aep"

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Airflow calls it in each process that loads plugins; the scheduler does before its first task."""
        from airflow_provider_aep._preload import preload

        preload()

    if AIRFLOW_V_3_1_PLUS:
        fastapi_apps = [{"app": LazyApp(), "url_prefix": "/aep", "name": "AEP exports"}]
        react_apps = [
            {
                "name": "AEP exports",
                "bundle_url": BUNDLE,
                "destination": "nav",
                "category": "browse",
                "url_route": "aep-exports",
            },
            {
                "name": "AEP run",
                "bundle_url": BUNDLE,
                "destination": "task_instance",
                "url_route": "aep-run",
            },
        ]
