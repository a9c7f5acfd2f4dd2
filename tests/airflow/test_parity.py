"""Poke, reschedule and deferrable, each run by Airflow itself, end alike."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.flowservice.dataflows import delete_dataflow
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.sensors import VERDICT_KEY
from tests.airflow.test_examples import export

pytestmark = pytest.mark.airflow

MODES = ("poke", "reschedule", "deferrable")
# name -> how its run ends, the state of the task, and what its message says
OUTCOMES = {
    "success": ("success", "success", r"run \S+ exported [\d,]+ records"),
    "failed": ("failed", "failed", r"run \S+ ended as failed: ACTIVATION_BATCH-0000-FAILED"),
    "zero": ("zero", "skipped", r"run \S+ exported no records"),
    "partial": ("partial", "success", r"run \S+ exported [\d,]+ records, [\d,]+ (failed|skipped)"),
    "unknown_status": (
        "unknown_status",
        "failed",
        r"run \S+ ended with status '\w+', which is none that we know",
    ),
    "negative": ("negative_counts", "success", r"run \S+ exported [\d,]+ records$"),
    "low": ("success", "failed", r"run \S+ exported [\d,]+ records, fewer than min_records, 1,000,000,000"),
    "tolerated": ("partial", "success", r"run \S+ exported [\d,]+ records, [\d,]+ (failed|skipped)"),
    "slow": ("success", "success", r"run \S+ exported [\d,]+ records, in \S+, longer than 0:00:00.001000"),
    "first_empty": ("zero", "failed", r"exported no records, though the first export is a full one"),
}
STATUS = {
    "success": ("success", "ok"),
    "failed": ("failed", "fail"),
    "zero": ("zero_records", "skip"),
    "partial": ("partial", "warn"),
    "unknown_status": ("unknown", "fail"),
    "negative": ("success", "ok"),
    "low": ("low_records", "fail"),
    "tolerated": ("success", "ok"),
    "slow": ("slow", "warn"),
    "first_empty": ("zero_records", "fail"),
}


# What is waited for other than an open window: how the runs of its export end in turn, the state of the task,
# and what its log says
WAITS = {
    "tick": (["success"], "success", r"Dataflow 'tick': run \S+ exported [\d,]+ records"),
    "tick_failed": (["failed"], "failed", r"Dataflow 'tick_failed': run \S+ ended as failed"),
    "no_tick": (["success"], "failed", r"tick is no tick of the schedule of dataflow 'no_tick'"),
    "window": (["success"], "success", r"Dataflow 'window': run \S+ exported [\d,]+ records"),
    "window_over": (
        ["success"],
        "failed",
        r"Last seen: no run has started yet, and its window ended at 2026-01",
    ),
    "given": (["failed", "success"], "success", r"Dataflow 'given': run \S+ exported [\d,]+ records"),
    "given_failed": (["success", "failed"], "failed", r"Dataflow 'given_failed': run \S+ ended as failed"),
    "given_text": (
        ["failed", "success"],
        "success",
        r"Dataflow 'given_text': run \S+ exported [\d,]+ records",
    ),
    "given_none": (["success"], "failed", r"run_ids/0 is missing"),
}
STARTED = {"given", "given_failed", "given_text"}


def test_the_same_run_means_the_same_in_every_mode(run_dag, aep_server, states, pulled, logged):
    exports = {}
    for name, (kind, _, _) in OUTCOMES.items():
        aep_server.emulator.script_runs(name, [kind])
        exports[name] = export(name, every="once")
    aep_server.emulator.script_runs("never_ends", ["in_progress"])
    tick_at = datetime.now(tz=UTC).replace(microsecond=0)
    for name, (kinds, _, _) in WAITS.items():
        aep_server.emulator.script_runs(name, kinds)
        exports[name] = export(name, every="once", start=tick_at)
    exports["never_ends"] = export("never_ends", every="once")
    exports["gone"] = export("gone", start="2027-01-01", end="2027-02-01")
    AepHook().run(delete_dataflow(exports["gone"]))

    time.sleep(1.0)  # ten minutes of the emulator's: before that a dataflow has no runs on demand

    moments = {"tick_at": tick_at.isoformat(), "window_end": (tick_at + timedelta(days=1)).isoformat()}
    run = run_dag("aep_parity", **exports, **moments)

    wanted = {name: state for name, (_, state, _) in (*OUTCOMES.items(), *WAITS.items())} | {
        "never_ends": "failed",
        "gone": "failed",
    }
    ends = {f"{name}_{mode}": state for name, state in wanted.items() for mode in MODES}
    assert states(run) == ends | {f"run_{name}": "success" for name in STARTED}
    told = logged()
    for name, (_, state, message) in WAITS.items():
        verdicts = [pulled(run, f"{name}_{mode}", VERDICT_KEY) for mode in MODES]
        assert verdicts[0] == verdicts[1] == verdicts[2]
        assert len(re.findall(message, told)) >= len(MODES), name
        if name in STARTED:
            assert verdicts[0]["run_ids"] == pulled(run, f"run_{name}")
        assert [pulled(run, f"{name}_{mode}") for mode in MODES] == (
            verdicts if state == "success" else [None] * 3
        )
    for name, (_, state, message) in OUTCOMES.items():
        verdicts = [pulled(run, f"{name}_{mode}", VERDICT_KEY) for mode in MODES]
        assert verdicts[0] == verdicts[1] == verdicts[2]
        assert (verdicts[0]["status"], verdicts[0]["outcome"]) == STATUS[name]
        assert re.search(message, verdicts[0]["reason"])
        returned = [pulled(run, f"{name}_{mode}") for mode in MODES]
        assert returned == (verdicts if state == "success" else [None] * 3)
        assert told.count(f"Dataflow '{name}': {verdicts[0]['reason']}") >= len(MODES)
    timeouts = re.findall(r"Sensor has timed out[^\n]*Last seen: run \S+ processing", told)
    assert len(timeouts) >= len(MODES)
    for name in ("failed", "zero", "partial", "low", "slow", "first_empty"):
        assert told.count(f"AEP export {name} ") >= len(MODES)
    assert "AEP export success " not in told
    assert "AEP export tolerated " not in told
