"""Whatever the package offers has a place on a page. A name that nobody has written about is not finished."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_aep import emulator
from airflow_provider_aep.cli.table import COMMANDS
from airflow_provider_aep.exports import spec
from airflow_provider_aep.hooks import metrics
from airflow_provider_aep.provider_info import get_provider_info
from tests.unit.test_docs import CHECKOUT, FACE, OPERATORS, PAGES, is_of

PACKAGE = "airflow_provider_aep"
INFO: dict[str, Any] = get_provider_info()
# Beside what Airflow is told of: what the pages say to import.
OFFERED = {
    f"{PACKAGE}.errors": {"Problem"},
    f"{PACKAGE}.assets": {"export_asset", "asset_uri"},
    f"{PACKAGE}.retry_policy": {"AEP_RETRY_POLICY"},
    f"{PACKAGE}.exports.files": {"load_specs"},
    f"{PACKAGE}.exports.spec": set(spec.__all__),
    f"{PACKAGE}.emulator": set(emulator.__all__),
    f"{PACKAGE}.emulator.readback": {"read_exports", "count_rows"},
    f"{PACKAGE}.emulator.server": {"serve", "airflow_connection"},
}
# Modules all of whose functions are calls that the hook runs, by how such a call begins.
CALLS = ("datasets", "connections", "dataflows", "runs", "adhoc")
CALL = re.compile(r"(list|get|find|create|read|set|update|delete|run)_")


def public_names() -> dict[str, set[str]]:
    """Each module with the names in it that somebody may import."""
    listed = {
        module
        for kind in ("hooks", "operators", "sensors", "triggers")
        for entry in INFO[kind]
        for module in entry["python-modules"]
    }
    names = {module: set(defined_in(module)) for module in listed}
    for module in {f"{PACKAGE}.{name}" for name in (*FACE, *OPERATORS)} - listed:
        names[module] = {each for each in defined_in(module) if each.startswith("Aep")}
    for name in CALLS:
        module = f"{PACKAGE}.flowservice.{name}"
        names[module] = {each for each in defined_in(module) if CALL.match(each)}
    names[f"{PACKAGE}.emulator.pytest_plugin"] = set(defined_in(f"{PACKAGE}.emulator.pytest_plugin"))
    for module, offered in OFFERED.items():
        names.setdefault(module, set()).update(offered)
    for path in paths(INFO):
        module, _, name = path.rpartition(".")
        names.setdefault(module, set()).add(name)
    return names


def defined_in(module: str) -> Iterator[str]:
    """Classes, functions and fixtures of a module, or of those in it."""
    for name, found in vars(importlib.import_module(module)).items():
        if is_of(module, found) and callable(found) and not name.startswith("_"):
            yield name


def paths(info: Any) -> Iterator[str]:
    """The dotted paths to functions and classes in the provider's metadata."""
    if isinstance(info, dict):
        for value in info.values():
            yield from paths(value)
    elif isinstance(info, list):
        for value in info:
            yield from paths(value)
    elif isinstance(info, str) and re.fullmatch(rf"{PACKAGE}(\.\w+)+", info):
        last = info.rpartition(".")[2]
        if hasattr(importlib.import_module(info.rpartition(".")[0]), last) and not is_module(info):
            yield info


def is_module(path: str) -> bool:
    try:
        importlib.import_module(path)
    except ImportError:
        return False
    return True


TEXT = "\n".join(page.read_text() for page in PAGES)
PUBLIC = sorted(f"{module}.{name}" for module, names in public_names().items() for name in names)


def on_a_page(name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", TEXT) is not None


@pytest.mark.parametrize("path", PUBLIC)
def test_every_public_name_is_on_a_page(path: str) -> None:
    assert on_a_page(path.rpartition(".")[2])


def test_the_reference_names_what_exists() -> None:
    page = (CHECKOUT / "docs" / "api.md").read_text()
    paths = re.findall(r"^\.\. auto(?:class|exception|function|data):: (\S+)$", page, re.MULTILINE)
    assert len(paths) == len(set(paths))
    for path in paths:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name), path


def test_a_module_exports_what_the_reference_names_and_all_others_are_private() -> None:
    named: dict[str, set[str]] = {"cli": {"main"}}  # the program `aep`, which nobody imports
    page = (CHECKOUT / "docs" / "api.md").read_text()
    for module, name in re.findall(rf":: {PACKAGE}\.([\w.]+)\.(\w+)$", page, re.MULTILINE):
        named.setdefault(module, set()).add(name)
    exported = {}
    for file in (CHECKOUT / PACKAGE).rglob("*.py"):
        module = file.relative_to(CHECKOUT / PACKAGE).with_suffix("").as_posix().removesuffix("/__init__")
        tree = ast.parse(file.read_text())
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                exported[module.replace("/", ".")] = set(ast.literal_eval(node.value))
    assert exported == named


def test_the_reference_holds_every_operator_sensor_trigger_and_error() -> None:
    page = (CHECKOUT / "docs" / "api.md").read_text()
    bases = {"AepOperator", "AepDataflowOperator", "AepSetDataflowStateOperator", "AepExportOperator"}
    for path in PUBLIC:
        if re.search(r"(Operator|Sensor|Trigger|Notifier|Hook|TaskGroup|Error)$", path):
            name = path.rpartition(".")[2]
            assert f":: {path}\n" in page or name in bases, path


@pytest.mark.parametrize("option", sorted(INFO["config"]["aep"]["options"]))
def test_every_setting_is_on_a_page(option: str) -> None:
    assert on_a_page(option)


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_is_on_a_page(command: str) -> None:
    assert on_a_page(f"aep {command}")


def test_every_metric_is_on_its_page_and_no_other() -> None:
    sent = set(re.findall(r'"(aep\.[a-z_]+)', inspect.getsource(metrics)))
    page = (CHECKOUT / "docs" / "metrics.md").read_text()
    told = set(re.findall(r"^\| `(aep\.[a-z_]+)", page, re.MULTILINE))
    assert sent <= told
    assert told - sent <= {"aep.rate_limited", "aep.token_fetches"}  # counted by their names


def test_what_the_exports_page_says_is_on_its_page() -> None:
    page = (CHECKOUT / "docs" / "exports-page.md").read_text()
    www = CHECKOUT / PACKAGE / "page" / "www"
    ticks = re.findall(
        r'^  \w+: \{ title: "([^"]+)", tone: "\w+", mark', (www / "kinds.js").read_text(), re.MULTILINE
    )
    troubles = re.findall(r'^  \w+: "([^"]+)",$', (www / "troubles.js").read_text(), re.MULTILINE)
    assert (len(ticks), len(troubles)) == (13 + 5, 7)
    rows = " ".join(re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE))
    assert [word for word in (*ticks, *troubles) if word not in rows] == []
