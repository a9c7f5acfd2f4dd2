"""``aep doctor``: the checks of this machine and its Airflow around those that ask Adobe."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_aep.cli.given import hook_of
from airflow_provider_aep.cli.output import Output, one_line
from airflow_provider_aep.errors import AepError
from airflow_provider_aep.exports.doctor import CHECKS, UNREACHED, Finding, examine, not_checked
from airflow_provider_aep.flowservice.codes import CONNECTION as UNNAMED
from airflow_provider_aep.flowservice.transport import why_unreachable

if TYPE_CHECKING:
    from airflow_provider_aep.hooks import AepHook

CONNECTION, NETWORK, TRIGGERER = "Airflow connection", "network", "triggerer"
# A firewall that drops what it does not like is silent; people wait for the answer.
CONNECT_SECONDS = 5.0


def doctor(arguments: Namespace, output: Output) -> int:
    """Make all checks and tell what was found; 1 where something failed."""
    findings = [*_of_adobe(arguments), look_for_triggerer()]
    output.document({"findings": [one.to_json() for one in findings]})
    width = max(len(one.check) for one in findings)
    for one in findings:
        output.entry(f"{one.level:<11}  {one.check:<{width}}  ", one.seen, word=one.level)
        if one.advice:
            output.entry(f"{'':<11}  {'':<{width}}  ", f"-> {one.advice}")
    return 1 if any(one.level == "fail" for one in findings) else 0


def _of_adobe(arguments: Namespace) -> list[Finding]:
    conn_id = arguments.conn_id
    try:
        hook = hook_of(arguments)
        sandbox = hook.sandbox
    except AepError as error:
        advice = "docs/connection.md explains its fields, docs/cli.md where connections are looked for"
        first = Finding(check=CONNECTION, level="fail", seen=one_line(error), advice=advice)
        return [first, *not_checked((NETWORK, *CHECKS), first)]
    seen = f"{conn_id!r} is complete: {hook.get_conn().platform_url} and sandbox {sandbox!r}"
    findings = [Finding(check=CONNECTION, level="ok", seen=seen), _network(hook)]
    if findings[-1].level == "fail":
        findings += not_checked(CHECKS, findings[-1])
    else:
        findings += hook.run(examine(sandbox=sandbox, clock=lambda: datetime.now(tz=UTC)))
    return [_naming(one, conn_id) for one in findings]


def _network(hook: AepHook) -> Finding:
    """Whether the hosts can be reached at all: found out at once, where an exchange would try for long."""
    conn = hook.get_conn()
    urls = (conn.credentials.token_url, conn.platform_url)
    for url in urls:
        if why := why_unreachable(url, proxy=conn.proxy, timeout=CONNECT_SECONDS):
            return Finding(check=NETWORK, level="fail", seen=why, advice=UNREACHED)
    return Finding(
        check=NETWORK, level="ok", seen="the hosts of the token and of the platform can be reached"
    )


def look_for_triggerer() -> Finding:
    """Whether a triggerer is alive, by what Airflow's database says."""
    from airflow.configuration import conf

    try:
        _, is_file, path = conf.get("database", "sql_alchemy_conn").partition("sqlite:///")
        if is_file and not Path(path).exists():  # asking would make it
            raise FileNotFoundError
        from airflow.jobs.job import most_recent_job

        job = most_recent_job("TriggererJob")
        alive = job is not None and job.is_alive()
    except Exception:  # of the database, whichever that is, or none at all
        return Finding(
            check=TRIGGERER, level="not checked", seen="the database of Airflow cannot be read here"
        )
    if alive:
        return Finding(check=TRIGGERER, level="ok", seen="a triggerer is alive")
    never = "no triggerer has ever run" if job is None else "no triggerer is alive"
    advice = (
        "Deferred sensors wait for one without a word. Start it: airflow triggerer. Or set deferrable=False."
    )
    return Finding(check=TRIGGERER, level="warn", seen=never, advice=advice)


def _naming(finding: Finding, conn_id: str) -> Finding:
    named = finding.advice.replace(UNNAMED, f"Airflow connection {conn_id!r}")
    return Finding(check=finding.check, level=finding.level, seen=finding.seen, advice=named)
