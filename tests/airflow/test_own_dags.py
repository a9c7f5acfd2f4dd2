"""The page on testing your own DAGs: its files are laid out as it says, and pytest runs them."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.airflow.conftest import CHECKOUT

PAGE = (CHECKOUT / "docs" / "testing.md").read_text()
FILES = dict(re.findall(r"^```python\n# ([\w/]+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
WHOLE = "tests/test_dag.py"
SINGLE = {name for name in FILES if name.startswith("tests/test_")} - {WHOLE}

pytestmark = pytest.mark.airflow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


def summary(project: Path, *chosen: str) -> str:
    """The summary of pytest in the project, as the page starts it."""
    home = project / "test_airflow"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{project}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_block_of_the_page_is_a_file_of_the_project() -> None:
    assert PAGE.count("```python\n") == len(FILES)


def test_single_tasks_are_tested_without_a_database(project: Path) -> None:
    told = summary(project, *sorted(SINGLE))
    assert re.search(r"^7 passed", told, re.MULTILINE), told
    database = project / "test_airflow" / "airflow.db"
    assert not database.exists() or database.stat().st_size == 0


def test_a_whole_dag_is_tested_by_a_running_clock(project: Path, airflow_db: Path) -> None:
    (project / "test_airflow").mkdir()
    with (
        sqlite3.connect(airflow_db) as there,
        sqlite3.connect(project / "test_airflow" / "airflow.db") as here,
    ):
        there.backup(here)
    told = summary(project, WHOLE)
    assert re.search(r"^2 passed", told, re.MULTILINE), told
