"""Consecutive checks of a world, each beginning where the last one ended, and what they told."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.driving import advance
from airflow_provider_aep.flowservice.exchange import Done, Exchange, Request, Response, Together, conduct
from airflow_provider_aep.flowservice.habits import Habits
from airflow_provider_aep.monitoring.policy import AuditPolicy
from tests.truth.listing import Service
from tests.truth.world import MINUTE, World

T = TypeVar("T")

# An end is listed some minutes after it happened, so windows end this long before the check.
LAG = 15 * MINUTE
AFTER = 1 * MINUTE  # a check starts a little after its hour, or its day


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One finding, and the check that told it.

    :param new: in what is told for the first time, or that still stands.
    :param said_at: when the check happened.
    :param cause: why there is little or nothing, as it crosses XCom, where the Catalog was asked.
    """

    dataflow_id: str
    key: str
    kind: str
    outcome: str
    tick: datetime | None
    run_ids: tuple[str, ...]
    known_at: datetime | None
    sentence: str
    new: bool
    said_at: datetime
    cause: Mapping[str, Any] | None = None

    @property
    def alarms(self) -> bool:
        return self.outcome in ("fail", "warn")


class Audit(Protocol):
    """``audit(service, since=, until=, before=)``: one check, and what it hands over to the next."""

    def __call__(
        self, service: Service, *, since: datetime, until: datetime, before: Any
    ) -> tuple[list[Told], Any]: ...


@dataclass(slots=True)
class Checked:
    """What a row of checks told.

    :param first: when the first check happened, and ``since`` where its window began.
    """

    world: World
    since: datetime
    first: datetime
    told: list[Told] = field(default_factory=list)
    checks: int = 0
    requests: int = 0
    seconds: float = 0.0


def audit(
    service: Service,
    *,
    since: datetime,
    until: datetime,
    before: Any,
    policy: AuditPolicy | None = None,
) -> tuple[list[Told], Any]:
    """One check, at the moment that the service is at, by a process that has not seen the service before."""
    from airflow_provider_aep.monitoring.audit import audit_exports

    found = carry_out(
        conduct(
            audit_exports(since=since, until=until, now=service.now, before=before, policy=policy),
            ask,
            Habits(),
        ),
        service,
    )
    told = [
        Told(
            dataflow_id=export.dataflow.id,
            key=each.key,
            kind=each.kind,
            outcome=each.outcome,
            tick=each.tick,
            run_ids=tuple(each.run_ids),
            known_at=each.known_at,
            sentence=each.told,
            new=new,
            said_at=service.now,
            cause=each.cause.to_json() if each.cause else None,
        )
        for export in found.exports
        for new, findings in ((True, export.findings), (False, export.standing))
        for each in findings
    ]
    # As it travels from one task to the next.
    handed_over = json.loads(json.dumps(found.handover.to_json()))
    return told, type(found.handover).from_json(handed_over)


def ask(request: Request) -> Exchange[Response]:
    """The shortest exchange: one request, and its answer."""
    return (yield request)


def moments(world: World, period: timedelta) -> Iterator[datetime]:
    """When checks happen: a minute after every period, some not at all, the last one always."""
    chance = random.Random(f"{world.name} {period}")
    moment = world.checked_from + period + AFTER
    while moment <= world.ends:
        last = moment + period > world.ends
        if last or chance.random() >= world.missed_checks:
            yield moment
        moment += period


def consecutive(
    world: World, period: timedelta, audit: Audit = audit, service: Service | None = None
) -> Checked:
    """Check a world from its beginning to its end."""
    service, before = service or Service(world), None
    since = world.checked_from + AFTER - LAG
    checked = Checked(world=world, since=since, first=next(moments(world, period)))
    began = time.perf_counter()
    for moment in moments(world, period):
        service.now, until = moment, moment - LAG
        told, before = audit(service, since=since, until=until, before=before)
        checked.told += told
        checked.checks += 1
        since = until
    checked.requests = service.requests.total()
    checked.seconds = time.perf_counter() - began
    return checked


def carry_out(exchange: Exchange[T], service: Service) -> T:
    """An exchange, and those that it branches into one after the other: threads would cost more."""
    step = advance(exchange, service)
    while isinstance(step, Together):
        step = advance(exchange, service, [_ended(each, service) for each in step.exchanges])
    assert isinstance(step, Done), f"the service is well, yet a check wanted to wait: {step}"
    return step.value


def _ended(exchange: Exchange[Any], service: Service) -> Done[Any] | AepError:
    try:
        return Done(carry_out(exchange, service))
    except AepError as error:
        return error
