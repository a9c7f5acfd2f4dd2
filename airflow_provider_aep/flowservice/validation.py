"""Checks of what a DAG author hands us, before anything is sent or created.

Every function reports *all* broken rules, as field and rule, and never the offending value: it may be a
secret. A check of any text up to 10,000 characters takes well under 0.1 s, although two of Adobe's own
patterns are exponential in Python's ``re``: see ``pattern_of``.
"""

from __future__ import annotations

import difflib
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

from airflow_provider_aep.arguments import is_nothing
from airflow_provider_aep.errors import AepValidationError, Problem

# Beyond this a text is refused without asking any pattern: the longest location that the six storages
# allow is an object key of 1,024 bytes.
LONGEST_LOCATION = 1024
# No schema that ends refers to a part of itself so often on the way to one value.
DEEPEST_REFERENCE = 30

# Adobe's pattern of an S3 or GCS path, to the letter. `(%..%)?/?` repeated takes exponential time on a text
# of `%SEGMENT_ID%/` with one bad character at its end: 286 characters take 1.8 s.
PATH_PATTERN = r"^[0-9a-zA-Z\/\!\-_\.\*\''\(\)]*((\%SEGMENT_(NAME|ID)\%)?\/?)+$"
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
BLOB_CONTAINER_PATTERN = r"^[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]$"
# Pattern of Adobe's -> the same language in a form that can be asked about hostile text.
SAFE_PATTERNS = {
    # without ambiguity, hence in linear time: possessive repeats never try again
    PATH_PATTERN: r"^[0-9a-zA-Z/!\-_.*'()]*+(?:%SEGMENT_(?:NAME|ID)%/*+)*+$",
    # each label in one way instead of two; as printed, twenty labels take seconds, and each two more
    # four times as long. Not possessive: Python 3.11.2 loses labels of one letter there, and a label ends
    # at a dot, so there is nothing to try again
    GCS_BUCKET_PATTERN: (
        r"(?!^goog.*$)(?!^.*g(o|0)(o|0)gle.*$)"
        r"(((?=^.{3,63}$)(^([a-z0-9]|[a-z0-9][a-z0-9\-_]*)[a-z0-9]$))"
        r"|((?=^.{3,222}$)(?!^(\d+\.)+\d+$)"
        r"(^(?:[a-z0-9](?:[a-z0-9\-_]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9\-_]{0,61}[a-z0-9])?$)))"
    ),
    S3_BUCKET_PATTERN: S3_BUCKET_PATTERN,  # its lookahead lets no more than 63 characters through
    BLOB_CONTAINER_PATTERN: BLOB_CONTAINER_PATTERN,
}

_ID = re.compile(r"[0-9A-Za-z_.\-]{1,128}")
# Every id of an entity that Adobe's documents show is a UUID.
_UUID = re.compile(r"[0-9a-fA-F-]{30,40}")
NOT_A_NAME = "This looks like a name: AepListDataflowsOperator tells the ids of dataflows."
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_id(value: object) -> bool:
    """Whether ``value`` can be the id of an entity."""
    # "None" and "null" are what a template makes of an XCom that is lost.
    named = isinstance(value, str) and bool(_ID.fullmatch(value)) and bool(value.strip("."))
    return named and not is_nothing(value)


def looks_like_a_name(entity_id: str) -> bool:
    """Whether an id is none of Adobe's, most likely."""
    return not _UUID.fullmatch(entity_id)


def check_id(field: str, value: object) -> str:
    """``value`` if it can be the id of an entity: no slash, query or blank character.

    :raises AepValidationError: it cannot, so no request may be built from it.
    """
    if is_id(value):
        return str(value)
    rule = "must be an id: letters, digits, '-', '_' and '.' only, at most 128 characters"
    advice = NOT_A_NAME if field == "dataflow_id" and isinstance(value, str) and value.strip() else ""
    raise AepValidationError("the ids", [Problem(field, "is missing" if is_nothing(value) else rule)], advice)


def check_name(value: object) -> str:
    """``value`` if it can name an entity.

    :raises AepValidationError: it is empty, not a text, too long, or has control characters.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # render_template_as_native_obj turns a rendered "2024" into 2024
    if not isinstance(value, str) or not value.strip():
        rule = "is missing" if value is None or isinstance(value, str) else "must be a text"
        raise AepValidationError("the name", [Problem("name", rule)])
    if len(value) > 255 or _CONTROL.search(value):
        rule = "must be at most 255 characters long, without line breaks or control characters"
        raise AepValidationError("the name", [Problem("name", rule)])
    return value


def nearest(word: object, known: Collection[str]) -> str:
    """`` (did you mean 'x'?)`` for a misspelt key, or an empty text."""
    close = difflib.get_close_matches(str(word)[:64], known, n=1)
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
    try:
        broken = list(broken_rules(schema, document))
    except RecursionError:  # a schema that refers to itself for ever: the service judges
        broken = []
    for error in broken:
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


def broken_rules(schema: Mapping[str, Any], document: object) -> Iterator[Any]:
    """The library's own errors, patterns guarded. Their ``message`` quotes the value: never show it."""
    from jsonschema.exceptions import UnknownType

    try:
        yield from _validator()(schema).iter_errors(document)
    except UnknownType:
        # A spec that no longer is a schema: the service judges. The error itself would quote the document.
        return


def pattern_of(pattern: str) -> re.Pattern[str] | None:
    """A pattern of Adobe's, compiled so that it can be asked about hostile text; ``None`` if it cannot.

    Of a pattern that we have not met, several repeats, or a choice inside one, could take exponential time.
    Such a one is left to the service, which judges the value anyway.
    """
    if pattern in SAFE_PATTERNS:
        return re.compile(SAFE_PATTERNS[pattern])
    try:
        return re.compile(pattern) if _is_tame(_parser.parse(pattern)) else None
    except (re.error, RecursionError):
        return None  # ECMA syntax that Python does not know


def _is_tame(parsed: Any) -> bool:
    """Whether a pattern's time cannot explode: few repeats, and neither repeat nor choice inside one."""
    repeats = [argument for operation, argument in _operations(parsed) if operation in _REPEATS]
    optional = [inside for least, most, inside in repeats if most == 1 and least == 0]
    elastic = [inside for least, most, inside in repeats if least != most and most > 1]
    anchored = bool(parsed) and parsed[0] == (_constants.AT, _constants.AT_BEGINNING)
    return (
        len(elastic) <= (2 if anchored else 1)
        and len(optional) <= 2
        and not any(
            operation is _constants.BRANCH or operation in _REPEATS
            for inside in elastic
            for operation, _ in _operations(inside)
        )
    )


_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


def _operations(parsed: Any) -> Iterator[tuple[Any, Any]]:
    """Every operation of a parsed pattern, at any depth."""
    if isinstance(parsed, _parser.SubPattern):
        for operation, argument in parsed:
            yield operation, argument
            yield from _operations(argument)
    elif isinstance(parsed, tuple | list):
        for item in parsed:
            yield from _operations(item)


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

    depth = threading.local()

    def left_to_us(*_: Any) -> Iterator[ValidationError]:
        # They would run Adobe's patterns unguarded; misspelt keys are found by name.
        return iter(())

    def reference(validator: Any, target: object, *rest: Any) -> Iterator[Any]:
        # Any other the library would fetch, from wherever it points.
        if not isinstance(target, str) or not target.startswith("#"):
            return
        depth.reached = getattr(depth, "reached", 0) + 1
        try:
            if depth.reached > DEEPEST_REFERENCE:  # before the library fails in ways that cannot be caught
                raise RecursionError("the schema refers to itself")
            yield from Draft7Validator.VALIDATORS["$ref"](validator, target, *rest)
        finally:
            depth.reached -= 1

    rules = {
        "pattern": pattern,
        "patternProperties": left_to_us,
        "additionalProperties": left_to_us,
        "$ref": reference,
    }
    return validators.extend(Draft7Validator, rules)  # type: ignore[no-untyped-call]
