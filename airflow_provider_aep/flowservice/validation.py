"""Checks of what a DAG author hands us, before anything is sent or created.

Every function reports *all* broken rules, as field and rule, and never the offending value: it may be a
secret. A check of any text up to 10,000 characters takes well under 0.1 s, although Adobe's own path pattern
is exponential in Python's ``re``: see ``pattern_of``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from airflow_provider_aep.errors import AepValidationError, Problem

# Beyond this a text is refused without asking any pattern: the longest location that the six storages
# allow is an object key of 1,024 bytes.
LONGEST_LOCATION = 1024

# Adobe's pattern of an S3 or GCS path, to the letter. `(%..%)?/?` repeated takes exponential time on a text
# of `%SEGMENT_ID%/` with one bad character at its end: 286 characters take 1.8 s.
PATH_PATTERN = r"^[0-9a-zA-Z\/\!\-_\.\*\''\(\)]*((\%SEGMENT_(NAME|ID)\%)?\/?)+$"
# The bucket patterns nest repeats too, but lookaheads and dots bound them: both stay flat when measured.
S3_BUCKET_PATTERN = (
    r"(?=^.{3,63}$)(?!^(\d+\.)+\d+$)"
    r"(^(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])$)"
)
GCS_BUCKET_PATTERN = (
    r"(?!^goog.*$)(?!^.*g(o|0)(o|0)gle.*$)"
    r"(((?=^.{3,63}$)(^([a-z0-9]|[a-z0-9][a-z0-9\-_]*)[a-z0-9]$))"
    r"|((?=^.{3,222}$)(?!^(\d+\.)+\d+$)(^(([a-z0-9]{1,63}|[a-z0-9][a-z0-9\-_]{1,61}[a-z0-9])\.)*"
    r"([a-z0-9]{1,63}|[a-z0-9][a-z0-9\-_]{1,61}[a-z0-9])$)))"
)
SAFE_PATTERNS = {
    # the same language without ambiguity, hence in linear time: possessive repeats never try again
    PATH_PATTERN: r"^[0-9a-zA-Z/!\-_.*'()]*+(?:%SEGMENT_(?:NAME|ID)%/*+)*+$",
    S3_BUCKET_PATTERN: S3_BUCKET_PATTERN,
    GCS_BUCKET_PATTERN: GCS_BUCKET_PATTERN,
}

_ID = re.compile(r"[0-9A-Za-z_.\-]{1,128}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_id(field: str, value: object) -> str:
    """``value`` if it can be the id of an entity: no slash, query or blank character.

    :raises AepValidationError: it cannot, so no request may be built from it.
    """
    if isinstance(value, str) and _ID.fullmatch(value) and value.strip("."):
        return value
    rule = "must be an id: letters, digits, '-', '_' and '.' only, at most 128 characters"
    raise AepValidationError("the ids", [Problem(field, rule if value else "is missing")])


def check_name(value: object) -> str:
    """``value`` if it can name an entity.

    :raises AepValidationError: it is empty, not a text, too long, or has control characters.
    """
    if not isinstance(value, str) or not value.strip():
        raise AepValidationError("the name", [Problem("name", "is missing")])
    if len(value) > 255 or _CONTROL.search(value):
        rule = "must be at most 255 characters long, without line breaks or control characters"
        raise AepValidationError("the name", [Problem("name", rule)])
    return value


def nearest(word: str, known: Collection[str]) -> str:
    """`` (did you mean 'x'?)`` for a misspelt key, or an empty text."""
    close = difflib.get_close_matches(word[:64], known, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def schema_problems(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[Problem]:
    """Where a document breaks one of Adobe's JSON schemas (draft 7).

    The library's own messages quote the offending value; these name pointer, rule and expectation.
    """
    problems = [
        Problem(f"/{key}", "must not contain line breaks or control characters")
        for key, value in document.items()
        if isinstance(value, str) and _CONTROL.search(value)
    ]
    for error in _validator()(schema).iter_errors(document):
        pointer = "/" + "/".join(str(part) for part in error.absolute_path)
        if error.validator == "required":
            problems += [
                Problem(f"{pointer.rstrip('/')}/{key}", "is missing")
                for key in error.validator_value
                if key not in error.instance
            ]
        elif error.validator == "enum":
            allowed = ", ".join(map(str, error.validator_value))
            problems.append(Problem(pointer, f"must be one of {allowed}"))
        elif error.validator == "type":
            problems.append(Problem(pointer, f"must be of type {error.validator_value}"))
        elif error.validator == "pattern":
            problems.append(Problem(pointer, _pattern_rule(error.validator_value, error.instance)))
        else:
            problems.append(Problem(pointer, f"breaks the rule {error.validator!r}"))
    return sorted(set(problems))


def pattern_of(pattern: str) -> re.Pattern[str] | None:
    """A pattern of Adobe's, compiled so that it can be asked about hostile text; ``None`` if it cannot.

    A pattern that we have not met, and in which a repeat holds another repeat, could take exponential
    time. Such a one is left to the service, which judges the value anyway.
    """
    if pattern in SAFE_PATTERNS:
        return re.compile(SAFE_PATTERNS[pattern])
    try:
        return None if _nests_repeats(_parser.parse(pattern)) else re.compile(pattern)
    except (re.error, RecursionError):
        return None  # ECMA syntax that Python does not know


def _nests_repeats(parsed: Any, inside: bool = False) -> bool:
    repeats = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
    for operation, argument in parsed:
        repeating = operation in repeats and argument[1] > 1
        if repeating and inside:
            return True
        if any(_nests_repeats(part, inside or repeating) for part in _parts(argument)):
            return True
    return False


def _parts(argument: Any) -> Iterator[Any]:
    """The patterns inside an operation's argument, however that operation nests them."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for item in argument:
            yield from _parts(item)


def _pattern_rule(pattern: str, value: object) -> str:
    if isinstance(value, str) and len(value) > LONGEST_LOCATION:
        return f"must be at most {LONGEST_LOCATION} characters long"
    if isinstance(value, str) and "%" in value and pattern == PATH_PATTERN:
        return (
            "must not contain macros or '%': macros belong in the schedule's folder_template; "
            f"expected pattern {pattern}"
        )
    return f"does not match the expected pattern {pattern}"


@cache
def _validator() -> Any:
    # Imported here: a DAG file that is parsed needs no schema, and pays for none.
    from jsonschema import Draft7Validator, ValidationError, validators

    def pattern(_: Any, expected: str, value: object, __: Any) -> Iterator[ValidationError]:
        if not isinstance(value, str):
            return
        compiled = pattern_of(expected)
        if len(value) > LONGEST_LOCATION or (compiled and not compiled.search(value)):
            yield ValidationError("")

    return validators.extend(Draft7Validator, {"pattern": pattern})  # type: ignore[no-untyped-call]
