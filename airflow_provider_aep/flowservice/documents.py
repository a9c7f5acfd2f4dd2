"""What a document of the service holds: objects, lists, moments, counts; or something else in their place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_aep.errors import AepAnswerError

if TYPE_CHECKING:
    from airflow_provider_aep.flowservice.exchange import Request, Response

Document = Mapping[str, Any]

# No moment of the service lies elsewhere, and spans may be added to one between these.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# Epoch numbers below this are seconds: as milliseconds they would lie in 1973.
LEAST_MILLISECONDS = 1e11


def values_at(document: object, path: str) -> Iterator[Any]:
    """What stands at a place of a document: several things where it leads through arrays, or none.

    :param path: as in ``Only``.
    """
    head, _, rest = path.partition(".")
    name, array, _ = head.partition("[]")
    found = mapping(document).get(name)
    for each in sequence(found) if array else (found,):
        if rest:
            yield from values_at(each, rest)
        elif each is not None:
            yield each


def entities_of(request: Request, reply: Response, *, bare: bool = False) -> list[Document]:
    """The entities of an answer, each with an id.

    :param bare: the answer is the entity itself.
    :raises AepAnswerError: it holds something else, so the question is as open as without an answer.
    """
    items = [reply.json] if bare else reply.json.get("items")
    if not isinstance(items, list) or not all(mapping(item).get("id") for item in items):
        raise AepAnswerError(f"{request}: the answer holds no list of entities", sent=True)
    return items


def mapping(value: object) -> Document:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """A JSON list; an empty one in place of anything else."""
    return value if isinstance(value, list) else ()


def epoch_moment(epoch: object) -> datetime | None:
    """A moment in UTC from epoch milliseconds, or from the seconds that some samples carry in their place.

    :return: ``None`` for what is no such number, and for what is not between ``EARLIEST`` and ``LATEST``.
    """
    if isinstance(epoch, str) and re.fullmatch(r"[0-9]{9,17}", epoch):
        epoch = int(epoch)
    if isinstance(epoch, bool) or not isinstance(epoch, int | float) or epoch <= 0:
        return None
    try:
        moment = datetime.fromtimestamp(epoch if epoch < LEAST_MILLISECONDS else epoch / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if EARLIEST <= moment <= LATEST else None


def count_of(value: object) -> int | None:
    """A count, also as text, or ``None`` for what is missing, not a number, or the service's -1."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    if isinstance(value, float) and not math.isfinite(value):  # 1e999 and NaN pass as JSON
        return None
    return int(value)
