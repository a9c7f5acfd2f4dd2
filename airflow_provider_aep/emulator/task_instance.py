"""The part of Airflow's task instance that operators and sensors use, and a context around it.

It lets a test run a task without a DAG run and without a database: ``task.execute(context)``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any


@dataclass
class FakeTaskInstance:
    """Keeps XComs, which must be plain JSON: Airflow stores nothing else by default.

    :param xcoms: what tasks have pushed, by task id, map index and key.
    :param earlier: what the same task pushed in the DAG runs before this one, by key.
    """

    dag_id: str = "exports"
    run_id: str = "manual__2026-12-01"
    task_id: str = "task"
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    state: str | None = "success"
    xcoms: dict[tuple[str, int, str], Any] = field(default_factory=dict)
    earlier: dict[str, Any] = field(default_factory=dict)
    first_look: datetime | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        kept = json.loads(json.dumps(value))
        assert kept == value
        assert value is not None, f"Airflow 3.0 refuses an XCom of None: {key}"
        self.xcoms[self.task_id, self.map_index, key] = kept

    def xcom_pull(
        self, *, key: str, task_ids: str, map_indexes: int, include_prior_dates: bool = False
    ) -> Any:
        before = self.earlier.get(key) if include_prior_dates and task_ids == self.task_id else None
        return self.xcoms.get((task_ids, map_indexes, key), before)

    def pushed(self, key: str) -> Any:
        return self.xcoms.get((self.task_id, self.map_index, key))

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return self.first_look


def context_of(ti: FakeTaskInstance, **more: Any) -> dict[str, Any]:
    """A context for ``execute``: of a DAG run that was triggered manually and has no data interval.

    :param more: further members, such as ``data_interval_start``.
    """
    run = SimpleNamespace(run_after=None, start_date=None, run_id=ti.run_id)
    return {"ti": ti, "dag": None, "dag_run": run, "params": {}, **more}
