"""The specs on the pages can be planned, the working ones work, and every block is of a kind that is known.

Python and JSON are in ``test_docs``, shell lines in ``test_docs_shell``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_aep.cli import main as aep_main
from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.exports.files import load_specs
from airflow_provider_aep.exports.spec import ExportSpec, parse_spec
from airflow_provider_aep.flowservice.destinations import DESTINATIONS
from airflow_provider_aep.hooks import AepHook
from airflow_provider_aep.hooks.declared import ensure_specs, plan_specs
from tests.unit.test_docs import CHECKOUT, PAGES, Block, blocks
from tests.unit.test_docs_shell import assignments, commands

KNOWN = {"python", "py", "json", "yaml", "sh", "bash", "text", "{eval-rst}", "{include}", "{toctree}"}
SITE_ONLY = {"index.md", "api.md", "changelog.md"}


def test_every_block_is_of_a_kind_that_some_test_looks_at() -> None:
    found = {(block.language, block.page.name) for name in _languages() for block in blocks(name)}
    assert {language for language, _ in found} <= KNOWN
    assert {page for language, page in found if language.startswith("{")} <= SITE_ONLY


def _languages() -> set[str]:
    return set(
        re.findall(r"^```(\w+|\{[\w-]+\})", "\n".join(page.read_text() for page in PAGES), re.MULTILINE)
    )


@pytest.mark.airflow3
@pytest.mark.parametrize("block", blocks("py"), ids=str)
def test_python_that_needs_airflow_3_runs_there(block: Block) -> None:
    if "AsyncCallback" in block.text and not hasattr(import_module("airflow.sdk"), "AsyncCallback"):
        pytest.skip("airflow.sdk has it from Airflow 3.2 on")
    exec(compile(block.text, str(block), "exec", dont_inherit=True), {"__name__": "a_page"})


# Specs


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections of the page on destinations, with the very words that it exports."""
    for block in blocks("sh"):
        if block.page.name == "destinations.md":
            for name, value in assignments(block.text).items():
                monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_CONN_LOYALTY_GCS", exported("AIRFLOW_CONN_CRM_GCS"))


def exported(name: str) -> str:
    (value,) = (found[name] for block in blocks("sh") if name in (found := assignments(block.text)))
    return value


@pytest.fixture
def specs_of(
    aep: Emulator, logins: None, make_dataflow: Callable[..., str], tmp_path: Path
) -> Callable[[Block], list[ExportSpec]]:
    """The specs of a block, with ids that exist in place of the page's."""

    def read(block: Block) -> list[ExportSpec]:
        text = block.text
        for name in ("adopt", "base_connection_id"):
            for id_ in re.findall(rf"^\s*{name}: (\S+)$", text, re.MULTILINE):
                text = text.replace(id_, existing[name](text))
        file = tmp_path / "spec.yaml"
        file.write_text(text)
        return [parse_spec(document) for document in load_specs(file)]

    def a_dataflow(_: str) -> str:
        return dataflow_id

    def a_base_connection(text: str) -> str:
        (slug,) = re.findall(r"^\s+type: (\w+)\n  base_connection_id", text, re.MULTILINE)
        for one in aep.entities("connections"):
            if one["connectionSpec"]["id"] == DESTINATIONS[slug].connection_spec_id:
                return str(one["id"])
        (made,) = ensure_specs([parse_spec(AT_REST[slug])], hook=AepHook())
        assert made.error is None
        return str(made.to_json()["base_connection_id"])

    existing = {"adopt": a_dataflow, "base_connection_id": a_base_connection}
    dataflow_id = make_dataflow("Orders to landing")
    return read


def _at_rest(slug: str, conn_id: str, **place: str) -> dict[str, Any]:
    return {
        "name": f"at-rest-{slug}",
        "datasets": [{"name": "CRM Profiles"}],
        "destination": {
            "type": slug,
            "credentials_conn_id": conn_id,
            "params": {**place, "path": "a", "datasetFileType": "JSON"},
        },
        "schedule": {"every": "1d", "end": "2099-01-01"},
    }


AT_REST = {
    "s3": _at_rest("s3", "crm_bucket", bucketName="acme-exports"),
    "azure_blob": _at_rest("azure_blob", "crm_blob", container="acme-exports"),
}


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_spec_on_a_page_can_be_planned(block: Block, specs_of: Callable[[Block], list[ExportSpec]]) -> None:
    outcomes = plan_specs(specs_of(block), hook=AepHook())
    assert outcomes
    assert [outcome.error for outcome in outcomes if outcome.error] == []


@pytest.mark.parametrize(
    "block",
    [block for block in blocks("yaml") if block.page.name in ("destinations.md", "start.md")],
    ids=str,
)
def test_a_working_spec_works_and_twice_is_once(
    block: Block, specs_of: Callable[[Block], list[ExportSpec]]
) -> None:
    specs = specs_of(block)
    for changed in (True, False):
        outcomes = ensure_specs(specs, hook=AepHook())
        assert [outcome.error for outcome in outcomes if outcome.error] == []
        assert {outcome.to_json()["changed"] for outcome in outcomes} == {changed}


def test_the_page_to_start_with_shows_what_is_printed(
    aep: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = [
        block for block in (*blocks("sh"), *blocks("yaml"), *blocks("text")) if block.page.name == "start.md"
    ]
    (document,) = (block.text for block in start if block.language == "yaml")
    (typed_there,) = (block.text for block in start if block.text.startswith("aep "))
    (shown,) = (block.text for block in start if "in sandbox prod" in block.text)
    monkeypatch.chdir(tmp_path)
    for words in commands(typed_there):
        Path(words[-1]).parent.mkdir(parents=True, exist_ok=True)
        Path(words[-1]).write_text(document)
        aep_main(words[1:])
    pattern = re.escape(shown).replace(re.escape("-..."), r"-[\w-]+")
    assert re.fullmatch(pattern, capsys.readouterr().out)


def test_there_is_a_working_spec_for_each_destination() -> None:
    page = (CHECKOUT / "docs" / "destinations.md").read_text()
    assert set(re.findall(r"^  type: (\w+)$", page, re.MULTILINE)) == set(DESTINATIONS)
