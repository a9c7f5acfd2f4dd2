"""The AEP connections of this Airflow, and which of them a viewer may see."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from airflow_provider_aep._airflow import conf

ENVIRONMENT = "AIRFLOW_CONN_"
# (connection id, sandbox or None for the connection's own)
Place = tuple[str, str | None]


def listed_places(session: Any) -> list[Place]:
    """Connections of type ``aep`` in Airflow's database and environment, and those that the setting names.

    Secrets backends cannot be listed: ``[aep] page_connections`` names theirs.
    """
    places: list[Place] = [
        (conn_id, None) for conn_id in (*_in_database(session), *_in_environment(os.environ))
    ]
    for word in conf.get("aep", "page_connections", fallback="").split(","):
        conn_id, _, sandbox = word.strip().partition("/")
        if conn_id:
            places.append((conn_id, sandbox.strip() or None))
    return sorted(set(places), key=lambda place: (place[0], place[1] or ""))


def permitted(places: Iterable[Place], user: Any) -> list[Place]:
    """The places whose connection the viewer may read."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
    from airflow.models.connection import Connection

    manager = get_auth_manager()
    places = list(places)
    allowed = {
        conn_id: manager.is_authorized_connection(
            method="GET",
            details=ConnectionDetails(conn_id=conn_id, **team_of(Connection, conn_id)),
            user=user,
        )
        for conn_id in {conn_id for conn_id, _ in places}
    }
    return [place for place in places if allowed[place[0]]]


def may_see_dag(dag_id: str, user: Any) -> bool:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
    from airflow.models.dag import DagModel

    details = DagDetails(id=dag_id, **team_of(DagModel, dag_id))
    return bool(get_auth_manager().is_authorized_dag(method="GET", details=details, user=user))


def authorized_dags(user: Any) -> set[str]:
    from airflow.api_fastapi.app import get_auth_manager

    return set(get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))


def team_of(model: Any, key: str) -> dict[str, Any]:
    """The team of a connection or a DAG, if this Airflow has teams."""
    return {"team_name": model.get_team_name(key)} if hasattr(model, "get_team_name") else {}


def _in_database(session: Any) -> list[str]:
    from airflow.models.connection import Connection
    from sqlalchemy import select

    return list(session.scalars(select(Connection.conn_id).where(Connection.conn_type == "aep")))


def _in_environment(environment: Any) -> list[str]:
    return [
        name.removeprefix(ENVIRONMENT).lower()
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT) and _is_aep(value)
    ]


def _is_aep(value: str) -> bool:
    if value.startswith("aep://"):
        return True
    try:
        given = json.loads(value)
    except ValueError:
        return False
    return isinstance(given, dict) and given.get("conn_type") == "aep"
