"""One token for a host: many processes, one fetch; and whatever lies in its place, a task gets a token."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from airflow_provider_aep.emulator import Emulator
from airflow_provider_aep.emulator.server import serve
from airflow_provider_aep.emulator.service import LOGIN_PATH
from airflow_provider_aep.errors import AepAuthError
from airflow_provider_aep.flowservice import host_files as host_files_module
from airflow_provider_aep.flowservice import private_directory
from airflow_provider_aep.flowservice.connections import get_connection_spec
from airflow_provider_aep.flowservice.datasets import list_datasets
from airflow_provider_aep.flowservice.destinations import get_destination
from airflow_provider_aep.flowservice.driving import adrive, drive
from airflow_provider_aep.flowservice.exchange import Request, Response
from airflow_provider_aep.flowservice.host_files import TOKEN, HostFiles
from airflow_provider_aep.flowservice.session import AepCredentials, AepSession
from airflow_provider_aep.flowservice.tokens import PATIENCE
from airflow_provider_aep.flowservice.write_guard import read_sandbox_type
from tests.unit.flowservice.sharing import host_files

LOGIN = ("POST", LOGIN_PATH)
URL = "https://platform.adobe.io"
YEAR = 365 * 86400.0


@pytest.fixture
def place(tmp_path) -> Path:
    return tmp_path


@pytest.fixture
def files(credentials, place):
    return host_files(credentials, URL, str(place))


@pytest.fixture
def new_task(credentials, clock, tokens, place):
    """``new_task()``: the session of one more process of this host. They differ in what they remember."""

    def make(credentials=credentials, place=place, on_token=tokens.append) -> AepSession:
        files = host_files(credentials, URL, str(place))
        return AepSession(credentials, now=clock, jitter=lambda: 0.0, files=files, on_token=on_token)

    return make


@pytest.fixture
def use(emulator):
    """``use(session)``: list datasets; the pauses that it took."""

    def carry_out(session, exchange=list_datasets):
        pauses = []

        def sleep(seconds):
            pauses.append(seconds)
            emulator.clock.advance(seconds)

        drive(session.conduct(exchange(), sandbox="prod"), emulator, sleep)
        return pauses

    return carry_out


def home_of(place) -> Path:
    return place / f"airflow-provider-aep-{os.geteuid()}"


def file_of(files, place) -> Path:
    return home_of(place) / files._name(TOKEN)


# Real processes


def carry_out(act, url, emulator, place, *, token_path=LOGIN_PATH, **more):
    credentials = AepCredentials(
        client_id=emulator.client_id,
        client_secret=emulator.client_secret,
        org_id=emulator.org_id,
        token_url=url + token_path,
    )
    given = {"act": act, "url": url, "place": str(place), "credentials": asdict(credentials), **more}
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.flowservice.sharing", json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def served():
    emulator = Emulator()
    with serve(emulator) as url:
        yield emulator, url


def test_twenty_processes_at_once_fetch_one_token_and_each_masks_it(served, place):
    emulator, url = served
    met = carry_out("at_once", url, emulator, place, processes=20, between=[])
    assert [each["errors"] for each in met] == [[]] * 20
    assert len({tuple(each["masked"]) for each in met}) == 1
    assert len(emulator.requests(*LOGIN)) == 1


def test_twenty_processes_that_are_refused_at_once_fetch_one_new_token(served, place):
    emulator, url = served
    met = carry_out("at_once", url, emulator, place, processes=20, between=["/emulator/expire_tokens"])
    assert [each["errors"] for each in met] == [[]] * 20
    assert len({tuple(each["masked"]) for each in met}) == 1
    assert len(met[0]["masked"]) == 2
    assert len(emulator.requests(*LOGIN)) == 2


def test_on_a_full_disk_each_process_fetches_its_own(served, place):
    emulator, url = served
    met = carry_out("at_once", url, emulator, place, processes=3, between=[], full_disk=True)
    assert [each["errors"] for each in met] == [[]] * 3
    assert len(emulator.requests(*LOGIN)) == 3
    assert max(each["seconds"] for each in met) < 20
    assert [path for path in home_of(place).iterdir() if path.suffix != ".lock"] == []


def test_a_child_that_is_forked_while_the_token_is_written_reads_all_of_it_and_waits_for_nobody(
    served, place
):
    emulator, url = served
    assert carry_out("forked_while_writing", url, emulator, place, processes=40) == [0] * 40


def test_a_lock_does_not_outlive_its_process_in_a_child_of_it(served, place):
    emulator, url = served
    child = carry_out("killed_with_a_child", url, emulator, place)
    try:
        met = carry_out("at_once", url, emulator, place, processes=1, between=[])
    finally:
        os.kill(child, signal.SIGKILL)
    assert met[0]["errors"] == []
    assert met[0]["seconds"] < 5


# What is shared, and with whom


def test_the_next_process_uses_the_token_and_masks_it(new_task, use, emulator, tokens):
    use(new_task())
    use(new_task())
    assert len(emulator.requests(*LOGIN)) == 1
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


@pytest.mark.parametrize("field", ["client_id", "client_secret", "org_id", "scopes", "token_url"])
def test_whoever_differs_in_anything_reads_nothing(files, credentials, place, field):
    files.write(TOKEN, "theirs")
    other = host_files(replace(credentials, **{field: getattr(credentials, field) + "x"}), URL, str(place))
    assert other.read(TOKEN) is None
    other.write(TOKEN, "ours")
    assert (files.read(TOKEN), other.read(TOKEN)) == ("theirs", "ours")


def test_a_file_that_is_put_in_the_place_of_another_is_not_believed(files, credentials, place):
    other = host_files(replace(credentials, client_secret="rotated"), URL, str(place))
    other.write(TOKEN, "theirs")
    answer = files.answer_of("prod", "/connectionSpecs/1")
    files.write(answer, "an answer")
    for planted in (other._name(TOKEN), files._name(answer)):
        (home_of(place) / planted).replace(file_of(files, place))
        assert files.read(TOKEN) is None


def test_what_lies_on_the_disk_tells_nothing(new_task, use, place, tokens, credentials):
    use(new_task())
    (file,) = (path for path in home_of(place).iterdir() if path.suffix != ".lock")
    assert tokens[0].encode() not in file.read_bytes()
    assert credentials.client_secret.encode() not in file.read_bytes()
    assert home_of(place).stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_token_is_renewed_by_one_process_and_read_by_the_others(new_task, use, emulator, clock):
    early, late = new_task(), new_task()
    use(early)
    use(late)
    clock.advance(86399 - 600)
    use(early)
    use(late)
    assert len(emulator.requests(*LOGIN)) == 2


def test_a_token_that_was_refused_is_not_read_again(new_task, use, emulator, tokens):
    first, second = new_task(), new_task()
    use(first)
    use(second)
    emulator.expire_tokens()
    use(first)
    use(second)
    assert len(emulator.requests(*LOGIN)) == 2
    assert tokens[2] == tokens[3] != tokens[0]


def test_files_of_secrets_that_are_long_gone_are_removed(files, place):
    files.write(("old",), "x")
    (old,) = home_of(place).iterdir()
    os.utime(old, (1, 1))
    files.write(TOKEN, "x")
    assert list(home_of(place).iterdir()) == [file_of(files, place)]


def test_a_token_that_came_between_looking_and_claiming_is_used(new_task, use, emulator, monkeypatch):
    late, other, claim = new_task(), new_task(), HostFiles.claim

    def overtaken(files, about):
        monkeypatch.setattr(HostFiles, "claim", claim)
        use(other)
        return claim(files, about)

    monkeypatch.setattr(HostFiles, "claim", overtaken)
    use(late)
    assert len(emulator.requests(*LOGIN)) == 1


# Specs


def spec():
    return get_connection_spec(get_destination("s3"))


def test_a_connection_spec_is_read_once_for_a_host_and_an_hour(new_task, use, emulator, clock):
    for _ in range(2):
        use(new_task(), spec)
    assert len([each for each in emulator.requests("GET") if "connectionSpecs" in each.path]) == 1
    clock.advance(3600)
    use(new_task(), spec)
    assert len([each for each in emulator.requests("GET") if "connectionSpecs" in each.path]) == 2


def test_a_spec_from_the_file_is_the_spec_from_the_service(new_task, emulator):
    specs = [drive(new_task().conduct(spec(), sandbox="prod"), emulator) for _ in range(2)]
    assert specs[0] == specs[1]


def test_what_guards_writes_is_asked_by_each_process(new_task, emulator):
    for _ in range(2):
        assert drive(new_task().conduct(read_sandbox_type("prod"), sandbox="prod"), emulator)[1] is None
    assert len([each for each in emulator.requests("GET") if "sandboxes" in each.path]) == 2


# What lies in the token's place


def a_link(file):
    elsewhere = file.with_name("elsewhere")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def a_directory(file):
    file.unlink()
    file.mkdir()


def a_pipe_that_nobody_writes_to(file):
    file.unlink()
    os.mkfifo(file, 0o600)


def open_to_the_world(file):
    file.chmod(0o644)


def cut_short(file):
    file.write_bytes(file.read_bytes()[:-1])


def cut_in_the_head(file):
    file.write_bytes(file.read_bytes()[:20])


def empty(file):
    file.write_bytes(b"")


def of_another_version(file):
    file.write_bytes(file.read_bytes().replace(b"aep-host-file-1", b"aep-host-file-2"))


def changed_in_a_bit(file):
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)


def very_large(file):
    with file.open("ab") as grown:
        grown.truncate(50_000_000)


@pytest.mark.parametrize(
    "spoil",
    [
        a_link,
        a_directory,
        a_pipe_that_nobody_writes_to,
        open_to_the_world,
        cut_short,
        cut_in_the_head,
        empty,
        of_another_version,
        changed_in_a_bit,
        very_large,
    ],
)
def test_a_spoilt_file_costs_one_token_and_no_wait(new_task, use, emulator, files, place, spoil):
    use(new_task())
    spoil(file_of(files, place))
    assert use(new_task()) == []
    assert len(emulator.requests(*LOGIN)) == 2
    assert use(new_task()) == []
    mended = 0 if spoil is a_directory else 1
    assert len(emulator.requests(*LOGIN)) == 3 - mended


@pytest.mark.parametrize(
    "error", [UnsupportedAlgorithm("not in FIPS mode"), RuntimeError(), AttributeError()]
)
def test_where_the_library_cannot_seal_each_fetches_its_own_token(
    new_task, use, emulator, monkeypatch, error
):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr("cryptography.hazmat.primitives.kdf.hkdf.HKDF", refuse)
    assert use(new_task()) == use(new_task()) == []
    assert len(emulator.requests(*LOGIN)) == 2


@pytest.mark.parametrize("spoil", [a_pipe_that_nobody_writes_to, very_large])
def test_what_could_go_on_for_ever_is_not_read_at_all(place, spoil):
    directory = private_directory.PrivateDirectory((str(place),))
    directory.write("name", b"content")
    spoil(home_of(place) / "name")
    with pytest.raises(PermissionError):
        directory.read("name")


def test_a_file_of_another_owner_is_not_read(new_task, use, emulator, files, place, monkeypatch):
    use(new_task())
    theirs = file_of(files, place).stat().st_ino
    real = os.fstat

    def fstat(file):
        status = list(real(file))
        status[4] += real(file).st_ino == theirs
        return os.stat_result(status)

    monkeypatch.setattr(private_directory.os, "fstat", fstat)
    use(new_task())
    assert len(emulator.requests(*LOGIN)) == 2


@pytest.mark.parametrize(
    "content", [None, "t", [], {}, {"value": "t", "since": "now", "lasts": 9}, {"value": 1}]
)
def test_a_token_of_an_odd_shape_is_none(new_task, use, emulator, files, content):
    files.write(TOKEN, content)
    use(new_task())
    assert len(emulator.requests(*LOGIN)) == 1


@pytest.mark.parametrize("years", [1, -1])
def test_a_token_of_a_clock_that_is_a_year_off_is_not_used(
    new_task, use, emulator, clock, files, tokens, years
):
    files.write(TOKEN, {"value": "odd", "since": clock() + years * YEAR, "lasts": 86399})
    use(new_task())
    assert "odd" not in tokens
    assert len(emulator.requests(*LOGIN)) == 1


def test_no_token_is_used_for_longer_than_a_day_whatever_its_file_says(new_task, use, emulator, clock, files):
    use(new_task())
    files.write(TOKEN, {**files.read(TOKEN), "lasts": 100 * YEAR})
    clock.advance(86400 - 599)
    use(new_task())
    assert len(emulator.requests(*LOGIN)) == 2


# Locks


def test_who_waits_for_a_lock_that_is_never_released_fetches_a_token_in_the_end(
    new_task, use, emulator, files, clock
):
    held = files.claim(TOKEN)
    assert held.lock
    waited = sum(use(new_task()))
    assert PATIENCE <= waited < PATIENCE + 1
    assert use(new_task()) == []  # though the lock is still held
    assert len(emulator.requests(*LOGIN)) == 1
    held.release()


@pytest.mark.parametrize("spoil", ["a directory", "a link", "no locks", "read-only"])
def test_who_cannot_lock_fetches_a_token_at_once(new_task, use, emulator, files, place, monkeypatch, spoil):
    files.write(("another",), "to make the directory")
    lock = file_of(files, place).with_suffix(".lock")
    if spoil == "a directory":
        lock.mkdir()
    elif spoil == "a link":
        lock.symlink_to("elsewhere")
    elif spoil == "no locks":

        def no_locks(*_):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(private_directory.fcntl, "flock", no_locks)
    else:
        real = os.open

        def read_only(path, flags, *mode, **more):
            if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                raise OSError(errno.EROFS, "Read-only file system")
            return real(path, flags, *mode, **more)

        monkeypatch.setattr(private_directory.os, "open", read_only)
    assert use(new_task()) == []
    assert use(new_task()) == []
    assert len(emulator.requests(*LOGIN)) == (2 if spoil == "read-only" else 1)
    assert not lock.with_name("elsewhere").exists()


def test_a_released_lock_is_free_though_another_process_still_has_the_file_open(files):
    claim = files.claim(TOKEN)
    copy = os.dup(claim.lock._file)  # as a child has it that was forked at the wrong moment
    claim.release()
    again = files.claim(TOKEN)
    os.close(copy)
    assert again.lock
    again.release()


def test_nobody_is_told_of_a_token_while_a_lock_is_held(new_task, use, files):
    free = []

    def told(token):
        claim = files.claim(TOKEN)
        free.append(not claim.busy)
        claim.release()

        def elsewhere():
            free.append(task._tokens._lock.acquire(timeout=5))
            task._tokens._lock.release()

        other = threading.Thread(target=elsewhere)
        other.start()
        other.join()

    for _ in range(2):  # the one that fetches it, and the one that reads it
        task = new_task(on_token=told)
        use(task)
    assert free == [True] * 4


def test_on_an_event_loop_no_file_is_touched_by_the_loops_thread(new_task, emulator, monkeypatch):
    touched_by = set()
    real = os.open

    def noted(path, flags, *mode, **more):
        touched_by.add(threading.current_thread())
        return real(path, flags, *mode, **more)

    monkeypatch.setattr(private_directory.os, "open", noted)
    asyncio.run(adrive(new_task().conduct(list_datasets(), sandbox="prod"), emulator))
    assert touched_by
    assert threading.main_thread() not in touched_by


# Directories


def missing(home):
    home.parent.rmdir()


def link(home):
    elsewhere = home.with_name("elsewhere")
    elsewhere.mkdir(0o700)
    home.symlink_to(elsewhere)


def file(home):
    home.touch()


def readable(home):
    home.mkdir(0o755)


@pytest.mark.parametrize("spoil", [missing, link, file, readable])
def test_without_a_private_directory_each_process_fetches_its_own_and_says_so_once(
    new_task, use, emulator, place, spoil, caplog, monkeypatch, tokens, credentials
):
    monkeypatch.setattr(host_files_module, "_reported", False)
    caplog.set_level(logging.INFO)
    parent = place / "parent"
    parent.mkdir()
    spoil(home_of(parent))
    for _ in range(2):
        assert use(new_task(place=parent)) == []
    assert len(emulator.requests(*LOGIN)) == 2
    (line,) = (each.getMessage() for each in caplog.records if "shares no token" in each.getMessage())
    assert str(parent) in line
    assert not any(secret in line for secret in (*tokens, credentials.client_secret))


def test_where_somebody_has_taken_the_name_the_next_place_is_used(place):
    for parent in ("first", "second"):
        (place / parent).mkdir()
    home_of(place / "first").mkdir(0o777)
    directory = private_directory.PrivateDirectory((str(place / "first"), str(place / "second")))
    directory.write("name", b"content")
    assert (home_of(place / "second") / "name").read_bytes() == b"content"


def test_a_directory_of_another_owner_is_not_entered(place, monkeypatch):
    directory = private_directory.PrivateDirectory((str(place),))
    directory.write("name", b"content")
    me = os.geteuid()
    monkeypatch.setattr(private_directory.os, "geteuid", lambda: me + 1)
    home_of(place).symlink_to(place / f"airflow-provider-aep-{me}")
    with pytest.raises(NotADirectoryError):
        directory.read("name")
    home_of(place).unlink()
    (place / f"airflow-provider-aep-{me}").rename(home_of(place))
    with pytest.raises(PermissionError):
        directory.read("name")


# How long a token lasts


class Login:
    """The way to the emulator, on which the life of each token is told otherwise."""

    def __init__(self, emulator, lasts):
        self.emulator, self.lasts = emulator, lasts

    def send(self, request):
        answer = self.emulator.send(request)
        if request.form is None:
            return answer
        return Response(200, body=json.dumps({**answer.json, "expires_in": self.lasts}).encode())


@pytest.mark.parametrize(
    ("lasts", "used_for"),
    [
        ("86399", 85799),
        (0, 30),
        (-5, 30),
        (math.nan, 30),
        ("NaN", 30),
        (math.inf, 85800),
        (86399000, 85800),
        (10**400, 85800),
    ],
)
def test_a_token_is_used_for_half_a_minute_at_least_and_a_day_at_most(
    credentials, clock, emulator, lasts, used_for
):
    session, login = AepSession(credentials, now=clock), Login(emulator, lasts)

    def fetched():
        drive(session.conduct(list_datasets(), sandbox="prod"), login)
        return len(emulator.requests(*LOGIN))

    assert fetched() == 1
    clock.advance(used_for - 1)
    assert fetched() == 1
    clock.advance(1)
    assert fetched() == 2


@pytest.mark.parametrize("lasts", ["soon", "", None, True, [9]])
def test_a_life_that_is_no_number_is_an_error(credentials, clock, emulator, lasts):
    session = AepSession(credentials, now=clock)
    with pytest.raises(AepAuthError, match="expires_in"):
        drive(session.conduct(list_datasets(), sandbox="prod"), Login(emulator, lasts))


# Finalisers


def test_an_exchange_that_is_collected_while_its_thread_holds_the_lock_blocks_nobody(credentials, clock):
    session = AepSession(credentials, now=clock)
    exchange = session.conduct(list_datasets(), sandbox="prod")
    assert isinstance(next(exchange), Request)
    done = threading.Event()

    def collect():
        with session._tokens._lock:
            exchange.close()
        done.set()

    threading.Thread(target=collect, daemon=True).start()
    assert done.wait(5)
