"""What an emulator remembers over a restart, and what it never writes down."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest

from airflow_provider_aep.emulator import Clock, Emulator
from airflow_provider_aep.emulator.state import StateFile, restore, state_of

LOYALTY = "5ef3e324ab7dd7d3259a1191"
SECRET = "abcd" * 10


def test_an_emulator_goes_on_as_if_it_had_never_ended(make_caller):
    first = make_caller()
    flow = first.export(LOYALTY)["flow"]
    first.emulator.script_runs(None, ["late", "in_progress", "failed"])
    first.emulator.clock.advance(4 * 3600)
    first.emulator.add_rows(LOYALTY, 7)
    first.emulator.tick()
    second = Emulator(clock=Clock(first.emulator.clock() - first.emulator.clock._ahead))
    restore(second, json.dumps(state_of(first.emulator)).encode())
    for emulator in (first.emulator, second):
        emulator.clock.advance(7 * 3600)
        emulator.run_now(flow)
        emulator.clock.advance(3600)
    for kind in ("flows", "connections", "sourceConnections", "targetConnections", "runs"):
        theirs = [{**each, "auth": None} for each in second.entities(kind)]
        assert theirs == [{**each, "auth": None} for each in first.emulator.entities(kind)]
    assert len(second.entities("runs")) > 2
    assert second.count_rows(LOYALTY) == first.emulator.count_rows(LOYALTY)


def test_no_login_is_written_down(make_caller):
    caller = make_caller()
    caller.export(LOYALTY)
    written = json.dumps(state_of(caller.emulator))
    assert SECRET not in written
    assert "AKIA2345" not in written
    assert caller.emulator.client_secret not in written


def test_the_file_is_the_owners_alone_and_replaced_as_a_whole(tmp_path, emulator):
    path = tmp_path / "state.json"
    with StateFile(path, emulator).held():
        emulator.add_dataset("Orders")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Orders" in path.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["state.json", "state.json.lock"]


KILLED_WHILE_IT_WRITES = """
import os, sys
from pathlib import Path
from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.state import StateFile
state = StateFile(Path(sys.argv[1]), Emulator())
with state.held():
    os.fsync = lambda _: os._exit(9)
    state.save()
"""


def test_emulators_that_are_killed_while_they_write_leave_nothing_for_ever(tmp_path, emulator):
    path = tmp_path / "state.json"
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_WRITES, path], check=False)
        assert done.returncode == 9
    with StateFile(path, emulator).held():
        emulator.add_dataset("Orders")
    assert "Orders" in path.read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["state.json", "state.json.lock"]


def test_a_file_in_use_is_refused(tmp_path, emulator):
    second = StateFile(tmp_path / "state", Emulator()).held()
    with (
        StateFile(tmp_path / "state", emulator).held(),
        pytest.raises(ValueError, match="in use by another emulator"),
        second,
    ):
        pass


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"format": 2}', b"null"])
def test_what_is_no_state_is_refused_and_left_as_it_is(tmp_path, emulator, content):
    path = tmp_path / "state"
    path.write_bytes(content)
    with (
        pytest.raises(ValueError, match="holds no state of this version"),
        StateFile(path, emulator).held(),
    ):
        pass
    assert path.read_bytes() == content


def test_what_is_no_file_is_neither_read_nor_locked(tmp_path, emulator):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    there = sorted(tmp_path.iterdir())
    for each in there:
        with pytest.raises(ValueError, match="is not a file"), StateFile(each, emulator).held():
            pass
    assert sorted(tmp_path.iterdir()) == there


def test_a_damaged_state_is_refused(emulator):
    held = {**state_of(emulator), "courses": [["prod", "gone", 0, 0, {}, []]]}
    with pytest.raises(ValueError, match="damaged"):
        restore(Emulator(), json.dumps(held).encode())


def test_a_state_of_other_options_names_them(emulator):
    with pytest.raises(ValueError, match=r"other options: seed 7, sandboxes \['prod', 'dev'\]"):
        restore(Emulator(seed=8, sandboxes=("prod",)), json.dumps(state_of(emulator)).encode())


def test_a_disk_that_is_full_is_told_once_and_ends_nothing(tmp_path, emulator, caplog, monkeypatch):
    state = StateFile(tmp_path / "state", emulator)
    caplog.set_level(logging.WARNING)
    with state.held():
        (tmp_path / "state").unlink()
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "in the way").touch()
        state.save()
        state.save()
    assert len(caplog.records) == 1
