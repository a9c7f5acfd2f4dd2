"""The result of ensuring an export: the entities that serve it, and those created, changed or left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.exports.plan import Plan, Step
from airflow_provider_aep.exports.spec import ExportSpec

# An entity as results name it: its kind and its id.
Named = dict[str, str]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The result of ensuring one spec, complete or not.

    :param ids: the entities that serve the export now, by kind, such as ``dataflow``.
    :param created: the entities that this attempt created and that still exist.
    :param left_behind: the entities that carry the mark of the export, or served it, and no longer serve it.
    :param error: why it was not completed.
    """

    spec: ExportSpec
    plan: Plan | None = None
    ids: dict[str, str] = field(default_factory=dict)
    created: list[Named] = field(default_factory=list)
    updated: list[Named] = field(default_factory=list)
    deleted: list[Named] = field(default_factory=list)
    left_behind: list[Named] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: AepError | None = None

    def step(self, kind: str) -> Step:
        """The step of its plan for one kind of entity."""
        assert self.plan is not None  # an outcome without a plan has an error, and is not carried out
        return self.plan.step(kind)

    @property
    def datasets(self) -> Mapping[str, str | None]:
        """The ids of the datasets to export, each with its name if it is known."""
        return self.plan.datasets if self.plan else {}

    @property
    def changed(self) -> bool:
        return bool(self.created or self.updated or self.deleted)

    def to_json(self) -> dict[str, Any]:
        ids: Mapping[str, str | None] = {
            f"{kind.replace(' ', '_')}_id": self.ids.get(kind)
            for kind in ("dataflow", "source connection", "target connection", "base connection")
        }
        return {
            "name": self.spec.name,
            "owner": self.spec.owner,
            "sandbox": self.plan.sandbox if self.plan else self.spec.sandbox,
            **ids,
            "changed": self.changed,
            "created": self.created,
            "updated": self.updated,
            "deleted": self.deleted,
            "left_behind": self.left_behind,
            "warnings": self.warnings,
            "error": str(self.error) if self.error else None,
        }

    def __str__(self) -> str:
        """One line for a log."""
        if self.error:
            made = f" after it had created {_named(self.created)}" if self.created else ""
            return f"{self.spec.name}: FAILED{made}: {self.error}"
        if not self.changed:
            return f"{self.spec.name}: no changes"
        done = [
            f"{verb} {_named(entities)}"
            for verb, entities in (
                ("created", self.created),
                ("updated", self.updated),
                ("deleted", self.deleted),
            )
            if entities
        ]
        return f"{self.spec.name}: {'; '.join(done)}"


def _named(entities: list[Named]) -> str:
    return ", ".join(f"{entity['kind']} {entity['id']}" for entity in entities)
