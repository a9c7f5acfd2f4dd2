"""A rival inside Airflow's triggerer: ``python -m benchmarks.monitor.triggerer`` with a job, as JSON.

It is the real one: Airflow's triggerer job with its supervisor in this process, its trigger runner in a child
of it, a database with deferred task instances. A thread of the supervisor conducts; the runner has the
recorder on top, and nothing else.
"""

# mypy: disallow-untyped-calls=False

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psutil
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.jobs import triggerer_job_runner
from airflow.jobs.job import Job as AirflowJob
from airflow.jobs.job import run_job
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType

from benchmarks.monitor.conductor import Conductor
from benchmarks.monitor.job import Job
from benchmarks.monitor.recorder import Recorder
from benchmarks.monitor.rivals import RIVALS

DAG_ID, TASK_ID, RUN_ID = "benchmark", "wait", "benchmark"

job = Job.from_json(sys.argv[1])
rival = RIVALS[job.rival]


class Told(deque[Any]):
    """One of the runner's outbound queues, recorded as it fills."""

    def __init__(self, tell: Any) -> None:
        super().__init__()
        self.tell = tell

    def append(self, told: Any, /) -> None:
        self.tell(told)
        super().append(told)


class RecordedRunner(triggerer_job_runner.TriggerRunner):
    def __init__(self) -> None:
        super().__init__()
        self.recorder = Recorder(job.records)
        self.events = Told(self._fired)
        self.failed_triggers = Told(self._failed)

    async def arun(self) -> None:
        self.recorder.watch_loop(asyncio.get_running_loop())
        await super().arun()

    async def run_trigger(self, trigger_id: int, trigger: Any, *args: Any, **kwargs: Any) -> None:
        self.recorder.started(trigger_id - 1)
        # Airflow takes one of the two; what follows an event, it waits for.
        for source in ("run", "filter_shared_stream"):
            if hasattr(trigger, source):
                setattr(trigger, source, partial(self._watched, trigger_id, getattr(trigger, source)))
        await super().run_trigger(trigger_id, trigger, *args, **kwargs)

    async def _watched(
        self, trigger_id: int, source: Callable[..., AsyncIterator[Any]], *args: Any
    ) -> AsyncIterator[Any]:
        async for event in source(*args):
            self.recorder.fired(trigger_id - 1)
            yield event

    def _fired(self, entry: triggerer_job_runner.TriggerEventEntry) -> None:
        payload = entry.event.payload
        self.recorder.ended(entry.trigger_id - 1, rival.succeeded(payload), payload)

    def _failed(self, failure: tuple[int, BaseException | None]) -> None:
        self.recorder.ended(failure[0] - 1, False, repr(failure[1]))


class RecordedSupervisor(triggerer_job_runner.TriggerRunnerSupervisor):
    @classmethod
    def run_in_process(cls) -> None:
        RecordedRunner().run()


def make_dag_run() -> None:
    with DAG(DAG_ID, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        EmptyOperator(task_id=TASK_ID)
    DagBundlesManager().sync_bundles_to_db()
    lazy = LazyDeserializedDAG.from_dag(dag)
    with create_session() as session:
        update_dag_parsing_results_in_db("dags-folder", None, [lazy], {}, None, set(), session=session)
    with create_session() as session:
        stored = SerializedDagModel.get(DAG_ID, session=session)
        assert stored is not None
        stored.dag.create_dagrun(
            run_id=RUN_ID,
            run_after=datetime.now(UTC),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            session=session,
        )


def defer(numbers: Sequence[int]) -> None:
    """A deferred task instance and its trigger, for each number."""
    with create_session() as session:
        stored = SerializedDagModel.get(DAG_ID, session=session)
        assert stored is not None
        task = stored.dag.get_task(TASK_ID)
        for number in numbers:
            trigger = Trigger(classpath=rival.classpath, kwargs=rival.kwargs(job, number))
            trigger.id = number + 1
            instance = TaskInstance(
                task,
                dag_version_id=stored.dag_version_id,
                run_id=RUN_ID,
                state=TaskInstanceState.DEFERRED,
                map_index=number,
            )
            instance.trigger_id, instance.next_method = trigger.id, "execute_complete"
            session.add_all([trigger, instance])


def main() -> None:
    rival.prepare(job.url)
    make_dag_run()
    triggerer_job_runner.TriggerRunnerSupervisor = RecordedSupervisor  # type: ignore[misc]
    runner = triggerer_job_runner.TriggererJobRunner(AirflowJob(), capacity=job.waiters + 1)

    def process() -> psutil.Process:
        assert runner.trigger_runner is not None
        return psutil.Process(runner.trigger_runner.pid)

    def conduct() -> None:
        Conductor(job=job, waits=rival.waits, process=process, start=defer).run()
        if runner.trigger_runner is not None:
            runner.trigger_runner.stop = True

    threading.Thread(target=conduct, daemon=True).start()
    run_job(job=runner.job, execute_callable=runner._execute)


if __name__ == "__main__":
    main()
