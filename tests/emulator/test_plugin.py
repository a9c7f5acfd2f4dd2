"""The fixtures that users load into their own test suites, and what the package costs to import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import airflow_provider_aep.emulator as package

pytest_plugins = ["pytester"]

THEIR_TEST = """
    import json, os, urllib.request
    pytest_plugins = ["airflow_provider_aep.emulator.pytest_plugin"]

    def test_time_stands_still(aep_emulator):
        before = aep_emulator.clock.now
        aep_emulator.clock.advance(60)
        assert aep_emulator.clock.now == before + 60

    def test_airflow_finds_the_server(aep_server):
        connection = json.loads(os.environ["AIRFLOW_CONN_AEP_DEFAULT"])
        assert connection["host"] == aep_server.url
        with urllib.request.urlopen(aep_server.url + "/emulator") as answer:
            assert json.load(answer)["now"] == aep_server.emulator.clock.now
"""

THEIR_WORLDS = """
    import pytest

    @pytest.mark.parametrize("aep_worlds", [("filters-ignored",), ("filters-ignored", "pages-of-ten")])
    def test_in_other_worlds(aep_emulator, aep_worlds):
        assert aep_emulator.worlds == aep_worlds
"""

THEIR_OPTIONS = """
    import pytest

    @pytest.fixture
    def aep_emulator_options(tmp_path):
        return {"root": tmp_path, "seed": 3}

    def test_options_are_taken(aep_emulator, tmp_path):
        assert aep_emulator.root == tmp_path
"""


def test_the_fixtures_work_in_a_suite_of_somebody_else(pytester, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_AEP_DEFAULT", raising=False)
    pytester.makepyfile(test_theirs=THEIR_TEST, test_options=THEIR_OPTIONS, test_worlds=THEIR_WORLDS)
    pytester.makeconftest('pytest_plugins = ["airflow_provider_aep.emulator.pytest_plugin"]')
    pytester.syspathinsert(Path(package.__file__).parents[2])
    pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=5)


def test_the_emulator_is_a_double_of_its_own():
    # It shares two modules with the client and none of its constants, so that both cannot err alike.
    imported = set()
    for path in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
    ours = {name for name in imported if name.startswith("airflow_provider_aep")}
    assert {name for name in ours if not name.startswith("airflow_provider_aep.emulator")} == {
        "airflow_provider_aep.errors",
        "airflow_provider_aep.flowservice.exchange",
    }
    others = {name.split(".")[0] for name in imported - ours}
    assert others - set(sys.stdlib_module_names) == {"pyarrow", "pytest"}


def test_importing_it_loads_neither_pyarrow_nor_airflow_nor_a_server():
    program = "import json, sys, airflow_provider_aep.emulator; print(json.dumps(sorted(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(package.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert not {"pyarrow", "airflow", "http.server"} & set(json.loads(told))
