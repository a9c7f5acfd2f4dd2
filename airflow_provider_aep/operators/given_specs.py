"""How a task takes export specs: as documents or as paths, checked when the DAG is parsed and when it runs.

Parsing the DAG checks whatever is known by then, so that a mistake is an import error of the DAG. Templates
and results of other tasks have to wait until the task runs, which checks everything again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from airflow_provider_aep.arguments import as_typed, is_template
from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem
from airflow_provider_aep.operators.bundles import load_bundled_specs

if TYPE_CHECKING:
    from airflow_provider_aep.exports.spec import ExportSpec

# Placeholder for what another task has yet to return: the check of a spec ignores templates.
_LATER = "{{ later }}"

Placed = tuple[str, object]


class GivenSpecs:
    """The argument ``spec`` or ``specs`` of a task.

    :param spec: a document, the path of a file with one, or a template or task result that will be one.
    :param specs: a list of these, the path of a file or folder with several, or what will be one.
    :raises AepConfigError: not exactly one of the two is given.
    """

    def __init__(self, task: Any, *, spec: object, specs: object) -> None:
        if (spec is None) == (specs is None):
            raise AepConfigError(f"task {task.task_id!r}: give exactly one of spec and specs")
        self.alone = specs is None
        self._given = spec if self.alone else specs
        # Where paths start. Read now, as Airflow 2 changes the file of a DAG once it is parsed.
        self._dag_file = task.dag.fileloc if task.has_dag() else None

    def check(self) -> None:
        """Check what is known when the DAG is parsed.

        :raises AepConfigError: a path is missing or leads outside, or a file has several specs, not one.
        :raises AepValidationError: with all problems of all specs.
        """
        from airflow_provider_aep.exports.spec import parse_spec, parse_specs

        given = _without_upstream(self._given)
        placed = self._read(given, early=True)
        if _is_path(given):
            return  # reading its files has checked them, and there is nothing else
        errors: list[AepValidationError] = []
        complete = True
        for place, document in placed:
            try:
                complete &= parse_spec(document, place=place, templated=True) is not None
            except AepValidationError as error:
                errors.append(error)
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise AepValidationError(
                "the export specs", [problem for error in errors for problem in error.problems]
            )
        if complete and len(placed) > 1:
            parse_specs([document for _, document in placed], places=[place for place, _ in placed])

    def parse(self, rendered: object) -> list[ExportSpec]:
        """The specs of the rendered argument."""
        from airflow_provider_aep.exports.spec import parse_spec, parse_specs

        placed = self._read(as_typed(self._given, rendered), early=False)
        if self.alone:
            return [parse_spec(document, place=place) for place, document in placed]
        return parse_specs([document for _, document in placed], places=[place for place, _ in placed])

    def _read(self, given: object, *, early: bool) -> list[Placed]:
        """The documents, each with its place; with ``early``, without those that are still to be rendered."""
        if early and is_template(given):
            return []
        if _is_path(given):
            return self._from_file(given, early=early)
        if isinstance(given, str):
            given = _json(given)
        if self.alone and isinstance(given, list):
            raise AepValidationError(
                "the arguments", [Problem("spec", "must be one spec: give a list as specs")]
            )
        if self.alone:
            return [("", given)]
        # Results of mapped tasks come as a lazy sequence, not as a list.
        if isinstance(given, Mapping) or not isinstance(given, Iterable):
            raise AepValidationError(
                "the arguments", [Problem("specs", "must be a list of specs, or a path")]
            )
        placed: list[Placed] = []
        for index, item in enumerate(given):
            if isinstance(item, str | Path):
                placed += self._from_file(item, early=early)
            else:
                placed.append((f"specs[{index}]", item))
        if not placed and not early:
            raise AepValidationError("the arguments", [Problem("specs", "must name at least one spec")])
        return placed

    def _from_file(self, path: str | Path, *, early: bool) -> list[Placed]:
        if early and is_template(str(path)):
            return []
        documents = load_bundled_specs(path, dag_file=self._dag_file)
        count = len(documents)
        if self.alone and count > 1:
            raise AepConfigError(
                f"export spec {path}: holds {count} specs. Give it as specs instead of spec."
            )
        return [
            (f"{path}[{index}]" if count > 1 else str(path), document)
            for index, document in enumerate(documents)
        ]


def paths_as_text(given: Any) -> Any:
    """An argument without ``Path``: Airflow before 3.2 renders one by calling its ``resolve``."""
    if isinstance(given, list | tuple):
        return [paths_as_text(item) for item in given]
    return str(given) if isinstance(given, Path) else given


def _is_path(given: object) -> TypeGuard[str | Path]:
    """Whether the whole argument is a path: a string is one unless it is JSON."""
    return isinstance(given, Path) or (isinstance(given, str) and given.lstrip()[:1] not in ("{", "["))


def _without_upstream(value: object) -> object:
    """``value`` with a template in place of every result that another task has yet to return."""
    if isinstance(value, Mapping):
        return {key: _without_upstream(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_upstream(item) for item in value]
    # XComArgs and similar classes, which each Airflow line keeps in another module.
    return _LATER if hasattr(value, "iter_references") else value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        rule = (
            "was rendered to a text that is not JSON: end the template with `| tojson`, or set "
            "render_template_as_native_obj on the DAG"
        )
        raise AepValidationError("the export specs", [Problem("spec", rule)]) from None
