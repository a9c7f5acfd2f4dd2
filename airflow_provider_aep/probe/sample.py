"""What a sandbox holds, read without filters and without an order: the truth that all looks compare with."""

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
# Enough to compare with; a sandbox may have thousands of dataflows that are no exports.
MOST_PAGES = 5
# Of so many dataflows the runs are read.
MOST_FLOWS = 6


@dataclass(kw_only=True)
class Sample:
    """What was read of a sandbox.

    :param limit: the largest page that the service gives; ``None``: it takes no limit.
    :param kinds: the listings, by collection.
    :param runs: the newest runs of whatever dataflow.
    :param runs_of: runs by dataflow, of a few exports.
    :param whole_runs: the dataflows of which all runs were read.
    :param walk: a kind, a small limit, and its listing in pages of that size.
    :param written: what became of the export that was made for the looks; ``None`` where none was.
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
        """The dataflows that export datasets, to whatever destination."""
        return list(filter(exports_datasets, self.of("flows")))

    @cached_property
    def export_runs(self) -> list[DataflowRun]:
        """Their runs, of those that were asked for and of those that were listed anyhow."""
        asked = [run for runs in self.runs_of.values() for run in runs]
        exports = {str(flow["id"]) for flow in self.exports}
        listed = [run for run in self.of("runs") if str(run.get("flowId")) in exports]
        return list(map(DataflowRun.from_api, {str(run["id"]): run for run in (*asked, *listed)}.values()))


def take_sample(sandbox: str, now: datetime) -> Exchange[Sample]:
    """Read what the looks compare with.

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
    # Those that have run lately first: they tell the most.
    flows = sorted(sample.exports, key=lambda flow: flow["id"] not in recent)[:MOST_FLOWS]
    for flow in flows:
        flow_id = str(flow["id"])
        listing = yield from read_listing("runs", [("flowId", flow_id)], limit=sample.limit, most=MOST_PAGES)
        if listing.complete:
            sample.whole_runs.add(flow_id)
        found = {
            run["id"]: run for run in (*listing.items, *sample.runs.items) if run.get("flowId") == flow_id
        }
        if found:
            sample.runs_of[flow_id] = list(found.values())


def _walk(sample: Sample) -> Exchange[tuple[str, int, Listing] | None]:
    """A whole listing in small pages, to see how they follow each other."""
    sizes = {kind: len(listing.items) for kind, listing in sample.kinds.items()}
    long_enough = {kind: size for kind, size in sizes.items() if size >= 3}
    if not long_enough:
        return None
    kind = min(long_enough, key=lambda each: long_enough[each])
    limit = min(max(2, -(-long_enough[kind] // 4)), sample.limit or 20)
    listing = yield from read_listing(kind, limit=limit, most=8)
    return kind, limit, listing


def datasets_of(source: Document) -> list[Document]:
    return [each for each in values_at(source, "params.datasets[]") if isinstance(each, Mapping)]
