"""What a task's specs cost when the DAG is parsed: the documents of a path are checked once."""

from __future__ import annotations

import json
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_aep.exports import spec as specs
from airflow_provider_aep.operators.exports import AepPlanExportOperator

NIGHTLY = {
    "name": "nightly",
    "datasets": ["5ef3e3259ad2a1191ab7dd7d"],
    "destination": {"type": "data_landing_zone", "params": {"path": "aep", "datasetFileType": "PARQUET"}},
    "schedule": {"every": "3h", "end": "2099-06-01"},
}


def test_each_spec_of_a_path_is_checked_once_when_the_dag_is_parsed(tmp_path, monkeypatch):
    judged: list[Any] = []
    judge = specs.judge_document

    def counted(document: object) -> Any:
        judged.append(document)
        return judge(document)

    monkeypatch.setattr(specs, "judge_document", counted)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(json.dumps({**NIGHTLY, "name": name}))
    with DAG("exports", schedule=None) as dag:
        dag.fileloc = str(tmp_path / "dag.py")
        AepPlanExportOperator(task_id="folder", specs=".")
        assert [document["name"] for document in judged] == ["a", "b"]
        judged.clear()
        AepPlanExportOperator(task_id="file", spec="a.yaml")
        assert [document["name"] for document in judged] == ["a"]
