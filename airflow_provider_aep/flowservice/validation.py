"""Checks of a DAG author's input, before anything is sent or created.

Every function reports *all* broken rules, as field and rule, and never the offending value: it may be a
secret. Checking a text of up to 10,000 characters takes well under 0.1 s, although two of Adobe's own
patterns are exponential in Python's ``re``: see ``patterns``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any

from airflow_provider_aep.arguments import is_nothing
from airflow_provider_aep.errors import AepConfigError, AepValidationError, Problem
from airflow_provider_aep.flowservice.patterns import LONGEST_LOCATION, pattern_of, pattern_words

# More nested references than this mean a schema that refers to itself for ever.
DEEPEST_REFERENCE = 30

_ID = re.compile(r"[0-9A-Za-z_.\-]{1,128}")
# Every id of an entity that Adobe's documents show is a UUID.
_UUID = re.compile(r"[0-9a-fA-F-]{30,40}")
NOT_A_NAME = "This looks like a name: AepListDataflowsOperator lists the ids of dataflows."
_NOT_A_DATASET_NAME = "This looks like a name: AepListDatasetsOperator lists the ids of datasets."
_SANDBOX = re.compile(r"[a-z0-9][a-z0-9-]{0,255}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def is_id(value: object) -> bool:
    """Whether ``value`` can be the id of an entity."""
    # A template renders a lost XCom as "None" or "null".
    named = isinstance(value, str) and bool(_ID.fullmatch(value)) and bool(value.strip("."))
    return named and not is_nothing(value)


def looks_like_a_name(entity_id: str) -> bool:
    """Whether a text is probably a name and not one of Adobe's ids."""
    return not _UUID.fullmatch(entity_id)


def check_id(field: str, value: object) -> str:
    """``value`` if it can be the id of an entity: no slash, query or blank character.

    :raises AepValidationError: it cannot, so no request may be built from it.
    """
    if is_id(value):
        return str(value)
    rule = "must be an id: letters, digits, '-', '_' and '.' only, at most 128 characters"
    advice = ""
    if isinstance(value, str) and value.strip():
        advice = {"dataflow_id": NOT_A_NAME, "datasets": _NOT_A_DATASET_NAME}.get(field.partition("/")[0], "")
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


def check_sandbox(field: str, name: object) -> str:
    """``name`` if it can name a sandbox.

    :raises AepConfigError: it cannot.
    """
    if not isinstance(name, str) or not _SANDBOX.fullmatch(name):
        raise AepConfigError(f"{field} must be a sandbox name: lower-case letters, digits and hyphens")
    return name


def nearest(word: object, known: Collection[str]) -> str:
    """`` (did you mean 'x'?)`` for a misspelt word, in any letter case, or an empty text."""
    import difflib

    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(str(word)[:64].casefold(), folded, n=1)
    return f" (did you mean '{folded[close[0]]}'?)" if close else ""


def unknown(word: object, known: Collection[str], what: str = "known") -> str:
    """``is not known``, with the nearest known word, or all of them."""
    return f"is not {what}{nearest(word, known) or '; there are ' + ', '.join(known)}"


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
        else:
            problems.append(Problem(pointer, rule_words(error)))
    return sorted(set(problems))


def rule_words(error: Any) -> str:
    """What a broken rule requires, for people; never the value.

    :param error: one of ``broken_rules``, except ``required``.
    """
    rule, expected, value = error.validator, error.validator_value, error.instance
    if rule == "type":
        kinds = [expected] if isinstance(expected, str) else expected
        quotes = "string" in kinds and isinstance(value, int | float)
        names = " or ".join(_KINDS.get(kind, str(kind)) for kind in kinds)
        return f"must be {names}{': put it in quotes' if quotes else ''}"
    if rule == "enum":
        return f"must be one of {', '.join(map(str, expected))}{nearest(value, list(map(str, expected)))}"
    if rule == "pattern":
        return pattern_words(expected, value)
    if rule in ("minLength", "minItems") and expected == 1:
        return "must not be empty"
    if rule in _AMOUNTS:
        return f"must {_AMOUNTS[rule].format(expected)}"
    return f"breaks the rule {rule!r} of Adobe's live spec"


_KINDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "a dict",
    "array": "a list",
}
_AMOUNTS = {
    "minLength": "be at least {} characters long",
    "maxLength": "be at most {} characters long",
    "minItems": "have at least {} entries",
    "maxItems": "have at most {} entries",
    "minimum": "be at least {}",
    "maximum": "be at most {}",
    "const": "be {}",
}


def broken_rules(schema: Mapping[str, Any], document: object) -> Iterator[Any]:
    """The library's own errors, with guarded patterns. Their ``message`` quotes the value: never show it."""
    from jsonschema.exceptions import UnknownType

    try:
        yield from _validator()(schema).iter_errors(document)
    except UnknownType:
        # The spec is not a valid schema: the service judges. The error itself would quote the document.
        return


@cache
def _validator() -> Any:
    # Imported here: parsing a DAG file needs no schemas.
    from jsonschema import Draft7Validator, ValidationError, validators

    def pattern(_: Any, expected: str, value: object, __: Any) -> Iterator[ValidationError]:
        if not isinstance(value, str):
            return
        compiled = pattern_of(expected)
        if len(value) > LONGEST_LOCATION or (compiled and not compiled.search(value)):
            yield ValidationError("")

    depth = threading.local()

    def left_to_us(*_: Any) -> Iterator[ValidationError]:
        # These rules would run Adobe's patterns unguarded; misspelt keys are found by name.
        return iter(())

    def reference(validator: Any, target: object, *rest: Any) -> Iterator[Any]:
        # The library would fetch any other reference, from wherever it points.
        if not isinstance(target, str) or not target.startswith("#"):
            return
        depth.reached = getattr(depth, "reached", 0) + 1
        try:
            if depth.reached > DEEPEST_REFERENCE:  # otherwise the library fails in ways that cannot be caught
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
