"""An assumption about the service, and how to check it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.probe.sample import Sample
from airflow_provider_aep.probe.words import Seen

Look = Callable[[Sample], Exchange[Seen]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One assumption of the provider.

    :param documents: what the documents say about it, or that they say nothing.
    :param source: the document; see docs/flow-service-notes.md for the names.
    :param provider: what the provider does, also if the service differs.
    :param look: the check.
    :param writes: whether the check needs an export that is created for it.
    """

    name: str
    documents: str
    source: str
    provider: str
    look: Look
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """An assumption, and the result of its check."""

    assumption: Assumption
    seen: Seen

    def to_json(self) -> dict[str, str]:
        assumption = self.assumption
        return {
            "name": assumption.name,
            "result": self.seen.level,
            "documents": assumption.documents,
            "source": assumption.source,
            "seen": self.seen.words,
            "provider": assumption.provider,
        }


def seen_in(judge: Callable[[Sample], Seen]) -> Look:
    """A check that sends no further request."""

    def look(sample: Sample) -> Exchange[Seen]:
        yield from ()
        return judge(sample)

    return look
