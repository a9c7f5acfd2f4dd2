"""A month of nine exports in the emulator, for the page to show: most went well, and some did not.

The emulator begins ``DAYS`` ago and is taken through them to the present, so that what a real Airflow shows
of it has the times and gaps of a real schedule.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.service import Emulator
from airflow_provider_aep.exports.apply import ensure_exports
from airflow_provider_aep.exports.credentials import Logins
from airflow_provider_aep.exports.spec import parse_spec
from airflow_provider_aep.flowservice.dataflows import create_dataflow, get_dataflow, set_dataflow_state
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.schedule import parse_schedule
from tools.provisioning import session_of

DAYS = 33
RUN_SECONDS = 240
CRM, LOYALTY = "5ef3e3259ad2a1191ab7dd7d", "5ef3e324ab7dd7d3259a1191"
EVENTS, ORDERS = "6501aa10c2d3e4f5061728a1", "6501aa10c2d3e4f5061728a2"

PLACES: Mapping[str, Mapping[str, str]] = {
    "s3": {"bucketName": "acme-exports", "path": "aep"},
    "gcs": {"bucketName": "acme-exports", "path": "aep"},
    "azure_blob": {"container": "acme-exports", "path": "aep"},
    "data_landing_zone": {"path": "aep"},
    "sftp": {"remotePath": "aep"},
}
LOGINS: Mapping[str, Mapping[str, Any]] = {
    "s3": {
        "specName": "Access Key",
        "params": {"s3AccessKey": "AKIAEXAMPLE234567ABC", "s3SecretKey": "abcd" * 10},
    },
    "azure_blob": {"specName": "ConnectionString", "params": {"connectionString": "made up"}},
    "gcs": {
        "specName": "Google Cloud Storage authentication credentials",
        "params": {"accessKeyId": "made up", "secretAccessKey": "made up"},
    },
    "sftp": {
        "specName": "SFTP with Password",
        "params": {"domain": "files.example", "username": "aep", "password": "made up"},
    },
}


@dataclass(frozen=True, eq=False)
class Export:
    """One export of the story.

    :param odd: how runs that were not good ended: position, counted back from the last tick, and kind.
    :param days_left: when its schedule ends.
    :param days: how long ago it began; of a late one the first, full export is still among the last ticks.
    """

    name: str
    destination: str
    every: str
    datasets: tuple[str, ...]
    odd: Mapping[int, str]
    days_left: int = 300
    days: int = DAYS

    @property
    def hours(self) -> int:
        return 24 if self.every == "1d" else int(self.every[:-1])


EXPORTS = (
    Export("crm-nightly", "s3", "1d", (CRM,), {9: "zero", 17: "failed"}),
    Export("loyalty-profiles", "azure_blob", "6h", (LOYALTY,), {1: "failed", 2: "failed", 11: "late"}),
    Export("web-events", "gcs", "3h", (EVENTS,), {8: "partial", 20: "zero", 21: "zero"}),
    Export("store-orders", "s3", "3h", (ORDERS,), {7: "never", 8: "never"}),
    Export("consent-log", "data_landing_zone", "12h", (CRM,), {5: "late"}, days_left=4),
    Export("email-engagement", "sftp", "6h", (CRM, LOYALTY), {1: "zero", 14: "failed"}),
    Export("offers-shown", "data_landing_zone", "1d", (EVENTS,), {3: "zero"}),
    Export("partner-feed", "azure_blob", "9h", (LOYALTY, ORDERS), {1: "in_progress"}),
    Export("audience-snapshots", "gcs", "1d", (CRM,), dict.fromkeys((1, 2, 3), "in_progress"), days=21),
)
DISABLED = "offers-shown"


def _ticks(export: Export) -> int:
    return export.days * 24 // export.hours - 1


class Story:
    """The emulator after all of it; ``ids`` has each dataflow by name.

    :param now: the present, in epoch seconds; the emulator's time goes on from there.
    """

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self._begin = now() - DAYS * 86400
        self.clock = Clock(source=lambda: now() - DAYS * 86400)
        self.emulator = Emulator(clock=self.clock, run_seconds=RUN_SECONDS, page_size=100)
        self._session = session_of(self.emulator, now=self.clock)
        self.ids: dict[str, str] = {}
        self._tell()

    def run(self, exchange: Exchange[Any], sandbox: str = "prod") -> Any:
        return drive(self._session.conduct(exchange, sandbox=sandbox), self.emulator)

    def create(self, export: Export, *, sandbox: str = "prod") -> str:
        """Ensure the export as a spec would; the dataflow's id."""
        now = datetime.fromtimestamp(self.clock(), tz=UTC)
        login = LOGINS.get(export.destination)
        destination = {
            "type": export.destination,
            "params": {**PLACES[export.destination], "datasetFileType": "PARQUET"},
            **({"credentials_conn_id": f"aep_{export.destination}"} if login else {}),
        }
        end = datetime.fromtimestamp(self._begin, tz=UTC) + timedelta(days=DAYS + export.days_left)
        spec = parse_spec(
            {
                "name": export.name,
                "datasets": list(export.datasets),
                "destination": destination,
                "schedule": {
                    "every": export.every,
                    "start": (now + timedelta(minutes=1)).isoformat(),
                    "end": end.isoformat(),
                },
            }
        )
        logins: Logins = {(slug, f"aep_{slug}"): dict(login) for slug, login in LOGINS.items()}
        (outcome,) = self.run(ensure_exports([spec], sandbox=sandbox, now=now, logins=logins), sandbox)
        if outcome.error:
            raise outcome.error
        return next(
            str(flow["id"])
            for flow in self.emulator.entities("flows", sandbox)
            if flow["name"] == export.name
        )

    def copy(self, name: str, new_name: str) -> str:
        """A dataflow between the connections of another, that only begins; its id."""
        now = datetime.fromtimestamp(self.clock(), tz=UTC)
        there = self.run(get_dataflow(self.ids[name]))
        made = create_dataflow(
            name=new_name,
            destination=DESTINATIONS[there.destination],
            source_connection_id=there.source_connection_ids[0],
            target_connection_id=there.target_connection_ids[0],
            schedule=parse_schedule("1d", now=now),
            now=now,
        )
        return str(self.run(made).id)

    def fail_now(self, name: str) -> None:
        """A run of this export that fails at this moment."""
        dataflow_id = self.ids[name]
        self.emulator.script_runs(dataflow_id, ["in_progress"])
        (run_id,) = self.emulator.run_now(dataflow_id)
        self.emulator.finish_run(run_id, "failed")

    def _tell(self) -> None:
        dice = random.Random(3)
        # Each has ticked last some time ago, as if people had set them up at different times of the day.
        begins = {
            export: DAYS * 86400 - (_ticks(export) - 1) * export.hours * 3600 - dice.uniform(1200, 9600)
            for export in EXPORTS
        }
        for export, begin in sorted(begins.items(), key=lambda item: item[1]):
            kinds = ["success"] * _ticks(export)
            for back, kind in export.odd.items():
                kinds[-back] = kind
            self.emulator.script_runs(export.name, kinds)
            self._until(begin - 60)
            self.ids[export.name] = self.create(export)
        self._until((DAYS - 0.9) * 86400)
        self.run(set_dataflow_state(self.ids[DISABLED], "disabled"))
        self._until(DAYS * 86400)

    def _until(self, seconds: float) -> None:
        """Go on to so many seconds after the beginning, unless that is over."""
        step = self._begin + seconds - self.clock()
        if step > 0:
            self.clock.advance(step)
            for _ in range(5):  # one call catches up with 500 ticks
                self.emulator.tick()
