"""Reading documents of the service: objects, lists, moments and counts, with a default for anything else."""

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

# Every moment of the service lies between these, and adding a span to one cannot overflow.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# Epoch numbers below this are seconds: as milliseconds they would lie before 1974.
LEAST_MILLISECONDS = 1e11


def values_at(document: object, path: str) -> Iterator[Any]:
    """The values at a path of a document: several if the path leads through arrays, or none.

    :param path: as in ``Only``.
    """
    head, _, rest = path.partition(".")
    name, array, _ = head.partition("[]")
    value = mapping(document).get(name)
    for item in sequence(value) if array else (value,):
        if rest:
            yield from values_at(item, rest)
        elif item is not None:
            yield item


def entities_of(request: Request, reply: Response, *, bare: bool = False) -> list[Document]:
    """The entities of a response, each with an id.

    :param bare: the response is the entity itself.
    :raises AepAnswerError: it holds something else, so the outcome is as unknown as without it.
    """
    items = [reply.json] if bare else reply.json.get("items")
    if not isinstance(items, list) or not all(mapping(item).get("id") for item in items):
        raise AepAnswerError(f"{request}: the response holds no list of entities", sent=True)
    return items


def mapping(value: object) -> Document:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """A JSON list; an empty one in place of anything else."""
    return value if isinstance(value, list) else ()


def epoch_moment(epoch: object) -> datetime | None:
    """A moment in UTC from epoch milliseconds, or from the seconds that some samples carry instead.

    :return: ``None`` for any other value, and for a moment outside ``EARLIEST`` to ``LATEST``.
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
    """A count, also from text; ``None`` if it is missing, not a number, or the service's -1."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    if isinstance(value, float) and not math.isfinite(value):  # 1e999 and NaN pass as JSON
        return None
    return int(value)
