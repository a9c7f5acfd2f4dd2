"""The timeline of a dataflow: the result of each tick, and which tick each run was for.

Sensor, trigger, check, page and notifier use it. Each of its events has the moment at which it became known;
looks at different times agree about all moments that are in the past of both.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.monitoring.attribution import (
    Attribution,
    Event,
    Served,
    attribute,
    in_order,
)
from airflow_provider_aep.monitoring.policy import RunPolicy
from airflow_provider_aep.monitoring.runs_per_tick import Learnt, learn_runs_per_tick, remember
from airflow_provider_aep.monitoring.stuck import stuck_at
from airflow_provider_aep.monitoring.ticks import OFF, Tick, ticks_of
from airflow_provider_aep.monitoring.usual import Past


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """What is known of one dataflow at a moment.

    :param runs: its runs, each once, in the order in which they started.
    :param known_from: all runs that started later are in ``runs``.
    :param datasets: the datasets that it exports; ``None`` if they could not be read.
    :param runs_per_tick: how many runs a tick makes, if that was learnt before.
    """

    flow: Dataflow
    runs: Sequence[DataflowRun]
    now: datetime
    known_from: datetime
    datasets: Sequence[str] | None = None
    runs_per_tick: int | None = None

    @property
    def is_off(self) -> bool:
        return self.flow.state in OFF

    @cached_property
    def past(self) -> Past:
        return Past(self.runs, known_from=self.known_from, created_at=self.flow.created_at)

    @cached_property
    def attribution(self) -> Attribution:
        return attribute(
            self.ticks,
            self.runs,
            now=self.now,
            known_from=self.known_from,
            owed_until=self.flow.changed_at if self.is_off else None,
            datasets=self.datasets,
            runs_per_tick=remember(self._learnt_now, self.runs_per_tick),
        )

    @cached_property
    def ticks(self) -> Sequence[Tick]:
        """The ticks up to now, from one before the listing begins: its run may have been under way then."""
        return ticks_of(self.flow, self.known_from - self.flow.step, self.now + timedelta(microseconds=1))

    @cached_property
    def _learnt_now(self) -> Learnt | None:
        return learn_runs_per_tick(
            self.ticks, self.runs, now=self.now, known_from=self.known_from, datasets=self.datasets
        )

    @property
    def learnt(self) -> int | None:
        """How many runs a tick makes, if that is clear enough to be remembered."""
        now = self._learnt_now
        return remember(now if now and now.is_clear else None, self.runs_per_tick)

    @cached_property
    def events(self) -> Sequence[Event]:
        """The events of its ticks, without those of ticks that may have owed nothing."""
        return [event for event in self.attribution.events if self._was_owed(event)]

    @cached_property
    def tick_of(self) -> Mapping[str, Tick]:
        """The tick of each run that has one, by the id of the run."""
        return {
            run.id: served.tick for served in self.attribution.served for run in (*served.runs, *served.extra)
        }

    def stuck_at(self, run: DataflowRun, policy: RunPolicy) -> datetime | None:
        """When a run became stuck; ``None`` if it did not."""
        return stuck_at(run, self.past, step=self.flow.step, longest=policy.longest, now=self.now)

    def served(self, tick: datetime) -> Served | None:
        """The runs of one tick; ``None`` if the schedule has none at that moment."""
        all_served = self.attribution.served
        at = bisect_left(all_served, tick, key=lambda served: served.tick.at)
        return all_served[at] if at < len(all_served) and all_served[at].tick.at == tick else None

    def _was_owed(self, event: Event) -> bool:
        """Whether the schedule was in force at a tick.

        The dataflow does not say since when its schedule holds: a change, or a pause, may have come after the
        tick. But if the ticks before it and one after it had their runs, all before the last change, the
        schedule was in force.
        """
        changed = self.flow.changed_at
        if changed is None or event.tick.at >= changed:
            return True
        all_served = self.attribution.served
        at = bisect_left(all_served, event.tick.at, key=lambda served: served.tick.at)
        before = at
        while before >= 0 and not all_served[before].runs:
            before -= 1
        in_force = before >= 1 and bool(all_served[before - 1].runs)
        following = next((served for served in all_served[at + 1 :] if served.runs), None)
        return in_force and following is not None and following.tick.at <= changed


def timeline_of(
    flow: Dataflow,
    runs: Sequence[DataflowRun],
    *,
    now: datetime,
    known_from: datetime,
    datasets: Sequence[str] | None = None,
    runs_per_tick: int | None = None,
) -> Timeline:
    """The timeline of a dataflow.

    :param runs: in any order, and possibly with duplicates.
    :param known_from: all runs that started later are in ``runs``.
    :param datasets: the datasets that it exports; ``None`` if they could not be read.
    :param runs_per_tick: how many runs a tick makes, if that was learnt before.
    """
    return Timeline(
        flow=flow,
        runs=in_order(runs),
        now=now,
        known_from=known_from,
        datasets=datasets or None,
        runs_per_tick=runs_per_tick,
    )
