"""What each command does: read the arguments, call the modules below, print the result, return the exit code.

Modules are imported where they are needed: ``validate`` runs without Airflow.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from airflow_provider_aep.cli.given import ask, hook_of, since_of
from airflow_provider_aep.cli.output import Output, counted
from airflow_provider_aep.cli.specs import delete_command as delete_command
from airflow_provider_aep.cli.specs import ensure_command as ensure_command
from airflow_provider_aep.cli.specs import import_command as import_command
from airflow_provider_aep.cli.specs import plan_command as plan_command
from airflow_provider_aep.cli.specs import validate_command as validate_command
from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem


def list_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.listing import list_exports

    return list_exports(arguments, hook_of(arguments), output)


def runs_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.runs import COLUMNS, latest_runs, row_of, run_to_json

    if arguments.limit < 1:
        raise AepValidationError("the arguments", [Problem("--limit", "must be at least 1")])
    now = _now()
    since = since_of(arguments.since, now) if arguments.since else None
    hook = hook_of(arguments)
    timeline, runs = hook.run(latest_runs(arguments.name_or_id, limit=arguments.limit, since=since, now=now))
    flow = timeline.flow
    output.document(
        {
            "dataflow": {"id": flow.id, "name": flow.name, "state": flow.state},
            "runs": [run_to_json(run, timeline) for run in runs],
        }
    )
    output.line(f"{flow.name} ({flow.id}) in sandbox {hook.sandbox}: {counted(len(runs), 'run')}")
    if runs:
        output.table(COLUMNS, [row_of(run, timeline) for run in runs], word=COLUMNS.index("status"))
    return 0


def explain_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.explain import explain
    from airflow_provider_aep.monitoring.telling import check_days

    arguments.days = check_days(arguments.days)
    return explain(arguments, hook_of(arguments), output)


def run_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.acting import read_dataflow, run_now

    hook = hook_of(arguments)
    flow = hook.run(read_dataflow(arguments.name_or_id))
    named = f"dataset {', '.join(arguments.dataset)}" if arguments.dataset else "all its datasets"
    ask(arguments, f"Export {named} of {flow.name} ({flow.id}) in sandbox {hook.sandbox} now?", "exported")
    return run_now(flow, arguments, hook, output)


def enable_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.acting import enable, read_dataflow

    hook = hook_of(arguments)
    flow = hook.run(read_dataflow(arguments.name_or_id))
    ask(arguments, f"Enable {flow.name} ({flow.id}) in sandbox {hook.sandbox}?", "enabled")
    return enable(flow, hook, output)


def check_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.flowservice.moments import parse_moment
    from airflow_provider_aep.hooks.days import zone_of_days
    from airflow_provider_aep.monitoring.allowance import parse_allowances
    from airflow_provider_aep.monitoring.audit import audit_exports
    from airflow_provider_aep.monitoring.audit_table import TABLE, rows_of
    from airflow_provider_aep.monitoring.policy import audit_policy
    from airflow_provider_aep.monitoring.selection import Selection

    now = _now()
    # Nothing has become known yet in the future: a window there would always be good.
    until = min(parse_moment("--until", arguments.until, zone_of_days()), now) if arguments.until else now
    since = since_of(arguments.since or "P1D", until)
    selection = Selection.of(arguments.name, arguments.destination, arguments.owner)
    policy = audit_policy(dict(map(_policy_part, arguments.policy or ())))
    allowances = parse_allowances(arguments.allowance)
    hook = hook_of(arguments)
    audit = hook.run(
        audit_exports(
            since=since,
            until=until,
            now=now,
            policy=policy,
            selection=selection,
            standing_reach=timedelta(days=1),
            allowances=allowances,
            zone=zone_of_days(),
        )
    )
    output.document({"sandbox": hook.sandbox, **audit.to_json()})
    window = f"from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
    output.line(f"{counted(len(audit.exports), 'export')} in sandbox {hook.sandbox}, {window}")
    if audit.exports:
        output.table(TABLE, rows_of(audit))
    else:
        output.line(audit.told_nothing())
    for allowance in audit.allowances:
        line = f"{allowance.outcome:<4}  {allowance.standing.allowance.key}: {allowance.standing.told}"
        output.line(line, word=allowance.outcome)
    return 1 if audit.outcome == "fail" else 0


def _now() -> datetime:
    return datetime.now(tz=UTC)


def _policy_part(text: str) -> tuple[str, int | float | str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise AepConfigError(f"--policy takes NAME=VALUE, as in max_drop=0.5, not {text!r}")
    for number in (int, float):
        with suppress(ValueError):
            return name.strip(), number(value)
    return name.strip(), value.strip()


def usage_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.usage import usage

    return usage(arguments, hook_of(arguments), output)


def destinations_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.flowservice.catalogue import read_catalogue

    offers = hook_of(arguments).run(read_catalogue())
    output.document({"destinations": [offer.to_json() for offer in offers]})
    for offer in offers:
        output.line(offer.name if offer.known else f"{offer.name} (known from its spec alone)")
        rows = [
            ("title", offer.title),
            ("connection spec", offer.connection_spec_id or "not told"),
            ("flow spec", offer.flow_spec_id),
            *(("login", f"{login.name}: {_marked(login.params, login.required)}") for login in offer.logins),
            ("params", _marked(offer.target_params, offer.required_target_params)),
            ("encryption", ", ".join(offer.encryptions) or "none"),
            ("cadences", ", ".join(offer.cadences) or "not told"),
        ]
        for label, value in rows:
            output.line(f"  {label:<15}  {value}")
        if offer.problem:
            output.line(f"  {'error':<15}  {offer.problem}", word="error")
        output.line()
    output.line(f"{counted(len(offers), 'destination')}; what is required has a *")
    return 1 if any(offer.problem for offer in offers) else 0


def _marked(params: Sequence[str], required: Sequence[str]) -> str:
    return ", ".join(f"{name}*" if name in required else name for name in params) or "none"


def probe_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.probe import probe, tell_failure

    try:
        return probe(arguments, hook_of(arguments), output)
    except Exception as error:  # exit code 1 of this command means something else
        return tell_failure(error, output)


def alert_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.alerts import alert

    return alert(arguments, output)


def doctor_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.doctor import doctor

    return doctor(arguments, output)


def completion_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.completing import script

    output.text(script(arguments.shell))
    return 0
