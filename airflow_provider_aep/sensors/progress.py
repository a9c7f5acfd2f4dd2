"""The results so far of a sensor for many exports: kept between its deferrals, alerted on, and returned.

An entry is a verdict as plain JSON, with its tick and the export's incidents. Its size is bounded, and so is
the size of everything that is made of many entries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.monitoring.dues import Due, dues_from_json, dues_to_json
from airflow_provider_aep.monitoring.incidents import moments
from airflow_provider_aep.monitoring.policy import CONCERN, worst_choice
from airflow_provider_aep.monitoring.sizes import fitting, shortened

# Of the result, and of what the notifier reads: an XCom is a row in Airflow's database.
MOST_BYTES = 64_000
# Of the incidents that stay open after their export has left the selection, the oldest are dropped.
MOST_OPEN = 1_000
LONGEST_TEXT = 500
MOST_IDS = 20
MOST_ERRORS = 5
# What is kept of a verdict that needs no alert.
_PLAIN = ("dataflow_id", "dataflow_name", "tick", "outcome", "status", "run_ids", "records_out")
_TIMES = ("started_at", "completed_at")
Entry = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Progress:
    """The ticks that the sensor still waits for, and the entries of those that have ended.

    :param dues: the ticks that it still waits for, by key; ``None`` until they could be determined.
    :param settled: the entries of the ticks that have ended, by key.
    :param alerted: the keys of the entries for which an alert was sent.
    """

    dues: dict[str, Due] | None = None
    settled: dict[str, Entry] = field(default_factory=dict)
    alerted: set[str] = field(default_factory=set)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as a deferral keeps it."""
        return {
            "dues": None if self.dues is None else dues_to_json(self.dues.values()),
            "settled": self.settled,
            "told": sorted(self.alerted),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Progress:
        """From the result of ``to_json``."""
        dues = kept["dues"]
        return cls(
            dues=None if dues is None else {due.key: due for due in dues_from_json(dues)},
            settled=dict(kept["settled"]),
            alerted=set(kept["told"]),
        )

    @property
    def untold(self) -> list[str]:
        """The keys of the entries that need an alert and had none."""
        return [key for key, entry in self.settled.items() if needs_alert(entry) and key not in self.alerted]


def needs_alert(entry: Mapping[str, Any]) -> bool:
    """Whether an entry needs an alert: it is a problem, or its export has recovered."""
    return bool(CONCERN[entry["outcome"]] or entry.get("recovered"))


def bounded(verdict: Mapping[str, Any]) -> Entry:
    """A verdict as it is kept: a few keys if it needs no alert, and never long."""
    if not needs_alert(verdict):
        return {
            name: _short(verdict[name]) for name in (*_PLAIN, *_TIMES) if verdict.get(name) is not None
        } | ({"open": verdict["open"]} if verdict.get("open") else {})
    return {name: _short(value) for name, value in verdict.items() if value not in (None, [], "")}


def _short(value: Any) -> Any:
    return shortened(value, text=LONGEST_TEXT, values=MOST_IDS, documents=MOST_ERRORS)


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """The worst first."""
    return sorted(
        entries,
        key=lambda entry: (-CONCERN[entry["outcome"]], str(entry["dataflow_name"]), str(entry["tick"])),
    )


def result_of(entries: Collection[Entry], place: Mapping[str, Any]) -> dict[str, Any]:
    """What the sensor returns: the verdicts, the worst first, as many as fit into ``MOST_BYTES``.

    :param place: ``sandbox`` and ``conn_id``.
    """
    outcomes = [entry["outcome"] for entry in entries]
    whole = [{name: value for name, value in entry.items() if name != "event"} for entry in ordered(entries)]
    kept = fitting(whole, MOST_BYTES)
    return {
        **place,
        "outcome": worst_choice(outcomes),
        "totals": {choice: outcomes.count(choice) for choice in ("fail", "warn", "skip", "ok")},
        "verdicts": kept,
        "left_out": len(whole) - len(kept),
    }


def check_of(
    entries: Collection[Entry],
    place: Mapping[str, Any],
    *,
    alerted: Collection[str] = (),
    open_before: Mapping[str, Mapping[str, str]] = {},
    waits_for: int = 0,
    whole: bool = False,
) -> dict[str, Any]:
    """The problems and recoveries, in the shape of a check's result, so that the notifier can report them.

    :param alerted: the keys of the entries for which an alert was sent.
    :param open_before: the incidents that were open before, by dataflow.
    :param waits_for: how many ticks the sensor still waits for.
    :param whole: leave nothing out.
    """
    by_flow: dict[str, list[Entry]] = {}
    for entry in filter(needs_alert, ordered(entries)):
        by_flow.setdefault(entry["dataflow_id"], []).append(entry)
    every = [_export(of_flow, alerted) for of_flow in by_flow.values()]
    exports = every if whole else fitting(every, MOST_BYTES)
    left_out = len(every) - len(exports)
    more = f"{left_out} more exports have problems or have recovered; the log of the task names them."
    outcome = worst_choice(entry["outcome"] for entry in entries)
    return {
        **place,
        "outcome": outcome,
        "exports": exports,
        "open": open_after(entries, open_before),
        "waits_for": waits_for,
        "left_out": left_out,
        "notes": [more] if left_out and not all(export["alerted"] for export in every[-left_out:]) else [],
    }


def with_well(check: Mapping[str, Any], entries: Collection[Entry]) -> dict[str, Any]:
    """The result of ``check_of``, and the exports that need no alert, as many as fit."""
    listed = {entry["dataflow_id"] for entry in entries if needs_alert(entry)}
    well = {
        entry["dataflow_id"]: {name: entry[name] for name in ("dataflow_id", "dataflow_name", "outcome")}
        for entry in ordered(entries)
        if entry["dataflow_id"] not in listed
    }
    kept = fitting(list(well.values()), MOST_BYTES)
    return {**check, "well": kept, "left_out": check["left_out"] + len(well) - len(kept)}


def open_after(
    entries: Iterable[Entry], before: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """The open incidents, by dataflow: those from before without those that are over, and the new ones."""
    after = {dataflow_id: moments(kinds) for dataflow_id, kinds in before.items()}
    for entry in sorted(entries, key=lambda entry: str(entry["tick"])):
        if CONCERN[entry["outcome"]] or entry.get("recovered"):
            after.pop(entry["dataflow_id"], None)
        if kinds := moments(entry.get("open")):
            after[entry["dataflow_id"]] = kinds
    newest = sorted(after.items(), key=lambda item: max(item[1].values(), default=""))[-MOST_OPEN:]
    return {dataflow_id: kinds for dataflow_id, kinds in newest if kinds}


def key_of(entry: Mapping[str, Any]) -> str:
    """The key of a due tick, from its entry."""
    return f"{entry['dataflow_id']} {entry['tick']}"


def _export(entries: Sequence[Entry], alerted: Collection[str]) -> dict[str, Any]:
    """One export, as a check's result lists it."""
    last = max(entries, key=lambda entry: str(entry["tick"]))
    well = [entry for entry in entries if entry.get("recovered")]
    return {
        "dataflow_id": last["dataflow_id"],
        "dataflow_name": last["dataflow_name"],
        "dataflow_url": last.get("dataflow_url"),
        "location": next((entry["location"] for entry in entries if entry.get("location")), None),
        "outcome": worst_choice(entry["outcome"] for entry in entries),
        "findings": [_finding(entry, alerted) for entry in entries if CONCERN[entry["outcome"]]],
        "verdicts": [entry for entry in entries if CONCERN[entry["outcome"]] and entry.get("run_ids")],
        "open": last.get("open") or {},
        "recovered": well[-1] if well else None,
        "alerted": all(key_of(entry) in alerted for entry in entries),
    }


def _finding(entry: Entry, alerted: Collection[str]) -> dict[str, Any]:
    return {
        "key": key_of(entry),
        "kind": entry["status"],
        "outcome": entry["outcome"],
        "told": entry["reason"],
        "known_at": entry.get("completed_at") or entry.get("known_at"),
        "tick": entry["tick"],
        "run_ids": entry.get("run_ids") or [],
        "cause": entry.get("cause"),
        "alerted": key_of(entry) in alerted,
    }
