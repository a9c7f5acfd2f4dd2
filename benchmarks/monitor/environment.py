"""The peers' packages, in an environment of the benchmark's own."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = CHECKOUT / ".venv" / "benchmarks"
PYTHON = HOME / "bin" / "python"
STAMP = HOME / ".packages"
AIRFLOW = CHECKOUT / "constraints" / "airflow-3.3.txt"


def packages() -> list[str]:
    """The dependency group ``benchmarks``, with the Airflow and the drivers that we test with."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    peers: list[str] = project["dependency-groups"]["benchmarks"]
    # Not all that is pinned for ourselves: some peers want older versions of it.
    ours = r"^(?:apache-airflow|asyncpg|psycopg2-binary).*$"
    return [*re.findall(ours, AIRFLOW.read_text(), re.MULTILINE), *peers]


def find() -> Path | None:
    """Its interpreter, where it was made and nothing has changed since."""
    return PYTHON if STAMP.is_file() and STAMP.read_text() == _digest() else None


def install() -> Path:
    """Make it, unless it is there."""
    if (found := find()) is not None:
        return found
    print(f"Installing {', '.join(packages())} into {HOME.relative_to(CHECKOUT)} ...", file=sys.stderr)
    shutil.rmtree(HOME, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
    pip = [str(PYTHON), "-I", "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*pip, *packages()], check=True)
    # Installed, as users have it: Airflow finds a provider and its plugin by what a package tells of itself.
    subprocess.run([*pip, "--no-deps", "--editable", str(CHECKOUT)], check=True)
    STAMP.write_text(_digest())
    return PYTHON


def _digest() -> str:
    return hashlib.sha256("\n".join([*packages(), str(CHECKOUT)]).encode()).hexdigest()
