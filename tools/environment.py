"""Virtual environments for the supported lines of Airflow, inside the checkout.

``python -m tools.environment 3.3`` makes ``.venv/airflow-3.3`` from ``constraints/airflow-3.3.txt`` with
plain pip, so a company's index and proxy settings apply. Standard library only: this runs before anything is
installed.

Each step of an installation leaves a stamp with a digest of what it was made from. A second call is instant,
a changed file repeats only the steps it concerns, and an interrupted step has no stamp.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
TAIL_LINES = 15  # of pip's output, shown when it fails


class CannotPrepare(Exception):
    """An environment cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Line:
    """One supported line of Airflow."""

    name: str
    pythons: tuple[str, ...]  # preferred first
    # Its packages are the newest of that day, the one after its release, as its own constraints pin them.
    packages_of: str | None = None

    @property
    def home(self) -> Path:
        return CHECKOUT / ".venv" / f"airflow-{self.name}"

    @property
    def python(self) -> Path:
        return self.home / "bin" / "python"

    @property
    def constraints(self) -> Path:
        return CHECKOUT / "constraints" / f"airflow-{self.name}.txt"


# What every change is tested on.
LINES = {
    line.name: line
    for line in (
        Line("3.3", ("3.14", "3.13", "3.12", "3.11")),
        Line("2.11", ("3.12", "3.11")),  # Airflow 2.11 refuses Python 3.13
    )
}
# What `make versions` tries besides, with the packages of its own time.
OF_THEIR_TIME = {
    line.name: line
    for line in (
        Line("3.2", ("3.14", "3.13", "3.12", "3.11"), packages_of="2026-05-30"),
        # Airflow 3.1 refuses Python 3.14, and 3.0 Python 3.13 too.
        Line("3.1", ("3.13", "3.12", "3.11"), packages_of="2026-03-12"),
        Line("3.0", ("3.12", "3.11"), packages_of="2025-08-30"),
        Line("2.11.0", ("3.12", "3.11"), packages_of="2025-05-21"),
    )
}


def find_python(line: Line) -> str | None:
    """A Python that runs this line: the one running now if it fits, else one from PATH."""
    running = "{}.{}".format(*sys.version_info[:2])
    if running in line.pythons:
        return str(Path(sys.executable).resolve())
    for version in line.pythons:
        found = shutil.which(f"python{version}")
        # A version manager's shim can be on PATH and still refuse to run.
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return None


def prepare(line: Line) -> Path:
    """Make or refresh the environment of a line; return its interpreter.

    :raises CannotPrepare: no suitable Python, no venv support, or pip failed.
    """
    python = find_python(line)
    if python is None:
        raise CannotPrepare(
            f"Airflow {line.name} needs Python {' or '.join(line.pythons)}, and none of them is here."
        )
    with _lock(line):
        packages = _digest(line.constraints, python)
        if not _is_stamped(line, "packages", packages):
            shutil.rmtree(line.home, ignore_errors=True)
            _create(line, python)
            _install_packages(line)
            _stamp(line, "packages", packages)
        # The metadata is made from these two files; an editable install links to the path.
        version = CHECKOUT / "airflow_provider_aep" / "__init__.py"
        project = _digest(CHECKOUT / "pyproject.toml", version, str(CHECKOUT))
        if not _is_stamped(line, "project", project):
            _install_project(line)
            _stamp(line, "project", project)
    return line.python


def _create(line: Line, python: str) -> None:
    check = subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False)
    if check.returncode != 0:
        raise CannotPrepare(
            f"{python} cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"
        )
    print(f"Airflow {line.name}: new environment with {python}", flush=True)
    _run([python, "-m", "venv", str(line.home)], "making the environment")


def _install_packages(line: Line) -> None:
    total = sum(1 for text in line.constraints.read_text().splitlines() if "==" in text)
    print(f"Airflow {line.name}: installing {total} pinned packages, about a minute", flush=True)
    started = time.monotonic()
    _pip(line, "-r", str(line.constraints), expected=total)
    print(f"Airflow {line.name}: packages installed in {time.monotonic() - started:.0f} s", flush=True)


def _install_project(line: Line) -> None:
    # The build backend is one of the pinned packages, so nothing is fetched here.
    _pip(line, "--no-deps", "--no-build-isolation", "-e", ".")
    print(f"Airflow {line.name}: this project installed (editable)", flush=True)


def _pip(line: Line, *arguments: str, expected: int = 0) -> None:
    # -I keeps a PYTHONPATH or a user site of the caller out; pip still reads its own settings.
    command = [str(line.python), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    _run([*command, *arguments], "pip install", expected=expected)


def _run(command: list[str], what: str, *, expected: int = 0) -> None:
    """Run quietly; on a terminal count pip's packages; on failure show the last lines of output."""
    counting = expected and sys.stdout.isatty()
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    seen = 0
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            tail.append(text.rstrip())
            if counting and text.startswith("Collecting "):
                seen += 1
                print(f"\r  {seen} of {expected} found", end="", flush=True)
            elif counting and text.startswith("Installing collected"):
                print("\r  all found, unpacking    ", end="", flush=True)
    if counting:
        print("\r" + " " * 30 + "\r", end="", flush=True)
    if process.returncode != 0:
        raise CannotPrepare("\n".join([f"{what} failed with exit code {process.returncode}:", *tail]))


def _digest(*sources: Path | str) -> str:
    """Of the contents of files and of plain words."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes() if isinstance(source, Path) else source.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def _is_stamped(line: Line, step: str, digest: str) -> bool:
    stamp = line.home / f".{step}"
    return stamp.is_file() and stamp.read_text() == digest


def _stamp(line: Line, step: str, digest: str) -> None:
    (line.home / f".{step}").write_text(digest)


@contextmanager
def _lock(line: Line) -> Iterator[None]:
    """Two calls of make at once: the second waits for the first."""
    line.home.parent.mkdir(exist_ok=True)
    with (line.home.parent / f"airflow-{line.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(names: list[str]) -> int:
    try:
        for name in names:
            prepare({**LINES, **OF_THEIR_TIME}[name])
    except CannotPrepare as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The next call starts this environment afresh.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
