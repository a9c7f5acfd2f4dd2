"""The same, each a task of its own in the DAG, as sensors that start in the triggerer have to be."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import dag, task

GIVEN = json.loads(Path(os.environ["AEP_WHOLE"]).read_text())


@dag("whole_each", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))
def whole_each() -> None:
    # Or its dict would be taken apart, and sent once more.
    @task(multiple_outputs=False)
    def plain(number: int) -> dict[str, int]:
        return {"number": number}

    for number in range(GIVEN["tasks"]):
        plain.override(task_id=f"plain_{number}")(number)


whole_each()
