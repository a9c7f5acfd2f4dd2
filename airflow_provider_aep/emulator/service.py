"""The emulator: one object that answers requests as Adobe's services would.

It is deterministic, given its clock and seed. ``handle`` is the whole interface; everything else is a lever
with which a test or a demo makes things happen. Levers for the data lake are in ``data_levers``, and those
that make trouble in ``trouble``.
"""

from __future__ import annotations

import copy
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from airflow_provider_aep.emulator.bounds import HOUR, PAGE, SPAN, TOKEN
from airflow_provider_aep.emulator.calls import call_of, check_content_type
from airflow_provider_aep.emulator.clock import Clock
from airflow_provider_aep.emulator.data_levers import DataLevers
from airflow_provider_aep.emulator.entities import CONNECTORS, Document
from airflow_provider_aep.emulator.exporter import Exporter, check_root
from airflow_provider_aep.emulator.faults import Fault, Faults
from airflow_provider_aep.emulator.gateway import Gateway
from airflow_provider_aep.emulator.journal import Record, record
from airflow_provider_aep.emulator.lake import Lake
from airflow_provider_aep.emulator.lifecycle import Lifecycle
from airflow_provider_aep.emulator.replies import Refusal
from airflow_provider_aep.emulator.settings import Settings
from airflow_provider_aep.emulator.seventh import add_foreign_flow
from airflow_provider_aep.emulator.trouble import Trouble
from airflow_provider_aep.emulator.views import viewed
from airflow_provider_aep.emulator.world import Call, World
from airflow_provider_aep.emulator.worlds import worlds_of
from airflow_provider_aep.emulator.worlds.layer import Layer
from airflow_provider_aep.emulator.worlds.remembering import RememberingEntities
from airflow_provider_aep.flowservice.exchange import Request, Response

LOGIN_PATH = "/ims/token/v3"
RECORDS_KEPT = 10_000
SANDBOX_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]*")


class Emulator(DataLevers, Trouble):
    """A local Adobe Experience Platform.

    :param root: folder for exported files; with None nothing is written, but counts work the same way.
    :param clock: epoch seconds; a ``Clock`` can be moved by hand.
    :param hour: how many seconds of the clock an hour of an export schedule lasts; with 2.0 a
        three-hourly export ticks every six seconds.
    :param run_seconds: how long a run is in progress; by default a twentieth of an hour.
    :param late_seconds: how long after its tick a late run appears; by default 170 minutes of the schedule.
    :param adhoc_seconds: how old a dataflow must be for ad hoc runs; by default ten minutes of the schedule.
    :param sandboxes: their names; the first one's datasets have the published ids.
    :param worlds: names of deviations from the default behaviour, see ``worlds.WORLDS``.
    :raises ValueError: an argument is out of bounds; the message starts with its name.
    """

    def __init__(
        self,
        *,
        root: Path | None = None,
        clock: Callable[[], float] = time.time,
        hour: float = 3600.0,
        seed: int = 7,
        org_id: str = "EMULATED00000000000000@AdobeOrg",
        client_id: str = "emulated-client-id",
        client_secret: str = "emulated-client-secret",  # noqa: S107 - published, and opens nothing
        token_seconds: float = 86399,
        sandboxes: Sequence[str] = ("prod", "dev"),
        page_size: int = 20,
        reject_uncompressed_json: bool = False,
        any_cadence: bool = False,
        bare_entities: bool = False,
        run_per_dataset: bool = False,
        run_seconds: float | None = None,
        late_seconds: float | None = None,
        adhoc_seconds: float | None = None,
        initializing_seconds: float = 0.0,
        worlds: Sequence[str] = (),
    ) -> None:
        HOUR.check("hour", hour)
        TOKEN.check("token_seconds", token_seconds)
        PAGE.check("page_size", page_size)
        for name, span in (
            ("run_seconds", run_seconds),
            ("late_seconds", late_seconds),
            ("adhoc_seconds", adhoc_seconds),
            ("initializing_seconds", initializing_seconds),
        ):
            if span is not None:
                SPAN.check(name, span)
        check_sandboxes(sandboxes)
        worlds_of(worlds)
        if root is not None and find_spec("pyarrow") is None:
            raise ImportError(
                "Exported files need pyarrow: pip install 'airflow-provider-aep[emulator]'; "
                "without a root, no files are written and it is not needed."
            )
        if root is not None:
            check_root(root)
        self.root, self.clock = root, clock if isinstance(clock, Clock) else Clock(source=clock)
        self.org_id, self.client_id, self.client_secret = org_id, client_id, client_secret
        self.sandboxes = tuple(sandboxes)
        self.log: list[Record] = []
        settings = Settings(
            hour=hour,
            run_seconds=hour / 20 if run_seconds is None else run_seconds,
            # Source: destination alerts page: a delay is more than 150 minutes.
            late_seconds=hour * 170 / 60 if late_seconds is None else late_seconds,
            adhoc_seconds=hour / 6 if adhoc_seconds is None else adhoc_seconds,
            initializing_seconds=initializing_seconds,
            page_size=page_size,
            bare_entities=bare_entities,
            run_per_dataset=run_per_dataset,
            reject_uncompressed_json=reject_uncompressed_json,
            any_cadence=any_cadence,
        )
        dice = random.Random(seed)
        ids = {name: str(uuid.UUID(int=dice.getrandbits(128), version=4)) for name in sandboxes}
        self._lake = Lake(seed=seed, origin=self.clock(), hour=hour, sandboxes=self.sandboxes)
        entities = RememberingEntities(
            clock=self.clock, dice=dice, org_id=org_id, client=client_id, sandboxes=ids
        )
        exporter = Exporter(root, dice=random.Random(f"{seed}:files"))
        lifecycle = Lifecycle(settings, entities, self._lake, exporter, org_id=org_id)
        self._world = World(settings, self.clock, entities, self._lake, lifecycle, ids, org_id)
        self._gateway = Gateway(
            clock=self.clock,
            dice=random.Random(f"{seed}:tokens"),
            org_id=org_id,
            client_id=client_id,
            client_secret=client_secret,
            token_seconds=token_seconds,
            sandboxes=ids,
        )
        self._faults = Faults()
        self._settings = settings
        self._layer = Layer(entities)
        self._lock = threading.RLock()
        self.enter(*worlds)

    # Requests

    def handle(self, request: Request) -> Response:
        """Answer a request.

        :raises AepTransportError: a fault of the network was ordered for it.
        """
        response, fault = self.answer(request)
        if fault is not None:
            raise fault.error(str(request))
        return response

    send = handle

    def answer(self, request: Request) -> tuple[Response, Fault | None]:
        """The response, and the network fault that keeps it from arriving, if one was ordered."""
        with self._now():
            call = call_of(request)
            fault = self._faults.take(f"{call.method} {call.path}")
            if fault is None or fault.processed:
                response = self._respond(request, call)
            else:
                response = fault.response() if fault.kind == "fail" else Response(0)
            broken = fault if fault is not None and fault.kind != "fail" else None
            status = 0 if broken else response.status
            self.log.append(record(call.method, call.path, call.query, status, call.headers, call.body))
            del self.log[:-RECORDS_KEPT]
            return response, broken

    def requests(self, method: str | None = None, path: str | None = None) -> list[Record]:
        """The filtered log; ``path`` may contain wildcards, as in ``/flows/*``."""
        return [
            record
            for record in self.log
            if method in (None, record.method) and (path is None or fnmatchcase(record.path, path))
        ]

    # Levers

    def tick(self) -> None:
        """Bring everything up to the clock. Every request does this first."""
        with self._now():
            pass

    def script_runs(self, flow: str | None, kinds: Sequence[str]) -> None:
        """Decide how the next runs end: of one dataflow (by name or id), or of any if ``flow`` is None."""
        with self._now():
            self._world.lifecycle.script(flow, kinds)

    def finish_run(self, run_id: str, kind: str = "success") -> None:
        """End a run that was scripted to stay in progress."""
        with self._now():
            self._world.lifecycle.finish(run_id, kind, self.clock())

    def run_now(self, flow_id: str) -> list[str]:
        """Export a dataflow outside its schedule; return the ids of the runs."""
        with self._now():
            return self._world.lifecycle.run_now(flow_id, self.clock())

    def entities(self, kind: str, sandbox: str = "prod") -> list[Document]:
        """What a list of ``flows``, ``connections`` and so on would show, oldest first."""
        with self._now():
            return [viewed(self._world, kind, kept) for kept in self._world.entities.all(kind, sandbox)]

    def touch(self, kind: str, entity_id: str, sandbox: str = "prod") -> str:
        """Move an etag, as Adobe's background services do; return the new one."""
        with self._now():
            kept = self._world.entities.get(kind, sandbox, entity_id)
            return str(self._world.entities.change(kind, kept, {}, by=CONNECTORS)["etag"])

    # Worlds

    @property
    def worlds(self) -> tuple[str, ...]:
        """The names of the active deviations."""
        return self._layer.names

    def enter(self, *names: str) -> None:
        """Activate these deviations in addition to the active ones.

        :raises ValueError: a name is unknown.
        """
        with self._lock:
            self._layer.enter(worlds_of(names))
            self._follow_settings()

    def leave(self, *names: str) -> None:
        """Deactivate these deviations; without names, all of them.

        :raises ValueError: a name is unknown.
        """
        with self._lock:
            self._layer.leave(worlds_of(names or self.worlds))
            self._follow_settings()

    def _follow_settings(self) -> None:
        settings = replace(self._settings, **self._layer.settings)
        self._world = replace(self._world, settings=settings)
        self._world.lifecycle.settings = settings

    def spec(self, spec_id: str) -> Document:
        """A copy of a connection spec or flow spec, to be changed and offered again."""
        specs = self._world.specs
        return copy.deepcopy(specs.connection.get(spec_id) or specs.flow[spec_id])

    def offer(self, spec: Document) -> None:
        """Serve a spec, replacing one with the same id; a flow spec has ``targetConnectionSpecIds``."""
        with self._lock:
            kind = "flowSpecs" if "targetConnectionSpecIds" in spec else "connectionSpecs"
            self._world.specs.of(kind)[spec["id"]] = copy.deepcopy(spec)

    def withdraw(self, spec_id: str) -> None:
        """Stop serving a spec."""
        with self._lock:
            self._world.specs.connection.pop(spec_id, None)
            self._world.specs.flow.pop(spec_id, None)

    def add_foreign_flow(self, name: str, *, sandbox: str = "prod", **schedule: Any) -> str:
        """Add a dataflow of the seventh destination, Marketo Measure Ultimate, and return its id.

        :param schedule: members that differ from the default: every two hours, starting now.
        """
        with self._now():
            return add_foreign_flow(self._world, name, sandbox, schedule)

    def expire_tokens(self) -> None:
        self._gateway.expire_tokens()

    @contextmanager
    def _now(self) -> Iterator[None]:
        """Let in one caller at a time, and bring the state up to the clock first."""
        with self._lock:
            self._world.lifecycle.catch_up(self.clock())
            self._lake.expire(self.clock())
            yield

    def _respond(self, request: Request, call: Call) -> Response:
        request_id = f"emulated-{len(self.log) + 1:06d}"
        try:
            if call.method == "POST" and call.path == LOGIN_PATH:
                # Source: OAuth Server-to-Server guide: in the form, or (less safely) in the query.
                return self._gateway.token({**dict(call.query), **(request.form or {})})
            self._gateway.check(call.headers)
            call = replace(call, sandbox=self._gateway.sandbox(call.headers))
            check_content_type(call)
        except Refusal as refusal:
            return refusal.response(request_id)
        return self._layer.carry_out(self._world, call, request_id)


def check_sandboxes(names: Sequence[str]) -> None:
    """:raises ValueError: the list is empty, a name is not valid, or two are the same."""
    good = not isinstance(names, str) and len(set(names)) == len(names) > 0
    if not good or not all(SANDBOX_NAME.fullmatch(name) for name in names):
        raise ValueError("sandboxes must be different names of letters, digits and hyphens, at least one.")
