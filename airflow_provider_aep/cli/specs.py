"""Commands about export specs: validate, plan, ensure, delete, import."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.cli.given import STDIN, ask, hook_of, specs_of
from airflow_provider_aep.cli.options import DEFAULT_OWNER
from airflow_provider_aep.cli.output import Output, counted, one_line, plain_terminal, say
from airflow_provider_aep.errors import AepConfigError, AepError, AepValidationError
from airflow_provider_aep.monitoring.table import printable

if TYPE_CHECKING:
    from airflow_provider_aep.exports.outcome import Outcome

STDOUT = "-"
CHANGES = 2  # the exit code of a plan that would change something


def validate_command(arguments: Namespace, output: Output) -> int:
    try:
        specs = specs_of(arguments.paths)
    except AepValidationError as error:
        output.document({"ok": False, "problems": [problem._asdict() for problem in error.problems]})
        for problem in error.problems:
            output.line(f"error  {problem}", word="error")
        output.line(counted(len(error.problems), "problem"))
        return 1
    described = [
        {"name": spec.name, "owner": spec.owner, "sandbox": spec.sandbox, "warnings": spec.warnings()}
        for spec in specs
    ]
    output.document({"ok": True, "specs": described})
    for spec in specs:
        for warning in spec.warnings():
            output.line(f"warn   {spec.name}: {warning}", word="warn")
    output.line(f"{counted(len(specs), 'export spec')}, no problem")
    return 0


def plan_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.cli.plans import write_plans
    from airflow_provider_aep.hooks.declared import plan_specs

    if arguments.out == STDOUT:
        raise AepConfigError("--out writes a file; --json prints the plans on standard output")
    specs = specs_of(arguments.paths)
    outcomes = plan_specs(
        specs,
        hook=hook_of(arguments),
        rotate_credentials=arguments.rotate_credentials,
    )
    plans = [outcome.plan for outcome in outcomes if outcome.plan and not outcome.error]
    if arguments.out:
        write_plans(arguments.out, plans)
    summary = _summary(outcomes)
    output.document(
        {
            "summary": summary,
            "plans": [plan.to_json() for plan in plans],
            "errors": [_failure(outcome) for outcome in outcomes if outcome.error],
        }
    )
    for outcome in outcomes:
        for line in str(outcome.plan).splitlines() if outcome.plan and not outcome.error else ():
            output.line(line, word=line.split()[0] if line.startswith("  ") else "")
        if outcome.error:
            output.line(outcome.spec.name)
            output.line(f"  error    {one_line(outcome.error)}", word="error")
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
    from airflow_provider_aep.exports.apply import EnsureOptions
    from airflow_provider_aep.hooks.declared import ensure_specs

    if arguments.plan == STDIN in arguments.paths:
        raise AepConfigError("standard input (-) can hold the specs or the plan, and not both")
    specs = specs_of(arguments.paths)
    plans = read_plans(arguments.plan) if arguments.plan else None
    hook = hook_of(arguments)  # first, so that a missing connection is reported once
    options = EnsureOptions(
        allow_replace=arguments.allow_replace,
        rotate_credentials=arguments.rotate_credentials,
        rollback_on_failure=arguments.rollback_on_failure,
    )
    reported: list[Outcome] = []

    def report(outcome: Outcome) -> None:
        if outcome in reported:
            return
        reported.append(outcome)
        output.line(one_line_of(outcome), word="FAILED" if outcome.error else "")
        for warning in outcome.warnings:
            output.line(f"  warn   {warning}", word="warn")

    with _progress(len(specs)) as advance:

        def done(outcome: Outcome) -> None:
            advance(outcome.spec.name)
            if advance is _nothing:
                report(outcome)

        outcomes = ensure_specs(
            specs,
            hook=hook,
            options=options,
            planned=plans,
            progress=done,
        )
    output.document({"exports": [outcome.to_json() for outcome in outcomes]})
    for outcome in outcomes:
        report(outcome)
    failed = sum(bool(outcome.error) for outcome in outcomes)
    changed = sum(outcome.changed and not outcome.error for outcome in outcomes)
    output.line(f"{changed} changed, {len(outcomes) - changed - failed} unchanged, {failed} failed")
    return 1 if failed else 0


def one_line_of(outcome: Outcome) -> str:
    """How an export went, in one line even if its error has several."""
    return " ".join(str(outcome).split())


def delete_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.hooks.declared import delete_spec

    wanted, declared = _to_delete(arguments)
    hook = hook_of(arguments)
    named = ", ".join(
        f"{name!r} of owner {owner} in sandbox {sandbox or hook.sandbox}" for name, owner, sandbox in wanted
    )
    them = "it" if len(wanted) == 1 else "them"
    question = f"Delete {named}, and what was made for {them}?"
    if arguments.leftovers_only:
        question = f"Delete what is left behind of {named}?"
    ask(arguments, question, "deleted")
    results: list[dict[str, Any]] = []
    for name, owner, sandbox in wanted:
        try:
            removal = delete_spec(
                name,
                owner=owner,
                hook=hook.in_sandbox(sandbox) if sandbox else hook,
                with_base=arguments.with_base,
                leftovers_only=arguments.leftovers_only,
                missing_ok=declared or arguments.ignore_not_found,
            )
        except AepError as error:
            results.append({"name": name, "owner": owner, "error": one_line(error)})
            output.line(f"{name}: error: {one_line(error)}", word="error")
            continue
        results.append(removal.to_json())
        for entity in removal.deleted:
            output.line(f"{name}: deleted {entity['kind']} {entity['id']}")
        for entity in removal.kept:
            output.line(f"{name}: kept {entity['kind']} {entity['id']}: {entity['why']}")
        if not removal.deleted:
            output.line(f"{name}: nothing to delete")
    output.document({"exports": results})
    return 1 if any("error" in result for result in results) else 0


def import_command(arguments: Namespace, output: Output) -> int:
    from airflow_provider_aep.exports.importing import import_exports, to_yaml

    if bool(arguments.name_or_id) == arguments.all:
        raise AepConfigError("give the name or the id of one export, or --all")
    hook = hook_of(arguments)
    wanted = None if arguments.all else arguments.name_or_id
    imported = hook.run(import_exports(wanted, owner=arguments.owner, sandbox=hook.sandbox))
    good = [(export.document, export.notes) for export in imported if export.document is not None]
    bad = [export for export in imported if export.error]
    written = None
    if arguments.output not in (None, STDOUT) and good:
        written = arguments.output
        _write_new(written, to_yaml(good))
        output.line(f"wrote {counted(len(good), 'export spec')} to {written}")
    elif good:
        output.text(to_yaml(good))
    output.document(
        {
            "exports": [document for document, _ in good],
            "notes": {export.dataflow_id: list(export.notes) for export in imported if export.notes},
            "errors": {export.dataflow_id: one_line(export.error) for export in bad if export.error},
            "written": written,
        }
    )
    if not imported:
        say(f"aep: sandbox {hook.sandbox} has no dataset export to import")
    for export in bad:
        say(f"aep: {printable(export.name)}: {one_line(export.error or AepError())}")
    return 1 if bad else 0


def _to_delete(arguments: Namespace) -> tuple[list[tuple[str, str, str | None]], bool]:
    """Name, owner and sandbox of each export to delete, and whether they come from specs."""
    from airflow_provider_aep.exports.files import SUFFIXES

    target = arguments.target
    is_path = target == STDIN or target.lower().endswith(SUFFIXES)
    if not is_path and not ("/" in target and Path(target).exists()):
        return [(target, arguments.owner or DEFAULT_OWNER, arguments.sandbox)], False
    if arguments.owner:
        raise AepConfigError("--owner goes with a name; the specs of a path name their owners themselves")
    return [(spec.name, spec.owner, spec.sandbox) for spec in specs_of([target])], True


def _summary(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """The number of exports for each kind of change; an export counts once, by its gravest change."""
    counts = dict.fromkeys(("create", "update", "replace", "unchanged", "failed"), 0)
    for outcome in outcomes:
        if outcome.error or outcome.plan is None:
            counts["failed"] += 1
            continue
        actions = {step.action for step in outcome.plan.steps}
        if "replace" in actions:
            counts["replace"] += 1
        elif outcome.plan.step("dataflow").action == "create":
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
    """Progress without a bar: do nothing."""


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty() or plain_terminal():
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
