"""What one check hands over to the next, so that together they report everything once.

It is plain JSON in an XCom, and optional: without it a check reports the findings of its window, and the
standing ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_aep.flowservice.documents import EARLIEST, LATEST

VERSION = 1
# How long keys are kept; findings that became known earlier are not looked for again.
KEPT_FOR = timedelta(days=3)
MOST_KEPT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """How far checks have come.

    :param since: everything that became known from here up to ``until`` has been reported.
    :param reported: the keys of the reported findings, with the moments when they became known, by dataflow.
    :param first_seen: for dataflows that joined later: reports on them begin here.
    :param unread_since: for dataflows that could not be read: nothing has been reported from here on.
    :param open_since: for dataflows with a run under way: when it started.
    :param open: the kinds of incident that were reported and are not over, and since when, by dataflow.
    :param datasets: of source connections, by their id.
    :param runs_per_tick: how many runs a tick makes, by dataflow, and for how many datasets that was learnt.
    :param allowances: the keys of the reported allowances whose periods go on.
    """

    since: datetime
    until: datetime
    reported: Mapping[str, Mapping[str, datetime]]
    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    unread_since: Mapping[str, datetime] = field(default_factory=dict)
    open_since: Mapping[str, datetime] = field(default_factory=dict)
    open: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    datasets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runs_per_tick: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    allowances: tuple[str, ...] = ()

    def knows(self, dataflow_id: str) -> bool:
        """Whether a dataflow was checked before."""
        return dataflow_id in self.reported

    def watched_from(self, dataflow_id: str) -> datetime:
        """From when on everything that became known about a dataflow has been reported."""
        return max(self.since, self.first_seen.get(dataflow_id, self.since))

    def to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "since": _seconds(self.since),
            "until": self.until.isoformat(),
            "told": {
                flow_id: {key: _seconds(at) for key, at in keys.items()}
                for flow_id, keys in self.reported.items()
            },
            "first_seen": {flow_id: at.isoformat() for flow_id, at in self.first_seen.items()},
            "unread_since": {flow_id: at.isoformat() for flow_id, at in self.unread_since.items()},
            "open_since": {flow_id: at.isoformat() for flow_id, at in self.open_since.items()},
            "open": {
                flow_id: {kind: _seconds(at) for kind, at in kinds.items()}
                for flow_id, kinds in self.open.items()
            },
            "datasets": {source_id: list(ids) for source_id, ids in self.datasets.items()},
            "runs_per_tick": {flow_id: list(learnt) for flow_id, learnt in self.runs_per_tick.items()},
            "allowances": list(self.allowances),
        }

    @classmethod
    def from_json(cls, kept: object) -> Handover | None:
        """The handover from ``to_json``; ``None`` for anything else."""
        if not isinstance(kept, Mapping) or kept.get("version") != VERSION:
            return None
        try:
            return cls(
                since=_moment(kept["since"]),
                until=_moment(kept["until"]),
                reported={
                    flow_id: {key: _moment(at) for key, at in keys.items()}
                    for flow_id, keys in kept["told"].items()
                },
                first_seen={flow_id: _moment(at) for flow_id, at in kept["first_seen"].items()},
                unread_since={flow_id: _moment(at) for flow_id, at in kept["unread_since"].items()},
                open_since={flow_id: _moment(at) for flow_id, at in kept["open_since"].items()},
                # Checks of earlier versions did not hand it over.
                open={
                    flow_id: {kind: _moment(at) for kind, at in kinds.items()}
                    for flow_id, kinds in kept.get("open", {}).items()
                },
                datasets={
                    source_id: tuple(ids)
                    for source_id, ids in kept["datasets"].items()
                    if isinstance(ids, list)
                },
                runs_per_tick={
                    flow_id: (int(runs), int(of)) for flow_id, (runs, of) in kept["runs_per_tick"].items()
                },
                allowances=tuple(map(str, kept.get("allowances") or ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None


def since_kept(reported: Mapping[str, Mapping[str, datetime]]) -> datetime:
    """From when on all reported keys can be kept: if there are too many, the oldest are forgotten."""
    moments = sorted((at for keys in reported.values() for at in keys.values()), reverse=True)
    return moments[MOST_KEPT - 1] + timedelta(microseconds=1) if len(moments) > MOST_KEPT else EARLIEST


def _seconds(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not EARLIEST <= moment <= LATEST:
        raise ValueError("not a moment at which a check can have run")
    return moment
