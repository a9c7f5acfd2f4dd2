"""A release, made and tried: ``python -m tools.dist``, usually as ``make dist``.

Builds a wheel and an sdist twice, in different folders and from files of different age and mode, and a third
wheel from the sdist; all must be equal, byte for byte. Checks their metadata and what they hold, installs the
wheel beside a plain Airflow of each line and runs a DAG there. When all of it holds, ``dist/`` gets the two
files, and nothing else is left.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import airflow_provider_aep
from tools.dist_contents import (
    check_entry_points,
    check_metadata,
    check_sdist_files,
    check_secrets,
    check_wheel_files,
    read_sdist,
    read_wheel,
)
from tools.dist_trial import try_wheel
from tools.environment import CHECKOUT, LINES
from tools.processes import clean_environment

DIST = CHECKOUT / "dist"
TWO_YEARS = 2 * 365 * 24 * 3600


class CannotRelease(Exception):
    """What stands in the way, a line for each thing."""


def main() -> int:
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="aep-dist-") as folder:
            names = sources()
            wheel, sdist = build(names, Path(folder))
            check(names, wheel, sdist)
            # Not `all`: with one line broken, the other is still worth a look.
            if False in [try_wheel(line, wheel, Path(folder)) for line in LINES.values()]:
                raise CannotRelease("the wheel does not do in a plain Airflow what it should")
            deliver(wheel, sdist)
    except CannotRelease as problem:
        print(f"\nNothing was put into dist/:\n{problem}", file=sys.stderr)
        return 1
    print(f"\ndist/, after {time.monotonic() - started:.0f} s")
    for file in sorted(DIST.iterdir()):
        print(f"  {file.name}  {file.stat().st_size:,} bytes\n    sha256 {sha256(file)}")
    if changed := git("status", "--porcelain"):
        print(f"  made with {len(changed)} files that are not as committed")
    return 0


def build(names: list[str], folder: Path) -> tuple[Path, Path]:
    """Both files, made in three ways that must come to the same; the wheel first."""
    first = hatch(copy_sources(names, folder / "one"), folder / "first", "wheel", "sdist")
    elsewhere = copy_sources(names, folder / "somewhere" / "else", age=TWO_YEARS, mode=0o066)
    second = hatch(elsewhere, folder / "second", "wheel", "sdist", umask=0o077, TZ="Asia/Tokyo")
    shutil.unpack_archive(first[1], folder / "unpacked")  # tarfile's own filters came with Python 3.11.4
    (unpacked,) = (folder / "unpacked").iterdir()
    third = hatch(unpacked, folder / "third", "wheel")
    for one, other in [*zip(first, second, strict=True), (first[0], third[0])]:
        if sha256(one) != sha256(other):
            raise CannotRelease(f"{one.name} came out differently the second time, in {other.parent.name}")
    print("built twice, and the wheel once more from the sdist: equal bytes", flush=True)
    return first[0], first[1]


def sources() -> list[str]:
    """Every file of the checkout that git has or would take."""
    names = git("ls-files", "--cached", "--others", "--exclude-standard")
    if not names:
        raise CannotRelease("this is not a git checkout: which files belong to a release is git's to say")
    return [name for name in names if (CHECKOUT / name).is_file()]


def copy_sources(names: list[str], target: Path, *, age: float = 0, mode: int = 0) -> Path:
    """A copy of the sources; their time moved back, and these bits added to their modes."""
    for name in names:
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, copy)
        then = copy.stat().st_mtime - age
        os.utime(copy, (then, then))
        copy.chmod(copy.stat().st_mode | mode)
    return target


def hatch(source: Path, target: Path, *kinds: str, umask: int = -1, **env: str) -> list[Path]:
    """Build these kinds in an environment that knows the build backend already; nothing is fetched."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target), *(f"-t{kind}" for kind in kinds)],
        cwd=source,
        env={**clean_environment(), **env},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise CannotRelease(f"the build failed:\n{done.stdout}{done.stderr}")
    return sorted(target.iterdir(), key=lambda file: file.suffix != ".whl")


def check(names: list[str], wheel_path: Path, sdist_path: Path) -> None:
    """Metadata and contents.

    :raises CannotRelease: with all that is wrong.
    """
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    version = airflow_provider_aep.__version__
    wheel, sdist = read_wheel(wheel_path), read_sdist(sdist_path)
    info = f"airflow_provider_aep-{version}.dist-info"
    machine = (str(CHECKOUT), f"{Path.home()}/", str(wheel_path.parents[1]))
    problems = [
        *check_wheel_files(wheel, names, version),
        *check_sdist_files(sdist, names),
        *check_metadata(wheel.get(f"{info}/METADATA", b""), project, version),
        *check_entry_points(wheel.get(f"{info}/entry_points.txt", b""), project),
        *check_secrets("the wheel", wheel, machine=machine),
        *check_secrets("the sdist", sdist, machine=machine),
    ]
    if sdist.get("PKG-INFO") != wheel.get(f"{info}/METADATA"):
        problems.append("wheel and sdist differ in their metadata")
    twine = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(wheel_path), str(sdist_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if twine.returncode != 0:
        problems.append(twine.stdout + twine.stderr)
    if problems:
        raise CannotRelease("\n".join(f"  {problem}" for problem in problems))
    print(f"metadata and contents as they should be: {len(wheel)} files and {len(sdist)}", flush=True)


def deliver(*files: Path) -> None:
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    for file in files:
        shutil.copyfile(file, DIST / file.name)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
