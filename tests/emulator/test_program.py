"""``python -m airflow_provider_aep.emulator``, started and stopped as a launcher would."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from airflow_provider_aep.emulator.__main__ import main

HERE = Path(__file__).parents[2]


@pytest.fixture
def start(tmp_path):
    running = []

    def start(*arguments):
        ready = tmp_path / "ready"
        command = [sys.executable, "-m", "airflow_provider_aep.emulator", "--port", "0"]
        program = subprocess.Popen(
            [*command, "--ready-file", str(ready), *arguments], cwd=HERE, stdout=subprocess.PIPE, text=True
        )
        running.append(program)
        began = time.monotonic()
        while not ready.exists():
            assert program.poll() is None
            assert time.monotonic() - began < 20
            time.sleep(0.01)
        return program, ready.read_text().strip()

    yield start
    for program in running:
        program.kill()
        program.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_where_it_is_and_stops_when_asked(start, tmp_path, number):
    program, url = start("--root", str(tmp_path / "exports"), "--hour-seconds", "2", "--seed", "11")
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    connection.request("GET", "/emulator")
    assert json.loads(connection.getresponse().read())["root"] == str(tmp_path / "exports")
    connection.close()
    program.send_signal(number)
    told, _ = program.communicate(timeout=10)
    assert program.returncode == 0
    assert url in told
    assert "ticks every 6 seconds" in told
    assert str(tmp_path / "exports") in told
    (line,) = [each for each in told.splitlines() if each.startswith("export AIRFLOW_CONN_AEP_DEFAULT='")]
    assert json.loads(line.split("=", 1)[1].strip("'"))["host"] == url


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--port", value] for value in ("99999", "-1", "http")),
        *(["--hour-seconds", value] for value in ("0", "1e-9", "nan", "-1", "inf", "soon")),
        *(["--run-seconds", value] for value in ("-1", "nan")),
        *(["--token-seconds", value] for value in ("0", "nan")),
        *(["--page-size", value] for value in ("0", "101", "2.5")),
        *(["--sandboxes", value] for value in ("", "prod,", "prod,prod", "a b")),
    ],
    ids=" ".join,
)
def test_an_option_that_cannot_be_is_told_in_one_line(capsys, arguments):
    with pytest.raises(SystemExit) as left:
        main([f"{arguments[0]}={arguments[1]}"])
    assert left.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"error: argument {arguments[0]}: must be " in last


@pytest.mark.parametrize("place", ["nowhere/ready", "folder"])
def test_a_ready_file_that_cannot_be_written_is_told_in_one_line(capsys, tmp_path, place):
    (tmp_path / "folder").mkdir()
    assert main(["--port", "0", "--ready-file", str(tmp_path / place)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Cannot write --ready-file {tmp_path / place}: ")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_world_without_prod_starts(start):
    program, _ = start("--sandboxes", "dev")
    program.terminate()
    told, _ = program.communicate(timeout=10)
    assert "CRM Profiles" in told
    assert '"sandbox": "dev"' in told
    assert program.returncode == 0


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/nowhere", "loop", "x" * 300])
def test_a_root_that_cannot_be_written_is_told_before_it_starts(capsys, tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert main(["--port", "0", "--root", str(tmp_path / place)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("--root must be a folder that can be written to, and ")


def test_files_that_cannot_be_written_later_are_told_too(make_caller, tmp_path, caplog):
    root = tmp_path / "exports"
    caller = make_caller(root=root)
    root.rmdir()
    root.touch()
    caller.export("5ef3e324ab7dd7d3259a1191")
    caller.emulator.clock.advance(8 * 3600)
    caller.emulator.tick()
    assert "as its files cannot be written: " in caplog.text


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
def test_a_state_outlives_its_emulator_however_that_ends(start, tmp_path, kill):
    state = tmp_path / "state.json"
    for _ in range(2):
        program, url = start("--state", str(state))
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
        rows = json.dumps({"dataset": "5ef3e3259ad2a1191ab7dd7d", "rows": 7})
        connection.request("POST", "/emulator/add_rows", rows, {"Content-Type": "application/json"})
        counted = json.loads(connection.getresponse().read())["rows"]
        connection.close()
        program.send_signal(kill)
        program.communicate(timeout=10)
        (tmp_path / "ready").unlink()
    assert counted == 1200 + 2 * 7
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".state")] == []


@pytest.mark.parametrize("place", ["nowhere/state", "folder", "other", "loop", "x" * 300])
def test_a_state_that_cannot_be_used_is_told_before_it_starts(capsys, tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "other").write_text("my own notes")
    assert main(["--port", "0", "--state", str(tmp_path / place)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith(f"--state {tmp_path / place} cannot be used: ")
    assert (tmp_path / "other").read_text() == "my own notes"
