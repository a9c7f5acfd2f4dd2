"""Declared exports by a hook: how often the Airflow connection is asked for."""

from __future__ import annotations

from typing import Any

from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.hooks.declared import plan_specs

NIGHTLY = {
    "name": "nightly",
    "datasets": ["5ef3e3259ad2a1191ab7dd7d"],
    "destination": {"type": "data_landing_zone", "params": {"path": "aep", "datasetFileType": "PARQUET"}},
    "schedule": {"every": "3h", "end": "2099-06-01"},
}


def test_the_connection_is_read_once_however_many_sandboxes_there_are(aep, monkeypatch):
    reads: list[str] = []
    read = AepHook.get_connection

    def counted(conn_id: str) -> Any:
        reads.append(conn_id)
        return read(conn_id)

    monkeypatch.setattr(AepHook, "get_connection", staticmethod(counted))
    specs = [
        parse_spec({**NIGHTLY, "sandbox": sandbox, "datasets": [aep.datasets(sandbox or "prod")[0].id]})
        for sandbox in (None, "dev")
    ]

    outcomes = plan_specs(specs, hook=AepHook())
    assert [(one.plan and one.plan.sandbox, one.error) for one in outcomes] == [("prod", None), ("dev", None)]
    assert reads == ["aep_default"]
