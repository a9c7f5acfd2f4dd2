"""Which dataflows of a sandbox to look at."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.flowservice.dataflows import Dataflow
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.entities import part_of_name
from airflow_provider_aep.flowservice.validation import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dataflows to audit; by default all that export datasets.

    :param name_contains: in whatever letter case.
    :param destinations: our names, such as ``s3``.
    :param owner: only those that this owner declared, by the mark in their description.
    """

    name_contains: str | None = None
    destinations: Collection[str] = ()
    owner: str | None = None

    def __post_init__(self) -> None:
        part_of_name(self.name_contains)
        for name in self.destinations:
            if name not in DESTINATIONS:
                problem = Problem(
                    "destinations", f"must hold names of destinations{nearest(name, DESTINATIONS)}"
                )
                raise AepValidationError("the selection", [problem])

    def __str__(self) -> str:
        given = (
            ("name_contains", self.name_contains),
            ("destinations", list(self.destinations)),
            ("owner", self.owner),
        )
        return " and ".join(f"{name}={value!r}" for name, value in given if value) or "(all)"

    def holds(self, flow: Dataflow) -> bool:
        mark = read_mark(flow.raw)
        return (
            part_of_name(self.name_contains) in flow.name.casefold()
            and (not self.destinations or flow.destination in self.destinations)
            and (self.owner is None or (mark is not None and mark.owner == self.owner))
        )
