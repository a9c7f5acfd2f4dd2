"""Declared exports, carried out with an Airflow connection, for operators and the command line.

The sandbox is the spec's own, else the one that the caller names, else the connection's. Specs of several
sandboxes are carried out one sandbox after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from airflow_provider_aep.errors import AepConfigError, AepError, AepExportsError
from airflow_provider_aep.exports.apply import (
    DEFAULTS,
    EnsureOptions,
    ensure_exports,
    plan_exports,
)
from airflow_provider_aep.exports.credentials import ENCRYPTION, Logins
from airflow_provider_aep.exports.delete import Removal, delete_export
from airflow_provider_aep.exports.outcome import Outcome
from airflow_provider_aep.exports.spec import ExportSpec
from airflow_provider_aep.flowservice.encryption import PublicKey
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.flowservice.held_logins import Held
from airflow_provider_aep.hooks import AepHook

T = TypeVar("T")


def plan_specs(
    specs: Sequence[ExportSpec],
    *,
    hook: AepHook,
    rotate_credentials: bool = False,
) -> list[Outcome]:
    """The plans of specs, in their order; sends only GETs. A spec that could not be planned has an error."""
    now = datetime.now(tz=UTC)
    logins = _logins(hook, specs)

    def plan(hook: AepHook, group: Sequence[ExportSpec]) -> Exchange[list[Outcome]]:
        return plan_exports(
            group, sandbox=hook.sandbox, now=now, logins=logins, rotate_credentials=rotate_credentials
        )

    return _by_sandbox(specs, hook, plan)


def ensure_specs(
    specs: Sequence[ExportSpec],
    *,
    hook: AepHook,
    options: EnsureOptions = DEFAULTS,
    planned: Sequence[Mapping[str, Any]] | None = None,
    starting: Callable[[Outcome], object] = lambda outcome: None,
    progress: Callable[[Outcome], object] = lambda outcome: None,
) -> list[Outcome]:
    """Ensure specs; how each went, in their order. The parameters are those of ``ensure_exports``."""
    now = datetime.now(tz=UTC)
    logins = _logins(hook, specs)

    def ensure(hook: AepHook, group: Sequence[ExportSpec]) -> Exchange[list[Outcome]]:
        return ensure_exports(
            group,
            sandbox=hook.sandbox,
            now=now,
            logins=logins,
            options=options,
            planned=planned,
            starting=starting,
            progress=progress,
        )

    return _by_sandbox(specs, hook, ensure)


def delete_spec(
    name: str,
    *,
    owner: str,
    hook: AepHook,
    with_base: bool = False,
    leftovers_only: bool = False,
    missing_ok: bool = True,
) -> Removal:
    """Delete an export. The parameters are those of ``delete_export``."""
    return hook.run(
        delete_export(
            name,
            owner=owner,
            sandbox=hook.sandbox,
            with_base=with_base,
            leftovers_only=leftovers_only,
            missing_ok=missing_ok,
        )
    )


def check_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Raise the errors of outcomes, if there are any.

    :raises AepError: the error itself, if there was only one export.
    :raises AepExportsError: some of several exports failed.
    """
    failed = [outcome for outcome in outcomes if outcome.error]
    if not failed:
        return
    if len(outcomes) == 1 and failed[0].error:
        raise failed[0].error
    lines = "\n".join(f"  {outcome.spec.name}: {outcome.error}" for outcome in failed)
    raise AepExportsError(
        f"{len(failed)} of {len(outcomes)} exports failed:\n{lines}",
        {_label(outcome, outcomes): str(outcome.error) for outcome in failed},
        [outcome.to_json() for outcome in outcomes],
    )


def _label(outcome: Outcome, among: Sequence[Outcome]) -> str:
    """The name of an export, with its sandbox if several have that name."""
    name = outcome.spec.name
    is_unique = sum(other.spec.name == name for other in among) == 1
    return name if is_unique else f"{name} in sandbox {outcome.spec.sandbox}"


def _by_sandbox(
    specs: Sequence[ExportSpec],
    hook: AepHook,
    work: Callable[[AepHook, Sequence[ExportSpec]], Exchange[list[Outcome]]],
) -> list[Outcome]:
    groups: dict[str, list[int]] = {}
    for index, spec in enumerate(specs):
        groups.setdefault(spec.sandbox or hook.sandbox, []).append(index)
    ended: dict[int, Outcome] = {}
    for sandbox, indices in groups.items():
        group = [specs[index] for index in indices]
        try:
            there = hook.in_sandbox(sandbox)
            outcomes = there.run(work(there, group))
        except AepError as error:  # of the sandbox as a whole: the other sandboxes go on
            outcomes = [Outcome(spec=spec, error=error) for spec in group]
        ended |= dict(zip(indices, outcomes, strict=True))
    return [ended[index] for index in range(len(specs))]


def _logins(hook: AepHook, specs: Sequence[ExportSpec]) -> Logins:
    """The login and key of every spec that names them, or the error; each connection is read once."""
    held: dict[tuple[str, str | None], Held | PublicKey | AepError | None] = {}
    for spec in specs:
        login, key = spec.credentials_conn_id, spec.encryption_conn_id
        if login and (spec.destination.slug, login) not in held:
            read = partial(hook.destination_login, spec.destination, login)
            held[spec.destination.slug, login] = _read("credentials_conn_id", login, read)
        if key and (ENCRYPTION, key) not in held:
            held[ENCRYPTION, key] = _read("encryption_conn_id", key, partial(hook.public_key, key))
    return held


def _read(field: str, conn_id: str, read: Callable[[], T]) -> T | AepError:
    try:
        return read()
    except AepError as error:
        return error
    except Exception as error:  # each Airflow line has its own class for "not found"
        return AepConfigError(
            f"Airflow connection {conn_id!r} (/destination/{field}) cannot be read "
            f"({type(error).__name__}): is there one of that id?"
        )
