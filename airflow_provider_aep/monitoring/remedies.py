"""What can be done now about an export, each step as something to copy.

A step is a command of ``aep``, or a message to a person. Ids and names stand in commands as one word of a
shell, whatever they hold.
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
# What a code is about where the credential for Adobe is to be mended.
_ACCESS = ("token", "login", "organization", "sandbox", "rights")


class Action(NamedTuple):
    """One step.

    :param why: what it is for, in one sentence.
    :param command: what to copy.
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
    """What to do, the most urgent first, each command once; nothing where all is well.

    :param standing: what is wrong with the dataflow itself, or has been for longer.
    :param lost: as in a story, what no later run may have delivered.
    :param latest: as ``exports`` of a story, the last of which it is known what became of them.
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
    """How the export, and where it is, is written in commands."""

    def __init__(self, flow: Dataflow, conn_id: str, sandbox: str) -> None:
        self.flow, self.conn_id, self.sandbox = flow, conn_id, sandbox

    def aep(self, *words: str) -> str:
        return shlex.join(["aep", *words, "--conn-id", self.conn_id, "--sandbox", self.sandbox])

    def export_now(self, dataset_ids: Sequence[str]) -> str:
        return self.aep("run", self.flow.id, *(f"--dataset={each}" for each in dataset_ids))


def _of_dataflow(standing: Sequence[Finding], here: _Here) -> Iterator[Action]:
    for finding in standing:
        if finding.kind == "disabled":
            why = "Enable it: it exports again from its next tick on."
            yield Action(why, here.aep("enable", here.flow.id), "shell")
        elif finding.kind in ("ended", "ends_soon"):
            why = f"To go on, set a later schedule.end in its spec, then ensure it; now {finding.told}."
            yield Action(why, here.aep("ensure", "PATH"), "shell")
        elif finding.kind in ("unread", "unreadable"):
            yield Action(f"See what is amiss: {finding.told}.", here.aep("doctor"), "shell")
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
    ids = sorted({each for one in lost for each in one["dataset_ids"]})
    yield Action(f"Export on demand what was lost: {lost[-1]['told']}.", here.export_now(ids), "shell")
    runs = [one["run_id"] for one in lost if one["run_id"]]
    if not runs:
        return
    batches = [batch_id for one in lost if one["run_id"] for batch_id in one["batch_ids"]]
    more = f" and {len(batches) - NAMED_BATCHES} more" if len(batches) > NAMED_BATCHES else ""
    message = (
        f"{_run(runs, here)} left out batches that were ingested in time: "
        f"{', '.join(batches[:NAMED_BATCHES])}{more}. Why?"
    )
    yield Action("Ask Adobe's support why it was left out.", message, "ask")


def _of_latest(
    latest: Sequence[Mapping[str, Any]], names: Mapping[str, str], here: _Here, *, off: bool, lost: bool
) -> Iterator[Action]:
    for one in latest:
        if one["outcome"] not in ("fail", "warn") and not one["cause"]:
            continue
        ids = one["dataset_ids"] or list(names)
        if one["status"] == "failed":
            yield from _of_failed(one, here)
        elif one["status"] == "missing" and not off:
            yield Action("See whether anything keeps it from running.", here.aep("doctor"), "shell")
        elif one["status"] == "stuck":
            yield _stuck(one["told"], [one["run_id"]], here)
        elif one["status"] in ("partial", "low", "slow"):
            why = "Compare it with the runs before it, and look at what was failed or skipped."
            yield Action(why, here.aep("runs", here.flow.id), "shell")
        if one["cause"]:
            yield from _of_cause(one["cause"], [names.get(each, each) for each in ids], here)
        if one["status"] in ("failed", "missing") and not (off or lost):
            yield Action(
                "Export on demand, once the reason is mended and if the next tick is too far away.",
                here.export_now(one["dataset_ids"]),
                "shell",
            )


def _of_failed(one: Mapping[str, Any], here: _Here) -> Iterator[Action]:
    for error in one["errors"]:
        said = " ".join(filter(None, (f"{error['code']}:", error["meaning"], error["advice"])))
        about = explain(error["code"]).about
        if about in _ACCESS:
            yield Action(
                f"Mend the credential; the doctor tells what it lacks. {said}", here.aep("doctor"), "shell"
            )
        elif about == "storage":
            why = f"If the login of the storage was changed, send it again; PATH is the export's spec. {said}"
            yield Action(why, here.aep("ensure", "PATH", "--rotate-credentials"), "shell")
        else:
            message = f"{_run([one['run_id']], here)} failed with {error['code']}. Why?"
            yield Action(said, message, "ask")
    if not one["errors"]:
        yield Action("See what the runs tell.", here.aep("runs", here.flow.id), "shell")


def _of_cause(cause: Mapping[str, Any], names: Sequence[str], here: _Here) -> Iterator[Action]:
    kind, told = cause["kind"], cause["told"]
    named = ", ".join(names) or "the dataset"
    if kind == "ingestion_failed":
        message = f"For the owner of the source of {named}: {told}. Please mend it, and send the data again."
        yield Action("Ask the owner of the source: the export has nothing new to deliver.", message, "ask")
    elif kind == "nothing_ingested":
        message = f"For the owner of the source of {named}: {told}. Were data expected?"
        yield Action("Ask the owner of the source, if data were expected.", message, "ask")
    elif kind == "window":
        message = f"For the owner of {named}: {told}. Is that meant?"
        yield Action(ADVICE[kind], message, "ask")
    elif kind == "too_close":
        yield Action(f"{ADVICE[kind]} Then look again.", here.aep("explain", here.flow.id), "shell")
    elif kind == "unknown":
        why = f"See whether the credential may read the Catalog: {told}."
        yield Action(why, here.aep("doctor"), "shell")
