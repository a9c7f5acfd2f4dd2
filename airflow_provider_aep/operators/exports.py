"""Operators for declared exports: what would have to happen, make it so, remove it."""

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

# A spec as a document, or the path of a file that holds one; of ``specs``, a file or folder with several.
Spec = Mapping[str, Any] | str | Path
OnChanges = Literal["ok", "warn", "fail", "skip"]
ON_CHANGES = ("ok", "warn", "fail", "skip")

# Where plans and outcomes are kept, also those of a task that failed: always lists.
# What of the outcome of one export other tasks take as an argument: ensure.output["dataflow_id"].
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

    :param spec: one export spec: a dict, or the path of a YAML or JSON file with exactly one. Templated; what
        a file holds is not.
    :param specs: several: a list of dicts and paths, or the path of a file or folder. Templated likewise.
    :raises AepConfigError: not exactly one of the two is given, or a path does not lead to specs.
    :raises AepValidationError: with all problems of all specs, as far as they are known already.
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
    """Say what would have to happen so that exports are what their specs declare. Changes nothing.

    :param spec: as for every operator of declared exports. Templated.
    :param specs: likewise. Templated.
    :param rotate_credentials: plan to send the storages' logins again. Templated.
    :param on_changes: what the task does where something would change: ``ok``, ``warn`` in the log, ``fail``
        (without a retry, which would see the same) or ``skip``.
    :return: the plan as a dict; with ``specs``, a list of them. XCom key ``aep_plans`` has the list in any
        case, also where the task fails or is skipped.
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
        plans = [one.plan for one in outcomes if one.plan]
        told = [plan.to_json() for plan in plans]
        context["ti"].xcom_push(key=PLANS_KEY, value=told)
        for plan in plans:
            alarming = plan.warnings or (plan.changes and self.on_changes == "warn")
            (self.log.warning if alarming else self.log.info)("%s", plan)
        self._link(context, outcomes[0])
        check_outcomes(outcomes)
        self._judge([plan for plan in plans if plan.changes])
        return self._result(told)

    def _judge(self, changing: Sequence[Plan]) -> None:
        if not changing or self.on_changes not in ("fail", "skip"):
            return
        count = f"{len(changing)} export{'s differ' if len(changing) > 1 else ' differs'} from"
        said = "\n".join([f"{count} the spec:", *map(str, changing)])
        raise AirflowFailException(said) if self.on_changes == "fail" else AirflowSkipException(said)


class AepEnsureExportOperator(AepExportOperator):
    """Make exports what their specs declare: create, update, or leave them as they are.

    Safe to repeat, and to retry: everything that is made carries the mark of its export and is found again.

    :param spec: as for every operator of declared exports. Templated.
    :param specs: likewise; one that fails does not keep the others from being ensured. Templated.
    :param allow_replace: let other entities take the place of those that cannot be changed. Templated.
    :param rotate_credentials: send the storages' logins again. Templated.
    :param rollback_on_failure: where an export fails, remove what this attempt created for it. Templated.
    :param plan: what ``AepPlanExportOperator`` returned for the same specs: where something else would have
        to happen by now, nothing happens to that export, and the task fails. Templated.
    :return: what became of the export, as a dict: ``dataflow_id`` and the three other ids, ``changed``,
        ``created``, ``updated``, ``deleted``, ``left_behind``, ``warnings`` and more; the ids, ``sandbox``
        and ``changed`` are XCom keys too. With ``specs``, a list of dicts. XCom key ``aep_exports`` has the
        list in any case, also where the task fails.
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

        told: dict[int, str] = {}

        def tell(outcome: Outcome) -> None:
            # Said again only where it has changed since, as by a roll-back.
            if told.get(id(outcome)) != str(outcome):
                told[id(outcome)] = str(outcome)
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
            progress=tell,
        )
        for outcome in outcomes:
            tell(outcome)
            for warning in outcome.warnings:
                self.log.warning("%s: %s", outcome.spec.name, warning)
        results = [outcome.to_json() for outcome in outcomes]
        context["ti"].xcom_push(key=EXPORTS_KEY, value=results)
        self._link(context, outcomes[0])
        try:
            check_outcomes(outcomes)
        except AepError as error:
            if any(isinstance(one.error, AepUnseenError) for one in outcomes):
                # What was made and is not seen, a retry would make again.
                raise AirflowFailException(str(error)) from error
            raise
        if self._given.alone:
            for key in OUTPUTS:
                if results[0][key] is not None:  # Airflow 3.0 refuses an XCom of None
                    context["ti"].xcom_push(key=key, value=results[0][key])
        return self._result(results)


class AepDeleteExportOperator(AepOperator):
    """Delete an export: its dataflow, then its connections. Done at once when it is gone already.

    Only what carries the export's mark goes, and only what nothing else uses.

    :param spec: the export by its spec, as for the other operators of exports; name, owner and sandbox count.
        Templated.
    :param name: or the export by its name. Templated.
    :param export_owner: with ``name``: the owner that its spec declares; by default ``airflow``. Templated.
    :param with_base: delete its base connection too, where nothing else needs it. Templated.
    :param leftovers_only: delete only what replacements and broken-off attempts have left behind. Templated.
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
        for one in removal.deleted:
            self.log.info("Deleted %s %s", one["kind"], one["id"])
        for one in removal.kept:
            self.log.info("Kept %s %s: %s", one["kind"], one["id"], one["why"])
        if not removal.deleted:
            self.log.info("Export %r of %s: nothing was deleted", name, owner)
        return removal.to_json()


def _plans(given: object) -> list[Mapping[str, Any]]:
    """What was planned for each export."""
    plans = [given] if isinstance(given, Mapping) else given
    if isinstance(plans, Iterable) and not isinstance(plans, str):
        listed = list(plans)  # what mapped tasks return comes as a sequence that is no list
        if listed and all(map(_is_plan, listed)):
            return listed
    rule = "must be what AepPlanExportOperator returned"
    raise AepValidationError("the arguments", [Problem("plan", rule)])


def _is_plan(value: object) -> bool:
    return isinstance(value, Mapping) and {"name", "steps"} <= value.keys()
