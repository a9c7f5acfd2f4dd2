"""The pages are true as far as a machine can tell: their code runs, their links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_aep.cli.table import COMMANDS, Command
from airflow_provider_aep.emulator.__main__ import _parser
from airflow_provider_aep.emulator.control import LEVERS
from airflow_provider_aep.emulator.faults import SAYS
from airflow_provider_aep.emulator.run_documents import KINDS
from airflow_provider_aep.monitoring.verdict import Verdict
from airflow_provider_aep.notifications import AepRunNotifier
from airflow_provider_aep.provider_info import get_provider_info
from airflow_provider_aep.sensors import AepDataflowRunSensor, AepDatasetIngestedSensor

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2.11
    from airflow.models.dagbag import DagBag

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = [
    *(CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((CHECKOUT / "docs").glob("*.md")),
]

# The language may also be a directive of the site, in braces and with an argument: ```{include} README.md
FENCE = re.compile(r"^```(\w*|\{[\w-]+\})(?: [^\n]*)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
URL = re.compile(r"https?://[^\s`'\")>|]+")

# Who a page may name: Adobe, this machine, the storages in examples, the repository, and sources of what a
# page says of others. No package registry is among them.
HOSTS = {
    *("platform.adobe.io", "ims-na1.adobelogin.com", "experience.adobe.com", "127.0.0.1"),
    *("semver.org", "acme.dfs.core.windows.net", "github.com", "airflow.apache.org"),
    *("docs.aws.amazon.com", "aws.amazon.com", "cloud.google.com", "www.astronomer.io"),
}
# Modules whose public classes a user meets.
FACE = (
    *("assets", "errors", "hooks", "hooks.storage", "notifications", "operators.links", "retry_policy"),
    *("sensors", "task_groups", "triggers"),
)
OPERATORS = (
    "operators.base",
    "operators.connections",
    "operators.dataflows",
    "operators.datasets",
    "operators.exports",
    "operators.monitoring",
)
SUFFIXES = ("Operator", "Sensor", "Notifier", "Hook", "Trigger", "Link", "Error", "TaskGroup")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(CHECKOUT)}:{self.line}"


def blocks(language: str) -> list[Block]:
    return [block for page in PAGES for block in _blocks(page) if block.language == language]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for fence in FENCE.finditer(text):
        yield Block(page, text.count("\n", 0, fence.start()) + 2, fence[1], textwrap.dedent(fence[2]))


def without_code(page: Path) -> str:
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def is_of(module: str, found: object) -> bool:
    """Whether a module, or one in it, defines something, or says that it exports it."""
    if getattr(found, "__name__", None) in getattr(importlib.import_module(module), "__all__", ()):
        return True
    return f"{getattr(found, '__module__', None)}.".startswith(f"{module}.")


def public_classes() -> dict[str, type]:
    modules = [importlib.import_module(f"airflow_provider_aep.{name}") for name in (*FACE, *OPERATORS)]
    return {
        name: found
        for module in modules
        for name, found in vars(module).items()
        if isinstance(found, type)
        and is_of(module.__name__, found)
        and name.startswith("Aep")
        and name.endswith(SUFFIXES)
    }


def run(block: Block) -> dict[str, object]:
    """Run a block as a DAG file does, or as a part of one: our classes are imported, and a DAG is open."""
    names: dict[str, object] = {"__name__": "a_page", **public_classes()}
    code = compile(ast.parse(block.text, str(block)), str(block), "exec", dont_inherit=True)
    if "with DAG(" in block.text:
        exec(code, names)
        return names
    with DAG("a_page", schedule=None):
        exec(code, names)
    return names


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_on_a_page_runs(block: Block) -> None:
    run(block)


@pytest.mark.parametrize("block", [each for each in blocks("python") if "with DAG(" in each.text], ids=str)
def test_airflow_imports_a_dag_from_a_page(block: Block, tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(block.text)
    bag = DagBag(dag_folder=str(tmp_path))
    assert bag.import_errors == {}
    (dag,) = bag.dags.values()
    assert any(task.upstream_task_ids for task in dag.tasks)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_on_a_page_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page: Path) -> None:
    assert [str(block) for block in _blocks(page) if not block.language] == []
    assert page.read_text().count("```") == 2 * len(list(_blocks(page)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(without_code(page)):
        if urlsplit(link).scheme:  # of others only the form: no test asks the network
            assert urlsplit(link).scheme == "https", link
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_strange_host(page: Path) -> None:
    hosts = {urlsplit(url).hostname or "" for url in URL.findall(page.read_text())}
    assert {host for host in hosts if host.strip(".") and "<" not in host} <= HOSTS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_machine_path(page: Path) -> None:
    assert not re.search(r"(?<![\w.<>{}-])/(work|tmp|home|root|Users)/", page.read_text())


@pytest.mark.parametrize("name", sorted(public_classes()))
def test_every_public_class_is_on_a_page(name: str) -> None:
    assert any(re.search(rf"\b{name}\b", page.read_text()) for page in PAGES)


@pytest.mark.parametrize("name", sorted(name for name in public_classes() if name.endswith("Error")))
def test_every_error_is_explained(name: str) -> None:
    assert f"| `{name}` |" in (CHECKOUT / "docs" / "errors.md").read_text() or name == "AepError"


def test_every_connection_field_is_explained() -> None:
    page = (CHECKOUT / "docs" / "connection.md").read_text()
    (connection,) = get_provider_info()["connection-types"]
    for field, form in connection["conn-fields"].items():
        assert f"| `extra.{field}` | {form['label']} |" in page
    for field, label in connection["ui-field-behaviour"]["relabeling"].items():
        assert f"| `{field}` | {label} |" in page


def test_every_operator_argument_is_explained() -> None:
    page = (CHECKOUT / "docs" / "operators.md").read_text()
    for name, found in public_classes().items():
        if name.endswith("Operator"):
            for field in found.template_fields:  # type: ignore[attr-defined]
                assert f"`{field}`" in page, f"{name}.{field}"


def arguments(found: type) -> set[str]:
    return set(inspect.signature(found.__init__).parameters) - {"self", "kwargs"}  # type: ignore[misc]


def words(page: str) -> set[str]:
    """What a page of docs/ sets in code type."""
    return set(CODE.findall(FENCE.sub("", (CHECKOUT / "docs" / page).read_text())))


@pytest.mark.parametrize("found", [AepDataflowRunSensor, AepRunNotifier], ids=lambda found: found.__name__)
def test_every_argument_of_sensor_and_notifier_is_explained(found: type) -> None:
    assert arguments(found) - words("sensor.md") == set()


def test_every_argument_of_the_sensor_for_ingestion_is_explained() -> None:
    assert arguments(AepDatasetIngestedSensor) - words("after-ingestion.md") == set()


def test_every_field_of_a_verdict_is_explained() -> None:
    assert {field.name for field in fields(Verdict)} - words("sensor.md") == set()


def test_every_option_of_the_emulator_is_explained_with_its_default() -> None:
    page = (CHECKOUT / "docs" / "emulator.md").read_text()
    for option in _parser()._actions:
        name, default = option.option_strings[-1], option.default
        # A default that is worked out later is told in words.
        told = "" if default is None else "off" if default is False else f"{default}".removesuffix(".0")
        assert name == "--help" or re.search(rf"^\| `{name}` \| `?{told}", page, re.MULTILINE), name


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_option_of_a_command_is_explained_in_its_section(command: Command) -> None:
    page = (CHECKOUT / "docs" / "cli.md").read_text()
    common, _, _ = page.partition("\n## validate\n")
    _, _, section = page.partition(f"\n## {command.name}\n")
    section = section.partition("\n## ")[0]
    assert re.search(rf"^(\$|`)\s?aep {command.name}\b", section, re.MULTILINE)
    for option in command.options:
        (flag,) = option.flags
        if flag.startswith("--"):
            assert re.search(rf"^\| `{flag}` \|", section + common, re.MULTILINE), flag
        else:
            assert f"{option.settings['metavar']}".partition("_OR_")[0] in section, flag


def test_every_lever_fault_and_kind_of_run_is_explained() -> None:
    assert {*map(" ".join, LEVERS), *SAYS, *KINDS} - words("emulator.md") == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_make_targets_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)) - targets == set()
    tops = (CHECKOUT, CHECKOUT / "airflow_provider_aep")
    folders = "|".join(each.name for top in tops for each in top.iterdir() if each.is_dir())
    for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", text):
        assert any((top / name).exists() for top in tops), name
