"""Poke, reschedule and deferrable, each run by Airflow itself, end alike."""

from __future__ import annotations

import pytest

from airflow_provider_aep.sensors import VERDICT_KEY
from tests.airflow.test_examples import export

pytestmark = pytest.mark.airflow

MODES = ("poke", "reschedule", "deferrable")
STATES = {"success": "success", "failed": "failed", "zero": "skipped", "partial": "success"}


def test_the_same_run_means_the_same_in_every_mode(run_dag, aep_server, states, pulled, logged):
    exports = {}
    for kind in STATES:
        aep_server.emulator.script_runs(kind, [kind])
        exports[kind] = export(kind)
    run = run_dag("aep_parity", **exports)
    assert states(run) == {f"{kind}_{mode}": state for kind, state in STATES.items() for mode in MODES}
    for kind in STATES:
        verdicts = [pulled(run, f"{kind}_{mode}", VERDICT_KEY) for mode in MODES]
        assert verdicts[0] == verdicts[1] == verdicts[2]
        assert verdicts[0]["dataflow_id"] == exports[kind]
    told = logged()
    for kind in ("failed", "zero", "partial"):
        assert told.count(f"AEP export {kind} ") >= len(MODES)
    assert "AEP export success " not in told
