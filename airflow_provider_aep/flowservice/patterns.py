"""Adobe's patterns and macros for places and keys: matched without exponential time, and put in plain words.

Source: the connection specs in "Export datasets by using the Flow Service API"; read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

# A longer text is refused without matching any pattern: the longest location that the six storages allow is
# an object key of 1,024 bytes.
LONGEST_LOCATION = 1024

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
BLOB_PATH_PATTERN = r"^[0-9a-zA-Z\/\!\-_\.\*\'\(\)]+$"
S3_ACCESS_KEY_PATTERN = r"^[A-Z2-7]{20}$"
S3_SECRET_KEY_PATTERN = r"^[A-Za-z0-9\/\+]{40}$"
# Pattern of Adobe's -> the same language in a form that is safe to match with hostile text.
SAFE_PATTERNS = {
    # unambiguous, hence linear: possessive repeats do not backtrack
    PATH_PATTERN: r"^[0-9a-zA-Z/!\-_.*'()]*+(?:%SEGMENT_(?:NAME|ID)%/*+)*+$",
    # each label matches in one way instead of two; as printed, twenty labels take seconds, and every two
    # more take four times as long. Not possessive: Python 3.11.2 then loses labels of one letter, and a label
    # ends at a dot, so nothing backtracks
    GCS_BUCKET_PATTERN: (
        r"(?!^goog.*$)(?!^.*g(o|0)(o|0)gle.*$)"
        r"(((?=^.{3,63}$)(^([a-z0-9]|[a-z0-9][a-z0-9\-_]*)[a-z0-9]$))"
        r"|((?=^.{3,222}$)(?!^(\d+\.)+\d+$)"
        r"(^(?:[a-z0-9](?:[a-z0-9\-_]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9\-_]{0,61}[a-z0-9])?$)))"
    ),
    S3_BUCKET_PATTERN: S3_BUCKET_PATTERN,  # its lookahead lets no more than 63 characters through
    BLOB_CONTAINER_PATTERN: BLOB_CONTAINER_PATTERN,
}

_PATH_WORDS = "may contain only the letters A to Z and a to z, digits, '/' and ! - _ . * ' ( )"
_WORDS = {
    PATH_PATTERN: _PATH_WORDS,
    BLOB_PATH_PATTERN: _PATH_WORDS,
    S3_BUCKET_PATTERN: (
        "must be 3 to 63 characters: lower-case letters, digits, hyphens and dots, with a letter or digit at "
        "both ends; not an IP address"
    ),
    GCS_BUCKET_PATTERN: (
        "must be 3 to 63 characters (222 with dots): lower-case letters, digits, hyphens, underscores and "
        "dots, with a letter or digit at both ends; not an IP address; it must neither begin with goog nor "
        "contain google"
    ),
    BLOB_CONTAINER_PATTERN: (
        "must be 3 to 63 characters: lower-case letters, digits and single hyphens, with a letter or digit "
        "at both ends"
    ),
    S3_ACCESS_KEY_PATTERN: "must be 20 characters: upper-case letters and the digits 2 to 7",
    S3_SECRET_KEY_PATTERN: "must be 40 characters: letters, digits, '/' and '+'",
}
MACROS = frozenset(
    {
        "DATASET_ID",
        "DATASET_NAME",
        "DESTINATION",
        "DESTINATION_INSTANCE_ID",
        "DESTINATION_INSTANCE_NAME",
        "EXPORT_TIME",
        "ORGANIZATION_NAME",
        "SANDBOX_NAME",
    }
)
_MACRO = re.compile(r"%([^%/]{1,64})%")
# The parameters that hold only a name.
BUCKETS = ("bucketName", "container")
FOLDERS = ("path", "remotePath")


def pattern_words(pattern: str, value: object) -> str:
    """What a pattern requires, in plain words; an unknown pattern is quoted."""
    text = value if isinstance(value, str) else ""
    if len(text) > LONGEST_LOCATION:
        return f"must be at most {LONGEST_LOCATION} characters long"
    if pattern not in _WORDS:
        return f"must match the pattern of Adobe's live spec, {pattern}"
    if not text:
        return "must not be empty"
    if "%" in text and pattern == PATH_PATTERN:
        return "must not contain macros or '%': macros belong in the schedule's folder_template"
    blanks = any(map(str.isspace, text))
    return f"must not contain blanks; it {_WORDS[pattern]}" if blanks else _WORDS[pattern]


def misplaced(param: str, value: object) -> str:
    """What is wrong with a place that no storage can have, such as a URL; empty if nothing is wrong.

    :param param: the target parameter, in Adobe's words.
    """
    if not isinstance(value, str):
        return ""
    if "://" in value and param in FOLDERS:
        return "must be a folder, not a URL: leave out the scheme and the bucket, container or host"
    if "://" in value and param in BUCKETS:
        return "must be only the name, without s3://, gs:// or https:// before it; the folder belongs in path"
    if "/" in value and param in BUCKETS:
        return "must be only the name: the folder belongs in path"
    return ""


def unlisted_macros(template: str) -> list[str]:
    """The macros of a folder template that Adobe does not list."""
    return [
        name for name in _MACRO.findall(template) if name not in MACROS and not name.startswith("DATETIME(")
    ]


def pattern_of(pattern: str) -> re.Pattern[str] | None:
    """A pattern of Adobe's, compiled so that it is safe to match with hostile text; ``None`` if it is not.

    In an unknown pattern, several repeats, or a choice inside one, could take exponential time. It is left to
    the service, which judges the value anyway.
    """
    if pattern in SAFE_PATTERNS:
        return re.compile(SAFE_PATTERNS[pattern])
    try:
        return re.compile(pattern) if _is_tame(_parser.parse(pattern)) else None
    except (re.error, RecursionError, OverflowError):
        return None  # ECMA syntax or sizes that Python does not know


def _is_tame(parsed: Any) -> bool:
    """Whether a pattern's time cannot explode: few repeats and choices, and neither inside a repeat."""
    operations = list(_operations(parsed))
    repeats = [argument for operation, argument in operations if operation in _REPEATS]
    optional = [inside for least, most, inside in repeats if most == 1 and least == 0]
    elastic = [inside for least, most, inside in repeats if least != most and most > 1]
    repeated = [inside for _, most, inside in repeats if most > 1]
    choices = [operation for operation, _ in operations if operation is _constants.BRANCH]
    anchored = bool(parsed) and parsed[0] == (_constants.AT, _constants.AT_BEGINNING)
    return (
        len(elastic) <= (2 if anchored else 1)
        and len(optional) <= 2
        and len(choices) <= 4
        and not any(
            operation is _constants.BRANCH or operation in _REPEATS
            for inside in repeated
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
