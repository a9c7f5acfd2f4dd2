"""``aep probe``."""

from __future__ import annotations

import json
import os
import signal

import pytest

from airflow_provider_aep.cli import main, probe
from airflow_provider_aep.probe.export import is_of_a_probe

KINDS = ("flows", "connections", "sourceConnections", "targetConnections")


@pytest.fixture
def emulator_time(clock, monkeypatch):
    from datetime import UTC, datetime

    monkeypatch.setattr(probe, "_now", lambda: datetime.fromtimestamp(clock(), tz=UTC))


@pytest.fixture
def aep_probe(aep, capsys, emulator_time):
    """``aep_probe("--json")``: exit code, standard output, standard error."""

    def call(*arguments):
        code = main(["probe", *arguments])
        out, err = capsys.readouterr()
        assert aep.client_secret not in out + err
        assert "Traceback" not in out + err
        return code, out, err

    return call


def written(aep):
    return [each for each in aep.log if each.method != "GET" and "/ims/" not in each.path]


def remains(aep, sandbox="dev"):
    return [one for kind in KINDS for one in aep.entities(kind, sandbox) if is_of_a_probe(one)]


def test_it_only_reads_unless_it_is_told_otherwise(aep_probe, aep, make_dataflow):
    make_dataflow("nightly")
    code, out, err = aep_probe()
    assert (code, err) == (0, "")
    assert written(aep) == []
    assert "as assumed  filter on id: finds 1 entity, and no other\n" in out
    assert "nightly" not in out
    assert "not told    other members" not in out
    assert "\nnot told    several values in a filter: needs two entities of a kind\n" in out
    assert out.splitlines()[-1].endswith(" not told")


def test_each_row_tells_what_was_seen_what_the_documents_say_and_what_the_provider_does(aep_probe):
    lines = aep_probe()[1].splitlines()[:-2]
    assert len(lines) % 3 == 0
    for seen, documents, provider in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        assert seen[:10].strip() in ("as assumed", "differs", "error", "not told")
        assert documents.strip().startswith("documents: ")
        assert provider.strip().startswith("provider: ")


def test_json_is_one_document(aep_probe, make_dataflow):
    make_dataflow("nightly")
    code, out, _ = aep_probe("--json")
    document = json.loads(out)
    assert (code, document["wrote"], document["summary"]["error"]) == (0, False, 0)
    assert {"name", "result", "documents", "source", "seen", "provider"} == set(document["results"][0])
    assert sum(document["summary"].values()) == len(document["results"])


def test_writing_makes_an_export_and_removes_it(aep_probe, aep):
    code, out, err = aep_probe("--write", "--sandbox", "dev", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["wrote"] is True
    assert aep.requests("POST", "/flows")
    assert remains(aep) == []


def test_production_needs_its_name(aep_probe, aep):
    code, out, err = aep_probe("--write", "--json")
    assert code == 2
    assert "--confirm-sandbox prod" in err
    assert json.loads(out) == {"error": "ended with AepConfigError"}
    assert written(aep) == []
    code, _, _ = aep_probe("--write", "--confirm-sandbox", "prod")
    assert code == 0
    assert written(aep)
    assert remains(aep, "prod") == []


def test_the_name_of_another_sandbox_opens_none(aep_probe, aep):
    code, _, err = aep_probe("--write", "--sandbox", "dev", "--confirm-sandbox", "prod")
    assert (code, written(aep)) == (2, [])
    assert "names another sandbox than 'dev'" in err


def test_a_name_without_writing_is_told(aep_probe):
    code, _, err = aep_probe("--confirm-sandbox", "prod")
    assert (code, "goes with --write" in err) == (2, True)


def test_a_connection_that_may_not_write_writes_nothing(aep_probe, aep, monkeypatch):
    document = json.loads(os.environ["AIRFLOW_CONN_AEP_DEFAULT"])
    document["extra"]["writes"] = "none"
    monkeypatch.setenv("AIRFLOW_CONN_AEP_DEFAULT", json.dumps(document))
    code, _, err = aep_probe("--write", "--sandbox", "dev")
    assert (code, written(aep)) == (2, [])
    assert "extra.writes is none" in err


def test_another_destination_takes_its_login_and_parameters(aep_probe, aep, monkeypatch):
    secret = "S3SecretKeyS3SecretKeyS3SecretKey0123456"
    login = {"conn_type": "aws", "login": "AKIA2345ABCDEFGH2345", "password": secret}
    monkeypatch.setenv("AIRFLOW_CONN_CRM_BUCKET", json.dumps(login))
    given = ("--write", "--sandbox", "dev", "--destination", "s3", "--credentials-conn-id", "crm_bucket")
    code, out, err = aep_probe(*given, "--target-param", "bucketName=acme-exports")
    assert (code, err) == (0, "")
    assert secret not in out
    assert "acme-exports" not in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--write", "--sandbox", "dev", "--destination", "s3"), "credentials_conn_id"),
        (("--write", "--sandbox", "dev", "--destination", "ftp"), "must be one of"),
        (("--write", "--sandbox", "dev", "--target-param", "bucketName"), "NAME=VALUE"),
        (("--sandbox", "nowhere"), "sandbox"),
        (("--conn-id", "nobody"), "'nobody'"),
    ],
)
def test_what_keeps_it_from_running_is_exit_code_two(aep_probe, aep, arguments, told):
    code, _, err = aep_probe(*arguments)
    assert code == 2
    assert told in err
    assert written(aep) == []


def test_a_deviation_that_the_provider_cannot_notice_is_exit_code_one(aep_probe, aep):
    aep.enter("if-match-ignored")
    code, out, _ = aep_probe("--write", "--sandbox", "dev")
    assert code == 1
    assert "error       If-Match: a stale etag is taken as well\n" in out


def test_what_is_left_is_told_on_standard_error_and_ends_with_two(aep_probe, aep):
    aep.fail_next(403, times=100, match="DELETE /connections/")
    code, out, err = aep_probe("--write", "--sandbox", "dev")
    (left,) = remains(aep)
    assert code == 2
    assert f"left behind: base connection {left['id']}: remove it by DELETE /data/" in err
    assert left["id"] not in out
    aep.clear_faults()
    code, _, err = aep_probe("--write", "--sandbox", "dev")
    assert (code, remains(aep)) == (0, [])
    assert "removed 1 entities that an earlier probe had left" in err


@pytest.fixture
def heeds_ctrl_c():
    """What a shell starts in its background ignores SIGINT, and these tests may be started so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_removes_what_was_made(aep_probe, aep, monkeypatch, number):
    send, reads = aep.handle, []

    def interrupted(request):
        response = send(request)
        if request.method == "GET" and aep.entities("flows", "dev") and not reads:
            reads.append(request)
            os.kill(os.getpid(), number)
        return response

    monkeypatch.setattr(aep, "send", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    code, _, err = aep_probe("--write", "--sandbox", "dev")
    assert code == 130
    assert "removing what the probe created" in err
    assert reads
    assert remains(aep) == []
    assert signal.getsignal(signal.SIGTERM) is before
