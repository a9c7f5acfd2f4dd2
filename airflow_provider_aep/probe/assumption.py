"""An assumption about the service, and how to find out whether it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.probe.sample import Sample
from airflow_provider_aep.probe.words import Seen

Look = Callable[[Sample], Exchange[Seen]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One thing that the provider takes for granted.

    :param documents: what they say of it, or that they say nothing.
    :param source: which document; see docs/flow-service-notes.md for the names.
    :param provider: what it does about it, also where things differ.
    :param look: how to find out.
    :param writes: only an export that was made for it can tell.
    """

    name: str
    documents: str
    source: str
    provider: str
    look: Look
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """An assumption, and what was seen."""

    assumption: Assumption
    seen: Seen

    def to_json(self) -> dict[str, str]:
        one = self.assumption
        return {
            "name": one.name,
            "result": self.seen.level,
            "documents": one.documents,
            "source": one.source,
            "seen": self.seen.words,
            "provider": one.provider,
        }


def seen_in(judge: Callable[[Sample], Seen]) -> Look:
    """A look that sends no further request."""

    def look(sample: Sample) -> Exchange[Seen]:
        yield from ()
        return judge(sample)

    return look
