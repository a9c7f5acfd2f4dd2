"""One table of Adobe's codes, from which errors, alerts and the documentation speak."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from airflow_provider_aep.flowservice.codes import CODES, PERMISSIONS, explain
from airflow_provider_aep.flowservice.exchange import Request, Response
from airflow_provider_aep.flowservice.failures import failure_of

DOCS = Path(__file__).parents[3] / "docs" / "errors.md"


def hint_of(code: str, *, status: int) -> str | None:
    refusal = Response(status, body=json.dumps({"error_code": code, "message": "no"}).encode())
    error = failure_of(Request("GET", "/flows"), refusal, secrets=(), now=0.0)
    assert error is not None
    return error.hint


@pytest.mark.parametrize("code", CODES)
def test_an_error_says_to_do_what_an_alert_says(code):
    assert hint_of(code, status=400) == explain(code).advice


def test_a_code_is_found_by_its_number():
    assert explain("FLOW-1439-404") is explain("FLOW-1439-400") is explain("1439")


def test_a_code_that_nobody_knows_gives_a_hint_only_where_the_status_does():
    assert hint_of("123456", status=400) is None
    assert hint_of("123456", status=403) == PERMISSIONS


def test_the_documentation_names_each_code_of_a_request():
    table = DOCS.read_text().split("## Adobe's codes")[1]
    named = {word for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for word in row.split(", ")}
    of_runs = {code for code in CODES if code.count("-") == 2}
    assert CODES.keys() - of_runs - {word.strip("`") for word in named} == set()
