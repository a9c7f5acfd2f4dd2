"""Imports point down only. The floors are those of docs/design.md, as the package really is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = "airflow_provider_aep"
ROOT = Path(__file__).parents[2] / PACKAGE

# Every module is on the floor of the longest name that it begins with. A module may import from its own
# floor and from lower ones.
FLOORS = {
    "": 0,  # __init__: the version
    "_lazy": 0,
    "arguments": 0,
    "errors": 0,
    "times": 0,
    "provider_info": 0,
    "flowservice.codes": 0,
    "flowservice.habits": 0,
    "flowservice.threads": 0,
    "flowservice.patterns": 0,
    "flowservice.exchange": 1,
    "flowservice.validation": 1,
    "flowservice.destinations": 1,
    "flowservice.documents": 1,
    "flowservice.cadences": 1,
    "flowservice.schedule": 1,
    "flowservice.moments": 1,
    "flowservice.driving": 1,
    "flowservice": 2,
    "exports": 3,
    "monitoring": 3,
    "emulator": 3,
    "probe": 3,
    # Airflow begins here.
    "_airflow": 4,
    "_settings": 4,
    "assets": 4,
    "hooks": 4,
    "triggers": 5,
    "asset_triggers": 5,  # the former path of a trigger
    "_preload": 6,
    "cli": 6,
    "notifications": 6,
    "operators": 6,
    "retry_policy": 6,
    "sensors": 6,
    "task_groups": 6,
    "page": 7,
}
FIRST_FLOOR_OF_AIRFLOW = 4
# What the emulator may know of the package it stands in for: the words of a conversation, nothing else.
EMULATOR_KNOWS = {"errors", "flowservice.exchange"}
SOCKETS = {"requests", "urllib3", "httpx", "aiohttp", "http", "socket"}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def floor_of(module: str) -> int:
    while module and module not in FLOORS:
        module = module.rpartition(".")[0]
    return FLOORS[module]


def imports_of(source: str) -> set[str]:
    """Every module that a text imports anywhere in it, under ``if TYPE_CHECKING`` too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # ``from package import module`` may name a module; one that is no module does no harm here
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {module_of(path): imports_of(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}


def ours(imports: set[str]) -> set[str]:
    """The modules of the package among some imports, without the package's name."""
    within = {name.removeprefix(f"{PACKAGE}.") for name in imports if name.startswith(f"{PACKAGE}.")}
    return {name if name in MODULES else name.rpartition(".")[0] for name in within}


def theirs(imports: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in imports} - {PACKAGE}


def upward(module: str, imports: set[str]) -> list[str]:
    return sorted(name for name in ours(imports) if floor_of(name) > floor_of(module))


def test_the_package_is_all_here():
    assert {"errors", "hooks", "sensors", "flowservice.session", "monitoring.verdict"} <= set(MODULES)


def test_no_module_lives_on_no_floor():
    rooms = {name.partition(".")[0] for name in FLOORS}
    assert {module for module in MODULES if module.partition(".")[0] not in rooms} == set()


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down_only(module):
    assert upward(module, MODULES[module]) == []


@pytest.mark.parametrize("module", [name for name in MODULES if floor_of(name) < FIRST_FLOOR_OF_AIRFLOW])
def test_below_the_line_airflow_is_never_imported(module):
    assert "airflow" not in theirs(MODULES[module])


def test_pendulum_is_in_one_place():
    assert [name for name, imports in MODULES.items() if "pendulum" in theirs(imports)] == ["times"]


def test_there_is_one_socket():
    talkers = {name for name, imports in MODULES.items() if theirs(imports) & SOCKETS}
    one = {"flowservice.transport", "flowservice.deadline"}  # the second bounds what the first reads
    assert {name for name in talkers if not name.startswith("emulator.")} == one


def test_the_emulator_knows_the_words_and_not_the_client():
    for module in (name for name in MODULES if name.partition(".")[0] == "emulator"):
        known = {name for name in ours(MODULES[module]) if name.partition(".")[0] != "emulator"}
        assert known <= EMULATOR_KNOWS, module


def test_nothing_but_tests_and_users_imports_the_emulator():
    importers = {
        name for name, imports in MODULES.items() for one in ours(imports) if one.startswith("emulator")
    }
    assert {name for name in importers if not name.startswith("emulator")} == set()


def test_provider_info_and_the_package_itself_import_nothing():
    """Airflow reads both in every process, the first one before anything is set up."""
    for module in ("", "provider_info"):
        assert MODULES[module] <= {"__future__.annotations", "typing.Any"}


def test_there_are_no_circles():
    def reach(module, seen):
        for name in ours(MODULES[module]) & MODULES.keys() - seen:
            seen.add(name)
            reach(name, seen)
        return seen

    # A package and its modules: ``from package import module`` is no circle.
    circles = [module for module in MODULES if module and module in reach(module, set())]
    assert circles == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("flowservice.exchange", f"from {PACKAGE}.flowservice.session import AepSession"),
        ("flowservice.session", f"from {PACKAGE}.monitoring import verdict"),
        ("monitoring.poll", f"import {PACKAGE}.hooks"),
        ("hooks", f"def late():\n    from {PACKAGE}.operators.base import x"),
    ],
)
def test_an_upward_import_would_be_seen_wherever_it_stands(module, source):
    assert upward(module, imports_of(source)) != []
