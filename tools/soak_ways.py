"""The ways in which a soak watches its exports, and what must have become of each export there."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar

from tools.demo import Report
from tools.soak_ledger import Ledger
from tools.soak_service import Export


class Way(ABC):
    """A DAG of ``tests/airflow/dags/aep_soak.py`` that watches all exports.

    :cvar dag_id: its id.
    :ivar met: the map indexes of the tasks that Airflow had in its hands while components of it, or the
        service, were killed or away; they may therefore have a further attempt, or wait once more.
    """

    dag_id: ClassVar[str]

    def __init__(self, ledger: Ledger, exports: Sequence[Export]) -> None:
        self.ledger, self.exports = ledger, exports
        self.met: set[int] = set()

    @property
    @abstractmethod
    def tasks(self) -> int:
        """How many tasks wait."""

    @abstractmethod
    def ended(self, some: Collection[int]) -> bool:
        """Whether it has become known how all of these exports have ended."""

    @abstractmethod
    def noticed(self, some: Collection[int]) -> bool:
        """Whether a triggerer has seen one of them end."""

    @abstractmethod
    def seen(self, some: Collection[int]) -> bool:
        """Whether the triggerers have seen all of them end."""

    @abstractmethod
    def judge(self, report: Report) -> None:
        """Say how each export has ended here, and whether that was right."""

    def done(self) -> bool:
        return len(self.ledger.ended()) == self.tasks

    def _by_kind(self) -> Iterator[tuple[Export, set[int]]]:
        """One export of each kind of ending, and all that end so."""
        kinds: dict[tuple[str, str], set[int]] = {}
        for at, export in enumerate(self.exports):
            kinds.setdefault((export.ending, export.outcome), set()).add(at)
        for mine in kinds.values():
            yield self.exports[min(mine)], mine

    def _show_others(self, well: Collection[int], found: Any) -> None:
        for at, export in enumerate(self.exports):
            if at not in well:
                print(f"  {export}: {found(at)}")


class Mapped(Way):
    """A task for each export."""

    dag_id = "aep_soak"

    @property
    def tasks(self) -> int:
        return len(self.exports)

    def ended(self, some: Collection[int]) -> bool:
        return self.ledger.ended().issuperset(some)

    def noticed(self, some: Collection[int]) -> bool:
        return not self.ledger.holders().keys() >= set(some)

    def seen(self, some: Collection[int]) -> bool:
        return not self.ledger.holders().keys() & set(some)

    def judge(self, report: Report) -> None:
        endings = self.ledger.endings()
        right = {at for at, export in enumerate(self.exports) if at in endings and endings[at].right(export)}
        once = {at for at, each in endings.items() if each.once(self.exports[at], met=at in self.met)}
        rows = []
        for export, mine in self._by_kind():
            states = Counter(endings[at].state for at in mine if at in endings)
            told = ", ".join(f"{number} {state}" for state, number in states.items())
            rows.append((export.ending, export.outcome, len(mine), told, len(right & mine), len(once & mine)))
        report.title("How they ended, in a task each")
        report.table(("run", "outcome due", "exports", "tasks", "right", "once"), rows)
        count = self.tasks
        report.expect(f"there are {count} task instances, and no more", len(endings) == count)
        report.expect(f"all {count} have the state, outcome and run id due", len(right) == count)
        report.expect(
            f"all {count} ended once: one try, one resumption, one asset event (none where the run failed); "
            "of those that the trouble met, the event alone counts",
            len(once) == count,
        )
        self._show_others(right & once, endings.get)


class OneTask(Way):
    """One task for all: an alert for each that is not well, an asset event for each that delivered."""

    dag_id = "aep_soak_many"
    tasks = 1
    at = -1  # the map index of a task that is not mapped
    # How a run ends -> the status under which it is told; none where all is well.
    statuses: ClassVar[dict[str, str]] = {"zero": "zero_records", "partial": "partial", "failed": "failed"}

    def ended(self, some: Collection[int]) -> bool:
        """As far as that shows before the last has ended: all that are not well were told."""
        told = self.alerts()
        return all(told[self.exports[at].dataflow_id] for at in some if self.exports[at].outcome != "ok")

    def noticed(self, some: Collection[int]) -> bool:
        return bool(self.ledger.in_airflows_hands() or self.done())

    def seen(self, some: Collection[int]) -> bool:
        return self.ended(some)

    def alerts(self) -> _ByExport:
        """What was sent, by dataflow id."""
        alerts = _ByExport()
        for file in self.ledger.files("alerts.jsonl"):
            for line in file.read_text().splitlines():
                alert = json.loads(line)
                alerts[alert["dataflow_id"]].append(alert)
        return alerts

    def judge(self, report: Report) -> None:
        ending = self.ledger.endings()[self.at]
        alerts, events = self.alerts(), _ByExport()
        for event in ending.told:
            events[event["dataflow_id"]].append(event)
        # Who is lost while it alerts tells again.
        most = ending.tries if self.at in self.met else 1
        right, once = set(), set()
        for at, export in enumerate(self.exports):
            told, delivered = alerts[export.dataflow_id], events[export.dataflow_id]
            if self._right(export, told, delivered):
                right.add(at)
            if len(told) <= most and len({each["key"] for each in told}) <= 1 and len(delivered) <= 1:
                once.add(at)
        rows = []
        for export, mine in self._by_kind():
            ids = [self.exports[at].dataflow_id for at in mine]
            sums = [sum(len(found[each]) for each in ids) for found in (alerts, events)]
            rows.append(
                (export.ending, export.outcome, len(mine), *sums, len(right & mine), len(once & mine))
            )
        report.title("How they ended, in one task for all")
        head = ("run", "outcome due", "exports", "alerts", "asset events", "right", "once")
        report.table(head, rows)
        count = len(self.exports)
        due = Counter(export.outcome for export in self.exports)
        report.say(f"The task had {ending.tries} attempts and was resumed {ending.resumed} times")
        report.expect(
            "the task has succeeded with the verdicts due, at its first attempt unless the trouble met it",
            ending.state == "success"
            and {name: n for name, n in ending.returned["totals"].items() if n} == dict(due)
            and (ending.tries == 1 or self.at in self.met),
        )
        report.expect(
            f"all {count} were told with status and run id, and those that delivered have an event",
            len(right) == count,
        )
        report.expect(
            f"all {count} were told once, or again under the same key by a further attempt",
            len(once) == count,
        )
        self._show_others(
            right & once,
            lambda at: [found[self.exports[at].dataflow_id] for found in (alerts, events)],
        )

    def _right(
        self, export: Export, told: Sequence[dict[str, Any]], delivered: Sequence[dict[str, Any]]
    ) -> bool:
        due = (self.statuses.get(export.ending), export.outcome, [export.run_id])
        return (
            bool(told) == (export.outcome != "ok")
            and all((each["status"], each["outcome"], each["run_ids"]) == due for each in told)
            and bool(delivered) == (export.outcome != "fail")
            and all(each["run_ids"] == [export.run_id] for each in delivered)
        )


class _ByExport(dict[str, list[dict[str, Any]]]):
    """Lists by dataflow id."""

    def __missing__(self, dataflow_id: str) -> list[dict[str, Any]]:
        return self.setdefault(dataflow_id, [])


WAYS: dict[str, type[Way]] = {"many": OneTask, "mapped": Mapped}
