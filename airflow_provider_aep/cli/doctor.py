"""``aep doctor``: the checks against Adobe, and those of this machine and its Airflow."""

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
# A firewall may drop packets silently, and a person is waiting for the result.
CONNECT_SECONDS = 5.0


def doctor(arguments: Namespace, output: Output) -> int:
    """Run all checks and print the findings; 1 if one failed."""
    findings = [*_findings_at_adobe(arguments), look_for_triggerer()]
    output.document({"findings": [finding.to_json() for finding in findings]})
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        output.entry(f"{finding.level:<11}  {finding.check:<{width}}  ", finding.seen, word=finding.level)
        if finding.advice:
            output.entry(f"{'':<11}  {'':<{width}}  ", f"-> {finding.advice}")
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def _findings_at_adobe(arguments: Namespace) -> list[Finding]:
    conn_id = arguments.conn_id
    try:
        hook = hook_of(arguments)
        sandbox = hook.sandbox
    except AepError as error:
        advice = "docs/connection.md explains its fields, docs/cli.md says where connections are read from"
        first = Finding(check=CONNECTION, level="fail", seen=one_line(error), advice=advice)
        return [first, *not_checked((NETWORK, *CHECKS), first)]
    seen = f"{conn_id!r} is complete: {hook.get_conn().platform_url} and sandbox {sandbox!r}"
    findings = [Finding(check=CONNECTION, level="ok", seen=seen), _network(hook)]
    if findings[-1].level == "fail":
        findings += not_checked(CHECKS, findings[-1])
    else:
        findings += hook.run(examine(sandbox=sandbox, clock=lambda: datetime.now(tz=UTC)))
    return [_with_connection_named(finding, conn_id) for finding in findings]


def _network(hook: AepHook) -> Finding:
    """Whether the hosts can be reached. Fails within seconds; an exchange would retry for half a minute."""
    conn = hook.get_conn()
    urls = (conn.credentials.token_url, conn.platform_url)
    for url in urls:
        if why := why_unreachable(url, proxy=conn.proxy, timeout=CONNECT_SECONDS):
            return Finding(check=NETWORK, level="fail", seen=why, advice=UNREACHED)
    return Finding(
        check=NETWORK, level="ok", seen="the hosts of the token and of the platform can be reached"
    )


def look_for_triggerer() -> Finding:
    """Whether a triggerer is alive, according to Airflow's database."""
    from airflow.configuration import conf

    try:
        _, is_file, path = conf.get("database", "sql_alchemy_conn").partition("sqlite:///")
        if is_file and not Path(path).exists():  # a query would create it
            raise FileNotFoundError
        from airflow.jobs.job import most_recent_job

        job = most_recent_job("TriggererJob")
        alive = job is not None and job.is_alive()
    except Exception:  # from any database driver, or because there is no database
        return Finding(
            check=TRIGGERER, level="not checked", seen="the database of Airflow cannot be read here"
        )
    if alive:
        return Finding(check=TRIGGERER, level="ok", seen="a triggerer is alive")
    seen = "no triggerer has ever run" if job is None else "no triggerer is alive"
    advice = "Deferred sensors wait silently for one. Start one: airflow triggerer. Or set deferrable=False."
    return Finding(check=TRIGGERER, level="warn", seen=seen, advice=advice)


def _with_connection_named(finding: Finding, conn_id: str) -> Finding:
    advice = finding.advice.replace(UNNAMED, f"Airflow connection {conn_id!r}")
    return Finding(check=finding.check, level=finding.level, seen=finding.seen, advice=advice)
