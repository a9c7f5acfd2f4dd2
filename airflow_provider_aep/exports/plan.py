"""A plan: what has to happen so that a sandbox holds what a spec declares. To print, compare and carry out.

It names four entities: the base connection (the login), the source connection (the datasets), the target
connection (the place) and the dataflow (the schedule). For each it says ``keep``, ``create``, ``update`` (a
PATCH) or ``replace``: some things cannot be changed in place, so another entity takes over.
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
    """One field that differs: what it is, and what the spec wants it to be."""

    field: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if isinstance(self.new, list | tuple):
            old = self.old if isinstance(self.old, list | tuple) else ()
            added = [f"+ {one}" for one in self.new if one not in old]
            removed = [f"- {one}" for one in old if one not in self.new]
            return f"{self.field}: {'  '.join([*added, *removed])}"
        return f"{self.field}: {self.new}" if self.old is None else f"{self.field}: {self.old} -> {self.new}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens to one of the four entities.

    :param id: the entity that serves from then on; ``None`` when it has yet to be created.
    :param replaces: the entity that served until then.
    :param mark: the mark that it will carry; ``None`` for one that is not ours.
    :param ours: it carries the mark of this export already.
    :param spelled: the service was seen to tell it in other words than it was sent.
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
        """Whether that field gets another value than it had; of a new entity, every field does."""
        made_anew = self.id is None and self.action in ("create", "replace")
        return made_anew or any(one.field == field for one in self.changes)

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "kind": self.kind,
            "id": self.id,
            "replaces": self.replaces,
            "changes": [{"field": one.field, "old": one.old, "new": one.new} for one in self.changes],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens for one spec, in the order in which it happens.

    :param datasets: the ids of the datasets to export, each with its name where it is known.
    :param disabled: the dataflow is switched off, and so will be one that takes its place; ``None`` where the
        service does not tell.
    :param left_behind: entities with this export's mark that serve it no longer.
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
            named = "; ".join(f"{step.kind} {step.replaces} ({told(step.changes)})" for step in replaced)
            raise AepUnsafePlanError(
                f"the plan for export {self.spec.name!r} replaces {len(replaced)} of {len(self.steps)} "
                f"entities: {named}. Set allow_replace to let it.",
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
            "left_behind": [dict(one) for one in self.left_behind],
        }

    def __str__(self) -> str:
        lines = [f"{self.spec.name} in sandbox {self.sandbox}"]
        names = [
            f"{one.replaces} by {one.id or 'a new one'}" if one.replaces else one.id for one in self.steps
        ]
        width = max(len(name or "") for name in names)
        for step, name in zip(self.steps, names, strict=True):
            line = f"  {step.action:<8} {step.kind:<17}  {name or '':<{width}}  {told(step.changes)}"
            lines.append(line.rstrip())
        lines += [f"  warn     {warning}" for warning in self.warnings]
        if not self.changes:
            lines.append("  no changes")
        return "\n".join(lines)


def told(changes: Sequence[Change]) -> str:
    """Changes for people; a new mark goes without saying where something else changes too."""
    said = [one for one in changes if one.field != "mark"]
    return ", ".join(map(str, said or changes))
