from __future__ import annotations

import pytest

from airflow_provider_aep.errors import AepNotFoundError, AepServerError, AepValidationError
from airflow_provider_aep.flowservice.catalogue import (
    destination_of_flow_spec,
    exports_datasets,
    find_destination,
    offered_logins,
    read_catalogue,
)
from airflow_provider_aep.flowservice.destinations import ADLS_GEN2, DESTINATIONS, S3

MARKETO = "Marketo Measure Ultimate"
NEW_STORAGE = {
    "id": "b5d1a000-0000-4000-8000-000000000001",
    "name": "Snowbank",
    "version": "1.0",
    "authSpec": [
        {
            "name": "Key",
            "spec": {"type": "object", "properties": {"key": {}, "zone": {}}, "required": ["key"]},
        }
    ],
    "targetSpec": {"spec": {"properties": {"folder": {"type": "string"}}, "required": ["folder"]}},
}
NEW_EXPORT = {
    "id": "b5d1a000-0000-4000-8000-000000000002",
    "name": "Snowbank exports",
    "version": "1.0",
    "targetConnectionSpecIds": [NEW_STORAGE["id"]],
    "attributes": {"_workflow": ["DATASETS"]},
    "scheduleSpec": {"spec": {"properties": {"interval": {"enum": [1, 2]}}}},
}


@pytest.fixture
def marketo_spec_id(emulator) -> str:
    emulator.add_foreign_flow("bizible")
    (flow,) = emulator.entities("flows")
    return str(flow["flowSpec"]["id"])


def test_the_catalogue_is_what_the_live_specs_offer_also_beyond_the_table(run):
    offers = run(read_catalogue())
    assert [one.name for one in offers] == [*DESTINATIONS, MARKETO]
    for slug, known in DESTINATIONS.items():
        (offer,) = [one for one in offers if one.name == slug]
        assert (offer.connection_spec_id, offer.flow_spec_id) == (
            known.connection_spec_id,
            known.flow_spec_id,
        )
        assert offer.known == known
        assert "interval" in offer.schedule_spec["properties"]


def test_an_offer_tells_logins_and_parameters_and_what_of_them_is_required(run):
    (s3, *_) = run(read_catalogue())
    assert [(one.name, one.required) for one in s3.logins] == [
        ("Access Key", ("s3AccessKey", "s3SecretKey")),
        ("Assumed Role", ("s3Role",)),
    ]
    assert {"bucketName", "path", "compression"} <= set(s3.required_target_params)
    assert s3.encryptions == ("File Encryption",)


def test_a_destination_that_adobe_adds_is_in_the_catalogue_the_same_day(run, emulator):
    emulator.offer(NEW_STORAGE)
    emulator.offer(NEW_EXPORT)
    offer = run(read_catalogue())[-1]
    assert (offer.name, offer.connection_spec_id, offer.flow_spec_id) == (
        "Snowbank",
        NEW_STORAGE["id"],
        NEW_EXPORT["id"],
    )
    assert offer.logins[0].params == ("key", "zone")
    assert offer.to_json()["cadences"] == ["1h", "2h", "1d", "2d"]


def test_a_destination_that_the_organization_does_not_have_is_not_offered(run, emulator):
    emulator.withdraw(S3.flow_spec_id)
    assert "s3" not in [one.name for one in run(read_catalogue())]


def test_one_spec_that_cannot_be_read_does_not_hide_the_others(run, emulator):
    emulator.withdraw(S3.connection_spec_id)
    offers = run(read_catalogue())
    assert [one.name for one in offers] == [*DESTINATIONS, MARKETO]
    assert offers[0].problem == "its connection spec is offered no more (HTTP 404)"
    assert not offers[0].logins


def test_reading_twice_asks_for_the_listing_alone(run, emulator):
    run(read_catalogue())
    emulator.log.clear()
    run(read_catalogue())
    assert [one.path for one in emulator.requests("GET")] == ["/flowSpecs"]


def test_all_pages_of_the_flow_specs_are_read(run, emulator):
    for number in range(120):
        emulator.offer({**NEW_EXPORT, "id": f"audience-{number}", "attributes": {"_workflow": ["SEGMENTS"]}})
    emulator.offer(NEW_STORAGE)
    emulator.offer(NEW_EXPORT)
    assert "Snowbank" in [one.name for one in run(read_catalogue())]


@pytest.mark.parametrize(
    ("attributes", "exports"),
    [
        ({"_workflow": ["SEGMENTS", "DATASETS"]}, True),
        ({"_workflow": "DATASETS"}, True),
        ({"_workflow": "SEGMENTS, DATASETS"}, True),
        ({"_workflow": ["datasets"]}, True),
        ({"_workflow": ["SEGMENTS"]}, False),
        ({"_workflow": "NO_DATASETS"}, False),
        ({"_workflow": {"DATASETS": True}}, False),
        ({"_workflow": [None, 7]}, False),
        ({"_workflow": None}, False),
        ({}, False),
        (None, False),
        ("DATASETS", False),
    ],
)
def test_a_flow_spec_exports_datasets_if_its_workflow_says_so(attributes, exports):
    assert exports_datasets({"attributes": attributes}) is exports


def test_the_seventh_destination_goes_by_the_name_that_its_spec_gives(run, emulator, marketo_spec_id):
    spec = run(destination_of_flow_spec(marketo_spec_id))
    assert (spec.name, spec.exports_datasets) == (MARKETO, True)
    emulator.log.clear()
    assert run(destination_of_flow_spec(marketo_spec_id)) == spec
    assert emulator.log == []


def test_a_destination_of_the_table_is_named_without_a_request(run, emulator):
    assert run(destination_of_flow_spec(S3.flow_spec_id)).name == "s3"
    assert emulator.log == []


def test_without_its_connection_spec_a_destination_goes_by_its_flow_spec(run, emulator, marketo_spec_id):
    (connection_spec_id,) = run(destination_of_flow_spec(marketo_spec_id)).connection_spec_ids
    emulator.withdraw(connection_spec_id)
    run.session._kept.answers.clear()
    assert run(destination_of_flow_spec(marketo_spec_id)).name == f"{MARKETO} dataset export"


def test_a_flow_spec_of_audiences_exports_no_datasets(run, emulator):
    emulator.offer({**NEW_EXPORT, "attributes": {"_workflow": ["SEGMENTS"]}})
    assert not run(destination_of_flow_spec(NEW_EXPORT["id"])).exports_datasets


def test_a_flow_spec_that_is_not_there_is_an_error(run):
    with pytest.raises(AepNotFoundError):
        run(destination_of_flow_spec("no-such-spec"))


def test_a_dataflow_of_the_seventh_destination_runs_every_two_hours(run, emulator, clock, marketo_spec_id):
    clock.advance(4.5 * 3600)
    assert len(emulator.entities("runs")) == 3


@pytest.mark.parametrize("name", ["Snowbank", "snowbank", NEW_STORAGE["id"], NEW_EXPORT["id"]])
def test_a_destination_that_is_not_in_the_table_is_found_by_name_or_id(run, emulator, name):
    emulator.offer(NEW_STORAGE)
    emulator.offer(NEW_EXPORT)
    found = run(find_destination(name))
    assert (found.slug, found.connection_spec_id, found.flow_spec_id, found.takes_login) == (
        "Snowbank",
        NEW_STORAGE["id"],
        NEW_EXPORT["id"],
        True,
    )


def test_one_of_the_table_is_found_without_a_request(run, emulator):
    assert run(find_destination("adls_gen2")) is ADLS_GEN2
    assert emulator.log == []


def test_adobes_own_name_finds_one_of_the_table(run):
    assert run(find_destination("Azure Data Lake Gen2")) is ADLS_GEN2


def test_an_unknown_name_is_told_with_those_that_are_offered(run):
    with pytest.raises(AepValidationError, match=f"must be one of s3, .*, {MARKETO}"):
        run(find_destination("dropbox"))


@pytest.mark.parametrize("name", [None, "", ["s3"], 7])
def test_what_is_no_name_costs_no_request(run, emulator, name):
    with pytest.raises(AepValidationError, match="must be one of s3"):
        run(find_destination(name))
    assert emulator.log == []


def test_a_name_that_two_destinations_have_is_refused_with_their_ids(run, emulator):
    other = {**NEW_EXPORT, "id": "b5d1a000-0000-4000-8000-000000000003"}
    for spec in (NEW_STORAGE, NEW_EXPORT, other):
        emulator.offer(spec)
    with pytest.raises(AepValidationError, match=f"fits 2 destinations.*{other['id']}"):
        run(find_destination("Snowbank"))


def test_the_id_of_a_spec_that_exports_no_datasets_is_no_destination(run, emulator):
    emulator.offer({**NEW_EXPORT, "attributes": {"_workflow": ["SEGMENTS"]}})
    with pytest.raises(AepValidationError, match="must be one of"):
        run(find_destination(NEW_EXPORT["id"]))


def test_specs_that_cannot_be_listed_are_an_error(run, emulator):
    emulator.fail_next(503, times=99, match="/flowSpecs")
    with pytest.raises(AepServerError):
        run(read_catalogue())


@pytest.mark.parametrize(
    ("auth_spec", "told"),
    [
        (None, "authSpec is missing"),
        ("s3cret", "authSpec is no list"),
        ([{"type": "x"}], "authSpec/0 has no name"),
    ],
)
def test_an_auth_spec_that_says_nothing_is_told(auth_spec, told):
    with pytest.raises(AepValidationError, match=told) as caught:
        offered_logins({"name": "Snowbank", "authSpec": auth_spec})
    assert "s3cret" not in str(caught.value)


def test_an_odd_auth_spec_is_a_problem_of_its_offer_alone(run, emulator):
    emulator.offer({**emulator.spec(S3.connection_spec_id), "authSpec": "x"})
    offers = run(read_catalogue())
    assert offers[0].problem == "authSpec is no list"
    assert [one.problem for one in offers[1:]] == [None] * 6
