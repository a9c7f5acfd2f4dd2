"""Reads the accounts of the ledger: the runs of a year, as far as they are listed and a limit allows."""

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

# Pages of 100 runs. Older runs are missing from the ledger, which says so.
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
    """The accounts of dataflows, how many pages of runs were read, and whether the limit cut some off.

    :param zone: the time zone of the days.
    :param most_pages: the approximate limit of pages; each listing reads at least one.
    """
    since = year_of(year, zone)[0]
    good = sorted((flow for flow in flows if is_id(flow.id)), key=lambda flow: (flow.step, flow.id))
    ids = [flow.id for flow in good]
    batches = [ids[start : start + LARGEST_PAGE] for start in range(0, len(ids), LARGEST_PAGE)]
    # From when on a list shows every run; later than requested if the limit stopped it.
    shown = dict.fromkeys(ids, since)
    read_from: dict[str, datetime] = {}
    spent: list[Pages] = []

    def read(flow_ids: Sequence[str]) -> Exchange[list[DataflowRun]]:
        # Each dataflow gets the same share of the limit, in a list or alone.
        pages = Pages(most=max(most_pages * len(flow_ids) // len(ids), 1))
        spent.append(pages)
        runs = yield from list_runs_of(flow_ids, started_after=since - CREATED_EARLIER, pages=pages)
        reached = since
        if pages.cut_off:
            reached = min(max((pages.oldest or now) + CREATED_EARLIER, since), now)
        read_from.update(dict.fromkeys(flow_ids, reached))
        if len(flow_ids) > 1:
            shown.update(dict.fromkeys(flow_ids, reached))
        return runs

    answers: Mapping[str, list[DataflowRun] | AepError] = {}
    if ids:
        answers = yield from read_many(batches, read, since=shown)
    runs = {
        flow_id: each_once(answer) for flow_id, answer in answers.items() if not isinstance(answer, AepError)
    }
    oldest = oldest_listed(runs)
    accounts = []
    for flow in flows:
        answer = answers.get(flow.id)
        why = "" if flow.id in runs else str(answer) if answer else "its id is malformed"
        # Runs are assumed to be listed for LISTED_FOR, whatever else is known.
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
    accounts.sort(key=lambda account: (account.flow.name.casefold(), account.flow.id))
    return accounts, sum(pages.read for pages in spent), any(at > since for at in read_from.values())


def oldest_listed(runs: Mapping[str, Sequence[DataflowRun]]) -> dict[str, datetime]:
    """From when on the runs of each dataflow are known to be listed; dataflows without evidence are left out.

    How long Adobe lists runs is not documented. Whether it drops them by age or by number, it lists a
    dataflow as far back as one with more runs.
    """
    starts = {flow_id: [run.started_at for run in own if run.started_at] for flow_id, own in runs.items()}
    oldest: dict[str, datetime] = {}
    reached: datetime | None = None  # by dataflows with more runs
    fewest_last = sorted(starts, key=lambda flow_id: -len(starts[flow_id]))
    for _, equally_many in groupby(fewest_last, key=lambda flow_id: len(starts[flow_id])):
        reach = {
            flow_id: min([*starts[flow_id], *([reached] if reached else [])], default=None)
            for flow_id in equally_many
        }
        known = {flow_id: moment for flow_id, moment in reach.items() if moment}
        oldest |= known
        reached = min(known.values(), default=reached)
    return oldest
