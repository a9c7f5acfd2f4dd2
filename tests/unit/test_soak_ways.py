"""What a soak finds wrong with one task that watches all exports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tools.demo import Report
from tools.soak_ledger import Ending
from tools.soak_service import Export
from tools.soak_ways import OneTask

GOOD = Export("good", "2026-11-29T00:00:00+00:00", "run-1", "success", "ok")
BAD = Export("bad", "2026-11-29T00:00:00+00:00", "run-2", "failed", "fail")
ALERT = {"dataflow_id": "bad", "status": "failed", "outcome": "fail", "run_ids": ["run-2"], "key": "k"}
EVENT = {"dataflow_id": "good", "run_ids": ["run-1"]}


@dataclass
class Found:
    """A ledger of two homes, the second of which holds the alerts."""

    home: Path
    alerts: list[dict[str, Any]]
    events: tuple[dict[str, Any], ...]
    tries: int

    def files(self, pattern: str) -> list[Path]:
        file = self.home / pattern
        file.write_text("".join(json.dumps(alert) + "\n" for alert in self.alerts))
        return [file]

    def endings(self) -> dict[int, Ending]:
        returned = {"totals": {"fail": 1, "warn": 0, "skip": 0, "ok": 1}}
        return {-1: Ending("success", self.tries, 2, {}, returned, self.events)}


@pytest.mark.parametrize(
    ("alerts", "events", "tries", "met", "wrong"),
    [
        ([ALERT], (EVENT,), 1, False, 0),
        ([], (EVENT,), 1, False, 1),
        ([ALERT, ALERT], (EVENT,), 1, False, 1),
        ([ALERT, ALERT], (EVENT,), 1, True, 1),
        ([ALERT, ALERT], (EVENT,), 2, True, 0),
        ([ALERT, ALERT], (EVENT,), 2, False, 2),  # nobody was killed, so it had no reason to try again
        ([ALERT, {**ALERT, "key": "another"}], (EVENT,), 2, True, 1),
        ([{**ALERT, "run_ids": ["run-1"]}], (EVENT,), 1, False, 1),
        ([ALERT, {**ALERT, "dataflow_id": "good"}], (EVENT,), 1, False, 1),
        ([ALERT], (), 1, False, 1),
        ([ALERT], (EVENT, EVENT), 1, False, 1),
        ([ALERT], (EVENT, {**EVENT, "dataflow_id": "bad"}), 1, False, 1),
    ],
)
def test_each_export_must_be_told_right_and_once(
    tmp_path: Path, alerts: Any, events: Any, tries: int, met: bool, wrong: int
) -> None:
    way = OneTask(Found(tmp_path, alerts, events, tries), [GOOD, BAD])  # type: ignore[arg-type]
    way.met = {-1} if met else set()
    report = Report()

    way.judge(report)

    assert len(report.wrong) == wrong, report.wrong
