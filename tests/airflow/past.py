"""A made past, served over HTTP as of a moment, and DAG runs of that moment as the scheduler makes them.

``dag.test()`` makes DAG runs by hand, with the data interval of such. Whether checks tell everything once
depends on the dates, types and intervals of DAG runs, so here the DAG's own timetable is asked for them.
"""

from __future__ import annotations

import random
import runpy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import pendulum
import pytest
from airflow.models import DagRun
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.timetables.base import TimeRestriction
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType
from sqlalchemy import select

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.replies import Refusal, bad_request, not_found
from airflow_provider_aep.emulator.service import LOGIN_PATH
from airflow_provider_aep.errors import AepNotFoundError
from airflow_provider_aep.flowservice.exchange import BASE_PATH, Request, Response
from airflow_provider_aep.operators import monitoring
from airflow_provider_aep.sensors import runs
from tests.airflow.conftest import HOME
from tests.truth.checks import AFTER
from tests.truth.listing import Service
from tests.truth.making import Habits, Maker
from tests.truth.world import HOUR, MINUTE, Export, Fate, World

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
# The tick at which things go wrong. By then every export has a past.
TICK = datetime(2026, 3, 9, 3, tzinfo=UTC)
ENDS = TICK + timedelta(days=2)
IN_TIME = 4 * MINUTE

Turn = Callable[..., Any]


@dataclass(slots=True, kw_only=True)
class Written(Maker):
    """Makes an export whose ticks go as written, and well where nothing is written.

    :param started: how long after its tick a run starts.
    """

    written: Mapping[datetime, Fate] = field(default_factory=dict)
    started: Mapping[datetime, timedelta] = field(default_factory=dict)

    def _delays(self, owed: Sequence[tuple[datetime, timedelta]]) -> list[tuple[timedelta, ...]]:
        return [(self.started.get(at, IN_TIME),) * self.habits.runs_a_tick for at, _ in owed]

    def _fate(self, at: datetime, *others: Any) -> Fate:
        return self.written.get(at, "good")


def export(
    name: str,
    *,
    every: int,
    written: Mapping[datetime, Fate] = {},
    started: Mapping[datetime, timedelta] = {},
    datasets: int = 1,
) -> Export:
    """An export every so many hours, with one run for each dataset."""
    return Written(
        rng=random.Random(name),
        id=name,
        habits=Habits(every=every, datasets=datasets, runs_a_tick=datasets, takes=(8, 12)),
        created=BEGAN,
        start=BEGAN + 3 * HOUR,
        until=ENDS,
        end=ENDS + timedelta(days=180),
        written=written,
        started=started,
    ).make()


class Past:
    """What a service lists, behind the emulator's door: its login, its headers, its words for no."""

    def __init__(self, emulator: Emulator, service: Service) -> None:
        self._door, self._login, self._service = emulator._gateway, emulator.answer, service

    def answer(self, request: Request) -> tuple[Response, None]:
        url = urlsplit(request.path)
        if url.path == LOGIN_PATH:
            return self._login(request)[0], None
        try:
            self._door.check(request.headers)
            asked = Request(request.method, url.path.removeprefix(BASE_PATH), params=parse_qsl(url.query))
            return self._service.send(asked), None
        except Refusal as refusal:
            return refusal.response("past"), None
        except AepNotFoundError:
            return not_found("entity", url.path).response("past"), None
        except AssertionError as error:
            return bad_request(str(error)).response("past"), None


@pytest.fixture
def serve_past(aep_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Service]:
    """``serve_past(export, ...)``: what ``aep_default`` lists. ``now`` of the result is the time of tasks."""

    def serve(*exports: Export) -> Service:
        service = Service(World(name="past", exports=exports, began=BEGAN, ends=ENDS, checked_from=BEGAN))
        monkeypatch.setattr(aep_emulator, "answer", Past(aep_emulator, service).answer)

        class ThatTime(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return service.now.astimezone(tz)

        monkeypatch.setattr(monitoring, "datetime", ThatTime)
        monkeypatch.setattr(runs, "datetime", ThatTime)
        return service

    return serve


@pytest.fixture
def turn(run_dag: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Turn:
    """``turn("aep_check_exports", at)``: the finished DAG run that the timetable makes at ``at``.

    ``kind`` may be ``backfill``, or ``manual`` for one that is triggered by hand at that moment; ``undated``
    makes that without a logical date, which is what Airflow 3 does unless one is given.
    ``turn(dag_id, cleared=run)`` clears a DAG run and runs its tasks again. All else goes to ``run_dag``.
    """
    planned: dict[str, Any] = {}
    with create_session() as session:  # those of other tests have the same dates
        for run in session.scalars(select(DagRun)):
            session.delete(run)

    def create(*, dag: Any, session: Any, **given: Any) -> DagRun:
        if "cleared" in planned:
            run = session.get(DagRun, planned["cleared"].id)
            run.dag = dag
            run.state = DagRunState.RUNNING
            session.commit()
            return run
        return dag.create_dagrun(session=session, state=DagRunState.RUNNING, **{**given, **planned})

    if AIRFLOW_V_3_0_PLUS:
        monkeypatch.setattr("airflow.models.dagrun.get_or_create_dagrun", create)
    else:
        monkeypatch.setattr("airflow.models.dag._get_or_create_dagrun", create)

    def take(
        dag_id: str,
        at: datetime | None = None,
        *,
        kind: Literal["scheduled", "manual", "backfill"] = "scheduled",
        undated: bool = False,
        cleared: DagRun | None = None,
        **given: Any,
    ) -> Any:
        planned.clear()
        if cleared is not None:
            planned["cleared"] = cleared
            return run_dag(dag_id, at=cleared.logical_date, **given)
        assert at is not None
        timetable = timetable_of(dag_id)
        if kind == "manual":
            date, interval = at, timetable.infer_manual_data_interval(run_after=pendulum.instance(at))
        else:
            date, interval = due(timetable, at)
        planned["run_type"] = DagRunType(kind)
        planned["run_id"] = f"{kind}__{at.isoformat()}"
        planned["data_interval"] = None if undated else interval
        if AIRFLOW_V_3_0_PLUS:
            planned.update(logical_date=None if undated else date, run_after=at)
            sync_once(dag_id, monkeypatch)
        return run_dag(dag_id, at=date, **given)

    return take


def timetable_of(dag_id: str) -> Any:
    """The timetable as the scheduler knows it."""
    timetable = runpy.run_path(str(HOME / "dags" / f"{dag_id}.py"))["dag"].timetable
    if AIRFLOW_V_3_0_PLUS:
        from airflow.serialization.encoders import coerce_to_core_timetable

        return coerce_to_core_timetable(timetable)
    return timetable


def due(timetable: Any, at: datetime) -> tuple[datetime, Any]:
    """Logical date and data interval of the DAG run that is due at a moment."""
    for earlier in (timedelta(), HOUR, 24 * HOUR):
        since = TimeRestriction(earliest=pendulum.instance(at - earlier), latest=None, catchup=True)
        info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=since)
        if info.run_after == at:
            return info.logical_date, info.data_interval
    raise AssertionError(f"no DAG run is due at {at}")


def sync_once(dag_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3's ``dag.test()`` reads every DAG file each time, which takes far longer than a check."""
    from airflow.models.dag_version import DagVersion

    if DagVersion.get_version(dag_id):
        monkeypatch.setattr("airflow.dag_processing.dagbag.BundleDagBag", lambda **given: None)
        monkeypatch.setattr("airflow.dag_processing.dagbag.sync_bag_to_db", lambda *given: None)


def check_at(service: Service, at: datetime) -> datetime:
    """Move the service to where a check that is due at a moment finds it; the moment."""
    service.now = at + AFTER
    return at
