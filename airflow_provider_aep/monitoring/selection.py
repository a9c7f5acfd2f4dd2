"""Which dataflows of a sandbox to look at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from airflow_provider_aep.errors import AepValidationError, Problem
from airflow_provider_aep.exports.marks import read_mark
from airflow_provider_aep.flowservice.dataflow_record import Dataflow
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.listing import part_of_name
from airflow_provider_aep.flowservice.validation import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dataflows to audit; by default all that export datasets.

    :param name_contains: part of the name, in any letter case.
    :param destinations: this provider's names, such as ``s3``; for other destinations, those of their specs.
    :param owner: only dataflows that this owner declared, by the mark in their description.
    """

    name_contains: str | None = None
    destinations: Collection[str] = ()
    owner: str | None = None

    def __post_init__(self) -> None:
        part_of_name(self.name_contains)
        given: Iterable[object] = self.destinations
        if not all(isinstance(name, str) and name for name in given):
            problem = Problem("destinations", "must hold names of destinations, each a text")
            raise AepValidationError("the selection", [problem])

    @classmethod
    def of(
        cls, name_contains: str | None, destinations: str | Iterable[str] | None, owner: str | None
    ) -> Selection:
        """A selection from the arguments of an operator or a command.

        :param destinations: one, several, or ``None`` for all.
        """
        several = (destinations,) if isinstance(destinations, str) else tuple(destinations or ())
        return cls(name_contains=name_contains, destinations=several, owner=owner)

    def check(self, flows: Collection[Dataflow]) -> None:
        """Check that each destination is in our table, or one that a dataflow of the sandbox exports to.

        :param flows: all that export datasets.
        :raises AepValidationError: one is neither, so nothing would ever be checked for it.
        """
        known = [*DESTINATIONS, *sorted({flow.destination for flow in flows if flow.destination})]
        same = {name.casefold() for name in known}
        problems = [
            Problem("destinations", f"has {name!r}, to which nothing is exported{nearest(name, known)}")
            for name in self.destinations
            if name.casefold() not in same
        ]
        if problems:
            raise AepValidationError("the selection", problems)

    def __str__(self) -> str:
        given = (
            ("name_contains", self.name_contains),
            ("destinations", list(self.destinations)),
            ("owner", self.owner),
        )
        return " and ".join(f"{name}={value!r}" for name, value in given if value) or "(all)"

    def holds(self, flow: Dataflow) -> bool:
        mark, wanted = read_mark(flow.raw), [name.casefold() for name in self.destinations]
        return (
            part_of_name(self.name_contains) in flow.name.casefold()
            and (not wanted or str(flow.destination).casefold() in wanted)
            and (self.owner is None or (mark is not None and mark.owner == self.owner))
        )

    def told_nothing(self, listed: int) -> str:
        """A sentence that no dataflow was selected.

        :param listed: how many export dataflows there are.
        """
        if not listed:
            return "Nothing was checked: the sandbox has no export dataflow that the credential may see."
        return f"Nothing was checked: none of {listed} export dataflows fits {self}."
