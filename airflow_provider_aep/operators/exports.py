"""Operators for declared exports: plan, ensure, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_aep._airflow import AirflowFailException, AirflowSkipException
from airflow_provider_aep.arguments import Argument, OneOf, Switch, Text
from airflow_provider_aep.errors import (
    AepConfigError,
    AepError,
    AepUnseenError,
    AepValidationError,
    Problem,
)
from airflow_provider_aep.operators.base import AepOperator, Upstream
from airflow_provider_aep.operators.given_specs import GivenSpecs, paths_as_text
from airflow_provider_aep.operators.links import AepDataflowLink, push_dataflow_link
from airflow_provider_aep.operators.xcom_keys import EXPORTS_KEY, PLANS_KEY

if TYPE_CHECKING:
    from airflow_provider_aep.exports.outcome import Outcome
    from airflow_provider_aep.exports.plan import Plan
    from airflow_provider_aep.exports.spec import ExportSpec

__all__ = ["AepDeleteExportOperator", "AepEnsureExportOperator", "AepPlanExportOperator"]

# A spec as a document, or the path of a file with one; in ``specs``, of a file or folder with several.
Spec = Mapping[str, Any] | str | Path
OnChanges = Literal["ok", "warn", "fail", "skip"]
ON_CHANGES = ("ok", "warn", "fail", "skip")

# The parts of one export's outcome that other tasks take as arguments: ensure.output["dataflow_id"].
OUTPUTS = (
    "sandbox",
    "dataflow_id",
    "source_connection_id",
    "target_connection_id",
    "base_connection_id",
    "changed",
)


class AepExportOperator(AepOperator):
    """Base of the operators that take any number of export specs.

    :param spec: one export spec: a dict, or the path of a YAML or JSON file with exactly one. Templated; the
        content of a file is not.
    :param specs: several: a list of dicts and paths, or the path of a file or folder. Templated likewise.
    :raises AepConfigError: not exactly one of the two is given, or a path has no specs.
    :raises AepValidationError: with all problems of all specs that can be known by then.
    """

    template_fields: Sequence[str] = (*AepOperator.template_fields, "spec", "specs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"spec": "json", "specs": "json"}
    operator_extra_links = (AepDataflowLink(),)
    spec = Argument(optional=True)
    specs = Argument(optional=True)

    def __init__(
        self,
        *,
        spec: Spec | Upstream | None = None,
        specs: Sequence[Spec] | str | Path | Upstream | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.spec = paths_as_text(spec)
        self.specs = paths_as_text(specs)
        self._given = GivenSpecs(self, spec=spec, specs=specs)
        self._given.check()

    def _specs(self) -> list[ExportSpec]:
        return self._given.parse(self.spec if self._given.alone else self.specs)

    def _result(self, results: Sequence[dict[str, Any]]) -> Any:
        return results[0] if self._given.alone else list(results)

    def _link(self, context: Any, outcome: Outcome) -> None:
        """Link to the dataflow of the one spec, if it has one."""
        dataflow_id = outcome.ids.get("dataflow")
        if self._given.alone and dataflow_id:
            sandbox = outcome.spec.sandbox
            hook = self.hook.in_sandbox(sandbox) if sandbox else self.hook
            push_dataflow_link(context, hook.dataflow_url(dataflow_id))


class AepPlanExportOperator(AepExportOperator):
    """Plan what must change for exports to match their specs. Changes nothing.

    :param spec: as for every operator of declared exports. Templated.
    :param specs: likewise. Templated.
    :param rotate_credentials: plan to send the storages' logins again. Templated.
    :param on_changes: what the task does if something would change: ``ok``, ``warn`` in the log, ``fail``
        (without a retry, which would find the same) or ``skip``.
    :return: the plan as a dict; with ``specs``, a list of them. XCom key ``aep_plans`` always has the list,
        even if the task fails or is skipped.
    """

    template_fields: Sequence[str] = (*AepExportOperator.template_fields, "rotate_credentials")
    rotate_credentials = Switch()
    on_changes = OneOf(*ON_CHANGES)

    def __init__(
        self,
        *,
        rotate_credentials: bool | str | Upstream = False,
        on_changes: OnChanges = "ok",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rotate_credentials = rotate_credentials
        self.on_changes = on_changes

    def execute(self, context: Any) -> Any:
        from airflow_provider_aep.hooks.declared import check_outcomes, plan_specs

        outcomes = plan_specs(
            self._specs(),
            hook=self.hook,
            rotate_credentials=self.rotate_credentials,
        )
        plans = [outcome.plan for outcome in outcomes if outcome.plan]
        documents = [plan.to_json() for plan in plans]
        context["ti"].xcom_push(key=PLANS_KEY, value=documents)
        for plan in plans:
            alarming = plan.warnings or (plan.changes and self.on_changes == "warn")
            (self.log.warning if alarming else self.log.info)("%s", plan)
        self._link(context, outcomes[0])
        check_outcomes(outcomes)
        self._judge([plan for plan in plans if plan.changes])
        return self._result(documents)

    def _judge(self, changing: Sequence[Plan]) -> None:
        if not changing or self.on_changes not in ("fail", "skip"):
            return
        count = f"{len(changing)} export{'s differ' if len(changing) > 1 else ' differs'} from"
        message = "\n".join([f"{count} the spec:", *map(str, changing)])
        raise AirflowFailException(message) if self.on_changes == "fail" else AirflowSkipException(message)


class AepEnsureExportOperator(AepExportOperator):
    """Make exports what their specs declare: create, update, or leave them as they are.

    Safe to repeat and to retry: every entity carries the mark of its export, so the next attempt finds it.

    :param spec: as for every operator of declared exports. Templated.
    :param specs: likewise; if one fails, the others are still ensured. Templated.
    :param allow_replace: replace entities that cannot be changed. Templated.
    :param rotate_credentials: send the storages' logins again. Templated.
    :param rollback_on_failure: if an export fails, remove what this attempt created for it. Templated.
    :param plan: what ``AepPlanExportOperator`` returned for the same specs: an export whose plan is different
        by now is left unchanged, and the task fails. Templated.
    :return: the outcome of the export, as a dict: ``dataflow_id`` and the three other ids, ``changed``,
        ``created``, ``updated``, ``deleted``, ``left_behind``, ``warnings`` and more; the ids, ``sandbox``
        and ``changed`` are XCom keys too. With ``specs``, a list of dicts. XCom key ``aep_exports``
        always has the list, even if the task fails.
    """

    template_fields: Sequence[str] = (
        *AepExportOperator.template_fields,
        "allow_replace",
        "rotate_credentials",
        "rollback_on_failure",
        "plan",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **AepExportOperator.template_fields_renderers,
        "plan": "json",
    }
    allow_replace = Switch()
    rotate_credentials = Switch()
    rollback_on_failure = Switch()
    plan = Argument(optional=True)

    def __init__(
        self,
        *,
        allow_replace: bool | str | Upstream = False,
        rotate_credentials: bool | str | Upstream = False,
        rollback_on_failure: bool | str | Upstream = False,
        plan: Mapping[str, Any] | Sequence[Mapping[str, Any]] | Upstream | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.allow_replace = allow_replace
        self.rotate_credentials = rotate_credentials
        self.rollback_on_failure = rollback_on_failure
        self.plan = plan
        self._planned = plan is not None

    def execute(self, context: Any) -> Any:
        from airflow_provider_aep.exports.apply import EnsureOptions
        from airflow_provider_aep.hooks.declared import check_outcomes, ensure_specs

        logged: dict[int, str] = {}

        def log_outcome(outcome: Outcome) -> None:
            # Logged again only if it has changed since, as by a rollback.
            if logged.get(id(outcome)) != str(outcome):
                logged[id(outcome)] = str(outcome)
                (self.log.error if outcome.error else self.log.info)("%s", outcome)

        outcomes = ensure_specs(
            self._specs(),
            hook=self.hook,
            options=EnsureOptions(
                allow_replace=self.allow_replace,
                rotate_credentials=self.rotate_credentials,
                rollback_on_failure=self.rollback_on_failure,
            ),
            planned=_plans(self.plan) if self._planned else None,
            starting=lambda outcome: self.log.info("%s", outcome.plan),
            progress=log_outcome,
        )
        for outcome in outcomes:
            log_outcome(outcome)
            for warning in outcome.warnings:
                self.log.warning("%s: %s", outcome.spec.name, warning)
        results = [outcome.to_json() for outcome in outcomes]
        context["ti"].xcom_push(key=EXPORTS_KEY, value=results)
        self._link(context, outcomes[0])
        try:
            check_outcomes(outcomes)
        except AepError as error:
            if any(isinstance(outcome.error, AepUnseenError) for outcome in outcomes):
                # A retry would create again what was created but is not visible yet.
                raise AirflowFailException(str(error)) from error
            raise
        if self._given.alone:
            for key in OUTPUTS:
                if results[0][key] is not None:  # Airflow 3.0 refuses an XCom of None
                    context["ti"].xcom_push(key=key, value=results[0][key])
        return self._result(results)


class AepDeleteExportOperator(AepOperator):
    """Delete an export: its dataflow, then its connections. Does nothing if it is gone already.

    It deletes only entities that carry the export's mark and that nothing else uses.

    :param spec: the export's spec, as for the other operators of exports; only name, owner and sandbox are
        used. Templated.
    :param name: or the export's name. Templated.
    :param export_owner: with ``name``: the owner that its spec declares; by default ``airflow``. Templated.
    :param with_base: delete its base connection too, if nothing else needs it. Templated.
    :param leftovers_only: delete only what replacements and interrupted attempts left behind. Templated.
    :return: a dict with ``deleted`` and ``kept`` (with ``why``), lists of dicts with ``kind`` and ``id``.
    """

    template_fields: Sequence[str] = (
        *AepOperator.template_fields,
        "spec",
        "name",
        "export_owner",
        "with_base",
        "leftovers_only",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"spec": "json"}
    spec = Argument(optional=True)
    name = Text(optional=True)
    export_owner = Text(optional=True)
    with_base = Switch()
    leftovers_only = Switch()

    def __init__(
        self,
        *,
        spec: Spec | Upstream | None = None,
        name: str | Upstream | None = None,
        # Not "owner", which is Airflow's: default_args usually say who owns the tasks.
        export_owner: str | Upstream | None = None,
        with_base: bool | str | Upstream = False,
        leftovers_only: bool | str | Upstream = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.spec = spec
        self.name = name
        self.export_owner = export_owner
        self.with_base = with_base
        self.leftovers_only = leftovers_only
        if (spec is None) == (name is None):
            raise AepConfigError(f"task {self.task_id!r}: give exactly one of spec and name")
        self._given = None
        if spec is not None:
            if export_owner is not None:
                raise AepConfigError(
                    f"task {self.task_id!r}: export_owner belongs to name; a spec has its own"
                )
            self._given = GivenSpecs(self, spec=spec, specs=None)
            self._given.check()

    def execute(self, context: Any) -> dict[str, Any]:
        from airflow_provider_aep.exports.spec import DEFAULT_OWNER
        from airflow_provider_aep.flowservice.validation import check_name
        from airflow_provider_aep.hooks.declared import delete_spec

        if self._given:
            (spec,) = self._given.parse(self.spec)
            name, owner, sandbox = spec.name, spec.owner, spec.sandbox
        else:
            name, owner, sandbox = check_name(self.name), self.export_owner or DEFAULT_OWNER, None
        removal = delete_spec(
            name,
            owner=owner,
            hook=self.hook.in_sandbox(sandbox) if sandbox else self.hook,
            with_base=self.with_base,
            leftovers_only=self.leftovers_only,
        )
        for entity in removal.deleted:
            self.log.info("Deleted %s %s", entity["kind"], entity["id"])
        for entity in removal.kept:
            self.log.info("Kept %s %s: %s", entity["kind"], entity["id"], entity["why"])
        if not removal.deleted:
            self.log.info("Export %r of %s: nothing was deleted", name, owner)
        return removal.to_json()


def _plans(given: object) -> list[Mapping[str, Any]]:
    """The plan of each export."""
    plans = [given] if isinstance(given, Mapping) else given
    if isinstance(plans, Iterable) and not isinstance(plans, str):
        listed = list(plans)  # results of mapped tasks come as a lazy sequence, not as a list
        if listed and all(map(_is_plan, listed)):
            return listed
    rule = "must be what AepPlanExportOperator returned"
    raise AepValidationError("the arguments", [Problem("plan", rule)])


def _is_plan(value: object) -> bool:
    return isinstance(value, Mapping) and {"name", "steps"} <= value.keys()
