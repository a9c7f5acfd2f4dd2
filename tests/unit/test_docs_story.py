"""The examples of all pages can be tried on one emulator, one after another: their names tell one story."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.exports.files import load_specs
from airflow_provider_aep.exports.spec import ExportSpec, parse_spec
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.hooks.declared import ensure_specs
from tests.unit.test_docs import CHECKOUT, PAGES, Block, blocks
from tests.unit.test_docs_blocks import logins, specs_of

__all__ = ["logins", "specs_of"]

# Its spec is the reader's own, made by `aep import`.
IMPORTED = "adopting.md"


def specs_in_python(block: Block) -> Iterator[ExportSpec]:
    """The specs that stand as dicts in a block, with every parameter rendered."""
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if {"name", "datasets", "destination", "schedule"} <= keys:
                rendered = ast.unparse(node).replace("{{ params.dataset }}", "CRM Profiles")
                yield parse_spec(ast.literal_eval(re.sub(r"\{\{.*?\}\}", "x", rendered)))


def test_the_examples_of_all_pages_live_on_one_emulator(
    aep: Emulator, specs_of: Callable[[Block], list[ExportSpec]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for example, page in {"AEP_S3": "CRM_BUCKET", "AEP_SFTP": "WAREHOUSE_SFTP"}.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{example}", os.environ[f"AIRFLOW_CONN_{page}"])
    told: dict[str, list[ExportSpec]] = {}
    for block in blocks("yaml"):
        if block.page.name != IMPORTED:
            told[str(block)] = specs_of(block)
    for block in blocks("python"):
        told[str(block)] = list(specs_in_python(block))
    for file in sorted((CHECKOUT / "dags_examples" / "exports").glob("*.yaml")):
        told[file.name] = [parse_spec(document) for document in load_specs(file)]
    assert len([spec for specs in told.values() for spec in specs]) > 15
    for place, specs in told.items():
        for outcome in ensure_specs(specs, hook=AepHook()):
            assert outcome.error is None, (place, str(outcome.error))
            assert not outcome.to_json()["deleted"], place


def names_of_steps() -> set[str]:
    """The names under which pages make dataflows step by step."""
    found = set[str]()
    for block in blocks("python"):
        for node in ast.walk(ast.parse(block.text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "AepCreateDataflowOperator":
                found |= {str(each.value.value) for each in node.keywords if each.arg == "name"}  # type: ignore[attr-defined]
    return found


def test_no_page_makes_by_steps_what_another_declares() -> None:
    declared: set[Any] = {spec.name for block in blocks("python") for spec in specs_in_python(block)}
    for block in blocks("yaml"):
        declared |= set(re.findall(r"^(?:  - )?name: (\S+)$", block.text, re.MULTILINE))
    assert names_of_steps()
    assert names_of_steps() & declared == set()


def test_every_page_says_that_a_name_has_one_owner() -> None:
    said = "\n".join(page.read_text() for page in PAGES)
    assert "two teams may use one name" not in said
    assert "the same owner may not use a name twice" not in said
