"""What Airflow's database, task logs and homes say of the tasks of a soak's DAG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tools.soak_service import Export

TASK = "wait"
ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass(frozen=True)
class Ending:
    """How one task instance ended.

    :param tries: how many tries there were, those in the history included.
    :param resumed: how often its log says that it was taken up again after the wait.
    :param verdict: what it kept for the notifier; ``returned`` what it returned, ``told`` each of its asset
        events.
    """

    state: str | None
    tries: int
    resumed: int
    verdict: dict[str, Any]
    returned: dict[str, Any]
    told: tuple[dict[str, Any], ...]

    def right(self, export: Export) -> bool:
        """Whether it is the ending that the export's run had to bring about."""
        due = (export.outcome, [export.run_id])
        good = export.outcome != "fail"
        returned = self.returned.get("outcome"), self.returned.get("run_ids")
        return (
            self.state == ("success" if good else "failed")
            and (self.verdict.get("outcome"), self.verdict.get("run_ids")) == due
            and returned == (due if good else (None, None))
            and all(event["run_ids"] == [export.run_id] for event in self.told)
        )

    def once(self, export: Export, *, met: bool) -> bool:
        """Whether it came about once.

        :param met: Airflow may have made further attempts, so only what was told counts.
        """
        told_once = len(self.told) == int(export.outcome != "fail")
        return told_once and (met or (self.tries, self.resumed) == (1, 1))


class Ledger:
    """A reader of Airflow's PostgreSQL database and of its homes, about the tasks of one DAG.

    A map index is -1 where the task is not mapped.
    """

    def __init__(self, url: str, homes: Sequence[Path], dag_id: str) -> None:
        # No connection is kept: the server goes before we do.
        self._engine = create_engine(url, poolclass=NullPool)
        self._homes = homes
        self._dag_id = dag_id

    def files(self, pattern: str) -> list[Path]:
        """The files of the homes that fit a pattern."""
        return [file for home in self._homes for file in home.glob(pattern)]

    def holders(self) -> dict[int, int | None]:
        """Which triggerer, by its job id, holds which deferred task, by map index."""
        return dict(
            self._rows(
                "SELECT map_index, triggerer_id FROM task_instance JOIN trigger ON trigger.id = trigger_id "
                "WHERE dag_id = :dag AND task_id = :task AND state = 'deferred'"
            )
        )

    def states(self) -> Counter[str | None]:
        return Counter(state for _, state in self._instances())

    def ended(self) -> set[int]:
        """The map indexes of the tasks that have ended."""
        return {index for index, state in self._instances() if state in ENDED}

    def in_airflows_hands(self) -> set[int]:
        """The map indexes of the tasks that neither wait nor have ended: scheduled, queued, or running."""
        return {index for index, state in self._instances() if state not in ENDED | {"deferred"}}

    def hosts(self) -> Counter[str]:
        """How many tasks ended on which worker."""
        rows = self._rows("SELECT hostname FROM task_instance WHERE dag_id = :dag AND task_id = :task")
        return Counter(host for (host,) in rows)

    def alive(self) -> dict[str, int]:
        """How many components have started and not ended, by type, such as ``SchedulerJob``."""
        return dict(
            self._rows("SELECT job_type, count(*) FROM job WHERE state = 'running' GROUP BY job_type")
        )

    def triggers_left(self) -> int:
        return int(self._rows("SELECT count(*) FROM trigger")[0][0])

    def stopped_triggerers(self, seconds: float) -> set[int]:
        """Job ids of triggerers that have given no sign of life for so long."""
        rows = self._rows(
            "SELECT id FROM job WHERE job_type = 'TriggererJob' AND end_date IS NULL "
            "AND latest_heartbeat < now() - make_interval(secs => :seconds)",
            seconds=seconds,
        )
        return {job_id for (job_id,) in rows}

    def endings(self) -> dict[int, Ending]:
        """By map index."""
        tries = self.tries()
        xcoms = {
            (index, key): value
            for index, key, value in self._rows(
                "SELECT map_index, key, value FROM xcom WHERE dag_id = :dag AND task_id = :task"
            )
        }
        events: dict[int, list[dict[str, Any]]] = {}
        for index, extra in self._rows(
            "SELECT source_map_index, extra FROM asset_event "
            "WHERE source_dag_id = :dag AND source_task_id = :task"
        ):
            events.setdefault(index, []).append(extra)
        return {
            index: Ending(
                state=state,
                tries=tries[index],
                resumed=self._resumed(index),
                verdict=xcoms.get((index, "aep_verdict"), {}),
                returned=xcoms.get((index, "return_value"), {}),
                told=tuple(events.get(index, ())),
            )
            for index, state in self._instances()
        }

    def tries(self) -> Counter[int]:
        """How many attempts there were, by map index."""
        return Counter(
            index
            for table in ("task_instance", "task_instance_history")
            for (index,) in self._rows(
                f"SELECT map_index FROM {table} WHERE dag_id = :dag AND task_id = :task"  # noqa: S608
            )
        )

    def starts(self) -> int:
        """How many processes have worked on a task."""
        return sum(self._resumed(index) + 1 for index, _ in self._instances())

    def _instances(self) -> Sequence[Any]:
        return self._rows(
            "SELECT map_index, state FROM task_instance WHERE dag_id = :dag AND task_id = :task"
        )

    def _resumed(self, index: int) -> int:
        """Each process that worked on a task begins with that line; the first one deferred."""
        mapped = f"map_index={index}/" if index >= 0 else ""
        logs = self.files(f"logs/dag_id={self._dag_id}/*/task_id={TASK}/{mapped}attempt=*.log")
        return sum(log.read_text().count("::group::Pre Execute") for log in logs) - 1

    def _rows(self, query: str, **values: Any) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(text(query), {"dag": self._dag_id, "task": TASK, **values}).fetchall()
