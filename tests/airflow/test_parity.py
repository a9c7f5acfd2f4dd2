"""Poke, reschedule and deferrable, each run by Airflow itself, end alike; so does one task for many exports.

Starting in the triggerer takes a real Airflow: ``test_starting.py`` runs the same matrix there.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_aep.flowservice.dataflows import delete_dataflow
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.operators.xcom_keys import VERDICT_KEY
from tests.airflow.kinds import ALL, GIVEN, OUTCOMES, together
from tests.airflow.test_examples import export

pytestmark = pytest.mark.airflow

MODES = ("poke", "reschedule", "deferrable")
STARTED = GIVEN.keys() - {"given_none"}


def test_the_same_run_means_the_same_in_every_mode(run_dag, aep_server, states, pulled, logged):
    exports = {}
    tick_at = datetime.now(tz=UTC).replace(microsecond=0)
    for name, kind in ALL.items():
        aep_server.emulator.script_runs(name, kind.runs)
        due = {"start": tick_at} if name != "gone" else {"start": "2027-01-01", "end": "2027-02-01"}
        exports[name] = export(name, every="once", **due)
    AepHook().run(delete_dataflow(exports["gone"]))

    time.sleep(1.0)  # ten minutes of the emulator's: before that a dataflow has no runs on demand

    moments = {"tick_at": tick_at.isoformat(), "window_end": (tick_at + timedelta(days=1)).isoformat()}
    run = run_dag("aep_parity", **exports, **moments)

    ends = {f"{name}_{mode}": kind.state for name, kind in ALL.items() for mode in MODES}
    ends |= {f"run_{name}": "success" for name in STARTED}
    ends |= {f"all_{name}_{mode}": "success" for name in together() for mode in MODES}
    assert states(run) == ends
    told = logged()
    verdicts = {}
    for name, kind in ALL.items():
        same = [pulled(run, f"{name}_{mode}", VERDICT_KEY) for mode in MODES]
        assert same[0] == same[1] == same[2]
        returned = [pulled(run, f"{name}_{mode}") for mode in MODES]
        assert returned == (same if kind.state == "success" else [None] * 3)
        assert len(re.findall(kind.says, told)) >= len(MODES), name
        if name in STARTED:
            assert same[0]["run_ids"] == pulled(run, f"run_{name}")
        verdicts[name] = same[0]

    for name, kind in OUTCOMES.items():
        assert (verdicts[name]["status"], verdicts[name]["outcome"]) == kind.verdict
        assert re.search(kind.says, verdicts[name]["reason"])
        # Those of the single sensors, and those of the ones for many.
        assert told.count(f"Dataflow '{name}': {verdicts[name]['reason']}") >= 2 * len(MODES)
        # The sensors for many alert on what the policy minds; on a skip only a callback of a task does.
        due = kind.alerts * len(MODES) * (1 if kind.state == "skipped" else 2)
        alerts = told.count(f"AEP export {name} ")
        assert alerts >= due if due else not alerts, name
    for name, (names, _) in together().items():
        for mode in MODES:
            assert_the_same_of_all(pulled(run, f"all_{name}_{mode}"), verdicts, exports, names)


def assert_the_same_of_all(found, verdicts, exports, names):
    """What one task found of its exports is what a task for each has found."""
    by_id = {each["dataflow_id"]: each for each in found["verdicts"]}
    assert by_id.keys() == {exports[name] for name in names}
    for name in names:
        verdict, single = by_id[exports[name]], verdicts[name]
        if single is None:
            assert (verdict["outcome"], verdict["status"]) == ("fail", "error")
            says = r"Last seen: run \S+ processing" if name == "never_ends" else "answered 404"
            assert re.search(says, verdict["reason"])
            continue
        for key in ("status", "outcome", "run_ids", "records_out", "started_at", "completed_at"):
            assert verdict.get(key) == single[key], (name, key)
        if "reason" in verdict:  # nobody minds the others, so they are kept short
            assert (verdict["reason"], verdict.get("errors", [])) == (single["reason"], single["errors"])
