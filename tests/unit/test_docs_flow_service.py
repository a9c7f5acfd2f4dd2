"""The notes on the Flow Service say where each rule is from and what each assumption may lead to."""

from __future__ import annotations

import json
import re

import pytest

from tests.unit.test_docs import CHECKOUT

NOTES = (CHECKOUT / "docs" / "flow-service-notes.md").read_text()
RENEWING = (CHECKOUT / "docs" / "renewing.md").read_text()
OPENAPI = CHECKOUT / "tests" / "emulator" / "openapi" / "destinations.json"
MARKS = re.compile("cannot hurt: |checked, (falls back|ends loudly|falls back, then ends loudly): ")
DAY = re.compile(r"20\d\d-\d\d-\d\d")


def rows(heading: str) -> list[list[str]]:
    """The rows of the tables below a heading, without their heads."""
    _, _, section = NOTES.partition(f"\n## {heading}\n")
    lines = re.findall(r"^\| (.*) \|$", re.split(r"\n## ", section)[0], re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return [each for each in cells if each[0] not in ("#", "question", "name")]


ASSUMED, YEAR = rows("What is assumed"), rows("The year 2026")


def test_there_are_assumptions_and_rules_of_the_year() -> None:
    assert len(ASSUMED) > 50
    assert len(YEAR) >= 16


@pytest.mark.parametrize("row", ASSUMED, ids=lambda row: row[0])
def test_every_assumption_says_what_happens_where_it_is_not_so(row: list[str]) -> None:
    _, taken, otherwise = row
    assert taken
    assert MARKS.match(otherwise)


@pytest.mark.parametrize("row", YEAR, ids=lambda row: row[0])
def test_every_rule_of_the_year_has_a_source_and_a_day(row: list[str]) -> None:
    _, since, _, source, read, ours = row
    assert since
    assert source
    assert ours
    assert DAY.fullmatch(read)


def test_the_rows_are_numbered_through() -> None:
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", NOTES, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_row_that_another_names_exists() -> None:
    last = max(int(number) for number in re.findall(r"^\| (\d+) \|", NOTES, re.MULTILINE))
    named = [int(number) for number in re.findall(r"\((?:row )?(\d{1,2})\)", NOTES)]
    assert named
    assert max(named) <= last


def test_the_page_on_renewing_names_the_documents_that_the_openapi_is_from() -> None:
    source = json.loads(OPENAPI.read_text())["source"]
    assert source["repository"] in RENEWING
    for path in source["documents"]:
        folder, _, name = path.rpartition("/")
        assert folder in RENEWING
        assert f"`{name}`" in RENEWING
    assert DAY.fullmatch(source["read"])
