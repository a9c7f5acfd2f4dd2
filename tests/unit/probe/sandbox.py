"""A sandbox that can tell everything: many exports to two storages, days of runs of every kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from airflow_provider_aep.emulator import Clock, Emulator
from airflow_provider_aep.flowservice.connections import (
    create_base_connection,
    create_source_connection,
    create_target_connection,
)
from airflow_provider_aep.flowservice.dataflows import create_dataflow, update_schedule
from airflow_provider_aep.flowservice.destinations import DATA_LANDING_ZONE, S3
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.schedule import parse_schedule
from airflow_provider_aep.flowservice.session import AepSession
from airflow_provider_aep.probe.assumption import Result
from airflow_provider_aep.probe.export import Left, ProbeExport
from airflow_provider_aep.probe.report import examine
from tests.worlds.sandbox import copied
from tools.provisioning import session_of

T = TypeVar("T")
NOW = 1_800_000_000.0
SECRET = "Recognizable0Secret0Recognizable0Secret0"
NAME, DESCRIPTION = "Zanzibar", "Orders of Zanzibar for the CRM team"
S3_LOGIN = {
    "specName": "Access Key",
    "params": {"s3AccessKey": "AKIAZANZIBARZANZIBAR", "s3SecretKey": SECRET},
}
EXPORTS = 22


@dataclass
class Place:
    """An emulator, a session that talks to it in its development sandbox, and pauses that take no time."""

    emulator: Emulator
    clock: Clock
    session: AepSession
    sandbox: str = "dev"
    pauses: list[float] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    def run(self, exchange: Exchange[T]) -> T:
        return drive(self.session.conduct(exchange, sandbox=self.sandbox), self.emulator, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), tz=UTC)

    def export(self, **given: Any) -> ProbeExport:
        dataset = self.emulator.datasets(self.sandbox)[0]
        given = {
            "destination": DATA_LANDING_ZONE,
            "dataset": {"id": dataset.id, "name": dataset.name},
            **given,
        }
        return ProbeExport(clock=self.now, **given)

    def look(self, *, write: bool = False, **given: Any) -> dict[str, Result]:
        written = None
        if write:
            export = self.export(**given)
            written = self.run(export.live())
            self.left = self.run(export.remove_all())
        results = self.run(examine(self.sandbox, clock=self.now, written=written))
        return {one.assumption.name: one for one in results}


def make_place(*, filled: bool = True, **given: Any) -> Place:
    """A place of its own. What is in it is made once, and copied."""
    return _placed(copied(_made(filled, tuple(given.items()))))


@cache
def _made(filled: bool, given: tuple[tuple[str, Any], ...]) -> Emulator:
    place = _placed(Emulator(clock=Clock(NOW), **dict(given)))
    if filled:
        fill(place)
    return place.emulator


def _placed(emulator: Emulator) -> Place:
    session = session_of(emulator, now=emulator.clock, jitter=lambda: 0.0)
    return Place(emulator, emulator.clock, session)


def fill(place: Place) -> None:
    datasets = [each.id for each in place.emulator.datasets(place.sandbox)]
    quiet = place.emulator.add_dataset(f"{NAME} archive", hourly=0, sandbox=place.sandbox).id
    run, clock = place.run, place.clock
    bases = {
        DATA_LANDING_ZONE.slug: run(
            create_base_connection(
                name=f"{NAME} zone", destination=DATA_LANDING_ZONE, login=None, description=DESCRIPTION
            )
        ),
        S3.slug: run(
            create_base_connection(
                name=f"{NAME} bucket", destination=S3, login=S3_LOGIN, description=DESCRIPTION
            )
        ),
    }
    flows = []
    for index in range(EXPORTS):
        clock.advance(60)
        destination = S3 if index % 5 == 4 else DATA_LANDING_ZONE
        flows.append(
            _export(
                place,
                f"{NAME} {index:02}",
                destination,
                bases[destination.slug].id,
                datasets[: 1 + index % 3],
            )
        )
    flows.append(_export(place, f"{NAME} archive", DATA_LANDING_ZONE, bases["data_landing_zone"].id, [quiet]))
    place.emulator.script_runs(f"{NAME} 02", ["success", "failed", "partial", "success_with_errors"])
    clock.advance(timedelta(days=2, hours=12).total_seconds())
    run(update_schedule(flows[1], {"every": "6h"}, now=place.now()))
    clock.advance(timedelta(hours=12).total_seconds())
    place.emulator.tick()


def _export(place: Place, name: str, destination: Any, base_id: str, datasets: list[str]) -> str:
    run = place.run
    told = {"name": name, "description": DESCRIPTION}
    source = run(
        create_source_connection(**told, datasets=[{"id": each, "name": f"{NAME} rows"} for each in datasets])
    )
    params = {"path": f"exports/{NAME}", "datasetFileType": "JSON"} | (
        {"bucketName": "zanzibar"} if destination is S3 else {}
    )
    target = run(
        create_target_connection(
            **told, destination=destination, base_connection_id=base_id, target_params=params
        )
    )
    made = run(
        create_dataflow(
            **told,
            destination=destination,
            source_connection_id=source.id,
            target_connection_id=target.id,
            schedule=parse_schedule(
                {
                    "every": "3h" if name.endswith(("00", "01", "02")) else "1d",
                    "start": place.now() + timedelta(minutes=5),
                },
                now=place.now(),
            ),
            now=place.now(),
        )
    )
    return made.id
