from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_aep.emulator import schedule as emulated
from airflow_provider_aep.errors import (
    AepAuthError,
    AepConfigError,
    AepConflictError,
    AepNotFoundError,
    AepServerError,
    AepValidationError,
)
from airflow_provider_aep.flowservice.creation import Created
from airflow_provider_aep.flowservice.destinations import DATA_LAKE_SPEC_ID, DESTINATIONS
from airflow_provider_aep.operators.connections import (
    AepCreateBaseConnectionOperator,
    AepCreateSourceConnectionOperator,
    AepCreateTargetConnectionOperator,
    AepGetConnectionSpecOperator,
    AepListDestinationsOperator,
)
from airflow_provider_aep.operators.dataflows import (
    AepCreateDataflowOperator,
    AepDeleteDataflowOperator,
    AepDisableDataflowOperator,
    AepEnableDataflowOperator,
    AepListDataflowRunsOperator,
    AepListDataflowsOperator,
)
from airflow_provider_aep.operators.datasets import AepListDatasetsOperator
from airflow_provider_aep.operators.links import AepDataflowLink
from tests.unit.task_instance import FakeTaskInstance, context_of

ACCESS_KEY, SECRET_KEY = "AKIA2345ABCDEFGH2345", "VerySecret" * 4
CRM = "5ef3e3259ad2a1191ab7dd7d"
DATAFLOW_ID = "9b1b2c4e-0000-4000-8000-000000000000"
HOUR = 3600

Steps = dict[str, Callable[..., Any]]


@pytest.fixture
def perform(ti):
    """Runs an operator's ``execute``; the result has to be plain JSON, as XComs are."""

    def performed(operator: Any, on: FakeTaskInstance = ti) -> Any:
        result = operator.execute(context_of(on))
        assert json.loads(json.dumps(result)) == result
        return result

    return performed


@pytest.fixture
def bucket(monkeypatch) -> str:
    document = {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY}
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(document))
    return "bucket"


def create_source(**changes: Any) -> AepCreateSourceConnectionOperator:
    return AepCreateSourceConnectionOperator(
        **{"task_id": "source", "name": "nightly", "datasets": [CRM], **changes}
    )


def create_base(**changes: Any) -> AepCreateBaseConnectionOperator:
    given = {"task_id": "base", "name": "nightly", "destination": "s3", "credentials_conn_id": "bucket"}
    return AepCreateBaseConnectionOperator(**{**given, **changes})


def create_target(base_connection_id: str, **changes: Any) -> AepCreateTargetConnectionOperator:
    params = {"bucketName": "acme-exports", "path": "aep/crm", "datasetFileType": "JSON"}
    return AepCreateTargetConnectionOperator(
        **{
            "task_id": "target",
            "name": "nightly",
            "destination": "s3",
            "base_connection_id": base_connection_id,
            "target_params": params,
            **changes,
        }
    )


def create_dataflow(
    source_connection_id: str, target_connection_id: str, **changes: Any
) -> AepCreateDataflowOperator:
    return AepCreateDataflowOperator(
        **{
            "task_id": "dataflow",
            "name": "nightly",
            "destination": "s3",
            "source_connection_id": source_connection_id,
            "target_connection_id": target_connection_id,
            "schedule": {"every": "3h", "end": datetime.now(tz=UTC) + timedelta(days=30)},
            **changes,
        }
    )


@pytest.fixture
def connections(aep, bucket, perform, ti) -> dict[str, str]:
    """The three connections that a dataflow needs, made by another task."""
    upstream = replace(ti, task_id="upstream")
    source, base = perform(create_source(), on=upstream), perform(create_base(), on=upstream)
    made = {"source": source, "base": base, "target": perform(create_target(base), on=upstream)}
    aep.log.clear()
    return made


CREATES: dict[str, tuple[str, Callable[[dict[str, str]], Any]]] = {
    "source": ("sourceConnections", lambda made: create_source(name="once")),
    "base": ("connections", lambda made: create_base(name="once")),
    "target": ("targetConnections", lambda made: create_target(made["base"], name="once")),
    "dataflow": ("flows", lambda made: create_dataflow(made["source"], made["target"], name="once")),
}
each_create = pytest.mark.parametrize(("kind", "operator"), CREATES.values(), ids=CREATES)


# From nothing to an export


def test_each_step_hands_an_id_to_the_next(aep, bucket, perform, ti):
    datasets = perform(AepListDatasetsOperator(task_id="list", name_contains="loyal"))
    assert [dataset["name"] for dataset in datasets] == ["Loyalty Profiles"]
    source = perform(create_source(datasets=datasets))
    base = perform(create_base())
    target = perform(create_target(base))
    flow = perform(create_dataflow(source, target))

    (made,) = aep.entities("flows")
    assert made["id"] == flow
    assert made["state"] == "enabled"
    assert made["sourceConnectionIds"] == [source]
    assert made["targetConnectionIds"] == [target]
    (kept,) = aep.entities("sourceConnections")
    assert kept["params"]["datasets"] == [{"dataSetId": datasets[0]["id"], "name": "Loyalty Profiles"}]
    assert aep.entities("targetConnections")[0]["params"]["compression"] == "GZIP"


def test_the_spec_of_a_destination_is_readable(aep, perform):
    spec = perform(AepGetConnectionSpecOperator(task_id="spec", destination="sftp"))
    assert {auth["name"] for auth in spec["authSpec"]} == {"SFTP with Password", "SFTP with SSH Key"}
    assert "remotePath" in spec["targetSpec"]["spec"]["properties"]


def test_what_the_organization_offers_can_be_listed(aep, perform):
    offers = perform(AepListDestinationsOperator(task_id="list"))
    assert json.loads(json.dumps(offers)) == offers
    assert [one["name"] for one in offers][-2:] == ["sftp", "Marketo Measure Ultimate"]
    assert offers[0]["logins"][1] == {"name": "Assumed Role", "params": ["s3Role"], "required": ["s3Role"]}


def test_a_spec_that_cannot_be_read_is_told_in_the_list_and_in_the_log(aep, perform, logged):
    aep.withdraw(DESTINATIONS["gcs"].connection_spec_id)
    (gcs,) = [one for one in perform(AepListDestinationsOperator(task_id="l")) if one["name"] == "gcs"]
    assert "offered no more" in gcs["problem"]
    assert "gcs: its connection spec is offered no more" in logged()


def test_a_destination_that_adobe_adds_can_be_used_by_its_name(aep, perform, monkeypatch):
    storage = {
        "id": "snow-1",
        "name": "Snowbank",
        "authSpec": [{"name": "Token", "spec": {"properties": {"apiToken": {}}, "required": ["apiToken"]}}],
        "targetSpec": {"spec": {"properties": {"folder": {}}, "required": ["folder"]}},
    }
    aep.offer(storage)
    aep.offer(
        {
            "id": "snow-2",
            "name": "Snowbank exports",
            "sourceConnectionSpecIds": [DATA_LAKE_SPEC_ID],
            "targetConnectionSpecIds": ["snow-1"],
            "attributes": {"_workflow": ["DATASETS"]},
        }
    )
    monkeypatch.setenv(
        "AIRFLOW_CONN_SNOW", json.dumps({"conn_type": "generic", "extra": {"api_token": "t" * 9}})
    )
    source = perform(create_source())
    base = perform(create_base(destination="Snowbank", credentials_conn_id="snow"))
    target = perform(create_target(base, destination="Snowbank", target_params={"folder": "x"}))
    perform(create_dataflow(source, target, destination="Snowbank"))
    (flow,) = aep.entities("flows")
    assert flow["flowSpec"]["id"] == "snow-2"
    (kept,) = aep.entities("connections")
    assert kept["auth"]["specName"] == "Token"


PGP_KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nbWFkZSB1cA==\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_files_can_be_encrypted_with_the_public_key_of_a_connection(aep, bucket, perform, monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_PGP", json.dumps({"conn_type": "generic", "extra": {"public_key": PGP_KEY}})
    )
    perform(create_base(encryption_conn_id="pgp"))
    (kept,) = aep.entities("connections")
    assert kept["encryption"] == {
        "specName": "File Encryption",
        "params": {
            "encryptionAlgo": "PGP/GPG",
            "publicKey": base64.b64encode(PGP_KEY.encode()).decode(),
        },
    }


def test_a_private_key_for_encryption_is_refused_before_anything_is_sent(aep, bucket, perform, monkeypatch):
    private = PGP_KEY.replace("PUBLIC", "PRIVATE")
    monkeypatch.setenv(
        "AIRFLOW_CONN_PGP", json.dumps({"conn_type": "generic", "extra": {"public_key": private}})
    )
    with pytest.raises(AepValidationError, match="holds a private key"):
        perform(create_base(encryption_conn_id="pgp"))
    assert not aep.requests("POST", "/connections")


@each_create
def test_the_etag_is_kept_with_its_quotes(aep, connections, perform, ti, kind, operator):
    made = perform(operator(connections))
    (kept,) = [each for each in aep.entities(kind) if each["id"] == made]
    assert ti.pushed("etag") == kept["etag"]
    assert ti.pushed("etag").startswith('"')


def test_the_landing_zone_needs_no_login(aep, perform):
    made = perform(create_base(destination="data_landing_zone", credentials_conn_id=None))
    (kept,) = aep.entities("connections")
    assert kept["id"] == made
    (post,) = aep.requests("POST", "/connections")
    assert "auth" not in post.body


def test_an_operator_works_in_the_sandbox_it_names(aep, perform):
    other = AepListDatasetsOperator(task_id="list", sandbox="dev")
    assert {dataset["id"] for dataset in perform(other)} == {dataset.id for dataset in aep.datasets("dev")}


def test_an_operator_talks_through_the_connection_it_names(aep, perform, monkeypatch):
    import os

    monkeypatch.setenv("AIRFLOW_CONN_OTHER", os.environ["AIRFLOW_CONN_AEP_DEFAULT"])
    monkeypatch.delenv("AIRFLOW_CONN_AEP_DEFAULT")
    assert perform(AepListDatasetsOperator(task_id="list", aep_conn_id="other"))


# Templates, and what happens when a DAG file is parsed

ALL_OPERATORS: Steps = {
    "list_datasets": lambda: AepListDatasetsOperator(task_id="t", name_contains="x"),
    "get_spec": lambda: AepGetConnectionSpecOperator(task_id="t", destination="s3"),
    "list_destinations": lambda: AepListDestinationsOperator(task_id="t"),
    "source": create_source,
    "base": create_base,
    "target": lambda: create_target("b"),
    "dataflow": lambda: create_dataflow("s", "t"),
    "list_dataflows": lambda: AepListDataflowsOperator(task_id="t"),
    "list_runs": lambda: AepListDataflowRunsOperator(task_id="t", dataflow_id="f"),
    "enable": lambda: AepEnableDataflowOperator(task_id="t", dataflow_id="f"),
    "disable": lambda: AepDisableDataflowOperator(task_id="t", dataflow_id="f"),
    "delete": lambda: AepDeleteDataflowOperator(task_id="t", dataflow_id="f"),
}
NOT_TEMPLATED = {"task_id"}


@pytest.mark.parametrize("make", ALL_OPERATORS.values(), ids=ALL_OPERATORS)
def test_every_argument_is_templated_and_stored_under_its_name(make):
    operator = make()
    import inspect

    own = [
        name
        for kind in type(operator).__mro__
        if kind.__module__.startswith("airflow_provider_aep") and "__init__" in vars(kind)
        for name, parameter in inspect.signature(kind.__init__.__wrapped__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    assert {"aep_conn_id", "sandbox"} <= set(own)
    assert set(own) == set(operator.template_fields)
    assert all(hasattr(operator, name) for name in own)


def test_ids_names_specs_and_schedules_are_rendered(aep):
    context = {"day": "2026-12-01", "made": {"s": "source-1", "t": "target-1"}, "conn": "other"}
    with DAG("story", schedule=None):
        flow = create_dataflow(
            "{{ made.s }}",
            "{{ made.t }}",
            name="nightly {{ day }}",
            aep_conn_id="{{ conn }}",
            schedule={"every": "3h", "end": "{{ day }}T00:00:00Z"},
        )
        target = create_target("b", target_params={"path": "aep/{{ day }}"})
        source = create_source(datasets=["{{ made.s }}", {"id": "x", "name": "{{ day }}"}])
        base = create_base(credentials_conn_id="{{ conn }}")
    for operator in (flow, target, source, base):
        operator.render_template_fields(context)
    assert (flow.name, flow.aep_conn_id) == ("nightly 2026-12-01", "other")
    assert (flow.source_connection_id, flow.target_connection_id) == ("source-1", "target-1")
    assert flow.schedule == {"every": "3h", "end": "2026-12-01T00:00:00Z"}
    assert target.target_params == {"path": "aep/2026-12-01"}
    assert source.datasets == ["source-1", {"id": "x", "name": "2026-12-01"}]
    assert base.credentials_conn_id == "other"


@pytest.mark.parametrize("make", ALL_OPERATORS.values(), ids=ALL_OPERATORS)
def test_making_an_operator_reads_nothing(make, monkeypatch):
    from airflow_provider_aep.hooks import AepHook

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("read while the DAG file was parsed")

    monkeypatch.setattr(AepHook, "__init__", never)
    monkeypatch.setattr(AepHook, "get_connection", never)
    make()


# Only once, also when an answer is lost


@each_create
def test_a_first_try_looks_for_nothing(aep, connections, perform, kind, operator):
    perform(operator(connections))
    assert aep.requests("GET", f"/{kind}") == []
    assert len(aep.requests("POST", f"/{kind}")) == 1


@each_create
def test_a_lost_answer_is_adopted_within_the_same_try(aep, connections, perform, kind, operator):
    aep.lose_next(match=f"POST /{kind}")
    made = perform(operator(connections))
    assert [each["id"] for each in aep.entities(kind) if each["name"] == "once"] == [made]


@each_create
def test_a_second_try_adopts_what_the_first_made(aep, connections, perform, ti, logged, kind, operator):
    first = perform(operator(connections))  # and then its worker died
    again = perform(operator(connections), on=replace(ti, try_number=2))
    assert again == first
    assert [each["id"] for each in aep.entities(kind) if each["name"] == "once"] == [first]
    assert len(aep.requests("POST", f"/{kind}")) == 1
    assert "An earlier attempt had created" in logged()
    assert ti.pushed("etag").startswith('"')


@each_create
def test_a_second_try_creates_what_the_first_could_not(aep, connections, perform, ti, kind, operator):
    aep.fail_next(400, match=f"POST /{kind}")
    with pytest.raises(Exception, match="answered 400"):
        perform(operator(connections))
    made = perform(operator(connections), on=replace(ti, try_number=2))
    assert [each["id"] for each in aep.entities(kind) if each["name"] == "once"] == [made]


@each_create
@pytest.mark.parametrize("other", [{"run_id": "another"}, {"map_index": 3}, {"task_id": "another"}])
def test_another_task_instance_makes_its_own(aep, connections, perform, ti, kind, operator, other):
    first = perform(operator(connections))
    second = perform(operator(connections), on=replace(ti, try_number=2, **other))
    assert first != second


def test_a_second_try_with_other_content_is_told_apart(aep, perform, ti):
    first = perform(create_source())
    with pytest.raises(AepConflictError, match="asks for other /params/datasets") as told:
        perform(create_source(datasets=["5ef3e324ab7dd7d3259a1191"]), on=replace(ti, try_number=2))
    assert told.value.ids == (first,)
    assert len(aep.entities("sourceConnections")) == 1


def test_a_create_without_an_answer_and_without_an_entity_gives_up_in_the_end(aep, perform):
    aep.fail_next(503, times=10, match="POST /sourceConnections")
    with pytest.raises(AepServerError):
        perform(create_source())
    assert len(aep.requests("POST", "/sourceConnections")) == 3


# Bad input: a typed error that names field and rule, before anything was posted


def no_post(emulator: Any) -> bool:
    return all(request.path.startswith("/ims/") for request in emulator.requests("POST"))


@pytest.mark.parametrize("make", [create_base, lambda **given: create_target("b", **given)])
def test_an_unknown_destination_is_told_with_the_known_ones(aep, bucket, perform, make):
    with pytest.raises(
        AepValidationError, match="must be one of s3, azure_blob, adls_gen2, data_landing_zone, gcs, sftp"
    ):
        perform(make(destination="s4"))
    assert no_post(aep)


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"bucketName": "Acme Exports"}, "/bucketName must not contain blanks"),
        ({"bucketName": "a"}, "/bucketName must be 3 to 63"),
        ({"path": "aep/cr m"}, "/path must not contain blanks"),
        ({"path": "aep/%DATASET_ID%"}, "macros belong in the schedule's folder_template"),
        ({"datasetFileType": "CSV"}, "/datasetFileType must be one of JSON, PARQUET"),
        ({"compression": "ZIP"}, "/compression must be one of"),
        ({"bucketname": "acme"}, r"/bucketname is not a parameter .* \(did you mean 'bucketName'\?\)"),
        ({"fileType": "CSV"}, "/fileType applies to audience exports"),
    ],
)
def test_a_bad_place_is_refused_by_adobes_own_rules(aep, connections, perform, params, pointer):
    place = {"bucketName": "acme-exports", "path": "aep", "datasetFileType": "JSON", **params}
    with pytest.raises(AepValidationError, match=pointer):
        perform(create_target(connections["base"], target_params=place))
    assert no_post(aep)


def test_all_that_is_wrong_with_a_place_is_told_at_once(aep, connections, perform):
    with pytest.raises(AepValidationError) as told:
        perform(create_target(connections["base"], target_params={"bucketName": "NO", "path": "ä"}))
    assert {problem.pointer for problem in told.value.problems} == {
        "/bucketName",
        "/path",
        "/datasetFileType",
    }


@pytest.mark.parametrize("every", ["0h", "1.5h", "daily", "hour", "", None])
def test_a_cadence_that_the_service_does_not_run_is_refused(aep, perform, every):
    with pytest.raises(AepValidationError, match=r"schedule/every (must be one of once, 1h|is missing)"):
        perform(create_dataflow("s", "t", schedule={"every": every}))
    assert aep.log == []


def test_24_hours_pass_with_a_warning(aep, connections, perform, logged):
    end = datetime.now(tz=UTC) + timedelta(days=30)
    perform(
        create_dataflow(connections["source"], connections["target"], schedule={"every": "24h", "end": end})
    )
    assert "write every: 1d" in logged()


def test_a_cadence_that_only_the_live_flow_spec_could_name_passes_with_a_warning(
    aep, connections, perform, logged
):
    perform(create_dataflow(connections["source"], connections["target"], schedule="8h"))
    assert "the flow spec does not say whether every: 8h is allowed" in logged()
    assert aep.entities("flows")[0]["scheduleParams"]["interval"] == 8


def test_as_is_is_for_dataflows_that_exist(aep, perform):
    with pytest.raises(AepValidationError, match="schedule/every as-is keeps the cadence of a dataflow"):
        perform(create_dataflow("s", "t", schedule="as-is"))
    assert aep.log == []


def test_a_schedule_without_an_end_is_told_when_it_will_stop(aep, connections, perform, logged):
    perform(create_dataflow(connections["source"], connections["target"], schedule="3h"))
    assert "the export ends 180 days after its start" in logged()


def test_json_without_compression_passes_with_a_warning(aep, connections, perform, logged):
    place = {"bucketName": "acme-exports", "path": "a", "datasetFileType": "JSON", "compression": "NONE"}
    perform(create_target(connections["base"], target_params=place))
    assert "GZIP is the documented choice" in logged()


@pytest.mark.parametrize(
    ("schedule", "rule"),
    [
        ({"start": "2027-06-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"}, "must be later than the start"),
        ({"end": "2020-01-01T00:00:00Z"}, "is in the past"),
        ({"end": "soon"}, "schedule/end must be a moment"),
        ({"end": 1_900_000_000_000}, "looks like milliseconds"),
        ({"until": "2027-06-01"}, "schedule/until is not known"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(aep, perform, schedule, rule):
    with pytest.raises(AepValidationError, match=rule):
        perform(create_dataflow("s", "t", schedule={"every": "3h", **schedule}))
    assert aep.log == []


BAD_IDS = ["a/b", "a?x=1", "a&b", "a=b", "../flows", "..", "a b", "a#b", "a%2Fb", "a\n", "", None, 7]
TAKES_AN_ID: Steps = {
    "source_connection_id": lambda bad: create_dataflow(bad, "t"),
    "target_connection_id": lambda bad: create_dataflow("s", bad),
    "base_connection_id": create_target,
    "datasets/0": lambda bad: create_source(datasets=[bad]),
    "dataflow_id, runs": lambda bad: AepListDataflowRunsOperator(task_id="t", dataflow_id=bad),
    "dataflow_id, enable": lambda bad: AepEnableDataflowOperator(task_id="t", dataflow_id=bad),
    "dataflow_id, delete": lambda bad: AepDeleteDataflowOperator(task_id="t", dataflow_id=bad),
}


@pytest.mark.parametrize("bad", BAD_IDS)
@pytest.mark.parametrize("field", TAKES_AN_ID)
def test_what_cannot_be_an_id_reaches_no_address(aep, perform, field, bad):
    with pytest.raises(AepValidationError) as told:
        perform(TAKES_AN_ID[field](bad))
    (problem,) = told.value.problems
    assert problem.pointer == field.split(",")[0]
    assert any(rule in problem.message for rule in ("must be an id", "is missing", "must not be empty"))
    assert aep.log == []


@pytest.mark.parametrize("name", ["", "  ", None, "x" * 256, "two\nlines"])
@pytest.mark.parametrize("make", [create_source, create_base, lambda **g: create_target("b", **g)])
def test_a_name_that_is_none_is_refused(aep, bucket, perform, make, name):
    with pytest.raises(AepValidationError, match=r": name (is missing|must )"):
        perform(make(name=name))
    assert no_post(aep)


@pytest.mark.parametrize("datasets", [[], None, CRM, {"id": CRM}, [CRM, CRM], [{"name": "x"}]])
def test_datasets_that_are_none_are_refused(aep, perform, datasets):
    with pytest.raises(AepValidationError, match="datasets"):
        perform(create_source(datasets=datasets))
    assert aep.log == []


def test_a_base_connection_without_credentials_says_what_it_needs(aep, perform):
    with pytest.raises(AepConfigError, match="Amazon S3 needs credentials_conn_id"):
        perform(create_base(credentials_conn_id=None))
    assert no_post(aep)


def test_a_wrong_login_is_told_without_a_word_of_it(aep, perform, monkeypatch, logged):
    document = {"conn_type": "aws", "login": "akiaLOWERCASE", "password": "TooShortSecret"}
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(document))
    with pytest.raises(AepValidationError) as told:
        perform(create_base())
    assert {problem.pointer for problem in told.value.problems} == {"/s3AccessKey", "/s3SecretKey"}
    assert "Check Airflow connection 'bucket'." in str(told.value)
    assert "TooShortSecret" not in f"{told.value!r}{logged()}"
    assert "akiaLOWERCASE" not in f"{told.value!r}{logged()}"
    assert no_post(aep)


def test_a_service_that_quotes_the_login_back_is_not_repeated(aep, bucket, perform, logged):
    aep.fail_next(400, match="POST /connections", body={"message": f"bad key {SECRET_KEY} of {ACCESS_KEY}"})
    with pytest.raises(Exception, match="answered 400") as told:
        perform(create_base())
    assert SECRET_KEY not in f"{told.value!r}{told.value}{logged()}"
    assert ACCESS_KEY not in f"{told.value!r}{told.value}{logged()}"


def test_no_operator_leaves_a_secret_in_xcom_template_or_log(aep, bucket, perform, ti, logged):
    operator = create_base()
    perform(operator)
    rendered = {name: getattr(operator, name) for name in operator.template_fields}
    for secret in (ACCESS_KEY, SECRET_KEY, aep.client_secret):
        assert secret not in f"{ti.xcoms} {rendered} {operator!r} {vars(operator)} {logged()}"


@pytest.mark.parametrize("make", [lambda: AepListDatasetsOperator(task_id="t"), create_source])
def test_a_refused_credential_keeps_its_class(aep, perform, make):
    aep.fail_next(403, match="/")
    with pytest.raises(AepAuthError, match="View Destinations"):
        perform(make())


# A dataflow that exists


@pytest.fixture
def dataflow_id(make_dataflow) -> str:
    return make_dataflow()


STATES = {
    "disable": (AepDisableDataflowOperator, "disabled"),
    "enable": (AepEnableDataflowOperator, "enabled"),
}


def test_switching_a_dataflow_off_and_on_again(aep, dataflow_id, perform):
    for operator, state in STATES.values():
        assert perform(operator(task_id="t", dataflow_id=dataflow_id)) == dataflow_id
        assert aep.entities("flows")[0]["state"] == state


@pytest.mark.parametrize(("operator", "state"), STATES.values(), ids=STATES)
def test_switching_twice_asks_the_service_once(aep, dataflow_id, perform, logged, operator, state):
    perform(AepDisableDataflowOperator(task_id="t", dataflow_id=dataflow_id))
    perform(operator(task_id="t", dataflow_id=dataflow_id))
    actions = len(aep.requests("POST", "/flows/*/action"))
    assert perform(operator(task_id="t", dataflow_id=dataflow_id)) == dataflow_id
    assert len(aep.requests("POST", "/flows/*/action")) == actions
    assert f"was {state} already" in logged()


def test_a_switch_whose_answer_is_lost_is_read_again(aep, dataflow_id, perform):
    aep.lose_next(match="/action")
    perform(AepDisableDataflowOperator(task_id="t", dataflow_id=dataflow_id))
    assert aep.entities("flows")[0]["state"] == "disabled"
    assert len(aep.requests("POST", "/flows/*/action")) == 1


def test_deleting_twice_is_as_good_as_once(aep, dataflow_id, perform, logged):
    delete = AepDeleteDataflowOperator(task_id="t", dataflow_id=dataflow_id)
    assert perform(delete) == dataflow_id
    assert aep.entities("flows") == []
    assert len(aep.entities("targetConnections")) == 1
    assert perform(delete) == dataflow_id
    assert "was gone already" in logged()


@pytest.mark.parametrize("operator", [AepEnableDataflowOperator, AepDisableDataflowOperator])
def test_a_dataflow_that_does_not_exist_is_not_switched(aep, perform, operator):
    with pytest.raises(AepNotFoundError):
        perform(operator(task_id="t", dataflow_id=DATAFLOW_ID))


@pytest.mark.parametrize(
    "operator", [AepListDataflowRunsOperator, AepEnableDataflowOperator, AepDisableDataflowOperator]
)
def test_a_task_that_names_a_dataflow_links_to_it(aep, dataflow_id, perform, ti, operator):
    perform(operator(task_id="t", dataflow_id=dataflow_id))
    assert ti.pushed(AepDataflowLink.xcom_key).endswith(f"/platform/destination/browse/{dataflow_id}")


def test_a_created_dataflow_is_linked(aep, connections, perform, ti):
    made = perform(create_dataflow(connections["source"], connections["target"]))
    assert ti.pushed(AepDataflowLink.xcom_key).endswith(f"/platform/destination/browse/{made}")


def test_the_runs_of_a_dataflow_are_listed_newest_first(aep, dataflow_id, perform, clock):
    rows = aep.count_rows(CRM)
    aep.script_runs(None, ["success", "failed", "zero"])
    clock.advance(HOUR * 7.5)
    runs = perform(AepListDataflowRunsOperator(task_id="t", dataflow_id=dataflow_id))
    assert [run["status"] for run in runs] == ["success", "failed", "success"]
    assert [run["records_out"] for run in runs] == [0, None, ANY]
    assert runs[2]["records_out"] >= rows
    assert runs[1]["errors"][0]["code"] == "ACTIVATION_BATCH-0000-FAILED"
    since = AepListDataflowRunsOperator(
        task_id="t", dataflow_id=dataflow_id, started_after=runs[0]["started_at"]
    )
    assert [run["id"] for run in perform(since)] == [runs[0]["id"]]


# Which dataflows were due


def test_all_dataflows_are_listed_or_those_with_a_part_of_the_name(aep, make_dataflow, perform):
    nightly, weekly = make_dataflow("Nightly CRM"), make_dataflow("weekly")
    found = perform(AepListDataflowsOperator(task_id="t"))
    assert {flow["id"] for flow in found} == {nightly, weekly}
    assert {flow["destination"] for flow in found} == {"data_landing_zone"}
    found = perform(AepListDataflowsOperator(task_id="t", name_contains="crm"))
    assert [flow["id"] for flow in found] == [nightly]


def test_a_window_finds_the_enabled_dataflows_with_a_tick_in_it(aep, make_dataflow, perform, clock):
    moment = datetime.fromtimestamp(clock(), tz=UTC)
    due = make_dataflow("due")  # ticks 1, 4, 7 ... hours from now
    make_dataflow("later", start=moment + timedelta(hours=8))
    disabled = make_dataflow("disabled")
    perform(AepDisableDataflowOperator(task_id="t", dataflow_id=disabled))

    def window(start: float, end: float) -> list[dict[str, Any]]:
        return perform(
            AepListDataflowsOperator(
                task_id="t",
                due_from=moment + timedelta(hours=start),
                due_until=str(moment + timedelta(hours=end)),
            )
        )

    assert window(0, 1) == []  # the end is not in the window
    (found,) = window(1, 2)
    assert found["id"] == due
    assert found["due_at"] == (moment + timedelta(hours=1)).isoformat()
    assert found["due_before"] == (moment + timedelta(hours=4)).isoformat()
    assert found["runs_due"] == 1
    assert window(1, 8)[0]["runs_due"] == 3
    assert window(2, 4) == []


def test_the_tick_that_ends_a_wait_may_be_days_away(aep, make_dataflow, perform, monkeypatch):
    monkeypatch.setitem(emulated.ALLOWED, ("FIRST_FULL_THEN_INCREMENTAL", "day"), {1, 3})
    start = datetime.fromtimestamp(aep.clock(), tz=UTC) + timedelta(hours=1)
    make_dataflow(every="3d", start=start)
    operator = AepListDataflowsOperator(
        task_id="t", due_from=start.isoformat(), due_until=(start + timedelta(hours=1)).isoformat()
    )
    (found,) = perform(operator)
    assert found["due_before"] == (start + timedelta(days=3)).isoformat()


@pytest.mark.parametrize("window", [{"due_from": "2026-12-01"}, {"due_until": "2026-12-01"}])
def test_half_a_window_is_refused(aep, perform, window):
    with pytest.raises(AepValidationError, match="is missing"):
        perform(AepListDataflowsOperator(task_id="t", **window))


# What render_template_as_native_obj makes of texts


def test_a_name_may_be_rendered_to_a_number(aep, bucket, perform, ti):
    perform(create_source(name=2024))
    (made,) = aep.entities("sourceConnections")
    assert made["name"] == "2024"


def test_a_part_of_a_name_may_be_rendered_to_a_number(aep, make_dataflow, perform):
    make_dataflow("orders 2024")
    make_dataflow("orders")
    found = perform(AepListDataflowsOperator(task_id="t", name_contains=2024))
    assert [flow["name"] for flow in found] == ["orders 2024"]
    assert perform(AepListDatasetsOperator(task_id="t", name_contains=2024)) == []


def test_a_part_of_a_name_must_be_a_text(aep, perform):
    with pytest.raises(AepValidationError, match="name_contains must be a text"):
        perform(AepListDataflowsOperator(task_id="t", name_contains=["x"]))
    assert aep.log == []


@pytest.mark.parametrize("params", [None, "text", ["text"], {1: 2}])
def test_target_params_that_are_no_dict_are_refused(aep, perform, params):
    with pytest.raises(AepValidationError, match=r"target_params (must be a dict|is missing)"):
        perform(create_target("b", target_params=params))
    assert no_post(aep)


def test_an_entity_without_an_etag_pushes_none(ti):
    create_source()._finish(context_of(ti), "source connection", "nightly", Created(id="3b1f", etag=None))
    assert "etag" not in {key for _, _, key in ti.xcoms}
