"""Everything that must hold before a change goes in: ``python -m tools.checks``, usually as ``make test``.

Lint, types, all tests on Airflow 3.3, and on Airflow 2.11 those that do not need Airflow 3. Every check runs,
also after one has failed; the summary at the end tells them apart.

The tests that start a whole Airflow or a browser mostly wait, so the others run beside them; what those print
is shown afterwards.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tools.environment import CHECKOUT, LINES, CannotPrepare, find_python, prepare
from tools.processes import clean_environment

LINT: dict[str, tuple[str, ...]] = {
    "lint": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy",),
}
# They start a whole Airflow, or a browser.
WHOLE = ("tests/airflow", "tests/browser")
# These touch nothing of Airflow, nor of what it brings along in other versions: once is enough.
ONCE = ("tests/truth", "tests/worlds", "tests/crash", "tests/unit/probe")

TESTS_WHOLE = ("pytest", "-q", *WHOLE)
TESTS_3_3 = ("pytest", "-q", *(f"--ignore={each}" for each in WHOLE))
TESTS_2_11 = ("pytest", "-q", "-m", "not airflow3 and not stack", *(f"--ignore={each}" for each in ONCE))


@dataclass(frozen=True)
class Result:
    name: str
    passed: bool | None  # None: not run
    seconds: float = 0.0
    note: str = ""
    printed: str = ""  # what has not been shown yet

    def __str__(self) -> str:
        word = {True: "passed", False: "FAILED", None: "NOT RUN"}[self.passed]
        return f"  {word:<8} {self.name:<27} {self.seconds:6.1f} s  {self.note}".rstrip()


def check(name: str, python: str, module: tuple[str, ...], *, live: bool = True) -> Result:
    title = f"\n── {name}: {' '.join(module)}\n"
    if live:
        print(title, end="", flush=True)
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        started = time.monotonic()
        done = subprocess.run(
            [python, "-m", *module],
            cwd=CHECKOUT,
            env=clean_environment(),
            stdout=None if live else output,
            stderr=None if live else subprocess.STDOUT,
            check=False,
        )
        seconds = time.monotonic() - started
        output.seek(0)
        return Result(name, done.returncode == 0, seconds, printed="" if live else title + output.read())


def check_airflow_2_11() -> Result:
    name, line = "tests, Airflow 2.11", LINES["2.11"]
    if find_python(line) is None:
        return Result(name, None, note=f"it needs Python {' or '.join(line.pythons)}, and none is here")
    try:
        return check(name, str(prepare(line)), TESTS_2_11, live=False)
    except CannotPrepare as problem:
        return Result(name, False, note="its environment could not be made", printed=f"\n{problem}\n")


def check_beside() -> list[Result]:
    return [check("tests, Airflow 3.3", sys.executable, TESTS_3_3, live=False), check_airflow_2_11()]


def main(arguments: list[str]) -> int:
    results = [check(name, sys.executable, module) for name, module in LINT.items()]
    if "--lint" not in arguments:
        with ThreadPoolExecutor(1) as pool:
            beside = pool.submit(check_beside)
            results.append(check("tests, the whole of Airflow", sys.executable, TESTS_WHOLE))
            for result in beside.result():
                print(result.printed, end="", flush=True)
                results.append(result)
    print("\n── summary", *results, sep="\n", flush=True)
    return 1 if any(result.passed is False for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
