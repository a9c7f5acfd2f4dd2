"""What runs on which Airflow: ``python -m tools.versions``, usually as ``make versions``.

On each supported line, the older ones with the packages of their own time: the wheel beside a plain Airflow
(discovery, the README's first DAG, the page), the unit ring, a deferred wait, and the page in a browser. It
takes an hour and ends in a table; with names of lines, such as ``3.0``, it does only those. With all of them
it first renews what ``tests/unit/test_airflow_names.py`` knows of each release.

A wheel is mostly installed and a whole Airflow mostly waits, so the unit rings run beside them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tools.airflow_names import record
from tools.browser import NAMES, find_chromium
from tools.checks import ONCE, Result, check
from tools.dist import copy_sources, hatch, sources
from tools.dist_trial import try_wheel
from tools.environment import LINES, OF_THEIR_TIME, CannotPrepare, Line, prepare

ALL = {name: ({**LINES, **OF_THEIR_TIME})[name] for name in ("3.3", "3.2", "3.1", "3.0", "2.11", "2.11.0")}
UNIT = ("pytest", "-q", "tests/unit", *(f"--ignore={each}" for each in ONCE if each.startswith("tests/unit")))
# In Airflow's triggerer; on Airflow 2, in the process of `dag.test()`.
WAIT = ("pytest", "-q", "tests/airflow/test_stack.py", "-k", "deferred_wait")
WAIT_2 = ("pytest", "-q", "tests/airflow/test_parity.py")
PAGE = ("pytest", "-q", "tests/browser")
INSTALLED = """
from importlib.metadata import version
from platform import python_version
names = "apache-airflow", "apache-airflow-providers-common-compat"
print("Airflow {}, common-compat {}, Python {}".format(*map(version, names), python_version()))
"""


def main(names: list[str]) -> int:
    lines = [ALL[name] for name in names or ALL]
    for line in lines:
        prepare(line)
    if not names:
        record(reversed(lines))
    with tempfile.TemporaryDirectory(prefix="aep-versions-") as made, ThreadPoolExecutor(1) as pool:
        folder = Path(made)
        (wheel,) = hatch(copy_sources(sources(), folder / "sources"), folder / "wheel", "wheel")
        rings = {line.name: pool.submit(_ring, line) for line in lines}
        others = {line.name: list(_others(line, wheel, folder)) for line in lines}
        results = {name: [*others[name], rings[name].result()] for name in rings}
    print("\n── summary")
    for line in lines:
        print(f"\n{_installed(line)}", *results[line.name], sep="\n", flush=True)
    return 1 if any(result.passed is False for all_ in results.values() for result in all_) else 0


def _ring(line: Line) -> Result:
    module = (*UNIT, "-m", "not airflow3") if line.name.startswith("2.") else UNIT
    return _check(line, "unit ring", module)


def _others(line: Line, wheel: Path, folder: Path) -> Iterator[Result]:
    started = time.monotonic()
    yield Result("wheel and first DAG", try_wheel(line, wheel, folder), time.monotonic() - started)
    yield _check(line, "deferred wait", WAIT_2 if line.name.startswith("2.") else WAIT)
    if line.name.startswith(("2.", "3.0")):
        yield Result("page in a browser", None, note="the page needs Airflow 3.1")
    elif find_chromium() is None:
        yield Result("page in a browser", None, note=f"none of {', '.join(NAMES)} is on PATH")
    else:
        yield _check(line, "page in a browser", PAGE)


def _check(line: Line, what: str, module: tuple[str, ...]) -> Result:
    """Run it, print what it printed, and keep its last line, which counts the tests."""
    result = check(what, str(line.python), module, live=False)
    print(f"\nAirflow {line.name}{result.printed}", end="", flush=True)
    return replace(result, note=result.printed.splitlines()[-1])


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
