"""The state of an emulator in a file, so that it continues where it stopped.

The file is one JSON document that only its owner may read. It is written under another name and renamed, so a
reader never finds half of it. It holds no login: of a base connection's ``auth``, only what decides where
files land is kept. Tokens, ordered faults, the log, changed specs and the memories of worlds are not kept.

After a restart, the emulator catches up with what would have happened since, like a service that never stops.
"""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_aep.emulator.batches import Batch
from airflow_provider_aep.emulator.entities import Document
from airflow_provider_aep.emulator.journal import HIDDEN, without_secrets
from airflow_provider_aep.emulator.lake import Dataset
from airflow_provider_aep.emulator.lifecycle import Course, Underway
from airflow_provider_aep.emulator.schedule import Cadence
from airflow_provider_aep.emulator.service import Emulator

logger = logging.getLogger(__name__)

FORMAT = 1
# The members of a login that name the folder of exported files, and the day on which access was granted.
PLACES = ("authorizedDate", "domain", "url")


class StateFile:
    """The file of one emulator.

    :param path: the file; it is created if it does not exist.
    """

    def __init__(self, path: Path, emulator: Emulator) -> None:
        self._path, self._emulator = Path(os.path.realpath(path)), emulator
        self._saved = -1
        self._trouble = ""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock the file against other emulators, restore the emulator, and save once more at the end.

        :raises ValueError: another emulator uses the file, or it does not hold the state of such an emulator.
        :raises OSError: it cannot be read or written.
        """
        if self._path.exists() and not self._path.is_file():
            raise ValueError("it is not a file")  # reading a device, for instance, may never end
        with self._path.with_name(f"{self._path.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError("it is in use by another emulator") from None
            with suppress(FileNotFoundError):
                restore(self._emulator, self._path.read_bytes())
            self._write()
            try:
                yield
            finally:
                self.save()

    def save(self) -> None:
        """Write the file; a full disk is reported once, and does not stop the emulator."""
        try:
            self._write()
            self._trouble = ""
        except OSError as error:
            if self._trouble != (trouble := str(error.strerror)):
                logger.warning("The state cannot be written to %s: %s", self._path, trouble)
            self._trouble = trouble

    def save_if_changed(self) -> None:
        if self._emulator._world.entities._writes != self._saved:
            self.save()

    def _write(self) -> None:
        with self._emulator._lock:
            document = state_of(self._emulator)
            # Locked until after the rename, so that no older state replaces a newer one. The lock file keeps
            # other emulators away, so a fixed name is safe, and overwrites what a killed process left.
            growing = self._path.with_name(f".{self._path.name}.growing")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            try:
                with os.fdopen(os.open(growing, flags, 0o600), "w", encoding="utf-8") as file:
                    json.dump(document, file)
                    file.flush()
                    os.fsync(file.fileno())
                growing.replace(self._path)
            except BaseException:
                growing.unlink(missing_ok=True)
                raise
            self._saved = document["writes"]


def state_of(emulator: Emulator) -> dict[str, Any]:
    """The state of an emulator as plain JSON."""
    world, entities, lake = emulator._world, emulator._world.entities, emulator._lake
    lifecycle = world.lifecycle
    return {
        "format": FORMAT,
        **_fixed_options(emulator),
        "origin": lake._origin,
        "ahead": emulator.clock._ahead,
        "worlds": list(emulator.worlds),
        "dice": [dice.getstate() for dice in _dice(emulator)],
        "writes": entities._writes,
        "entities": [
            [kind, sandbox, [_without_login(kind, document) for document in documents.values()]]
            for (kind, sandbox), documents in entities._kept.items()
        ],
        "came": emulator._layer._entities._came,
        "datasets": {
            sandbox: [asdict(dataset) for dataset in held.values()]
            for sandbox, held in lake._datasets.items()
        },
        "batches": {dataset: [asdict(batch) for batch in added] for dataset, added in lake._added.items()},
        "hidden": sorted(lake._hidden),
        "courses": [
            [
                course.flow["sandboxName"],
                flow_id,
                course.anchor,
                course.next,
                course.exported,
                sorted(course.minutes),
            ]
            for flow_id, course in lifecycle._courses.items()
        ],
        "underway": [
            {
                "id": run.id,
                "flow": run.course.flow["id"],
                "kind": run.kind,
                "stops": run.stops,
                "nominal": run.nominal,
                "created": run.created,
                "ends": None if math.isinf(run.ends) else run.ends,
                "listed": run.document is not None,
            }
            for run in lifecycle._underway
        ],
        "scripts": list(lifecycle._scripts.items()),
    }


def restore(emulator: Emulator, content: bytes) -> None:
    """Give a new emulator the state of an earlier one.

    :raises ValueError: the content is not such a state, or the emulator had other options.
    """
    try:
        state = json.loads(content)
        if state["format"] != FORMAT:
            raise KeyError
        changed = [name for name, value in _fixed_options(emulator).items() if state[name] != value]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it holds no state of this version of the emulator") from None
    if changed:
        options = ", ".join(f"{name} {state[name]!r}" for name in changed)
        raise ValueError(f"it was written with other options: {options}")
    try:
        with emulator._lock:
            _restore(emulator, state)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        raise ValueError("it holds a state that is damaged") from None


def _fixed_options(emulator: Emulator) -> dict[str, Any]:
    """The options that a restart must not change."""
    lake = emulator._lake
    return {"seed": lake._seed, "hour_seconds": lake._hour, "sandboxes": list(emulator.sandboxes)}


def _restore(emulator: Emulator, state: dict[str, Any]) -> None:
    entities, lake, lifecycle = emulator._world.entities, emulator._lake, emulator._world.lifecycle
    emulator.clock._ahead = float(state["ahead"])
    emulator.enter(*state["worlds"])
    for dice, (version, numbers, gauss) in zip(_dice(emulator), state["dice"], strict=True):
        dice.setstate((version, tuple(numbers), gauss))
    entities._writes = int(state["writes"])
    entities._kept = {
        (kind, sandbox): {document["id"]: document for document in documents}
        for kind, sandbox, documents in state["entities"]
    }
    emulator._layer._entities._came = dict(state["came"])
    lake._origin = float(state["origin"])
    lake._grown.clear()
    lake._datasets = {
        sandbox: {members["id"]: Dataset(**members) for members in datasets}
        for sandbox, datasets in state["datasets"].items()
    }
    lake._added = {
        dataset: [Batch(**members) for members in added] for dataset, added in state["batches"].items()
    }
    lake._hidden = set(state["hidden"])
    for sandbox, flow_id, anchor, number, exported, minutes in state["courses"]:
        flow = entities._kept["flows", sandbox][flow_id]
        cadence = Cadence.of(flow["scheduleParams"])
        lifecycle._courses[flow_id] = Course(flow, cadence, anchor, number, exported, set(minutes))
    for run in state["underway"]:
        course = lifecycle._courses[run["flow"]]
        ends = math.inf if run["ends"] is None else run["ends"]
        underway = Underway(
            run["id"], course, run["kind"], run["stops"], run["nominal"], run["created"], ends
        )
        if run["listed"]:
            underway.document = entities._kept["runs", course.flow["sandboxName"]][run["id"]]
        lifecycle._underway.append(underway)
    lifecycle._scripts = {flow: list(kinds) for flow, kinds in state["scripts"]}


def _dice(emulator: Emulator) -> tuple[random.Random, ...]:
    """The random generators of ids and names, so that none is repeated."""
    world = emulator._world
    lifecycle = world.lifecycle
    return world.entities._dice, lifecycle._dice, lifecycle._exporter._dice, emulator._gateway._dice


def _without_login(kind: str, document: Document) -> Document:
    if kind != "connections":
        return document
    kept: Document = without_secrets(document)
    if params := (document.get("auth") or {}).get("params"):
        shown = dict.fromkeys(params, HIDDEN) | {name: params[name] for name in PLACES if name in params}
        if "url" in shown:  # the host names the folder; the rest may contain a signature
            shown["url"] = f"https://{urlsplit(str(params['url'])).hostname}"
        kept["auth"]["params"] = shown
    return kept
