"""A plan: the steps that bring a sandbox to what a spec declares, to print, compare and carry out.

It has a step for each of four entities: the base connection (the login), the source connection (the
datasets), the target connection (the place) and the dataflow (the schedule). A step is ``keep``, ``create``,
``update`` (a PATCH) or ``replace``, by a new entity, for what cannot be changed in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_aep.errors import AepUnsafePlanError
from airflow_provider_aep.exports.marks import Mark
from airflow_provider_aep.exports.spec import ExportSpec

Action = Literal["keep", "create", "update", "replace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that differs: its present value, and the one that the spec wants."""

    field: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if isinstance(self.new, list | tuple):
            old = self.old if isinstance(self.old, list | tuple) else ()
            added = [f"+ {item}" for item in self.new if item not in old]
            removed = [f"- {item}" for item in old if item not in self.new]
            return f"{self.field}: {'  '.join([*added, *removed])}"
        return f"{self.field}: {self.new}" if self.old is None else f"{self.field}: {self.old} -> {self.new}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens to one of the four entities.

    :param id: the entity that serves after the step; ``None`` if it does not exist yet.
    :param replaces: the entity that served before.
    :param mark: the mark that it will carry; ``None`` for one that is not ours.
    :param ours: it carries the mark of this export already.
    :param spelled: the service was seen to spell it differently from what was sent.
    """

    action: Action
    kind: str
    id: str | None = None
    replaces: str | None = None
    changes: tuple[Change, ...] = ()
    mark: Mark | None = field(default=None, repr=False)
    ours: bool = field(default=False, repr=False)
    spelled: bool = field(default=False, repr=False)

    def sets(self, field: str) -> bool:
        """Whether a field gets another value than it had; in a new entity, every field does."""
        made_anew = self.id is None and self.action in ("create", "replace")
        return made_anew or any(change.field == field for change in self.changes)

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "kind": self.kind,
            "id": self.id,
            "replaces": self.replaces,
            "changes": [
                {"field": change.field, "old": change.old, "new": change.new} for change in self.changes
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps for one spec, in their order.

    :param datasets: the ids of the datasets to export, each with its name if it is known.
    :param disabled: the dataflow is switched off, and so will be its replacement; ``None`` if the service
        does not say.
    :param left_behind: entities with this export's mark that no longer serve it.
    """

    spec: ExportSpec = field(repr=False)
    sandbox: str
    steps: tuple[Step, ...]
    warnings: tuple[str, ...]
    left_behind: tuple[Mapping[str, str], ...]
    datasets: Mapping[str, str | None] = field(repr=False)
    disabled: bool | None = False

    @property
    def changes(self) -> bool:
        """Whether carrying it out would send anything but GETs."""
        return any(step.action != "keep" for step in self.steps)

    def step(self, kind: str) -> Step:
        return next(step for step in self.steps if step.kind == kind)

    def check_safe(self) -> None:
        """:raises AepUnsafePlanError: it replaces something."""
        replaced = [step for step in self.steps if step.action == "replace"]
        if replaced:
            named = "; ".join(
                f"{step.kind} {step.replaces} ({change_words(step.changes)})" for step in replaced
            )
            raise AepUnsafePlanError(
                f"the plan for export {self.spec.name!r} replaces {len(replaced)} of {len(self.steps)} "
                f"entities: {named}. Set allow_replace to allow it.",
                self.to_json(),
            )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.spec.name,
            "owner": self.spec.owner,
            "sandbox": self.sandbox,
            "changes": self.changes,
            "steps": [step.to_json() for step in self.steps],
            "warnings": list(self.warnings),
            "left_behind": [dict(entity) for entity in self.left_behind],
        }

    def __str__(self) -> str:
        lines = [f"{self.spec.name} in sandbox {self.sandbox}"]
        names = [
            f"{step.replaces} by {step.id or 'a new one'}" if step.replaces else step.id
            for step in self.steps
        ]
        width = max(len(name or "") for name in names)
        for step, name in zip(self.steps, names, strict=True):
            line = f"  {step.action:<8} {step.kind:<17}  {name or '':<{width}}  {change_words(step.changes)}"
            lines.append(line.rstrip())
        lines += [f"  warn     {warning}" for warning in self.warnings]
        if not self.changes:
            lines.append("  no changes")
        return "\n".join(lines)


def change_words(changes: Sequence[Change]) -> str:
    """Changes for people; a new mark is named only if nothing else changes."""
    shown = [change for change in changes if change.field != "mark"]
    return ", ".join(map(str, shown or changes))
