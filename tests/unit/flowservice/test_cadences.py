"""Cadences: words, what a dataflow has, and what a flow spec says about one."""

from __future__ import annotations

import urllib.request

import pytest
import requests

from airflow_provider_aep.flowservice.cadences import (
    CADENCES,
    allowed,
    allowed_cadences,
    is_cadence,
    is_same,
    members_of,
    word_of,
)

INCREMENTAL, FULL = "FIRST_FULL_THEN_INCREMENTAL", "DAILY_FULL_EXPORT"


def wire(unit, interval, mode=INCREMENTAL):
    return {"timeUnit": unit, "interval": interval, "exportMode": mode}


@pytest.mark.parametrize(
    ("every", "unit", "interval"),
    [("1h", "hour", 1), ("2h", "hour", 2), ("8h", "hour", 8), ("48h", "hour", 48), ("2d", "day", 2)],
)
def test_any_whole_number_of_hours_or_days_is_a_cadence(every, unit, interval):
    assert is_cadence(every)
    assert members_of(every) == wire(unit, interval)


def test_twenty_four_hours_are_sent_as_the_day_that_adobe_documents():
    assert members_of("24h") == members_of("1d") == wire("day", 1)


@pytest.mark.parametrize(
    "every",
    ["0h", "1.5h", "-3h", "1w", "every hour", f"{10**9}h", True, "8785h", "367d", "03h", "3H", "٣h", "3h\n"],
)
def test_anything_else_is_none(every):
    assert not is_cadence(every)


@pytest.mark.parametrize(
    ("unit", "interval", "word"),
    [
        ("hour", 1, "1h"),
        ("hour", "8", "8h"),
        ("hour", 8.0, "8h"),
        ("hour", 24, "1d"),
        ("day", 7, "7d"),
        ("day", 0, "once"),
        ("week", 1, "7d"),
        ("HOUR", 3, "3h"),
        ("minute", 15, None),
        ("hour", 1.5, None),
        ("hour", True, None),
        ("hour", None, None),
        ("hour", "9" * 5000, None),
        ("hour", -3, None),
        (["hour"], 3, None),
        ("day", 367, None),
    ],
)
def test_what_a_dataflow_has_is_told_in_a_word_where_it_can_be_read(unit, interval, word):
    assert word_of(wire(unit, interval)) == word


@pytest.mark.parametrize(
    ("there", "every", "same"),
    [
        (wire("hour", 24), "1d", True),
        (wire("hour", "24"), "24h", True),
        (wire("day", 1), "24h", True),
        (wire("day", 2), "48h", True),
        (wire("day", 1, None), "1d", True),
        (wire("day", 1, FULL), "1d", False),
        (wire("hour", 3), "1h", False),
        (wire("week", 1), "7d", True),
    ],
)
def test_the_same_step_in_the_same_mode_is_the_same_cadence(there, every, same):
    assert is_same(there, every) is same


# What a flow spec says


def flow_spec(properties, **more):
    return {"scheduleSpec": {"spec": {"type": "object", "properties": properties, **more}}}


LISTED = flow_spec(
    {"timeUnit": {"enum": ["hour", "day"]}, "interval": {"type": "integer", "enum": [0, 1, 3, 8]}}
)
RANGE = flow_spec({"interval": {"type": "integer", "minimum": 1, "maximum": 12}})
BRANCHES = {
    "scheduleSpec": {
        "spec": {
            "oneOf": [
                {"properties": {"timeUnit": {"const": "hour"}, "interval": {"enum": [1, 3, 8]}}},
                {"properties": {"timeUnit": {"const": "day"}, "interval": {"const": 1}}},
            ],
            "required": ["timeUnit", "interval", "startTime"],
        }
    }
}
OF_SOURCES = flow_spec({"frequency": {"enum": ["hour"]}, "interval": {"enum": ["1", "3", "8"]}})
POINTING = {
    "scheduleSpec": {
        "spec": {
            "properties": {"interval": {"$ref": "#/definitions/interval"}},
            "definitions": {"interval": {"enum": [1, 3, 8]}},
        }
    }
}


@pytest.mark.parametrize("spec", [LISTED, RANGE, BRANCHES, OF_SOURCES, POINTING])
def test_a_flow_spec_that_names_cadences_says_yes_or_no(spec):
    assert allowed(spec, "8h") == "yes"
    assert allowed(spec, "15h") == "no"


def test_in_branches_a_unit_counts_too():
    assert (allowed(BRANCHES, "3h"), allowed(BRANCHES, "3d")) == ("yes", "no")


def test_the_cadences_that_a_flow_spec_allows_are_told_as_words():
    assert allowed_cadences(BRANCHES) == ["1h", "3h", "8h", "1d"]
    assert allowed_cadences({}) == []


LAUGHING = {"properties": {"interval": {"$ref": "#"}}, "allOf": [{"$ref": "#"}]}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"scheduleSpec": None},
        {"scheduleSpec": []},
        {"scheduleSpec": {"spec": "Periodic"}},
        {"scheduleSpec": {"spec": {}}},
        flow_spec({"interval": {"type": "integer"}}),
        flow_spec({"interval": {"type": "integer", "minimum": 1}}),
        flow_spec({"interval": {"enum": 3}}),
        flow_spec({"interval": {"multipleOf": 0}}),
        flow_spec({"interval": {"type": "number of hours"}}),
        flow_spec({"timeUnit": {"enum": ["HOURS"]}}),
        flow_spec([]),
        flow_spec({"interval": {"$ref": "#/definitions/none"}}),
        {"scheduleSpec": {"spec": LAUGHING}},
        flow_spec({"backfill": {"type": "boolean"}}, required=["backfill"]),
    ],
)
def test_one_that_says_nothing_or_cannot_be_read_is_no_answer(spec):
    assert allowed(spec, "8h") == "not told"


def test_a_schema_that_refers_to_another_document_is_not_followed(monkeypatch):
    fetched = []
    monkeypatch.setattr(urllib.request, "urlopen", lambda request, *_, **__: fetched.append(request))
    monkeypatch.setattr(requests, "get", lambda address, *_, **__: fetched.append(address))
    elsewhere = {"$ref": "https://elsewhere.example/interval.json"}
    assert allowed(flow_spec({"interval": elsewhere}), "8h") == "not told"
    assert fetched == []


@pytest.mark.parametrize("every", CADENCES)
def test_the_documented_cadences_are_cadences(every):
    assert is_cadence(every)
    assert word_of(members_of(every)) == every


def test_references_that_branch_and_branch_take_no_time():
    definitions = {
        f"d{at}": {"anyOf": [{"$ref": f"#/definitions/d{at + 1}"}] * 2, "required": ["x"]} for at in range(20)
    }
    schema = {"$ref": "#/definitions/d0", "definitions": {**definitions, "d20": {"type": "string"}}}
    assert allowed({"scheduleSpec": {"spec": schema}}, "2h") == "not told"
