"""Check all assumptions, and report the results without names, ids or secrets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_aep.errors import AepError
from airflow_provider_aep.flowservice.exchange import Exchange
from airflow_provider_aep.probe.assumption import Assumption, Result
from airflow_provider_aep.probe.sample import Sample, take_sample
from airflow_provider_aep.probe.table import ASSUMPTIONS
from airflow_provider_aep.probe.words import Level, Seen, fails, words_of
from airflow_provider_aep.probe.written import Written

LEVELS: tuple[Level, ...] = ("as assumed", "differs", "error", "not told")
ALL_RIGHT, DEVIATES, COULD_NOT_RUN = 0, 1, 2


def examine(
    sandbox: str, *, clock: Callable[[], datetime], written: Written | None = None
) -> Exchange[list[Result]]:
    """Check every assumption. Only GETs are sent.

    :param written: what was observed with an export that was created for it, if any.
    :raises AepError: dataflows cannot be listed.
    """
    sample = yield from take_sample(sandbox, clock())
    sample.written = written
    results = []
    for assumption in ASSUMPTIONS:
        if assumption.writes and written is None:
            continue
        results.append(Result(assumption, (yield from _look(assumption, sample))))
    return results


def _look(assumption: Assumption, sample: Sample) -> Exchange[Seen]:
    try:
        return (yield from assumption.look(sample))
    except AepError as error:
        return fails(words_of(error))
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        return fails("a response has a form that could not be read")


def exit_code(results: Sequence[Result]) -> int:
    return DEVIATES if any(result.seen.level == "error" for result in results) else ALL_RIGHT


def to_json(results: Sequence[Result], *, version: str, wrote: bool) -> dict[str, Any]:
    """The report as a document. It does not name the sandbox or its owner."""
    return {
        "format": 1,
        "provider": version,
        "wrote": wrote,
        "summary": summary(results),
        "results": [result.to_json() for result in results],
    }


def lines_of(result: Result) -> list[str]:
    """A result for people: what was seen, what the documents say, what the provider does."""
    assumption = result.assumption
    source = "" if assumption.source == "none" else f" ({assumption.source})"
    return [
        f"{result.seen.level:<10}  {assumption.name}: {result.seen.words}",
        f"{'':<10}    documents: {assumption.documents}{source}",
        f"{'':<10}    provider: {assumption.provider}",
    ]


def summary(results: Sequence[Result]) -> dict[str, int]:
    counts = Counter(result.seen.level for result in results)
    return {level: counts[level] for level in LEVELS}
