"""Fits results into a size: the first items that fit, and shortened texts and lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from airflow_provider_aep.monitoring.words import cut

T = TypeVar("T")
# The comma and the space between two items in JSON.
_BETWEEN = 2


def json_size(value: object) -> int:
    """The length of a value as JSON."""
    return len(json.dumps(value))


def fitting(items: Iterable[T], room: int, *, size: Callable[[T], int] = json_size) -> list[T]:
    """The first items, as many as fit together with their separators."""
    kept = []
    for item in items:
        room -= size(item) + _BETWEEN
        if room < 0:
            break
        kept.append(item)
    return kept


def shortened(value: Any, *, text: int, values: int, documents: int) -> Any:
    """Plain JSON with texts of at most so many characters, and lists of so many values or documents."""
    limits = {"text": text, "values": values, "documents": documents}
    if isinstance(value, str):
        return cut(value, text)
    if isinstance(value, list | tuple):
        most = documents if value and isinstance(value[0], Mapping) else values
        return [shortened(item, **limits) for item in value[:most]]
    if isinstance(value, Mapping):
        return {name: shortened(item, **limits) for name, item in value.items()}
    return value
