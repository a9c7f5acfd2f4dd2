"""The ledger of a sandbox in a calendar year: its sums, what they leave out, and how allowances stand."""

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

    :param zone: where days begin at midnight.
    :param listed: how many export dataflows there are, selected or not.
    :param requests: how many requests the runs took.
    :param cut_off: whether older runs were left unread, to keep to the bound.
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
        return max((one.known_from for one in self.accounts if one.missing), default=first)

    def table(self, subject: Subject, period: Period) -> list[dict[str, Any]]:
        """The sums, as plain JSON: ``subject``, ``name``, ``period``, and the members of ``Sum``.

        ``incomplete`` says that runs of that period may be missing.
        """
        names = {one.flow.id: one.flow.name for one in self.accounts}
        names |= {flow_id + UNTOLD: name + UNTOLD for flow_id, name in names.items()}
        incomplete = is_incomplete(self.accounts, subject, period)
        entries = (entry for one in self.accounts for entry in entries_of(one, subject))
        return [
            {
                "subject": key,
                "name": names.get(key, key),
                "period": when,
                **found.to_json(),
                "incomplete": incomplete(key, when),
            }
            for (key, when), found in sums(entries, period).items()
        ]

    def notes(self) -> list[str]:
        """What the sums leave out, each in one sentence."""
        first = year_of(self.year, self.zone)[0]
        notes = []
        if self.known_from > first:
            late = sum(bool(one.missing) for one in self.accounts)
            known_from = self.known_from.astimezone(self.zone)
            notes.append(
                f"known from {known_from:%Y-%m-%d} on: older runs of {_exports(late)} are not listed"
                f"{', or were not read' if self.cut_off else ''}, and are missing here"
            )
        for one in self.accounts:
            if one.why:
                notes.append(f"the runs of {one.flow.name!r} could not be read: {one.why}")
        if undated := sum(one.undated for one in self.accounts):
            run = "run has" if undated == 1 else "runs have"
            notes.append(f"{undated} {run} no time that can be right, and belong to no day")
        if under_way := sum(one.under_way for one in self.accounts):
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
            "allowances": [one.to_json() for one in self.standings],
            "accounts": [_account(one) for one in self.accounts],
            "total": self.table("sandbox", "year"),
            **{
                f"{subject}s": self.table(subject, period) for subject in ("export", "dataset", "destination")
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedAllowance:
    """What a check says of an allowance.

    :param outcome: what the policy makes of it; ``ok`` where it will do.
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
    """Whether allowances will do; without any nothing is asked.

    :param zone: where days begin at midnight.
    :param told: the keys of what was told before: what is still so is standing.
    """
    if not allowances:
        return ()
    now = now.astimezone(UTC)
    year = now.astimezone(zone).year
    accounts, requests, _ = yield from read_accounts(flows, year=year, now=now, zone=zone)
    found = []
    for each in allowances:
        one = standing_of(each, accounts, now, zone)
        minded = policy.on_standing if one.key in told else policy.on_allowance
        outcome = "ok" if one.status == "ok" else minded
        found.append(CheckedAllowance(standing=one, outcome=outcome, requests=requests))
    return tuple(found)


def told_by(checked: Sequence[CheckedAllowance], before: Collection[str]) -> tuple[str, ...]:
    """The keys of what has been told of these allowances in their periods, for the next check.

    A forecast that swings around its allowance is told once and not at each swing.
    """
    series = {each.standing.series for each in checked}
    found = {each.standing.key for each in checked if each.standing.status != "ok"}
    return tuple(sorted(found | {key for key in before if key.rpartition(":")[0] in series}))


def _account(one: Account) -> dict[str, Any]:
    return {
        "dataflow_id": one.flow.id,
        "dataflow_name": one.flow.name,
        "destination": one.flow.destination,
        "state": one.flow.state,
        "since": one.since.isoformat(),
        "known_from": one.known_from.isoformat(),
        "undated": one.undated,
        "under_way": one.under_way,
        "unread": one.why or None,
    }


def _exports(number: int) -> str:
    return f"{number} export{'' if number == 1 else 's'}"


def check_year(year: object, this_year: int) -> int:
    """``year`` if it is one of which there can be runs.

    :raises AepValidationError: it is none.
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

    :param zone: where days begin at midnight.
    :param year: by default the one in which ``now`` lies. Allowances go with that one alone.
    :param most_pages: read about so many pages of runs at most.
    :raises AepValidationError: the year is none, or an allowance goes with a year that is over.
    :raises AepError: the dataflows cannot be listed. Runs that cannot be read are told of the account.
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
        standings=[standing_of(each, accounts, now, zone) for each in allowances],
        listed=len(listed),
        requests=requests,
        cut_off=cut_off,
    )
