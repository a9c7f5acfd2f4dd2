"""The wheel in plain Airflow environments: ``python -m tools.wheel``, usually as ``make wheel``.

Builds it, makes an environment with nothing but Airflow for each supported line, installs the wheel there,
and checks that this adds one distribution, that Airflow discovers every part of the provider, and that all of
its modules import without what only the emulator needs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tools.environment import CHECKOUT, LINES, Line, find_python
from tools.processes import clean_environment

NAME = "airflow-provider-aep"
# provider listing of Airflow's own command line -> what it must show
LISTINGS = {
    ("list",): (NAME,),
    ("hooks",): ("airflow_provider_aep.hooks.AepHook",),
    ("links",): ("airflow_provider_aep.links.AepDataflowLink",),
    ("notifications",): ("airflow_provider_aep.notifications.AepRunNotifier",),
    ("triggers",): ("airflow_provider_aep.triggers",),
    ("get", NAME, "--full"): (
        "airflow_provider_aep.operators.dataflows",
        "airflow_provider_aep.operators.connections",
        "airflow_provider_aep.operators.datasets",
        "airflow_provider_aep.sensors",
    ),
}
IMPORT_ALL = """
import importlib, pkgutil, airflow_provider_aep
for module in pkgutil.walk_packages(airflow_provider_aep.__path__, "airflow_provider_aep."):
    if ".emulator" not in module.name:
        importlib.import_module(module.name)
"""


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="aep-wheel-") as folder:
        build = ("pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ".")
        run(Path(sys.executable), *build)
        (wheel,) = Path(folder).glob("*.whl")
        print(f"built {wheel.name}, {wheel.stat().st_size:,} bytes", flush=True)
        return max([try_line(line, wheel, Path(folder)) for line in LINES.values()])


def try_line(line: Line, wheel: Path, folder: Path) -> int:
    """Install the wheel beside a plain Airflow; 0 when all is well."""
    base = find_python(line)
    if base is None:
        print(f"Airflow {line.name}: NOT TRIED, no Python {' or '.join(line.pythons)} here")
        return 0
    home = folder / f"airflow-{line.name}"
    run(Path(base), "venv", str(home / "venv"))
    python = home / "venv" / "bin" / "python"
    pinned = next(
        text for text in line.constraints.read_text().splitlines() if text.startswith("apache-airflow==")
    )
    run(python, "pip", "install", "-q", "-c", str(line.constraints), pinned)
    before = distributions(python)
    run(python, "pip", "install", "-q", "-c", str(line.constraints), str(wheel))
    added = distributions(python) - before
    results = {f"adds one distribution: {', '.join(sorted(added))}": len(added) == 1}
    for command, wanted in LISTINGS.items():
        shown = run(python, "airflow", "providers", *command, "-o", "json", home=home)
        results[f"airflow providers {' '.join(command)}"] = all(name in shown for name in wanted)
    subprocess.run([python, "-c", IMPORT_ALL], check=True, env=environment(home), capture_output=True)
    results["all modules import"] = True
    print(f"{pinned} on {Path(base).name}")
    for what, met in results.items():
        print(f"  {'ok   ' if met else 'WRONG'}  {what}", flush=True)
    return 0 if all(results.values()) else 1


def distributions(python: Path) -> set[str]:
    return set(run(python, "pip", "list", "--format=freeze").splitlines())


def run(python: Path, *module: str, home: Path | None = None) -> str:
    """What a module of an environment prints.

    :raises subprocess.CalledProcessError: it failed; its own words are printed first.
    """
    env = environment(home) if home else clean_environment()
    done = subprocess.run(
        [python, "-m", *module], cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        done.check_returncode()
    return done.stdout


def environment(home: Path) -> dict[str, str]:
    return {**clean_environment(), "AIRFLOW_HOME": str(home), "COLUMNS": "500"}


if __name__ == "__main__":
    sys.exit(main())
