"""What each command does: read what was typed, ask the rooms below, tell the outcome; returns the exit code.

Modules are imported where they are needed: ``validate`` gets by without Airflow.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.cli.output import Output, one_line
from airflow_provider_aep.cli.table import DEFAULT_OWNER
from airflow_provider_aep.errors import AepConfigError, AepError, AepValidationError, Problem
from airflow_provider_aep.monitoring.table import printable

if TYPE_CHECKING:
    from airflow_provider_aep.exports.outcome import Outcome
    from airflow_provider_aep.exports.spec import ExportSpec
    from airflow_provider_aep.hooks import AepHook

CHANGES = 2  # the exit code of a plan that would change something
ACTIONS = ("create", "update", "replace")


def validate_command(arguments: Namespace, output: Output) -> int:
    try:
        specs = _specs(arguments.paths)
    except AepValidationError as error:
        output.document({"ok": False, "problems": [one._asdict() for one in error.problems]})
        for problem in error.problems:
            output.line(f"error  {problem}", word="error")
        output.line(_count(len(error.problems), "problem"))
        return 1
    told = [
        {"name": one.name, "owner": one.owner, "sandbox": one.sandbox, "warnings": one.warnings()}
        for one in specs
    ]
    output.document({"ok": True, "specs": told})
    for spec in specs:
        for warning in spec.warnings():
            output.line(f"warn   {spec.name}: {warning}", word="warn")
    output.line(f"{_count(len(specs), 'export spec')}, no problem")
    return 0


def plan_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.plans import write_plans
    from airflow_provider_aep.declared import plan_specs

    specs = _specs(arguments.paths)
    outcomes = plan_specs(specs, hook=_hook(arguments), rotate_credentials=arguments.rotate_credentials)
    plans = [one.plan for one in outcomes if one.plan and not one.error]
    if arguments.out:
        write_plans(arguments.out, plans)
    summary = _summary(outcomes)
    output.document(
        {
            "summary": summary,
            "plans": [plan.to_json() for plan in plans],
            "errors": [_failure(one) for one in outcomes if one.error],
        }
    )
    for one in outcomes:
        for line in str(one.plan).splitlines() if one.plan and not one.error else ():
            output.line(line, word=line.split()[0] if line.startswith("  ") else "")
        if one.error:
            output.line(one.spec.name)
            output.line(f"  error    {one_line(one.error)}", word="error")
        output.line()
    failed = f", {summary['failed']} failed" if summary["failed"] else ""
    output.line(
        f"{summary['create']} to create, {summary['update']} to update, {summary['replace']} to replace, "
        f"{summary['unchanged']} unchanged{failed}"
    )
    if summary["failed"]:
        return 1
    return CHANGES if any(plan.changes for plan in plans) else 0


def ensure_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.plans import read_plans
    from airflow_provider_aep.declared import ensure_specs
    from airflow_provider_aep.exports.apply import EnsureOptions

    specs = _specs(arguments.paths)
    plans = read_plans(arguments.plan) if arguments.plan else None
    hook = _hook(arguments)  # first, so that a connection that is missing is told once
    options = EnsureOptions(
        allow_replace=arguments.allow_replace,
        rotate_credentials=arguments.rotate_credentials,
        rollback_on_failure=arguments.rollback_on_failure,
    )
    told: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        if outcome in told:
            return
        told.append(outcome)
        output.line(one_line_of(outcome), word="FAILED" if outcome.error else "")
        for warning in outcome.warnings:
            output.line(f"  warn   {warning}", word="warn")

    with _progress(len(specs)) as advance:

        def done(outcome: Outcome) -> None:
            advance(outcome.spec.name)
            if advance is _nothing:
                tell(outcome)

        outcomes = ensure_specs(
            specs,
            hook=hook,
            options=options,
            planned=plans,
            progress=done,
        )
    output.document({"exports": [one.to_json() for one in outcomes]})
    for one in outcomes:
        tell(one)
    failed = sum(bool(one.error) for one in outcomes)
    changed = sum(one.changed and not one.error for one in outcomes)
    output.line(f"{changed} changed, {len(outcomes) - changed - failed} unchanged, {failed} failed")
    return 1 if failed else 0


def one_line_of(outcome: Outcome) -> str:
    """How an export went, in one line whatever its error says."""
    return " ".join(str(outcome).split())


def delete_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.declared import delete_spec

    wanted = _to_delete(arguments)
    hook = _hook(arguments)
    named = ", ".join(
        f"{name!r} of {owner} in sandbox {sandbox or hook.sandbox}" for name, owner, sandbox in wanted
    )
    what = "what is left behind of" if arguments.leftovers_only else "and what was made for them:"
    question = f"Delete {what} {named}?" if arguments.leftovers_only else f"Delete {named}, {what[:-1]}?"
    _ask(arguments, question, "deleted")
    results: list[dict[str, Any]] = []
    for name, owner, sandbox in wanted:
        try:
            removal = delete_spec(
                name,
                owner=owner,
                hook=hook.in_sandbox(sandbox) if sandbox else hook,
                with_base=arguments.with_base,
                leftovers_only=arguments.leftovers_only,
            )
        except AepError as error:
            results.append({"name": name, "owner": owner, "error": one_line(error)})
            output.line(f"{name}: error: {one_line(error)}", word="error")
            continue
        results.append(removal.to_json())
        for one in removal.deleted:
            output.line(f"{name}: deleted {one['kind']} {one['id']}")
        for one in removal.kept:
            output.line(f"{name}: kept {one['kind']} {one['id']}: {one['why']}")
        if not removal.deleted:
            output.line(f"{name}: nothing to delete")
    output.document({"exports": results})
    return 1 if any("error" in one for one in results) else 0


def runs_command(arguments: Namespace, output: Output) -> int:
    from datetime import UTC, datetime

    from airflow_provider_aep.cli.runs import COLUMNS, latest_runs, row_of, told_of
    from airflow_provider_aep.flowservice.schedule import parse_moment

    if arguments.limit < 1:
        raise AepValidationError("the arguments", [Problem("--limit", "must be at least 1")])
    since = parse_moment("--since", arguments.since) if arguments.since else None
    hook = _hook(arguments)
    now = datetime.now(tz=UTC)
    timeline, runs = hook.run(latest_runs(arguments.name_or_id, limit=arguments.limit, since=since, now=now))
    flow = timeline.flow
    output.document(
        {
            "dataflow": {"id": flow.id, "name": flow.name, "state": flow.state},
            "runs": [told_of(run, timeline) for run in runs],
        }
    )
    output.line(f"{flow.name} ({flow.id}) in sandbox {hook.sandbox}: {_count(len(runs), 'run')}")
    if runs:
        output.table(COLUMNS, [row_of(run, timeline) for run in runs], word=COLUMNS.index("status"))
    return 0


def explain_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.explain import explain
    from airflow_provider_aep.monitoring.telling import check_days

    check_days(arguments.days)
    return explain(arguments, _hook(arguments), output)


def run_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.acting import read_dataflow, run_now

    hook = _hook(arguments)
    flow = hook.run(read_dataflow(arguments.name_or_id))
    named = f"dataset {', '.join(arguments.dataset)}" if arguments.dataset else "all its datasets"
    _ask(arguments, f"Export {named} of {flow.name} ({flow.id}) in sandbox {hook.sandbox} now?", "exported")
    return run_now(flow, arguments, hook, output)


def enable_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.acting import enable, read_dataflow

    hook = _hook(arguments)
    flow = hook.run(read_dataflow(arguments.name_or_id))
    _ask(arguments, f"Enable {flow.name} ({flow.id}) in sandbox {hook.sandbox}?", "enabled")
    return enable(flow, hook, output)


def check_command(arguments: Namespace, output: Output) -> int:
    from datetime import UTC, datetime, timedelta

    from airflow_provider_aep.flowservice.schedule import parse_moment
    from airflow_provider_aep.monitoring.allowance import parse_allowances
    from airflow_provider_aep.monitoring.audit import audit_exports
    from airflow_provider_aep.monitoring.audit_table import TABLE, rows_of
    from airflow_provider_aep.monitoring.policy import audit_policy
    from airflow_provider_aep.monitoring.selection import Selection

    now = datetime.now(tz=UTC)
    until = parse_moment("--until", arguments.until) if arguments.until else now
    since = parse_moment("--since", arguments.since) if arguments.since else until - timedelta(days=1)
    selection = Selection(
        name_contains=arguments.name,
        destinations=arguments.destination or (),
        owner=arguments.owner,
    )
    policy = audit_policy(dict(map(_policy_part, arguments.policy or ())))
    allowances = parse_allowances(arguments.allowance)
    hook = _hook(arguments)
    audit = hook.run(
        audit_exports(
            since=since,
            until=until,
            now=now,
            policy=policy,
            selection=selection,
            standing_reach=timedelta(days=1),
            allowances=allowances,
        )
    )
    output.document({"sandbox": hook.sandbox, **audit.to_json()})
    window = f"from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
    output.line(f"{_count(len(audit.exports), 'export')} in sandbox {hook.sandbox}, {window}")
    if audit.exports:
        output.table(TABLE, rows_of(audit))
    else:
        output.line(audit.told_nothing())
    for each in audit.allowances:
        told = f"{each.outcome:<4}  {each.standing.allowance.key}: {each.standing.told}"
        output.line(told, word=each.outcome)
    return 1 if audit.outcome == "fail" else 0


def usage_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.usage import usage

    return usage(arguments, _hook(arguments), output)


def destinations_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.flowservice.catalogue import read_catalogue

    offers = _hook(arguments).run(read_catalogue())
    output.document({"destinations": [one.to_json() for one in offers]})
    for one in offers:
        output.line(one.name if one.known else f"{one.name} (known from its spec alone)")
        rows = [
            ("title", one.title),
            ("connection spec", one.connection_spec_id or "not told"),
            ("flow spec", one.flow_spec_id),
            *(("login", f"{login.name}: {_marked(login.params, login.required)}") for login in one.logins),
            ("params", _marked(one.target_params, one.required_target_params)),
            ("encryption", ", ".join(one.encryptions) or "none"),
            ("cadences", ", ".join(one.cadences) or "not told"),
        ]
        for what, told in rows:
            output.line(f"  {what:<15}  {told}")
        if one.problem:
            output.line(f"  {'error':<15}  {one.problem}", word="error")
        output.line()
    output.line(f"{_count(len(offers), 'destination')}; what is required has a *")
    return 1 if any(one.problem for one in offers) else 0


def _marked(params: Sequence[str], required: Sequence[str]) -> str:
    return ", ".join(f"{one}*" if one in required else one for one in params) or "none"


def doctor_command(arguments: Namespace, output: Output) -> int:
    from datetime import UTC, datetime

    from airflow_provider_aep.exports.doctor import CHECKS, Finding, examine, not_checked

    name = "Airflow connection"
    try:
        hook = _hook(arguments)
        sandbox = hook.sandbox
    except AepError as error:
        advice = "docs/connection.md explains its fields, docs/cli.md where connections are looked for"
        first = Finding(check=name, level="fail", seen=one_line(error), advice=advice)
        findings = [first, *not_checked(CHECKS, first)]
    else:
        seen = f"{arguments.conn_id!r} is complete: {hook.get_conn().platform_url} and sandbox {sandbox!r}"
        findings = [
            Finding(check=name, level="ok", seen=seen),
            *hook.run(examine(sandbox=sandbox, clock=lambda: datetime.now(tz=UTC))),
        ]
    output.document({"findings": [one.to_json() for one in findings]})
    width = max(len(one.check) for one in findings)
    for one in findings:
        output.line(f"{one.level:<11}  {one.check:<{width}}  {one.seen}", word=one.level)
        if one.advice:
            output.line(f"{'':<11}  {'':<{width}}  -> {one.advice}")
    return 1 if any(one.level == "fail" for one in findings) else 0


def probe_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.probe import probe, tell_failure

    try:
        return probe(arguments, _hook(arguments), output)
    except Exception as error:  # of this command, 1 means something else
        return tell_failure(error, output)


def alert_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.alerts import alert

    return alert(arguments, output)


def import_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.exports.importing import import_exports, to_yaml

    if bool(arguments.name_or_id) == arguments.all:
        raise AepConfigError("give the name or the id of one export, or --all")
    hook = _hook(arguments)
    wanted = None if arguments.all else arguments.name_or_id
    imported = hook.run(import_exports(wanted, owner=arguments.owner, sandbox=hook.sandbox))
    good = [(one.document, one.notes) for one in imported if one.document is not None]
    bad = [one for one in imported if one.error]
    written = None
    if arguments.output and good:
        written = arguments.output
        _write_new(written, to_yaml(good))
        output.line(f"wrote {_count(len(good), 'export spec')} to {written}")
    elif good:
        output.text(printable(to_yaml(good)))
    output.document(
        {
            "exports": [document for document, _ in good],
            "notes": {one.dataflow_id: list(one.notes) for one in imported if one.notes},
            "errors": {one.dataflow_id: one_line(one.error) for one in bad if one.error},
            "written": written,
        }
    )
    for one in bad:
        sys.stderr.write(f"aep: {printable(one.name)}: {one_line(one.error or AepError())}\n")
    return 1 if bad else 0


def _specs(paths: Sequence[str]) -> list[ExportSpec]:
    """The specs of all paths, which must go together."""
    from airflow_provider_aep.exports.files import load_specs
    from airflow_provider_aep.exports.spec import parse_specs

    documents: list[Mapping[str, Any]] = []
    places: list[str] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            found = load_specs(path)
        except AepValidationError as error:
            # A problem begins with the name of its file; of several paths it is told which one.
            prefix = f"{path}: " if len(paths) > 1 or Path(path).is_dir() else ""
            problems += [Problem(f"{prefix}{one.pointer}", one.message) for one in error.problems]
            continue
        documents += found
        places += [f"{path}[{index}]" for index in range(len(found))]
    if problems:
        raise AepValidationError("the export specs", problems)
    return parse_specs(documents, places=places)


def _hook(arguments: Namespace) -> AepHook:
    """The hook, its Airflow connection found and checked.

    :raises AepConfigError: it is not.
    """
    from airflow_provider_aep.hooks import AepHook

    hook = AepHook(arguments.conn_id, sandbox=arguments.sandbox)
    try:
        hook.get_conn()
    except AepError:
        raise
    except Exception as error:  # each Airflow line has its own class for "not found"
        raise AepConfigError(
            f"Airflow connection {arguments.conn_id!r} cannot be read ({type(error).__name__}): it is not "
            f"in the environment (AIRFLOW_CONN_{arguments.conn_id.upper()}), nor in a secrets backend, nor "
            "in the database of this Airflow. See: airflow connections get " + arguments.conn_id
        ) from error
    return hook


def _to_delete(arguments: Namespace) -> list[tuple[str, str, str | None]]:
    """Name, owner and sandbox of each export to delete."""
    from airflow_provider_aep.exports.files import SUFFIXES

    target = arguments.target
    is_path = target.lower().endswith(SUFFIXES) or ("/" in target and Path(target).exists())
    if not is_path:
        return [(target, arguments.owner or DEFAULT_OWNER, arguments.sandbox)]
    if arguments.owner:
        raise AepConfigError("--owner goes with a name; the specs of a path name their owners themselves")
    return [(one.name, one.owner, one.sandbox) for one in _specs([target])]


def _policy_part(text: str) -> tuple[str, int | float | str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise AepConfigError(f"--policy takes NAME=VALUE, as in max_drop=0.5, and not {text!r}")
    for number in (int, float):
        with suppress(ValueError):
            return name.strip(), number(value)
    return name.strip(), value.strip()


def _ask(arguments: Namespace, question: str, done: str) -> None:
    """:raises AepConfigError: it was not confirmed, so nothing is done."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise AepConfigError(f"nothing was {done}: there is no terminal to ask on. Give --yes")
    sys.stderr.write(f"{printable(question)} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise AepConfigError(f"nothing was {done}: not confirmed")


def _summary(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many exports would have what done to them; each counts once, by the gravest."""
    counts = dict.fromkeys(("create", "update", "replace", "unchanged", "failed"), 0)
    for one in outcomes:
        if one.error or one.plan is None:
            counts["failed"] += 1
            continue
        actions = {step.action for step in one.plan.steps}
        if "replace" in actions:
            counts["replace"] += 1
        elif one.plan.step("dataflow").action == "create":
            counts["create"] += 1
        elif actions & {"create", "update"}:
            counts["update"] += 1
        else:
            counts["unchanged"] += 1
    return counts


def _failure(outcome: Outcome) -> dict[str, Any]:
    spec = outcome.spec
    return {"name": spec.name, "owner": spec.owner, "error": one_line(outcome.error or AepError())}


def _nothing(name: str) -> None:
    """Advance no progress bar."""


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("ensuring", total=total)
        yield lambda name: bar.advance(task)


def _write_new(path: str, text: str) -> None:
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise AepConfigError(f"{path} exists already; it is not overwritten") from None
    except OSError as error:
        raise AepConfigError(f"{path} cannot be written: {error.strerror}") from None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
