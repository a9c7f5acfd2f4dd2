"""A DAG that tells of an export as a sensor does: by the events of its outlets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task

from airflow_provider_aep.assets import emit_asset_events, export_asset

EXPORT = export_asset(
    org="1234567890ABCDEF@AdobeOrg", sandbox="prod", dataset="CRM Profiles", export="nightly"
)
OTHER = Asset(uri="s3://acme/other")

with DAG("aep_events", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False) as dag:

    @task(outlets=[EXPORT, OTHER])
    def tell(**context: Any) -> None:
        emit_asset_events(context, context["task"].outlets, {"records": 5, "paths": ["s3://acme/x/"]})

    tell()
