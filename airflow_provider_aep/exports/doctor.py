"""The doctor: whether a credential can do what exports need, and what in a sandbox needs attention.

It sends only GETs. Each check ends in findings; if an early one fails, those that need it are not made.

Source: the dataset export tutorial for the permissions, the Sandbox API reference; read 2026-11.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar

from airflow_provider_aep.errors import (
    AepApiError,
    AepAuthError,
    AepError,
    AepNotFoundError,
    AepTransportError,
)
from airflow_provider_aep.exports.delete import needed
from airflow_provider_aep.exports.marks import export_key, read_mark
from airflow_provider_aep.exports.spec_rules import places_of
from airflow_provider_aep.exports.state import State, read_state
from airflow_provider_aep.flowservice.codes import explain
from airflow_provider_aep.flowservice.connections import get_connection_spec
from airflow_provider_aep.flowservice.dataflow_record import state_of
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID, DESTINATIONS, Destination
from airflow_provider_aep.flowservice.documents import Document, entities_of, mapping, sequence
from airflow_provider_aep.flowservice.exchange import Done, Exchange, Request, Response, together
from airflow_provider_aep.flowservice.expiry import ENDS_SOON, expiry_of
from airflow_provider_aep.times import span_words

T = TypeVar("T")
Level = Literal["ok", "warn", "fail", "not checked"]

# The checks that talk to Adobe, in the order in which they are made and reported.
TOKEN, ORGANIZATION, SANDBOX, PERMISSIONS = "token", "organization", "sandbox", "permissions"
SPECS, CLOCK = "connection specs", "clock"
ENDS, STATES, TWINS, LEFT = "exports that end", "disabled exports", "twins", "left behind"
CHECKS = (TOKEN, ORGANIZATION, SANDBOX, PERMISSIONS, SPECS, CLOCK, ENDS, STATES, TWINS, LEFT)

# A larger difference matters where "now" is compared with Adobe's times: starts of schedules, times of runs.
CLOCK_TOLERANCE = timedelta(seconds=60)
MOST_NAMED = 10

# Name and path of a listing, and the permission that a 403 means is missing
_LISTINGS = (
    ("dataflows", "/flows", "View Destinations"),
    ("base connections", "/connections", "View Destinations"),
    ("datasets", f"/connectionSpecs/{DATA_LAKE_SPEC_ID}/configs", "View Datasets"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    :param seen: the observation, as a sentence without its full stop.
    :param advice: what to do about it.
    """

    check: str
    level: Level
    seen: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        return {"check": self.check, "level": self.level, "seen": self.seen, "advice": self.advice}


def examine(*, sandbox: str, clock: Callable[[], datetime]) -> Exchange[list[Finding]]:
    """Make all checks, in order. Advice speaks of "the Airflow connection", which only the caller can name.

    :param sandbox: the sandbox of the requests.
    :param clock: returns the current time; called just after a response has arrived.
    """
    first = yield from _tried(_answer(Request("GET", "/flows", params={"limit": 1})))
    now = clock()
    findings = judge_entry(first if isinstance(first, AepError) else None, sandbox=sandbox)
    if findings[-1].level != "ok":
        return [*findings, *not_checked(CHECKS[len(findings) :], findings[-1])]
    findings[-1] = yield from _look_at_sandbox(sandbox)
    findings.append((yield from _look_at_permissions()))
    findings += yield from _look_at_specs()
    date = first.headers.get("date") if isinstance(first, Response) else None
    findings.append(judge_clock(date, now=now))
    state = yield from _tried(read_state(datasets=False))
    if isinstance(state, AepError):
        unread = Finding(check=ENDS, level="fail", seen=str(state), advice="See permissions above.")
        return [*findings, unread, *not_checked((STATES, TWINS, LEFT), unread)]
    return [*findings, *judge_state(state, now=now)]


def not_checked(checks: Sequence[str], cause: Finding) -> list[Finding]:
    """The findings of checks that could not be made."""
    return [Finding(check=check, level="not checked", seen=f"needs: {cause.check}") for check in checks]


def judge_entry(error: AepError | None, *, sandbox: str) -> list[Finding]:
    """Token, organization and sandbox, judged by the first request; the last finding is the failed one."""
    passed = {
        TOKEN: "the credential got an access token",
        ORGANIZATION: "the credential belongs to the organization",
        SANDBOX: f"sandbox {sandbox!r} answers",
    }
    failed = SANDBOX if error else None
    about = explain(getattr(error, "code", None)).about
    if about == "organization":
        failed = ORGANIZATION
    # The request was a GET, so an error of a POST is from the request for the token.
    elif error and (str(error).startswith("POST ") or about in ("login", "token") or _status(error) == 401):
        failed = TOKEN
    elif isinstance(error, AepAuthError):
        failed = None  # a later check finds the missing permission
    elif error and about != "sandbox":
        failed = ORGANIZATION  # no response, or none that says why: only the token is known to be good
    findings: list[Finding] = []
    for check, seen in passed.items():
        if check == failed:
            advice = UNREACHED if isinstance(error, AepTransportError) else _ADVICE[check]
            return [*findings, Finding(check=check, level="fail", seen=str(error), advice=advice)]
        findings.append(Finding(check=check, level="ok", seen=seen))
    return findings


UNREACHED = (
    "Check name resolution, firewall and proxy of this machine (HTTPS_PROXY, or proxy in the extra of "
    "the Airflow connection). Login and password were not checked yet."
)
_ADVICE = {
    TOKEN: "Compare login and password of the Airflow connection with the OAuth Server-to-Server credential "
    "in the Developer Console; check its scopes, and token_url and proxy if they are set.",
    ORGANIZATION: "Compare org_id in the extra of the Airflow connection with the Developer Console. If it "
    "is right, check that platform.adobe.io can be reached, and the credential's product profile.",
    SANDBOX: "Sandbox names are in lower case; see Sandboxes in the Platform UI. Correct the extra of "
    "the Airflow connection, or --sandbox.",
}


def _look_at_sandbox(sandbox: str) -> Exchange[Finding]:
    path = f"/data/foundation/sandbox-management/sandboxes/{sandbox}"
    response = yield from _tried(_answer(Request("GET", path)))
    if isinstance(response, AepNotFoundError):
        return Finding(check=SANDBOX, level="fail", seen=str(response), advice=_ADVICE[SANDBOX])
    if isinstance(response, AepError):
        # Reading sandboxes is a permission of its own, which exports do not need.
        seen = f"sandbox {sandbox!r} answers; the credential may not read its state"
        return Finding(check=SANDBOX, level="ok", seen=seen)
    document = mapping(response.json)
    seen = f"sandbox {sandbox!r} is {document.get('state')} ({document.get('type')})"
    if document.get("state") == "active":
        return Finding(check=SANDBOX, level="ok", seen=seen)
    return Finding(check=SANDBOX, level="warn", seen=seen, advice="Exports run in active sandboxes.")


def _look_at_permissions() -> Exchange[Finding]:
    errors: dict[str, AepError] = {}
    lacking = set()
    for what, path, permission in _LISTINGS:
        params: dict[str, str | int] = {"limit": 1}
        if path.endswith("/configs"):
            params = {"outputType": "activationDatasets", "outputField": "datasets", "start": 0, "limit": 1}
        listed = yield from _tried(_listed(Request("GET", path, params=params)))
        if isinstance(listed, AepError):
            errors[what] = listed
            if _status(listed) == 403:
                lacking.add(permission)
    if not errors:
        names = ", ".join(what for what, *_ in _LISTINGS)
        seen = f"{names} can be listed; whether they can be changed shows only when one is"
        return Finding(check=PERMISSIONS, level="ok", seen=seen)
    seen = "; ".join(f"{what} cannot be listed: {error}" for what, error in errors.items())
    named = " and ".join(sorted(lacking)) or "what the message names"
    advice = (
        f"Give the credential's role {named}, for this sandbox. Writing needs Manage and Activate Dataset "
        "Destinations too."
    )
    return Finding(check=PERMISSIONS, level="fail", seen=seen, advice=advice)


def _look_at_specs() -> Exchange[list[Finding]]:
    destinations = list(DESTINATIONS.values())
    reads = [get_connection_spec(destination) for destination in destinations]
    ends = yield from together(reads, at_most=len(reads))
    findings = []
    for destination, end in zip(destinations, ends, strict=True):
        if isinstance(end, Done):
            findings += judge_connection_spec(destination, end.value)
        else:
            seen = f"the connection spec of {destination.title} cannot be read: {end}"
            advice = "Exports to other destinations are not affected."
            findings.append(Finding(check=SPECS, level="warn", seen=seen, advice=advice))
    if findings:
        return findings
    seen = f"all {len(destinations)} destinations are as this provider knows them"
    return [Finding(check=SPECS, level="ok", seen=seen)]


def judge_connection_spec(destination: Destination, spec: Document) -> list[Finding]:
    """Where Adobe's live spec of a destination no longer has what this provider sends."""
    auths = {
        str(mapping(auth).get("name")): mapping(mapping(mapping(auth).get("spec")).get("properties"))
        for auth in sequence(spec.get("authSpec"))
    }
    missing = []
    for login in destination.logins:
        if login.spec_name is None:  # only the live spec gives its names
            continue
        if login.spec_name not in auths:
            missing.append(f"login {login.spec_name!r}")
        else:
            missing += [
                f"{key} of login {login.spec_name!r}"
                for key in login.params
                if key not in auths[login.spec_name]
            ]
    target = mapping(mapping(mapping(spec.get("targetSpec")).get("spec")).get("properties"))
    missing += [f"parameter {key}" for key in places_of(destination) if key not in target]
    if not missing:
        return []
    seen = f"Adobe's spec of {destination.title} no longer has {', '.join(missing)}"
    advice = "Adobe has changed it: look for a newer version of this provider, and tell its authors."
    return [Finding(check=SPECS, level="warn", seen=seen, advice=advice)]


def judge_clock(header: str | None, *, now: datetime) -> Finding:
    """Whether this machine and the service agree on the time.

    :param header: the ``date`` of a response that arrived at ``now``.
    """
    try:
        theirs = parsedate_to_datetime(header or "")
    except ValueError:
        return Finding(check=CLOCK, level="not checked", seen="the response holds no date to compare with")
    # A date with the zone "-0000" is parsed without a zone, but is UTC.
    ahead = now - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))
    if abs(ahead) <= CLOCK_TOLERANCE:
        return Finding(check=CLOCK, level="ok", seen=f"{span_words(abs(ahead))} away from Adobe's")
    side = "ahead of" if ahead > timedelta() else "behind"
    seen = f"this machine's clock is {span_words(abs(ahead))} {side} Adobe's"
    advice = "Set it by NTP: starts of schedules and windows of runs depend on it."
    return Finding(check=CLOCK, level="warn", seen=seen, advice=advice)


def judge_state(state: State, *, now: datetime) -> list[Finding]:
    """The findings about the exports of a sandbox."""
    total = len(state.entities["dataflow"])
    findings = []
    for check, judge, fine in (
        (ENDS, _ends, f"of all ({total}), none has ended or ends within {ENDS_SOON.days} days"),
        (STATES, _states, f"of all ({total}), none is disabled"),
        (TWINS, _twins, "no two exports have the same name or mark"),
        (LEFT, _left, "nothing that carries a mark is unused"),
    ):
        troubles = list(judge(state, now))
        findings += [
            Finding(check=check, level="warn", seen=seen, advice=advice)
            for seen, advice in troubles[:MOST_NAMED]
        ]
        if len(troubles) > MOST_NAMED:
            more = f"and {len(troubles) - MOST_NAMED} more"
            findings.append(Finding(check=check, level="warn", seen=more))
        if not troubles:
            findings.append(Finding(check=check, level="ok", seen=fine))
    return findings


def _ends(state: State, now: datetime) -> Iterator[tuple[str, str]]:
    for flow in state.entities["dataflow"]:
        if expiry := expiry_of(mapping(flow.get("scheduleParams")), now=now):
            yield f"{_called(flow)} {expiry.words}", _LATER_END


_LATER_END = "To go on, set a later schedule.end in its spec and ensure it; else delete it."


def _states(state: State, now: datetime) -> Iterator[tuple[str, str]]:
    for flow in state.entities["dataflow"]:
        if state_of(flow) != "enabled":
            yield (
                f"{_called(flow)} is {flow.get('state')} and exports nothing",
                "Enable it with AepEnableDataflowOperator or in the Platform UI, or delete it.",
            )


def _twins(state: State, now: datetime) -> Iterator[tuple[str, str]]:
    names: dict[str, list[str]] = {}
    marks: dict[tuple[str, str], list[str]] = {}
    for flow in state.entities["dataflow"]:
        names.setdefault(str(flow.get("name")), []).append(str(flow["id"]))
        if mark := read_mark(flow):
            marks.setdefault((mark.owner, mark.export), []).append(str(flow["id"]))
    for name, ids in names.items():
        if len(ids) > 1:
            advice = "Rename all but one: a name should lead to one export."
            yield f"{len(ids)} exports are named {name!r}: {', '.join(ids)}", advice
    for (owner, _), ids in marks.items():
        if len(ids) > 1:
            advice = "Delete all but one; until then the export can be neither planned nor ensured."
            yield f"{len(ids)} dataflows carry the same mark of {owner}: {', '.join(ids)}", advice


def _left(state: State, now: datetime) -> Iterator[tuple[str, str]]:
    for kind in ("source connection", "target connection", "base connection"):
        for connection in state.entities[kind]:
            mark = read_mark(connection)
            if mark is None or needed(state, kind, str(connection["id"]), ()):
                continue
            name = str(connection.get("name"))
            how = "Ensure its export, or delete it in Adobe"
            if export_key(mark.owner, name) == mark.export:
                how = f"Remove it by: aep delete {shlex.quote(name)} --owner {mark.owner} --leftovers-only"
            yield f"{kind} {connection['id']} of {name!r} ({mark.owner}) is used by nothing", how


def _called(flow: Mapping[str, Any]) -> str:
    return f"{flow.get('name')!r} ({flow['id']})"


def _status(error: AepError) -> int | None:
    return error.status if isinstance(error, AepApiError) else None


def _tried(exchange: Exchange[T]) -> Exchange[T | AepError]:
    try:
        return (yield from exchange)
    except AepError as error:
        return error


def _answer(request: Request) -> Exchange[Response]:
    return (yield request)


def _listed(request: Request) -> Exchange[list[Document]]:
    return entities_of(request, (yield request))
