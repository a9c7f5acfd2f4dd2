"""A document as plain JSON values, with a problem for everything in it that is not plain JSON.

Any input (other types, keys that are no texts, cycles, megabytes) becomes texts, numbers, lists and dicts of
bounded size. Lengths are in characters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from airflow_provider_aep.arguments import is_template
from airflow_provider_aep.errors import Problem

# Our limits, far beyond any export: a document is refused early rather than read for seconds.
MOST_VALUES, DEEPEST, LONGEST_TEXT, LONGEST_KEY, MOST_UNKNOWN = 5000, 20, 10_000, 128, 10

PARAMS = ("destination", "params")
_MOMENTS = (("schedule", "start"), ("schedule", "end"))
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_BROKEN = re.compile(r"[\ud800-\udfff]")

Where = tuple[str | int, ...]


@dataclass(slots=True)
class Report:
    """The problems so far. ``settled`` holds the places that need no further problem."""

    problems: list[tuple[Where, str]] = field(default_factory=list)
    settled: set[Where] = field(default_factory=set)
    values: int = 0

    def add(self, path: Where, message: str, *, settle: bool = False) -> None:
        if path not in self.settled and (path, message) not in self.problems[-MOST_UNKNOWN:]:
            self.problems.append((path, message))
        if settle:
            self.settled.add(path)

    def problems_at(self, place: str) -> list[Problem]:
        return [
            Problem(_pointer(place, path), message) for path, message in sorted(self.problems, key=_order)
        ]


class TooMuchError(Exception):
    """The document has more values than any spec."""


def plain_value(given: object, path: Where, report: Report) -> Any:
    """``given`` as plain JSON, with ``None`` for every value that JSON cannot express."""
    report.values += 1
    if report.values > MOST_VALUES:
        raise TooMuchError
    if given is None or isinstance(given, bool):
        return given
    if isinstance(given, str):
        return _plain_text(given, path, report)
    if isinstance(given, int) and given.bit_length() <= 64:
        # as check_name does: a rendered "2024" may arrive as a number
        return str(int(given)) if path == ("name",) else int(given)
    if isinstance(given, float) and math.isfinite(given):
        return float(given)
    if isinstance(given, date) and path in _MOMENTS:
        return given.isoformat()
    if isinstance(given, Mapping | list | tuple):
        if len(path) >= DEEPEST:
            report.add(path, f"is nested more than {DEEPEST} levels deep", settle=True)
            return None
        if isinstance(given, Mapping):
            return dict(_plain_items(given, path, report))
        return [plain_value(item, (*path, index), report) for index, item in enumerate(given)]
    if isinstance(given, date):
        rule = "must be a text: put it in quotes"
    elif isinstance(given, int | float):
        rule = "must be a number of at most 64 bits, not NaN or infinite"
    else:
        rule = "must be a text, a number, true or false, a list or a dict"
    report.add(path, rule, settle=True)
    return None


def _plain_text(given: str, path: Where, report: Report) -> str | None:
    rule = ""
    if len(given) > LONGEST_TEXT:
        rule = f"must be at most {LONGEST_TEXT} characters long"
    elif _BROKEN.search(given) or "\0" in given:
        rule = "must be Unicode text without NUL or halves of surrogate pairs"
    elif path != ("description",) and _UNPRINTABLE.search(given):
        rule = "must not contain line breaks or control characters"
    if not rule:
        return str(given)
    report.add(path, rule, settle=True)
    return None


def _plain_items(given: Mapping[Any, Any], path: Where, report: Report) -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        if not isinstance(key, str):
            report.add(path, "has a key that is not a text: put it in quotes")
        elif len(key) > LONGEST_KEY or _UNPRINTABLE.search(key):
            report.add(path, f"has a key with control characters, or of more than {LONGEST_KEY} characters")
        # None means "not given", so that callers may pass optional values on; Adobe's parameters keep it.
        elif value is not None or path[:2] == PARAMS:
            yield str(key), plain_value(value, (*path, key), report)


def _pointer(place: str, path: Where) -> str:
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return place + "".join(f"/{part}" for part in escaped) or "/"


def _order(problem: tuple[Where, str]) -> tuple[Any, ...]:
    path, message = problem
    return tuple(f"{part:06}" if isinstance(part, int) else part for part in path), message


def value_at(document: object, path: Where) -> object:
    """The value at a place of a document, or ``None``."""
    for part in path:
        if isinstance(document, Mapping):
            document = document.get(part)
        elif isinstance(document, list | tuple) and isinstance(part, int) and part < len(document):
            document = document[part]
        else:
            return None
    return document


def templates_in(plain: object, where: str = "") -> Iterator[str]:
    """The pointers of templated texts in a document."""
    if isinstance(plain, dict | list):
        for key, value in plain.items() if isinstance(plain, dict) else enumerate(plain):
            yield from templates_in(value, f"{where}/{key}")
    elif is_template(plain):
        yield where
