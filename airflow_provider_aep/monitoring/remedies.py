"""What can be done now about an export, each step as a text to copy.

A step is a command of ``aep``, or a message to a person. Ids and names are quoted for the shell.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from airflow_provider_aep.flowservice.codes import explain
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.monitoring.causes import ADVICE
from airflow_provider_aep.monitoring.findings import Finding

NAMED_BATCHES = 10
# Codes about one of these mean that the credential for Adobe needs correcting.
_ACCESS = ("token", "login", "organization", "sandbox", "rights")


class Action(NamedTuple):
    """One step.

    :param why: a sentence about its purpose.
    :param command: the text to copy.
    :param kind: ``shell`` or ``ask`` (a message to a person).
    """

    why: str
    command: str
    kind: Literal["shell", "ask"]


def remedies(
    flow: Dataflow,
    *,
    standing: Sequence[Finding],
    lost: Sequence[Mapping[str, Any]],
    latest: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    conn_id: str,
    sandbox: str,
) -> list[Action]:
    """What to do, the most urgent first, each command once; empty if all is well.

    :param standing: problems of the dataflow itself, and those that have lasted for longer.
    :param lost: entries of a story's ``lost`` that no later run may have delivered.
    :param latest: the last entries of a story's ``exports`` whose result is known.
    :param names: of the datasets, by their ids.
    """
    here = _Here(flow, conn_id, sandbox)
    steps: dict[str, Action] = {}
    for step in (
        *_of_dataflow(standing, here),
        *_of_lost(lost, here),
        *_of_latest(latest, names, here, off=flow.state != "enabled", lost=bool(lost)),
    ):
        steps.setdefault(step.command, step)
    return list(steps.values())


class _Here:
    """Writes the export, its connection and its sandbox into commands."""

    def __init__(self, flow: Dataflow, conn_id: str, sandbox: str) -> None:
        self.flow, self.conn_id, self.sandbox = flow, conn_id, sandbox

    def aep(self, *words: str) -> str:
        return shlex.join(["aep", *words, "--conn-id", self.conn_id, "--sandbox", self.sandbox])

    def export_now(self, dataset_ids: Sequence[str]) -> str:
        return self.aep("run", self.flow.id, *(f"--dataset={dataset_id}" for dataset_id in dataset_ids))


def _of_dataflow(standing: Sequence[Finding], here: _Here) -> Iterator[Action]:
    for finding in standing:
        if finding.kind == "disabled":
            why = "Enable it: it exports again from its next tick on."
            yield Action(why, here.aep("enable", here.flow.id), "shell")
        elif finding.kind in ("ended", "ends_soon"):
            why = f"To go on, set a later schedule.end in its spec, then ensure it; now {finding.told}."
            yield Action(why, here.aep("ensure", "PATH"), "shell")
        elif finding.kind in ("unread", "unreadable"):
            yield Action(f"Find out what is wrong: {finding.told}.", here.aep("doctor"), "shell")
        elif finding.kind == "stuck":
            yield _stuck(finding.told, finding.run_ids, here)


def _run(run_ids: Sequence[str], here: _Here) -> str:
    return f"Export run {', '.join(run_ids)} of dataflow {here.flow.id} in sandbox {here.sandbox}"


def _stuck(told: str, run_ids: Sequence[str], here: _Here) -> Action:
    message = f"{_run(run_ids, here)} does not end. Please look into it, and end it."
    return Action(f"Ask Adobe's support: {told}.", message, "ask")


def _of_lost(lost: Sequence[Mapping[str, Any]], here: _Here) -> Iterator[Action]:
    if not lost:
        return
    ids = sorted({dataset_id for loss in lost for dataset_id in loss["dataset_ids"]})
    yield Action(f"Export on demand what was lost: {lost[-1]['told']}.", here.export_now(ids), "shell")
    runs = [loss["run_id"] for loss in lost if loss["run_id"]]
    if not runs:
        return
    batches = [batch_id for loss in lost if loss["run_id"] for batch_id in loss["batch_ids"]]
    more = f" and {len(batches) - NAMED_BATCHES} more" if len(batches) > NAMED_BATCHES else ""
    message = (
        f"{_run(runs, here)} left out batches that were ingested in time: "
        f"{', '.join(batches[:NAMED_BATCHES])}{more}. Why?"
    )
    yield Action("Ask Adobe's support why it was left out.", message, "ask")


def _of_latest(
    latest: Sequence[Mapping[str, Any]], names: Mapping[str, str], here: _Here, *, off: bool, lost: bool
) -> Iterator[Action]:
    for export in latest:
        if export["outcome"] not in ("fail", "warn") and not export["cause"]:
            continue
        ids = export["dataset_ids"] or list(names)
        if export["status"] == "failed":
            yield from _of_failed(export, here)
        elif export["status"] == "missing" and not off:
            yield Action("Find out whether anything keeps it from running.", here.aep("doctor"), "shell")
        elif export["status"] == "stuck":
            yield _stuck(export["told"], [export["run_id"]], here)
        elif export["status"] in ("partial", "low", "slow"):
            why = "Compare it with the runs before it, and look at what was failed or skipped."
            yield Action(why, here.aep("runs", here.flow.id), "shell")
        if export["cause"]:
            yield from _of_cause(export["cause"], [names.get(key, key) for key in ids], here)
        if export["status"] in ("failed", "missing") and not (off or lost):
            yield Action(
                "Export on demand, once the cause is fixed and if the next tick is too far away.",
                here.export_now(export["dataset_ids"]),
                "shell",
            )


def _of_failed(export: Mapping[str, Any], here: _Here) -> Iterator[Action]:
    for error in export["errors"]:
        meaning = " ".join(filter(None, (f"{error['code']}:", error["meaning"], error["advice"])))
        about = explain(error["code"]).about
        if about in _ACCESS:
            yield Action(
                f"Correct the credential; the doctor shows what it lacks. {meaning}",
                here.aep("doctor"),
                "shell",
            )
        elif about == "storage":
            why = "If the login of the storage was changed, send it again; PATH is the export's spec."
            yield Action(f"{why} {meaning}", here.aep("ensure", "PATH", "--rotate-credentials"), "shell")
        else:
            message = f"{_run([export['run_id']], here)} failed with {error['code']}. Why?"
            yield Action(meaning, message, "ask")
    if not export["errors"]:
        yield Action("Look at the runs.", here.aep("runs", here.flow.id), "shell")


def _of_cause(cause: Mapping[str, Any], names: Sequence[str], here: _Here) -> Iterator[Action]:
    kind, told = cause["kind"], cause["told"]
    named = ", ".join(names) or "the dataset"
    if kind == "ingestion_failed":
        message = f"For the owner of the source of {named}: {told}. Please fix it, and send the data again."
        yield Action("Ask the owner of the source: the export has nothing new to deliver.", message, "ask")
    elif kind == "nothing_ingested":
        message = f"For the owner of the source of {named}: {told}. Were data expected?"
        yield Action("Ask the owner of the source, if data were expected.", message, "ask")
    elif kind == "window":
        message = f"For the owner of {named}: {told}. Is that intended?"
        yield Action(ADVICE[kind], message, "ask")
    elif kind == "too_close":
        yield Action(f"{ADVICE[kind]} Then look again.", here.aep("explain", here.flow.id), "shell")
    elif kind == "unknown":
        why = f"Check whether the credential may read the Catalog: {told}."
        yield Action(why, here.aep("doctor"), "shell")
