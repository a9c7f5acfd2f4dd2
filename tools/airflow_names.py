"""Which of Airflow's names the package imports, and which releases have them.

``tests/unit/airflow_names.json`` keeps the second for ``make test``, where only two releases are installed;
``make versions`` asks each release anew.
"""

from __future__ import annotations

import ast
import json
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tools.environment import CHECKOUT, Line
from tools.processes import clean_environment

RECORD = CHECKOUT / "tests" / "unit" / "airflow_names.json"
PACKAGE = CHECKOUT / "airflow_provider_aep"
ASK = """
import importlib, json, sys
def has(name):
    module, _, attribute = name.partition(":")
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ImportError:
        return False
names = json.loads(sys.stdin.read())
print(json.dumps([name for name in names if has(name)]))
"""


def imported() -> dict[str, list[str]]:
    """``module:name`` of what the package imports of Airflow while it runs, with the files that do."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in _running(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("airflow."):
                for alias in node.names:
                    found.setdefault(f"{node.module}:{alias.name}", []).append(str(path.relative_to(PACKAGE)))
    return found


def _running(node: ast.AST) -> Iterable[ast.AST]:
    """All nodes but those below ``if TYPE_CHECKING``."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _running(child)


def places() -> dict[str, list[str]]:
    """The names of ``_airflow``, each with the ``module:name`` where it may be."""
    from airflow_provider_aep._airflow import PLACES

    return {
        name: [place if ":" in place else f"{place}:{name}" for place in all_places]
        for name, all_places in PLACES.items()
    }


def ask(line: Line, names: Iterable[str]) -> set[str]:
    """Those of the names that the environment of a line has."""
    with tempfile.TemporaryDirectory() as home:  # the settings of one release can break another
        done = subprocess.run(
            [str(line.python), "-W", "ignore", "-c", ASK],
            input=json.dumps(sorted(names)),
            env={**clean_environment(), "AIRFLOW_HOME": home},
            capture_output=True,
            text=True,
            check=True,
        )
    return set(json.loads(done.stdout.splitlines()[-1]))


def record(lines: Iterable[Line]) -> None:
    """Ask the environments of these lines, and keep what they say."""
    names = {*imported(), *(place for each in places().values() for place in each)}
    had = {line.name: ask(line, names) for line in lines}
    table = {name: [line for line, has in had.items() if name in has] for name in sorted(names)}
    text = ",\n".join(f"  {json.dumps(name)}: {json.dumps(where)}" for name, where in table.items())
    RECORD.write_text(f"{{\n{text}\n}}\n")


def read_record(path: Path = RECORD) -> dict[str, list[str]]:
    table: dict[str, list[str]] = json.loads(path.read_text())
    return table
