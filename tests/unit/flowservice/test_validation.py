from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_aep.errors import AepValidationError
from airflow_provider_aep.flowservice.connections import get_connection_spec
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.flowservice.patterns import (
    GCS_BUCKET_PATTERN,
    PATH_PATTERN,
    S3_BUCKET_PATTERN,
    SAFE_PATTERNS,
    pattern_of,
)
from airflow_provider_aep.flowservice.validation import check_id, check_name, nearest, schema_problems

# Longer than any judgement may take on a busy machine; an exponential one takes years.
HARD_LIMIT_SECONDS = 30

JUDGE_EVERYTHING = """
from airflow_provider_aep.emulator.specs import connection_specs
from airflow_provider_aep.flowservice.validation import schema_problems

UNITS = ("a", "-", "a-", "1.", "a.", "aaa.", "/", "g0o", "*'",
         "%SEGMENT_ID%", "%SEGMENT_ID%/", "%SEGMENT_NAME%//")
ENDS = ("", " ", "%", "_", "!", ".")
HOSTILE = [(unit * (size // len(unit) + 1))[: size - 1] + end
           for unit in UNITS for end in ENDS for size in (63, 64, 222, 286, 1024, 10_000)]
judged = 0
for spec in connection_specs().values():
    for schema in [spec.get("targetSpec", {}), *spec["authSpec"]]:
        for name, rule in schema.get("spec", {}).get("properties", {}).items():
            for value in HOSTILE if "pattern" in rule else ():
                schema_problems({"properties": {name: rule}}, {name: value})
                judged += 1
print(judged)
"""


def test_no_text_keeps_a_check_busy():
    """Every field with a pattern, of every destination, on texts made to blow up a backtracking matcher."""
    done = subprocess.run(
        [sys.executable, "-c", JUDGE_EVERYTHING],
        capture_output=True,
        text=True,
        timeout=HARD_LIMIT_SECONDS,
        check=True,
    )
    # 8 patterns: two keys of S3, and the places of S3, Blob and GCS
    assert int(done.stdout) == 8 * 12 * 6 * 6


PIECES = (
    "%SEGMENT_ID%",
    "%SEGMENT_NAME%",
    "%",
    "SEGMENT_ID",
    "/",
    "//",
    "a",
    "Z9",
    "-_.*'()!",
    " ",
    "é",
    "&",
)


@settings(derandomize=True, database=None, max_examples=2000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_the_linear_path_pattern_accepts_exactly_what_adobes_own_does(text):
    assert bool(pattern_of(PATH_PATTERN).search(text)) == bool(re.search(PATH_PATTERN, text))


@settings(derandomize=True, database=None, max_examples=500, deadline=None)
@given(st.text(alphabet="%SEGMNTIDA_/a.!'( *", max_size=24))
def test_it_does_so_letter_by_letter_too(text):
    assert bool(pattern_of(PATH_PATTERN).search(text)) == bool(re.search(PATH_PATTERN, text))


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (PATH_PATTERN, ["", "a/b", "%SEGMENT_ID%/x"[:13], "it's*(1)!"], ["a b", "%DATASET_ID%", "a%"]),
        (S3_BUCKET_PATTERN, ["abc", "a-b.c", "x" * 63], ["ab", "Abc", "a_b", "1.2.3.4", "-ab", "x" * 64]),
        (GCS_BUCKET_PATTERN, ["a_b-c", "a.b.c"], ["goog-x", "my-google", "g00gle-x", "-ab", "1.2.3.4"]),
    ],
    ids=["path", "s3 bucket", "gcs bucket"],
)
def test_adobes_patterns_say_what_they_should(pattern, good, bad):
    assert [text for text in good if not pattern_of(pattern).search(text)] == []
    assert [text for text in bad if pattern_of(pattern).search(text)] == []


@pytest.mark.parametrize("slug", DESTINATIONS)
def test_every_pattern_that_the_service_serves_is_one_that_we_can_judge(run, slug):
    spec = run(get_connection_spec(DESTINATIONS[slug]))
    schemas = [spec["targetSpec"], *spec["authSpec"]]
    patterns = [
        rule["pattern"]
        for schema in schemas
        for rule in schema["spec"]["properties"].values()
        if "pattern" in rule
    ]
    assert [pattern for pattern in patterns if pattern_of(pattern) is None] == []


def test_the_patterns_that_need_help_are_the_ones_that_are_served(run):
    served = {
        rule.get("pattern")
        for destination in DESTINATIONS.values()
        for rule in run(get_connection_spec(destination))["targetSpec"]["spec"]["properties"].values()
    }
    assert set(SAFE_PATTERNS) <= served


@pytest.mark.parametrize(
    "pattern",
    [
        *(r"^(a+)+$", r"^(a*b?)*$", r"(x{1,9}y?){2,}", r"^(?=(a+)+b)", r"((a+|b)c)*"),  # nested repeats
        *(r"^(a|aa)+$", r"(ab|a|b)*c"),  # a choice inside a repeat
        *(r"^\s*\w*\d*\w*\d*$", r"a+b+", r"^a?a?a?a?$"),  # too many ways to share a text out
        *(r"^(a?){30}!$", r"(a|a){40}b", r"^(a{0,5}){10}b"),  # the same, so many times
        r"^" + "(a|a)" * 40 + "b$",
    ],
)
def test_a_pattern_whose_time_could_explode_is_left_to_the_service(pattern):
    assert pattern_of(pattern) is None
    assert schema_problems({"properties": {"x": {"pattern": pattern}}}, {"x": "!" * 40}) == []


def test_a_spec_that_is_no_schema_any_more_is_left_to_the_service_without_quoting_the_login():
    assert schema_problems({"properties": {"key": {"type": "strnig"}}}, {"key": "s3cret"}) == []


def test_the_other_places_of_a_schema_that_hold_patterns_are_not_asked():
    schema = {"patternProperties": {"^(a+)+$": {"type": "integer"}}, "additionalProperties": False}
    assert schema_problems(schema, {"a" * 60 + "!": "x"}) == []


@pytest.mark.parametrize("pattern", [r"^\p{L}+$", r"(?<name>x)", "(" * 5000, "[", "a{99999999999}"])
def test_a_pattern_that_python_cannot_read_is_left_to_the_service(pattern):
    assert pattern_of(pattern) is None
    assert schema_problems({"properties": {"x": {"pattern": pattern}}}, {"x": "y"}) == []


@pytest.mark.parametrize("pattern", [r"^a+b+$", r"^(ab)+$", r"^(a+)?$", r"^[a-z]{3,9}(-[a-z]+)?$"])
def test_a_harmless_pattern_is_judged_even_if_we_have_not_met_it(pattern):
    assert schema_problems({"properties": {"x": {"pattern": pattern}}}, {"x": "!"}) != []


def test_even_an_unjudged_pattern_refuses_a_text_that_no_storage_allows():
    (problem,) = schema_problems({"properties": {"x": {"pattern": "(a+)+"}}}, {"x": "a" * 1025})
    assert str(problem) == "/x must be at most 1024 characters long"


@pytest.mark.parametrize(
    ("schema", "document", "told"),
    [
        ({"required": ["a", "b"]}, {}, ["/a is missing", "/b is missing"]),
        ({"properties": {"a": {"enum": [1, 2]}}}, {"a": "n0t"}, ["/a must be one of 1, 2"]),
        ({"properties": {"a": {"type": "integer"}}}, {"a": "n0t"}, ["/a must be a whole number"]),
        (
            {"properties": {"a": {"pattern": "^x$"}}},
            {"a": "n0t"},
            ["/a must match the pattern of Adobe's live spec, ^x$"],
        ),
        ({"properties": {"a": {"maxLength": 2}}}, {"a": "n0t"}, ["/a must be at most 2 characters long"]),
        (
            {"properties": {"a": {"required": ["b"]}}},
            {"a": {"n0t": 1}},
            ["/a/b is missing"],
        ),
        ({}, {"a": "n0t\r\nX-Evil: 1"}, ["/a must not contain line breaks or control characters"]),
        ({"properties": {"a": {"pattern": "^x$"}}}, {"a": 7}, []),
    ],
)
def test_a_broken_rule_is_told_by_pointer_and_expectation_never_by_value(schema, document, told):
    problems = schema_problems(schema, document)
    assert [str(problem) for problem in problems] == told
    assert "n0t" not in str(problems)


BAD_IDS = [
    "a/b",
    "..",
    "...",
    "../connections/1",
    "a?op=enable",
    "a&limit=1",
    "a#b",
    "a b",
    " a",
    "a\n",
    "a\x00",
    "a%2Fb",
    "ä",
    "a" * 129,
    "a" * 10_000,
    7,
    ["a"],
]


@pytest.mark.parametrize("value", BAD_IDS, ids=lambda value: repr(value)[:12])
def test_what_cannot_be_an_id_is_refused_without_quoting_it(value):
    with pytest.raises(AepValidationError) as caught:
        check_id("dataflow_id", value)
    assert "dataflow_id must be an id" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", ["", None])
def test_a_missing_id_is_told_as_missing(value):
    with pytest.raises(AepValidationError, match="dataflow_id is missing"):
        check_id("dataflow_id", value)


@pytest.mark.parametrize(
    "value", ["3f1c7f8e-0b7d-4a55-8a5e-1d1f2a3b4c5d", "5ef3e3259ad2a1191ab7dd7d", "a.b_c"]
)
def test_an_id_passes_unchanged(value):
    assert check_id("dataflow_id", value) == value


@pytest.mark.parametrize("value", ["", "   ", None])
def test_a_missing_name_is_told_as_missing(value):
    with pytest.raises(AepValidationError, match="name is missing"):
        check_name(value)


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\x00", "tab\there", "a\x7f", "x" * 256, "x" * 10_000])
def test_a_name_that_would_break_a_listing_is_refused(value):
    with pytest.raises(AepValidationError, match="at most 255 characters") as caught:
        check_name(value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", ["crm nightly", "Müller, Söhne", "50% & more?", "x" * 255])
def test_a_name_passes_unchanged(value):
    assert check_name(value) == value


def test_a_misspelt_word_is_answered_with_the_nearest_known_one():
    assert nearest("buketName", ["bucketName", "path"]) == " (did you mean 'bucketName'?)"
    assert nearest("zzz", ["bucketName", "path"]) == ""
    assert nearest("p" * 10_000, ["path"]) == ""


def test_a_name_may_be_rendered_to_a_number():
    assert check_name(2024) == "2024"


@pytest.mark.parametrize("value", [["x"], 1.5, True, b"x"])
def test_a_name_must_be_a_text(value):
    with pytest.raises(AepValidationError, match="name must be a text"):
        check_name(value)
