"""How dataflows tick and how their runs progress.

Times of runs are on the emulator's clock. Only the *distance* between two ticks is scaled: tick ``k`` of
a dataflow happens ``k * interval * hour`` seconds of the clock after its start, while its folder is named
after ``k * interval`` full hours, so that folders stay as distinct as in the real service.

Nothing runs in the background: each request first brings the state up to the clock.

Source: export datasets tutorial (first everything, then what was added), Destinations API reference (runs).
Assumed: a start in the past exports at once, and ticks count from there; a tick of a disabled dataflow is
skipped for good; the next run exports the rows of a failed one.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from airflow_provider_aep.emulator.entities import ACTIVATION, CONNECTORS, Document, Entities, milliseconds
from airflow_provider_aep.emulator.exporter import Exporter, Landed, door_of, folder_name
from airflow_provider_aep.emulator.lake import Dataset, Lake
from airflow_provider_aep.emulator.run_documents import KINDS, Exported, Frame, finished, in_progress
from airflow_provider_aep.emulator.schedule import FULL, Cadence
from airflow_provider_aep.emulator.settings import Settings
from airflow_provider_aep.emulator.specs import connection_specs

logger = logging.getLogger(__name__)

# The most that one call catches up with; the rest is left to the next, so that no response takes long.
TICKS_PER_CALL = 500
WORK_PER_CALL = 500
# Source: export datasets tutorial: the printed run without records took five milliseconds.
ZERO_SECONDS = 0.005
# A partial run loses one row in this many, and at least one.
ROWS_PER_BAD_ROW = 20


@dataclass(slots=True)
class Course:
    """Where a dataflow is in its schedule.

    :param anchor: when tick 0 happens.
    :param next: the number of the next tick.
    :param exported: how many rows of each dataset were delivered.
    :param minutes: export minutes in use, so that two exports never share a folder.
    """

    flow: Document
    cadence: Cadence
    anchor: float
    next: int = 0
    exported: dict[str, int] = field(default_factory=dict)
    minutes: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Underway:
    """A run that is not finished, or not listed yet.

    :param stops: its datasets, and how many rows each had when the run was due.
    """

    id: str
    course: Course
    kind: str
    stops: dict[str, int]
    nominal: float
    created: float
    ends: float
    document: Document | None = None


class Lifecycle:
    def __init__(
        self, settings: Settings, entities: Entities, lake: Lake, exporter: Exporter, *, org_id: str
    ) -> None:
        # Replaced when the emulator enters a world that changes a setting.
        self.settings = settings
        self._entities, self._lake = entities, lake
        self._exporter, self._org = exporter, org_id
        self._courses: dict[str, Course] = {}
        self._underway: list[Underway] = []
        self._scripts: dict[str | None, list[str]] = {}
        self._dice = random.Random(f"runs:{org_id}")

    # What happens to a dataflow

    def begin(self, flow: Document, now: float) -> None:
        cadence = Cadence.of(flow["scheduleParams"])
        ready = now + self.settings.initializing_seconds
        self._courses[flow["id"]] = Course(flow, cadence, max(cadence.start, ready))

    def rescheduled(self, flow: Document, now: float) -> None:
        """Follow a changed schedule: a new start or step restarts the count of ticks, a new end does not."""
        course, cadence = self._courses[flow["id"]], Cadence.of(flow["scheduleParams"])
        if (cadence.start, cadence.hours) != (course.cadence.start, course.cadence.hours):
            course.anchor, course.next = max(cadence.start, now), 0
        course.cadence = cadence

    def forget(self, flow: Document, now: float) -> None:
        # Assumed: runs stay readable after their dataflow is deleted, and runs under way are aborted.
        for run in [run for run in self._underway if run.course.flow is flow]:
            if run.document is None:
                self._underway.remove(run)
            else:
                self._finish(run, "failed", now)
        del self._courses[flow["id"]]

    def script(self, flow: str | None, kinds: Sequence[str]) -> None:
        _check_kinds(kinds)
        self._scripts.setdefault(flow, []).extend(kinds)

    def run_now(
        self, flow_id: str, now: float, datasets: Sequence[str] = (), *, apart: bool = False
    ) -> list[str]:
        """Export outside the schedule.

        :param datasets: only these; empty for all.
        :param apart: one run for each dataset.
        """
        runs = self._tick(self._courses[flow_id], now, now, tuple(datasets), apart=apart)
        self.catch_up(now)
        return [run.id for run in runs]

    def underway(self, flow_id: str, dataset_id: str) -> str | None:
        """The listed run that is exporting a dataset of a dataflow right now."""
        for run in self._underway:
            if run.document is not None and run.course.flow["id"] == flow_id and dataset_id in run.stops:
                return run.id
        return None

    def finish(self, run_id: str, kind: str, now: float) -> None:
        _check_kinds([kind])
        for run in self._underway:
            if run.id == run_id:
                # A late run that is not listed yet begins when it is ended.
                run.created = min(run.created, now)
                self._list(run)
                return self._finish(run, kind, now)
        raise KeyError(f"No run {run_id} is under way.")

    # Time

    def catch_up(self, now: float) -> None:
        """Bring everything up to a moment of the clock, in the order in which it happened."""
        for begun in self._courses.values():
            self._settle(begun, now)
        enough = self._exporter.work_done + WORK_PER_CALL
        for _ in range(TICKS_PER_CALL):
            course = min(self._courses.values(), key=self._due, default=None)
            if course is None or (due := self._due(course)) > now:
                break
            if self._exporter.work_done >= enough:
                break
            self._move_on(due)
            nominal = course.anchor + course.next * (course.cadence.hours or 0) * 3600
            course.next += 1
            if course.flow["state"] == "enabled":
                self._tick(course, due, nominal)
        self._move_on(now)

    def _move_on(self, now: float) -> None:
        """List the runs that have begun and finish those that are over."""
        for run in sorted(self._underway, key=lambda run: run.created):
            if run.created <= now:
                self._list(run)
        for run in sorted(self._underway, key=lambda run: run.ends):
            if run.ends <= now and run.document is not None:
                self._finish(run, run.kind, run.ends)

    def _due(self, course: Course) -> float:
        """When a dataflow ticks next; infinity if it never does."""
        if course.cadence.hours is None:
            due = course.anchor if course.next == 0 else math.inf
        else:
            due = course.anchor + course.next * course.cadence.hours * self.settings.hour
        return due if due < course.cadence.end else math.inf

    def _settle(self, course: Course, now: float) -> None:
        flow = course.flow
        ready = flow["createdAt"] / 1000 + self.settings.initializing_seconds
        if flow["state"] == "initializing" and now >= ready:
            self._entities.change("flows", flow, {"state": "enabled"}, by=CONNECTORS, at=ready)

    # Runs

    def _tick(
        self, course: Course, at: float, nominal: float, only: tuple[str, ...] = (), *, apart: bool = False
    ) -> list[Underway]:
        # Assumed: one run for all datasets of a dataflow; the documents could also mean one for each.
        datasets = only or self._datasets(course.flow)
        apart = apart or self.settings.run_per_dataset
        minute = math.floor(nominal / 60)
        while minute in course.minutes:
            minute += 1
        course.minutes.add(minute)
        runs = []
        for group in [(dataset_id,) for dataset_id in datasets] if apart else [datasets]:
            kind = self._next_kind(course.flow)
            if kind == "never":
                continue
            created = at + (self.settings.late_seconds if kind == "late" else 0)
            stops = {dataset_id: self._count(course.flow, dataset_id, at) for dataset_id in group}
            run = Underway(self._entities.new_id(), course, kind, stops, minute * 60, created, created)
            if kind == "in_progress":
                run.ends = math.inf
            elif kind in ("zero", "withheld") or not any(
                self._numbers(run, dataset_id) for dataset_id in group
            ):
                run.ends += min(ZERO_SECONDS, self.settings.run_seconds)
            else:
                run.ends += self.settings.run_seconds
            runs.append(run)
        self._underway += runs
        return runs

    def _next_kind(self, flow: Document) -> str:
        for key in (flow["id"], flow["name"], None):
            if queue := self._scripts.get(key):
                return queue.pop(0)
        return "success"

    def _list(self, run: Underway) -> None:
        if run.document is not None:
            return
        flow = run.course.flow
        started = milliseconds(run.created)
        document = {
            "id": run.id,
            "flowId": flow["id"],
            "flowSpec": flow["flowSpec"],
            "providerRefId": f"{self._dice.getrandbits(128):032x}",
            **in_progress(started),
        }
        run.document = self._entities.add(
            "runs", flow["sandboxName"], document, by=ACTIVATION, at=run.created
        )

    def _finish(self, run: Underway, kind: str, at: float) -> None:
        document, flow = run.document, run.course.flow
        if document is None:
            return
        self._underway.remove(run)
        try:
            exported = [self._export(run, kind, dataset_id) for dataset_id in run.stops]
        except (OSError, ValueError) as error:
            # A full disk, missing rights, an impossible file name: for the caller the run failed, as it would
            # at Adobe.
            logger.warning(
                "run %s of %r failed, as its files cannot be written: %s", run.id, flow["name"], error
            )
            kind, exported = "failed", []
        started = document["createdAt"]
        frame = Frame(
            flow["sourceConnectionIds"][0],
            flow["targetConnectionIds"][0],
            started,
            max(started, milliseconds(at)),
        )
        ending = finished(kind, frame, exported)
        self._entities.change("runs", document, ending, by=CONNECTORS, at=at)
        details = {
            "id": run.id,
            # Assumed: a partial success is a success here; the reference has only these two words.
            "state": "failed" if kind == "failed" else "success",
            "startedAtUTC": frame.started,
            "completedAtUTC": frame.completed,
        }
        # Assumed: the end of a run is one of the background changes that move a dataflow's etag.
        self._entities.change("flows", flow, {"lastRunDetails": details}, by=CONNECTORS, at=at)

    def _export(self, run: Underway, kind: str, dataset_id: str) -> Exported:
        numbers = self._numbers(run, dataset_id)
        dataset = self._dataset(run.course.flow, dataset_id)
        if kind == "withheld":
            # The rows count as exported, and no later run delivers them.
            run.course.exported[dataset_id] = numbers.stop
        if kind in ("failed", "zero", "withheld") or not numbers or dataset is None:
            return Exported(dataset_id, 0, 0, 0, 0)
        bad = math.ceil(len(numbers) / ROWS_PER_BAD_ROW) if kind == "partial" else 0
        landed = self._land(run, dataset, numbers[: len(numbers) - bad])
        run.course.exported[dataset_id] = numbers.stop
        return Exported(dataset_id, len(numbers), landed.rows, landed.files, landed.bytes)

    def _land(self, run: Underway, dataset: Dataset, numbers: range) -> Landed:
        flow = run.course.flow
        sandbox = flow["sandboxName"]
        target = self._entities.get("targetConnections", sandbox, flow["targetConnectionIds"][0])
        base = self._entities.find("connections", sandbox, target["baseConnectionId"])
        schedule = flow["scheduleParams"]
        names = {
            "DATASET_ID": dataset.id,
            "DATASET_NAME": dataset.name,
            "DESTINATION": connection_specs()
            .get(target["connectionSpec"]["id"], {})
            .get("name", "elsewhere"),
            "DESTINATION_INSTANCE_NAME": flow["name"],
            "DESTINATION_INSTANCE_ID": flow["id"],
            "SANDBOX_NAME": sandbox,
            "ORGANIZATION_NAME": self._org,
        }
        # The tutorial and the reference spell this key differently.
        template = schedule.get("foldernameTemplate") or schedule.get("folderNameTemplate")
        door = door_of(target, base, folder_name(template, run.nominal, names))
        return self._exporter.land(door, numbers, lambda number: self._lake.row(dataset, number))

    def _numbers(self, run: Underway, dataset_id: str) -> range:
        """The rows that a run must deliver: all of them, or those added since the last delivery."""
        full = run.course.flow["scheduleParams"].get("exportMode") == FULL
        first = 0 if full else run.course.exported.get(dataset_id, 0)
        return range(first, max(first, run.stops[dataset_id]))

    def _count(self, flow: Document, dataset_id: str, at: float) -> int:
        dataset = self._dataset(flow, dataset_id)
        return self._lake.count(dataset, at) if dataset else 0

    def _dataset(self, flow: Document, dataset_id: str) -> Dataset | None:
        return self._lake.find(dataset_id, flow["sandboxName"])

    def _datasets(self, flow: Document) -> tuple[str, ...]:
        source = self._entities.get("sourceConnections", flow["sandboxName"], flow["sourceConnectionIds"][0])
        return tuple(item["dataSetId"] for item in source["params"]["datasets"])


def _check_kinds(kinds: Sequence[str]) -> None:
    if unknown := sorted({str(kind) for kind in kinds} - set(KINDS)):
        raise ValueError(f"No such kind of run: {', '.join(unknown)}; choose from {', '.join(KINDS)}.")
