"""Reading the accounts of the ledger: the runs of a year, as far as they are listed and a bound allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import groupby

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.listing import LARGEST_PAGE, Pages
from airflow_provider_aep.flowservice.run_record import DataflowRun, each_once
from airflow_provider_aep.flowservice.runs import list_runs_of
from airflow_provider_aep.flowservice.validation import is_id
from airflow_provider_aep.monitoring.ledger import Account, account_of, year_of
from airflow_provider_aep.monitoring.listings import CREATED_EARLIER, read_many
from airflow_provider_aep.monitoring.reading import LISTED_FOR, Datasets, datasets_of

# Pages of 100 runs. What is older than they reach is missing from the ledger, and said to be.
MOST_PAGES = 100


def read_accounts(
    flows: Sequence[Dataflow],
    *,
    year: int,
    now: datetime,
    zone: tzinfo = UTC,
    datasets: Datasets | None = None,
    most_pages: int = MOST_PAGES,
) -> Exchange[tuple[list[Account], int, bool]]:
    """The accounts of dataflows, how many pages of runs were read, and whether the bound cut some off.

    :param zone: where days begin at midnight.
    :param most_pages: about so many pages are read at most; one for each listing at least.
    """
    since = year_of(year, zone)[0]
    good = sorted((flow for flow in flows if is_id(flow.id)), key=lambda flow: (flow.step, flow.id))
    ids = [flow.id for flow in good]
    batches = [ids[start : start + LARGEST_PAGE] for start in range(0, len(ids), LARGEST_PAGE)]
    # From when on a list shows every run: once the bound stops it, later than asked.
    shown = dict.fromkeys(ids, since)
    read_from: dict[str, datetime] = {}
    spent: list[Pages] = []

    def read(some: Sequence[str]) -> Exchange[list[DataflowRun]]:
        # Each takes its share of the bound, however they are asked for.
        pages = Pages(most=max(most_pages * len(some) // len(ids), 1))
        spent.append(pages)
        runs = yield from list_runs_of(some, started_after=since - CREATED_EARLIER, pages=pages)
        reached = since
        if pages.cut_off:
            reached = min(max((pages.oldest or now) + CREATED_EARLIER, since), now)
        read_from.update(dict.fromkeys(some, reached))
        if len(some) > 1:
            shown.update(dict.fromkeys(some, reached))
        return runs

    found: Mapping[str, list[DataflowRun] | AepError] = {}
    if ids:
        found = yield from read_many(batches, read, since=shown)
    runs = {each: each_once(one) for each, one in found.items() if not isinstance(one, AepError)}
    oldest = oldest_listed(runs)
    accounts = []
    for flow in flows:
        seen = found.get(flow.id)
        why = "" if flow.id in runs else str(seen) if seen else "its id is none"
        # So far back runs are taken to be listed, whatever else is known.
        known_from = min(oldest.get(flow.id, now), now - LISTED_FOR)
        accounts.append(
            account_of(
                flow,
                runs.get(flow.id, ()),
                year=year,
                known_from=now if why else max(read_from.get(flow.id, since), known_from),
                now=now,
                zone=zone,
                datasets=datasets_of(flow, datasets or {}) or (),
                why=why,
            )
        )
    accounts.sort(key=lambda one: (one.flow.name.casefold(), one.flow.id))
    return accounts, sum(each.read for each in spent), any(each > since for each in read_from.values())


def oldest_listed(runs: Mapping[str, Sequence[DataflowRun]]) -> dict[str, datetime]:
    """From when on the runs of each dataflow are known to be listed, where anything tells.

    How long Adobe lists runs is not documented. Whether it drops them by their age or by their number: as far
    back as it lists one dataflow, it lists another that has fewer runs.
    """
    starts = {each: [run.started_at for run in some if run.started_at] for each, some in runs.items()}
    oldest: dict[str, datetime] = {}
    reached: datetime | None = None  # by dataflows with more runs
    fewest_last = sorted(starts, key=lambda each: -len(starts[each]))
    for _, several in groupby(fewest_last, key=lambda each: len(starts[each])):
        alike = {
            each: min([*starts[each], *([reached] if reached else [])], default=None) for each in several
        }
        found = {each: moment for each, moment in alike.items() if moment}
        oldest |= found
        reached = min(found.values(), default=reached)
    return oldest
