"""Build the documentation site: ``python -m tools.docs``, usually as ``make docs``.

The pages of docs/ become build/docs/, a folder of static files that any web server can serve. A warning, such
as a link that leads nowhere, is an error. No Airflow runs: the reference only imports the package.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.environment import CHECKOUT
from tools.processes import clean_environment

SITE = CHECKOUT / "build" / "docs"


def build(site: Path) -> int:
    """Build the site into a folder; the exit code, which is 0 where there was nothing to warn of."""
    with tempfile.TemporaryDirectory(prefix="aep-docs-") as home:
        env = {
            **clean_environment(),
            "AIRFLOW_HOME": home,  # imported, Airflow writes its configuration there
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": str(CHECKOUT),
        }
        command = (sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--fresh-env")
        places = ("--doctree-dir", f"{home}/doctrees", str(CHECKOUT / "docs"), str(site))
        return subprocess.run([*command, "--quiet", *places], cwd=CHECKOUT, env=env, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.docs", description="Build the documentation site.")
    parser.add_argument("--to", type=Path, default=SITE, metavar="FOLDER", help="build it there")
    site: Path = parser.parse_args(arguments).to
    code = build(site)
    if code == 0:
        print(f"The site is in {site}: open {site / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
