"""``aep run`` and ``aep enable``: act on one export now."""

from __future__ import annotations

from argparse import Namespace

from airflow_provider_aep.cli.output import Output
from airflow_provider_aep.exports.importing import find_dataflow
from airflow_provider_aep.exports.state import read_kind
from airflow_provider_aep.flowservice.adhoc import run_export
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import set_dataflow_state
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.hooks import AepHook


def run_now(flow: Dataflow, arguments: Namespace, hook: AepHook, output: Output) -> int:
    """Export datasets of a dataflow now; print the runs without waiting for them."""
    exchange = run_export(flow.id, arguments.dataset, ready_within=0)
    runs = [run.to_json() for run in hook.run(exchange)]
    output.document({"dataflow": _named(flow), "runs": runs})
    for run in runs:
        how = "is under way already" if run["adopted"] else "has begun"
        output.line(f"{flow.name}: run {run['run_id']} of dataset {run['dataset_id'] or '(not told)'} {how}")
    return 0


def enable(flow: Dataflow, hook: AepHook, output: Output) -> int:
    """Enable a dataflow: it exports again from its next tick on."""
    changed = hook.run(set_dataflow_state(flow.id, "enabled"))
    output.document({"dataflow": _named(flow), "changed": changed})
    output.line(f"{flow.name}: {'enabled' if changed else 'was enabled already'}")
    return 0


def read_dataflow(name_or_id: str) -> Exchange[Dataflow]:
    """The dataflow with this id, or with exactly this name.

    :raises AepValidationError: there is none.
    :raises AepAmbiguousNameError: several have this name.
    """
    return Dataflow.from_api(find_dataflow(name_or_id, (yield from read_kind("dataflow"))))


def _named(flow: Dataflow) -> dict[str, str]:
    return {"id": flow.id, "name": flow.name}
