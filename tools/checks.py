"""Everything that must hold before a change goes in: ``python -m tools.checks``, usually as ``make test``.

Lint, types, all tests on Airflow 3.3, and on Airflow 2.11 those that do not need Airflow 3. Every check runs,
also after one has failed; the summary at the end tells them apart.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

from tools.environment import CHECKOUT, LINES, CannotPrepare, find_python, prepare
from tools.processes import clean_environment

LINT: dict[str, tuple[str, ...]] = {
    "lint": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy",),
}
TESTS_3_3 = ("pytest", "-q")
# These touch nothing of Airflow, nor of what it brings along in other versions: once is enough.
ONCE = ("tests/truth", "tests/worlds", "tests/crash", "tests/unit/probe")
TESTS_2_11 = ("pytest", "-q", "-m", "not airflow3 and not stack", *(f"--ignore={each}" for each in ONCE))


@dataclass(frozen=True)
class Result:
    name: str
    passed: bool | None  # None: not run
    seconds: float = 0.0
    note: str = ""

    def __str__(self) -> str:
        word = {True: "passed", False: "FAILED", None: "NOT RUN"}[self.passed]
        return f"  {word:<8} {self.name:<19} {self.seconds:6.1f} s  {self.note}".rstrip()


def check(name: str, python: str, module: tuple[str, ...]) -> Result:
    print(f"\n── {name}: {' '.join(module)}", flush=True)
    started = time.monotonic()
    done = subprocess.run([python, "-m", *module], cwd=CHECKOUT, env=clean_environment(), check=False)
    return Result(name, done.returncode == 0, time.monotonic() - started)


def check_airflow_2_11() -> Result:
    name, line = "tests, Airflow 2.11", LINES["2.11"]
    if find_python(line) is None:
        return Result(name, None, note=f"it needs Python {' or '.join(line.pythons)}, and none is here")
    try:
        return check(name, str(prepare(line)), TESTS_2_11)
    except CannotPrepare as problem:
        print(problem, file=sys.stderr)
        return Result(name, False, note="its environment could not be made")


def main(arguments: list[str]) -> int:
    results = [check(name, sys.executable, module) for name, module in LINT.items()]
    if "--lint" not in arguments:
        results.append(check("tests, Airflow 3.3", sys.executable, TESTS_3_3))
        results.append(check_airflow_2_11())
    print("\n── summary", *results, sep="\n", flush=True)
    return 1 if any(result.passed is False for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
