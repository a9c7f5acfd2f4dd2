"""Resolve the pinned versions of all Airflow lines anew: ``python -m tools.constraints``.

Input is ``pyproject.toml`` and the small ``constraints/*.in``; output is one ``.txt`` per line that holds
names, versions and markers for every supported Python, and no address of any index. The resolver is uv, in an
environment of its own, because pip cannot resolve for a Python other than its own.
"""

from __future__ import annotations

import subprocess
import sys
import venv

from tools.environment import CHECKOUT, LINES, OF_THEIR_TIME

UV_HOME = CHECKOUT / ".venv" / "uv"
OPTIONS = (
    "--quiet",
    "--upgrade",
    "--universal",
    "--python-version=3.11",
    "--extra=emulator",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
)


def bootstrap_uv() -> list[str]:
    """The command that runs uv, installed by pip when it is not there yet."""
    python = str(UV_HOME / "bin" / "python")
    uv = [python, "-m", "uv"]
    if not (UV_HOME / ".complete").exists():
        venv.create(UV_HOME, clear=True, with_pip=True)
        subprocess.run([python, "-I", "-m", "pip", "install", "--quiet", "uv"], check=True)
        (UV_HOME / ".complete").touch()
    return uv


def main() -> int:
    uv = bootstrap_uv()
    for line in (*LINES.values(), *OF_THEIR_TIME.values()):
        print(f"Resolving for Airflow {line.name}", flush=True)
        # The tests need a newer pytest than the oldest lines had.
        dated = ("--exclude-newer-package=pytest=2026-06-01", f"--exclude-newer={line.packages_of}")
        command = [*uv, "pip", "compile", *OPTIONS, *(dated if line.packages_of else ())]
        command += ["pyproject.toml", str(line.constraints.with_suffix(".in"))]
        command += [f"--output-file={line.constraints}"]
        if code := subprocess.run(command, cwd=CHECKOUT, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
