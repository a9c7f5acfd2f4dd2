from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from airflow_provider_aep.errors import AepApiError, AepConflictError, AepValidationError
from airflow_provider_aep.flowservice.connections import (
    create_base_connection,
    create_source_connection,
    create_target_connection,
    get_connection_spec,
    target_warnings,
)
from airflow_provider_aep.flowservice.dataflows import create_dataflow
from airflow_provider_aep.flowservice.destinations import (
    DATA_LAKE_SPEC_ID,
    DATA_LANDING_ZONE,
    DESTINATIONS,
    S3,
    SFTP,
)
from airflow_provider_aep.flowservice.driving import drive
from airflow_provider_aep.flowservice.held_logins import hold_login
from airflow_provider_aep.flowservice.schedule import parse_schedule
from tests.unit.flowservice.storage_logins import KEY, LOGINS, SECRET

CRM = "5ef3e3259ad2a1191ab7dd7d"
PLACES = {
    "s3": {"bucketName": "acme-exports", "path": "aep/crm"},
    "azure_blob": {"container": "acme-exports", "path": "aep/crm"},
    "adls_gen2": {"path": "aep/crm"},
    "data_landing_zone": {"path": "aep/crm"},
    "gcs": {"bucketName": "acme_exports", "path": "aep/crm"},
    "sftp": {"remotePath": "/aep/crm"},
}

CHAINS = [
    ("s3", "s3"),
    ("azure_blob", "azure_blob, account and key"),
    ("adls_gen2", "adls_gen2, account as host"),
    ("data_landing_zone", None),
    ("gcs", "gcs"),
    ("sftp", "sftp, password"),
    ("sftp", "sftp, key"),
]


# The whole way


@pytest.mark.parametrize(("slug", "case"), CHAINS, ids=[case or slug for slug, case in CHAINS])
def test_an_export_is_set_up_with_four_requests_and_no_more(run, emulator, now, slug, case):
    destination = DESTINATIONS[slug]
    login = hold_login(destination, LOGINS[case][1], conn_id="storage") if case else None
    run(get_connection_spec(destination))
    emulator.log.clear()

    source = run(create_source_connection(name="crm", datasets=[{"id": CRM, "name": "CRM Profiles"}]))
    base = run(create_base_connection(name="crm", destination=destination, login=login))
    target = run(
        create_target_connection(
            name="crm",
            destination=destination,
            base_connection_id=base.id,
            target_params={**PLACES[slug], "datasetFileType": "PARQUET"},
        )
    )
    flow = run(
        create_dataflow(
            name="crm",
            destination=destination,
            source_connection_id=source.id,
            target_connection_id=target.id,
            schedule=parse_schedule({"every": "3h", "end": now + timedelta(days=9)}, now=now),
            now=now,
        )
    )

    assert [(each.method, each.path, each.status) for each in emulator.log] == [
        ("POST", "/sourceConnections", 201),
        ("POST", "/connections", 201),
        ("POST", "/targetConnections", 201),
        ("POST", "/flows", 201),
    ]
    assert emulator.entities("flows")[0]["id"] == flow.id


class Tap:
    """Shows the last body as it went out; the emulator's own log hides logins."""

    def __init__(self, emulator):
        self.emulator, self.bodies = emulator, {}

    def send(self, request):
        self.bodies[request.path] = request.json
        return self.emulator.send(request)


@pytest.fixture
def sent(run, emulator):
    """The body that an exchange sends to a path."""

    def sent(path, exchange):
        tap = Tap(emulator)
        drive(run.session.conduct(exchange, sandbox="prod"), tap)
        return tap.bodies[path]

    return sent


def test_a_source_connection_is_sent_as_documented(sent):
    datasets = [CRM, {"id": "5ef3e324ab7dd7d3259a1191", "name": "Loyalty", "description": "left out"}]
    body = sent(
        "/sourceConnections", create_source_connection(name="crm", datasets=datasets, description="d")
    )
    assert body == {
        "name": "crm",
        "description": "d",
        "connectionSpec": {"id": DATA_LAKE_SPEC_ID, "version": "1.0"},
        "params": {
            "datasets": [
                {"dataSetId": CRM, "name": "CRM Profiles"},
                {"dataSetId": "5ef3e324ab7dd7d3259a1191", "name": "Loyalty"},
            ]
        },
    }


def test_a_base_connection_is_sent_as_documented(sent):
    login = {"specName": "SFTP with SSH Key", "params": LOGINS["sftp, key"][2][1]}
    body = sent("/connections", create_base_connection(name="crm", destination=SFTP, login=login))
    assert body == {
        "name": "crm",
        "connectionSpec": {"id": SFTP.connection_spec_id, "version": "1.0"},
        "auth": login,
    }
    assert base64.b64decode(body["auth"]["params"]["sshKey"]).decode() == KEY


def test_the_landing_zone_is_sent_no_auth_at_all(sent):
    body = sent("/connections", create_base_connection(name="x", destination=DATA_LANDING_ZONE, login=None))
    assert body == {
        "name": "x",
        "connectionSpec": {"id": DATA_LANDING_ZONE.connection_spec_id, "version": "1.0"},
    }


def test_a_target_connection_is_sent_as_documented(run, sent):
    base = run(create_base_connection(name="crm", destination=DATA_LANDING_ZONE, login=None))
    params = {"path": "aep", "datasetFileType": "JSON"}
    body = sent("/targetConnections", target(DATA_LANDING_ZONE, params, base_connection_id=base.id))
    assert body == {
        "name": "crm",
        "baseConnectionId": base.id,
        "connectionSpec": {"id": DATA_LANDING_ZONE.connection_spec_id, "version": "1.0"},
        "params": {
            "mode": "Server-to-server",
            "path": "aep",
            "datasetFileType": "JSON",
            "compression": "GZIP",
        },
    }


def test_explicit_parameters_win_over_our_defaults(run, sent):
    base = run(create_base_connection(name="crm", destination=DATA_LANDING_ZONE, login=None))
    params = {"path": "a", "datasetFileType": "PARQUET", "compression": "NONE", "includeFileManifest": True}
    body = sent("/targetConnections", target(DATA_LANDING_ZONE, params, base_connection_id=base.id))
    assert body["params"] == {"mode": "Server-to-server", **params}


# Refused before anything is created


@pytest.fixture
def refused(run, emulator):
    """The refusal of an exchange that must not have created anything."""

    def refused(exchange):
        with pytest.raises(AepValidationError) as caught:
            run(exchange)
        assert [each for each in emulator.log if each.method == "POST" and each.path != "/ims/token/v3"] == []
        return str(caught.value)

    return refused


MARK = "n0t-t0-be-qu0ted"
S3_PLACE = {"bucketName": "acme-exports", "path": "aep/crm", "datasetFileType": "JSON"}


def target(destination, params, base_connection_id="b-1", **more):
    return create_target_connection(
        name="crm",
        destination=destination,
        base_connection_id=base_connection_id,
        target_params=params,
        **more,
    )


def without(params, key):
    return {name: value for name, value in params.items() if name != key}


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (without(S3_PLACE, "bucketName"), "/bucketName is missing"),
        (without(S3_PLACE, "path"), "/path is missing"),
        (without(S3_PLACE, "datasetFileType"), "/datasetFileType is missing"),
        ({**S3_PLACE, "bucketName": f"{MARK}_underscored"}, "/bucketName must be 3 to 63 characters"),
        ({**S3_PLACE, "bucketName": "Upper" + MARK}, "/bucketName must be 3 to 63"),
        ({**S3_PLACE, "bucketName": "no"}, "/bucketName must be 3 to 63"),
        ({**S3_PLACE, "path": f"{MARK} with blanks"}, "/path must not contain blanks"),
        ({**S3_PLACE, "path": f"{MARK}/%DATASET_ID%"}, "macros belong in the schedule's folder_template"),
        ({**S3_PLACE, "path": MARK * 100}, "/path must be at most 1024 characters long"),
        ({**S3_PLACE, "path": f"{MARK}\n"}, "/path must not contain line breaks"),
        ({**S3_PLACE, "path": 7}, "/path must be a text"),
        ({**S3_PLACE, "datasetFileType": f"CSV-{MARK}"}, "/datasetFileType must be one of JSON, PARQUET"),
        ({**S3_PLACE, "compression": MARK}, "/compression must be one of NONE, GZIP"),
        ({**S3_PLACE, "fileType": "JSON"}, "/fileType applies to audience exports"),
        ({**S3_PLACE, "csvOptions": {"delimiter": MARK}}, "/csvOptions applies to audience exports"),
        ({**S3_PLACE, "buketName": MARK}, "(did you mean 'bucketName'?)"),
        ({**S3_PLACE, "zzz": MARK}, "/zzz is not a parameter of this destination; there are"),
    ],
)
def test_a_target_that_breaks_the_live_spec_is_refused_without_quoting_it(refused, params, told):
    message = refused(target(S3, params))
    assert told in message
    assert "the Amazon S3 target_params" in message
    assert MARK not in message


@pytest.mark.parametrize("slug", DESTINATIONS)
def test_every_destination_has_its_place_checked(refused, slug):
    (key, *_) = PLACES[slug]
    params = {**without(PLACES[slug], key), "datasetFileType": "JSON"}
    assert f"/{key} is missing" in refused(target(DESTINATIONS[slug], params))


def test_all_problems_of_a_target_are_told_at_once(refused):
    message = refused(target(S3, {"path": "a b", "fileType": "CSV", "compresion": "GZIP"}))
    assert message.startswith("5 problems with the Amazon S3 target_params")
    for pointer in ("/path", "/bucketName", "/datasetFileType", "/fileType", "/compresion"):
        assert f"{pointer} " in message


@pytest.mark.parametrize("slug", DESTINATIONS)
def test_file_type_is_not_asked_for_although_the_spec_lists_it_as_required(run, sent, slug):
    case = dict(CHAINS)[slug]
    login = hold_login(DESTINATIONS[slug], LOGINS[case][1], conn_id="c") if case else None
    base = run(create_base_connection(name="crm", destination=DESTINATIONS[slug], login=login))
    params = {**PLACES[slug], "datasetFileType": "PARQUET"}
    body = sent("/targetConnections", target(DESTINATIONS[slug], params, base_connection_id=base.id))
    assert "fileType" not in body["params"]


def test_uncompressed_json_is_sent_with_a_warning(run, emulator):
    params = {"path": "a", "datasetFileType": "JSON", "compression": "NONE"}
    base = run(create_base_connection(name="crm", destination=DATA_LANDING_ZONE, login=None))
    run(target(DATA_LANDING_ZONE, params, base_connection_id=base.id))
    assert emulator.entities("targetConnections")[0]["params"]["compression"] == "NONE"
    (warning,) = target_warnings(params)
    assert "compressed only" in warning
    assert target_warnings({**params, "compression": "GZIP"}) == []
    assert target_warnings({**params, "datasetFileType": "PARQUET"}) == []


S3_LOGIN = {"s3AccessKey": "AKIA2345ABCDEFGH2345", "s3SecretKey": SECRET}


@pytest.mark.parametrize(
    ("login", "told"),
    [
        ({"specName": "Acces Key", "params": S3_LOGIN}, "specName must be one of Access Key"),
        ({"params": S3_LOGIN}, "specName must be one of Access Key"),
        ({"specName": "Access Key", "params": {}}, "/s3AccessKey is missing; /s3SecretKey is missing"),
        ({"specName": "Access Key"}, "/s3AccessKey is missing; /s3SecretKey is missing"),
        (
            {"specName": "Access Key", "params": {**S3_LOGIN, "s3SecretKey": MARK}},
            "/s3SecretKey must be 40 characters",
        ),
        (
            {"specName": "Access Key", "params": {**S3_LOGIN, "s3SecretKey": SECRET + "\n"}},
            "/s3SecretKey must not contain line breaks",
        ),
        (
            {"specName": "Access Key", "params": {"s3AccessKey": MARK, "s3SecretKey": [MARK]}},
            "2 problems with the Amazon S3 login",
        ),
    ],
)
def test_a_login_that_breaks_the_live_spec_is_refused_without_quoting_it(refused, login, told):
    advice = "Check Airflow connection 'storage'."
    exchange = create_base_connection(name="crm", destination=S3, login=login, advice=advice)
    message = refused(exchange)
    assert told in message
    assert message.endswith(advice)
    assert MARK not in message
    assert SECRET not in message


def test_a_login_for_the_landing_zone_is_refused(refused):
    login = {"specName": "Access Key", "params": S3_LOGIN}
    message = refused(create_base_connection(name="x", destination=DATA_LANDING_ZONE, login=login))
    assert "send no login" in message


@pytest.mark.parametrize(
    ("datasets", "told"),
    [
        ([], "at least one dataset"),
        (CRM, "must be a list"),
        ({"id": CRM}, "must be a list"),
        (None, "must be a list"),
        ([{"name": "no id"}], "datasets/0 is missing"),
        ([CRM, f"{MARK}/../x"], "datasets/1 must be an id"),
        ([CRM, 7], "datasets/1 must be an id"),
        ([CRM, {"id": CRM, "name": "again"}], "names a dataset twice"),
    ],
)
def test_datasets_that_cannot_be_exported_are_refused(refused, datasets, told):
    message = refused(create_source_connection(name="crm", datasets=datasets))
    assert told in message
    assert MARK not in message


@pytest.mark.parametrize(
    "make",
    [
        lambda name: create_source_connection(name=name, datasets=[CRM]),
        lambda name: create_base_connection(name=name, destination=DATA_LANDING_ZONE, login=None),
        lambda name: create_target_connection(
            name=name,
            destination=DATA_LANDING_ZONE,
            base_connection_id="b",
            target_params={"path": "a", "datasetFileType": "JSON"},
        ),
    ],
    ids=["source", "base", "target"],
)
def test_an_entity_needs_a_name(refused, emulator, make):
    assert "name is missing" in refused(make("  "))
    assert emulator.log == []


def test_a_base_connection_id_from_elsewhere_is_refused_before_the_spec_is_read(refused, emulator):
    assert "base_connection_id" in refused(target(S3, S3_PLACE, base_connection_id="a/b"))
    assert emulator.log == []


# Again


def test_a_retried_task_adopts_each_of_its_connections(run, emulator):
    def everything():
        marked = {"marker": "dag/run", "look_first": True}
        source = run(create_source_connection(name="s", datasets=[CRM], **marked))
        base = run(create_base_connection(name="b", destination=DATA_LANDING_ZONE, login=None, **marked))
        params = {"path": "a", "datasetFileType": "JSON"}
        made = run(target(DATA_LANDING_ZONE, params, base_connection_id=base.id, **marked))
        return source, base, made

    first, again = everything(), everything()
    assert [each.id for each in again] == [each.id for each in first]
    assert [each.adopted for each in first + again] == [False] * 3 + [True] * 3


def test_a_retried_task_with_other_datasets_is_a_conflict(run, emulator):
    marked = {"name": "s", "marker": "dag/run", "look_first": True}
    run(create_source_connection(datasets=[CRM], **marked))
    with pytest.raises(AepConflictError, match="/params/datasets/0/dataSetId"):
        run(create_source_connection(datasets=["5ef3e324ab7dd7d3259a1191"], **marked))


def test_a_new_password_does_not_make_another_base_connection(run, emulator):
    marked = {"name": "b", "destination": S3, "marker": "dag/run", "look_first": True}
    first = run(create_base_connection(login={"specName": "Access Key", "params": S3_LOGIN}, **marked))
    rotated = {"specName": "Access Key", "params": {**S3_LOGIN, "s3SecretKey": "z" * 40}}
    assert run(create_base_connection(login=rotated, **marked)).id == first.id


@pytest.mark.parametrize("params", [None, "text", ["text"], {1: 2, "path": "x"}])
def test_target_params_must_be_a_dict_with_texts_as_keys(refused, emulator, params):
    told = "target_params must be a dict with texts as keys"
    with pytest.raises(AepValidationError, match=told):
        target_warnings(params)
    assert told in refused(target(S3, params))
    assert emulator.log == []


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"authSpec": {"name": "x"}}, "Adobe's live Amazon S3 spec: authSpec is no list"),
        ({"authSpec": [{"spec": {}}]}, "Adobe's live Amazon S3 spec: authSpec/0 has no name"),
        ({}, "Adobe's live Amazon S3 spec: authSpec is missing"),
        ({"targetSpec": "x"}, r"GET /connectionSpecs/.* unexpected shape"),
    ],
)
def test_a_spec_of_an_unknown_shape_is_told_as_the_services_fault(run, emulator, odd, told):
    spec = {"id": S3.connection_spec_id, "name": "Amazon S3", **odd}
    emulator.fail_next(200, body={"items": [spec]}, match="GET /connectionSpecs")
    make = (
        target(S3, PLACES["s3"])
        if "targetSpec" in odd
        else create_base_connection(name="n", destination=S3, login={"specName": "x", "params": {}})
    )
    with pytest.raises((AepApiError, AepValidationError), match=told):
        run(make)
    assert [request for request in emulator.log if request.path != "/ims/token/v3"][1:] == []


# Names of datasets


def test_the_names_of_datasets_are_looked_up_once_and_sent(run, emulator):
    orders = "6501aa10c2d3e4f5061728a2"
    run(create_source_connection(name="crm", datasets=[CRM, {"id": orders, "name": "as I call it"}]))
    (body,) = (each.body for each in emulator.requests("POST", "/sourceConnections"))
    name = next(each.name for each in emulator.datasets() if each.id == CRM)
    assert body["params"]["datasets"] == [
        {"dataSetId": CRM, "name": name},
        {"dataSetId": orders, "name": "as I call it"},
    ]
    assert len(emulator.requests("GET", "/connectionSpecs/*/configs")) == 1


def test_a_dataset_that_cannot_be_exported_is_found_before_the_post(run, emulator):
    with pytest.raises(AepValidationError, match=rf"datasets/0 is the id of no .*did you mean '{CRM}'"):
        run(create_source_connection(name="crm", datasets=[CRM[:-1] + "e"]))
    assert emulator.requests("POST", "/sourceConnections") == []


def test_a_dataset_that_was_renamed_between_two_tries_is_adopted_all_the_same(run, emulator):
    marked = {"name": "crm", "datasets": [CRM], "marker": "airflow 1234", "look_first": True}
    first = run(create_source_connection(**marked))
    next(each for each in emulator.datasets() if each.id == CRM).name = "renamed"
    again = run(create_source_connection(**marked))
    assert (again.id, again.adopted) == (first.id, True)
