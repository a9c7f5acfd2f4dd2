"""``aep doctor``: what it finds out about this machine and its Airflow before it asks Adobe."""

from __future__ import annotations

import json
import os
import socket
from types import SimpleNamespace

import pytest

from airflow_provider_aep.cli import doctor, main
from airflow_provider_aep.emulator.server import serve
from airflow_provider_aep.errors import AepAuthError
from airflow_provider_aep.flowservice.dataflows import list_dataflows
from airflow_provider_aep.flowservice.transport import why_unreachable
from airflow_provider_aep.hooks import AepHook


@pytest.fixture
def examined(aep, capsys, monkeypatch, tmp_path):
    """``examined()``: exit code and the findings by their check; the hosts can be reached, and Airflow has no
    database.
    """
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/never.db")
    monkeypatch.setattr(doctor, "why_unreachable", lambda *_, **__: None)

    def run(*arguments: str):
        code = main(["doctor", "--json", *arguments])
        return code, {one["check"]: one for one in json.loads(capsys.readouterr().out)["findings"]}

    return run


def test_the_doctor_finds_nothing_wrong(examined):
    code, found = examined()
    assert code == 0
    levels = [one["level"] for one in found.values()]
    assert levels == ["ok"] * 7 + ["not checked"] + ["ok"] * 4 + ["not checked"]


def test_the_doctor_begins_with_the_connection(examined, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", '{"conn_type": "aep", "login": "me"}')
    code, found = examined()
    first, *rest = found.values()
    assert code == 1
    assert "password (client secret) is missing" in first["seen"]
    assert {one["level"] for one in rest} == {"not checked"}


def test_a_name_that_nobody_resolves_is_told_at_once_and_accuses_no_password(
    examined, monkeypatch, clock, aep
):
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(doctor, "why_unreachable", why_unreachable)
    monkeypatch.setattr(socket, "create_connection", nowhere)
    before = clock()
    code, found = examined()
    assert code == 1
    assert found["network"]["seen"] == ("the name 127.0.0.1 cannot be resolved (Name or service not known)")
    assert "Check name resolution, firewall and proxy" in found["network"]["advice"]
    assert "proxy in the extra of Airflow connection 'aep_default'" in found["network"]["advice"]
    assert found["token"] == {
        "check": "token",
        "level": "not checked",
        "seen": "needs: network",
        "advice": "",
    }
    assert (clock() - before, aep.log) == (0, [])


def test_a_network_that_breaks_later_accuses_no_password_either(examined, aep):
    aep.reset_next(times=50, match="POST /ims/token")
    code, found = examined()
    assert code == 1
    assert found["token"]["level"] == "fail"
    assert "Check name resolution, firewall and proxy" in found["token"]["advice"]
    assert "Compare login" not in found["token"]["advice"]


def test_a_wrong_secret_names_the_connection(examined, monkeypatch, aep):
    wrong = {**json.loads(os.environ["AIRFLOW_CONN_AEP_DEFAULT"]), "password": "wrong-wrong-wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(wrong))
    _, found = examined("--conn-id", "other")
    assert "of Airflow connection 'other'" in found["token"]["seen"]
    assert found["token"]["advice"].startswith("Compare login and password of Airflow connection 'other'")
    with pytest.raises(AepAuthError, match=r"client secret\) of Airflow connection 'other'\.$"):
        AepHook("other").run(list_dataflows())


@pytest.mark.parametrize(
    ("job", "level", "seen"),
    [
        (None, "warn", "no triggerer has ever run"),
        (SimpleNamespace(is_alive=lambda: False), "warn", "no triggerer is alive"),
        (SimpleNamespace(is_alive=lambda: True), "ok", "a triggerer is alive"),
    ],
)
def test_a_triggerer_that_is_not_there_is_a_warning(examined, monkeypatch, tmp_path, job, level, seen):
    from airflow.jobs import job as jobs

    (tmp_path / "airflow.db").touch()
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/airflow.db")
    monkeypatch.setattr(jobs, "most_recent_job", lambda kind: job)
    code, found = examined()
    assert (code, found["triggerer"]["level"], found["triggerer"]["seen"]) == (0, level, seen)
    assert ("airflow triggerer" in found["triggerer"]["advice"]) == (level == "warn")


def test_a_database_that_is_not_there_is_not_made(examined, monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/airflow.db")
    assert examined()[1]["triggerer"]["level"] == "not checked"
    assert list(tmp_path.iterdir()) == []


class TestReach:
    """One look whether a host can be connected to, or the proxy on the way."""

    @pytest.fixture(autouse=True)
    def no_proxies(self, monkeypatch):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)

    def test_a_host_that_listens(self, emulator):
        with serve(emulator) as url:
            assert why_unreachable(url, proxy=None, timeout=1) is None

    def test_a_port_where_nobody_listens(self):
        told = why_unreachable("http://127.0.0.1:1", proxy=None, timeout=1)
        assert told is not None
        assert told.startswith("127.0.0.1 cannot be connected to (ConnectionRefusedError")

    @pytest.mark.parametrize("proxy", ["http://me:s3cret@127.0.0.1:1", "127.0.0.1:1"])
    def test_a_proxy_is_looked_at_in_the_place_of_the_host(self, proxy):
        told = why_unreachable("https://platform.adobe.io", proxy=proxy, timeout=1)
        assert told is not None
        assert told.endswith("it is the proxy on the way to platform.adobe.io")
        assert "s3cret" not in told
