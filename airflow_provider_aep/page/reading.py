"""A snapshot of one sandbox for the page, read from the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_aep.errors import (
    AepConfigError,
    AepError,
    AepRateLimitError,
    AepServerError,
    AepTooLargeError,
    AepTransportError,
    AepValidationError,
)
from airflow_provider_aep.exports.doctor import SANDBOX, TOKEN, judge_entry
from airflow_provider_aep.exports.state import read_kind
from airflow_provider_aep.flowservice.connections import datasets_named_in
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.documents import Document
from airflow_provider_aep.flowservice.exchange import Done, Exchange, together
from airflow_provider_aep.monitoring.overview import Overviewed, read_overview
from airflow_provider_aep.monitoring.reading import Datasets

# Connections and names of datasets change rarely.
FACTS_LIVE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What dataflows refer to, by id.

    :param datasets: the datasets of each source connection, as id and name.
    :param targets: the target connections, with their names, base connections and parameters.
    """

    read_at: datetime
    datasets: Mapping[str, Sequence[tuple[str, str | None]]]
    targets: Mapping[str, Document]
    sources: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The exports of one sandbox at one moment.

    :param source_datasets: the dataset ids of source connections, which never change.
    """

    sandbox: str
    at: datetime
    exports: Mapping[str, Overviewed]
    facts: Facts
    source_datasets: Datasets


def read_snapshot(sandbox: str, before: Snapshot | None, *, now: datetime) -> Exchange[Snapshot]:
    """The exports of the sandbox that the exchange talks to; reads only what is new since ``before``.

    :raises AepError: the dataflows cannot be listed.
    """
    if before and before.sandbox != sandbox:
        before = None  # the connection was changed meanwhile
    exports, datasets = yield from read_overview(
        now=now,
        known=before.exports if before else None,
        datasets=before.source_datasets if before else None,
    )
    facts = before.facts if before else None
    named = {source_id for export in exports for source_id in export.flow.source_connection_ids}
    if facts is None or now - facts.read_at > FACTS_LIVE or not named <= facts.sources.keys():
        facts = yield from _read_facts(now, named)
    return Snapshot(
        sandbox=sandbox,
        at=now,
        exports={export.flow.id: export for export in exports},
        facts=facts,
        source_datasets=datasets,
    )


def _read_facts(now: datetime, named: set[str]) -> Exchange[Facts]:
    """What dataflows refer to. A list that is refused is left out: not every credential sees all of them."""
    lists = [read_kind("source connection"), read_kind("target connection")]
    sources, targets = yield from together(lists, at_most=2)
    (datasets,) = yield from together([list_datasets()], at_most=1)
    names = {dataset.id: dataset.name for dataset in datasets.value} if isinstance(datasets, Done) else {}
    source_documents: list[Document] = sources.value if isinstance(sources, Done) else []
    target_documents: list[Document] = targets.value if isinstance(targets, Done) else []
    return Facts(
        read_at=now,
        datasets={str(source["id"]): _datasets(source, names) for source in source_documents},
        targets={
            str(target["id"]): {name: target.get(name) for name in ("name", "baseConnectionId", "params")}
            for target in target_documents
        },
        # Missing ones are kept too, so that they are not requested again at each poll.
        sources={
            **dict.fromkeys(named),
            **{str(source["id"]): _text(source.get("name")) for source in source_documents},
        },
    )


def _datasets(source: Document, names: Mapping[str, str]) -> list[tuple[str, str | None]]:
    named = datasets_named_in(source)
    return [(dataset_id, names.get(dataset_id) or _text(name)) for dataset_id, name in named.items()]


def _text(value: object) -> str | None:
    return str(value) if value else None


def trouble_of(error: AepError, sandbox: str | None) -> dict[str, str | None]:
    """Why nothing new could be read, as ``kind``, ``told`` and ``hint``."""
    if isinstance(error, AepConfigError | AepValidationError):
        return {"kind": "misconfigured", "told": str(error), "hint": "Correct the Airflow connection."}
    if isinstance(error, AepTooLargeError):
        return {"kind": "too_large", "told": str(error), "hint": None}
    if isinstance(error, AepTransportError | AepServerError | AepRateLimitError):
        return {"kind": "unreachable", "told": str(error), "hint": None}
    finding = judge_entry(error, sandbox=sandbox or "?")[-1]
    kinds = {TOKEN: "token_refused", SANDBOX: "sandbox_unknown"}
    if finding.level != "fail":
        return {"kind": "refused", "told": str(error), "hint": None}
    return {"kind": kinds.get(finding.check, "refused"), "told": finding.seen, "hint": finding.advice}
