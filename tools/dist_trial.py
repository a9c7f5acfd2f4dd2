"""A wheel tried where nothing but Airflow is: what a new user of each supported line would meet."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.environment import CHECKOUT, Line, find_python
from tools.processes import ChildFailed, Children, clean_environment

NAME = "airflow-provider-aep"
# provider listing of Airflow's own command line -> what it must show
LISTINGS = {
    ("list",): (NAME,),
    ("hooks",): ("airflow_provider_aep.hooks.AepHook",),
    ("widgets",): ("extra__aep__org_id", "extra__aep__sandbox"),
    ("behaviours",): ("aep",),
    ("links",): ("airflow_provider_aep.operators.links.AepDataflowLink",),
    ("notifications",): ("airflow_provider_aep.notifications.AepRunNotifier",),
    ("triggers",): ("airflow_provider_aep.triggers",),
    ("get", NAME, "--full"): (
        "airflow_provider_aep.operators.dataflows",
        "airflow_provider_aep.operators.connections",
        "airflow_provider_aep.operators.datasets",
        "airflow_provider_aep.sensors",
    ),
}
# Without what needs the extra `emulator`, or Airflow 3.
IMPORT_ALL = """
import importlib, pkgutil, airflow_provider_aep
for module in pkgutil.walk_packages(airflow_provider_aep.__path__, "airflow_provider_aep."):
    if not any(part in module.name for part in (".emulator", ".page", "__main__")):
        importlib.import_module(module.name)
print(airflow_provider_aep.__file__)
"""
ASK_FOR_THE_PAGE = """
from airflow.api_fastapi.app import create_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi.testclient import TestClient
with TestClient(create_app()) as browser:
    somebody = SimpleAuthManagerUser(username="admin", role="ADMIN")
    token = browser.app.state.auth_manager.generate_jwt(somebody)
    for who, headers in {"stranger": {}, "admin": {"Authorization": f"Bearer {token}"}}.items():
        for path in ("aep/static/exports.js", "aep/static/aep.css", "aep/api/exports"):
            reply = browser.get(f"/{path}", headers=headers)
            print(who, path, reply.status_code, reply.headers.get("content-type"))
"""
# The type tells them from Airflow's own document, which answers for any path that nobody knows.
PAGE_ANSWERS = (
    *(rf"stranger aep/{path} 401 " for path in (r"static/exports\.js", r"static/aep\.css", "api/exports")),
    r"admin aep/static/exports\.js 200 text/javascript",
    r"admin aep/static/aep\.css 200 text/css",
    r"admin aep/api/exports 200 application/json",
)
DAG_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
S3_CONNECTION = json.dumps(
    {
        "conn_type": "aws",
        "login": "AKIAEXAMPLE234567ABC",
        "password": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",  # AWS's own documentation key
    }
)


class Plain:
    """An environment with Airflow and the wheel, an Airflow home, and no way back to the checkout."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home / "venv" / "bin"
        self.env: Mapping[str, str] = {
            **clean_environment(),
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "COLUMNS": "500",
            "no_proxy": "*",
        }

    def run(self, program: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """What a program of the environment prints, run where it can find nothing of the checkout.

        :raises subprocess.CalledProcessError: it failed; its own words are printed first.
        """
        done = subprocess.run(
            [str(self.bin / program), *arguments],
            cwd=self.home,
            env={**self.env, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            print(done.stdout[-4000:], done.stderr[-4000:], sep="\n", file=sys.stderr)
            done.check_returncode()
        return done.stdout + done.stderr

    def pip(self, *arguments: str) -> str:
        return self.run("python", "-I", "-m", "pip", *arguments, "--disable-pip-version-check")

    def distributions(self) -> set[str]:
        return {line for line in self.pip("list", "--format=freeze").splitlines() if "==" in line}


def try_wheel(line: Line, wheel: Path, folder: Path) -> bool:
    """Install it beside a plain Airflow and use it; say what held and whether all of it did."""
    base = find_python(line)
    if base is None:
        print(f"Airflow {line.name}: NOT TRIED, no Python {' or '.join(line.pythons)} here")
        return False
    started = time.monotonic()
    plain = Plain(folder / f"airflow-{line.name}")
    subprocess.run([base, "-m", "venv", plain.home / "venv"], check=True, env=clean_environment())
    pinned = next(
        text for text in line.constraints.read_text().splitlines() if text.startswith("apache-airflow==")
    )
    print(f"{pinned} on {Path(base).name}, {wheel.name}", flush=True)
    plain.pip("install", "-q", "-c", str(line.constraints), pinned)
    before = plain.distributions()
    plain.pip("install", "-q", "-c", str(line.constraints), str(wheel))
    added = sorted(plain.distributions() - before)
    version = wheel.name.split("-")[1]

    trials: dict[str, Callable[[], bool]] = {
        f"adds one distribution: {', '.join(added)}": lambda: added == [f"{NAME}=={version}"],
        "pip check": lambda: "No broken requirements" in plain.pip("check"),
        "all modules import, from there": lambda: (
            str(plain.bin.parent) in plain.run("python", "-c", IMPORT_ALL)
        ),
        "airflow db migrate": lambda: bool(plain.run("airflow", "db", "migrate")),
        **{
            f"airflow providers {' '.join(command)}": lambda command=command, wanted=wanted: all(  # type: ignore[misc]
                name in plain.run("airflow", "providers", *command, "-o", "json") for name in wanted
            )
            for command, wanted in LISTINGS.items()
            # Between them, Airflow lists nobody's without the provider fab.
            if command[0] not in ("widgets", "behaviours") or line.name not in ("3.0", "3.1")
        },
        "the DAG of the README and the program aep, against the emulator": lambda: runs_an_export(
            plain, line, wheel
        ),
    }
    if not line.name.startswith(("2.", "3.0")):
        trials["the page: found, served, closed to strangers"] = lambda: shows_the_page(plain)
    held = [_tell(what, trial) for what, trial in trials.items()]
    print(f"  {time.monotonic() - started:.0f} s", flush=True)
    return all(held)


def _tell(what: str, trial: Callable[[], bool]) -> bool:
    try:
        held = trial()
    except (subprocess.CalledProcessError, ChildFailed) as problem:
        print(problem, file=sys.stderr)
        held = False
    print(f"  {'ok   ' if held else 'WRONG'}  {what}", flush=True)
    return held


def runs_an_export(plain: Plain, line: Line, wheel: Path) -> bool:
    """The README's first DAG delivers files, and the command line sees what it made."""
    plain.pip("install", "-q", "-c", str(line.constraints), f"{wheel}[emulator]")
    (dag,) = (
        text for text in DAG_BLOCK.findall((CHECKOUT / "README.md").read_text()) if "first_export" in text
    )
    dags = plain.home / "airflow" / "dags"
    dags.mkdir(parents=True, exist_ok=True)
    (dags / "first_export.py").write_text(dag)
    exports = plain.home / "exports"
    with Children(logs=plain.home, env=plain.env) as children:
        ready = plain.home / "ready"
        emulator = (plain.bin / "python", "-m", "airflow_provider_aep.emulator", "--port", "0")
        options = ("--root", exports, "--ready-file", ready, "--hour-seconds", "2")
        children.start("emulator", [*map(str, emulator), *map(str, options)])
        connections = {
            "AIRFLOW_CONN_AEP_DEFAULT": _printed_connection(children, ready),
            "AIRFLOW_CONN_AEP_S3": S3_CONNECTION,
        }
        told = plain.run("airflow", "dags", "test", "first_export", env=connections)
        seen = plain.run("aep", "runs", "loyalty-s3", env=connections)
    return "loyalty-s3" in told and "success" in seen and any(exports.rglob("part-*"))


def _printed_connection(children: Children, ready: Path) -> str:
    """The connection in the line that the emulator prints for people to copy."""
    deadline = time.monotonic() + 60
    while not (ready.exists() and ready.read_text().strip()):
        children.check()
        if time.monotonic() > deadline:
            raise children.failed("emulator", "was not ready after 60 s")
        time.sleep(0.05)
    text = children.log_path("emulator").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("export AIRFLOW_CONN_AEP_DEFAULT="))
    return shlex.split(line)[1].partition("=")[2]


def shows_the_page(plain: Plain) -> bool:
    """Airflow mounts it, serves its files, and refuses its data to who has not logged in."""
    listed = plain.run("airflow", "plugins", "-o", "json")
    told = plain.run("python", "-c", ASK_FOR_THE_PAGE)
    return "AEP exports" in listed and all(re.search(answer, told) for answer in PAGE_ANSWERS)
