"""What runs on which Airflow: ``python -m tools.versions``, usually as ``make versions``.

On each supported line, the older ones with the packages of their own time: the wheel beside a plain Airflow
(discovery, the README's first DAG, the page), the unit ring, and a deferred wait. It takes an hour or more
and ends in a table; with names of lines, such as ``3.0``, it does only those. With all of them it first
renews what ``tests/unit/test_airflow_names.py`` knows of each release.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tools.airflow_names import record
from tools.checks import ONCE, check
from tools.dist import copy_sources, hatch, sources
from tools.dist_trial import try_wheel
from tools.environment import LINES, OF_THEIR_TIME, CannotPrepare, Line, prepare

ALL = {name: ({**LINES, **OF_THEIR_TIME})[name] for name in ("3.3", "3.2", "3.1", "3.0", "2.11", "2.11.0")}
UNIT = ("pytest", "-q", "tests/unit", *(f"--ignore={each}" for each in ONCE if each.startswith("tests/unit")))
# In Airflow's triggerer; on Airflow 2, in the process of `dag.test()`.
WAIT = ("pytest", "-q", "tests/airflow/test_stack.py", "-k", "deferred_wait")
WAIT_2 = ("pytest", "-q", "tests/airflow/test_parity.py", "-k", "deferrable")
INSTALLED = """
from importlib.metadata import version
from platform import python_version
names = "apache-airflow", "apache-airflow-providers-common-compat"
print(*map(version, names), python_version())
"""


def main(names: list[str]) -> int:
    if not names:
        for line in ALL.values():
            prepare(line)
        record(ALL.values())
    rows: list[str] = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="aep-versions-") as made:
        folder = Path(made)
        (wheel,) = hatch(copy_sources(sources(), folder / "sources"), folder / "wheel", "wheel")
        for line in [ALL[name] for name in names or ALL]:
            results = _try(line, wheel, folder)
            failed = failed or False in results.values()
            said = ", ".join(f"{what} {'ok' if held else 'FAILED'}" for what, held in results.items())
            rows.append(f"  {_installed(line)}  {said}")
    print("\n  Airflow common-compat Python", *rows, sep="\n", flush=True)
    return 1 if failed else 0


def _try(line: Line, wheel: Path, folder: Path) -> dict[str, bool]:
    python = str(prepare(line))
    return {
        "wheel and first DAG": try_wheel(line, wheel, folder),
        "unit ring": check(f"unit ring, Airflow {line.name}", python, _for(line, UNIT)).passed is True,
        "deferred wait": check(
            f"deferred wait, Airflow {line.name}", python, WAIT_2 if line.name.startswith("2.") else WAIT
        ).passed
        is True,
    }


def _for(line: Line, module: tuple[str, ...]) -> tuple[str, ...]:
    return (*module, "-m", "not airflow3") if line.name.startswith("2.") else module


def _installed(line: Line) -> str:
    done = subprocess.run(
        [str(line.python), "-I", "-c", INSTALLED], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or line.name


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except CannotPrepare as problem:
        sys.exit(str(problem))
