"""The content of a sandbox, read without filters and order: the reference for all checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from airflow_provider_aep.flowservice.dataflow_record import exports_datasets
from airflow_provider_aep.flowservice.documents import Document, values_at
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE
from airflow_provider_aep.flowservice.run_record import DataflowRun
from airflow_provider_aep.probe.asking import Listing, read_listing
from airflow_provider_aep.probe.words import words_of
from airflow_provider_aep.probe.written import Written

KINDS = ("flows", "connections", "sourceConnections", "targetConnections")
# Enough to compare with; a sandbox may have thousands of dataflows that are not exports.
MOST_PAGES = 5
# How many dataflows' runs are read.
MOST_FLOWS = 6


@dataclass(kw_only=True)
class Sample:
    """What was read of a sandbox.

    :param limit: the largest page size that the service accepts; ``None`` if it accepts no limit.
    :param kinds: the listings, by collection.
    :param runs: the newest runs of any dataflow.
    :param runs_of: the runs of a few exports, by dataflow.
    :param whole_runs: the dataflows whose runs were all read.
    :param walk: a kind, a small limit, and its listing in pages of that size.
    :param written: what was observed with an export created for the checks; ``None`` if there is none.
    """

    sandbox: str
    now: datetime
    limit: int | None = LARGEST_PAGE
    limit_refused: str = ""
    kinds: dict[str, Listing] = field(default_factory=dict)
    runs: Listing = field(default_factory=Listing)
    runs_of: dict[str, list[Document]] = field(default_factory=dict)
    whole_runs: set[str] = field(default_factory=set)
    walk: tuple[str, int, Listing] | None = None
    written: Written | None = None

    def of(self, kind: str) -> list[Document]:
        listing = self.runs if kind == "runs" else self.kinds.get(kind)
        return listing.items if listing else []

    @cached_property
    def exports(self) -> list[Document]:
        """The dataflows that export datasets, to any destination."""
        return list(filter(exports_datasets, self.of("flows")))

    @cached_property
    def export_runs(self) -> list[DataflowRun]:
        """The runs of these dataflows, from all listings."""
        asked = [run for runs in self.runs_of.values() for run in runs]
        exports = {str(flow["id"]) for flow in self.exports}
        listed = [run for run in self.of("runs") if str(run.get("flowId")) in exports]
        return list(map(DataflowRun.from_api, {str(run["id"]): run for run in (*asked, *listed)}.values()))


def take_sample(sandbox: str, now: datetime) -> Exchange[Sample]:
    """Read the reference for the checks.

    :raises AepError: dataflows cannot be listed at all.
    """
    sample = Sample(sandbox=sandbox, now=now)
    first = yield from _read_flows(sample)
    if first.error and not first.pages:
        raise first.error
    sample.kinds["flows"] = first
    for kind in KINDS[1:]:
        sample.kinds[kind] = yield from read_listing(kind, limit=sample.limit, most=MOST_PAGES)
    sample.runs = yield from read_listing("runs", limit=sample.limit, most=MOST_PAGES)
    yield from _read_runs(sample)
    sample.walk = yield from _walk(sample)
    return sample


def _read_flows(sample: Sample) -> Exchange[Listing]:
    first = Listing()
    for limit in (LARGEST_PAGE, 20, None):
        first = yield from read_listing("flows", limit=limit, most=MOST_PAGES)
        if first.pages:
            sample.limit = limit
            return first
        if first.error:
            sample.limit_refused = sample.limit_refused or words_of(first.error)
    return first


def _read_runs(sample: Sample) -> Exchange[None]:
    recent = {flow_id for run in sample.runs.items for flow_id in values_at(run, "flowId")}
    # Recently run dataflows first, as they show the most.
    flows = sorted(sample.exports, key=lambda flow: flow["id"] not in recent)[:MOST_FLOWS]
    for flow in flows:
        flow_id = str(flow["id"])
        listing = yield from read_listing("runs", [("flowId", flow_id)], limit=sample.limit, most=MOST_PAGES)
        if listing.complete:
            sample.whole_runs.add(flow_id)
        runs = {
            run["id"]: run for run in (*listing.items, *sample.runs.items) if run.get("flowId") == flow_id
        }
        if runs:
            sample.runs_of[flow_id] = list(runs.values())


def _walk(sample: Sample) -> Exchange[tuple[str, int, Listing] | None]:
    """A whole listing in small pages, to check how they are linked."""
    sizes = {kind: len(listing.items) for kind, listing in sample.kinds.items()}
    long_enough = {kind: size for kind, size in sizes.items() if size >= 3}
    if not long_enough:
        return None
    kind = min(long_enough, key=lambda kind: long_enough[kind])
    limit = min(max(2, -(-long_enough[kind] // 4)), sample.limit or 20)
    listing = yield from read_listing(kind, limit=limit, most=8)
    return kind, limit, listing


def datasets_of(source: Document) -> list[Document]:
    return [dataset for dataset in values_at(source, "params.datasets[]") if isinstance(dataset, Mapping)]
