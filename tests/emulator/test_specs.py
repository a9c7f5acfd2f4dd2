"""The destinations' documents, held to the tables of the export datasets tutorial and to newer notes."""

from __future__ import annotations

import re

import pytest

DATA_LAKE = "23598e46-f560-407b-88d5-ea6207e49db0"
SLUGS = ["s3", "azure_blob", "adls_gen2", "data_landing_zone", "gcs", "sftp"]

# Source: export datasets tutorial: spec names of the logins and what they need; SFTP has two.
LOGINS = {
    # Source: file-based activation tutorial (translations): the assumed role.
    "s3": {"Access Key": ["s3AccessKey", "s3SecretKey"], "Assumed Role": ["s3Role"]},
    # Source: September 2026 notes: a service principal. Assumed: its name and parameters.
    "azure_blob": {
        "ConnectionString": ["connectionString"],
        "Service Principal": ["accountUrl", "tenantId", "clientId", "clientSecret"],
    },
    "adls_gen2": {
        "Azure Service Principal Auth": ["url", "tenant", "servicePrincipalId", "servicePrincipalKey"]
    },
    "data_landing_zone": {},
    "gcs": {"Google Cloud Storage authentication credentials": ["accessKeyId", "secretAccessKey"]},
    "sftp": {
        "SFTP with Password": ["domain", "username", "password"],
        "SFTP with SSH Key": ["domain", "username", "sshKey"],
    },
}


@pytest.fixture
def spec_of(api, six):
    return lambda slug: api.one(f"/connectionSpecs/{six[slug]['connection_spec']}")


@pytest.mark.parametrize("slug", SLUGS)
def test_a_destination_is_served_under_its_published_id(spec_of, six, slug):
    spec = spec_of(slug)
    assert spec["id"] == six[slug]["connection_spec"]
    assert spec["name"] == six[slug]["name"]
    assert (spec["version"], spec["providerId"]) == ("1.0", "14e34fac-d307-11e9-bb65-2a2ae2dbcce4")


@pytest.mark.parametrize("slug", SLUGS)
def test_a_destination_asks_for_its_published_login(spec_of, slug):
    logins = {each["name"]: each["spec"]["required"] for each in spec_of(slug)["authSpec"]}
    assert logins == LOGINS[slug]


@pytest.mark.parametrize("slug", SLUGS)
def test_a_target_spec_requires_a_place_and_the_file_type_that_must_not_be_sent(spec_of, six, slug):
    target = spec_of(slug)["targetSpec"]
    assert (target["name"], target["type"]) == ("User based target", "UserNamespace")
    assert target["spec"]["required"] == [*six[slug]["place"], "fileType", "datasetFileType", "compression"]
    assert target["spec"]["properties"]["datasetFileType"]["enum"] == ["JSON", "PARQUET"]
    assert sorted(target["spec"]["properties"]["compression"]["enum"]) == ["GZIP", "NONE"]


def test_sftp_alone_lists_gzip_first_and_calls_its_folder_remote_path(spec_of):
    properties = spec_of("sftp")["targetSpec"]["spec"]["properties"]
    assert properties["compression"]["enum"] == ["GZIP", "NONE"]
    assert "remotePath" in properties
    assert "path" not in properties


def test_the_landing_zone_needs_no_login_and_offers_no_encryption(spec_of):
    spec = spec_of("data_landing_zone")
    assert spec["authSpec"] == []
    assert spec["encryptionSpecs"] == []


def test_the_patterns_are_the_published_ones(spec_of):
    s3 = spec_of("s3")
    login = s3["authSpec"][0]["spec"]["properties"]
    assert login["s3AccessKey"]["pattern"] == "^[A-Z2-7]{20}$"
    assert login["s3SecretKey"]["pattern"] == r"^[A-Za-z0-9\/\+]{40}$"
    assert login["s3SecretKey"]["format"] == "password"
    path = s3["targetSpec"]["spec"]["properties"]["path"]["pattern"]
    assert path == r"^[0-9a-zA-Z\/\!\-_\.\*\''\(\)]*((\%SEGMENT_(NAME|ID)\%)?\/?)+$"
    gcs_bucket = spec_of("gcs")["targetSpec"]["spec"]["properties"]["bucketName"]["pattern"]
    assert re.search(gcs_bucket, "acme_exports")
    assert not re.search(gcs_bucket, "goog-exports")


@pytest.mark.parametrize("slug", SLUGS)
def test_a_flow_spec_ties_the_data_lake_to_its_destination_and_admits_to_be_synthetic(api, six, slug):
    spec = api.one(f"/flowSpecs/{six[slug]['flow_spec']}")
    assert spec["sourceConnectionSpecIds"] == [DATA_LAKE]
    assert spec["targetConnectionSpecIds"] == [six[slug]["connection_spec"]]
    assert spec["attributes"]["synthetic"] is True


def test_specs_can_be_listed_and_filtered_by_name(api, six):
    assert len(api.get("/connectionSpecs")["items"]) == 8
    (found,) = api.get("/connectionSpecs", ("property", "name==Amazon S3"))["items"]
    assert found["id"] == six["s3"]["connection_spec"]


def test_a_flow_spec_says_that_it_exports_datasets(api):
    specs = api.get("/flowSpecs")["items"]
    assert [each["attributes"]["_workflow"] for each in specs] == [["DATASETS"]] * 7


def test_a_spec_can_be_changed_and_withdrawn_in_one_emulator_alone(api, make_caller, six, code):
    spec_id = six["s3"]["connection_spec"]
    changed = {**api.emulator.spec(spec_id), "authSpec": []}
    api.emulator.offer(changed)
    assert api.one(f"/connectionSpecs/{spec_id}")["authSpec"] == []
    assert make_caller().one(f"/connectionSpecs/{spec_id}")["authSpec"] != []
    api.emulator.withdraw(spec_id)
    assert code(api.call("GET", f"/connectionSpecs/{spec_id}")) == "FLOW-1439-404"


def test_the_seventh_destination_exports_without_login_or_place(api):
    flow_id = api.emulator.add_foreign_flow("bizible", startTime=int(api.clock.now) + 60)
    flow = api.one(f"/flows/{flow_id}")
    assert (flow["scheduleParams"]["timeUnit"], flow["scheduleParams"]["interval"]) == ("hour", 2)
    (spec_id,) = api.one(f"/flowSpecs/{flow['flowSpec']['id']}")["targetConnectionSpecIds"]
    spec = api.one(f"/connectionSpecs/{spec_id}")
    assert (spec["name"], spec["authSpec"]) == ("Marketo Measure Ultimate", [])
    api.clock.advance(2.5 * 3600)
    assert len(api.runs(flow_id)) == 2


def test_an_unknown_spec_is_not_found(api, code):
    assert code(api.call("GET", "/connectionSpecs/4890fc95-5a1f-4983-94bb-e060c08e3f81")) == "FLOW-1439-404"


class TestExportableDatasets:
    PATH = f"/connectionSpecs/{DATA_LAKE}/configs"
    ASKED = (("outputType", "activationDatasets"), ("outputField", "datasets"))

    def test_a_dataset_looks_like_the_tutorials(self, api):
        answer = api.get(self.PATH, *self.ASKED)
        first = answer["items"][0]
        assert re.fullmatch("[0-9a-f]{24}", first["id"])
        assert set(first) == {"id", "name", "description", "fileDescription", "aspect", "state"}
        # Source: export datasets tutorial: "end" is the index of the last item.
        assert answer["pageInfo"] == {"start": 0, "end": 4, "total": 5, "hasNext": False}

    def test_pages_go_by_offset(self, api):
        for number in range(20):
            api.emulator.add_dataset(f"Dataset {number}")
        found = []
        while True:
            page = api.get(self.PATH, *self.ASKED, ("start", len(found)), ("limit", 10))
            found += [each["id"] for each in page["items"]]
            if not page["pageInfo"]["hasNext"]:
                break
        assert len(set(found)) == len(found) == 25

    @pytest.mark.parametrize("missing", ["outputType", "outputField"])
    def test_both_output_parameters_are_mandatory(self, api, code, missing):
        params = [pair for pair in self.ASKED if pair[0] != missing]
        assert code(api.call("GET", self.PATH, params=params)) == "FLOW-2119-400"

    @pytest.mark.parametrize("limit", ["0", "101", "many"])
    def test_a_page_holds_at_most_a_hundred(self, api, limit):
        assert api.call("GET", self.PATH, params=[*self.ASKED, ("limit", limit)]).status == 400

    def test_only_the_data_lake_has_datasets(self, api, six):
        path = f"/connectionSpecs/{six['s3']['connection_spec']}/configs"
        assert api.call("GET", path, params=self.ASKED).status == 400
