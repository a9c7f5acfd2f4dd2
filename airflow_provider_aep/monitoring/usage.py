"""The ledger of a sandbox for a calendar year: its sums, what they leave out, and the state of allowances."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.dataflows import list_dataflows
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.monitoring.accounts import MOST_PAGES, read_accounts
from airflow_provider_aep.monitoring.allowance import Allowance, Standing, standing_of
from airflow_provider_aep.monitoring.ledger import (
    UNTOLD,
    Account,
    Period,
    Subject,
    entries_of,
    is_incomplete,
    sums,
    year_of,
)
from airflow_provider_aep.monitoring.policy import AuditPolicy, Choice
from airflow_provider_aep.monitoring.reading import read_datasets
from airflow_provider_aep.monitoring.selection import Selection

EARLIEST_YEAR = 2017


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The ledger of the exports of a sandbox in one calendar year.

    :param zone: the time zone of the days.
    :param listed: how many export dataflows there are, selected or not.
    :param requests: how many requests the runs took.
    :param cut_off: whether older runs were not read because of the limit.
    """

    year: int
    zone: tzinfo
    at: datetime
    accounts: Sequence[Account]
    standings: Sequence[Standing]
    listed: int
    requests: int
    cut_off: bool

    @property
    def known_from(self) -> datetime:
        """From when on all exports are known."""
        first = year_of(self.year, self.zone)[0]
        return max((account.known_from for account in self.accounts if account.missing), default=first)

    def table(self, subject: Subject, period: Period) -> list[dict[str, Any]]:
        """The sums, as plain JSON: ``subject``, ``name``, ``period``, and the members of ``Sum``.

        ``incomplete`` says that runs of that period may be missing.
        """
        names = {account.flow.id: account.flow.name for account in self.accounts}
        names |= {flow_id + UNTOLD: name + UNTOLD for flow_id, name in names.items()}
        incomplete = is_incomplete(self.accounts, subject, period)
        entries = (entry for account in self.accounts for entry in entries_of(account, subject))
        return [
            {
                "subject": key,
                "name": names.get(key, key),
                "period": when,
                **total.to_json(),
                "incomplete": incomplete(key, when),
            }
            for (key, when), total in sums(entries, period).items()
        ]

    def notes(self) -> list[str]:
        """What the sums leave out, each in one sentence."""
        first = year_of(self.year, self.zone)[0]
        notes = []
        if self.known_from > first:
            late = sum(bool(account.missing) for account in self.accounts)
            known_from = self.known_from.astimezone(self.zone)
            notes.append(
                f"known from {known_from:%Y-%m-%d} on: older runs of {_exports(late)} are not listed"
                f"{', or were not read' if self.cut_off else ''}, and are missing here"
            )
        for account in self.accounts:
            if account.why:
                notes.append(f"the runs of {account.flow.name!r} could not be read: {account.why}")
        if undated := sum(account.undated for account in self.accounts):
            run = "run belongs" if undated == 1 else "runs belong"
            notes.append(f"{undated} {run} to no day, for lack of a credible time")
        if under_way := sum(account.under_way for account in self.accounts):
            run = "run is" if under_way == 1 else "runs are"
            notes.append(f"{under_way} {run} under way: what has not ended is not counted")
        notes.append(
            "counts are those of the runs, which Adobe calls indicative; deleted exports are not here"
        )
        return notes

    def to_json(self, period: Period) -> dict[str, Any]:
        return {
            "year": self.year,
            "timezone": str(self.zone),
            "at": self.at.isoformat(),
            "known_from": self.known_from.isoformat(),
            "requests": self.requests,
            "cut_off": self.cut_off,
            "notes": self.notes(),
            "allowances": [standing.to_json() for standing in self.standings],
            "accounts": [_account(account) for account in self.accounts],
            "total": self.table("sandbox", "year"),
            **{
                f"{subject}s": self.table(subject, period) for subject in ("export", "dataset", "destination")
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedAllowance:
    """An allowance in a check.

    :param outcome: by the policy; ``ok`` if the allowance is enough.
    :param requests: how many requests the runs of the year took, for all allowances together.
    """

    standing: Standing
    outcome: Choice
    requests: int

    def to_json(self) -> dict[str, Any]:
        key, requests = self.standing.key, self.requests
        return {"key": key, "outcome": self.outcome, "requests": requests, **self.standing.to_json()}


def check_allowances(
    allowances: Sequence[Allowance],
    flows: Sequence[Dataflow],
    *,
    now: datetime,
    policy: AuditPolicy,
    zone: tzinfo = UTC,
    told: Collection[str] = (),
) -> Exchange[tuple[CheckedAllowance, ...]]:
    """Whether allowances are enough; without allowances, no request is sent.

    :param zone: the time zone of the days.
    :param told: the keys that were reported before; an allowance that is still in that state is standing.
    """
    if not allowances:
        return ()
    now = now.astimezone(UTC)
    year = now.astimezone(zone).year
    accounts, requests, _ = yield from read_accounts(flows, year=year, now=now, zone=zone)
    checked = []
    for allowance in allowances:
        standing = standing_of(allowance, accounts, now, zone)
        minded = policy.on_standing if standing.key in told else policy.on_allowance
        outcome = "ok" if standing.status == "ok" else minded
        checked.append(CheckedAllowance(standing=standing, outcome=outcome, requests=requests))
    return tuple(checked)


def told_by(checked: Sequence[CheckedAllowance], before: Collection[str]) -> tuple[str, ...]:
    """The keys that have been reported for these allowances in their periods, for the next check.

    A forecast that swings around its allowance is reported once, and not at each swing.
    """
    standings = [allowance.standing for allowance in checked]
    series = {standing.series for standing in standings}
    reported = {standing.key for standing in standings if standing.status != "ok"}
    return tuple(sorted(reported | {key for key in before if key.rpartition(":")[0] in series}))


def _account(account: Account) -> dict[str, Any]:
    return {
        "dataflow_id": account.flow.id,
        "dataflow_name": account.flow.name,
        "destination": account.flow.destination,
        "state": account.flow.state,
        "since": account.since.isoformat(),
        "known_from": account.known_from.isoformat(),
        "undated": account.undated,
        "under_way": account.under_way,
        "unread": account.why or None,
    }


def _exports(number: int) -> str:
    return f"{number} export{'' if number == 1 else 's'}"


def check_year(year: object, this_year: int) -> int:
    """``year``, if there can be runs in it.

    :raises AepValidationError: there cannot.
    """
    if not isinstance(year, int) or isinstance(year, bool) or not EARLIEST_YEAR <= year <= this_year:
        problem = Problem("year", f"must be a calendar year from {EARLIEST_YEAR} to {this_year}")
        raise AepValidationError("the ledger", [problem])
    return year


def read_usage(
    *,
    now: datetime,
    zone: tzinfo = UTC,
    year: int | None = None,
    selection: Selection | None = None,
    allowances: Sequence[Allowance] = (),
    most_pages: int = MOST_PAGES,
) -> Exchange[Usage]:
    """The ledger of the export dataflows of the sandbox.

    :param zone: the time zone of the days.
    :param year: by default the one that contains ``now``, the only one for which allowances may be given.
    :param most_pages: the approximate limit of pages of runs.
    :raises AepValidationError: the year is not allowed, or is over and has an allowance.
    :raises AepError: the dataflows cannot be listed. An account says if its runs cannot be read.
    """
    now, this_year = now.astimezone(UTC), now.astimezone(zone).year
    year = check_year(this_year if year is None else year, this_year)
    if allowances and year != this_year:
        problem = Problem("allowance", f"goes with the current year, {this_year}, alone")
        raise AepValidationError("the ledger", [problem])
    selection = selection or Selection()
    listed = list({flow.id: flow for flow in (yield from list_dataflows())}.values())
    selection.check(listed)
    flows = [flow for flow in listed if selection.holds(flow)]
    datasets = yield from read_datasets(flows, {})
    accounts, requests, cut_off = yield from read_accounts(
        flows, year=year, now=now, zone=zone, datasets=datasets, most_pages=most_pages
    )
    return Usage(
        year=year,
        zone=zone,
        at=now,
        accounts=accounts,
        standings=[standing_of(allowance, accounts, now, zone) for allowance in allowances],
        listed=len(listed),
        requests=requests,
        cut_off=cut_off,
    )
