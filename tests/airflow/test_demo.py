"""The demo as a user runs it: what it says, and that nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tools.environment import CHECKOUT
from tools.processes import clean_environment

pytestmark = [pytest.mark.airflow, pytest.mark.airflow3, pytest.mark.stack]

Demo = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    """Starts the demo, with ``tmp_path`` for all its temporary files; its children inherit that mark."""

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tools.demo"],
            cwd=CHECKOUT,
            env={**clean_environment(), "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Whoever runs the tests in the background has Ctrl-C ignored; a user's terminal has not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start


def left_behind(tmp_path: Path) -> list[str]:
    """Files in the temporary folder, and processes that still have it in their environment."""
    left = [str(path) for path in tmp_path.iterdir()]
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        try:
            mine = process.environ().get("TMPDIR") == str(tmp_path)
        except psutil.Error:
            continue
        if mine and process.info["status"] != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
            left.append(str(process.info["cmdline"]))
    return left


def test_the_demo_ends_as_expected_and_leaves_nothing_behind(demo: Demo, tmp_path: Path) -> None:
    run = demo()
    said, _ = run.communicate(timeout=240)
    assert run.returncode == 0, said
    assert "WRONG" not in said
    for expected in (
        "verdict success",
        "verdict zero_records",
        "verdict failed",
        "is EMPTY",
        "the failed run fails the check",
        "All as expected",
    ):
        assert expected in said
    assert left_behind(tmp_path) == []


def test_ctrl_c_stops_all_of_it(demo: Demo, tmp_path: Path) -> None:
    run = demo()
    assert run.stdout is not None
    for line in run.stdout:
        if "create_base_connection: success" in line:
            break
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert "Interrupted; everything is stopped." in said
    assert left_behind(tmp_path) == []
